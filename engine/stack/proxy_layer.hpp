#pragma once

#include <string>
#include <utility>

#include <aprotic/engine/options.hpp>
#include <aprotic/engine/stack/byte_layer.hpp>

namespace aprotic::engine::stack {

/// Asks an HTTP proxy for the way to a server and is nothing but that way afterwards. Client role. [RFC 9110 9.3.6]
class ProxyLayer final : public ByteLayer {
public:
    explicit ProxyLayer(ProxyOptions options) : options_(std::move(options)) {}

    void start() override;
    std::span<std::byte> prepare_input() override;
    void commit_input(std::size_t n) override { input_.commit(n); }
    void feed(std::span<const std::byte> octets) override { input_.feed(octets); }
    std::span<const std::byte> output() override { return output_.front(); }
    void commit_output(std::size_t n) override { output_.commit(n); }
    bool has_output() const noexcept override { return output_.size() > 0; }
    std::size_t read(std::span<std::byte> into) override;
    bool has_input() const noexcept override { return status_ == Status::open && !input_.empty(); }
    std::size_t write(std::span<const std::byte> from) override;
    void flush() override {}
    void abandon_handshake() noexcept override;
    void end_output() override { output_ended_ = true; }
    bool output_ended() const noexcept override { return output_ended_; }
    Status status() const noexcept override { return status_; }
    const Failure& failure() const noexcept override { return failure_; }
    std::string progress() const override;

private:
    void read_answer();
    std::string name() const;
    void fail(std::string text);

    ProxyOptions options_;
    Status status_ = Status::handshaking;
    Failure failure_;
    bool output_ended_ = false;
    LayerInput input_;
    LayerOutput output_;
};

}  // namespace aprotic::engine::stack
