#include <aprotic/codec/bytes.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace aprotic::codec {

namespace {

// What looks for memory that is used after its end is to see each block come and go.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool keeps_blocks = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool keeps_blocks = false;
#else
constexpr bool keeps_blocks = true;
#endif
#else
constexpr bool keeps_blocks = true;
#endif

thread_local CopyCount copies;

/// Holds an object whose memory a `Bytes` looks into.
template <class Held>
struct HoldingBlock : detail::Block {
    explicit HoldingBlock(Held&& h) : Block(&HoldingBlock::destroy_self), held(std::move(h)) {}
    static void destroy_self(Block* block) noexcept { delete static_cast<HoldingBlock*>(block); }
    Held held;
};

/// A block with its octets right behind it, in one allocation.
struct SlabBlock : detail::Block {
    explicit SlabBlock(std::size_t size) noexcept : Block(&SlabBlock::destroy_self), capacity(size) {}
    static SlabBlock* make(std::size_t size);
    static void free(SlabBlock* block) noexcept;
    static void destroy_self(Block* block) noexcept;
    std::byte* octets() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

    std::size_t capacity;
    SlabPool::Core* pool = nullptr;  // a reference; null while idle, or when it belongs to none
};

/// Small blocks that a thread has freed, for the next ones it makes. Each message of a few octets has one, and a window
/// of them is more than the allocator keeps at hand for a thread.
class SmallBlocks {
public:
    ~SmallBlocks() {
        release();
        gone = true;
    }

    static void* take(std::size_t octets) {
        if (!is_small(octets)) return ::operator new(octets);
        const std::size_t kind = kind_of(octets);
        // As wide as its kind in any case: whoever frees it may keep it.
        if (gone || mine.first_[kind] == nullptr) return ::operator new((kind + 1) * step);
        mine.kept_ -= (kind + 1) * step;
        return std::exchange(mine.first_[kind], mine.first_[kind]->next);
    }
    static void give_back(void* block, std::size_t octets) noexcept {
        const std::size_t kind = kind_of(octets);
        if (!is_small(octets) || gone || mine.kept_ >= kept_max) return ::operator delete(block);
        mine.kept_ += (kind + 1) * step;
        mine.first_[kind] = ::new (block) Free{mine.first_[kind]};
    }
    static void release_mine() noexcept {
        if (!gone) mine.release();
    }

private:
    struct Free {
        Free* next;
    };

    static constexpr std::size_t largest = 512;  // octets, the block's head included
    static constexpr std::size_t step = 64;
    static constexpr std::size_t kept_max = 256 * std::size_t{1024};  // octets

    static constexpr bool is_small(std::size_t octets) noexcept { return keeps_blocks && octets <= largest; }
    static constexpr std::size_t kind_of(std::size_t octets) noexcept { return (octets - 1) / step; }
    void release() noexcept {
        for (Free*& first : first_) {
            while (first != nullptr) ::operator delete(std::exchange(first, first->next));
        }
        kept_ = 0;
    }

    std::array<Free*, largest / step> first_{};
    std::size_t kept_ = 0;

    static thread_local SmallBlocks mine;
    static thread_local bool gone;  // the thread ends: what is freed from here on is not kept
};
thread_local SmallBlocks SmallBlocks::mine;
thread_local bool SmallBlocks::gone = false;

SlabBlock* SlabBlock::make(std::size_t size) {
    return ::new (SmallBlocks::take(sizeof(SlabBlock) + size)) SlabBlock(size);
}

void SlabBlock::free(SlabBlock* block) noexcept {
    const std::size_t octets = sizeof(SlabBlock) + block->capacity;
    block->~SlabBlock();
    SmallBlocks::give_back(block, octets);
}

}  // namespace

void copy_bytes(std::span<std::byte> to, std::span<const std::byte> from) noexcept {
    APROTIC_ASSERT(to.size() >= from.size());
    if (from.empty()) return;  // memcpy of nothing from null is undefined
    ++copies.calls;
    copies.bytes += from.size();
    std::memcpy(to.data(), from.data(), from.size());
}

CopyCount copy_count() noexcept { return copies; }
void reset_copy_count() noexcept { copies = {}; }

void release_kept_memory() noexcept { SmallBlocks::release_mine(); }

// Bytes

Bytes Bytes::copy_of(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    SlabBlock* block = SlabBlock::make(bytes.size());
    const std::span<std::byte> own(block->octets(), bytes.size());
    copy_bytes(own, bytes);
    return Bytes(block, own);
}

Bytes Bytes::from_string(std::string&& text) {
    if (text.empty()) return {};
    auto* block = new HoldingBlock<std::string>(std::move(text));
    return Bytes(block, as_bytes(block->held));
}

Bytes Bytes::from_vector(std::vector<std::byte>&& bytes) {
    if (bytes.empty()) return {};
    auto* block = new HoldingBlock<std::vector<std::byte>>(std::move(bytes));
    return Bytes(block, block->held);
}

Bytes Bytes::slice(std::size_t offset, std::size_t length) const noexcept {
    if (offset >= size_ || length == 0) return {};
    Bytes part(*this);
    part.data_ += offset;
    part.size_ = std::min(length, size_ - offset);
    return part;
}

// Slab and SlabPool

struct SlabPool::Core {
    Core(std::size_t size, std::size_t max) : slab_size(size), idle_max(max) { idle.reserve(max); }
    void retain() noexcept { refs.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    std::atomic<std::size_t> refs{1};

    const std::size_t slab_size;
    const std::size_t idle_max;
    std::mutex mutex;
    std::vector<SlabBlock*> idle;
    std::size_t in_use = 0;
    bool closed = false;
};

void SlabBlock::destroy_self(Block* block) noexcept {
    auto* self = static_cast<SlabBlock*>(block);
    bool kept = false;
    if (SlabPool::Core* pool = std::exchange(self->pool, nullptr)) {
        {
            const std::lock_guard lock(pool->mutex);
            --pool->in_use;
            kept = !pool->closed && self->capacity == pool->slab_size && pool->idle.size() < pool->idle_max;
            if (kept) pool->idle.push_back(self);  // reserved by the constructor: does not throw
        }
        pool->release();
    }
    if (!kept) free(self);
}

Slab::Slab(std::size_t capacity) : capacity_(capacity) {
    SlabBlock* block = SlabBlock::make(capacity);
    block_ = block;
    data_ = block->octets();
}

Bytes Slab::slice(std::size_t offset, std::size_t length) const noexcept {
    APROTIC_ASSERT(offset <= capacity_ && length <= capacity_ - offset);
    if (length == 0) return {};
    block_->retain();
    return Bytes::adopt(block_, {data_ + offset, length});
}

void Slab::reset() noexcept {
    if (block_ != nullptr) block_->release();
    forget();
}

SlabPool::SlabPool(std::size_t slab_size, std::size_t idle_max) : core_(new Core(slab_size, idle_max)) {}

SlabPool::~SlabPool() {
    std::vector<SlabBlock*> idle;
    {
        const std::lock_guard lock(core_->mutex);
        core_->closed = true;
        idle.swap(core_->idle);
    }
    for (SlabBlock* block : idle) SlabBlock::free(block);
    core_->release();
}

Slab SlabPool::acquire(std::size_t size_min) {
    SlabBlock* block = nullptr;
    {
        const std::lock_guard lock(core_->mutex);
        if (size_min <= core_->slab_size && !core_->idle.empty()) {
            block = core_->idle.back();
            core_->idle.pop_back();
            block->refs.store(1, std::memory_order_relaxed);
            ++core_->in_use;
        }
    }
    if (block == nullptr) {
        block = SlabBlock::make(std::max(size_min, core_->slab_size));
        const std::lock_guard lock(core_->mutex);
        ++core_->in_use;
    }
    block->pool = core_;
    core_->retain();
    return Slab(block, block->octets(), block->capacity);
}

std::size_t SlabPool::slab_size() const noexcept { return core_->slab_size; }

std::size_t SlabPool::in_use() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->in_use;
}

std::size_t SlabPool::idle() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->idle.size();
}

// ByteChain

void ByteChain::append(const ByteChain& chain) {
    if (chain.count_ == 1) return append(Bytes(*chain.first()));
    // The chain may be this one.
    for (std::uint32_t i = 0, count = chain.count_; i < count; ++i) append(Bytes(chain.first()[i]));
}

void ByteChain::widen() {
    auto* const wider = static_cast<Bytes*>(::operator new (2 * std::size_t{capacity_} * sizeof(Bytes)));
    Bytes* const from = first();
    for (std::uint32_t i = 0; i < count_; ++i) {
        ::new (static_cast<void*>(wider + i)) Bytes(std::move(from[i]));
        from[i].~Bytes();
    }
    ::operator delete(spilled_);
    spilled_ = wider;
    capacity_ *= 2;
}

void ByteChain::drop() noexcept {
    Bytes* const segments = first();
    for (std::uint32_t i = 0; i < count_; ++i) segments[i].~Bytes();
    ::operator delete(std::exchange(spilled_, nullptr));
    count_ = 0;
    capacity_ = inline_max;
    size_ = 0;
}

Bytes ByteChain::contiguous() const {
    const auto parts = segments();
    if (parts.empty()) return {};
    if (parts.size() == 1) return parts.front();
    const Slab joined(size_);
    copy_to(0, joined.span());
    return joined.slice(0, size_);
}

ByteChain ByteChain::slice(std::size_t offset, std::size_t length) const {
    ByteChain part;
    for (const Bytes& segment : segments()) {
        if (length == 0) break;
        if (offset >= segment.size()) {
            offset -= segment.size();
            continue;
        }
        Bytes piece = segment.slice(offset, length);
        length -= piece.size();
        offset = 0;
        part.append(std::move(piece));
    }
    return part;
}

void ByteChain::copy_to(std::size_t offset, std::span<std::byte> to) const noexcept {
    APROTIC_ASSERT(offset <= size_ && to.size() <= size_ - offset);
    for (const Bytes& segment : segments()) {
        if (to.empty()) return;
        if (offset >= segment.size()) {
            offset -= segment.size();
            continue;
        }
        const std::size_t n = std::min(segment.size() - offset, to.size());
        copy_bytes(to, segment.span().subspan(offset, n));
        to = to.subspan(n);
        offset = 0;
    }
}

std::string ByteChain::to_string() const {
    std::string text;
    text.reserve(size_);
    for (const Bytes& segment : segments()) text += segment.text();
    return text;
}

bool operator==(const ByteChain& a, const ByteChain& b) noexcept {
    if (a.size() != b.size()) return false;
    const auto left = a.segments();
    const auto right = b.segments();
    std::size_t i = 0, j = 0, at_left = 0, at_right = 0;
    while (i < left.size() && j < right.size()) {
        const std::size_t n = std::min(left[i].size() - at_left, right[j].size() - at_right);
        if (left[i].text().substr(at_left, n) != right[j].text().substr(at_right, n)) return false;
        if ((at_left += n) == left[i].size()) ++i, at_left = 0;
        if ((at_right += n) == right[j].size()) ++j, at_right = 0;
    }
    return true;
}

}  // namespace aprotic::codec
