#include <algorithm>

#include <aprotic/engine/state/byte_budget.hpp>
#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

ByteBudget::Answer ByteBudget::take(std::size_t bytes, bool may_wait, std::optional<Duration> timeout) {
    std::unique_lock lock(mutex_);
    if (closed_) return Answer::closed;
    if (line_.empty() && has_room(bytes)) {
        used_ += bytes;
        return Answer::taken;
    }
    if (!may_wait) return Answer::full;

    const std::uint64_t ticket = ++last_ticket_;
    line_.push_back(ticket);
    const auto may_go = [&] { return closed_ || (line_.front() == ticket && has_room(bytes)); };
    bool on_time = true;
    if (timeout) {
        on_time = changed_.wait_for(lock, bounded(*timeout), may_go);
    } else {
        changed_.wait(lock, may_go);
    }
    line_.erase(std::find(line_.begin(), line_.end(), ticket));
    changed_.notify_all();  // somebody else is first now
    if (closed_) return Answer::closed;
    if (!on_time) return Answer::timed_out;
    used_ += bytes;
    return Answer::taken;
}

void ByteBudget::give_back(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
    if (!line_.empty()) changed_.notify_all();
}

void ByteBudget::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

}  // namespace aprotic::engine
