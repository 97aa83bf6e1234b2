#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/transport_options.hpp>

namespace aprotic::driver {

struct NotifierOptions;

namespace bus {
struct Settings;
}

/// What an option is, for people.
struct OptionInfo {
    std::string_view group;  ///< of files: "oslo_messaging_amqp", "DEFAULT", "oslo_messaging_notifications"
    std::string_view name;
    std::string_view type;  ///< "seconds", "flag", "number", "octets", "factor", "list", "file", "text", …
    std::string_view help;
    std::string_view old_name = {};  ///< "GROUP.NAME" that is taken too; all of oslo_messaging_amqp is also in amqp1
    std::string_view remark = {};    ///< where it differs from the original's
    bool secret = false;             ///< not to be shown
    bool may_repeat = false;         ///< its lines add up; otherwise the last one counts
};

/// The configuration of an application as oslo.messaging reads it, so that its own files choose and configure the
/// driver. Of two places the one further down wins: the program's defaults, files in order, the environment
/// (OS_GROUP__NAME, such as OS_OSLO_MESSAGING_AMQP__IDLE_TIMEOUT), the query of the transport's URL. What other groups
/// have, and [DEFAULT] beyond the options known here, is the application's and not looked at. Immutable; any thread.
///
///     const auto config = Config::read({"/etc/nova/nova.conf"});
///     if (!config) …  // "/etc/nova/nova.conf:12: [oslo_messaging_amqp] idle_timeout = soon: a time in seconds was …"
///     Transport transport(config->transport_url(), config->options());
class Config {
public:
    using Environment = std::map<std::string, std::string>;
    template <class T>
    using Result = codec::Result<T, std::string>;

    /// One option's value, and who gave it.
    struct Setting {
        OptionInfo info;
        std::string value;          ///< as files have it; "***" for what is secret
        std::string default_value;  ///< without any configuration
        std::string source;         ///< "default", "FILE:LINE", "environment NAME", "URL"
    };

    /// The program's defaults and nothing else.
    explicit Config(TransportOptions defaults = {});

    /// The error's text is one line: file, line, group, key, what was expected. Reads are whole or not at all: nothing
    /// that is malformed, unknown in a group of ours or out of range is passed over.
    static Result<Config> read(const std::vector<std::string>& files, const Environment& environment = of_process(),
                               TransportOptions defaults = {});
    /// From text instead of a file; `name` stands for the file.
    static Result<Config> parse(std::string_view text, std::string_view name, const Environment& environment = {},
                                TransportOptions defaults = {});

    /// This process's variables that begin with "OS_".
    static Environment of_process();

    /// [DEFAULT] transport_url, else what rpc_backend stands for; empty when neither is given.
    const std::string& transport_url() const noexcept;
    /// [oslo_messaging_notifications] transport_url, else transport_url().
    const std::string& notification_url() const noexcept;
    const TransportOptions& options() const noexcept;
    /// What [oslo_messaging_notifications] says: `Notifier(transport, config.notifier("compute.host1"))` with a
    /// transport for notification_url(). Without `driver` it is enabled for nothing, as with oslo.messaging.
    NotifierOptions notifier(std::string publisher_id = {}) const;

    /// Every option there is as it is in effect for a transport with this URL; empty: transport_url(). Fails when the
    /// URL is refused.
    Result<std::vector<Setting>> settings(std::string_view url = {}) const;
    /// Whether anything but the default gives the value of this option.
    bool has(std::string_view group, std::string_view name) const noexcept;

private:
    class Reader;
    struct Given {
        std::string value;
        std::string source;
    };
    /// By "GROUP.NAME".
    using AllGiven = std::map<std::string, Given, std::less<>>;

    Config(std::shared_ptr<const bus::Settings> settings, AllGiven given);

    std::shared_ptr<const bus::Settings> settings_;
    AllGiven given_;
};

}  // namespace aprotic::driver
