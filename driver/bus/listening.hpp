#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/inbound.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver::bus {

/// A server's or a listener's links that come back after every loss, threads that do the work, and an orderly end. Any
/// thread, unless said otherwise.
class Listening : public std::enable_shared_from_this<Listening> {
public:
    /// `name` is for failures; without `threads` all work is done on the reactor's.
    Listening(std::shared_ptr<Bus> bus, std::string name, unsigned threads);
    virtual ~Listening() = default;
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

    /// Begins to listen; nothing when that has begun.
    void start(Subscription subscription);
    /// Withdraws the links' credit, drops what no thread has begun, and waits up to `timeout` for the rest and for the
    /// links, which go when all that came on them is settled. It may start again at once.
    Result<void> stop(Duration timeout) { return stop(timeout, true); }
    /// The same for destructors, which do not wait for the links: nobody may run the reactor any more.
    Result<void> leave(Duration timeout) { return stop(timeout, false); }
    bool is_ready() const;
    Result<void> wait_ready(Duration timeout) const;

protected:
    struct Round;
    using RoundPtr = std::shared_ptr<Round>;

    /// Holds up the end of the links and of stop(). Empty when there is nothing to hold up.
    class Stay {
    public:
        Stay() = default;
        Stay(std::shared_ptr<Listening> owner, RoundPtr round);
        Stay(Stay&&) noexcept = default;
        Stay& operator=(Stay&&) = delete;
        ~Stay();

    private:
        friend class Listening;
        std::shared_ptr<Listening> owner_;
        RoundPtr round_;
    };

    /// A message came. Dropped unanswered it is released. Reactor's thread.
    virtual void take(engine::Delivery delivery, const RoundPtr& round) = 0;
    /// What was taken and not begun is to be dropped. Reactor's thread.
    virtual void drop_waiting() {}

    /// As long as this is held, stop() waits.
    Stay enter();
    /// Has a worker of the round run `task`; without workers it runs now. Dropped when that has been stopped.
    static void run(const Stay& stay, engine::Function<void()> task);
    Bus& bus() const noexcept { return *bus_; }
    const std::shared_ptr<Bus>& shared_bus() const noexcept { return bus_; }

private:
    Result<void> stop(Duration timeout, bool and_links);
    void begin_drain(const RoundPtr& round);
    void close_when_over(const RoundPtr& round, Bus& bus);

    const std::shared_ptr<Bus> bus_;
    const std::string name_;
    const unsigned threads_;

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    RoundPtr round_;                         ///< from start() to stop()
    std::atomic<std::size_t> stays_ = 0;     ///< of all rounds
    std::atomic<std::size_t> stopping_ = 0;  ///< who waits in stop()
};

}  // namespace aprotic::driver::bus
