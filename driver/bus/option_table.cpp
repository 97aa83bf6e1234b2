#include <aprotic/driver/bus/option_table.hpp>

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <aprotic/driver/bus/option_text.hpp>
#include <aprotic/driver/transport_url.hpp>

namespace aprotic::driver {
namespace bus {
namespace {

using Done = codec::Result<void, std::string>;

// ---- bounds ---------------------------------------------------------------------------------------------------------

template <class T>
Done anything(const T&) {
    return {};
}
template <auto Least>
Done at_least(const std::remove_cv_t<decltype(Least)>& value) {
    if (value < Least) return fmt::format("at least {} was expected", Least);
    return {};
}
/// Not at_least: clang 14 takes no floating-point template arguments.
Done not_negative(const double& value) {
    if (!(value >= 0)) return std::string("at least 0 was expected");
    return {};
}
Done up_to_one(const double& value) {
    if (!(value >= 0 && value <= 1)) return std::string("a number from 0 to 1 was expected");
    return {};
}
Done more_than_zero(const Duration& value) {
    if (value <= Duration::zero()) return std::string("more than 0 seconds was expected");
    return {};
}

// ---- rows -----------------------------------------------------------------------------------------------------------

template <class>
struct MemberOf;
template <class Class, class T>
struct MemberOf<T Class::*> {
    using Owner = Class;
    using Value = T;
};

template <auto Member>
decltype(auto) field(auto& settings) {
    using Owner = typename MemberOf<decltype(Member)>::Owner;
    if constexpr (std::is_same_v<Owner, Settings>)
        return (settings.*Member);
    else if constexpr (std::is_same_v<Owner, JsonLimits>)
        return (settings.options.json.*Member);
    else
        return (settings.options.*Member);
}

template <auto Member, auto Check>
Done set_checked(Settings& settings, std::string_view text) {
    typename MemberOf<decltype(Member)>::Value value{};
    APROTIC_TRY(read_value(text, value));
    APROTIC_TRY(Check(value));
    field<Member>(settings) = std::move(value);
    return {};
}

template <auto Member>
std::string show(const Settings& settings) {
    return text_of(field<Member>(settings));
}

template <auto Member, auto Check = &anything<typename MemberOf<decltype(Member)>::Value>>
constexpr Option row(OptionInfo info) {
    return {info, &set_checked<Member, Check>, &show<Member>};
}

using O = TransportOptions;
using S = Settings;
using J = JsonLimits;
constexpr auto amqp = driver_group;
constexpr auto common = common_group;
constexpr auto notifications = notification_group;

constexpr Option table[] = {
    // The application's own group.
    row<&S::transport_url>({common, "transport_url", "URL", "the brokers to connect to"}),
    row<&S::rpc_backend>({.group = common,
                          .name = "rpc_backend",
                          .type = "name",
                          .help = "of former times: the driver to use without a transport_url; amqp is ours, which "
                                  "then connects to localhost"}),
    row<&O::control_exchange>({common, "control_exchange", "text", "the exchange of targets that have none"}),
    row<&O::rpc_response_timeout>(
        {common, "rpc_response_timeout", "seconds", "longest wait for the reply of calls without a timeout"}),
    row<&O::executor_thread_pool_size, &at_least<1U>>({.group = common,
                                                       .name = "executor_thread_pool_size",
                                                       .type = "number",
                                                       .help = "methods of one server that run at the same time",
                                                       .old_name = "DEFAULT.rpc_thread_pool_size"}),
    row<&O::rpc_ping_enabled>(
        {common, "rpc_ping_enabled", "flag", "servers answer the method oslo_rpc_server_ping with pong"}),

    // The driver's. Identity and connection.
    row<&O::container_name>(
        {amqp, "container_name", "text", "our container-id, unique on the bus; empty: a random one"}),
    row<&O::idle_timeout>({amqp, "idle_timeout", "seconds",
                           "a peer that is silent for so long is given up, half of it is announced to the peer; 0: "
                           "never"}),
    row<&O::trace>({amqp, "trace", "flag", "log every frame, without the content of messages and without credentials"}),
    row<&O::connect_timeout>(
        {amqp, "connect_timeout", "seconds", "for one host, its addresses and the login together"}),
    row<&O::connection_retry_interval, &more_than_zero>(
        {amqp, "connection_retry_interval", "seconds", "pause before the first further attempt to connect"}),
    row<&O::connection_retry_backoff, &not_negative>(
        {.group = amqp,
         .name = "connection_retry_backoff",
         .type = "factor",
         .help = "each pause is so many times the one before; 0 and 1: all are equal",
         .remark = "the original's help says that it is added, its code multiplies"}),
    row<&O::connection_retry_increment>({.group = amqp,
                                         .name = "connection_retry_increment",
                                         .type = "seconds",
                                         .help = "added to each pause, after the factor: with a factor of 1 pauses "
                                                 "grow evenly",
                                         .remark = "the original did not know it"}),
    row<&O::connection_retry_jitter, &up_to_one>({.group = amqp,
                                                  .name = "connection_retry_jitter",
                                                  .type = "number",
                                                  .help = "part of each pause, 0 to 1, by which chance shortens it",
                                                  .remark = "the original did not know it"}),
    row<&O::connection_retry_interval_max>({amqp, "connection_retry_interval_max", "seconds", "no pause is longer"}),

    // TLS and SASL.
    row<&O::ssl>({amqp, "ssl", "flag", "TLS, trusting the system's CA certificates"}),
    row<&O::ssl_ca_file>({amqp, "ssl_ca_file", "file", "CA certificates to trust, PEM; switches TLS on"}),
    row<&O::ssl_cert_file>({amqp, "ssl_cert_file", "file", "our certificate and its chain, PEM; switches TLS on"}),
    row<&O::ssl_key_file>({amqp, "ssl_key_file", "file", "its key, PEM; empty: it is in ssl_cert_file"}),
    row<&O::ssl_key_password>(
        {.group = amqp, .name = "ssl_key_password", .type = "text", .help = "of an encrypted key", .secret = true}),
    row<&O::ssl_verify_vhost>(
        {amqp, "ssl_verify_vhost", "flag", "the certificate must be that of the virtual host, not of the host"}),
    row<&O::ssl_insecure_skip_verification>(
        {amqp, "ssl_insecure_skip_verification", "flag", "anybody may be the server: for trying things only"}),
    row<&O::sasl_mechanisms>(
        {amqp, "sasl_mechanisms", "list", "the SASL mechanisms that may be used; empty: every one there is"}),
    row<&O::sasl_config_dir>(
        {amqp, "sasl_config_dir", "folder", "of the file with Cyrus SASL's settings; empty: /etc/sasl2"}),
    row<&O::sasl_config_name>({amqp, "sasl_config_name", "text", "its name without .conf; empty: amqp"}),
    row<&O::sasl_default_realm>({amqp, "sasl_default_realm", "text", "appended, after an @, to users without one"}),
    row<&O::allow_cleartext_password>(
        {amqp, "allow_cleartext_password", "flag",
         "send credentials that others could read on the way (PLAIN and tokens, no TLS, not to this machine)"}),

    // Addresses.
    row<&O::addressing_mode>({amqp, "addressing_mode", "name",
                              "legacy, routable, or dynamic: by the product that the peer says it is, routable for "
                              "routers"}),
    row<&O::pseudo_vhost>({amqp, "pseudo_vhost", "flag",
                           "the URL's virtual host goes into addresses; off: into the open frame's hostname"}),
    row<&O::server_request_prefix>({amqp, "server_request_prefix", "text", "legacy addresses of one server"}),
    row<&O::broadcast_prefix>({amqp, "broadcast_prefix", "text", "legacy addresses of all servers"}),
    row<&O::group_request_prefix>({amqp, "group_request_prefix", "text", "legacy addresses of any server"}),
    row<&O::rpc_address_prefix>({amqp, "rpc_address_prefix", "text", "routable addresses of RPC"}),
    row<&O::notify_address_prefix>({.group = amqp,
                                    .name = "notify_address_prefix",
                                    .type = "text",
                                    .help = "routable addresses of notifications"}),
    row<&O::multicast_address>({amqp, "multicast_address", "text", "routable addresses of all servers"}),
    row<&O::unicast_address>({amqp, "unicast_address", "text", "routable addresses of one server"}),
    row<&O::anycast_address>({amqp, "anycast_address", "text", "routable addresses of any server"}),
    row<&O::default_rpc_exchange>({amqp, "default_rpc_exchange", "text",
                                   "routable: the exchange of targets that have none; empty: control_exchange"}),
    row<&O::default_notification_exchange>({.group = amqp,
                                            .name = "default_notification_exchange",
                                            .type = "text",
                                            .help = "routable: the same for notifications"}),
    row<&O::amqp_durable_queues>({.group = amqp,
                                  .name = "amqp_durable_queues",
                                  .type = "flag",
                                  .help =
                                      "calls, casts and notifications are durable, and servers ask for durable termini "
                                      "that never expire",
                                  .remark = "the original did not know it"}),
    row<&O::amqp_auto_delete>({.group = amqp,
                               .name = "amqp_auto_delete",
                               .type = "flag",
                               .help = "servers ask for termini that expire with their link",
                               .old_name = "DEFAULT.amqp_auto_delete",
                               .remark = "the original did not know it"}),

    // Intermediaries.
    row<&O::intermediary>(
        {.group = amqp,
         .name = "intermediary",
         .type = "name",
         .help = "who is between clients and servers, docs/intermediaries; automatic: what the peer says it is",
         .remark = "the original did not know it"}),
    row<&O::queue_address>({.group = amqp,
                            .name = "queue_address",
                            .type = "form",
                            .help = "addresses of queues, {name} in it; empty: as the peer has them",
                            .remark = "the original did not know it"}),
    row<&O::topic_address>({.group = amqp,
                            .name = "topic_address",
                            .type = "form",
                            .help = "addresses that fanouts go to, likewise",
                            .remark = "the original did not know it"}),
    row<&O::subscription_address>({.group = amqp,
                                   .name = "subscription_address",
                                   .type = "form",
                                   .help = "addresses that servers take fanouts from, {name}, {server} and {id} in it",
                                   .remark = "the original did not know it"}),
    row<&O::queue_capabilities>({.group = amqp,
                                 .name = "queue_capabilities",
                                 .type = "list",
                                 .help = "of termini that are queues",
                                 .remark = "the original did not know it"}),
    row<&O::topic_capabilities>({.group = amqp,
                                 .name = "topic_capabilities",
                                 .type = "list",
                                 .help = "of termini that are topics",
                                 .remark = "the original did not know it"}),
    row<&O::reply_address>(
        {.group = amqp,
         .name = "reply_address",
         .type = "form",
         .help = "the queue that replies come by, {id} in it; empty: a node that the peer makes, where it can",
         .remark = "the original did not know it"}),
    row<&O::reply_to_address>({.group = amqp,
                               .name = "reply_to_address",
                               .type = "form",
                               .help = "what servers are told of it; empty: reply_address",
                               .remark = "the original did not know it"}),
    row<&O::access_token>({.group = amqp,
                           .name = "access_token",
                           .type = "text",
                           .help = "put to the node $cbs for each entity (Azure)",
                           .remark = "the original did not know it",
                           .secret = true}),

    // Without a broker.
    row<&O::direct_listen>({.group = amqp,
                            .name = "direct_listen",
                            .type = "text",
                            .help = "amqp+direct: host:port where servers listen; empty: at the URL's only host",
                            .remark = "the original did not know it"}),

    // Messages.
    row<&O::default_send_timeout>({amqp, "default_send_timeout", "seconds", "for casts without a timeout"}),
    row<&O::default_reply_timeout>({amqp, "default_reply_timeout", "seconds", "for a server's replies"}),
    row<&O::default_reply_retry, &at_least<-1>>(
        {amqp, "default_reply_retry", "number", "further attempts to send a reply; -1: until default_reply_timeout"}),
    row<&O::default_notify_timeout>(
        {.group = amqp, .name = "default_notify_timeout", .type = "seconds", .help = "for notifications"}),
    row<&O::link_retry_delay>(
        {amqp, "link_retry_delay", "seconds", "before a refused link, or a message given back, is tried again"}),
    row<&O::default_sender_link_timeout>({amqp, "default_sender_link_timeout", "seconds",
                                          "sending links that are idle between this and twice as long are closed"}),
    row<&O::reply_link_credit, &at_least<1U>>(
        {amqp, "reply_link_credit", "number", "replies that may be on their way"}),
    row<&O::rpc_server_credit, &at_least<1U>>(
        {amqp, "rpc_server_credit", "number", "requests taken and not begun, for each of a server's three links"}),
    row<&O::notify_server_credit, &at_least<1U>>(
        {.group = amqp, .name = "notify_server_credit", .type = "number", .help = "the same for notifications"}),
    row<&O::pre_settled>({.group = amqp,
                          .name = "pre_settled",
                          .type = "list",
                          .help = "what is sent without waiting for an outcome: rpc-call, rpc-reply, rpc-cast, notify; "
                                  "or none",
                          .may_repeat = true}),
    row<&O::send_queue_bytes_max>(
        {amqp, "send_queue_bytes_max", "octets", "waiting to be sent; what comes beyond fails at once"}),
    row<&J::bytes_max>({amqp, "json_bytes_max", "octets", "larger requests and replies are refused"}),
    row<&J::depth_max>({amqp, "json_depth_max", "number", "requests and replies nested deeper are refused"}),

    // Notifications.
    row<&S::notification_transport_url>(
        {.group = notifications,
         .name = "transport_url",
         .type = "URL",
         .help = "the brokers for notifications, of Config::notification_url(); empty: those of transport_url",
         .old_name = "DEFAULT.notification_transport_url"}),
    row<&S::notification_drivers>(
        {.group = notifications,
         .name = "driver",
         .type = "list",
         .help = "how notifications are sent: messaging, messagingv2, log, routing, test, noop; empty: "
                 "they are not",
         .old_name = "DEFAULT.notification_driver",
         .may_repeat = true}),
    row<&S::notification_topics>({.group = notifications,
                                  .name = "topics",
                                  .type = "list",
                                  .help = "the topics they are sent to, each of them to all",
                                  .old_name = "DEFAULT.notification_topics"}),
    row<&S::notification_retry, &at_least<-1>>({.group = notifications,
                                                .name = "retry",
                                                .type = "number",
                                                .help = "further attempts to send one; -1: until the timeout"}),
    row<&S::notification_routing_config>(
        {.group = notifications, .name = "routing_config", .type = "file", .help = "of the driver routing"}),
};

}  // namespace

bool Option::may_be_in_url() const noexcept {
    return info.group == driver_group ||
           (info.group == common_group && info.name != "transport_url" && info.name != "rpc_backend");
}

std::span<const Option> option_table() noexcept { return table; }

std::string names_of_group(std::string_view group) {
    std::vector<std::string_view> names;
    for (const auto& option : table)
        if (option.info.group == group) names.push_back(option.info.name);
    return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace bus

codec::Result<void, std::string> apply_url_options(TransportOptions& options, const TransportUrl& url) {
    bus::Settings settings;
    settings.options = options;
    for (const auto& given : url.query) {
        const std::string& name = given.first;
        const auto known = std::ranges::find_if(bus::option_table(), [&](const bus::Option& option) {
            return option.info.name == name && option.may_be_in_url();
        });
        if (known == bus::option_table().end())
            return fmt::format("'{}' in the URL's query is no option; there are {}, {}", name,
                               bus::names_of_group(bus::driver_group), bus::names_of_group(bus::common_group));
        if (const auto done = known->set(settings, given.second); !done)
            return fmt::format("option {}={} in the URL's query: {}", name, given.second, done.error());
    }
    options = std::move(settings.options);
    return {};
}

}  // namespace aprotic::driver
