#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

/// A condition variable that is made when somebody first waits: most have nobody who ever does. Every call with the
/// lock held that guards the condition.
class Signal {
public:
    template <class Condition>
    void wait(std::unique_lock<std::mutex>& lock, Condition&& met) {
        made().wait(lock, met);
    }
    /// What `met` says in the end.
    template <class Condition>
    bool wait_for(std::unique_lock<std::mutex>& lock, Duration timeout, Condition&& met) {
        return made().wait_for(lock, bounded(timeout), met);
    }
    void notify_one() noexcept {
        if (changed_) changed_->notify_one();
    }
    void notify_all() noexcept {
        if (changed_) changed_->notify_all();
    }

private:
    std::condition_variable& made() {
        if (!changed_) changed_ = std::make_unique<std::condition_variable>();
        return *changed_;
    }

    std::unique_ptr<std::condition_variable> changed_;
};

}  // namespace aprotic::engine
