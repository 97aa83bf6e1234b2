#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <aprotic/codec/assert.hpp>

namespace aprotic::engine::core {

/// Owns objects and names them by index and generation, so that an id kept after its object has gone finds nothing
/// instead of the successor in the same place. Objects never move; places and their memory are used again, so a steady
/// population allocates nothing. Beside the object a place takes eight octets, and a pointer to it.
template <class T, class Id>
class SlotMap {
public:
    template <class... Args>
    std::pair<Id, T*> emplace(Args&&... args) {
        std::uint32_t index;
        if (free_.empty()) {
            index = static_cast<std::uint32_t>(places_.size());
            places_.push_back(std::make_unique<Place>());
        } else {
            index = free_.back();
            free_.pop_back();
        }
        Place& place = *places_[index];
        std::construct_at(&place.object, std::forward<Args>(args)...);
        place.taken = true;
        ++size_;
        return {Id{index, place.generation}, &place.object};
    }

    T* find(Id id) noexcept {
        if (id.index >= places_.size()) return nullptr;
        Place& place = *places_[id.index];
        return place.generation == id.generation && place.taken ? &place.object : nullptr;
    }
    const T* find(Id id) const noexcept { return const_cast<SlotMap*>(this)->find(id); }

    void erase(Id id) {
        APROTIC_ASSERT(find(id) != nullptr);
        Place& place = *places_[id.index];
        std::destroy_at(&place.object);
        place.taken = false;
        // Generation 0 names nothing, also after 2^32 objects in one place.
        if (++place.generation == 0) place.generation = 1;
        free_.push_back(id.index);
        --size_;
    }

    std::size_t size() const noexcept { return size_; }

    /// Calls `visit(object)` for each object; `visit` may erase the object it is given, and no other.
    template <class F>
    void for_each(F visit) {
        for (const auto& place : places_) {
            if (place->taken) visit(place->object);
        }
    }

private:
    /// Where an object is, or was and another will be.
    struct Place {
        Place() noexcept {}
        ~Place() {
            if (taken) std::destroy_at(&object);
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

        std::uint32_t generation = 1;
        bool taken = false;
        union {
            T object;
        };
    };

    std::vector<std::unique_ptr<Place>> places_;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
