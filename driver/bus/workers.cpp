#include <aprotic/driver/bus/workers.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace aprotic::driver::bus {

struct Workers::State {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<engine::Function<void()>> tasks;
    std::vector<std::thread> threads;
    unsigned threads_max = 0;
    unsigned idle = 0;
    bool stopped = false;

    /// Whose worker this thread is.
    static thread_local const State* here;

    void run() {
        here = this;
        std::unique_lock lock(mutex);
        while (true) {
            ++idle;
            wake.wait(lock, [this] { return stopped || !tasks.empty(); });
            --idle;
            if (tasks.empty()) return;
            auto task = std::move(tasks.front());
            tasks.pop_front();
            lock.unlock();
            task();
            task = nullptr;  // what it holds goes outside the lock
            lock.lock();
        }
    }
};

thread_local const Workers::State* Workers::State::here = nullptr;

Workers::Workers(unsigned threads_max) : state_(std::make_shared<State>()) { state_->threads_max = threads_max; }

Workers::~Workers() {
    stop();
    for (auto& thread : state_->threads) thread.detach();
}

void Workers::submit(engine::Function<void()> task) {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopped) return;
    state_->tasks.push_back(std::move(task));
    if (state_->tasks.size() > state_->idle && state_->threads.size() < state_->threads_max)
        state_->threads.emplace_back([state = state_] { state->run(); });
    else
        state_->wake.notify_one();
}

void Workers::stop() {
    std::deque<engine::Function<void()>> dropped;
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopped = true;
        dropped.swap(state_->tasks);
    }
    state_->wake.notify_all();
}

void Workers::join() {
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock(state_->mutex);
        threads.swap(state_->threads);
    }
    for (auto& thread : threads) thread.join();
}

bool Workers::on_worker_thread() const noexcept { return State::here == state_.get(); }

}  // namespace aprotic::driver::bus
