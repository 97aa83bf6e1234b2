#include <algorithm>
#include <utility>
#include <vector>

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
    line_.push_back({ticket, bytes, nullptr});
    const auto may_go = [&] { return closed_ || (line_.front().ticket == ticket && has_room(bytes)); };
    bool on_time = true;
    if (timeout) {
        on_time = changed_.wait_for(lock, bounded(*timeout), may_go);
    } else {
        changed_.wait(lock, may_go);
    }
    // Closing has emptied the line.
    if (closed_) return Answer::closed;
    line_.erase(std::find_if(line_.begin(), line_.end(), [&](const Place& place) { return place.ticket == ticket; }));
    if (on_time) used_ += bytes;
    serve(std::move(lock));  // somebody else is first now
    return on_time ? Answer::taken : Answer::timed_out;
}

void ByteBudget::take_later(std::size_t bytes, Function<void(Answer)> answered) {
    Answer answer = Answer::closed;
    {
        const std::lock_guard lock(mutex_);
        if (!closed_) {
            if (!line_.empty() || !has_room(bytes)) {
                return line_.push_back({++last_ticket_, bytes, std::move(answered)});
            }
            used_ += bytes;
            answer = Answer::taken;
        }
    }
    answered(answer);
}

void ByteBudget::give_back(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    used_ -= bytes;
    if (!line_.empty()) serve(std::move(lock));
}

void ByteBudget::serve(std::unique_lock<std::mutex> lock) {
    std::vector<Function<void(Answer)>> served;
    while (!line_.empty() && line_.front().answered && has_room(line_.front().bytes)) {
        used_ += line_.front().bytes;
        served.push_back(std::move(line_.front().answered));
        line_.pop_front();
    }
    changed_.notify_all();
    lock.unlock();
    for (auto& answered : served) answered(Answer::taken);
}

void ByteBudget::close() {
    std::list<Place> refused;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        refused.swap(line_);
        changed_.notify_all();
    }
    for (auto& place : refused) {
        if (place.answered) place.answered(Answer::closed);
    }
}

}  // namespace aprotic::engine
