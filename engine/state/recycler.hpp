#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

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
    /// The same on the reactor's thread, which keeps some for itself and needs no lock for them.
    void* take_here(std::size_t bytes) {
        const std::size_t size = rounded(bytes);
        if (size == 0 || size > largest) return take(bytes);
        Free*& first = here_.blocks_of(size);
        if (first == nullptr) return take(bytes);
        here_.kept -= size;
        return std::exchange(first, first->next);
    }
    void give_back_here(void* block, std::size_t bytes) noexcept {
        const std::size_t size = rounded(bytes);
        if (size == 0 || size > largest || here_.kept + size > kept_max) return give_back(block, bytes);
        here_.kept += size;
        Free*& first = here_.blocks_of(size);
        first = ::new (block) Free{first};
    }

private:
    static constexpr std::size_t step = 64;             // bytes: blocks are multiples of it
    static constexpr std::size_t largest = 2048;        // bytes of a block that is kept
    static constexpr std::size_t kept_max = 1U << 20U;  // bytes, all blocks of a kind together

    struct Free {
        Free* next;
    };

    static constexpr std::size_t rounded(std::size_t bytes) { return (bytes + step - 1) / step * step; }

    /// Blocks by their size.
    struct Kept {
        Free*& blocks_of(std::size_t rounded_bytes) noexcept { return blocks[rounded_bytes / step - 1]; }
        std::size_t kept = 0;  // bytes
        std::array<Free*, largest / step> blocks{};
    };

    Kept here_;  // the reactor's thread's
    std::mutex mutex_;
    Kept anywhere_;  // under `mutex_`
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
