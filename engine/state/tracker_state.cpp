#include <aprotic/engine/state/tracker_state.hpp>

namespace aprotic::engine {

Function<void(const Outcome&)> Tracker::State::finish(Outcome how) {
    const std::lock_guard lock(mutex);
    if (outcome) return nullptr;
    outcome = std::move(how);
    done.notify_all();
    return std::exchange(callback, nullptr);
}

}  // namespace aprotic::engine
