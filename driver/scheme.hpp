#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::engine {
class Connection;
class ConnectionHandler;
class Container;
struct ConnectionOptions;
}  // namespace aprotic::engine

namespace aprotic::driver {

struct TransportHost;

/// How transports whose URL begins with `name` get to a host.
struct Scheme {
    /// Begins one connection, ready with credentials, properties and TLS as options and URL ask for. Called on the
    /// reactor's thread; what it returns tells `handler` everything that comes of it.
    using Connect = std::function<engine::Connection(engine::Container& container, const TransportHost& host,
                                                     engine::ConnectionOptions options,
                                                     std::shared_ptr<engine::ConnectionHandler> handler)>;
    std::string name;           ///< in lower case
    std::uint16_t port = 5672;  ///< of hosts that are given without one
    bool tls = false;           ///< connections are encrypted, whatever the option `ssl` says
    Connect connect = {};       ///< empty: by TCP
};

/// The schemes that URLs may have: amqp and amqps, and what an application adds. (`embedded` is not one of them: it has
/// no hosts.) Plain data.
class Schemes {
public:
    Schemes();
    /// In place of the one with that name, if there is one.
    void add(Scheme scheme);
    /// The scheme of that name, else that of the part before its '+', as in "amqp+x"; null if there is neither.
    const Scheme* find(std::string_view name) const noexcept;
    /// "amqp://, amqps:// or embedded:"
    std::string expected() const;

private:
    std::vector<Scheme> schemes_;
};

}  // namespace aprotic::driver
