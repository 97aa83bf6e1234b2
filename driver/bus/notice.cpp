#include <aprotic/driver/bus/notice.hpp>

#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/envelope.hpp>

namespace aprotic::driver::bus {

std::string notification_text(const Notification& notification, bool in_envelope) {
    Json all = Json::object();
    Json body = to_json(notification);
    if (in_envelope) {
        const std::string inner = to_json_text(body);
        body = Json::object();
        body["oslo.version"] = "2.0";
        body["oslo.message"] = inner;
    }
    all["request"] = std::move(body);
    all["context"] = notification.context;
    return to_json_text(all);
}

codec::Result<Notification, std::string> read_notification(const codec::MessageView& message,
                                                           const JsonLimits& limits) {
    APROTIC_TRY_AS(auto content, read_content(message, limits));
    Json& body = content["request"];
    Notification notification;
    const auto take_text = [&](const char* key, std::string& into) {
        if (const auto at = body.find(key); at != body.end() && at->is_string()) into = at->get<std::string>();
    };
    std::string priority;
    take_text("priority", priority);
    const auto known = priority_named(priority);
    if (!known) return fmt::format("'{}' is no priority of notifications", priority);
    notification.priority = *known;
    take_text("publisher_id", notification.publisher_id);
    take_text("event_type", notification.event_type);
    take_text("message_id", notification.message_id);
    take_text("timestamp", notification.timestamp);
    if (const auto payload = body.find("payload"); payload != body.end()) notification.payload = std::move(*payload);
    if (const auto context = content.find("context"); context != content.end())
        notification.context = std::move(*context);
    return notification;
}

std::string pool_topic(const std::string& topic, const std::string& pool) {
    return pool.empty() ? topic : topic + "." + pool;
}

std::string uuid_text(std::uint64_t high, std::uint64_t low) {
    // Version 4 (random), variant of RFC 4122.
    high = (high & ~std::uint64_t{0xf000}) | 0x4000;
    low = (low & ~(std::uint64_t{3} << 62)) | (std::uint64_t{2} << 62);
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xffff,
                       low >> 48, low & 0xffffffffffff);
}

std::string timestamp_text(engine::WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::microseconds>(time - day));
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace aprotic::driver::bus
