#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <aprotic/codec/assert.hpp>

namespace aprotic::engine::core {

/// Owns objects and names them by index and generation, so that an id kept after its object has gone finds nothing
/// instead of the successor in the same place. Objects never move; places and their memory are used again, so a steady
/// population allocates nothing.
template <class T, class Id>
class SlotMap {
public:
    template <class... Args>
    std::pair<Id, T*> emplace(Args&&... args) {
        std::uint32_t index;
        if (free_.empty()) {
            index = static_cast<std::uint32_t>(slots_.size());
            slots_.emplace_back().object = std::make_unique<std::optional<T>>();
        } else {
            index = free_.back();
            free_.pop_back();
        }
        Slot& slot = slots_[index];
        T& object = slot.object->emplace(std::forward<Args>(args)...);
        ++size_;
        return {Id{index, slot.generation}, &object};
    }

    T* find(Id id) noexcept {
        if (id.index >= slots_.size()) return nullptr;
        Slot& slot = slots_[id.index];
        return slot.generation == id.generation && *slot.object ? &**slot.object : nullptr;
    }
    const T* find(Id id) const noexcept { return const_cast<SlotMap*>(this)->find(id); }

    void erase(Id id) {
        APROTIC_ASSERT(find(id) != nullptr);
        Slot& slot = slots_[id.index];
        slot.object->reset();
        // Generation 0 names nothing, also after 2^32 objects in one place.
        if (++slot.generation == 0) slot.generation = 1;
        free_.push_back(id.index);
        --size_;
    }

    std::size_t size() const noexcept { return size_; }

    /// Calls `visit(object)` for each object; `visit` may erase the object it is given, and no other.
    template <class F>
    void for_each(F visit) {
        for (Slot& slot : slots_) {
            if (*slot.object) visit(**slot.object);
        }
    }

private:
    struct Slot {
        std::unique_ptr<std::optional<T>> object;
        std::uint32_t generation = 1;
    };

    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
