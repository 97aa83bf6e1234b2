#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace aprotic::engine::core {

/// Objects by a 32-bit number of the wire: handles, delivery-ids. Open addressing; the numbers of a session rise one by
/// one, so its places are found at the first try, and a steady population allocates nothing. Owns nothing.
template <class T>
class IdTable {
public:
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    T* find(std::uint32_t number) const noexcept {
        if (places_ == nullptr) return nullptr;
        std::size_t at = home(number);
        for (std::size_t distance = 0; places_[at].object != nullptr; at = (at + 1) & mask_, ++distance) {
            if (places_[at].number == number) return places_[at].object;
            if (distance_home(at) < distance) break;
        }
        return nullptr;
    }

    /// A number that is in the table already stays; find() then gives either of the two.
    void insert(std::uint32_t number, T& object) {
        if (size_ == size_max_) grow();
        ++size_;
        Place& at_home = places_[home(number)];
        if (at_home.object != nullptr) return put({number, &object});
        at_home = {number, &object};
    }

    /// Does nothing if the object is not in the table under this number.
    void erase(std::uint32_t number, const T& object) noexcept {
        if (places_ == nullptr) return;
        std::size_t at = home(number);
        while (places_[at].object != &object) {
            if (places_[at].object == nullptr) return;
            at = (at + 1) & mask_;
        }
        --size_;
        // Close the gap. Who is at home stays there, and so does all behind it.
        for (std::size_t next = (at + 1) & mask_; places_[next].object != nullptr && distance_home(next) != 0;
             next = (next + 1) & mask_) {
            places_[at] = places_[next];
            at = next;
        }
        places_[at].object = nullptr;
    }

    /// Calls `visit(number, object)` for each; the table must not change meanwhile. In no useful order.
    template <class F>
    void for_each(F visit) const {
        for (std::size_t at = 0; at < capacity(); ++at) {
            if (places_[at].object != nullptr) visit(places_[at].number, *places_[at].object);
        }
    }

private:
    struct Place {
        std::uint32_t number = 0;
        T* object = nullptr;
    };

    std::size_t capacity() const noexcept { return places_ == nullptr ? 0 : mask_ + std::size_t{1}; }
    std::size_t home(std::uint32_t number) const noexcept { return number & mask_; }
    /// How far from home the object at this place is.
    std::size_t distance_home(std::size_t at) const noexcept { return (at - home(places_[at].number)) & mask_; }
    /// Objects lie in the order of their homes: who would be farther away takes the place of who is nearer. So what is
    /// in a run of neighbours is found, or not, before the run is over, and a gap is closed by few.
    [[gnu::noinline]] void put(Place place) noexcept {
        std::size_t at = home(place.number);
        for (std::size_t distance = 0; places_[at].object != nullptr; at = (at + 1) & mask_, ++distance) {
            const std::size_t theirs = distance_home(at);
            if (theirs >= distance) continue;
            std::swap(places_[at], place);
            distance = theirs;
        }
        places_[at] = place;
    }
    [[gnu::noinline]] void grow() {
        const std::size_t before = capacity();
        const std::size_t after = before == 0 ? 4 : before * 2;  // a power of two, for the mask
        const auto smaller = std::exchange(places_, std::make_unique<Place[]>(after));
        mask_ = static_cast<std::uint32_t>(after - 1);
        size_max_ = static_cast<std::uint32_t>(after / 2);
        for (std::size_t at = 0; at < before; ++at) {
            if (smaller[at].object != nullptr) put(smaller[at]);
        }
    }

    std::unique_ptr<Place[]> places_;
    std::uint32_t mask_ = 0;
    std::uint32_t size_max_ = 0;  // half of the places
    std::uint32_t size_ = 0;
};

}  // namespace aprotic::engine::core
