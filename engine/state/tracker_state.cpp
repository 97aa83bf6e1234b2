#include <aprotic/engine/state/tracker_state.hpp>

namespace aprotic::engine {

Function<void(const Outcome&)> Tracker::State::finish(Outcome how) {
    std::vector<Completer<Outcome>> waiting;
    Function<void(const Outcome&)> due;
    {
        const std::lock_guard lock(mutex);
        if (outcome) return nullptr;
        outcome = std::move(how);
        done.notify_all();
        waiting.swap(waiters);
        due = std::move(callback);
    }
    for (auto& waiter : waiting) static_cast<void>(waiter.finish(Outcome(*outcome)));
    return due;
}

void Tracker::State::add_waiter(Completer<Outcome> waiter) {
    {
        const std::lock_guard lock(mutex);
        if (!outcome) return waiters.push_back(std::move(waiter));
    }
    static_cast<void>(waiter.finish(Outcome(*outcome)));
}

void Tracker::State::forget_user() {
    Function<void(const Outcome&)> dropped;  // destroyed without the lock
    const std::lock_guard lock(mutex);
    dropped = std::move(callback);
    for (const auto& waiter : waiters) waiter.forget();
}

}  // namespace aprotic::engine
