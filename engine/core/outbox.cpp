#include <aprotic/engine/core/outbox.hpp>

#include <algorithm>
#include <vector>

namespace aprotic::engine::core {
namespace {

// The first arena, which does for a connection on which little is said. What does not fit brings one that is twice as
// large, until they are chunks of the pool.
constexpr std::size_t small_arena = 512;

}  // namespace

void Outbox::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::span<std::byte> room = arena_room(1);
        const std::size_t n = std::min(room.size(), bytes.size());
        codec::copy_bytes(room.first(n), bytes.first(n));
        push_arena(n);
        bytes = bytes.subspan(n);
    }
}

void Outbox::append_transfer(std::uint16_t channel, const codec::Transfer& transfer, const codec::ByteChain& message,
                             std::size_t offset, std::size_t length) {
    if (const auto written = write_frame(channel, transfer, length); !written.empty()) {
        show(written, &message, offset, length);
        push_arena(written.size());
    } else {
        codec::Encoder header;
        codec::append_frame(header, channel, transfer, length);
        show(header.written(), &message, offset, length);
        push_shared(header.take());
    }
    append_payload(message, offset, length);
}

void Outbox::append_plain_transfer(std::uint16_t channel, const codec::PlainTransfer& transfer,
                                   const codec::ByteChain& message, std::size_t offset, std::size_t length) {
    const auto segments = message.segments();
    const bool beside = length < copy_below && (length == 0 || segments.size() == 1);
    const std::span<std::byte> room = arena_room(codec::plain_transfer_max + (beside ? length : 0));
    const std::size_t header = codec::write_plain_transfer(room.data(), channel, transfer, length);
    show(room.first(header), &message, offset, length);
    if (!beside) {
        push_arena(header);
        return append_payload(message, offset, length);
    }
    if (length != 0) codec::copy_bytes(room.subspan(header, length), segments.front().span().subspan(offset, length));
    push_arena(header + length);
}

void Outbox::append_empty_frame() {
    const auto frame = codec::empty_frame();
    show(frame, nullptr, 0, 0);
    append(frame);
}

void Outbox::append_payload(const codec::ByteChain& message, std::size_t offset, std::size_t length) {
    for (const codec::Bytes& segment : message.segments()) {
        if (length == 0) return;
        if (offset >= segment.size()) {
            offset -= segment.size();
            continue;
        }
        const std::size_t n = std::min(length, segment.size() - offset);
        if (n < copy_below) {
            append(segment.span().subspan(offset, n));
        } else {
            push_shared(segment.slice(offset, n));
        }
        length -= n;
        offset = 0;
    }
    APROTIC_ASSERT(length == 0);
}

std::size_t Outbox::gather(std::span<codec::ConstBuffer> out) const {
    const std::size_t count = std::min(out.size(), entries_.size());
    for (std::size_t i = 0; i < count; ++i) out[i] = {entries_[i].data, entries_[i].size};
    return count;
}

void Outbox::commit(std::size_t n) {
    APROTIC_ASSERT(n <= size_);
    size_ -= n;
    committed_ += n;
    while (n > 0) {
        Entry& front = entries_.front();
        if (n < front.size) {
            front.data += n;
            front.size -= n;
            return;
        }
        n -= front.size;
        entries_.pop_front();
    }
}

void Outbox::clear() {
    entries_.clear();
    size_ = 0;
}

void Outbox::rest() noexcept {
    APROTIC_ASSERT(empty());
    arena_.reset();
    arena_used_ = 0;
    pool_.reset();
    entries_ = {};
}

std::span<std::byte> Outbox::arena_room(std::size_t size_min) {
    if (entries_.empty() && arena_.unique()) arena_used_ = 0;
    if (arena_.capacity() - arena_used_ < size_min) {
        arena_ = larger_arena(size_min);
        arena_used_ = 0;
    }
    return arena_.span().subspan(arena_used_);
}

codec::Slab Outbox::larger_arena(std::size_t size_min) {
    const std::size_t wanted = std::max({small_arena, 2 * arena_.capacity(), size_min});
    if (wanted < arena_chunk) return codec::Slab(wanted);
    if (!pool_) pool_.emplace(arena_chunk, 2);
    return pool_->acquire(size_min);
}

void Outbox::push_arena(std::size_t size) {
    const std::byte* const data = arena_.data() + arena_used_;
    // Small frames in a row are one entry.
    if (!entries_.empty() && entries_.back().in_arena && entries_.back().data + entries_.back().size == data) {
        entries_.back().size += size;
    } else {
        entries_.push_back({arena_.slice(arena_used_, size), data, size, true});
    }
    arena_used_ += size;
    size_ += size;
}

void Outbox::push_shared(codec::Bytes bytes) {
    if (bytes.empty()) return;
    size_ += bytes.size();
    const std::byte* const data = bytes.data();
    const std::size_t size = bytes.size();
    entries_.push_back({std::move(bytes), data, size, false});
}

void Outbox::show_to(TraceSink& trace, std::span<const std::byte> header, const codec::ByteChain* message,
                     std::size_t offset, std::size_t length) {
    if (message == nullptr) {
        trace.frame(true, header);
        return;
    }
    std::vector<std::byte> whole(header.size() + length);
    codec::copy_bytes(std::span(whole).first(header.size()), header);
    message->copy_to(offset, std::span(whole).subspan(header.size()));
    trace.frame(true, whole);
}

}  // namespace aprotic::engine::core
