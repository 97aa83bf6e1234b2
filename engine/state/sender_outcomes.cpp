#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/transaction_state.hpp>

// How single messages end: outcomes, within transactions too, and messages taken back.

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

void SenderState::delivery_updated(const DeliveryUpdated& event) {
    if (event.context == nullptr) return;
    auto& state = *static_cast<Tracker::State*>(event.context);
    const TrackerState tracker(&state);
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
            if (const codec::Outcome* const held = default_outcome()) outcome = std::visit(OutcomeOf{}, *held);
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
    let_go(*tracker);
    // The outcome is known: we forget the delivery, and say so when the peer waits for it. [2.6.12]
    if (Engine* engine = connection->engine(); engine != nullptr && !event.settled) {
        // Not wholly on the wire, it cannot be settled: the rest is not wanted.
        if (!engine->settle(event.delivery)) static_cast<void>(engine->abort_send(event.delivery));
        connection->wake();
    }
    finish(tracker, std::move(*outcome), Callback::now);
}

/// All of them are over before the first callback, which may do with any of them what it likes.
void SenderState::deliveries_settled(const DeliveriesSettled& event) {
    TrackerList answered;
    std::size_t bytes = 0;
    for (const auto& one : event.deliveries()) {
        if (one.context == nullptr) continue;
        auto& tracker = *static_cast<Tracker::State*>(one.context);
        tracker.stage = Tracker::State::Stage::finished;
        forget_deadline(tracker);
        if (std::exchange(tracker.counted, false)) bytes += tracker.bytes;
        tracker.conclude(event.accepted ? Outcome::Kind::accepted : Outcome::Kind::sent);
        answered.push_back(messages_->unfinished.remove_ended(tracker));
    }
    if (bytes != 0) budget_.give_back(bytes);
    while (!answered.empty()) tell(answered.pop_front_ended());
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
    let_go(*tracker);
    Failure why{.code = Errc::protocol_violation,
                .initiator = Initiator::peer,
                .condition = {},
                .text = description() + ": the peer settled without an outcome within the transaction [4.4.1]"};
    finish(tracker, {.kind = Outcome::Kind::in_doubt, .failure = std::move(why)}, Callback::now);
}

/// The outcome is known, and the transaction decides whether it holds. Nothing more will be heard of the delivery.
void SenderState::hold(const TrackerState& tracker, Outcome outcome, bool settled) {
    let_go(*tracker);
    forget_deadline(*tracker);
    if (Engine* engine = connection->engine(); engine != nullptr && !settled) {
        static_cast<void>(engine->settle(tracker->id));
        connection->wake();
    }
    tracker->stage = Tracker::State::Stage::provisional;
    if (std::exchange(tracker->counted, false)) budget_.give_back(tracker->bytes);
    {
        auto provisional = std::make_unique<const Outcome>(outcome);
        const std::lock_guard lock(tracker->home->mutex);
        tracker->provisional.swap(provisional);
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
    let_go(*tracker);
    refresh_credit();
    connection->wake();
    finish(tracker, std::move(*known), Callback::later);
}

void SenderState::tell(TrackerState tracker) {
    if (auto callback = tracker->take_due_callback()) connection->call([&] { callback(*tracker->outcome()); });
    tracker.drop_here();
}

void SenderState::finish(const TrackerState& tracker, Outcome outcome, Callback when) {
    tracker->stage = Tracker::State::Stage::finished;
    forget_deadline(*tracker);
    if (std::exchange(tracker->counted, false)) budget_.give_back(tracker->bytes);
    if (tracker->transaction) std::exchange(tracker->transaction, nullptr)->post_ended(outcome);
    tracker->message = {};
    if (tracker->parts) {
        tracker->parts->before.clear();
        tracker->parts->whole = true;
    }
    auto callback = tracker->finish(std::move(outcome));
    if (tracker->parts) tracker->parts->budget.close();
    if (!callback) return;
    if (when == Callback::now && connection != nullptr) {
        connection->call([&] { callback(*tracker->outcome()); });
        return;
    }
    auto due = [self = shared_from_this(), tracker, callback = std::move(callback)]() mutable {
        call_back(static_cast<SenderState&>(*self).connection, callback, *tracker->outcome());
    };
    if (connection != nullptr) {
        connection->later(std::move(due));
    } else {
        reactor().post(std::move(due));
    }
}

void SenderState::finish_unheld(const TrackerState& tracker, Outcome outcome) {
    auto callback = tracker->finish(std::move(outcome));
    if (!callback) return;
    tracker->home->loop->reactor.post(
        [tracker, callback = std::move(callback)]() mutable { call_back(nullptr, callback, *tracker->outcome()); });
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
        messages_->queue.remove(*tracker);
        return true;
    }
    Engine* engine = connection ? connection->engine() : nullptr;
    if (tracker->stage != Stage::with_engine || engine == nullptr || !engine->retract(tracker->id)) return false;
    let_go(*tracker);
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

}  // namespace aprotic::engine
