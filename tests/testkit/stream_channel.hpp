#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include <aprotic/engine/reactor.hpp>

#include "peer/channel.hpp"
#include "sim/sim_reactor.hpp"

namespace aprotic::testing {

/// A scripted peer's end of a stream in a simulated world: what it says and hears makes that world go on. The reactor
/// must outlive it. One thread: the reactor's.
class StreamChannel final : public peer::Channel {
public:
    StreamChannel(sim::SimReactor& reactor, std::unique_ptr<engine::Stream> stream)
        : reactor_(reactor), stream_(std::move(stream)) {
        read_on();
    }

    void write(std::span<const std::byte> bytes) override {
        out_.insert(out_.end(), bytes.begin(), bytes.end());
        if (!writing_) write_on();
        reactor_.settle();
    }
    std::vector<std::byte> read(peer::Duration patience) override {
        reactor_.run_until([this] { return !in_.empty() || ended_; }, patience);
        reactor_.settle();
        return std::exchange(in_, {});
    }
    bool at_end() override { return ended_ && in_.empty(); }
    void end_of_stream() override {
        stream_->shutdown_write();
        reactor_.settle();
    }
    /// Cuts the stream.
    void close() {
        stream_->close();
        reactor_.settle();
    }

private:
    void read_on() {
        stream_->read(chunk_, [this](std::error_code error, std::size_t n) {
            if (error || n == 0) {
                ended_ = true;
                return;
            }
            in_.insert(in_.end(), chunk_.begin(), chunk_.begin() + static_cast<std::ptrdiff_t>(n));
            read_on();
        });
    }
    void write_on() {
        writing_ = true;
        const codec::ConstBuffer buffer{out_.data(), out_.size()};
        stream_->write(std::span(&buffer, 1), [this](std::error_code error, std::size_t n) {
            writing_ = false;
            out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(n));
            if (!error && !out_.empty()) write_on();
        });
    }

    sim::SimReactor& reactor_;
    std::unique_ptr<engine::Stream> stream_;
    std::array<std::byte, 4096> chunk_{};
    std::vector<std::byte> in_;
    std::vector<std::byte> out_;
    bool writing_ = false;
    bool ended_ = false;
};

}  // namespace aprotic::testing
