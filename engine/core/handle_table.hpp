#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <aprotic/engine/core/id_table.hpp>

namespace aprotic::engine::core {

/// Objects by the handles that a peer has given them. Peers take the lowest handle that is free, and such are an index;
/// whoever counts from elsewhere makes us keep no more for it than for the others. Owns nothing.
template <class T>
class HandleTable {
public:
    T* find(std::uint32_t handle) const noexcept {
        if (handle < low_.size() && low_[handle] != nullptr) return low_[handle];
        return high_.find(handle);
    }
    /// Only while find() gives nothing for the handle.
    void insert(std::uint32_t handle, T& object) {
        ++size_;
        if (handle < low_.size() || handle < 2 * size_) {
            if (handle >= low_.size()) low_.resize(handle + std::size_t{1});
            low_[handle] = &object;
        } else {
            high_.insert(handle, object);
        }
    }
    /// Does nothing if the handle is another's.
    void erase(std::uint32_t handle, const T& object) noexcept {
        if (find(handle) != &object) return;
        --size_;
        if (handle < low_.size() && low_[handle] != nullptr) {
            low_[handle] = nullptr;
        } else {
            high_.erase(handle, object);
        }
    }

private:
    std::vector<T*> low_;
    IdTable<T> high_;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
