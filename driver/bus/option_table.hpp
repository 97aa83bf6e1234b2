#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/config.hpp>
#include <aprotic/driver/notification_routing.hpp>
#include <aprotic/driver/transport_options.hpp>

namespace aprotic::driver::bus {

/// All that can be configured by text: a transport's options, and what oslo.messaging's own options say beside them.
struct Settings {
    TransportOptions options;
    std::string transport_url;
    std::string rpc_backend;
    std::string notification_transport_url;
    std::vector<NotifierDriver> notification_drivers;
    std::vector<std::string> notification_topics = {"notifications"};
    int notification_retry = -1;
    std::string notification_routing_config;
    NotificationRouting notification_routing = {};  ///< what that file says
};

/// One row: everything there is to know about an option.
struct Option {
    OptionInfo info;
    /// The error's text says what was expected.
    codec::Result<void, std::string> (*set)(Settings& settings, std::string_view text);
    /// As set() takes it.
    std::string (*show)(const Settings& settings);

    bool may_be_in_url() const noexcept;
};

/// In the order in which they are shown, those of a group together.
std::span<const Option> option_table() noexcept;

inline constexpr std::string_view driver_group = "oslo_messaging_amqp";
inline constexpr std::string_view driver_group_once = "amqp1";
inline constexpr std::string_view common_group = "DEFAULT";
inline constexpr std::string_view notification_group = "oslo_messaging_notifications";

/// The names of a group's options, for texts that say what was expected.
std::string names_of_group(std::string_view group);

}  // namespace aprotic::driver::bus
