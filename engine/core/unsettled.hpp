#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/engine/core/delivery_record.hpp>
#include <aprotic/engine/core/id_table.hpp>

namespace aprotic::engine::core {

/// The deliveries of one session and one direction that a disposition may still name, by delivery-id. Owns nothing.
class Unsettled {
public:
    void insert(Delivery& delivery) { table_.insert(delivery.number, delivery); }
    void erase(const Delivery& delivery) noexcept { table_.erase(delivery.number, delivery); }
    Delivery* find(std::uint32_t number) const noexcept { return table_.find(number); }
    std::size_t size() const noexcept { return table_.size(); }

    /// Puts the deliveries in [first, last] into `found`, in their order. The work is bounded by what is unsettled,
    /// however wide the range; a range that runs backwards is empty. [2.7.6-b, -d]
    void find_range(std::uint32_t first, std::uint32_t last, std::vector<Delivery*>& found) const;

private:
    IdTable<Delivery> table_;
};

/// What we have to tell about deliveries of one session and one direction: neighbours with the same news leave as one
/// range, in whatever order they were settled. [2.6.12]
class DispositionQueue {
public:
    struct Range {
        std::uint32_t epoch = 0;
        std::uint32_t first = 0;
        std::uint32_t last = 0;
        bool settled = false;
        std::optional<codec::DeliveryState> state;
    };

    void add(Delivery& delivery, bool settled, std::optional<codec::DeliveryState>&& state);
    /// add() of one that is settled as accepted and goes on as the last one did, which is nearly always so. False, and
    /// nothing has happened: it is otherwise.
    bool add_accepted(const Delivery& delivery) noexcept {
        if (ranges_.empty() || delivery.disposition_epoch == epoch_) return false;
        Range& last = ranges_.back();
        const bool goes_on = last.last + 1 == delivery.number && last.settled && last.epoch == epoch_ && last.state &&
                             std::holds_alternative<codec::Accepted>(*last.state);
        if (goes_on) last.last = delivery.number;
        return goes_on;
    }
    bool empty() const noexcept { return ranges_.empty(); }
    /// Joins what can be joined and returns the ranges in the order in which they must be told.
    const std::vector<Range>& merged();
    /// Forgets the first `count` ranges: they are told.
    void pop(std::size_t count);

private:
    bool try_join(Range& earlier, const Range& later) const;

    std::vector<Range> ranges_;
    // Two states of one delivery must be told in their order, so ranges are sorted by delivery-id within an epoch only,
    // and a delivery that has something to tell already begins a new one.
    std::uint32_t epoch_ = 1;
    bool sorted_ = true;
};

}  // namespace aprotic::engine::core
