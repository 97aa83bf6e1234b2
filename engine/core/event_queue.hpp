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
            flow,      ///< the link's credit has changed, or a drain ended
            receipt,   ///< of so many of the link's deliveries, or of parts of them
            news,      ///< of the delivery: one entry does for many changes
            accepted,  ///< so many of the link's deliveries, by the peer, who has settled them
            sent,      ///< so many of the link's deliveries, settled
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
    /// Joins those before it.
    void push_receipt(LinkId link, DeliveryId delivery) {
        push_joined(Entry::Kind::receipt, link, delivery, UINT32_MAX);
    }
    void push_news(LinkId link, DeliveryId delivery) { add({Entry::Kind::news, link, delivery, 0, 0, nullptr}); }
    /// Joins those before it.
    void push_settled(LinkId link, DeliveryId delivery, bool accepted) {
        push_joined(accepted ? Entry::Kind::accepted : Entry::Kind::sent, link, delivery, DeliveriesSettled::count_max);
    }
    /// `data_cost`: what the event's data take in memory, roughly.
    void push(Event event, std::size_t data_cost) {
        add({Entry::Kind::other, {}, {}, 0, sizeof(Event) + data_cost, std::make_unique<Event>(std::move(event))});
    }

    bool empty() const noexcept { return entries_.empty(); }
    /// Memory that all of them take, roughly. Bytes.
    std::size_t cost() const noexcept { return cost_; }

    /// The link of which receipts come next; null: something else does, or nothing.
    const LinkId* next_receipt() const noexcept {
        return !empty() && entries_.front().kind == Entry::Kind::receipt ? &entries_.front().link : nullptr;
    }
    /// Only while there is one.
    DeliveryId pop_receipt() noexcept {
        Entry& entry = entries_.front();
        if (--entry.count == 0) {
            cost_ -= entry.cost;
            entries_.drop_front();
        }
        return pop_joined();
    }
    /// Of another kind.
    Entry pop() {
        Entry entry = entries_.pop_front();
        cost_ -= entry.cost;
        return entry;
    }
    /// Once for each that the entry which was popped counts.
    DeliveryId pop_settled() noexcept { return pop_joined(); }

private:
    void push_joined(Entry::Kind kind, LinkId link, DeliveryId delivery, std::uint32_t count_max) {
        const bool joins = !entries_.empty() && entries_.back().kind == kind && entries_.back().link == link &&
                           entries_.back().count < count_max;
        if (!joins) add({kind, link, {}, 0, 0, nullptr});
        ++entries_.back().count;
        cost_ += sizeof(DeliveryId);
        joined_.push_back(delivery);
    }
    DeliveryId pop_joined() noexcept {
        cost_ -= sizeof(DeliveryId);
        return joined_.pop_front();
    }
    void add(Entry entry) {
        entry.cost += sizeof(Entry);
        cost_ += entry.cost;
        entries_.push_back(std::move(entry));
    }

    Ring<Entry> entries_;
    Ring<DeliveryId> joined_;  // of all entries that count them, in their order
    std::size_t cost_ = 0;
};

}  // namespace aprotic::engine::core
