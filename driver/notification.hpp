#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include <aprotic/driver/json.hpp>

namespace aprotic::driver {

/// How much a notification matters. Each is an address of its own: listeners choose which they want.
enum class Priority { audit, debug, info, warn, error, critical, sample };
inline constexpr std::array all_priorities = {Priority::audit, Priority::debug,    Priority::info,  Priority::warn,
                                              Priority::error, Priority::critical, Priority::sample};

/// "info" and so on, as in addresses; in messages it is written in capitals.
std::string_view name_of(Priority priority) noexcept;
/// In any case; "warning" is warn.
std::optional<Priority> priority_named(std::string_view name) noexcept;

/// Something that happened, told to whoever listens.
struct Notification {
    std::string publisher_id = {};  ///< who tells it, for example "compute.host1"
    std::string event_type = {};    ///< what happened, for example "compute.instance.create.start"
    Priority priority = Priority::info;
    Json payload = nullptr;
    Json context = Json::object();  ///< user, request id, … of what brought it about
    std::string message_id = {};    ///< a UUID, the same in every topic it goes to
    std::string timestamp = {};     ///< when it was sent, "YYYY-MM-DD HH:MM:SS.ffffff", UTC

    bool operator==(const Notification&) const = default;
};

/// message_id, publisher_id, event_type, priority, payload, timestamp: what is sent, without the context.
Json to_json(const Notification& notification);

}  // namespace aprotic::driver
