#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <aprotic/codec/result.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::driver {

/// Shows a text at `http://ADDRESS/metrics` to whoever may connect, which is all it does: GET and HEAD, one request for
/// a connection, no TLS, no login. So listen on an address that only those can reach who may see it.
class MetricsEndpoint {
public:
    /// Makes the text, in Prometheus' format. Called on the reactor's thread for each request; must not block or throw.
    using Source = std::function<std::string()>;

    /// Connections at the same time; what comes beyond is closed at once.
    static constexpr std::size_t connections_max = 16;
    /// From the connection to the end of the response.
    static constexpr engine::Duration request_timeout = std::chrono::seconds(10);

    /// Any thread; waits for `reactor`, which must outlive the endpoint, unless on its thread.
    static codec::Result<std::unique_ptr<MetricsEndpoint>, engine::Failure> listen(engine::Reactor& reactor,
                                                                                   const engine::Address& at,
                                                                                   Source source);
    ~MetricsEndpoint();  ///< any thread
    MetricsEndpoint(const MetricsEndpoint&) = delete;
    MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

    /// The address in use; a port asked for as 0 is filled in.
    const engine::Address& address() const noexcept { return address_; }

private:
    struct State;
    MetricsEndpoint(std::shared_ptr<State> state, engine::Address address);

    std::shared_ptr<State> state_;
    engine::Address address_;
};

}  // namespace aprotic::driver
