#include <aprotic/engine/sasl_config.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include <fmt/core.h>

#include <aprotic/engine/stack/sasl_cyrus.hpp>

namespace aprotic::engine {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool is_setting(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

Failure unusable(std::string text) { return {Errc::invalid_option, Initiator::us, {}, std::move(text)}; }

}  // namespace

SaslConfig::Made SaslConfig::read(const std::string& directory, const std::string& name) {
    if (!stack::has_cyrus())
        return unusable(
            "there is no Cyrus SASL in this build, so no configuration of it either (CMake's APROTIC_WITH_CYRUS)");
    if (name.find('/') != std::string::npos)
        return unusable(
            fmt::format("the name of the SASL configuration is \"{}\": a file's name without directory and "
                        "\".conf\" was expected",
                        name));
    const std::string path = fmt::format("{}/{}.conf", directory.empty() ? "/etc/sasl2" : directory.c_str(),
                                         name.empty() ? "amqp" : name.c_str());
    errno = 0;
    std::ifstream file(path);
    if (!file)
        return unusable(fmt::format("the SASL configuration {} cannot be read ({}): its directory and name are options",
                                    path, std::generic_category().message(errno)));
    std::shared_ptr<SaslConfig> config(new SaslConfig);
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        const std::string_view text = trimmed(line);
        if (text.empty() || text.front() == '#') continue;
        const std::size_t colon = text.find(':');
        const std::string_view setting = trimmed(text.substr(0, colon));
        // The line itself is not shown: it may be a password of a database.
        if (colon == std::string_view::npos || !is_setting(setting))
            return unusable(
                fmt::format("line {} of the SASL configuration {}: \"setting: value\" was expected", number, path));
        config->settings_[std::string(setting)] = trimmed(text.substr(colon + 1));
    }
    return std::shared_ptr<const SaslConfig>(std::move(config));
}

const char* SaslConfig::find(std::string_view setting) const noexcept {
    const auto found = settings_.find(setting);
    return found == settings_.end() ? nullptr : found->second.c_str();
}

}  // namespace aprotic::engine
