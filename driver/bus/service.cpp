#include <aprotic/driver/bus/service.hpp>

#include <functional>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/json_text.hpp>
#include <aprotic/driver/bus/pulse.hpp>
#include <aprotic/driver/bus/tally.hpp>

namespace aprotic::driver::bus {

/// What requests with application properties have besides.
struct Service::Special {
    explicit Special(std::shared_ptr<Service> of) : service(std::move(of)) {}
    ~Special() {
        if (id.empty()) return;
        service->bus().post([of = service, gone = std::move(id)](Bus&) { of->cancellations_.forget(gone); });
    }
    Special(const Special&) = delete;
    Special& operator=(const Special&) = delete;

    const std::shared_ptr<Service> service;
    Extras extras;
    std::string id;  ///< under which it may be given up; empty: it may not
    std::stop_source stop = std::stop_source(std::nostopstate);
};

/// A request, from its coming until its answer has gone.
struct Service::Turn {
    Turn(std::shared_ptr<Service> by, const RoundPtr& round, engine::Delivery came, engine::Instant when)
        : service(std::move(by)), stay(service, round), delivery(std::move(came)), received(when) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    std::optional<engine::Instant> deadline() const {
        const auto& message = delivery->message();
        const auto ttl = message.has_header() ? message.header().ttl : std::nullopt;
        if (!ttl || *ttl == 0) return std::nullopt;
        return received + std::chrono::milliseconds(*ttl);
    }
    void accept() { service->bus().accept(*std::exchange(delivery, std::nullopt)); }

    struct Relay {
        std::stop_source to;
        void operator()() { to.request_stop(); }
    };

    const std::shared_ptr<Service> service;
    const Stay stay;
    std::optional<engine::Delivery> delivery;  ///< until it is answered; dropped without an answer, it is released
    const engine::Instant received;
    std::optional<Tally> tally;       ///< when its turn has come
    std::optional<ReturnAddress> to;  ///< nullopt: nobody wants an answer
    std::shared_ptr<Pulse> pulse;
    std::unique_ptr<Special> special;  ///< null without
    std::string key;                   ///< the reply is kept under it; empty: it is not
    std::stop_token cancelled;
    std::optional<std::stop_callback<Relay>> relay;  ///< giving a repeat up gives up what runs
    Json context;                                    ///< for the serializer, if there is one
};

Service::Service(std::shared_ptr<Bus> bus, Target target, Dispatcher dispatcher, const RpcServerOptions& options,
                 unsigned threads)
    : Listening(std::move(bus), target.topic, threads),
      target_(std::move(target)),
      dispatcher_(std::move(dispatcher)),
      acknowledge_(options.acknowledge),
      serializer_(options.serializer),
      window_(options.idempotency.count_max > 0 ? std::make_unique<ReplyWindow>(options.idempotency) : nullptr),
      cancellations_(this->bus().reactor()) {
    dispatcher_.unexpected_ = [this](const std::string& method, const RemoteError& error) {
        tell_unexpected(method, error);
    };
}

void Service::start() {
    Subscription subscription;
    subscription.nodes = [served = target_](const Addresser& addresser) {
        const auto [own, all, any] = addresser.server_addresses(served);
        Target everybody = served;
        everybody.fanout = true;
        const std::string published_at = addresser.rpc_address(everybody);
        return std::vector<NodeRef>{
            {.address = own},
            {.address = all, .kind = NodeKind::topic, .published_at = published_at, .ours_alone = published_at != all},
            {.address = any},
        };
    };
    subscription.credit = bus().options().rpc_server_credit;
    Listening::start(std::move(subscription));
}

void Service::take(engine::Delivery delivery, const RoundPtr& round) {
    const auto turn = std::make_shared<Turn>(std::static_pointer_cast<Service>(shared_from_this()), round,
                                             std::move(delivery), bus().reactor().now());
    const auto& message = turn->delivery->message();
    if (message.application_properties().size() > 0) {
        auto special = std::make_unique<Special>(turn->service);
        special->extras = Extras::read(message);
        if (special->extras.cancels) {
            // Not after the requests that wait for a worker: it may be about one of them.
            cancellations_.notice(*special->extras.cancels);
            turn->delivery->accept();
            return;
        }
        const auto id = message.message_id();
        const auto* const text = id ? std::get_if<std::string_view>(&*id) : nullptr;
        if (special->extras.cancellable && text != nullptr) {
            special->id = *text;
            special->stop = cancellations_.expect(special->id, turn->deadline());
        }
        turn->special = std::move(special);
    }
    run(turn->stay, [turn] { turn->service->handle(turn); });
}

void Service::handle(const TurnPtr& turn) {
    const auto& message = turn->delivery->message();
    const auto reply_to = message.reply_to();
    turn->tally.emplace(bus(), reply_to ? MessageKind::call : MessageKind::cast, turn->delivery->payload().size());
    Special* const special = turn->special.get();
    if (special != nullptr) turn->cancelled = special->stop.get_token();
    const auto deadline = turn->deadline();
    const auto now = deadline ? bus().now() : std::nullopt;
    if (now && *now >= *deadline) return drop(*turn, Unserved::expired);
    if (turn->cancelled.stop_requested()) return drop(*turn, Unserved::cancelled);

    auto request = read_request(message, bus().options().json);
    if (!request) {
        turn->tally->unserved(bus(), Unserved::malformed);
        turn->delivery->reject(codec::ErrorCondition{codec::condition::decode_error, request.error(), {}});
        return;
    }
    if (const auto id = message.message_id(); reply_to && id)
        turn->to = ReturnAddress{std::string(*reply_to), codec::to_owned(*id)};
    request->wants_reply = turn->to.has_value();
    request->deadline = deadline;
    request->cancelled = turn->cancelled;
    if (special != nullptr) {
        request->trace = std::move(special->extras.trace);
        request->idempotency_key = std::move(special->extras.idempotency_key);
    }
    if (acknowledge_ == Acknowledge::before) turn->accept();

    if (turn->to && request->call_monitor_timeout) {
        std::optional<Target> notices_to;
        if (special != nullptr && !special->id.empty()) notices_to = target_;
        turn->pulse = std::make_shared<Pulse>(*turn->to, *request->call_monitor_timeout, std::move(notices_to));
        bus().post([pulse = turn->pulse](Bus& on) { pulse->start(on); });
    }
    if (special != nullptr && request->idempotency_key && window_ && !is_first(turn, *request, special->stop)) return;
    turn->tally->begin(bus(), turn->received);
    if (serializer_ && !deserialize(turn, *request)) return;
    dispatcher_.dispatch(
        std::move(*request),
        Responder([turn](Reply reply) { turn->service->answer(turn, std::move(reply)); }, turn->cancelled));
}

void Service::drop(Turn& turn, Unserved why) {
    turn.tally->unserved(bus(), why);
    turn.delivery->accept();
    if (!bus().options().log) return;
    bus().post([why](Bus& bus) {
        bus.log(LogLevel::info, "request_dropped",
                why == Unserved::expired ? "a request was not run: its time was over before its turn came"
                                         : "a request was not run: its caller has given it up");
    });
}

bool Service::is_first(const TurnPtr& turn, const Request& request, const std::stop_source& stop) {
    const auto now = bus().now();
    if (!now) return true;
    const std::size_t content = std::hash<std::string>()(
        fmt::format("{}\n{}\n{}", request.namespace_.value_or(""), request.method, to_json_text(request.args)));
    const auto found = window_->begin(*request.idempotency_key, content, *now, stop,
                                      [turn](const ReplyWindow::Text& text) { turn->service->send(turn, *text); });
    switch (found.kind) {
        case ReplyWindow::Verdict::Kind::run: turn->key = *request.idempotency_key; return true;
        case ReplyWindow::Verdict::Kind::wait:
            turn->tally->unserved(bus(), Unserved::repeated);
            turn->relay.emplace(turn->cancelled, Turn::Relay{found.running});
            return false;
        case ReplyWindow::Verdict::Kind::answer:
            turn->tally->unserved(bus(), Unserved::repeated);
            send(turn, *found.reply);
            return false;
    }
    return true;
}

bool Service::deserialize(const TurnPtr& turn, Request& request) {
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
void Service::answer(const TurnPtr& turn, Reply reply) {
    if (serializer_ && reply) {
        try {
            reply = serializer_->serialize_entity(turn->context, std::move(reply).value());
        } catch (const std::exception& thrown) {
            reply =
                MethodError("RuntimeError", fmt::format("the serializer refuses the reply: {}", thrown.what())).error();
            tell_unexpected("serialize_entity", reply.error());
        }
    }
    turn->tally->end(bus(), reply);
    if (turn->key.empty()) {
        send(turn, turn->to ? reply_text(reply) : std::string(), !reply);
        if (reply) discard(std::move(*reply));
        return;
    }
    auto text = std::make_shared<const std::string>(reply_text(reply));
    send(turn, *text, !reply);
    const auto now = bus().now();
    window_->finish(turn->key, std::move(text), now.value_or(engine::Instant{}),
                    now.has_value() && !turn->cancelled.stop_requested());
}

void Service::send(const TurnPtr& turn, std::string text, bool is_failure) {
    if (turn->pulse) turn->pulse->stop();
    if (turn->delivery) turn->accept();
    if (!turn->to) return;
    send_reply(bus(), *turn->to, std::move(text), [turn, is_failure](Result<Json> sent) {
        // The caller shall hear of a reply that cannot be sent, rather than wait for it.
        if (!sent && sent.error().is(Errc::too_large) && !is_failure)
            turn->service->send(
                turn, reply_text(Reply(MethodError("RuntimeError", "the reply is larger than the peer takes").error())),
                true);
    });
}

void Service::tell_unexpected(const std::string& method, const RemoteError& error) {
    if (!bus().options().log) return;
    bus().post([method, text = error.message](Bus& bus) {
        bus.log(LogLevel::warning, "method_failed",
                fmt::format("the method '{}' ended with an exception nobody expected: {}", method, text),
                {{"method", method}});
    });
}

}  // namespace aprotic::driver::bus
