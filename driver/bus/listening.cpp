#include <aprotic/driver/bus/listening.hpp>

#include <atomic>
#include <utility>

#include <aprotic/driver/bus/workers.hpp>

namespace aprotic::driver::bus {

/// From a start to its stop.
struct Listening::Round {
    std::shared_ptr<Workers> workers;  ///< null without threads
    std::shared_ptr<Inbound> inbound;  ///< its methods: reactor's thread
    std::atomic<bool> stopping = false;
    std::atomic<std::size_t> stays = 0;
    // Under the mutex.
    bool draining = false;
    bool drained = false;
    bool closed = false;
    bool ready = false;  ///< all links are open
    std::optional<CallFailure> obstacle;
};

Listening::Stay::Stay(std::shared_ptr<Listening> owner, RoundPtr round)
    : owner_(std::move(owner)), round_(std::move(round)) {
    ++round_->stays;
    ++owner_->stays_;
}

Listening::Stay::~Stay() {
    if (!owner_) return;
    --round_->stays;
    --owner_->stays_;
    // Whoever waits has said so before it looked.
    if (owner_->stopping_ > 0) {
        const std::lock_guard lock(owner_->mutex_);
        owner_->changed_.notify_all();
    }
    if (!round_->stopping) return;
    if (owner_->bus_->post([self = owner_, at = round_](Bus& bus) { self->close_when_over(at, bus); })) return;
    const std::lock_guard lock(owner_->mutex_);
    round_->closed = true;
    owner_->changed_.notify_all();
}

Listening::Listening(std::shared_ptr<Bus> on, std::string name, unsigned threads)
    : bus_(std::move(on)), name_(std::move(name)), threads_(threads) {}

void Listening::start(Subscription subscription) {
    const std::lock_guard lock(mutex_);
    if (round_) return;
    const auto round = round_ = std::make_shared<Round>();
    if (threads_ > 0) round->workers = std::make_shared<Workers>(threads_);
    Inbound::Callbacks callbacks;
    callbacks.message = [weak = weak_from_this(), of = std::weak_ptr(round)](engine::Delivery delivery) {
        const auto self = weak.lock();
        const auto at = of.lock();
        // Dropped, it is released.
        if (self && at && !at->stopping) self->bus_->tell([&] { self->take(std::move(delivery), at); });
    };
    callbacks.state = [weak = weak_from_this(), of = std::weak_ptr(round)](bool ready, std::optional<CallFailure> why) {
        const auto self = weak.lock();
        const auto at = of.lock();
        if (!self || !at) return;
        const std::lock_guard held(self->mutex_);
        at->ready = ready;
        at->obstacle = std::move(why);
        self->changed_.notify_all();
    };
    round->inbound = std::make_shared<Inbound>(*bus_, std::move(subscription), std::move(callbacks));
    bus_->post([links = round->inbound](Bus& on) { on.add(links); });
}

/// What runs answers on the links, so they go after it. Reactor's thread.
void Listening::close_when_over(const RoundPtr& round, Bus& bus) {
    {
        const std::lock_guard lock(mutex_);
        if (!round->drained || round->stays > 0 || std::exchange(round->closed, true)) return;
    }
    bus.remove(round->inbound);
    changed_.notify_all();
}

void Listening::begin_drain(const RoundPtr& round) {
    // Should the transport be closed before it comes to it, there are no links to wait for.
    std::shared_ptr<Round> told(round.get(), [self = shared_from_this(), round](Round*) {
        const std::lock_guard lock(self->mutex_);
        if (!round->draining) round->closed = true;
        self->changed_.notify_all();
    });
    bus_->post([self = shared_from_this(), round, told = std::move(told)](Bus& on) {
        {
            const std::lock_guard lock(self->mutex_);
            round->draining = true;
        }
        self->drop_waiting();
        round->inbound->drain([self, round, &on] {
            {
                const std::lock_guard lock(self->mutex_);
                round->drained = true;
            }
            self->close_when_over(round, on);
        });
    });
}

Result<void> Listening::stop(Duration timeout, bool and_links) {
    RoundPtr round;
    {
        const std::lock_guard lock(mutex_);
        round = std::exchange(round_, nullptr);
        if (round) round->stopping = true;
    }
    if (round) begin_drain(round);
    const auto workers = round ? round->workers : nullptr;
    // What no worker has begun is dropped here, which releases it.
    if (workers) workers->stop();

    CallFailure failure;
    failure.address = name_;
    {
        struct Waiting {
            std::atomic<std::size_t>& count;
            explicit Waiting(std::atomic<std::size_t>& of) : count(of) { ++count; }
            ~Waiting() { --count; }
        } waiting(stopping_);
        std::unique_lock lock(mutex_);
        const bool needed = bus_->on_reactor_thread() || (workers && workers->on_worker_thread());
        if (needed && stays_ == 0) return {};
        if (needed) {
            failure.code = Errc::would_deadlock;
            failure.text = "what has begun goes on, and this thread is needed to end it";
            return failure;
        }
        if (changed_.wait_for(lock, timeout, [&] { return stays_ == 0 && (!and_links || !round || round->closed); })) {
            lock.unlock();
            if (workers) workers->join();
            return {};
        }
    }
    failure.code = Errc::timed_out;
    failure.elapsed = timeout;
    failure.text = "what has begun goes on, and is answered";
    return failure;
}

bool Listening::is_ready() const {
    const std::lock_guard lock(mutex_);
    return round_ && round_->ready;
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
    if (!changed_.wait_for(lock, timeout, [this] { return !round_ || round_->ready; })) {
        failure.code = Errc::timed_out;
        failure.text = "the peer has not answered the attach of our links";
        if (round_->obstacle) failure = *round_->obstacle;
        failure.elapsed = timeout;
        return failure;
    }
    if (round_) return {};
    failure.code = Errc::closed;
    failure.text = "it is stopped";
    return failure;
}

Listening::Stay Listening::enter() {
    const std::lock_guard lock(mutex_);
    return round_ ? Stay(shared_from_this(), round_) : Stay();
}

void Listening::run(const Stay& stay, engine::Function<void()> task) {
    if (!stay.round_) return;
    if (stay.round_->workers)
        stay.round_->workers->submit(std::move(task));
    else
        task();
}

}  // namespace aprotic::driver::bus
