#include <algorithm>

#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/coordinator_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>
#include <aprotic/engine/state/transaction_state.hpp>

namespace aprotic::engine {

TransactionState::TransactionState(std::shared_ptr<CoordinatorState> its_coordinator, codec::Binary its_id)
    : coordinator(std::move(its_coordinator)),
      loop(coordinator->loop),
      id(std::move(its_id)),
      state(std::make_shared<codec::DeliveryState>(codec::TransactionalState{.txn_id = id})),
      capabilities(coordinator->capabilities) {}

std::string TransactionState::description() const {
    return fmt::format("the transaction at {}",
                       coordinator->connection ? coordinator->connection->peer_name : "a peer");
}

bool TransactionState::admits(const LinkState& link) const {
    if (link.connection == nullptr || link.connection != coordinator->connection) return false;
    return capabilities.many_sessions || link.session == coordinator->session;
}

// --- work ------------------------------------------------------------------------------------------------------------

bool TransactionState::add_post(const TrackerState& tracker, const LinkState& link) {
    if (!live() || !admits(link)) return false;
    posts_.push_back(tracker);
    ++unanswered_;
    return true;
}

void TransactionState::post_answered(const Outcome& outcome) {
    if (phase_ == Phase::over) return;
    --unanswered_;
    if (outcome.kind != Outcome::Kind::accepted && outcome.kind != Outcome::Kind::sent) {
        doom({.code = Errc::rolled_back,
              .condition = outcome.condition,
              .text = fmt::format("{}: a message of it was answered with '{}'", description(), outcome.message())});
    }
    proceed();
}

void TransactionState::post_ended(const Outcome& outcome) {
    if (phase_ == Phase::over) return;
    --unanswered_;
    doom({.code = Errc::rolled_back,
          .condition = outcome.condition,
          .text = fmt::format("{}: a message of it ended as '{}'", description(), outcome.message())});
    proceed();
}

void TransactionState::post_withdrawn() {
    if (phase_ == Phase::over) return;
    --unanswered_;
    proceed();
}

void TransactionState::add_answer(std::shared_ptr<ProvisionalAnswer> answer) { answers_.push_back(std::move(answer)); }

void TransactionState::add_receiver(const std::shared_ptr<ReceiverState>& receiver) { receivers_.push_back(receiver); }

void TransactionState::drained() {
    --draining_;
    proceed();
}

void TransactionState::doom(Failure why) {
    if (!doomed_) doomed_ = std::move(why);
}

// --- discharge -------------------------------------------------------------------------------------------------------

void TransactionState::discharge(bool commits, Duration timeout, Transaction::Discharged done) {
    if (!live()) {
        if (!done) return;
        auto told = [done = std::move(done), text = description() + " has ended before"]() mutable {
            done(Failure{.code = Errc::wrong_state, .condition = {}, .text = text});
        };
        return loop->reactor.post(std::move(told));
    }
    const auto self = shared_from_this();
    phase_ = Phase::finishing;
    commits_ = wanted_ = commits;
    done_ = std::move(done);
    Reactor& reactor = loop->reactor;
    timer_ = reactor.start_timer(reactor.now() + bounded(timeout), [weak = weak_from_this()] {
        if (const auto alive = weak.lock()) alive->timed_out();
    });
    // [4.4.3-d] What came after the discharge would be acquired for good.
    for (const auto& receiver : receivers_) {
        if (receiver->drain_acquisition()) ++draining_;
    }
    proceed();
}

void TransactionState::proceed() {
    if (phase_ != Phase::finishing) return;
    if (doomed_) commits_ = false;
    if (!commits_ && !std::exchange(taken_back_, true)) {
        // [4.4.1-e] Nothing may be partly on the wire: what has not begun stays here.
        for (const auto& tracker : std::vector(posts_)) {
            const auto sender = tracker->home->sender.lock();
            if (sender && tracker->stage != Tracker::State::Stage::provisional) sender->cancel(tracker);
        }
        if (phase_ != Phase::finishing) return;
    }
    if (unanswered_ == 0 && draining_ == 0) send_discharge();
}

void TransactionState::send_discharge() {
    phase_ = Phase::discharging;
    coordinator->discharge(shared_from_this(), !commits_);
}

void TransactionState::timed_out() {
    timer_ = 0;
    const auto self = shared_from_this();
    const bool asked = phase_ == Phase::discharging;
    Failure why{
        .code = Errc::timed_out,
        .condition = {},
        .text = fmt::format("{} was not {} in time", description(), asked ? "discharged" : "ready to be discharged")};
    doom(why);
    tell(wanted_ ? codec::Result<void, Failure>(std::move(why)) : codec::Result<void, Failure>());
    if (asked) return;
    commits_ = false;
    send_discharge();
}

void TransactionState::discharged(const Outcome& outcome) {
    if (phase_ != Phase::discharging) return;
    if (outcome.kind == Outcome::Kind::accepted) return end(commits_ ? Fate::committed : Fate::rolled_back);
    if (outcome.kind == Outcome::Kind::in_doubt && outcome.failure) return lost(*outcome.failure);
    doom({.code = Errc::rolled_back,
          .initiator = Initiator::peer,
          .condition = outcome.condition,
          .text = description() + " could not be committed"});
    end(Fate::rolled_back);
}

void TransactionState::lost(const Failure& why) {
    if (phase_ == Phase::over) return;
    const bool in_doubt = phase_ == Phase::discharging && commits_;
    doom({.code = in_doubt ? Errc::transaction_in_doubt : Errc::rolled_back,
          .initiator = why.initiator,
          .condition = why.condition,
          .text = fmt::format("{} was lost: {}", description(), why.text)});
    end(in_doubt ? Fate::in_doubt : Fate::rolled_back);
}

void TransactionState::end(Fate fate) {
    const auto self = shared_from_this();
    phase_ = Phase::over;
    if (timer_ != 0) loop->reactor.cancel_timer(std::exchange(timer_, 0));
    end_posts(fate);
    for (const auto& answer : std::exchange(answers_, {})) {
        const auto stage =
            fate == Fate::committed ? ProvisionalAnswer::Stage::applied : ProvisionalAnswer::Stage::reverted;
        const auto before = answer->stage.exchange(stage);
        if (fate == Fate::committed) {
            answer->receiver->settle(answer->delivery, answer->bytes, to_state(answer->outcome));
        } else if (before == ProvisionalAnswer::Stage::dropped) {
            answer->receiver->release(answer->delivery, answer->bytes);
        }
    }
    for (const auto& receiver : std::exchange(receivers_, {})) receiver->end_acquisition();
    committed_ = fate == Fate::committed;
    tell(!wanted_ || committed_ || !doomed_ ? codec::Result<void, Failure>() : codec::Result<void, Failure>(*doomed_));
    coordinator->over(*this);
}

void TransactionState::end_posts(Fate fate) {
    for (const auto& tracker : std::exchange(posts_, {})) {
        Outcome outcome{.kind = fate == Fate::in_doubt ? Outcome::Kind::in_doubt : Outcome::Kind::rolled_back,
                        .failure = doomed_};
        if (tracker->stage == Tracker::State::Stage::provisional) {
            tracker->stage = Tracker::State::Stage::finished;
            if (fate == Fate::committed) outcome = *tracker->provisional;
        } else if (const auto sender = tracker->home->sender.lock()) {
            sender->cancel(tracker);
        }
        auto callback = tracker->finish(std::move(outcome));
        if (!callback) continue;
        later([tracker, callback = std::move(callback), held = coordinator]() mutable {
            SenderState::call_back(held->connection, callback, *tracker->outcome());
        });
    }
}

void TransactionState::tell(const codec::Result<void, Failure>& how) {
    if (!done_) return;
    later([done = std::exchange(done_, nullptr), how, held = coordinator]() mutable {
        if (held->connection != nullptr) return held->connection->call([&] { done(how); });
        try {
            done(how);
        } catch (...) {
            // Its connection, which this would close, has gone already.
        }
    });
}

void TransactionState::later(Function<void()> task) {
    if (coordinator->connection != nullptr) return coordinator->connection->later(std::move(task));
    loop->reactor.post(std::move(task));
}

void TransactionState::forget_user() {
    done_ = nullptr;
    for (const auto& tracker : posts_) tracker->forget_user();
}

}  // namespace aprotic::engine
