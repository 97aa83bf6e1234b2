#pragma once

#include <memory>
#include <string_view>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/transport_options.hpp>
#include <aprotic/driver/transport_url.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine {
class Broker;
}

namespace aprotic::driver {

namespace bus {
class Bus;
}

/// A configured message bus: one connection at a time to one of the URL's hosts, made when first needed and made again
/// when lost. With `amqp+direct://` there is no broker: servers listen themselves, and clients connect to all hosts.
/// Any thread. Clients and servers made from it may outlive it: they then fail with Errc::closed.
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
    friend class NotificationListener;
    friend class Notifier;
    friend class RpcClient;
    friend class RpcServer;
    struct Impl;
    const std::shared_ptr<bus::Bus>& bus() const noexcept;
    bool owns_reactor() const noexcept;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::driver
