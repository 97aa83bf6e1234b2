#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <aprotic/engine/core/ring.hpp>
#include <aprotic/engine/event.hpp>

namespace aprotic::engine::core {

/// Events in the order in which they came about. The frequent ones say only what to look at when they are polled; the
/// others own their data.
class EventQueue {
public:
    struct Entry {
        enum class Kind {
            flow,     ///< the link's credit has changed, or a drain ended
            receipt,  ///< of the delivery, or a part of it
            news,     ///< of the delivery: one entry does for many changes
            accepted,  ///< so many of the link's deliveries, which are in a queue of their own
            other
        };
        Kind kind = Kind::other;
        LinkId link;
        DeliveryId delivery;
        std::uint32_t count = 0;
        std::size_t cost = 0;
        std::unique_ptr<Event> event;
    };

    void push_flow(LinkId link) { add({Entry::Kind::flow, link, {}, 0, 0, nullptr}); }
    void push_receipt(LinkId link, DeliveryId delivery) { add({Entry::Kind::receipt, link, delivery, 0, 0, nullptr}); }
    void push_news(LinkId link, DeliveryId delivery) { add({Entry::Kind::news, link, delivery, 0, 0, nullptr}); }
    /// Joins those before it.
    void push_accepted(LinkId link, DeliveryId delivery) {
        const bool joins = !entries_.empty() && entries_.back().kind == Entry::Kind::accepted &&
                           entries_.back().link == link && entries_.back().count < DeliveriesAccepted::count_max;
        if (!joins) add({Entry::Kind::accepted, link, {}, 0, 0, nullptr});
        Entry& entry = entries_.back();
        ++entry.count;
        entry.cost += sizeof(DeliveryId);
        cost_ += sizeof(DeliveryId);
        accepted_.push_back(delivery);
    }
    /// `data_cost`: what the event's data take in memory, roughly.
    void push(Event event, std::size_t data_cost) {
        add({Entry::Kind::other, {}, {}, 0, sizeof(Event) + data_cost, std::make_unique<Event>(std::move(event))});
    }

    bool empty() const noexcept { return entries_.empty(); }
    /// Memory that all of them take, roughly. Bytes.
    std::size_t cost() const noexcept { return cost_; }

    const Entry& front() const noexcept { return entries_.front(); }
    /// What there is to look at is known; of one that owns nothing.
    void drop_front() noexcept {
        cost_ -= entries_.front().cost;
        entries_.drop_front();
    }
    Entry pop() {
        Entry entry = entries_.pop_front();
        cost_ -= entry.cost;
        return entry;
    }
    /// Once for each that an entry counts, as soon as it is popped.
    DeliveryId pop_accepted() { return accepted_.pop_front(); }

private:
    void add(Entry entry) {
        entry.cost += sizeof(Entry);
        cost_ += entry.cost;
        entries_.push_back(std::move(entry));
    }

    Ring<Entry> entries_;
    Ring<DeliveryId> accepted_;  // of all entries
    std::size_t cost_ = 0;
};

}  // namespace aprotic::engine::core
