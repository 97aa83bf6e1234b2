#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/frame.hpp>

namespace aprotic::engine::core {

/// Received bytes, from the moment they are read until they are understood. Frames are handed out where they were
/// received: each is contiguous, and payloads are shared slices of the slab. Bounded by one slab, or by one frame if
/// that is larger, as long as the frames are taken between two reads. A connection on which little comes has a small
/// slab.
class Inbox {
public:
    /// Larger frames are refused on sight of their header.
    explicit Inbox(std::uint32_t frame_size_max);

    void set_frame_size_max(std::uint32_t octets) noexcept { parser_.set_frame_size_max(octets); }

    /// Memory to read into, never empty; valid until commit_read. Frames handed out before are gone.
    std::span<std::byte> prepare_read();
    void commit_read(std::size_t n);

    /// What has come and is not consumed yet, as far as it has come.
    std::span<const std::byte> unread() const noexcept { return {slab_.data() + begin_, end_ - begin_}; }
    /// Drops the first `n` unread bytes: a protocol header.
    void consume(std::size_t n);

    /// Little comes: what is read next goes into small memory again, if nobody shares the present one.
    void rest() noexcept;

    /// Takes the next frame off the front. Its views live until the next prepare_read.
    codec::FrameParser::Step next();
    /// The frame's payload, sharing the memory it was received in.
    codec::Bytes share(std::span<const std::byte> part) noexcept {
        if (part.empty()) return {};
        return slab_.slice(static_cast<std::size_t>(part.data() - slab_.data()), part.size());
    }
    /// Nobody needs these any more. Payloads that were shared come back without being counted.
    void take_back(codec::ByteChain&& payload) noexcept { payload.clear_into(slab_); }

private:
    void move_to(codec::Slab slab);
    void fit();
    /// Where reading into the slab stops.
    std::size_t read_end() const noexcept;
    /// By a step larger than the present one.
    codec::Slab larger(std::size_t size_min);
    codec::Slab large(std::size_t size_min);

    std::optional<codec::SlabPool> pool_;  // of large slabs, while there is use for them
    codec::LendingSlab slab_;
    std::size_t begin_ = 0;  // unread bytes are [begin_, end_)
    std::size_t end_ = 0;
    bool filled_ = false;            // the last read took all the room there was
    unsigned small_reads_ = 0;       // in a row
    std::size_t frame_size_ = 0;     // of the frame at begin_, as far as known; 0 when there is none
    std::size_t largest_frame_ = 0;  // since the slab was small
    codec::FrameParser parser_;
};

}  // namespace aprotic::engine::core
