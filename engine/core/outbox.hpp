#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/encoder.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/engine/core/ring.hpp>
#include <aprotic/engine/trace.hpp>

namespace aprotic::engine::core {

/// Bytes on their way out, as a gather list: headers and small things are written into an arena, larger payloads stay
/// where they are and are kept by reference until they are written. What gather() gave stays valid, and stays first,
/// until commit().
class Outbox {
public:
    /// Payload pieces below this are copied beside their header: a gather entry costs the kernel more than the copy.
    static constexpr std::size_t copy_below = 256;

    /// Bytes that are not AMQP frames: protocol headers, SASL frames. Not shown to the trace.
    void append(std::span<const std::byte> bytes);

    /// A frame, its payload being `length` bytes of `message` from `offset` on. Returns false, and writes nothing, if
    /// the frame would be larger than `size_max`. T is a performative.
    template <class T>
    bool append_frame(std::uint16_t channel, const T& performative, std::uint32_t size_max);
    /// The header must fit into transfer_header_max octets.
    void append_transfer(std::uint16_t channel, const codec::Transfer& transfer, const codec::ByteChain& message,
                         std::size_t offset, std::size_t length);
    void append_plain_transfer(std::uint16_t channel, const codec::PlainTransfer& transfer,
                               const codec::ByteChain& message, std::size_t offset, std::size_t length);
    void append_empty_frame();

    /// Fills `out` with the front of the queue; returns how many entries were filled.
    std::size_t gather(std::span<codec::ConstBuffer> out) const;
    /// The first `n` bytes were written.
    void commit(std::size_t n);
    void clear();
    /// Little is written: gives back what memory more has taken. Only while it is empty.
    void rest() noexcept;

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    std::size_t entries() const noexcept { return entries_.size(); }
    /// Where the next byte appended will stand, counted from the first byte ever appended.
    std::uint64_t end_position() const noexcept { return committed_ + size_; }
    /// How many bytes were ever committed.
    std::uint64_t committed() const noexcept { return committed_; }

    void set_trace(TraceSink* sink) noexcept { trace_ = sink; }

private:
    struct Entry {
        codec::Bytes owner;
        const std::byte* data = nullptr;
        std::size_t size = 0;
        bool in_arena = false;
    };

    std::span<std::byte> arena_room(std::size_t size_min);
    /// Into the arena, where it has not been pushed yet; empty when the frame is larger than what there is room for.
    template <class T>
    std::span<const std::byte> write_frame(std::uint16_t channel, const T& performative, std::size_t payload);
    codec::Slab larger_arena(std::size_t size_min);
    void push_arena(std::size_t size);
    void push_shared(codec::Bytes bytes);
    void append_payload(const codec::ByteChain& message, std::size_t offset, std::size_t length);
    void show(std::span<const std::byte> header, const codec::ByteChain* message, std::size_t offset,
              std::size_t length) const {
        if (trace_ != nullptr) show_to(*trace_, header, message, offset, length);
    }
    static void show_to(TraceSink& trace, std::span<const std::byte> header, const codec::ByteChain* message,
                        std::size_t offset, std::size_t length);

    Ring<Entry> entries_;
    std::size_t size_ = 0;
    std::uint64_t committed_ = 0;
    std::optional<codec::SlabPool> pool_;  // of arenas, once there is use for large ones
    codec::Slab arena_;
    std::size_t arena_used_ = 0;
    TraceSink* trace_ = nullptr;

    static constexpr std::size_t arena_chunk = 8 * 1024;
    // Flows, dispositions and the like; what is larger is tried once more where there is more room.
    static constexpr std::size_t frame_usual = 64;
    // Frame header, handle, delivery-id, a tag of 32, format and flags are under 80; a transactional state with its id
    // comes on top.
    static constexpr std::size_t transfer_header_max = 1024;
};

template <class T>
std::span<const std::byte> Outbox::write_frame(std::uint16_t channel, const T& performative, std::size_t payload) {
    for (const std::size_t size_min : {frame_usual, transfer_header_max}) {
        const std::span<std::byte> room = arena_room(size_min);
        if (const auto written = codec::write_frame(room, channel, performative, payload)) return room.first(*written);
    }
    return {};
}

template <class T>
bool Outbox::append_frame(std::uint16_t channel, const T& performative, std::uint32_t size_max) {
    if (const auto written = write_frame(channel, performative, 0); !written.empty()) {
        if (written.size() > size_max) return false;
        show(written, nullptr, 0, 0);
        push_arena(written.size());
        return true;
    }
    // Larger than what is left of the arena: memory of its own.
    codec::Bytes frame = codec::encode_frame(channel, performative);
    if (frame.size() > size_max) return false;
    show(frame.span(), nullptr, 0, 0);
    push_shared(std::move(frame));
    return true;
}

}  // namespace aprotic::engine::core
