#include <algorithm>

#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/transaction_state.hpp>

namespace aprotic::engine {
namespace {

/// What a state of the peer means for whoever sent the message; nullopt while it is no end.
struct OutcomeOf {
    std::optional<Outcome> operator()(const codec::Accepted&) const { return Outcome{.kind = Outcome::Kind::accepted}; }
    std::optional<Outcome> operator()(const codec::Rejected& state) const {
        return Outcome{.kind = Outcome::Kind::rejected, .condition = state.error};
    }
    std::optional<Outcome> operator()(const codec::Released&) const { return Outcome{.kind = Outcome::Kind::released}; }
    std::optional<Outcome> operator()(const codec::Modified& state) const {
        return Outcome{.kind = Outcome::Kind::modified,
                       .delivery_failed = state.delivery_failed.value_or(false),
                       .undeliverable_here = state.undeliverable_here.value_or(false)};
    }
    std::optional<Outcome> operator()(const codec::Declared& state) const {
        return Outcome{.kind = Outcome::Kind::accepted, .declared = state.txn_id};
    }
    std::optional<Outcome> operator()(const codec::Received&) const { return std::nullopt; }
    /// What it says holds only if the transaction is committed.
    std::optional<Outcome> operator()(const codec::TransactionalState&) const { return std::nullopt; }
};

}  // namespace

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
    if (options.snd_settle_mode == codec::SenderSettleMode::settled) tracker->options.settled = true;
    if (options.snd_settle_mode == codec::SenderSettleMode::unsettled) tracker->options.settled = false;
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

void SenderState::delivery_updated(const DeliveryUpdated& event) {
    const auto found = unfinished_.find(event.delivery);
    if (found == unfinished_.end()) return;
    const TrackerState tracker = found->second;
    if (event.wants_more) add_part(tracker, {});  // what waits is counted anew
    if (const auto* const within = event.state ? std::get_if<codec::TransactionalState>(&*event.state) : nullptr) {
        return answered_within(tracker, *within, event.settled);
    }
    std::optional<Outcome> outcome;
    if (event.aborted) {
        outcome = Outcome{.kind = Outcome::Kind::in_doubt,
                          .failure = Failure{.code = Errc::aborted,
                                             .condition = {},
                                             .text = description() + ": nobody has the rest of the message any more"}};
    } else if (tracker->options.settled) {
        if (event.settled) outcome = Outcome{.kind = Outcome::Kind::sent};
        if (outcome && tracker->transaction) return hold(tracker, std::move(*outcome), true);
    } else {
        if (event.state) outcome = std::visit(OutcomeOf{}, *event.state);
        if (!outcome && event.settled) {
            // [3.5.3] Settled without an outcome: the source's default holds, if it has one.
            const auto& source = remote && remote->source ? remote->source : options.source;
            if (source && source->default_outcome) outcome = std::visit(OutcomeOf{}, *source->default_outcome);
            if (!outcome) {
                outcome = Outcome{.kind = Outcome::Kind::in_doubt,
                                  .failure = Failure{.code = Errc::detached_by_peer,
                                                     .initiator = Initiator::peer,
                                                     .condition = {},
                                                     .text = description() + ": the peer settled without an outcome"}};
            }
        }
    }
    if (!outcome) return;
    unfinished_.erase(found);
    // The outcome is known: we forget the delivery, and say so when the peer waits for it. [2.6.12]
    if (Engine* engine = connection->engine(); engine != nullptr && !event.settled) {
        // Not wholly on the wire, it cannot be settled: the rest is not wanted.
        if (!engine->settle(event.delivery)) static_cast<void>(engine->abort_send(event.delivery));
        connection->wake();
    }
    finish(tracker, std::move(*outcome), Callback::now);
}

void SenderState::answered_within(const TrackerState& tracker, const codec::TransactionalState& state, bool settled) {
    if (!tracker->transaction) {  // ours to keep: the peer is the controller
        Sender handle(std::static_pointer_cast<SenderState>(shared_from_this()));
        return connection->call([&] { handler().on_transactional(handle, Tracker(tracker), state, settled); });
    }
    // [4.4-a] What names another transaction tells nothing about this one.
    const bool ours = state.txn_id == tracker->transaction->id;
    auto outcome = ours && state.outcome ? std::visit(OutcomeOf{}, *state.outcome) : std::nullopt;
    if (outcome) return hold(tracker, std::move(*outcome), settled);
    if (!settled) return;
    unfinished_.erase(tracker->id);
    Failure why{.code = Errc::protocol_violation,
                .initiator = Initiator::peer,
                .condition = {},
                .text = description() + ": the peer settled without an outcome within the transaction [4.4.1]"};
    finish(tracker, {.kind = Outcome::Kind::in_doubt, .failure = std::move(why)}, Callback::now);
}

/// The outcome is known, and the transaction decides whether it holds. Nothing more will be heard of the delivery.
void SenderState::hold(const TrackerState& tracker, Outcome outcome, bool settled) {
    unfinished_.erase(tracker->id);
    if (Engine* engine = connection->engine(); engine != nullptr && !settled) {
        static_cast<void>(engine->settle(tracker->id));
        connection->wake();
    }
    tracker->stage = Tracker::State::Stage::provisional;
    if (std::exchange(tracker->counted, false)) budget_.give_back(tracker->bytes);
    {
        const std::lock_guard lock(tracker->mutex);
        tracker->provisional = outcome;
    }
    tracker->transaction->post_answered(outcome);
}

void SenderState::settle(const TrackerState& tracker, const codec::Outcome& outcome) {
    if (tracker->stage != Tracker::State::Stage::with_engine || connection == nullptr) return;
    auto known = std::visit(OutcomeOf{}, outcome);
    Engine* engine = connection->engine();
    if (!known || engine == nullptr) return;
    if (!engine->retract(tracker->id)) {
        // [4.4.3-e] What has not been sent to its end does not go on; what has is settled.
        if (!engine->abort_send(tracker->id)) static_cast<void>(engine->settle(tracker->id, to_state(outcome)));
    }
    unfinished_.erase(tracker->id);
    refresh_credit();
    connection->wake();
    finish(tracker, std::move(*known), Callback::later);
}

void SenderState::finish(const TrackerState& tracker, Outcome outcome, Callback when) {
    tracker->stage = Tracker::State::Stage::finished;
    if (tracker->transaction) std::exchange(tracker->transaction, nullptr)->post_ended(outcome);
    tracker->message = {};
    if (std::exchange(tracker->counted, false)) budget_.give_back(tracker->bytes);
    if (tracker->parts) {
        tracker->parts->before.clear();
        tracker->parts->whole = true;
    }
    auto callback = tracker->finish(std::move(outcome));
    if (tracker->parts) tracker->parts->budget.close();
    if (!callback) return;
    if (when == Callback::now && connection != nullptr) {
        connection->call([&] { callback(*tracker->outcome); });
        return;
    }
    auto due = [self = shared_from_this(), tracker, callback = std::move(callback)]() mutable {
        call_back(static_cast<SenderState&>(*self).connection, callback, *tracker->outcome);
    };
    if (connection != nullptr) {
        connection->later(std::move(due));
    } else {
        loop->reactor.post(std::move(due));
    }
}

void SenderState::finish_unheld(const TrackerState& tracker, Outcome outcome) {
    auto callback = tracker->finish(std::move(outcome));
    if (!callback) return;
    tracker->loop->reactor.post(
        [tracker, callback = std::move(callback)]() mutable { call_back(nullptr, callback, *tracker->outcome); });
}

void SenderState::call_back(ConnectionState* on, Function<void(const Outcome&)>& callback, const Outcome& outcome) {
    if (on != nullptr) return on->call([&] { callback(outcome); });
    try {
        callback(outcome);
    } catch (...) {
        // Its connection, which this would close, has gone already.
    }
}

bool SenderState::take_back(const TrackerState& tracker) {
    using Stage = Tracker::State::Stage;
    if (tracker->stage == Stage::queued) {
        --queued_;  // its place in the queue is skipped later
        return true;
    }
    Engine* engine = connection ? connection->engine() : nullptr;
    if (tracker->stage != Stage::with_engine || engine == nullptr || !engine->retract(tracker->id)) return false;
    unfinished_.erase(tracker->id);
    refresh_credit();
    serve();
    connection->wake();
    return true;
}

bool SenderState::cancel(const TrackerState& tracker, Errc why) {
    if (tracker->stage == Tracker::State::Stage::finished) return true;
    // Without a number it is on its way here, or waits for room; it is told apart when it comes.
    if (tracker->number != 0 && (connection == nullptr || !take_back(tracker))) return false;
    // Without a number it is none of the transaction's yet.
    const auto transaction = std::exchange(tracker->transaction, nullptr);
    if (transaction && tracker->number != 0) transaction->post_withdrawn();
    finish(tracker, not_sent(why, "the message was taken back"), Callback::later);
    return true;
}

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
