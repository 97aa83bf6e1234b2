#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/inbound.hpp>
#include <aprotic/driver/bus/workers.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver::bus {

/// Links that come back after every loss, threads that do the work, and an orderly end. Any thread, unless said
/// otherwise.
class Listening : public std::enable_shared_from_this<Listening> {
public:
    /// `name` is for failures; without `threads` all work is done on the reactor's.
    Listening(std::shared_ptr<Bus> bus, std::string name, unsigned threads);
    virtual ~Listening() = default;
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

    /// Begins to listen; nothing when that has begun.
    void start(Subscription subscription);
    /// Closes the links, drops what no thread has begun, and waits up to `timeout` for the rest.
    Result<void> stop(Duration timeout);
    bool is_ready() const;
    Result<void> wait_ready(Duration timeout) const;

protected:
    /// A message came. Dropped unanswered it is released. Reactor's thread.
    virtual void take(engine::Delivery delivery) = 0;
    /// What was taken and not begun is to be dropped. Reactor's thread.
    virtual void drop_waiting() {}

    /// Has a worker run `task`; without workers it runs now. Dropped when it has been stopped.
    void run(engine::Function<void()> task);
    /// Between these two stop() waits.
    void begun();
    void finished();
    Bus& bus() const noexcept { return *bus_; }

private:
    const std::shared_ptr<Bus> bus_;
    const std::string name_;
    const unsigned threads_;

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    bool started_ = false;
    std::shared_ptr<Workers> workers_;  ///< null without threads, and when stopped
    std::shared_ptr<Inbound> inbound_;  ///< its methods: reactor's thread
    std::size_t running_ = 0;           ///< begun and not finished
    bool ready_ = false;
    std::optional<CallFailure> obstacle_;
};

}  // namespace aprotic::driver::bus
