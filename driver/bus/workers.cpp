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
    unsigned coming = 0;  ///< threads that were woken or made and have not come to the queue yet
    bool stopped = false;

    /// Whose worker this thread is.
    static thread_local const State* here;

    /// One thread at a time is called, and calls the next when it has taken a task and others wait: so short tasks that
    /// come together are done by few threads, and a long one keeps nobody waiting. Under the lock; true: one that is
    /// idle has to be notified, without it.
    [[nodiscard]] static bool call_one(const std::shared_ptr<State>& self) {
        if (self->tasks.empty() || self->coming > 0) return false;
        if (self->idle > 0) {
            ++self->coming;
            return true;
        }
        if (self->threads.size() < self->threads_max) {
            self->threads.emplace_back([self] { run(self); });
            ++self->coming;
        }
        return false;
    }

    static void run(const std::shared_ptr<State>& self) {
        here = self.get();
        std::unique_lock lock(self->mutex);
        self->arrive();
        while (true) {
            while (self->tasks.empty()) {
                if (self->stopped) return;
                ++self->idle;
                self->wake.wait(lock);
                --self->idle;
                self->arrive();
            }
            auto task = std::move(self->tasks.front());
            self->tasks.pop_front();
            const bool notify = call_one(self);
            lock.unlock();
            if (notify) self->wake.notify_one();
            task();
            task = nullptr;  // what it holds goes outside the lock
            lock.lock();
        }
    }

    /// Also when nobody called: then one more is called than had to be.
    void arrive() { coming -= coming > 0 ? 1 : 0; }
};

thread_local const Workers::State* Workers::State::here = nullptr;

Workers::Workers(unsigned threads_max) : state_(std::make_shared<State>()) { state_->threads_max = threads_max; }

Workers::~Workers() {
    stop();
    for (auto& thread : state_->threads) thread.detach();
}

void Workers::submit(engine::Function<void()> task) {
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->stopped) return;
        state_->tasks.push_back(std::move(task));
        if (!State::call_one(state_)) return;
    }
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
