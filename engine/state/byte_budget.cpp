#include <algorithm>
#include <utility>
#include <vector>

#include <aprotic/engine/state/byte_budget.hpp>

namespace aprotic::engine {

/// Without the lock, as long as nobody waits.
bool ByteBudget::take_at_once(std::size_t bytes) noexcept {
    std::size_t used = used_.load(std::memory_order_relaxed);
    while ((used & watched) == 0 && has_room(used, bytes)) {
        if (used_.compare_exchange_weak(used, used + bytes)) return true;
    }
    return false;
}

ByteBudget::Answer ByteBudget::take(std::size_t bytes, bool may_wait, std::optional<Duration> timeout) {
    if (take_at_once(bytes)) return Answer::taken;
    std::unique_lock lock(mutex_);
    if (is_closed()) return Answer::closed;
    if (nobody_waits() && take_at_once(bytes)) return Answer::taken;
    if (!may_wait) return Answer::full;

    Line& in = line();
    const std::uint64_t ticket = ++in.last_ticket;
    in.places.push_back({ticket, bytes, nullptr});
    watch();
    const auto may_go = [&] { return is_closed() || (in.places.front().ticket == ticket && has_room(bytes)); };
    bool on_time = true;
    if (timeout) {
        on_time = in.changed.wait_for(lock, *timeout, may_go);
    } else {
        in.changed.wait(lock, may_go);
    }
    // Closing has emptied the line.
    if (is_closed()) return Answer::closed;
    in.places.erase(
        std::find_if(in.places.begin(), in.places.end(), [&](const Place& place) { return place.ticket == ticket; }));
    if (on_time) used_ += bytes;
    serve(std::move(lock));  // somebody else is first now
    return on_time ? Answer::taken : Answer::timed_out;
}

void ByteBudget::take_later(std::size_t bytes, Function<void(Answer)> answered) {
    Answer answer = take_at_once(bytes) ? Answer::taken : Answer::closed;
    if (answer != Answer::taken) {
        const std::lock_guard lock(mutex_);
        if (!is_closed() && !(nobody_waits() && take_at_once(bytes))) {
            Line& in = line();
            in.places.push_back({++in.last_ticket, bytes, std::move(answered)});
            watch();
            // What was given back before that has served nobody.
            if (!has_room(bytes) || in.places.size() != 1) return;
            used_ += bytes;
            answered = std::move(in.places.front().answered);
            in.places.pop_front();
            watch_no_more();
        }
        if (!is_closed()) answer = Answer::taken;
    }
    answered(answer);
}

void ByteBudget::give_back(std::size_t bytes) {
    if ((used_.fetch_sub(bytes) & watched) == 0) return;
    std::unique_lock lock(mutex_);
    if (!nobody_waits()) serve(std::move(lock));
}

ByteBudget::Line& ByteBudget::line() {
    if (!line_) line_ = std::make_unique<Line>();
    return *line_;
}

void ByteBudget::serve(std::unique_lock<std::mutex> lock) {
    std::vector<Function<void(Answer)>> served;
    std::list<Place>& places = line_->places;
    while (!places.empty() && places.front().answered && has_room(places.front().bytes)) {
        used_ += places.front().bytes;
        served.push_back(std::move(places.front().answered));
        places.pop_front();
    }
    watch_no_more();
    line_->changed.notify_all();
    lock.unlock();
    for (auto& answered : served) answered(Answer::taken);
}

void ByteBudget::close() {
    std::list<Place> refused;
    {
        const std::lock_guard lock(mutex_);
        used_.fetch_or(watched | closed);
        if (!line_) return;
        refused.swap(line_->places);
        line_->changed.notify_all();
    }
    for (auto& place : refused) {
        if (place.answered) place.answered(Answer::closed);
    }
}

}  // namespace aprotic::engine
