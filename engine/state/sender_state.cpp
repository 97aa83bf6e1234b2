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

SenderState::SenderState(std::shared_ptr<Loop> its_loop, ConnectionState& its_connection, LinkOptions its_options,
                         std::size_t queue_bytes_max, std::shared_ptr<SenderHandler> its_handler)
    : LinkState(std::move(its_loop), its_connection, std::move(its_options), its_handler != nullptr),
      handler_(std::move(its_handler)),
      queue_bytes_max_(queue_bytes_max),
      budget_(queue_bytes_max),
      queue_(RecyclingAllocator<TrackerState>(loop->recycler)),
      unfinished_(RecyclingAllocator<Unfinished::value_type>(loop->recycler)) {}

/// With something left only when the reactor went before the link could end: who waits in another thread is still told.
SenderState::~SenderState() {
    for (const auto& tracker : queue_)
        static_cast<void>(tracker->finish(not_sent(Errc::closed, "the reactor has stopped")));
    for (const auto& [id_, tracker] : unfinished_) {
        static_cast<void>(tracker->finish({.kind = Outcome::Kind::in_doubt}));
    }
}

Outcome SenderState::not_sent(Errc code, std::string text) const {
    return {.kind = Outcome::Kind::not_sent,
            .failure = Failure{.code = code, .condition = {}, .text = fmt::format("{}: {}", description(), text)}};
}

// --- any thread ------------------------------------------------------------------------------------------------------

SenderState::TrackerState SenderState::make_tracker(codec::EncodedMessage message, const SendParameters& parameters) {
    const auto self = std::static_pointer_cast<SenderState>(shared_from_this());
    auto tracker = std::allocate_shared<Tracker::State>(RecyclingAllocator<Tracker::State>(loop->recycler), loop, self,
                                                        std::move(message));
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
    if (parameters.timeout) tracker->deadline = loop->reactor.now() + bounded(*parameters.timeout);
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
    switch (budget_.take(tracker->bytes, !loop->reactor.on_thread(), parameters.timeout)) {
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
    if (loop->reactor.on_thread()) return enqueue(tracker);
    loop->reactor.post(HandOver(std::static_pointer_cast<SenderState>(shared_from_this()), tracker));
}

// --- reactor's thread ------------------------------------------------------------------------------------------------

void SenderState::enqueue(TrackerState tracker) {
    tracker->number = ++last_number_;
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
        deadlines_.emplace(*tracker->deadline, tracker);
        arm_deadline();
    }
    queue_.push_back(std::move(tracker));
    ++queued_;
    serve();
}

void SenderState::serve() {
    if (!opened_once || closing || connection == nullptr) return;
    Engine* engine = connection->engine();
    if (engine == nullptr) return;
    while (queued_ > 0 && spare_ > 0) {
        const TrackerState tracker = std::move(queue_.front());
        queue_.pop_front();
        if (tracker->stage != Tracker::State::Stage::queued) continue;
        --queued_;
        hand_over(tracker);
    }
    if (queued_ == 0) queue_.clear();
    const auto available = static_cast<std::uint32_t>(std::min<std::size_t>(queued_, UINT32_MAX));
    if (available != available_told_) {
        available_told_ = available;
        static_cast<void>(engine->set_available(*id, available));
    }
    if (queued_ > 0 && may_rise_) look_again();
}

void SenderState::hand_over(const TrackerState& tracker) {
    Engine& engine = *connection->engine();
    // A link that may be attached again must not begin to count anew then.
    if (resumable && !tracker->options.tag) tracker->options.tag = codec::DeliveryTag::from_number(next_tag_++);
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
    unfinished_.emplace(*sent, tracker);
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
    if (connection != nullptr && !closing && rose && queued_ == 0 && spare_ > 0) {
        connection->call([&] { handler_->on_credit(handle); });
    }
}

std::uint32_t SenderState::credit() const {
    const Engine* engine = connection ? connection->engine() : nullptr;
    const auto status = engine && id ? engine->status(*id) : codec::Result<LinkStatus>(LinkStatus{});
    if (!status || status->queued >= status->credit) return 0;
    return status->credit - static_cast<std::uint32_t>(status->queued);
}

std::size_t SenderState::pending() const { return queued_ + unfinished_.size(); }

// --- deadlines -------------------------------------------------------------------------------------------------------

void SenderState::arm_deadline() {
    while (!deadlines_.empty()) {
        const auto tracker = deadlines_.begin()->second.lock();
        if (tracker && tracker->stage != Tracker::State::Stage::finished) break;
        deadlines_.erase(deadlines_.begin());
    }
    Reactor& reactor = loop->reactor;
    if (deadlines_.empty()) {
        if (deadline_timer_ != 0) reactor.cancel_timer(std::exchange(deadline_timer_, 0));
        return;
    }
    const Instant earliest = deadlines_.begin()->first;
    if (deadline_timer_ != 0) {
        if (deadline_armed_ <= earliest) return;
        reactor.cancel_timer(deadline_timer_);
    }
    deadline_armed_ = earliest;
    deadline_timer_ = reactor.start_timer(earliest, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self) static_cast<SenderState&>(*self).deadline_passed();
    });
}

void SenderState::deadline_passed() {
    deadline_timer_ = 0;
    const Instant now = loop->reactor.now();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const auto tracker = deadlines_.begin()->second.lock();
        deadlines_.erase(deadlines_.begin());
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
    if (connection == nullptr || !handler_ || closing || queued_ > 0 || spare_ == 0) return;
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
