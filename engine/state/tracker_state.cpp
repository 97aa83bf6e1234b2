#include <aprotic/engine/state/tracker_state.hpp>

#include <array>
#include <new>

namespace aprotic::engine {
namespace {

/// Outcomes that say no more than their kind: nearly all of them.
const Outcome& plain(Outcome::Kind kind) {
    static const auto outcomes = [] {
        std::array<Outcome, 8> all;
        for (std::size_t i = 0; i < all.size(); ++i) all[i].kind = static_cast<Outcome::Kind>(i);
        return all;
    }();
    return outcomes[static_cast<std::size_t>(kind)];
}
static_assert(static_cast<int>(Outcome::Kind::rolled_back) == 7);

bool is_plain(const Outcome& outcome) noexcept {
    return !outcome.condition && !outcome.failure && !outcome.declared && !outcome.delivery_failed &&
           !outcome.undeliverable_here;
}

}  // namespace

void Tracker::State::destroy(bool here) noexcept {
    const std::shared_ptr<TrackerHome> held = std::move(held_home_);
    Recycler& recycler = *home->loop->recycler;
    this->~State();
    here ? recycler.give_back_here(this, sizeof(State)) : recycler.give_back(this, sizeof(State));
}

void Tracker::State::conclude(Outcome::Kind how) {
    if (outcome() == nullptr) conclude_with(&plain(how));
}

Function<void(const Outcome&)> Tracker::State::take_due_callback() noexcept {
    if (!std::exchange(callback_due_, false)) return nullptr;
    return std::move(callback_);
}

Function<void(const Outcome&)> Tracker::State::finish(Outcome::Kind how) {
    conclude(how);
    return take_due_callback();
}

Function<void(const Outcome&)> Tracker::State::finish(Outcome&& how) {
    if (outcome() != nullptr) return nullptr;
    if (is_plain(how)) return finish(how.kind);
    own_outcome_ = std::make_unique<const Outcome>(std::move(how));
    conclude_with(own_outcome_.get());
    return take_due_callback();
}

void Tracker::State::conclude_with(const Outcome* how) {
    outcome_ = how;
    unsigned before;
    if (!is_shared()) {  // nobody else looks
        before = marks_.load(std::memory_order_relaxed);
        marks_.store(before | finished, std::memory_order_relaxed);
    } else {
        before = marks_.fetch_or(finished, std::memory_order_acq_rel);
    }
    callback_due_ = (before & called) != 0;
    if ((before & waited) != 0) wake();
}

void Tracker::State::wake() {
    std::vector<Completer<Outcome>> operations;
    {
        const std::lock_guard lock(home->mutex);
        if (!waiting_) return;
        waiting_->done.notify_all();
        operations.swap(waiting_->operations);
    }
    for (auto& one : operations) static_cast<void>(one.finish(Outcome(*outcome_)));
}

bool Tracker::State::on_done(Function<void(const Outcome&)>& done) {
    // One that is there is replaced, unless it is somebody else's by now.
    if ((marks_.load(std::memory_order_relaxed) & called) != 0) marks_.fetch_and(~called, std::memory_order_acq_rel);
    const unsigned before = marks_.load(std::memory_order_acquire);
    if ((before & forgotten) != 0) return true;
    if ((before & finished) != 0) return false;
    callback_ = std::move(done);
    const unsigned now = marks_.fetch_or(called, std::memory_order_acq_rel);
    if ((now & (finished | forgotten)) == 0) return true;
    done = std::move(callback_);
    return (now & finished) == 0;
}

const Outcome* Tracker::State::wait_for(Duration timeout) {
    std::unique_lock lock(home->mutex);
    if (!waiting_) waiting_ = std::make_unique<Waiting>();
    marks_.fetch_or(waited, std::memory_order_acq_rel);
    waiting_->done.wait_for(lock, bounded(timeout), [this] { return outcome() != nullptr; });
    return outcome();
}

void Tracker::State::add_waiter(Completer<Outcome> waiter) {
    {
        const std::lock_guard lock(home->mutex);
        if (!waiting_) waiting_ = std::make_unique<Waiting>();
        // Whoever finishes it from here on waits for the lock.
        if ((marks_.fetch_or(waited, std::memory_order_acq_rel) & finished) == 0)
            return waiting_->operations.push_back(std::move(waiter));
    }
    static_cast<void>(waiter.finish(Outcome(*outcome_)));
}

void Tracker::State::forget_user() {
    unsigned before = marks_.load(std::memory_order_acquire);
    while (!marks_.compare_exchange_weak(before, (before & ~called) | forgotten, std::memory_order_acq_rel)) {
    }
    if ((before & called) != 0 && (before & finished) == 0) callback_ = nullptr;
    const std::lock_guard lock(home->mutex);
    if (!waiting_) return;
    for (const auto& one : waiting_->operations) one.forget();
}

}  // namespace aprotic::engine
