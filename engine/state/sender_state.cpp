#include <algorithm>

#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/transaction_state.hpp>

namespace aprotic::engine {

/// A message on its way to the reactor's thread. Should the reactor stop first, the message has certainly not been
/// sent.
struct SenderState::HandOver {
    HandOver(std::shared_ptr<SenderState> s, TrackerState t) : sender(std::move(s)), tracker(std::move(t)) {}
    HandOver(HandOver&&) noexcept = default;
    ~HandOver() {
        if (tracker) static_cast<void>(tracker->finish(sender->not_sent(Errc::closed, "the reactor has stopped")));
    }
    void operator()() { sender->enqueue(std::exchange(tracker, nullptr)); }

    std::shared_ptr<SenderState> sender;
    TrackerState tracker;
};

SenderState::SenderState(ConnectionState& its_connection, LinkOptions its_options, std::size_t queue_bytes_max,
                         std::shared_ptr<SenderHandler> its_handler)
    : LinkState(its_connection, std::move(its_options), its_handler != nullptr),
      handler_(std::move(its_handler)),
      budget_(commons->mutex, queue_bytes_max) {}

/// With something left only when the reactor went before the link could end: who waits in another thread is still told.
SenderState::~SenderState() {
    if (!messages_) return;
    for (const auto& tracker : messages_->queue)
        static_cast<void>(tracker->finish(not_sent(Errc::closed, "the reactor has stopped")));
    for (const auto& [id_, tracker] : messages_->unfinished) {
        static_cast<void>(tracker->finish({.kind = Outcome::Kind::in_doubt}));
    }
}

SenderState::Messages& SenderState::messages() {
    if (!messages_) messages_ = std::make_unique<Messages>(loop()->recycler);
    return *messages_;
}

Outcome SenderState::not_sent(Errc code, std::string text) const {
    return {.kind = Outcome::Kind::not_sent,
            .failure = Failure{.code = code, .condition = {}, .text = fmt::format("{}: {}", description(), text)}};
}

// --- any thread ------------------------------------------------------------------------------------------------------

SenderState::TrackerState SenderState::make_tracker(codec::EncodedMessage message, const SendParameters& parameters) {
    const auto self = std::static_pointer_cast<SenderState>(shared_from_this());
    auto tracker = std::allocate_shared<Tracker::State>(RecyclingAllocator<Tracker::State>(loop()->recycler), loop(),
                                                        self, std::move(message));
    tracker->options.settled = parameters.settled;
    // [2.8.2] What the link has agreed on goes before what one message wants.
    if (snd_settle_mode == codec::SenderSettleMode::settled) tracker->options.settled = true;
    if (snd_settle_mode == codec::SenderSettleMode::unsettled) tracker->options.settled = false;
    tracker->options.tag = parameters.tag;
    tracker->options.message_format = tracker->message.message_format();
    tracker->context = parameters.context;
    if (parameters.state) {
        tracker->options.state = std::make_shared<codec::DeliveryState>(*parameters.state);
    }
    if (parameters.timeout) tracker->deadline = reactor().now() + bounded(*parameters.timeout);
    return tracker;
}

Tracker SenderState::send(codec::EncodedMessage message, const SendParameters& parameters,
                          std::shared_ptr<TransactionState> transaction) {
    const auto tracker = make_tracker(std::move(message), parameters);
    if (transaction) tracker->options.state = transaction->state;
    tracker->transaction = std::move(transaction);
    const auto refuse = [&](Outcome outcome) {
        if (auto within = std::exchange(tracker->transaction, nullptr)) {
            Failure why = outcome.failure.value_or(Failure{.code = Errc::rolled_back, .condition = {}, .text = {}});
            within->run([within, why = std::move(why)] { within->doom(why); });
        }
        static_cast<void>(tracker->finish(std::move(outcome)));  // nobody can have asked to be called yet
        tracker->stage = Tracker::State::Stage::finished;
        return Tracker(tracker);
    };
    switch (budget_.take(tracker->bytes, !reactor().on_thread(), parameters.timeout)) {
        case ByteBudget::Answer::taken: break;
        case ByteBudget::Answer::full:
            return refuse(not_sent(Errc::queue_full, "the queue is full (option queue_bytes_max)"));
        case ByteBudget::Answer::timed_out:
            return refuse(not_sent(Errc::timed_out, "no room in the queue in time (option queue_bytes_max)"));
        case ByteBudget::Answer::closed: return refuse({.kind = Outcome::Kind::not_sent, .failure = over()});
    }
    tracker->counted = true;
    hand_to_reactor(tracker);
    return Tracker(tracker);
}

void SenderState::hand_to_reactor(const TrackerState& tracker) {
    if (reactor().on_thread()) return enqueue(tracker);
    reactor().post(HandOver(std::static_pointer_cast<SenderState>(shared_from_this()), tracker));
}

// --- reactor's thread ------------------------------------------------------------------------------------------------

void SenderState::enqueue(TrackerState tracker) {
    tracker->number = ++messages().last_number;
    if (tracker->stage == Tracker::State::Stage::finished) {  // taken back on its way here
        if (std::exchange(tracker->counted, false)) budget_.give_back(tracker->bytes);
        return;
    }
    if (auto failure = over(); failure || connection == nullptr) {
        const auto transaction = std::exchange(tracker->transaction, nullptr);
        if (transaction && failure) transaction->doom(*failure);
        return finish(tracker, {.kind = Outcome::Kind::not_sent, .failure = std::move(failure)}, Callback::later);
    }
    if (tracker->transaction && !tracker->transaction->add_post(tracker, *this)) {
        tracker->transaction.reset();
        return finish(tracker, not_sent(Errc::wrong_state, "the transaction has ended or is of another session"),
                      Callback::later);
    }
    if (tracker->deadline) {
        if (!deadlines_) deadlines_ = std::make_unique<Deadlines>();
        deadlines_->of.emplace(*tracker->deadline, tracker);
        arm_deadline();
    }
    messages_->queue.push_back(std::move(tracker));
    ++messages_->queued;
    serve();
}

void SenderState::serve() {
    if (!opened_once || closing || connection == nullptr || !messages_) return;
    Engine* engine = connection->engine();
    if (engine == nullptr) return;
    auto& [queue, queued, unfinished, returned, last_number, next_tag] = *messages_;
    while (queued > 0 && spare_ > 0) {
        const TrackerState tracker = std::move(queue.front());
        queue.pop_front();
        if (tracker->stage != Tracker::State::Stage::queued) continue;
        --queued;
        hand_over(tracker);
    }
    if (queued == 0) queue.clear();
    const auto available = static_cast<std::uint32_t>(std::min<std::size_t>(queued, UINT32_MAX));
    if (available != available_told_) {
        available_told_ = available;
        static_cast<void>(engine->set_available(*id, available));
    }
    if (queued > 0 && may_rise_) look_again();
}

void SenderState::hand_over(const TrackerState& tracker) {
    Engine& engine = *connection->engine();
    // A link that may be attached again must not begin to count anew then.
    if (resumable && !tracker->options.tag)
        tracker->options.tag = codec::DeliveryTag::from_number(messages_->next_tag++);
    const auto sent =
        tracker->parts ? begin_parts(engine, tracker) : engine.send(*id, std::move(tracker->message), tracker->options);
    tracker->message = {};
    if (!sent) {
        Outcome outcome{.kind = Outcome::Kind::not_sent,
                        .failure = Failure{.code = sent.error(),
                                           .condition = {},
                                           .text = fmt::format("{}: {}", description(), sent.error().message())}};
        return finish(tracker, std::move(outcome), Callback::later);
    }
    --spare_;
    tracker->id = *sent;
    tracker->stage = Tracker::State::Stage::with_engine;
    messages_->unfinished.emplace(*sent, tracker);
    connection->wake();
}

/// A message partly on the wire has used its credit and is still counted as queued, so the difference may be too small
/// by one until that message has gone. Credit that the peer drains goes back with the next write.
void SenderState::refresh_credit() {
    spare_ = 0;
    may_rise_ = false;
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr || !id) return;
    const auto status = engine->status(*id);
    if (!status) return;
    const auto queued = static_cast<std::uint32_t>(std::min<std::size_t>(status->queued, UINT32_MAX));
    spare_ = status->credit > queued ? status->credit - queued : 0;
    may_rise_ = status->credit > 0 && queued > 0;
    if (status->draining && status->credit > 0) look_again();
}

void SenderState::look_again() {
    if (connection != nullptr && !std::exchange(listed_, true)) {
        connection->recheck(std::static_pointer_cast<SenderState>(shared_from_this()));
    }
}

void SenderState::recheck() {
    listed_ = false;
    refresh_credit();
    serve();
}

SenderHandler& SenderState::handler() {
    static SenderHandler nobody;
    return handler_ ? *handler_ : nobody;
}

void SenderState::flow_properties(const codec::Map& properties) {
    if (connection == nullptr || closing) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    connection->call([&] { handler().on_flow_properties(handle, properties); });
}

void SenderState::flowed() {
    const std::uint32_t before = spare_;
    refresh_credit();
    const bool rose = spare_ > before;
    serve();
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr || !handler_ || closing) return;
    const auto status = engine->status(*id);
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    if (status && status->draining) connection->call([&] { handler_->on_drain(handle); });
    if (connection != nullptr && !closing && rose && queued() == 0 && spare_ > 0) {
        connection->call([&] { handler_->on_credit(handle); });
    }
}

std::uint32_t SenderState::credit() const {
    const Engine* engine = connection ? connection->engine() : nullptr;
    const auto status = engine && id ? engine->status(*id) : codec::Result<LinkStatus>(LinkStatus{});
    if (!status || status->queued >= status->credit) return 0;
    return status->credit - static_cast<std::uint32_t>(status->queued);
}

std::size_t SenderState::pending() const { return messages_ ? messages_->queued + messages_->unfinished.size() : 0; }

// --- deadlines -------------------------------------------------------------------------------------------------------

void SenderState::arm_deadline() {
    auto& [of, timer, armed] = *deadlines_;
    while (!of.empty()) {
        const auto tracker = of.begin()->second.lock();
        if (tracker && tracker->stage != Tracker::State::Stage::finished) break;
        of.erase(of.begin());
    }
    Reactor& reactor = this->reactor();
    if (of.empty()) {
        if (timer != 0) reactor.cancel_timer(std::exchange(timer, 0));
        return;
    }
    const Instant earliest = of.begin()->first;
    if (timer != 0) {
        if (armed <= earliest) return;
        reactor.cancel_timer(timer);
    }
    armed = earliest;
    timer = reactor.start_timer(earliest, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self) static_cast<SenderState&>(*self).deadline_passed();
    });
}

void SenderState::deadline_passed() {
    deadlines_->timer = 0;
    auto& of = deadlines_->of;
    const Instant now = reactor().now();
    while (!of.empty() && of.begin()->first <= now) {
        const auto tracker = of.begin()->second.lock();
        of.erase(of.begin());
        // What is on the wire goes on: its outcome may still come.
        if (!tracker || connection == nullptr || !take_back(tracker)) continue;
        std::string text = opened_once ? "no credit for the message in time" : "the link was not open in time";
        finish(tracker, not_sent(Errc::timed_out, std::move(text)), Callback::now);
    }
    if (connection != nullptr) arm_deadline();
}

void SenderState::after_open() {
    refresh_credit();
    serve();
    // Credit may have come right behind the attach; its flow event, still to come, then raises nothing.
    if (connection == nullptr || !handler_ || closing || queued() > 0 || spare_ == 0) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    connection->call([&] { handler_->on_credit(handle); });
}

void SenderState::tell_open() {
    if (!handler_) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    handler_->on_open(handle);
}

void SenderState::tell_remote_close(const std::optional<codec::ErrorCondition>& error) {
    if (!handler_) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    handler_->on_remote_close(handle, error);
}

void SenderState::tell_close(const std::optional<Failure>& why) {
    const auto handler = std::exchange(handler_, nullptr);
    if (!handler) return;
    Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
    handler->on_close(handle, why);
}

}  // namespace aprotic::engine
