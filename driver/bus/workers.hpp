#pragma once

#include <memory>

#include <aprotic/engine/function.hpp>

namespace aprotic::driver::bus {

/// Threads for methods: made when all others are busy, up to a number. Any thread.
class Workers {
public:
    explicit Workers(unsigned threads_max);
    ~Workers();  ///< stop(), and lets what runs finish alone
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    /// Queues a task; dropped after stop().
    void submit(engine::Function<void()> task);
    /// Takes no more tasks and drops what has not begun. Does not wait.
    void stop();
    /// After stop(): waits for what runs. Not on a worker's own thread.
    void join();
    bool on_worker_thread() const noexcept;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace aprotic::driver::bus
