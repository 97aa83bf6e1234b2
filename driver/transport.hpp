#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/value.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/transport_url.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine {
class Broker;
}

namespace aprotic::driver {

namespace bus {
class Bus;
}

/// What is sent settled: fire and forget, no outcome is waited for.
struct PreSettled {
    bool rpc_call = false;
    bool rpc_reply = true;
    bool rpc_cast = true;  ///< fanout too
    bool notify = false;
};

/// How a transport behaves. Every option can be given in the URL's query by the name in quotes, whose value then wins;
/// times are there in seconds ("1.5"), flags "true" or "false". Plain data with the defaults of oslo.messaging's amqp
/// driver.
struct TransportOptions {
    // Who we are.
    std::string container_name = {};  ///< "container_name"; empty: one is made from chance
    /// Of our open frame; nullopt: process, pid and node, but nothing on a borrowed reactor.
    std::optional<codec::Map> connection_properties = {};

    // Addresses.
    std::string control_exchange = "openstack";       ///< "control_exchange": for targets without an exchange
    std::string server_request_prefix = "exclusive";  ///< "server_request_prefix": one server
    std::string broadcast_prefix = "broadcast";       ///< "broadcast_prefix": all servers
    std::string group_request_prefix = "unicast";     ///< "group_request_prefix": any server
    bool pseudo_vhost = true;  ///< "pseudo_vhost": the URL's vhost goes into addresses; off: into open.hostname

    // Connection.
    std::optional<Duration> idle_timeout = {};  ///< "idle_timeout"; nullopt or 0: a silent peer is never given up
    Duration connect_timeout = std::chrono::seconds(10);  ///< "connect_timeout", for one host
    Duration connection_retry_interval =
        std::chrono::seconds(1);  ///< "connection_retry_interval": before the first retry
    double connection_retry_backoff =
        2;  ///< "connection_retry_backoff": each pause is this much longer; below 1: equal
    Duration connection_retry_interval_max = std::chrono::seconds(30);  ///< "connection_retry_interval_max"
    std::vector<std::string> sasl_mechanisms =
        {};  ///< "sasl_mechanisms", separated by spaces: allow-list; empty: every one there is
    std::string sasl_default_realm = {};    ///< "sasl_default_realm": appended to users without "@"
    bool allow_cleartext_password = false;  ///< "allow_cleartext_password": PLAIN beyond this machine without TLS

    // TLS, on with the scheme amqps, with `ssl`, or with a file named here. Without a CA of its own the system's are
    // trusted.
    bool ssl = false;                   ///< "ssl"
    std::string ssl_ca_file = {};       ///< "ssl_ca_file": PEM, whom to trust
    std::string ssl_cert_file = {};     ///< "ssl_cert_file": PEM, our certificate
    std::string ssl_key_file = {};      ///< "ssl_key_file": its key; empty: in ssl_cert_file
    std::string ssl_key_password = {};  ///< "ssl_key_password": of an encrypted key
    bool ssl_verify_vhost = false;  ///< "ssl_verify_vhost": the certificate must be that of the vhost, not of the host
    bool ssl_insecure_skip_verification = false;  ///< "ssl_insecure_skip_verification": anybody may be the server

    // Messages.
    Duration rpc_response_timeout =
        std::chrono::seconds(60);  ///< "rpc_response_timeout": calls without a timeout of their own
    Duration default_send_timeout =
        std::chrono::seconds(30);  ///< "default_send_timeout": casts without a timeout of their own
    Duration default_reply_timeout = std::chrono::seconds(30);  ///< "default_reply_timeout": a server's replies
    Duration link_retry_delay = std::chrono::seconds(10);  ///< "link_retry_delay": before a refused server link, or a
                                                           ///< message given back, is tried again
    Duration default_sender_link_timeout =
        std::chrono::seconds(600);          ///< "default_sender_link_timeout": idle links are closed
    std::uint32_t reply_link_credit = 200;  ///< "reply_link_credit": replies under way
    std::uint32_t rpc_server_credit = 100;  ///< "rpc_server_credit": requests taken and not begun, per link of a server
    PreSettled pre_settled = {};  ///< "pre_settled": list of rpc-call, rpc-reply, rpc-cast, notify; "none" for none
    std::size_t send_queue_bytes_max =
        64 * 1024 * 1024;  ///< "send_queue_bytes_max": waiting to be sent; beyond: not_sent at once
    JsonLimits json = {};  ///< "json_bytes_max", "json_depth_max": larger requests and replies are refused
};

/// Puts the values of `url`'s query into `options`. The error's text names the option and what was expected.
codec::Result<void, std::string> apply_url_options(TransportOptions& options, const TransportUrl& url);

/// A configured message bus: one connection at a time to one of the URL's hosts, made when first needed and made again
/// when lost. Any thread. Clients and servers made from it may outlive it: they then fail with Errc::closed.
///
/// Destroying it ends everything under way with Errc::closed. With a reactor of its own that takes up to two seconds
/// (the closes are written) and must not be done on the reactor's thread, so not inside a callback.
class Transport {
public:
    /// With a reactor, so a thread, of its own. `embedded:` brings a broker of its own too. An unusable URL or option
    /// throws std::invalid_argument whose text says what was expected.
    explicit Transport(std::string_view url = "embedded:", TransportOptions options = {});
    /// On the caller's reactor, which must outlive the transport: a simulated one, or that of an io_context. What ends
    /// with the transport does so in order if that reactor is run once more; otherwise its connections are cut with the
    /// reactor.
    Transport(engine::Reactor& reactor, std::string_view url, TransportOptions options = {});
    /// In process to a broker, on the reactor which that broker runs on. Both must outlive the transport.
    Transport(engine::Reactor& reactor, engine::Broker& broker, TransportOptions options = {});
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// Connects now instead of when first needed, and waits for it. Fails with unreachable, authentication_failed,
    /// closed, would_deadlock.
    Result<void> connect(Duration timeout);

    /// Ends everything under way with Errc::closed and refuses what comes after. Does not block; may be called on any
    /// thread.
    void close();

    const TransportUrl& url() const noexcept;
    const TransportOptions& options() const noexcept;
    engine::Reactor& reactor() const noexcept;

private:
    friend class RpcClient;
    friend class RpcServer;
    struct Impl;
    const std::shared_ptr<bus::Bus>& bus() const noexcept;
    bool owns_reactor() const noexcept;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::driver
