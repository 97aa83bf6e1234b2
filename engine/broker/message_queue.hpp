#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <aprotic/engine/broker/backlog.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine::broker {

/// Takes messages from a queue. Whoever implements it is owned elsewhere and removes itself from the queue in time.
class Consumer {
public:
    virtual ~Consumer() = default;
    /// Deliveries it would take now.
    virtual std::uint32_t room() const = 0;
    /// Hands an acquired message over; it comes back by MessageQueue::retire() or put_back().
    virtual void deliver(StoredPtr stored) = 0;
    /// Shows a message that stays where it is.
    virtual void show(const Stored& stored) = 0;

    ConsumerId id = 0;     ///< unique in the broker
    bool browses = false;  ///< shown every message once, acquires none [3.5.2]

private:
    friend class MessageQueue;
    bool in_turn_ = false;
    std::uint64_t shown_ = 0;
};

/// A backlog and the consumers that share it, served in turn.
class MessageQueue : public std::enable_shared_from_this<MessageQueue> {
public:
    /// `on_less` is called whenever messages have gone.
    MessageQueue(Reactor& reactor, std::shared_ptr<Spares> spares, Function<void()> on_less);
    ~MessageQueue();

    void push(StoredPtr stored);
    /// The same while it passes_through().
    void push_through(StoredPtr stored);
    void retire(StoredPtr stored);
    void put_back(StoredPtr stored);
    bool drop_oldest();

    void add(Consumer& consumer);
    void remove(Consumer& consumer);
    /// The consumer has room again.
    void resume(Consumer& consumer);

    /// A message pushed now would leave at once.
    bool passes_through() const;
    const Backlog& backlog() const noexcept { return backlog_; }
    std::size_t consumers() const noexcept { return consumers_.size(); }
    /// The node is gone: nobody is told any more.
    void orphan();

    /// Hands out what there is now, as far as consumers have room.
    void dispatch();

private:
    /// What messages expire by; the clock is not asked when none does.
    Instant now() const { return backlog_.can_expire() ? reactor_.now() : Instant(); }
    void dispatch_soon();
    void show(Consumer& consumer);
    void arm(Instant expires);
    void sweep();
    void tell_less() {
        if (on_less_) on_less_();
    }

    Reactor& reactor_;
    const std::shared_ptr<Spares> spares_;
    Function<void()> on_less_;
    Backlog backlog_;
    std::vector<Consumer*> consumers_;
    std::vector<Consumer*> browsers_;  // those of consumers_ that browse
    std::deque<Consumer*> turns_;      // those of consumers_ that acquire and may have room, each once
    bool dispatching_ = false;
    bool dispatch_due_ = false;
    Reactor::TimerId timer_ = 0;
    Instant armed_for_{};
    Instant not_before_{};
};

}  // namespace aprotic::engine::broker
