#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace aprotic::engine::core {

/// Objects by a 32-bit number of the wire: handles, delivery-ids. Open addressing; the numbers of a session rise one by
/// one, so its places are found at the first try, and a steady population allocates nothing. Owns nothing.
template <class T>
class IdTable {
public:
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    T* find(std::uint32_t number) const noexcept {
        if (places_.empty()) return nullptr;
        for (std::size_t at = home(number);; at = (at + 1) & mask()) {
            if (places_[at].object == nullptr) return nullptr;
            if (places_[at].number == number) return places_[at].object;
        }
    }

    /// A number that is in the table already stays; find() then gives either of the two.
    void insert(std::uint32_t number, T& object) {
        if ((size_ + 1) * 2 > places_.size()) grow();
        put(number, object);
        ++size_;
    }

    /// Does nothing if the object is not in the table under this number.
    void erase(std::uint32_t number, const T& object) noexcept {
        if (places_.empty()) return;
        std::size_t at = home(number);
        while (places_[at].object != nullptr && places_[at].object != &object) at = (at + 1) & mask();
        if (places_[at].object == nullptr) return;
        --size_;
        // Close the gap: move up whatever would not be found any more.
        for (std::size_t next = (at + 1) & mask(); places_[next].object != nullptr; next = (next + 1) & mask()) {
            const std::size_t distance_home = (next - home(places_[next].number)) & mask();
            const std::size_t distance_gap = (next - at) & mask();
            if (distance_home >= distance_gap) {
                places_[at] = places_[next];
                at = next;
            }
        }
        places_[at] = {};
    }

    /// Calls `visit(number, object)` for each; the table must not change meanwhile. In no useful order.
    template <class F>
    void for_each(F visit) const {
        for (const Place& place : places_) {
            if (place.object != nullptr) visit(place.number, *place.object);
        }
    }

private:
    struct Place {
        std::uint32_t number = 0;
        T* object = nullptr;
    };

    std::size_t mask() const noexcept { return places_.size() - 1; }
    std::size_t home(std::uint32_t number) const noexcept { return number & mask(); }
    void put(std::uint32_t number, T& object) noexcept {
        std::size_t at = home(number);
        while (places_[at].object != nullptr) at = (at + 1) & mask();
        places_[at] = {number, &object};
    }
    void grow() {
        std::vector<Place> smaller(places_.empty() ? 16 : places_.size() * 2);  // a power of two, for the mask
        smaller.swap(places_);                                                  // from here on it is the smaller one
        for (const Place& place : smaller) {
            if (place.object != nullptr) put(place.number, *place.object);
        }
    }

    std::vector<Place> places_;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
