#include <aprotic/driver/rpc_server.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/workers.hpp>

namespace aprotic::driver {
namespace {

/// Where and under which name an answer goes.
struct ReturnAddress {
    std::string address;
    codec::MessageId correlation_id;
};

void send(bus::Bus& bus, const ReturnAddress& to, std::optional<std::string> text,
          engine::Function<void(Result<Json>)> done, std::optional<Duration> ttl = {}) {
    auto letter = std::make_shared<bus::Letter>();
    letter->kind = text ? bus::Letter::Kind::reply : bus::Letter::Kind::heartbeat;
    letter->address = to.address;
    letter->correlation_id = to.correlation_id;
    letter->settled = !text || bus.options().pre_settled.rpc_reply;
    letter->timeout = ttl.value_or(bus.options().default_reply_timeout);
    letter->retries = text ? bus.options().default_reply_retry : 0;
    letter->ttl = ttl;
    letter->text = std::move(text);
    letter->done = std::move(done);
    bus.submit(std::move(letter));
}

/// Tells a monitored caller that its call is being worked on, until it is dropped. Begins with half the time the caller
/// gives us.
class Pulse : public std::enable_shared_from_this<Pulse> {
public:
    Pulse(ReturnAddress to, Duration caller_waits) : to_(std::move(to)), caller_waits_(caller_waits) {}

    void start(bus::Bus& bus) {
        // Faster than this is of no use to anybody, and would be a load that the caller chooses.
        constexpr Duration pause_min = std::chrono::milliseconds(100);
        bus.reactor().start_timer(bus.reactor().now() + std::max(caller_waits_ / 2, pause_min),
                                  [self = weak_from_this(), weak = bus.weak_from_this()] {
                                      const auto alive = self.lock();
                                      const auto on = weak.lock();
                                      if (!alive || !on || alive->stopped_) return;
                                      send(*on, alive->to_, std::nullopt, {}, alive->caller_waits_);
                                      alive->start(*on);
                                  });
    }
    void stop() noexcept { stopped_ = true; }

private:
    const ReturnAddress to_;
    const Duration caller_waits_;
    std::atomic<bool> stopped_ = false;
};

}  // namespace

struct RpcServer::Impl : std::enable_shared_from_this<Impl> {
    Impl(std::shared_ptr<bus::Bus> on, Target served, Dispatcher methods, unsigned thread_count, Acknowledge when)
        : bus(std::move(on)),
          target(std::move(served)),
          dispatcher(std::move(methods)),
          threads(thread_count),
          acknowledge(when) {}

    const std::shared_ptr<bus::Bus> bus;
    const Target target;
    Dispatcher dispatcher;
    const unsigned threads;
    const Acknowledge acknowledge;

    std::mutex mutex;
    std::condition_variable changed;
    bool started = false;
    std::shared_ptr<bus::Workers> workers;  ///< null with no threads
    std::shared_ptr<bus::Inbound> inbound;  ///< its methods: reactor's thread
    std::size_t running = 0;                ///< requests begun whose reply has not gone
    std::size_t open_links = 0;
    std::optional<CallFailure> obstacle;

    void start();
    Result<void> stop(Duration timeout);
    void handle(engine::Delivery delivery);
    void answer(const ReturnAddress& to, Reply reply);
    void finished() {
        const std::lock_guard lock(mutex);
        --running;
        changed.notify_all();
    }
};

void RpcServer::Impl::start() {
    std::lock_guard lock(mutex);
    if (std::exchange(started, true)) return;
    open_links = 0;
    obstacle.reset();
    if (threads > 0) workers = std::make_shared<bus::Workers>(threads);
    bus::Inbound::Callbacks callbacks;
    callbacks.message = [weak = weak_from_this(), pool = std::weak_ptr(workers)](engine::Delivery delivery) {
        const auto self = weak.lock();
        if (!self) return;
        if (self->threads == 0) {
            self->handle(std::move(delivery));
        } else if (const auto alive = pool.lock()) {
            alive->submit([self, delivery = std::move(delivery)]() mutable { self->handle(std::move(delivery)); });
        }
    };
    callbacks.state = [weak = weak_from_this()](std::size_t open, std::optional<CallFailure> why) {
        const auto self = weak.lock();
        if (!self) return;
        const std::lock_guard held(self->mutex);
        self->open_links = open;
        self->obstacle = std::move(why);
        self->changed.notify_all();
    };
    inbound = std::make_shared<bus::Inbound>(*bus, target, std::move(callbacks));
    bus->post([server = inbound](bus::Bus& on) { on.add(server); });
}

Result<void> RpcServer::Impl::stop(Duration timeout) {
    std::shared_ptr<bus::Workers> pool;
    std::shared_ptr<bus::Inbound> links;
    {
        const std::lock_guard lock(mutex);
        started = false;
        open_links = 0;
        pool = std::move(workers);
        links = std::move(inbound);
    }
    if (links) bus->post([links](bus::Bus& on) { on.remove(links); });
    // Requests that no worker has begun are dropped here, which releases them.
    if (pool) pool->stop();

    CallFailure failure;
    failure.address = target.topic;
    {
        std::unique_lock lock(mutex);
        if (running > 0 && (bus->on_reactor_thread() || (pool && pool->on_worker_thread()))) {
            failure.code = Errc::would_deadlock;
            failure.text = "methods still run, and this thread is needed to end them";
            return failure;
        }
        if (changed.wait_for(lock, timeout, [this] { return running == 0; })) {
            lock.unlock();
            if (pool) pool->join();
            return {};
        }
    }
    failure.code = Errc::timed_out;
    failure.elapsed = timeout;
    failure.text = "methods still run; they go on, and their replies are sent";
    return failure;
}

void RpcServer::Impl::handle(engine::Delivery delivery) {
    const auto& message = delivery.message();
    auto request = bus::read_request(message, bus->options().json);
    if (!request) {
        delivery.reject(codec::ErrorCondition{codec::condition::decode_error, request.error(), {}});
        return;
    }
    const auto reply_to = message.reply_to();
    const auto id = message.message_id();
    std::optional<ReturnAddress> to;
    if (reply_to && id) to = ReturnAddress{std::string(*reply_to), codec::to_owned(*id)};
    request->wants_reply = to.has_value();
    // Dropped without an answer, it is released.
    std::shared_ptr<engine::Delivery> unanswered;
    if (acknowledge == Acknowledge::before)
        delivery.accept();
    else
        unanswered = std::make_shared<engine::Delivery>(std::move(delivery));
    {
        const std::lock_guard lock(mutex);
        ++running;
    }
    if (!to) {
        dispatcher.dispatch(std::move(*request), Responder([self = shared_from_this(), unanswered](Reply) {
                                if (unanswered) unanswered->accept();
                                self->finished();
                            }));
        return;
    }
    std::shared_ptr<Pulse> pulse;
    if (request->call_monitor_timeout) {
        pulse = std::make_shared<Pulse>(*to, *request->call_monitor_timeout);
        bus->post([pulse](bus::Bus& on) { pulse->start(on); });
    }
    dispatcher.dispatch(std::move(*request),
                        Responder([self = shared_from_this(), to = std::move(*to), pulse, unanswered](Reply reply) {
                            if (pulse) pulse->stop();
                            if (unanswered) unanswered->accept();
                            self->answer(to, std::move(reply));
                        }));
}

void RpcServer::Impl::answer(const ReturnAddress& to, Reply reply) {
    send(*bus, to, bus::reply_text(reply), [self = shared_from_this(), to, failed = !reply](Result<Json> sent) {
        // The caller shall hear of a reply that cannot be sent, rather than wait for it.
        if (!sent && sent.error().is(Errc::too_large) && !failed)
            self->answer(to, Reply(MethodError("RuntimeError", "the reply is larger than the peer takes").error()));
        else
            self->finished();
    });
}

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
    auto [served, threads] = checked(std::move(target), options, transport.options(), transport.owns_reactor());
    impl_ =
        std::make_shared<Impl>(transport.bus(), std::move(served), std::move(dispatcher), threads, options.acknowledge);
    if (transport.options().rpc_ping_enabled)
        impl_->dispatcher.endpoint().handle("oslo_rpc_server_ping", [](const Json&) { return "pong"; });
}

RpcServer::~RpcServer() {
    if (impl_) static_cast<void>(stop());
}

RpcServer::RpcServer(RpcServer&&) noexcept = default;

RpcServer& RpcServer::handle_async(std::string method, engine::Function<void(Request, Responder)> function) {
    own_endpoint().handle_async(std::move(method), std::move(function));
    return *this;
}

Dispatcher& RpcServer::dispatcher() { return impl_->dispatcher; }

Endpoint& RpcServer::own_endpoint() {
    return impl_->dispatcher.endpoint(impl_->target.namespace_, impl_->target.version.value_or("1.0"));
}

void RpcServer::start() { impl_->start(); }

bool RpcServer::is_ready() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->open_links == bus::Inbound::link_count;
}

Result<void> RpcServer::wait_ready(Duration timeout) const {
    CallFailure failure;
    failure.address = impl_->target.topic;
    if (impl_->bus->on_reactor_thread()) {
        failure.code = Errc::would_deadlock;
        failure.text = "wait_ready on the reactor's own thread; ask is_ready later";
        return failure;
    }
    std::unique_lock lock(impl_->mutex);
    const auto ready = [this] { return impl_->open_links == bus::Inbound::link_count || !impl_->started; };
    if (!impl_->changed.wait_for(lock, timeout, ready)) {
        failure.code = Errc::timed_out;
        failure.text = "the peer has not answered the attach of the server's links";
        if (impl_->obstacle) failure = *impl_->obstacle;
        failure.elapsed = timeout;
        return failure;
    }
    if (impl_->open_links == bus::Inbound::link_count) return {};
    failure.code = Errc::closed;
    failure.text = "the server is stopped";
    return failure;
}

Result<void> RpcServer::stop(Duration timeout) { return impl_->stop(timeout); }

}  // namespace aprotic::driver
