#include <aprotic/driver/rpc_server.hpp>

#include <stdexcept>
#include <utility>

#include <aprotic/driver/bus/service.hpp>

namespace aprotic::driver {
namespace {

std::pair<Target, unsigned> checked(Target target, const RpcServerOptions& options, const TransportOptions& general,
                                    bool owns_reactor) {
    if (target.topic.empty() || target.server.empty())
        throw std::invalid_argument(
            "an RpcServer's target needs a topic and a server: Target{.topic = …, .server = …}");
    return {std::move(target), options.threads.value_or(owns_reactor ? general.executor_thread_pool_size : 0)};
}

}  // namespace

RpcServer::RpcServer(Transport& transport, Target target, RpcServerOptions options)
    : RpcServer(transport, std::move(target), Dispatcher(), options) {}

RpcServer::RpcServer(Transport& transport, Target target, Dispatcher dispatcher, RpcServerOptions options) {
    if (transport.url().is_direct() && transport.url().hosts.size() > 1 && transport.options().direct_listen.empty())
        throw std::invalid_argument(
            "an RpcServer on a direct transport of several hosts needs the option direct_listen: where it is itself");
    auto [served, threads] = checked(std::move(target), options, transport.options(), transport.owns_reactor());
    service_ =
        std::make_shared<bus::Service>(transport.bus(), std::move(served), std::move(dispatcher), options, threads);
    if (transport.options().rpc_ping_enabled)
        service_->dispatcher().endpoint().handle("oslo_rpc_server_ping", [](const Json&) { return "pong"; });
}

RpcServer::~RpcServer() {
    if (service_) static_cast<void>(service_->leave(std::chrono::seconds(30)));
}

RpcServer::RpcServer(RpcServer&&) noexcept = default;

RpcServer& RpcServer::handle_async(std::string method, engine::Function<void(Request, Responder)> function) {
    own_endpoint().handle_async(std::move(method), std::move(function));
    return *this;
}

Dispatcher& RpcServer::dispatcher() { return service_->dispatcher(); }

Endpoint& RpcServer::own_endpoint() {
    const Target& target = service_->target();
    return dispatcher().endpoint(target.namespace_, target.version.value_or("1.0"));
}

void RpcServer::start() { service_->start(); }
bool RpcServer::is_ready() const { return service_->is_ready(); }
Result<void> RpcServer::wait_ready(Duration timeout) const { return service_->wait_ready(timeout); }
Result<void> RpcServer::stop(Duration timeout) { return service_->stop(timeout); }

}  // namespace aprotic::driver
