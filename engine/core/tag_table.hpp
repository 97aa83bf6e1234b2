#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include <aprotic/engine/core/delivery_record.hpp>

namespace aprotic::engine::core {

/// The unsettled deliveries of one link by their tag. Owns nothing; a steady population allocates nothing.
class TagTable {
public:
    Delivery* find(const codec::DeliveryTag& tag) const noexcept {
        if (places_.empty()) return nullptr;
        for (std::size_t at = home(tag);; at = (at + 1) & mask()) {
            if (places_[at] == nullptr || places_[at]->tag == tag) return places_[at];
        }
    }

    /// The tag must not be in the table.
    void insert(Delivery& delivery) {
        if ((size_ + 1) * 2 > places_.size()) grow();
        put(delivery);
        ++size_;
    }

    /// Does nothing if the delivery is not in the table.
    void erase(const Delivery& delivery) noexcept {
        if (find(delivery.tag) != &delivery) return;
        std::size_t at = home(delivery.tag);
        while (places_[at] != &delivery) at = (at + 1) & mask();
        // Close the gap: move up whatever would not be found any more.
        for (std::size_t next = (at + 1) & mask(); places_[next] != nullptr; next = (next + 1) & mask()) {
            const std::size_t distance_home = (next - home(places_[next]->tag)) & mask();
            if (distance_home >= ((next - at) & mask())) {
                places_[at] = places_[next];
                at = next;
            }
        }
        places_[at] = nullptr;
        --size_;
    }

private:
    std::size_t mask() const noexcept { return places_.size() - 1; }
    std::size_t home(const codec::DeliveryTag& tag) const noexcept {
        return std::hash<std::string_view>{}(tag.text()) & mask();
    }
    void put(Delivery& delivery) noexcept {
        std::size_t at = home(delivery.tag);
        while (places_[at] != nullptr) at = (at + 1) & mask();
        places_[at] = &delivery;
    }
    void grow() {
        std::vector<Delivery*> smaller(places_.empty() ? 16 : places_.size() * 2);  // a power of two, for the mask
        smaller.swap(places_);  // from here on it is the smaller one
        for (Delivery* const delivery : smaller) {
            if (delivery != nullptr) put(*delivery);
        }
    }

    std::vector<Delivery*> places_;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
