#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <aprotic/codec/assert.hpp>

namespace aprotic::engine::core {

/// A first-in, first-out queue that keeps its memory: after the highest fill was reached once, nothing is allocated any
/// more.
template <class T>
class Ring {
public:
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    T& operator[](std::size_t i) noexcept { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    const T& operator[](std::size_t i) const noexcept { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    T& front() noexcept { return (*this)[0]; }
    const T& front() const noexcept { return (*this)[0]; }
    T& back() noexcept { return (*this)[size_ - 1]; }

    void push_back(T&& value) {
        if (size_ == slots_.size()) grow();
        ++size_;
        back() = std::move(value);
    }
    void push_back(const T& value) { push_back(T(value)); }
    T pop_front() {
        APROTIC_ASSERT(!empty());
        T value = std::move(front());
        if constexpr (!std::is_trivially_destructible_v<T>) front() = T{};
        head_ = (head_ + 1) & (slots_.size() - 1);
        --size_;
        return value;
    }
    /// What is in front stays where it is until another takes the place: for one that owns nothing.
    void drop_front() noexcept {
        head_ = (head_ + 1) & (slots_.size() - 1);
        --size_;
    }
    void clear() {
        while (!empty()) pop_front();
    }

private:
    void grow() {
        std::vector<T> larger(slots_.empty() ? 4 : slots_.size() * 2);  // a power of two, for the mask above
        for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
        slots_ = std::move(larger);
        head_ = 0;
    }

    std::vector<T> slots_;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace aprotic::engine::core
