#pragma once

#include <cstddef>
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
            other
        };
        Kind kind = Kind::other;
        LinkId link;
        DeliveryId delivery;
        std::size_t cost = 0;
        std::unique_ptr<Event> event;
    };

    void push_flow(LinkId link) { add({Entry::Kind::flow, link, {}, 0, nullptr}); }
    void push_receipt(LinkId link, DeliveryId delivery) { add({Entry::Kind::receipt, link, delivery, 0, nullptr}); }
    void push_news(LinkId link, DeliveryId delivery) { add({Entry::Kind::news, link, delivery, 0, nullptr}); }
    /// `data_cost`: what the event's data take in memory, roughly.
    void push(Event event, std::size_t data_cost) {
        add({Entry::Kind::other, {}, {}, sizeof(Event) + data_cost, std::make_unique<Event>(std::move(event))});
    }

    bool empty() const noexcept { return entries_.empty(); }
    /// Memory that all of them take, roughly. Bytes.
    std::size_t cost() const noexcept { return cost_; }

    Entry pop() {
        Entry entry = entries_.pop_front();
        cost_ -= entry.cost;
        return entry;
    }

private:
    void add(Entry entry) {
        entry.cost += sizeof(Entry);
        cost_ += entry.cost;
        entries_.push_back(std::move(entry));
    }

    Ring<Entry> entries_;
    std::size_t cost_ = 0;
};

}  // namespace aprotic::engine::core
