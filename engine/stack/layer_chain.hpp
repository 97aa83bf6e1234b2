#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <aprotic/engine/stack/byte_layer.hpp>

namespace aprotic::engine::stack {

/// The layers between the stream and AMQP, one above the other, as one: each reads what the one below it has unwrapped.
/// The contract of each function is ByteLayer's.
class LayerChain {
public:
    bool empty() const noexcept { return layers_.empty(); }
    /// Above those there are.
    void push(std::unique_ptr<ByteLayer> layer) { layers_.push_back(std::move(layer)); }
    /// Clients: the first words of all of them; each waits below until the one under it is open.
    void start();

    std::span<std::byte> prepare_input() { return layers_.front()->prepare_input(); }
    void commit_input(std::size_t n) { layers_.front()->commit_input(n); }
    /// To the topmost: what was read before it was there.
    void feed(std::span<const std::byte> octets) { layers_.back()->feed(octets); }
    std::span<const std::byte> output() { return layers_.front()->output(); }
    void commit_output(std::size_t n) { layers_.front()->commit_output(n); }
    bool has_output() const noexcept;

    std::size_t read(std::span<std::byte> into) { return read_from(layers_.size() - 1, into); }
    bool has_input() const noexcept;
    std::size_t write(std::span<const std::byte> from) { return layers_.back()->write(from); }
    void flush();
    void abandon_handshake() noexcept;
    void end_output();
    bool output_ended() const noexcept { return layers_.front()->output_ended(); }

    /// failed or ended when one is; open when all are.
    ByteLayer::Status status() const noexcept;
    const Failure& failure() const noexcept;
    std::string progress() const;

private:
    std::size_t read_from(std::size_t level, std::span<std::byte> into);
    /// Hands what the layer at `level` has to write to the one below it, as far as that takes it.
    void move_down(std::size_t level);

    std::vector<std::unique_ptr<ByteLayer>> layers_;  // the stream's end first
};

}  // namespace aprotic::engine::stack
