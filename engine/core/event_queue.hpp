#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <aprotic/engine/core/ring.hpp>
#include <aprotic/engine/event.hpp>

namespace aprotic::engine::core {

/// A delivery has news; what they are is read from its record when the event is polled, so one entry does for many
/// changes.
struct DeliveryNews {
    LinkId link;
    DeliveryId delivery;
};

/// A link's credit has changed, or a drain ended; read when polled.
struct FlowNews {
    LinkId link;
};

/// Events in the order in which they came about. The frequent ones are small and kept in place; the others own their
/// data.
class EventQueue {
public:
    using Entry = std::variant<std::monostate, FlowNews, DeliveryReceived, DeliveryNews, std::unique_ptr<Event>>;

    void push(FlowNews news) { add(news, 0); }
    void push(DeliveryReceived event) { add(event, 0); }
    void push(DeliveryNews news) { add(news, 0); }
    /// `data_cost`: what the event's data take in memory, roughly.
    void push(Event event, std::size_t data_cost) {
        add(std::make_unique<Event>(std::move(event)), sizeof(Event) + data_cost);
    }

    bool empty() const noexcept { return entries_.empty(); }
    /// Memory that all of them take, roughly. Bytes.
    std::size_t cost() const noexcept { return cost_; }

    Entry pop() {
        Place place = entries_.pop_front();
        cost_ -= place.cost;
        return std::move(place.entry);
    }

private:
    struct Place {
        Entry entry;
        std::size_t cost = 0;
    };

    void add(Entry entry, std::size_t cost) {
        cost += sizeof(Place);
        cost_ += cost;
        entries_.push_back({std::move(entry), cost});
    }

    Ring<Place> entries_;
    std::size_t cost_ = 0;
};

}  // namespace aprotic::engine::core
