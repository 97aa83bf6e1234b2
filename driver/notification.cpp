#include <aprotic/driver/notification.hpp>

#include <algorithm>

namespace aprotic::driver {
namespace {

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string_view name_of(Priority priority) noexcept {
    switch (priority) {
        case Priority::audit: return "audit";
        case Priority::debug: return "debug";
        case Priority::info: return "info";
        case Priority::warn: return "warn";
        case Priority::error: return "error";
        case Priority::critical: return "critical";
        case Priority::sample: return "sample";
    }
    return {};
}

std::optional<Priority> priority_named(std::string_view name) noexcept {
    const auto is = [name](std::string_view word) { return std::ranges::equal(name, word, {}, lowered); };
    for (const auto priority : all_priorities)
        if (is(name_of(priority))) return priority;
    return is("warning") ? std::optional(Priority::warn) : std::nullopt;
}

Json to_json(const Notification& notification) {
    std::string priority(name_of(notification.priority));
    std::ranges::transform(priority, priority.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    Json object = Json::object();
    object["message_id"] = notification.message_id;
    object["publisher_id"] = notification.publisher_id;
    object["event_type"] = notification.event_type;
    object["priority"] = std::move(priority);
    object["payload"] = notification.payload;
    object["timestamp"] = notification.timestamp;
    return object;
}

}  // namespace aprotic::driver
