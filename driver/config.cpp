#include <aprotic/driver/config.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/ini.hpp>
#include <aprotic/driver/bus/option_table.hpp>
#include <aprotic/driver/notifier.hpp>
#include <aprotic/driver/transport_url.hpp>

/// The process's environment, as POSIX has it.
extern "C" char** environ;

namespace aprotic::driver {
namespace {

std::string key_of(std::string_view group, std::string_view name) { return fmt::format("{}.{}", group, name); }

std::string environment_name(const OptionInfo& option) {
    std::string name = fmt::format("OS_{}__{}", option.group, option.name);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return name;
}

/// As files may write it: the group of former times and other cases.
std::string group_named(std::string_view written) {
    if (written == bus::common_group) return std::string(written);
    std::string group(written);
    std::ranges::transform(group, group.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return group == bus::driver_group_once ? std::string(bus::driver_group) : group;
}

bool is_ours(std::string_view group) { return group == bus::driver_group || group == bus::notification_group; }

bool is_url(const bus::Option& option) { return option.info.type == "URL"; }

std::optional<std::string> text_of_file(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    in.peek();  // tells a folder from an empty file
    std::ostringstream text;
    if (in.is_open() && !in.bad()) text << in.rdbuf();
    if (!in.is_open() || in.bad()) return std::nullopt;
    return std::move(text).str();
}

std::string presentable(const bus::Option& option, std::string_view value, const TransportOptions& options) {
    if (option.info.secret) return value.empty() ? "" : "***";
    if (!is_url(option)) return std::string(value);
    const auto url = TransportUrl::parse(value, options.schemes);
    return url ? url->to_string() : value.empty() ? "" : "***";
}

}  // namespace

/// Collects what files and environment say and makes settings of it.
class Config::Reader {
public:
    explicit Reader(TransportOptions defaults) { settings_->options = std::move(defaults); }

    Result<void> add_file(std::string_view text, std::string_view name) {
        APROTIC_TRY_AS(auto entries, bus::read_ini(text, name));
        for (auto& entry : entries) {
            Line line{group_named(entry.group),
                      std::move(entry.key),
                      std::move(entry.value),
                      files_,
                      fmt::format("{}:{}", name, entry.line),
                      entry.group != bus::driver_group_once};
            if (is_ours(line.group) && option_named(line.group, line.key) == nullptr)
                return fmt::format("{}: [{}] has no option '{}'; there are {}", line.source, entry.group, line.key,
                                   bus::names_of_group(line.group));
            lines_.push_back(std::move(line));
        }
        ++files_;
        return {};
    }

    Result<Config> finish(const Environment& environment) {
        for (const auto& variable : environment) {
            const std::string& name = variable.first;
            const bool ours =
                name.starts_with("OS_OSLO_MESSAGING_AMQP__") || name.starts_with("OS_OSLO_MESSAGING_NOTIFICATIONS__");
            const auto known = std::ranges::any_of(
                bus::option_table(), [&](const auto& each) { return environment_name(each.info) == name; });
            if (ours && !known)
                return fmt::format("environment {}: no option has that name; aprotic config lists them", name);
        }
        for (const auto& option : bus::option_table()) {
            const auto variable = environment.find(environment_name(option.info));
            auto given = variable != environment.end()
                             ? std::optional(Given{variable->second, "environment " + variable->first})
                             : from_files(option);
            if (!given) continue;
            APROTIC_TRY(expand(*given, option.info.group, 0));
            if (const auto done = option.set(*settings_, given->value); !done)
                return refused(option, *given, done.error());
            given_.emplace(key_of(option.info.group, option.info.name), std::move(*given));
        }
        APROTIC_TRY(check_urls());
        APROTIC_TRY(read_routing());
        return Config(settings_, std::move(given_));
    }

private:
    struct Line {
        std::string group;
        std::string key;
        std::string value;
        std::size_t file = 0;
        std::string source;
        bool current_name = true;
    };

    static const bus::Option* option_named(std::string_view group, std::string_view name) {
        const auto key = key_of(group, name);
        for (const auto& option : bus::option_table())
            if ((option.info.group == group && option.info.name == name) || option.info.old_name == key) return &option;
        return nullptr;
    }

    /// The last line for the option in the last file that has it; within a file names of today count more than old
    /// ones.
    std::optional<Given> from_files(const bus::Option& option) const {
        const Line* best = nullptr;
        std::pair<std::size_t, bool> best_rank;
        std::string all;
        for (const auto& line : lines_) {
            const bool current = line.group == option.info.group && line.key == option.info.name;
            if (!current && option.info.old_name != key_of(line.group, line.key)) continue;
            if (option.info.may_repeat) all += (all.empty() ? "" : ",") + line.value;
            const std::pair rank(line.file, current && line.current_name);
            if (best != nullptr && rank < best_rank) continue;
            best = &line;
            best_rank = rank;
        }
        if (best == nullptr) return std::nullopt;
        return Given{option.info.may_repeat ? all : best->value, best->source};
    }

    static std::string refused(const bus::Option& option, const Given& given, std::string_view why) {
        const std::string what = given.source.starts_with("environment")
                                     ? given.source
                                     : fmt::format("{}: [{}] {}", given.source, option.info.group, option.info.name);
        if (option.info.secret || is_url(option)) return fmt::format("{}: {}", what, why);
        return fmt::format("{} = {}: {}", what, given.value, why);
    }

    /// Puts the values of other options in place of $name, ${name} and $group.name; $$ and \$ are a dollar sign.
    Result<void> expand(Given& given, std::string_view group, int depth) const {
        constexpr int depth_max = 16;
        if (depth > depth_max) return fmt::format("{}: the value refers to itself by $name", given.source);
        std::string result;
        for (std::string_view rest = given.value; !rest.empty();) {
            const auto dollar = rest.find('$');
            if (dollar == std::string_view::npos) {
                result += rest;
                break;
            }
            const bool escaped = dollar > 0 && rest[dollar - 1] == '\\';
            result += rest.substr(0, escaped ? dollar - 1 : dollar);
            rest.remove_prefix(dollar + 1);
            if (escaped || rest.starts_with('$')) {
                result += '$';
                if (!escaped) rest.remove_prefix(1);
                continue;
            }
            const bool braces = rest.starts_with('{');
            const auto name = name_at(rest.substr(braces ? 1 : 0));
            if (name.empty() || (braces && !rest.substr(name.size() + 1).starts_with('}'))) {
                result += '$';
                continue;
            }
            rest.remove_prefix(name.size() + (braces ? 2 : 0));
            auto other = value_of(name, group);
            if (!other)
                return fmt::format(
                    "{}: ${} stands for the value of the option '{}', which the files do not have "
                    "(a dollar sign itself is written $$)",
                    given.source, name, name);
            APROTIC_TRY(expand(*other, group, depth + 1));
            result += other->value;
        }
        given.value = std::move(result);
        return {};
    }

    static std::string_view name_at(std::string_view text) {
        const auto is_first = [](unsigned char c) { return c == '_' || std::isalpha(c) != 0; };
        if (text.empty() || !is_first(static_cast<unsigned char>(text[0]))) return {};
        const auto end = std::ranges::find_if_not(
            text, [](unsigned char c) { return c == '_' || c == '.' || std::isalnum(c) != 0; });
        return text.substr(0, static_cast<std::size_t>(end - text.begin()));
    }

    /// In the group that asks, else in [DEFAULT]; what no file has, has its default if it is an option of ours.
    std::optional<Given> value_of(std::string_view name, std::string_view group) const {
        const auto dot = name.find('.');
        const std::string named = dot == std::string_view::npos ? std::string(group) : group_named(name.substr(0, dot));
        const std::string_view key = dot == std::string_view::npos ? name : name.substr(dot + 1);
        for (const auto& in : {named, std::string(bus::common_group)}) {
            const auto found = std::ranges::find_if(
                lines_.rbegin(), lines_.rend(), [&](const Line& line) { return line.group == in && line.key == key; });
            if (found != lines_.rend()) return Given{found->value, found->source};
            if (const auto* option = option_named(in, key)) return Given{option->show(*settings_), "default"};
        }
        return std::nullopt;
    }

    Result<void> check_urls() {
        for (const auto& option : bus::option_table()) {
            const auto given = given_.find(key_of(option.info.group, option.info.name));
            if (given == given_.end() || !is_url(option) || given->second.value.empty()) continue;
            const std::string& text = given->second.value;
            // Notifications may go by another driver.
            const auto& schemes = settings_->options.schemes;
            const bool other = option.info.group == bus::notification_group && !text.starts_with("embedded:") &&
                               schemes.find(std::string_view(text).substr(0, text.find(':'))) == nullptr;
            if (other) continue;
            const auto url = TransportUrl::parse(text, schemes);
            if (!url) return refused(option, given->second, url.error());
            TransportOptions tried = settings_->options;
            if (const auto done = apply_url_options(tried, *url); !done)
                return refused(option, given->second, done.error());
        }
        const auto backend = given_.find(key_of(bus::common_group, "rpc_backend"));
        if (backend == given_.end() || !settings_->transport_url.empty()) return {};
        const std::string& name = backend->second.value;
        if (name.empty()) return {};
        if (settings_->options.schemes.find(name) == nullptr)
            return fmt::format("{}: [DEFAULT] rpc_backend = {}: amqp was expected, or a transport_url",
                               backend->second.source, name);
        settings_->transport_url = name + "://";
        return {};
    }

    /// The rules of the notifiers' driver routing, if it is wanted.
    Result<void> read_routing() {
        if (std::ranges::count(settings_->notification_drivers, NotifierDriver::routing) == 0) return {};
        const auto given = given_.find(key_of(bus::notification_group, "routing_config"));
        if (given == given_.end() || settings_->notification_routing_config.empty())
            return fmt::format("[{}] driver = routing: routing_config with a file of rules was expected too",
                               bus::notification_group);
        const std::string& file = settings_->notification_routing_config;
        const auto text = text_of_file(file);
        if (!text)
            return fmt::format("{}: [{}] routing_config = {}: the file cannot be read", given->second.source,
                               bus::notification_group, file);
        auto routing = NotificationRouting::parse(*text);
        if (!routing) return fmt::format("{}: {}", file, routing.error());
        settings_->notification_routing = std::move(routing).value();
        return {};
    }

    std::shared_ptr<bus::Settings> settings_ = std::make_shared<bus::Settings>();
    std::vector<Line> lines_;
    std::size_t files_ = 0;
    AllGiven given_;
};

namespace {

/// Values may go on over several lines, and what is wrong with one may show it.
Config::Result<Config> in_one_line(Config::Result<Config> result) {
    if (result) return result;
    std::string text = result.error();
    std::ranges::replace(text, '\n', ' ');
    return text;
}

}  // namespace

Config::Config(TransportOptions defaults) {
    auto settings = std::make_shared<bus::Settings>();
    settings->options = std::move(defaults);
    settings_ = std::move(settings);
}

Config::Config(std::shared_ptr<const bus::Settings> settings, AllGiven given)
    : settings_(std::move(settings)), given_(std::move(given)) {}

Config::Result<Config> Config::read(const std::vector<std::string>& files, const Environment& environment,
                                    TransportOptions defaults) {
    Reader reader(std::move(defaults));
    for (const auto& file : files) {
        const auto text = text_of_file(file);
        if (!text) return fmt::format("{}: the file cannot be read", file);
        APROTIC_TRY(reader.add_file(*text, file));
    }
    return in_one_line(reader.finish(environment));
}

Config::Result<Config> Config::parse(std::string_view text, std::string_view name, const Environment& environment,
                                     TransportOptions defaults) {
    Reader reader(std::move(defaults));
    APROTIC_TRY(reader.add_file(text, name));
    return in_one_line(reader.finish(environment));
}

Config::Environment Config::of_process() {
    Environment found;
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        const std::string_view text = *at;
        const auto equals = text.find('=');
        if (text.starts_with("OS_") && equals != std::string_view::npos)
            found.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return found;
}

const std::string& Config::transport_url() const noexcept { return settings_->transport_url; }
const std::string& Config::notification_url() const noexcept {
    return settings_->notification_transport_url.empty() ? settings_->transport_url
                                                         : settings_->notification_transport_url;
}
const TransportOptions& Config::options() const noexcept { return settings_->options; }

NotifierOptions Config::notifier(std::string publisher_id) const {
    NotifierOptions options;
    options.publisher_id = std::move(publisher_id);
    options.topics = settings_->notification_topics;
    options.drivers = settings_->notification_drivers;
    options.retry = settings_->notification_retry;
    options.routing = settings_->notification_routing;
    return options;
}

Config::Result<std::vector<Config::Setting>> Config::settings(std::string_view url) const {
    bus::Settings effective = *settings_;
    if (!url.empty()) effective.transport_url = url;
    TransportUrl parsed;
    if (!effective.transport_url.empty()) {
        APROTIC_TRY_AS(parsed, TransportUrl::parse(effective.transport_url, effective.options.schemes));
        APROTIC_TRY(apply_url_options(effective.options, parsed));
    }
    const bus::Settings defaults;
    std::vector<Setting> settings;
    for (const auto& option : bus::option_table()) {
        Setting setting{option.info, presentable(option, option.show(effective), effective.options),
                        option.show(defaults), "default"};
        if (option.show(effective) != setting.default_value) setting.source = "program";
        if (const auto at = given_.find(key_of(option.info.group, option.info.name)); at != given_.end())
            setting.source = at->second.source;
        const bool is_transport_url = option.info.group == bus::common_group && option.info.name == "transport_url";
        if (is_transport_url && url.empty() && !has(bus::common_group, "transport_url") && !setting.value.empty())
            setting.source = given_.at(key_of(bus::common_group, "rpc_backend")).source;
        if ((is_transport_url && !url.empty()) || (option.may_be_in_url() && parsed.find(option.info.name) != nullptr))
            setting.source = "URL";
        settings.push_back(std::move(setting));
    }
    return settings;
}

bool Config::has(std::string_view group, std::string_view name) const noexcept {
    return given_.contains(key_of(group, name));
}

}  // namespace aprotic::driver
