#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/driver/json_limits.hpp>
#include <aprotic/driver/log.hpp>
#include <aprotic/driver/scheme.hpp>
#include <aprotic/driver/trace_context.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::codec {
struct Open;
}

namespace aprotic::engine {
struct ConnectionOptions;
}

namespace aprotic::driver {

using engine::Duration;
class Addresser;
class MetricsSink;
struct Profile;

/// What is sent settled: fire and forget, no outcome is waited for.
struct PreSettled {
    bool rpc_call = false;
    bool rpc_reply = true;
    bool rpc_cast = true;  ///< fanout too
    bool notify = false;
};

/// Which addresses targets become. A connection keeps what was chosen for it.
enum class AddressingMode {
    legacy,    ///< LegacyAddresser: brokers that know queues by prefix
    routable,  ///< RoutableAddresser: routers
    dynamic,   ///< by the peer's open, as its Profile says: routable for routers and products nobody knows
};

/// Who is between clients and servers, as far as the driver makes a difference: see Profile, docs/intermediaries.
enum class Intermediary {
    automatic,   ///< by what the peer says of itself, on each connection
    qpidd,       ///< Qpid C++
    router,      ///< qpid-dispatch, skupper-router
    rabbitmq_3,  ///< with the plugin rabbitmq_amqp1_0
    rabbitmq_4,
    artemis,
    activemq,  ///< ActiveMQ Classic
    broker_j,  ///< Qpid Broker-J
    service_bus,
    other,  ///< nothing special but what other options say
};

/// Opens the entities of one audience to us, where tokens do that: NodeSetup::tokens.
struct AccessToken {
    std::string text;
    std::string type = "jwt";                       ///< or "servicebus.windows.net:sastoken"
    Duration valid_for = std::chrono::minutes(20);  ///< from now on; renewed at 80 % of it
};

/// How a transport behaves. Plain data with the defaults of oslo.messaging's amqp driver. Each field down to the line
/// "By code alone" is an option of the same name in configuration files, the environment and the URL's query, where
/// times are in seconds ("1.5") and flags "true" or "false": docs/configuration.md, `aprotic config`.
struct TransportOptions {
    // Who we are.
    std::string container_name = {};  ///< empty: one is made from chance

    // Connection.
    std::optional<Duration> idle_timeout = {};                     ///< nullopt: a silent peer is never given up
    bool trace = false;                                            ///< log every frame
    Duration connect_timeout = std::chrono::seconds(10);           ///< for one host
    Duration connection_retry_interval = std::chrono::seconds(1);  ///< before the first retry; more than 0
    double connection_retry_backoff = 2;                           ///< factor from pause to pause; below 1: equal
    Duration connection_retry_increment = {};                      ///< added from pause to pause, after the factor
    double connection_retry_jitter = 0.1;  ///< part of each pause, 0 to 1, by which chance shortens it
    Duration connection_retry_interval_max = std::chrono::seconds(30);

    // TLS, on with the scheme amqps, with `ssl`, or with a file named here. Without a CA of its own the system's are
    // trusted.
    bool ssl = false;
    std::string ssl_ca_file = {};                 ///< PEM, whom to trust
    std::string ssl_cert_file = {};               ///< PEM, our certificate
    std::string ssl_key_file = {};                ///< its key; empty: in ssl_cert_file
    std::string ssl_key_password = {};            ///< of an encrypted key
    bool ssl_verify_vhost = false;                ///< the certificate must be that of the vhost, not of the host
    bool ssl_insecure_skip_verification = false;  ///< anybody may be the server

    // SASL, on with credentials or any of the first three.
    std::vector<std::string> sasl_mechanisms = {};  ///< allow-list; empty: every one there is
    std::string sasl_config_dir = {};               ///< of Cyrus' settings; empty: /etc/sasl2
    std::string sasl_config_name = {};              ///< without .conf; empty: amqp. Both empty: Cyrus' defaults
    std::string sasl_default_realm = {};            ///< appended to users without "@"
    bool allow_cleartext_password = true;  ///< PLAIN and tokens beyond this machine without TLS; logged once if so

    // Addresses.
    AddressingMode addressing_mode = AddressingMode::dynamic;
    bool pseudo_vhost = true;                         ///< the URL's vhost goes into addresses; off: into open.hostname
    std::string control_exchange = "openstack";       ///< for targets without an exchange
    std::string server_request_prefix = "exclusive";  ///< legacy: one server
    std::string broadcast_prefix = "broadcast";       ///< legacy: all servers
    std::string group_request_prefix = "unicast";     ///< legacy: any server
    std::string rpc_address_prefix = "openstack.org/om/rpc";        ///< routable
    std::string notify_address_prefix = "openstack.org/om/notify";  ///< routable
    std::string unicast_address = "unicast";                        ///< routable: one server
    std::string multicast_address = "multicast";                    ///< routable: all servers
    std::string anycast_address = "anycast";                        ///< routable: any server
    std::string default_rpc_exchange = {};                          ///< routable, before control_exchange
    std::string default_notification_exchange = {};                 ///< routable, before control_exchange

    // Intermediaries. Empty texts and lists: as the Profile chosen for the peer says.
    Intermediary intermediary = Intermediary::automatic;
    std::string queue_address = {};                    ///< form: "queue://{name}"
    std::string topic_address = {};                    ///< form, of fanouts
    std::string subscription_address = {};             ///< form: where servers take fanouts from
    std::vector<std::string> queue_capabilities = {};  ///< of termini
    std::vector<std::string> topic_capabilities = {};
    std::string reply_address = {};     ///< form: replies come by this queue instead of a dynamic node
    std::string reply_to_address = {};  ///< form: what servers are told instead of reply_address
    std::string access_token = {};      ///< put to $cbs for each entity

    // Nodes of servers.
    bool amqp_durable_queues = false;  ///< termini and requests are durable
    bool amqp_auto_delete = false;     ///< the peer is to forget a terminus when its link goes

    // Without a broker.
    /// Where servers listen, such as "0.0.0.0:5700"; empty: at the URL's host, which must then be the only one.
    std::string direct_listen = {};

    // Messages.
    Duration rpc_response_timeout = std::chrono::seconds(60);    ///< calls without a timeout of their own
    Duration default_send_timeout = std::chrono::seconds(30);    ///< casts without a timeout of their own
    Duration default_reply_timeout = std::chrono::seconds(30);   ///< a server's replies
    int default_reply_retry = 0;                                 ///< further attempts of a reply; -1: until then
    Duration default_notify_timeout = std::chrono::seconds(30);  ///< notifications
    Duration link_retry_delay = std::chrono::seconds(10);  ///< until a refused server link or a message given back is
                                                           ///< tried again
    Duration default_sender_link_timeout = std::chrono::seconds(600);  ///< idle links are closed
    std::uint32_t reply_link_credit = 200;                             ///< replies under way; at least 1
    std::uint32_t rpc_server_credit = 100;  ///< requests taken and not begun, per link of a server; at least 1
    std::uint32_t notify_server_credit = 100;
    PreSettled pre_settled = {};  ///< in text a list of rpc-call, rpc-reply, rpc-cast, notify; "none" for none
    std::size_t send_queue_bytes_max = 64 * 1024 * 1024;  ///< waiting to be sent; beyond: not_sent at once
    JsonLimits json = {};  ///< "json_bytes_max", "json_depth_max": larger requests and replies are refused

    // Servers.
    unsigned executor_thread_pool_size = 64;  ///< methods of one server that run at the same time
    bool rpc_ping_enabled = false;            ///< servers answer oslo_rpc_server_ping with "pong"

    // By code alone.
    /// Of our open frame; nullopt: process, pid and node, but nothing on a borrowed reactor.
    std::optional<codec::Map> connection_properties = {};
    /// Addresses of the application's own. Asked on each connection, with what the peer says of itself; empty: by
    /// addressing_mode. Called on the reactor's thread.
    std::function<std::shared_ptr<const Addresser>(const codec::Open& peer)> make_addresser = {};
    /// The last word on how the peer of a connection is dealt with. Called on the reactor's thread; must not throw.
    std::function<void(Profile& profile, const codec::Open& peer)> adjust_profile = {};
    /// Access tokens instead of `access_token`, for an audience such as "amqps://host/entity". Called on the reactor's
    /// thread whenever one is needed, and again in time before it expires; must not block or throw.
    std::function<AccessToken(const std::string& audience)> make_access_token = {};
    /// The trace of a call or cast that was not given one. Called on the thread that calls; must not throw. Empty:
    /// requests have none.
    std::function<std::optional<TraceContext>()> make_trace = {};
    /// Told what an operator may want to know; empty: nobody.
    LogHook log = {};
    /// Told what happens as figures, `std::make_shared<Metrics>()` for example; null: nobody.
    std::shared_ptr<MetricsSink> metrics = {};
    /// Without a broker: changes how servers let clients in. What it is given has TLS, credentials and limits as URL
    /// and options say. Called on the reactor's thread, once; empty: as they say.
    std::function<void(engine::ConnectionOptions& accepted)> direct_accept = {};
    /// What URLs may begin with.
    Schemes schemes = {};
};

struct TransportUrl;
/// Puts the values of `url`'s query into `options`. The error's text names the option and what was expected.
codec::Result<void, std::string> apply_url_options(TransportOptions& options, const TransportUrl& url);

}  // namespace aprotic::driver
