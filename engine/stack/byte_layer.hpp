#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/codec/assert.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/stack/wipe.hpp>

namespace aprotic::engine::stack {

/// Something between the stream and AMQP that turns the bytes of one into those of the other: TLS, WebSocket, the way
/// through a proxy. Sans I/O: it never waits, and what it holds is bounded: by one read below, and with much to be
/// written it takes no more from above.
class ByteLayer {
public:
    enum class Status { handshaking, open, ended, failed };

    ByteLayer() = default;
    ByteLayer(const ByteLayer&) = delete;
    ByteLayer& operator=(const ByteLayer&) = delete;
    virtual ~ByteLayer() = default;

    /// A client says its first word.
    virtual void start() = 0;

    // --- below -----------------------------------------------------------------------------------------------------

    /// Memory for what is read from below; empty while what came before is not understood yet.
    virtual std::span<std::byte> prepare_input() = 0;
    virtual void commit_input(std::size_t n) = 0;
    /// What was read before this layer was there.
    virtual void feed(std::span<const std::byte> octets) = 0;

    /// What is to be written; the same, and more, until it is committed.
    virtual std::span<const std::byte> output() = 0;
    virtual void commit_output(std::size_t n) = 0;
    virtual bool has_output() const noexcept = 0;

    // --- above -----------------------------------------------------------------------------------------------------

    /// Unwraps into `into`; 0 when nothing (more) can be had from what has come. Makes the handshake go on.
    virtual std::size_t read(std::span<std::byte> into) = 0;
    /// Whether read() might give something without more input.
    virtual bool has_input() const noexcept = 0;
    /// Takes what it may of `from` to wrap; 0 while the handshake lasts or much waits to be written. Once it has failed
    /// or ended its output it takes everything, and drops it.
    virtual std::size_t write(std::span<const std::byte> from) = 0;
    /// Wraps what write() has gathered.
    virtual void flush() = 0;
    /// It will never be open: what is still to be wrapped is dropped.
    virtual void abandon_handshake() noexcept = 0;
    /// Says that nothing will follow, once.
    virtual void end_output() = 0;
    virtual bool output_ended() const noexcept = 0;

    virtual Status status() const noexcept = 0;
    /// failed: why.
    virtual const Failure& failure() const noexcept = 0;
    /// Continues "the peer ended the connection …".
    virtual std::string progress() const = 0;
};

/// Above this a layer takes nothing more to be written.
constexpr std::size_t layer_output_max = 128 * 1024;
/// What a layer reads at once: little at first and on an idle connection; a read that fills its room brings more for
/// the next.
constexpr std::size_t layer_input_min = 1024;
constexpr std::size_t layer_input_max = 32 * 1024;

/// A layer's bytes on their way out. What was shown stays where it is until it is committed.
class LayerOutput {
public:
    LayerOutput() = default;
    LayerOutput(const LayerOutput&) = delete;
    LayerOutput& operator=(const LayerOutput&) = delete;
    ~LayerOutput() {
        if (!secret_) return;
        wipe(shown_);
        wipe(filling_);
    }

    /// What may have a password in it: overwritten when all that waits here has been committed.
    void append_secret(std::span<const std::byte> octets) {
        // No copies are left behind by a vector that grows.
        if (filling_.capacity() - filling_.size() < octets.size()) {
            std::vector<std::byte> larger;
            larger.reserve(2 * filling_.size() + octets.size());
            larger.assign(filling_.begin(), filling_.end());
            wipe(filling_);
            filling_ = std::move(larger);
        }
        append(octets);
        secret_ = true;
    }
    void append(std::span<const std::byte> octets) { filling_.insert(filling_.end(), octets.begin(), octets.end()); }
    std::span<const std::byte> front() {
        if (shown_.size() == committed_) {
            shown_.clear();
            committed_ = 0;
            std::swap(shown_, filling_);
        }
        return std::span(shown_).subspan(committed_);
    }
    void commit(std::size_t n) {
        APROTIC_ASSERT(n <= shown_.size() - committed_);
        committed_ += n;
        if (!secret_ || committed_ < shown_.size()) return;
        wipe(shown_);
        secret_ = !filling_.empty();
    }
    std::size_t size() const noexcept { return shown_.size() - committed_ + filling_.size(); }

private:
    std::vector<std::byte> shown_;
    std::size_t committed_ = 0;
    std::vector<std::byte> filling_;
    bool secret_ = false;
};

/// A layer's bytes that have come and are not understood yet.
class LayerInput {
public:
    /// Memory behind what is unread.
    std::span<std::byte> prepare() {
        std::copy(octets_.begin() + offset(begin_), octets_.begin() + offset(end_), octets_.begin());
        end_ -= std::exchange(begin_, 0);
        if (end_ == 0 && small_reads_ >= small_reads_max && room_ > layer_input_min) {
            room_ = layer_input_min;
            octets_ = std::vector<std::byte>();
        }
        if (octets_.size() < end_ + room_) octets_.resize(end_ + room_);
        return std::span(octets_).subspan(end_);
    }
    void commit(std::size_t n) {
        if (end_ + n == octets_.size()) room_ = std::min(4 * room_, layer_input_max);
        small_reads_ = n < layer_input_min ? small_reads_ + 1 : 0;
        end_ += n;
    }
    /// Little comes: memory is small again once what has come is consumed.
    void rest() noexcept { small_reads_ = small_reads_max; }
    void feed(std::span<const std::byte> octets) {
        octets_.resize(end_);
        octets_.insert(octets_.end(), octets.begin(), octets.end());
        end_ = octets_.size();
    }
    std::span<const std::byte> unread() const noexcept { return std::span(octets_).subspan(begin_, end_ - begin_); }
    void consume(std::size_t n) {
        APROTIC_ASSERT(n <= end_ - begin_);
        begin_ += n;
    }
    void clear() noexcept { begin_ = end_; }
    bool empty() const noexcept { return begin_ == end_; }

private:
    static std::ptrdiff_t offset(std::size_t at) { return static_cast<std::ptrdiff_t>(at); }

    static constexpr unsigned small_reads_max = 64;

    std::vector<std::byte> octets_;
    std::size_t begin_ = 0;  // unread are [begin_, end_)
    std::size_t end_ = 0;
    std::size_t room_ = layer_input_min;  // for one read
    unsigned small_reads_ = 0;            // in a row
};

}  // namespace aprotic::engine::stack
