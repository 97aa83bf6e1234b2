#include <aprotic/driver/notification_routing.hpp>

#include <algorithm>

#include <fmt/core.h>

#include <aprotic/driver/bus/yaml.hpp>

namespace aprotic::driver {
namespace {

constexpr NotifierDriver all_drivers[] = {NotifierDriver::messaging, NotifierDriver::messagingv2, NotifierDriver::log,
                                          NotifierDriver::routing,   NotifierDriver::test,        NotifierDriver::noop};

/// Whether `c` is in the class that begins behind the [ at `at`, which is moved behind its ]. A [ that no ] closes
/// stands for itself.
bool in_class(std::string_view pattern, std::size_t& at, char c) {
    const bool negated = pattern.substr(at + 1, 1) == "!";
    const std::size_t begin = at + (negated ? 2 : 1);
    const auto close = pattern.find(']', begin + 1);
    if (close == std::string_view::npos) return pattern[at++] == c;
    bool found = false;
    for (std::size_t i = begin; i < close; ++i) {
        if (i + 2 < close && pattern[i + 1] == '-') {
            found = found || (c >= pattern[i] && c <= pattern[i + 2]);
            i += 2;
        } else {
            found = found || c == pattern[i];
        }
    }
    at = close + 1;
    return found != negated;
}

bool fits(std::string_view pattern, std::string_view text) {
    std::size_t in_pattern = 0, in_text = 0;
    // Where the last * was, and how much of the text it has taken.
    std::size_t star = std::string_view::npos, taken = 0;
    while (in_text < text.size()) {
        std::size_t next = in_pattern;
        if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
            star = in_pattern++;
            taken = in_text;
            continue;
        }
        bool same = false;
        if (in_pattern < pattern.size()) {
            if (pattern[in_pattern] == '[')
                same = in_class(pattern, next, text[in_text]);
            else
                same = pattern[next] == '?' || pattern[next] == text[in_text], ++next;
        }
        if (same) {
            in_pattern = next;
            ++in_text;
        } else if (star != std::string_view::npos) {
            in_pattern = star + 1;
            in_text = ++taken;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', in_pattern) == std::string_view::npos;
}

bool any_fits(const std::optional<std::vector<std::string>>& patterns, std::string_view text) {
    return !patterns || std::ranges::any_of(*patterns, [text](const auto& pattern) { return fits(pattern, text); });
}

using PatternList = codec::Result<std::vector<std::string>, std::string>;

PatternList read_patterns(const Json& value, std::string_view where) {
    std::vector<std::string> patterns;
    if (value.is_array())
        for (const auto& each : value)
            if (each.is_string()) patterns.push_back(each.get<std::string>());
    if (!value.is_array() || patterns.size() != value.size())
        return fmt::format("{}: a list of patterns was expected", where);
    return patterns;
}

codec::Result<NotificationRouting::Route, std::string> read_route(const std::string& group, const std::string& name,
                                                                  const Json& rules) {
    const std::string where = fmt::format("{}: {}", group, name);
    const auto driver = notifier_driver_named(name);
    if (!driver || *driver == NotifierDriver::routing)
        return fmt::format("{}: messaging, messagingv2, log, test or noop was expected", where);
    NotificationRouting::Route route{.driver = *driver};
    if (!rules.is_object() && !rules.is_null())
        return fmt::format("{}: accepted_events and accepted_priorities were expected", where);
    for (const auto& [key, value] : rules.items()) {
        const std::string at = fmt::format("{}: {}", where, key);
        if (key == "accepted_events") {
            APROTIC_TRY_AS(route.accepted_events, read_patterns(value, at));
        } else if (key == "accepted_priorities") {
            APROTIC_TRY_AS(auto patterns, read_patterns(value, at));
            for (auto& pattern : patterns)
                std::ranges::transform(pattern, pattern.begin(), [](char c) {
                    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
                });
            route.accepted_priorities = std::move(patterns);
        } else {
            return fmt::format("{}: accepted_events or accepted_priorities was expected", at);
        }
    }
    return route;
}

}  // namespace

std::string_view name_of(NotifierDriver driver) noexcept {
    switch (driver) {
        case NotifierDriver::messaging: return "messaging";
        case NotifierDriver::messagingv2: return "messagingv2";
        case NotifierDriver::log: return "log";
        case NotifierDriver::routing: return "routing";
        case NotifierDriver::test: return "test";
        case NotifierDriver::noop: return "noop";
    }
    return {};
}

std::optional<NotifierDriver> notifier_driver_named(std::string_view name) noexcept {
    for (const auto driver : all_drivers)
        if (name == name_of(driver)) return driver;
    return std::nullopt;
}

bool NotificationRouting::Route::accepts(const Notification& notification) const {
    return any_fits(accepted_events, notification.event_type) &&
           any_fits(accepted_priorities, name_of(notification.priority));
}

codec::Result<NotificationRouting, std::string> NotificationRouting::parse(std::string_view text) {
    APROTIC_TRY_AS(const Json all, bus::read_yaml(text));
    NotificationRouting routing;
    if (all.is_null()) return routing;
    if (!all.is_object()) return std::string("groups of drivers were expected");
    for (const auto& [name, drivers] : all.items()) {
        if (!drivers.is_object()) return fmt::format("{}: drivers were expected, each with its rules", name);
        auto& group = routing.groups.emplace_back();
        for (const auto& [driver, rules] : drivers.items()) {
            APROTIC_TRY_AS(auto route, read_route(name, driver, rules));
            group.push_back(std::move(route));
        }
    }
    return routing;
}

std::vector<NotifierDriver> NotificationRouting::drivers_for(const Notification& notification) const {
    std::vector<NotifierDriver> drivers;
    for (const auto& group : groups)
        for (const auto& route : group)
            if (route.accepts(notification)) drivers.push_back(route.driver);
    return drivers;
}

}  // namespace aprotic::driver
