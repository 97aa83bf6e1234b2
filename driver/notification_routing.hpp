#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/notification.hpp>

namespace aprotic::driver {

/// Where a notifier puts what it is told.
enum class NotifierDriver {
    messaging,    ///< to the topics, as it is
    messagingv2,  ///< to the topics, in an envelope of version 2.0
    log,          ///< to TransportOptions::log, with secrets left out
    routing,      ///< to the drivers that its rules choose
    test,         ///< into memory: Notifier::collected()
    noop,         ///< nowhere
};
std::string_view name_of(NotifierDriver driver) noexcept;
std::optional<NotifierDriver> notifier_driver_named(std::string_view name) noexcept;

/// The rules of NotifierDriver::routing: in each group, each driver whose patterns fit gets the notification. Patterns
/// have `*`, `?`, `[abc]` and `[!abc]`, and must fit the whole.
struct NotificationRouting {
    struct Route {
        NotifierDriver driver = NotifierDriver::messaging;                 ///< not routing
        std::optional<std::vector<std::string>> accepted_events = {};      ///< one of them must fit; absent: all do
        std::optional<std::vector<std::string>> accepted_priorities = {};  ///< likewise, in lower case

        bool accepts(const Notification& notification) const;
    };
    std::vector<std::vector<Route>> groups = {};

    /// Reads oslo.messaging's file, group: driver: accepted_events, accepted_priorities: [pattern, …]. The error's text
    /// names the line, or the key, and what was expected.
    static codec::Result<NotificationRouting, std::string> parse(std::string_view text);
    /// The drivers for a notification, one after the other; a driver chosen by two groups is there twice.
    std::vector<NotifierDriver> drivers_for(const Notification& notification) const;
};

}  // namespace aprotic::driver
