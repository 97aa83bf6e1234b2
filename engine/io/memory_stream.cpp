#include <algorithm>
#include <vector>

#include <aprotic/engine/memory_stream.hpp>

namespace aprotic::engine {
namespace {

/// A byte queue in one block of memory that grows up to its capacity.
class Ring {
public:
    explicit Ring(std::size_t capacity) : capacity_(capacity) {}

    std::size_t size() const noexcept { return size_; }
    std::size_t room() const noexcept { return capacity_ - size_; }

    /// As much of `from` as fits.
    std::size_t put(std::span<const std::byte> from) {
        const std::size_t n = std::min(from.size(), room());
        if (n == 0) return 0;
        reserve(size_ + n);
        const std::size_t at = (first_ + size_) % memory_.size();
        const std::size_t before_wrap = std::min(n, memory_.size() - at);
        codec::copy_bytes(std::span(memory_).subspan(at, before_wrap), from.first(before_wrap));
        codec::copy_bytes(std::span(memory_).first(n - before_wrap), from.subspan(before_wrap, n - before_wrap));
        size_ += n;
        return n;
    }

    std::size_t get(std::span<std::byte> into) {
        const std::size_t n = std::min(into.size(), size_);
        if (n == 0) return 0;
        const std::size_t before_wrap = std::min(n, memory_.size() - first_);
        codec::copy_bytes(into.first(before_wrap), std::span(memory_).subspan(first_, before_wrap));
        codec::copy_bytes(into.subspan(before_wrap, n - before_wrap), std::span(memory_).first(n - before_wrap));
        size_ -= n;
        first_ = size_ == 0 ? 0 : (first_ + n) % memory_.size();
        return n;
    }

private:
    void reserve(std::size_t wanted) {
        if (wanted <= memory_.size()) return;
        std::vector<std::byte> larger(std::min(capacity_, std::max({wanted, memory_.size() * 2, std::size_t{512}})));
        const std::size_t kept = size_;
        get(larger);
        memory_ = std::move(larger);
        first_ = 0;
        size_ = kept;
    }

    std::size_t capacity_;
    std::vector<std::byte> memory_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

/// What both ends share: two directions, each with at most one waiting reader and one waiting writer.
struct Joint : std::enable_shared_from_this<Joint> {
    struct Direction {
        explicit Direction(std::size_t capacity) : ring(capacity) {}

        Ring ring;
        bool write_ended = false;  ///< nothing more comes: the reader sees the end once the ring is empty
        bool read_ended = false;   ///< nobody will read: writing fails

        std::span<std::byte> into;
        Stream::Completion read_done;
        bool reading = false;  ///< a reader waits; false from the moment its completion has been posted

        std::span<const codec::ConstBuffer> from;
        Stream::Completion write_done;
        bool writing = false;
    };

    Joint(Reactor& r, std::size_t capacity) : reactor(r), directions{Direction(capacity), Direction(capacity)} {}

    /// Moves what can be moved and posts the completions that are due.
    void advance(Direction& way) {
        if (way.writing) serve_writer(way);
        if (way.reading && (way.ring.size() > 0 || way.write_ended)) {
            const std::size_t n = way.ring.get(way.into);
            way.reading = false;
            finish(way.read_done, {}, n);
            if (way.writing) serve_writer(way);  // there is room again
        }
    }

    void serve_writer(Direction& way) {
        if (way.read_ended) {
            way.writing = false;
            finish(way.write_done, std::make_error_code(std::errc::broken_pipe), 0);
            return;
        }
        std::size_t moved = 0;
        std::size_t offered = 0;
        for (const codec::ConstBuffer& buffer : way.from) {
            offered += buffer.size;
            const std::size_t n = way.ring.put({buffer.data, buffer.size});
            moved += n;
            if (n < buffer.size) break;
        }
        if (moved == 0 && offered > 0) return;
        way.writing = false;
        finish(way.write_done, {}, moved);
    }

    /// The completion stays in its slot until it runs, so that closing the end before drops it.
    void finish(Stream::Completion& slot, std::error_code error, std::size_t n) {
        reactor.post([self = shared_from_this(), &slot, error, n] {
            if (auto done = std::exchange(slot, nullptr)) done(error, n);
        });
    }

    Reactor& reactor;
    Direction directions[2];
};

class MemoryStream final : public Stream {
public:
    MemoryStream(std::shared_ptr<Joint> joint, std::size_t side)
        : joint_(std::move(joint)), in_(joint_->directions[side]), out_(joint_->directions[1 - side]) {}
    ~MemoryStream() override { close(); }

    void read(std::span<std::byte> into, Completion done) override {
        APROTIC_ASSERT(!in_.read_done);
        if (closed_) return;
        in_.into = into;
        in_.read_done = std::move(done);
        in_.reading = true;
        joint_->advance(in_);
    }

    std::optional<Read> try_read(std::span<std::byte> into) override {
        APROTIC_ASSERT(!in_.read_done);
        if (closed_) return std::nullopt;
        const std::size_t n = in_.ring.get(into);
        if (n == 0 && !in_.write_ended) return std::nullopt;
        joint_->advance(in_);  // there is room again
        return Read{{}, n};
    }

    void write(std::span<const codec::ConstBuffer> from, Completion done) override {
        APROTIC_ASSERT(!out_.write_done);
        if (closed_) return;
        out_.from = from;
        out_.write_done = std::move(done);
        out_.writing = true;
        joint_->advance(out_);
    }

    std::size_t try_write(std::span<const codec::ConstBuffer> from) override {
        APROTIC_ASSERT(!out_.write_done);
        if (closed_ || out_.read_ended) return 0;
        std::size_t moved = 0;
        for (const codec::ConstBuffer& buffer : from) {
            const std::size_t n = out_.ring.put({buffer.data, buffer.size});
            moved += n;
            if (n < buffer.size) break;
        }
        joint_->advance(out_);  // there is something to be read
        return moved;
    }

    void shutdown_write() override {
        out_.write_ended = true;
        joint_->advance(out_);
    }

    void close() override {
        if (std::exchange(closed_, true)) return;
        in_.read_ended = true;
        in_.reading = false;
        in_.read_done = nullptr;
        out_.write_ended = true;
        out_.writing = false;
        out_.write_done = nullptr;
        joint_->advance(in_);
        joint_->advance(out_);
    }

    std::string peer_name() const override { return "in memory"; }
    bool is_private() const override { return true; }

private:
    std::shared_ptr<Joint> joint_;
    Joint::Direction& in_;
    Joint::Direction& out_;
    bool closed_ = false;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_memory_streams(Reactor& reactor,
                                                                                std::size_t capacity) {
    auto joint = std::make_shared<Joint>(reactor, std::max<std::size_t>(capacity, 1));
    return {std::make_unique<MemoryStream>(joint, 0), std::make_unique<MemoryStream>(joint, 1)};
}

}  // namespace aprotic::engine
