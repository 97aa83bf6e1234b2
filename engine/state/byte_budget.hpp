#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>

#include <aprotic/engine/function.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::engine {

/// Bounds the bytes that senders on many threads may have handed over. First come, first served. Any thread.
class ByteBudget {
public:
    enum class Answer { taken, full, timed_out, closed };

    /// A single message larger than `max` is let through when nothing else is there, or it never could be sent.
    explicit ByteBudget(std::size_t max) : max_(max) {}

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

    /// Serves those at the head of the line who do not wait in a thread. Called with the lock, which it gives up.
    void serve(std::unique_lock<std::mutex> lock);
    bool has_room(std::size_t bytes) const { return used_ == 0 || (bytes <= max_ && used_ <= max_ - bytes); }

    const std::size_t max_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<Place> line_;  ///< who waits, in order
    std::uint64_t last_ticket_ = 0;
    std::size_t used_ = 0;
    bool closed_ = false;
};

}  // namespace aprotic::engine
