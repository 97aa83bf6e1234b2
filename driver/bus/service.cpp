#include <aprotic/driver/bus/service.hpp>

#include <atomic>
#include <functional>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/cancellations.hpp>
#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/pulse.hpp>
#include <aprotic/driver/bus/tally.hpp>
#include <aprotic/driver/bus/workers.hpp>

namespace aprotic::driver::bus {

/// From a start to its stop.
struct Service::Round {
    explicit Round(std::shared_ptr<Service> owner)
        : service(std::move(owner)), cancellations(service->bus_->reactor()) {}

    const std::shared_ptr<Service> service;
    std::shared_ptr<Workers> workers;  ///< null with no threads
    std::shared_ptr<Inbound> inbound;  ///< its methods: reactor's thread
    Cancellations cancellations;       ///< reactor's thread
    std::atomic<bool> stopping = false;
    // Under the service's mutex.
    std::size_t running = 0;
    bool draining = false;
    bool drained = false;
    bool closed = false;
    bool ready = false;  ///< all links are open
    std::optional<CallFailure> obstacle;
};

/// A request that has come and has not been begun.
struct Service::Arrival {
    /// Of requests that have application properties.
    struct Special {
        Extras extras;
        std::string id;  ///< under which it may be given up; empty: it may not
        std::stop_source stop = std::stop_source(std::nostopstate);
    };
    engine::Delivery delivery;
    engine::Instant received;
    std::unique_ptr<Special> special;

    std::optional<engine::Instant> deadline() const {
        const auto& message = delivery.message();
        const auto ttl = message.has_header() ? message.header().ttl : std::nullopt;
        if (!ttl || *ttl == 0) return std::nullopt;
        return received + std::chrono::milliseconds(*ttl);
    }
};

/// A request that is being worked on, until its answer has gone.
struct Service::Turn {
    Turn(RoundPtr owner, const Tally& counted) : round(std::move(owner)), tally(counted) {
        const std::lock_guard lock(round->service->mutex_);
        ++round->running;
        ++round->service->running_;
    }
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    struct Relay {
        std::stop_source to;
        void operator()() { to.request_stop(); }
    };

    const RoundPtr round;
    Tally tally;
    std::optional<ReturnAddress> to;             ///< nullopt: nobody wants an answer
    std::optional<engine::Delivery> unanswered;  ///< Acknowledge::after; dropped without an answer, it is released
    std::shared_ptr<Pulse> pulse;
    std::string id;   ///< under which it may be given up; empty: it may not
    std::string key;  ///< the reply is kept under it; empty: it is not
    std::stop_token cancelled;
    std::optional<std::stop_callback<Relay>> relay;  ///< giving a repeat up gives up what runs
    Json context;                                    ///< for the serializer, if there is one
};

Service::Turn::~Turn() {
    const auto& service = round->service;
    bool last_steps = false;
    {
        const std::lock_guard lock(service->mutex_);
        --round->running;
        --service->running_;
        last_steps = round->stopping;
    }
    service->changed_.notify_all();
    if (!last_steps && id.empty()) return;
    relay.reset();
    const bool posted = service->bus_->post([at = round, gone = std::move(id)](Bus& bus) {
        if (!gone.empty()) at->cancellations.forget(gone);
        at->service->close_when_over(at, bus);
    });
    if (posted) return;
    const std::lock_guard lock(service->mutex_);
    round->closed = true;
    service->changed_.notify_all();
}

Service::Service(std::shared_ptr<Bus> bus, Target target, Dispatcher dispatcher, const RpcServerOptions& options,
                 unsigned threads)
    : bus_(std::move(bus)),
      target_(std::move(target)),
      dispatcher_(std::move(dispatcher)),
      threads_(threads),
      acknowledge_(options.acknowledge),
      serializer_(options.serializer),
      window_(options.idempotency.count_max > 0 ? std::make_unique<ReplyWindow>(options.idempotency) : nullptr) {
    dispatcher_.unexpected_ = [this](const std::string& method, const RemoteError& error) {
        tell_unexpected(method, error);
    };
}

// ---- life
// ---------------------------------------------------------------------------------------------------------------

void Service::start() {
    const std::lock_guard lock(mutex_);
    if (round_) return;
    round_ = std::make_shared<Round>(shared_from_this());
    if (threads_ > 0) round_->workers = std::make_shared<Workers>(threads_);
    Inbound::Callbacks callbacks;
    callbacks.message = [weak = std::weak_ptr(round_)](engine::Delivery delivery) {
        // Dropped, it is released.
        if (const auto round = weak.lock(); round && !round->stopping)
            round->service->receive(round, std::move(delivery));
    };
    callbacks.state = [weak = std::weak_ptr(round_)](bool ready, std::optional<CallFailure> why) {
        const auto round = weak.lock();
        if (!round) return;
        const std::lock_guard held(round->service->mutex_);
        round->ready = ready;
        round->obstacle = std::move(why);
        round->service->changed_.notify_all();
    };
    Subscription subscription;
    subscription.addresses = [served = target_](const Addresser& addresser) {
        const auto three = addresser.server_addresses(served);
        return std::vector<std::string>(three.begin(), three.end());
    };
    subscription.credit = bus_->options().rpc_server_credit;
    round_->inbound = std::make_shared<Inbound>(*bus_, std::move(subscription), std::move(callbacks));
    bus_->post([inbound = round_->inbound](Bus& on) { on.add(inbound); });
}

/// The links go when nothing comes on them and nothing that came on them is unanswered. Reactor's thread.
void Service::close_when_over(const RoundPtr& round, Bus& bus) {
    {
        const std::lock_guard lock(mutex_);
        if (!round->stopping || !round->drained || round->running > 0 || std::exchange(round->closed, true)) return;
    }
    bus.remove(round->inbound);
    changed_.notify_all();
}

Result<void> Service::stop(Duration timeout) {
    RoundPtr round;
    {
        const std::lock_guard lock(mutex_);
        round = std::move(round_);
        round_ = nullptr;
        if (round) round->stopping = true;
    }
    if (round) {
        // Should the transport be closed before it comes to it, there are no links to wait for.
        std::shared_ptr<Round> told(round.get(), [round](Round*) {
            const std::lock_guard lock(round->service->mutex_);
            if (!round->draining) round->closed = true;
            round->service->changed_.notify_all();
        });
        bus_->post([round, told = std::move(told)](Bus& bus) {
            {
                const std::lock_guard lock(round->service->mutex_);
                round->draining = true;
            }
            round->inbound->drain([round, &bus] {
                {
                    const std::lock_guard lock(round->service->mutex_);
                    round->drained = true;
                }
                round->service->close_when_over(round, bus);
            });
        });
        // Requests that no worker has begun are dropped here, which releases them.
        if (round->workers) round->workers->stop();
    }
    const auto& workers = round ? round->workers : nullptr;

    CallFailure failure;
    failure.address = target_.topic;
    {
        std::unique_lock lock(mutex_);
        const bool needed = bus_->on_reactor_thread() || (workers && workers->on_worker_thread());
        if (needed && running_ == 0) return {};
        if (needed) {
            failure.code = Errc::would_deadlock;
            failure.text = "methods still run, and this thread is needed to end them";
            return failure;
        }
        if (changed_.wait_for(lock, timeout, [&] { return running_ == 0 && (!round || round->closed); })) {
            lock.unlock();
            if (workers) workers->join();
            return {};
        }
    }
    failure.code = Errc::timed_out;
    failure.elapsed = timeout;
    failure.text = "methods still run; they go on, and their replies are sent";
    return failure;
}

bool Service::is_ready() {
    const std::lock_guard lock(mutex_);
    return round_ && round_->ready;
}

Result<void> Service::wait_ready(Duration timeout) {
    CallFailure failure;
    failure.address = target_.topic;
    if (bus_->on_reactor_thread()) {
        failure.code = Errc::would_deadlock;
        failure.text = "wait_ready on the reactor's own thread; ask is_ready later";
        return failure;
    }
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return !round_ || round_->ready; };
    if (!changed_.wait_for(lock, timeout, ready)) {
        failure.code = Errc::timed_out;
        failure.text = "the peer has not answered the attach of the server's links";
        if (round_->obstacle) failure = *round_->obstacle;
        failure.elapsed = timeout;
        return failure;
    }
    if (round_) return {};
    failure.code = Errc::closed;
    failure.text = "the server is stopped";
    return failure;
}

// ---- requests
// -----------------------------------------------------------------------------------------------------------

/// Reactor's thread.
void Service::receive(const RoundPtr& round, engine::Delivery delivery) {
    Arrival arrival{std::move(delivery), bus_->reactor().now(), nullptr};
    const auto& message = arrival.delivery.message();
    if (message.application_properties().size() > 0) {
        auto special = std::make_unique<Arrival::Special>();
        special->extras = Extras::read(message);
        if (special->extras.cancels) {
            // Not after the requests that wait for a worker: it may be about one of them.
            round->cancellations.notice(*special->extras.cancels);
            arrival.delivery.accept();
            return;
        }
        const auto id = message.message_id();
        const auto* const text = id ? std::get_if<std::string_view>(&*id) : nullptr;
        if (special->extras.cancellable && text != nullptr) {
            special->id = *text;
            special->stop = round->cancellations.expect(special->id, arrival.deadline());
        }
        arrival.special = std::move(special);
    }
    if (threads_ == 0) {
        handle(round, std::move(arrival));
    } else {
        round->workers->submit(
            [round, arrival = std::move(arrival)]() mutable { round->service->handle(round, std::move(arrival)); });
    }
}

void Service::handle(const RoundPtr& round, Arrival arrival) {
    const auto& message = arrival.delivery.message();
    const auto turn = std::make_shared<Turn>(
        round,
        Tally(*bus_, message.reply_to() ? MessageKind::call : MessageKind::cast, arrival.delivery.payload().size()));
    Arrival::Special* const special = arrival.special.get();
    if (special != nullptr) {
        turn->id = special->id;
        turn->cancelled = special->stop.get_token();
    }
    const auto deadline = arrival.deadline();
    const auto now = deadline ? bus_->now() : std::nullopt;
    if (now && *now >= *deadline) return drop(*turn, arrival.delivery, Unserved::expired);
    if (turn->cancelled.stop_requested()) return drop(*turn, arrival.delivery, Unserved::cancelled);

    auto request = read_request(message, bus_->options().json);
    if (!request) {
        turn->tally.unserved(*bus_, Unserved::malformed);
        arrival.delivery.reject(codec::ErrorCondition{codec::condition::decode_error, request.error(), {}});
        return;
    }
    const auto reply_to = message.reply_to();
    const auto id = message.message_id();
    if (reply_to && id) turn->to = ReturnAddress{std::string(*reply_to), codec::to_owned(*id)};
    request->wants_reply = turn->to.has_value();
    request->deadline = deadline;
    request->cancelled = turn->cancelled;
    if (special != nullptr) {
        request->trace = std::move(special->extras.trace);
        request->idempotency_key = std::move(special->extras.idempotency_key);
    }
    if (acknowledge_ == Acknowledge::before)
        arrival.delivery.accept();
    else
        turn->unanswered = std::move(arrival.delivery);

    if (turn->to && request->call_monitor_timeout) {
        std::optional<Target> notices_to;
        if (!turn->id.empty()) notices_to = target_;
        turn->pulse = std::make_shared<Pulse>(*turn->to, *request->call_monitor_timeout, std::move(notices_to));
        bus_->post([pulse = turn->pulse](Bus& on) { pulse->start(on); });
    }
    if (special != nullptr && request->idempotency_key && window_ && !is_first(turn, *request, special->stop)) return;
    turn->tally.begin(*bus_, arrival.received);
    if (serializer_ && !deserialize(turn, *request)) return;
    dispatcher_.dispatch(
        std::move(*request),
        Responder([turn](Reply reply) { turn->round->service->answer(turn, std::move(reply)); }, turn->cancelled));
}

void Service::drop(const Turn& turn, engine::Delivery& delivery, Unserved why) {
    turn.tally.unserved(*bus_, why);
    delivery.accept();
    if (!bus_->options().log) return;
    bus_->post([why](Bus& bus) {
        bus.log(LogLevel::info, "request_dropped",
                why == Unserved::expired ? "a request was not run: its time was over before its turn came"
                                         : "a request was not run: its caller has given it up");
    });
}

bool Service::is_first(const std::shared_ptr<Turn>& turn, const Request& request, const std::stop_source& stop) {
    const auto now = bus_->now();
    if (!now) return true;
    const std::size_t content = std::hash<std::string>()(
        fmt::format("{}\n{}\n{}", request.namespace_.value_or(""), request.method, to_json_text(request.args)));
    const auto found =
        window_->begin(*request.idempotency_key, content, *now, stop,
                       [turn](const ReplyWindow::Text& text) { turn->round->service->send(turn, *text); });
    switch (found.kind) {
        case ReplyWindow::Verdict::Kind::run: turn->key = *request.idempotency_key; return true;
        case ReplyWindow::Verdict::Kind::wait:
            turn->tally.unserved(*bus_, Unserved::repeated);
            turn->relay.emplace(turn->cancelled, Turn::Relay{found.running});
            return false;
        case ReplyWindow::Verdict::Kind::answer:
            turn->tally.unserved(*bus_, Unserved::repeated);
            send(turn, *found.reply);
            return false;
    }
    return true;
}

bool Service::deserialize(const std::shared_ptr<Turn>& turn, Request& request) {
    try {
        request.context = serializer_->deserialize_context(std::move(request.context));
        request.args = deserialize_args(*serializer_, request.context, std::move(request.args));
        turn->context = request.context;
        return true;
    } catch (const std::exception& thrown) {
        Reply refusal(
            MethodError("RuntimeError", fmt::format("the serializer refuses the request: {}", thrown.what())).error());
        tell_unexpected(request.method, refusal.error());
        answer(turn, std::move(refusal));
        return false;
    }
}

/// Any thread.
void Service::answer(const std::shared_ptr<Turn>& turn, Reply reply) {
    if (serializer_ && reply) {
        try {
            reply = serializer_->serialize_entity(turn->context, std::move(reply).value());
        } catch (const std::exception& thrown) {
            reply =
                MethodError("RuntimeError", fmt::format("the serializer refuses the reply: {}", thrown.what())).error();
            tell_unexpected("serialize_entity", reply.error());
        }
    }
    turn->tally.end(*bus_, reply);
    if (!turn->to && turn->key.empty()) return send(turn, {});
    auto text = std::make_shared<const std::string>(reply_text(reply));
    send(turn, *text, !reply);
    if (turn->key.empty()) return;
    const auto now = bus_->now();
    window_->finish(turn->key, std::move(text), now.value_or(engine::Instant{}),
                    now.has_value() && !turn->cancelled.stop_requested());
}

void Service::send(const std::shared_ptr<Turn>& turn, std::string text, bool is_failure) {
    if (turn->pulse) turn->pulse->stop();
    if (turn->unanswered) turn->unanswered->accept();
    if (!turn->to) return;
    send_reply(*bus_, *turn->to, std::move(text), [turn, is_failure](Result<Json> sent) {
        // The caller shall hear of a reply that cannot be sent, rather than wait for it.
        if (!sent && sent.error().is(Errc::too_large) && !is_failure)
            turn->round->service->send(
                turn, reply_text(Reply(MethodError("RuntimeError", "the reply is larger than the peer takes").error())),
                true);
    });
}

void Service::tell_unexpected(const std::string& method, const RemoteError& error) {
    if (!bus_->options().log) return;
    bus_->post([method, text = error.message](Bus& bus) {
        bus.log(LogLevel::warning, "method_failed",
                fmt::format("the method '{}' ended with an exception nobody expected: {}", method, text),
                {{"method", method}});
    });
}

}  // namespace aprotic::driver::bus
