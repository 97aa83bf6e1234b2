#include <aprotic/driver/bus/listening.hpp>

#include <utility>

namespace aprotic::driver::bus {

Listening::Listening(std::shared_ptr<Bus> on, std::string name, unsigned threads)
    : bus_(std::move(on)), name_(std::move(name)), threads_(threads) {}

void Listening::start(Subscription subscription) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(started_, true)) return;
    ready_ = false;
    obstacle_.reset();
    if (threads_ > 0) workers_ = std::make_shared<Workers>(threads_);
    Inbound::Callbacks callbacks;
    callbacks.message = [weak = weak_from_this()](engine::Delivery delivery) {
        if (const auto self = weak.lock()) self->take(std::move(delivery));
    };
    callbacks.state = [weak = weak_from_this()](bool ready, std::optional<CallFailure> why) {
        const auto self = weak.lock();
        if (!self) return;
        const std::lock_guard held(self->mutex_);
        self->ready_ = ready && self->started_;
        self->obstacle_ = std::move(why);
        self->changed_.notify_all();
    };
    inbound_ = std::make_shared<Inbound>(*bus_, std::move(subscription), std::move(callbacks));
    bus_->post([links = inbound_](Bus& on) { on.add(links); });
}

Result<void> Listening::stop(Duration timeout) {
    std::shared_ptr<Workers> pool;
    std::shared_ptr<Inbound> links;
    {
        const std::lock_guard lock(mutex_);
        started_ = ready_ = false;
        pool = std::move(workers_);
        links = std::move(inbound_);
    }
    if (links)
        bus_->post([links, weak = weak_from_this()](Bus& on) {
            on.remove(links);
            if (const auto self = weak.lock()) self->drop_waiting();
        });
    // What no worker has begun is dropped here, which releases it.
    if (pool) pool->stop();

    CallFailure failure;
    failure.address = name_;
    {
        std::unique_lock lock(mutex_);
        if (running_ > 0 && (bus_->on_reactor_thread() || (pool && pool->on_worker_thread()))) {
            failure.code = Errc::would_deadlock;
            failure.text = "endpoints still run, and this thread is needed to end them";
            return failure;
        }
        if (changed_.wait_for(lock, timeout, [this] { return running_ == 0; })) {
            lock.unlock();
            if (pool) pool->join();
            return {};
        }
    }
    failure.code = Errc::timed_out;
    failure.elapsed = timeout;
    failure.text = "endpoints still run; they go on";
    return failure;
}

bool Listening::is_ready() const {
    const std::lock_guard lock(mutex_);
    return ready_;
}

Result<void> Listening::wait_ready(Duration timeout) const {
    CallFailure failure;
    failure.address = name_;
    if (bus_->on_reactor_thread()) {
        failure.code = Errc::would_deadlock;
        failure.text = "wait_ready on the reactor's own thread; ask is_ready later";
        return failure;
    }
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, timeout, [this] { return ready_ || !started_; })) {
        failure.code = Errc::timed_out;
        failure.text = "the peer has not answered the attach of the listener's links";
        if (obstacle_) failure = *obstacle_;
        failure.elapsed = timeout;
        return failure;
    }
    if (ready_) return {};
    failure.code = Errc::closed;
    failure.text = "the listener is stopped";
    return failure;
}

void Listening::run(engine::Function<void()> task) {
    std::shared_ptr<Workers> pool;
    {
        const std::lock_guard lock(mutex_);
        if (!started_) return;
        pool = workers_;
    }
    if (pool)
        pool->submit(std::move(task));
    else
        task();
}

void Listening::begun() {
    const std::lock_guard lock(mutex_);
    ++running_;
}

void Listening::finished() {
    const std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
}

}  // namespace aprotic::driver::bus
