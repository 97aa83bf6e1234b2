#include <aprotic/engine/core/unsettled.hpp>

#include <algorithm>
#include <utility>

namespace aprotic::engine::core {

using codec::SerialNumber;

void Unsettled::find_range(std::uint32_t first, std::uint32_t last, std::vector<Delivery*>& found) const {
    const std::int32_t distance = SerialNumber(last).distance_from(SerialNumber(first));
    if (distance < 0) return;
    const auto steps = static_cast<std::uint32_t>(distance);
    if (steps < table_.size()) {
        for (std::uint32_t step = 0; step <= steps; ++step) {
            if (Delivery* const delivery = table_.find(first + step)) found.push_back(delivery);
        }
        return;
    }
    const std::size_t before = found.size();
    table_.for_each([&](std::uint32_t number, Delivery& delivery) {
        if (number - first <= steps) found.push_back(&delivery);
    });
    std::sort(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(),
              [&](const Delivery* a, const Delivery* b) { return a->number - first < b->number - first; });
}

namespace {

bool are_equal(const std::optional<codec::DeliveryState>& a, const std::optional<codec::DeliveryState>& b) {
    const bool both_accepted =
        a && b && std::holds_alternative<codec::Accepted>(*a) && std::holds_alternative<codec::Accepted>(*b);
    return both_accepted || a == b;
}

}  // namespace

void DispositionQueue::add(Delivery& delivery, bool settled, std::optional<codec::DeliveryState>&& state) {
    if (!ranges_.empty() && delivery.disposition_epoch != epoch_) {
        // As it nearly always is: the neighbour of the last one, with the same news.
        Range& last = ranges_.back();
        if (last.epoch == epoch_ && last.last + 1 == delivery.number && last.settled == settled &&
            are_equal(last.state, state)) {
            delivery.disposition_epoch = epoch_;
            last.last = delivery.number;
            return;
        }
    }
    if (ranges_.empty()) {
        ++epoch_;
        sorted_ = true;
    } else if (delivery.disposition_epoch == epoch_) {
        ++epoch_;
    }
    delivery.disposition_epoch = epoch_;
    Range range{epoch_, delivery.number, delivery.number, settled, std::move(state)};
    if (!ranges_.empty() && try_join(ranges_.back(), range)) return;
    if (!ranges_.empty()) {
        const Range& last = ranges_.back();
        const bool behind = last.epoch < epoch_ || SerialNumber(last.last).is_before(SerialNumber(range.first));
        sorted_ = sorted_ && behind;
    }
    ranges_.push_back(std::move(range));
}

const std::vector<DispositionQueue::Range>& DispositionQueue::merged() {
    if (sorted_ || ranges_.empty()) return ranges_;
    std::stable_sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
        if (a.epoch != b.epoch) return a.epoch < b.epoch;
        return SerialNumber(a.first).is_before(SerialNumber(b.first));
    });
    std::size_t kept = 0;
    for (std::size_t i = 1; i < ranges_.size(); ++i) {
        if (try_join(ranges_[kept], ranges_[i])) continue;
        if (++kept != i) ranges_[kept] = std::move(ranges_[i]);
    }
    ranges_.resize(kept + 1);
    sorted_ = true;
    return ranges_;
}

void DispositionQueue::pop(std::size_t count) {
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(count));
}

bool DispositionQueue::try_join(Range& earlier, const Range& later) const {
    if (earlier.epoch != later.epoch || earlier.last + 1 != later.first || earlier.settled != later.settled ||
        !are_equal(earlier.state, later.state)) {
        return false;
    }
    earlier.last = later.last;
    return true;
}

}  // namespace aprotic::engine::core
