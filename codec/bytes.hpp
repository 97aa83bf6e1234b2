#pragma once

#include <aprotic/codec/assert.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace aprotic::codec {

/// One element of a gather list. It owns nothing: the lender says how long it is valid.
struct ConstBuffer {
    const std::byte* data = nullptr;
    std::size_t size = 0;
};

inline std::span<const std::byte> as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The only memcpy of payload bytes in the library, so that copies can be counted and a budget held. The ranges must
/// not overlap; `to` must have room.
void copy_bytes(std::span<std::byte> to, std::span<const std::byte> from) noexcept;

namespace detail {

/// Two copies of a fixed width that overlap do for every size from one width to two.
template <std::size_t Width>
[[gnu::always_inline]] inline void copy_both_ends(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    __builtin_memcpy(to, from, Width);
    __builtin_memcpy(to + size - Width, from + size - Width, Width);
}

}  // namespace detail

/// The same for a few octets, such as a name: in line up to 64 octets, and these are not counted.
[[gnu::always_inline]] inline void copy_short(std::byte* to, std::span<const std::byte> from) noexcept {
    const std::byte* const at = from.data();
    const std::size_t n = from.size();
    if (n > 64) return copy_bytes({to, n}, from);
    if (n > 32) {
        __builtin_memcpy(to + 16, at + 16, 16);
        __builtin_memcpy(to + n - 32, at + n - 32, 16);
        return detail::copy_both_ends<16>(to, at, n);
    }
    if (n >= 16) return detail::copy_both_ends<16>(to, at, n);
    if (n >= 8) return detail::copy_both_ends<8>(to, at, n);
    if (n >= 4) return detail::copy_both_ends<4>(to, at, n);
    if (n == 0) return;
    to[0] = at[0];
    to[n / 2] = at[n / 2];
    to[n - 1] = at[n - 1];
}

/// What `copy_bytes` did on this thread so far.
struct CopyCount {
    std::uint64_t calls = 0;
    std::uint64_t bytes = 0;
};
CopyCount copy_count() noexcept;
void reset_copy_count() noexcept;

/// The calling thread gives back what it keeps of blocks of up to 512 octets for the next ones, at most 256 KiB. A
/// thread that ends does so by itself; for who counts what is allocated, or has no more to send for long.
void release_kept_memory() noexcept;

namespace detail {

/// A reference-counted block of memory. Last release calls `destroy`.
struct Block {
    explicit Block(void (*d)(Block*) noexcept) noexcept : destroy(d) {}
    void retain(std::uint32_t count = 1) noexcept { refs.fetch_add(count, std::memory_order_relaxed); }
    void release() noexcept {
        // Who alone refers to it needs no arbiter: nobody is left who could retain it.
        if (refs.load(std::memory_order_acquire) == 1 || refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
            destroy(this);
    }

    std::atomic<std::uint32_t> refs{1};
    void (*destroy)(Block*) noexcept;
};

}  // namespace detail

/// An immutable slice of reference-counted memory. Copying shares the memory (one atomic increment). Distinct `Bytes`
/// may be used and destroyed on different threads even if they share memory; one object is not for concurrent writing.
class Bytes {
public:
    Bytes() noexcept = default;
    Bytes(const Bytes& other) noexcept : owner_(other.owner_), data_(other.data_), size_(other.size_) {
        if (owner_ != nullptr) owner_->retain();
    }
    Bytes(Bytes&& other) noexcept : owner_(other.owner_), data_(other.data_), size_(other.size_) { other.forget(); }
    Bytes& operator=(const Bytes& other) noexcept {
        Bytes copy(other);
        swap(copy);
        return *this;
    }
    Bytes& operator=(Bytes&& other) noexcept {
        Bytes taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~Bytes() {
        if (owner_ != nullptr) owner_->release();
    }

    /// Own copy of the bytes (one allocation, one copy).
    static Bytes copy_of(std::span<const std::byte> bytes);
    static Bytes copy_of(std::string_view text) { return copy_of(as_bytes(text)); }
    /// Takes the string's memory over without copying it.
    static Bytes from_string(std::string&& text);
    /// Takes the vector's memory over without copying it.
    static Bytes from_vector(std::vector<std::byte>&& bytes);
    /// Refers to memory that outlives everything, such as a string literal. Nothing is owned.
    static Bytes from_static(std::string_view text) noexcept { return Bytes(nullptr, as_bytes(text)); }
    /// Adopts a reference to `owner` that the caller already holds. For allocators of blocks.
    static Bytes adopt(detail::Block* owner, std::span<const std::byte> bytes) noexcept { return Bytes(owner, bytes); }

    const std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::span<const std::byte> span() const noexcept { return {data_, size_}; }
    std::string_view text() const noexcept { return as_text(span()); }
    ConstBuffer buffer() const noexcept { return {data_, size_}; }

    /// Part of the same memory. The range is cut to what there is.
    Bytes slice(std::size_t offset, std::size_t length = SIZE_MAX) const noexcept;

    /// How many `Bytes` and slabs share the memory; 0 for static or no memory. Only a hint when threads share it.
    std::uint32_t use_count() const noexcept {
        return owner_ != nullptr ? owner_->refs.load(std::memory_order_relaxed) : 0;
    }

    /// Compares the content.
    friend bool operator==(const Bytes& a, const Bytes& b) noexcept { return a.text() == b.text(); }

private:
    friend class LendingSlab;
    Bytes(detail::Block* owner, std::span<const std::byte> bytes) noexcept
        : owner_(owner), data_(bytes.data()), size_(bytes.size()) {}
    void forget() noexcept {
        owner_ = nullptr;
        data_ = nullptr;
        size_ = 0;
    }
    void swap(Bytes& other) noexcept {
        std::swap(owner_, other.owner_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    detail::Block* owner_ = nullptr;
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Writable reference-counted block of which slices can be lent out as `Bytes`. Move-only. Whoever holds the slab
/// writes only where nothing has been sliced yet; nothing checks that.
class Slab {
public:
    Slab() noexcept = default;
    /// A block outside of any pool.
    explicit Slab(std::size_t capacity);
    Slab(Slab&& other) noexcept : block_(other.block_), data_(other.data_), capacity_(other.capacity_) {
        other.forget();
    }
    Slab& operator=(Slab&& other) noexcept {
        if (this != &other) {
            reset();
            block_ = other.block_;
            data_ = other.data_;
            capacity_ = other.capacity_;
            other.forget();
        }
        return *this;
    }
    ~Slab() { reset(); }

    std::byte* data() const noexcept { return data_; }
    std::size_t capacity() const noexcept { return capacity_; }
    std::span<std::byte> span() const noexcept { return {data_, capacity_}; }
    explicit operator bool() const noexcept { return block_ != nullptr; }

    /// Nobody else refers to the memory: it may be written from the start again.
    bool unique() const noexcept { return block_ != nullptr && block_->refs.load(std::memory_order_acquire) == 1; }

    /// A shared reference to [offset, offset + length). Must lie within the slab.
    Bytes slice(std::size_t offset, std::size_t length) const noexcept;

    /// The first `length` bytes, with the slab's own reference.
    Bytes bytes(std::size_t length) && noexcept {
        APROTIC_ASSERT(length <= capacity_);
        Bytes whole = length != 0 ? Bytes::adopt(block_, {data_, length}) : Bytes();
        if (length != 0) forget();
        return whole;
    }

    /// Gives up this reference; the memory lives on while slices of it do.
    void reset() noexcept;

private:
    friend class LendingSlab;
    friend class SlabPool;
    Slab(detail::Block* block, std::byte* data, std::size_t capacity) noexcept
        : block_(block), data_(data), capacity_(capacity) {}
    void forget() noexcept {
        block_ = nullptr;
        data_ = nullptr;
        capacity_ = 0;
    }

    detail::Block* block_ = nullptr;
    std::byte* data_ = nullptr;
    std::size_t capacity_ = 0;
};

/// A slab of which many slices go out, for a message each, and mostly come back soon: references are counted many at a
/// time, ahead of their use, and what take_back() is given serves again.
class LendingSlab {
public:
    LendingSlab() noexcept = default;
    LendingSlab(const LendingSlab&) = delete;
    LendingSlab& operator=(const LendingSlab&) = delete;
    LendingSlab& operator=(Slab&& slab) noexcept {
        drop_ahead();
        slab_ = std::move(slab);
        return *this;
    }
    ~LendingSlab() { drop_ahead(); }

    std::byte* data() const noexcept { return slab_.data(); }
    std::size_t capacity() const noexcept { return slab_.capacity(); }
    explicit operator bool() const noexcept { return static_cast<bool>(slab_); }
    /// As Slab's.
    bool unique() const noexcept {
        return slab_.block_ != nullptr && slab_.block_->refs.load(std::memory_order_acquire) == 1 + ahead_;
    }

    /// As Slab's.
    Bytes slice(std::size_t offset, std::size_t length) noexcept {
        APROTIC_ASSERT(offset <= capacity() && length <= capacity() - offset);
        if (length == 0) return {};
        if (ahead_ == 0) {
            slab_.block_->retain(counted_at_once);
            ahead_ = counted_at_once;
        }
        --ahead_;
        return Bytes::adopt(slab_.block_, {data() + offset, length});
    }
    /// Drops a slice, of this memory or another.
    void take_back(Bytes&& slice) noexcept {
        if (slice.owner_ == nullptr || slice.owner_ != slab_.block_) {
            slice = {};
            return;
        }
        ++ahead_;
        slice.forget();
    }

private:
    static constexpr std::uint32_t counted_at_once = 64;

    void drop_ahead() noexcept {
        if (ahead_ != 0) slab_.block_->refs.fetch_sub(std::exchange(ahead_, 0), std::memory_order_acq_rel);
    }

    Slab slab_;
    std::uint32_t ahead_ = 0;  // references that are counted and that no slice has
};

/// Keeps a bounded number of idle slabs for reuse. Slabs come back by themselves when their last reference goes, on any
/// thread, and may outlive the pool. It bounds what is idle, not what is in use: that is the business of the caller's
/// limits.
class SlabPool {
public:
    static constexpr std::size_t slab_size_default = 64 * 1024;

    explicit SlabPool(std::size_t slab_size = slab_size_default, std::size_t idle_max = 16);
    ~SlabPool();
    SlabPool(const SlabPool&) = delete;
    SlabPool& operator=(const SlabPool&) = delete;

    /// A slab of at least `size_min` bytes; above the pool's slab size it is allocated for itself and not kept.
    Slab acquire(std::size_t size_min = 0);

    std::size_t slab_size() const noexcept;
    /// Slabs of this pool that somebody still refers to. For metrics and tests.
    std::size_t in_use() const noexcept;
    std::size_t idle() const noexcept;

    struct Core;  ///< private

private:
    Core* core_;  // shared with the slabs that are out; the last one to go deletes it
};

/// A sequence of slices that read as one. Two fit inside; more need an allocation. Same thread rules as `Bytes`.
class ByteChain {
public:
    ByteChain() noexcept {}
    ByteChain(Bytes bytes) { append(std::move(bytes)); }
    ByteChain(const ByteChain& other) { append(other); }
    ByteChain(ByteChain&& other) noexcept { take(other); }
    ByteChain& operator=(const ByteChain& other) {
        if (this != &other) *this = ByteChain(other);
        return *this;
    }
    ByteChain& operator=(ByteChain&& other) noexcept {
        if (this == &other) return *this;
        clear();
        take(other);
        return *this;
    }
    ~ByteChain() { clear(); }

    /// Empty slices are not kept.
    void append(Bytes bytes) {
        if (bytes.empty()) return;
        size_ += bytes.size();
        if (count_ == capacity_) widen();
        ::new (static_cast<void*>(first() + count_)) Bytes(std::move(bytes));
        ++count_;
    }
    void append(const ByteChain& chain);
    void clear() noexcept {
        if (count_ != 0) drop();
    }
    /// The same where the slices are of the slab, or may be.
    void clear_into(LendingSlab& slab) noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) slab.take_back(std::move(first()[i]));
        if (spilled_ != nullptr) return drop();
        count_ = 0;
        size_ = 0;
    }

    /// Bytes in all segments.
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::span<const Bytes> segments() const noexcept { return {first(), count_}; }

    /// Everything as one slice; copies once if there is more than one segment.
    Bytes contiguous() const;
    /// Part of the chain, sharing its memory. The range is cut to what there is.
    ByteChain slice(std::size_t offset, std::size_t length = SIZE_MAX) const;
    /// Copies [offset, offset + to.size()) out; must lie within the chain.
    void copy_to(std::size_t offset, std::span<std::byte> to) const noexcept;
    std::string to_string() const;

    /// Compares the content, however it is split.
    friend bool operator==(const ByteChain& a, const ByteChain& b) noexcept;

private:
    static constexpr std::uint32_t inline_max = 2;

    Bytes* first() noexcept { return spilled_ != nullptr ? spilled_ : std::launder(reinterpret_cast<Bytes*>(inline_)); }
    const Bytes* first() const noexcept {
        return spilled_ != nullptr ? spilled_ : std::launder(reinterpret_cast<const Bytes*>(inline_));
    }
    /// Nothing is here. Chains are moved several times with every message: the slices go over as they lie, without a
    /// look at each, and leave nothing to destroy.
    void take(ByteChain& other) noexcept {
        if (other.count_ == 0) return;
        std::memcpy(inline_, other.inline_, sizeof(inline_));
        spilled_ = std::exchange(other.spilled_, nullptr);
        count_ = std::exchange(other.count_, 0);
        capacity_ = std::exchange(other.capacity_, inline_max);
        size_ = std::exchange(other.size_, 0);
    }
    void widen();
    void drop() noexcept;

    alignas(Bytes) std::byte inline_[inline_max * sizeof(Bytes)];  // the first `count_` are objects while none spilled
    Bytes* spilled_ = nullptr;                                     // all segments, once there are more than fit inside
    std::uint32_t count_ = 0;
    std::uint32_t capacity_ = inline_max;
    std::size_t size_ = 0;
};

}  // namespace aprotic::codec
