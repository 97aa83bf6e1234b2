#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
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
        std::size_t at = home(number);
        for (std::size_t distance = 0; places_[at].object != nullptr; at = (at + 1) & mask(), ++distance) {
            if (places_[at].number == number) return places_[at].object;
            if (distance_home(at) < distance) break;
        }
        return nullptr;
    }

    /// A number that is in the table already stays; find() then gives either of the two.
    void insert(std::uint32_t number, T& object) {
        if ((size_ + 1) * 2 > places_.size()) grow();
        put({number, &object});
        ++size_;
    }

    /// Does nothing if the object is not in the table under this number.
    void erase(std::uint32_t number, const T& object) noexcept {
        if (places_.empty()) return;
        std::size_t at = home(number);
        while (places_[at].object != nullptr && places_[at].object != &object) at = (at + 1) & mask();
        if (places_[at].object == nullptr) return;
        --size_;
        // Close the gap. Who is at home stays there, and so does all behind it.
        for (std::size_t next = (at + 1) & mask(); places_[next].object != nullptr && distance_home(next) != 0;
             next = (next + 1) & mask()) {
            places_[at] = places_[next];
            at = next;
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
    /// How far from home the object at this place is.
    std::size_t distance_home(std::size_t at) const noexcept { return (at - home(places_[at].number)) & mask(); }
    /// Objects lie in the order of their homes: who would be farther away takes the place of who is nearer. So what is
    /// in a run of neighbours is found, or not, before the run is over, and a gap is closed by few.
    void put(Place place) noexcept {
        std::size_t at = home(place.number);
        for (std::size_t distance = 0; places_[at].object != nullptr; at = (at + 1) & mask(), ++distance) {
            const std::size_t theirs = distance_home(at);
            if (theirs >= distance) continue;
            std::swap(places_[at], place);
            distance = theirs;
        }
        places_[at] = place;
    }
    void grow() {
        std::vector<Place> smaller(places_.empty() ? 4 : places_.size() * 2);  // a power of two, for the mask
        smaller.swap(places_);                                                 // from here on it is the smaller one
        for (const Place& place : smaller) {
            if (place.object != nullptr) put(place);
        }
    }

    std::vector<Place> places_;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
