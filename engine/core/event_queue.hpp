#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <aprotic/engine/core/ring.hpp>
#include <aprotic/engine/event.hpp>

namespace aprotic::engine::core {

/// A delivery has news; what they are is read from its record when the event is polled, so one entry does for many changes.
struct DeliveryNews {
    LinkId link;
    DeliveryId delivery;
};

/// Events in the order in which they came about. The frequent ones are small and kept in place; the others own their data.
class EventQueue {
public:
    using Entry = std::variant<std::monostate, LinkFlowed, DeliveryReceived, DeliveryNews, std::unique_ptr<Event>>;

    /// What an event with data counts for when buffers are measured. Bytes, roughly.
    static constexpr std::size_t event_cost = 1024;

    void push(LinkFlowed event) { entries_.push_back(event); }
    void push(DeliveryReceived event) { entries_.push_back(event); }
    void push(DeliveryNews news) { entries_.push_back(news); }
    void push(Event event) {
        entries_.push_back(std::make_unique<Event>(std::move(event)));
        ++large_;
    }

    bool empty() const noexcept { return entries_.empty(); }
    std::size_t cost() const noexcept { return entries_.size() * sizeof(Entry) + large_ * event_cost; }

    Entry pop() {
        Entry entry = entries_.pop_front();
        if (std::holds_alternative<std::unique_ptr<Event>>(entry)) --large_;
        return entry;
    }

private:
    Ring<Entry> entries_;
    std::size_t large_ = 0;
};

}  // namespace aprotic::engine::core
