#include <aprotic/engine/broker/message_queue.hpp>

#include <algorithm>
#include <utility>

namespace aprotic::engine::broker {

namespace {
// A sweep looks at every message, so it comes at most this often. What has expired is never delivered in between; it
// only occupies its place a little longer.
constexpr Duration sweep_pause = std::chrono::seconds(1);
}  // namespace

MessageQueue::MessageQueue(Reactor& reactor, std::shared_ptr<Spares> spares, Function<void()> on_less)
    : reactor_(reactor), spares_(std::move(spares)), on_less_(std::move(on_less)) {}

MessageQueue::~MessageQueue() {
    if (timer_ != 0) reactor_.cancel_timer(timer_);
}

void MessageQueue::push(StoredPtr stored) {
    const auto expires = stored->expires;
    backlog_.append(std::move(stored));
    dispatch();
    if (expires && backlog_.available() != 0) arm(*expires);
}

void MessageQueue::push_through(StoredPtr stored) {
    // Browsers come first, and others than the first in turn want a choice.
    if (turns_.size() != 1 || !browsers_.empty() || dispatching_ || stored->expires) return push(std::move(stored));
    backlog_.append_acquired(*stored);
    dispatching_ = true;
    turns_.front()->deliver(std::move(stored));
    dispatching_ = false;
    if (backlog_.available() != 0) dispatch();  // it has come back
}

void MessageQueue::retire(StoredPtr stored) {
    backlog_.retire(*stored);
    spares_->give_back(std::move(stored));
    tell_less();
}

void MessageQueue::put_back(StoredPtr stored) {
    // Who has left is not refused anything any more; so the list is never longer than the list of consumers. [3.4.5-c]
    std::erase_if(stored->unwanted_by, [&](ConsumerId id) {
        return std::ranges::none_of(consumers_, [&](const Consumer* c) { return c->id == id; });
    });
    const auto expires = stored->expires;
    backlog_.put_back(std::move(stored));
    if (expires) arm(*expires);
    dispatch_soon();
}

bool MessageQueue::drop_oldest() { return backlog_.drop_oldest(); }

void MessageQueue::add(Consumer& consumer) {
    consumers_.push_back(&consumer);
    if (consumer.browses) browsers_.push_back(&consumer);
    resume(consumer);
}

void MessageQueue::remove(Consumer& consumer) {
    std::erase(consumers_, &consumer);
    std::erase(browsers_, &consumer);
    std::erase(turns_, &consumer);
    consumer.in_turn_ = false;
}

void MessageQueue::resume(Consumer& consumer) {
    if (consumer.browses) return show(consumer);
    if (!consumer.in_turn_) {
        consumer.in_turn_ = true;
        turns_.push_back(&consumer);
    }
    if (backlog_.available() != 0) dispatch_soon();
}

bool MessageQueue::passes_through() const {
    return backlog_.available() == 0 && !turns_.empty() && turns_.front()->room() != 0;
}

void MessageQueue::orphan() {
    on_less_ = {};
    if (timer_ != 0) reactor_.cancel_timer(std::exchange(timer_, 0));
}

/// A consumer's new credit and the messages it gives back come in one read, in this order, and what comes back seldom
/// comes alone. Only when all of it is in its place does anything go out, or the order of the messages would be lost.
void MessageQueue::dispatch_soon() {
    if (std::exchange(dispatch_due_, true)) return;
    reactor_.post([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->dispatch_due_ = false;
        self->dispatch();
    });
}

void MessageQueue::dispatch() {
    // A consumer that cannot take its message gives it back from inside deliver(); the loop that called it goes on with
    // it.
    if (dispatching_) return;
    dispatching_ = true;
    const auto before = backlog_.messages();
    const Instant now = this->now();
    for (auto* browser : browsers_) show(*browser);
    std::size_t refusals = 0;
    while (backlog_.available() != 0 && refusals < turns_.size()) {
        Consumer& consumer = *turns_.front();
        turns_.pop_front();
        if (consumer.room() == 0) {
            consumer.in_turn_ = false;
            continue;
        }
        turns_.push_back(&consumer);
        StoredPtr stored = backlog_.acquire(consumer.id, now);
        if (stored == nullptr) {
            ++refusals;
            continue;
        }
        refusals = 0;
        consumer.deliver(std::move(stored));
    }
    dispatching_ = false;
    if (backlog_.messages() < before) tell_less();
}

void MessageQueue::show(Consumer& consumer) {
    const Instant now = this->now();
    while (consumer.room() != 0) {
        const Stored* next = backlog_.next_after(consumer.shown_, now);
        if (next == nullptr) return;
        consumer.shown_ = next->sequence;
        consumer.show(*next);
    }
}

void MessageQueue::arm(Instant expires) {
    expires = std::max(expires, not_before_);
    if (timer_ != 0 && armed_for_ <= expires) return;
    if (timer_ != 0) reactor_.cancel_timer(timer_);
    armed_for_ = expires;
    timer_ = reactor_.start_timer(expires, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->sweep();
    });
}

void MessageQueue::sweep() {
    timer_ = 0;
    const auto before = backlog_.messages();
    const Instant now = reactor_.now();
    not_before_ = now + sweep_pause;
    if (const auto next = backlog_.expire(now)) arm(*next);
    if (backlog_.messages() < before) tell_less();
}

}  // namespace aprotic::engine::broker
