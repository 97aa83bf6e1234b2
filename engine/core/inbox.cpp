#include <aprotic/engine/core/inbox.hpp>

#include <algorithm>

namespace aprotic::engine::core {
namespace {

// A busy connection keeps its slab and at most this many more for reuse.
constexpr std::size_t idle_slabs_max = 2;
// A fresh slab is worth more than reading less than this at a time.
constexpr std::size_t room_min = 4096;
// What an idle connection has to read into. Each read that fills it brings a larger one, and a message that stays in it
// one as large as they get; so many reads in a row that would have fitted, and it is small again.
constexpr std::size_t small_slab = 512;
constexpr std::size_t growth = 4;
constexpr unsigned small_reads_max = 64;
// The beginning of a frame that is larger costs more to move than another read.
constexpr std::size_t moved_max = 4096;
// A large slab has room for two of the largest frames, as long as they are not larger than half of this.
constexpr std::size_t slab_max = 256 * std::size_t{1024};

}  // namespace

Inbox::Inbox(std::uint32_t frame_size_max) : parser_(frame_size_max) {}

std::span<std::byte> Inbox::prepare_read() {
    if (!slab_) slab_ = codec::Slab(small_slab);
    if (begin_ == end_) {
        // Slices of deliveries keep the slab's bytes as they are; only a slab that nobody shares is used from its start
        // again.
        if (slab_.unique()) {
            begin_ = end_ = 0;
            fit();
        } else if (read_end() < end_ + room_min) {
            move_to(large(0));
        }
    } else if (slab_.capacity() - begin_ < std::max(frame_size_, codec::FrameHeader::size_min)) {
        move_to(larger(frame_size_));
    } else if (end_ == slab_.capacity()) {
        // Whole frames lie here that nobody has asked for.
        move_to(larger(2 * (end_ - begin_)));
    }
    return {slab_.data() + end_, std::max(read_end(), end_ + 1) - end_};
}

/// Large payloads are not moved: what is read ends with a frame, or where the next one has room to end in this slab.
std::size_t Inbox::read_end() const noexcept {
    const bool whole_frames_wait = begin_ != end_ && frame_size_ == 0;
    if (whole_frames_wait || largest_frame_ <= moved_max || 2 * largest_frame_ > slab_.capacity()) {
        return slab_.capacity();
    }
    return std::max(slab_.capacity() - largest_frame_, begin_ + frame_size_);
}

void Inbox::commit_read(std::size_t n) {
    APROTIC_ASSERT(n <= slab_.capacity() - end_);
    filled_ = end_ + n >= read_end();
    small_reads_ = n < small_slab ? small_reads_ + 1 : 0;
    end_ += n;
}

void Inbox::consume(std::size_t n) {
    APROTIC_ASSERT(n <= end_ - begin_);
    begin_ += n;
    frame_size_ = 0;
}

void Inbox::rest() noexcept { small_reads_ = small_reads_max; }

codec::FrameParser::Step Inbox::next() {
    codec::FrameParser::Step step = parser_.next(unread());
    switch (step.status) {
        case codec::FrameParser::Status::frame: consume(step.size); break;
        case codec::FrameParser::Status::need_more:
            frame_size_ = step.size;
            largest_frame_ = std::max(largest_frame_, frame_size_);
            break;
        case codec::FrameParser::Status::error: consume(std::min(step.size, end_ - begin_)); break;
    }
    return step;
}

/// Nothing is unread and nobody shares the slab: another may take its place.
void Inbox::fit() {
    const std::size_t size = slab_.capacity();
    if (size > small_slab && small_reads_ >= small_reads_max) {
        slab_ = codec::Slab(small_slab);
        pool_.reset();
        largest_frame_ = 0;
    } else if (filled_ && size < codec::SlabPool::slab_size_default) {
        slab_ = larger(0);
    }
}

codec::Slab Inbox::larger(std::size_t size_min) {
    const std::size_t wanted = std::max(growth * slab_.capacity(), size_min);
    return wanted < codec::SlabPool::slab_size_default ? codec::Slab(wanted) : large(size_min);
}

codec::Slab Inbox::large(std::size_t size_min) {
    constexpr std::size_t usual = codec::SlabPool::slab_size_default;
    const std::size_t two_frames = (2 * largest_frame_ + usual - 1) / usual * usual;
    const std::size_t wanted = two_frames > usual && two_frames <= slab_max ? two_frames : usual;
    if (!pool_ || pool_->slab_size() < wanted) pool_.emplace(wanted, idle_slabs_max);
    return pool_->acquire(size_min);
}

void Inbox::move_to(codec::Slab slab) {
    // Only the part of a frame that has come already is moved.
    const std::span<const std::byte> kept = unread();
    codec::copy_bytes(slab.span().first(kept.size()), kept);
    slab_ = std::move(slab);
    begin_ = 0;
    end_ = kept.size();
}

}  // namespace aprotic::engine::core
