#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/driver/dispatcher.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/driver/transport.hpp>

namespace aprotic::driver {

/// When a server tells the peer that a request is its own from now on.
enum class Acknowledge {
    before,  ///< just before its method runs: each runs at most once
    after,   ///< when its method has answered. When this server or its connection goes before, the peer gives the
             ///< request to another: each runs at least once. Running requests count for rpc_server_credit.
};

struct RpcServerOptions {
    /// Methods that may run at the same time, each on a thread of its own; threads are made when needed. 0: on the
    /// reactor's thread, where a method must not block. nullopt: what TransportOptions has as
    /// executor_thread_pool_size, but 0 on a borrowed reactor.
    std::optional<unsigned> threads = {};
    Acknowledge acknowledge = Acknowledge::before;
};

/// Serves the methods of its dispatcher at three addresses: its own, that of its topic (shared with the topic's other
/// servers) and the topic's fanout. Requests are accepted just before their method runs, so a request runs at most
/// once, unless RpcServerOptions says otherwise; what is no request is rejected. Links come back after every loss.
class RpcServer {
public:
    /// `target` needs topic and server, else std::invalid_argument. Its namespace and version are those of handle().
    RpcServer(Transport& transport, Target target, RpcServerOptions options = {});
    RpcServer(Transport& transport, Target target, Dispatcher dispatcher, RpcServerOptions options = {});
    /// stop(), waiting for running methods unless on the reactor's thread.
    ~RpcServer();
    RpcServer(RpcServer&&) noexcept;
    RpcServer& operator=(RpcServer&&) = delete;

    /// Adds a method to the endpoint of the target's namespace and version; see Endpoint::handle. Before start().
    template <class F>
    RpcServer& handle(std::string method, F function, std::vector<std::string> names = {}) {
        own_endpoint().handle(std::move(method), std::move(function), std::move(names));
        return *this;
    }
    RpcServer& handle_async(std::string method, engine::Function<void(Request, Responder)> function);
    /// For further namespaces and versions. Before start().
    Dispatcher& dispatcher();

    /// Begins to listen: returns at once, connected or not.
    void start();
    /// Waits until all three links are open, or tells what keeps them from it.
    Result<void> wait_ready(Duration timeout) const;
    bool is_ready() const;  ///< all three links are open at this moment; any thread

    /// Takes no more requests: the links are closed, requests taken and not begun go back to the peer. Waits up to
    /// `timeout` for running methods and their replies; Errc::timed_out if some still run (they go on, and their
    /// replies are sent), Errc:: would_deadlock on the reactor's thread when some run, where it cannot wait. start()
    /// begins again.
    Result<void> stop(Duration timeout = std::chrono::seconds(30));

private:
    Endpoint& own_endpoint();
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace aprotic::driver
