#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <aprotic/engine/options.hpp>
#include <aprotic/engine/stack/byte_layer.hpp>

namespace aprotic::engine::stack {

/// Whether somebody begins with an HTTP request, as far as the octets tell.
bool is_http_request(std::span<const std::byte> octets);

/// WebSocket: after its handshake, bytes are the contents of binary messages, wherever those are cut. [RFC 6455] Each
/// flush() makes one message of what was written.
class WebSocketLayer final : public ByteLayer {
public:
    /// `host` is what a client's request is for, with the port where that is not the scheme's. `seed` feeds the key and
    /// the masks.
    WebSocketLayer(EngineRole role, WebSocketOptions options, std::string host, std::uint64_t seed);
    ~WebSocketLayer() override;

    void start() override;
    std::span<std::byte> prepare_input() override;
    void commit_input(std::size_t n) override;
    void feed(std::span<const std::byte> octets) override;
    std::span<const std::byte> output() override;
    void commit_output(std::size_t n) override;
    bool has_output() const noexcept override;
    std::size_t read(std::span<std::byte> into) override;
    bool has_input() const noexcept override;
    std::size_t write(std::span<const std::byte> from) override;
    void flush() override;
    void abandon_handshake() noexcept override;
    void end_output() override;
    bool output_ended() const noexcept override;
    Status status() const noexcept override;
    const Failure& failure() const noexcept override;
    std::string progress() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::engine::stack
