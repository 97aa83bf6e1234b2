#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/driver/dispatcher.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/serializer.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/driver/transport.hpp>

namespace aprotic::driver {

/// When a server tells the peer that a request is its own from now on.
enum class Acknowledge {
    before,  ///< just before its method runs: each runs at most once
    after,   ///< when its method has answered. When this server or its connection goes before, the peer gives the
             ///< request to another: each runs at least once. Running requests count for rpc_server_credit.
};

/// How much a server remembers of what it answered to idempotent requests. What goes beyond one of the bounds, the
/// oldest first, is forgotten: a repeat then runs anew. Requests under way are remembered in any case.
struct IdempotencyWindow {
    std::size_t count_max = 1000;                  ///< replies; 0: keys are not looked at
    std::size_t bytes_max = 16 * 1024 * 1024;      ///< replies and keys together
    Duration time_max = std::chrono::minutes(10);  ///< since the answer
};

struct RpcServerOptions {
    /// Methods that may run at the same time, each on a thread of its own; threads are made when needed. 0: on the
    /// reactor's thread, where a method must not block. nullopt: what TransportOptions has as
    /// executor_thread_pool_size, but 0 on a borrowed reactor.
    std::optional<unsigned> threads = {};
    Acknowledge acknowledge = Acknowledge::before;
    std::shared_ptr<const Serializer> serializer =
        {};  ///< what this side's values are on the wire; null: JSON as it is
    IdempotencyWindow idempotency = {};
};

/// Serves the methods of its dispatcher at three addresses: its own, that of its topic (shared with the topic's other
/// servers) and the topic's fanout. Requests are accepted just before their method runs, so a request runs at most
/// once, unless RpcServerOptions says otherwise; what is no request is rejected, and what its caller has given up on
/// before its turn came is dropped. Links come back after every loss. What a method throws unexpectedly is told to
/// TransportOptions::log.
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

    /// Takes no more requests: the links' credit is withdrawn, requests taken and not begun, and what still comes, go
    /// back to the peer. The links are closed when the last method has answered. Waits for that up to `timeout`;
    /// Errc::timed_out if some still run (they go on, and their replies are sent), Errc::would_deadlock on the
    /// reactor's thread when some run, where it cannot wait. start() begins again.
    Result<void> stop(Duration timeout = std::chrono::seconds(30));

private:
    Endpoint& own_endpoint();
    std::shared_ptr<bus::Service> service_;
};

}  // namespace aprotic::driver
