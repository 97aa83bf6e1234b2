#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <aprotic/codec/assert.hpp>

namespace aprotic::engine::core {

/// A first-in, first-out queue that keeps its memory: after the highest fill was reached once, nothing is allocated any
/// more.
template <class T>
class Ring {
public:
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    T& operator[](std::size_t i) noexcept { return slots_[(head_ + i) & mask_]; }
    const T& operator[](std::size_t i) const noexcept { return slots_[(head_ + i) & mask_]; }
    T& front() noexcept { return (*this)[0]; }
    const T& front() const noexcept { return (*this)[0]; }
    T& back() noexcept { return (*this)[size_ - 1]; }

    void push_back(T&& value) { next() = std::move(value); }
    void push_back(const T& value) { push_back(T(value)); }
    T pop_front() {
        APROTIC_ASSERT(!empty());
        T value = std::move(front());
        if constexpr (!std::is_trivially_destructible_v<T>) front() = T{};
        drop_front();
        return value;
    }
    /// What is in front stays where it is until another takes the place: for one that owns nothing.
    void drop_front() noexcept {
        head_ = (head_ + 1) & mask_;
        --size_;
    }
    void clear() {
        while (!empty()) pop_front();
    }

private:
    T& next() {
        if (size_ == capacity_) grow();
        return slots_[(head_ + size_++) & mask_];
    }
    [[gnu::noinline]] void grow() {
        const std::size_t wider = capacity_ == 0 ? 4 : capacity_ * 2;  // a power of two, for the mask
        auto larger = std::make_unique<T[]>(wider);
        for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
        slots_ = std::move(larger);
        head_ = 0;
        capacity_ = wider;
        mask_ = wider - 1;
    }

    std::unique_ptr<T[]> slots_;
    std::size_t capacity_ = 0;
    std::size_t mask_ = 0;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
