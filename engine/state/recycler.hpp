#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <mutex>
#include <new>

namespace aprotic::engine {

/// Memory of what comes and goes with every message: what is given back is used again, so that a steady flow of
/// messages asks the heap for nothing. It keeps a bounded amount, which the pools of std::pmr do not. Any thread.
class Recycler {
public:
    Recycler() = default;
    ~Recycler();
    Recycler(const Recycler&) = delete;
    Recycler& operator=(const Recycler&) = delete;

    void* take(std::size_t bytes);
    /// What take() gave for as many bytes; a recycler that has enough, or a block that is too large, frees it.
    void give_back(void* block, std::size_t bytes) noexcept;

private:
    static constexpr std::size_t step = 64;             // bytes: blocks are multiples of it
    static constexpr std::size_t largest = 2048;        // bytes of a block that is kept
    static constexpr std::size_t kept_max = 2U << 20U;  // bytes, all blocks together

    struct Free {
        Free* next;
    };

    static constexpr std::size_t rounded(std::size_t bytes) { return (bytes + step - 1) / step * step; }
    Free*& blocks_of(std::size_t rounded_bytes) noexcept { return free_[rounded_bytes / step - 1]; }

    std::mutex mutex_;
    std::size_t kept_ = 0;
    std::array<Free*, largest / step> free_{};
};

/// For containers and std::allocate_shared. Without a recycler it is the heap. Either may free what the other gave, so
/// all are equal.
template <class T>
struct RecyclingAllocator {
    using value_type = T;
    using is_always_equal = std::true_type;

    RecyclingAllocator() = default;
    explicit RecyclingAllocator(std::shared_ptr<Recycler> from) noexcept : recycler(std::move(from)) {}
    template <class U>
    RecyclingAllocator(const RecyclingAllocator<U>& other) noexcept : recycler(other.recycler) {}

    T* allocate(std::size_t count) {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
        const std::size_t bytes = count * sizeof(T);
        return static_cast<T*>(recycler ? recycler->take(bytes) : ::operator new(bytes));
    }
    void deallocate(T* block, std::size_t count) noexcept {
        if (recycler) return recycler->give_back(block, count * sizeof(T));
        ::operator delete(block);
    }

    friend bool operator==(const RecyclingAllocator&, const RecyclingAllocator&) noexcept { return true; }

    std::shared_ptr<Recycler> recycler;
};

}  // namespace aprotic::engine
