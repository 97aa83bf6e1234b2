#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/engine/security.hpp>
#include <aprotic/engine/stack/byte_layer.hpp>

namespace aprotic::engine::stack {

/// What a SASL mechanism agreed on, around every octet behind the outcome. Open from the start.
class SaslWrapLayer final : public ByteLayer {
public:
    explicit SaslWrapLayer(std::unique_ptr<SaslSecurityLayer> layer) : layer_(std::move(layer)) {}

    void start() override {}
    std::span<std::byte> prepare_input() override {
        return plain_left() == 0 ? input_.prepare() : std::span<std::byte>();
    }
    void commit_input(std::size_t n) override { input_.commit(n); }
    void feed(std::span<const std::byte> octets) override { input_.feed(octets); }
    std::span<const std::byte> output() override { return output_.front(); }
    void commit_output(std::size_t n) override { output_.commit(n); }
    bool has_output() const noexcept override { return output_.size() > 0; }
    std::size_t read(std::span<std::byte> into) override;
    bool has_input() const noexcept override { return plain_left() > 0 || !input_.empty(); }
    std::size_t write(std::span<const std::byte> from) override;
    void flush() override;
    void abandon_handshake() noexcept override {}
    void end_output() override;
    bool output_ended() const noexcept override { return output_ended_; }
    Status status() const noexcept override { return status_; }
    const Failure& failure() const noexcept override { return failure_; }
    std::string progress() const override { return "inside of the SASL security layer"; }

private:
    std::size_t plain_left() const noexcept { return plain_.size() - plain_read_; }
    void fail(const char* what);

    std::unique_ptr<SaslSecurityLayer> layer_;
    Status status_ = Status::open;
    Failure failure_;
    bool output_ended_ = false;
    LayerInput input_;
    std::vector<std::byte> plain_;  // unwrapped; up to plain_read_ it was read
    std::size_t plain_read_ = 0;
    std::vector<std::byte> gathered_;  // to be wrapped together
    std::vector<std::byte> wrapped_;
    LayerOutput output_;
};

}  // namespace aprotic::engine::stack
