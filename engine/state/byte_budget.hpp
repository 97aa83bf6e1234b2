#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include <aprotic/engine/function.hpp>
#include <aprotic/engine/state/signal.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::engine {

/// Bounds the bytes that senders on many threads may have handed over. First come, first served. Any thread.
class ByteBudget {
public:
    enum class Answer { taken, full, timed_out, closed };

    /// A single message larger than `max` is let through when nothing else is there, or it never could be sent.
    /// `mutex` is its owner's, who holds it in none of the calls.
    ByteBudget(std::mutex& mutex, std::size_t max) : mutex_(mutex), max_(max) {}

    std::size_t max() const noexcept { return max_; }
    /// Waits for room if it may, for at most `timeout`.
    Answer take(std::size_t bytes, bool may_wait, std::optional<Duration> timeout);
    /// Takes its place in the line without blocking: `answered` is called once, `taken` or `closed`, now or in
    /// whichever thread makes room.
    void take_later(std::size_t bytes, Function<void(Answer)> answered);
    void give_back(std::size_t bytes);
    /// Whoever waits or comes later is refused.
    void close();

private:
    struct Place {
        std::uint64_t ticket;
        std::size_t bytes;
        Function<void(Answer)> answered;  ///< empty: a thread waits
    };

    /// Who waits, in order.
    struct Line {
        std::list<Place> places;
        std::uint64_t last_ticket = 0;
        Signal changed;
    };

    Line& line();
    bool nobody_waits() const { return !line_ || line_->places.empty(); }
    /// Serves those at the head of the line who do not wait in a thread. Called with the lock, which it gives up.
    void serve(std::unique_lock<std::mutex> lock);
    bool has_room(std::size_t used, std::size_t bytes) const {
        return used == 0 || (bytes <= max_ && used <= max_ - bytes);
    }
    bool has_room(std::size_t bytes) const { return has_room(used_.load() & ~(watched | closed), bytes); }
    bool is_closed() const { return (used_.load() & closed) != 0; }
    bool take_at_once(std::size_t bytes) noexcept;
    /// Somebody waits, or nobody ever will again: from now on, whoever takes asks with the lock.
    void watch() noexcept { used_.fetch_or(watched); }
    void watch_no_more() noexcept {
        if (!is_closed() && nobody_waits()) used_.fetch_and(~watched);
    }

    /// Set in `used_`: taking needs the lock, and whoever gives back has somebody to serve.
    static constexpr std::size_t watched = ~(SIZE_MAX >> 1U);
    /// Set in `used_`, under the lock and beside `watched`: nothing is taken any more.
    static constexpr std::size_t closed = watched >> 1U;

    std::mutex& mutex_;
    const std::size_t max_;
    std::unique_ptr<Line> line_;  ///< made when somebody first waits
    std::atomic<std::size_t> used_ = 0;
};

}  // namespace aprotic::engine
