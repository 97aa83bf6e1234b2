#pragma once

#include "peer/channel.hpp"

namespace aprotic::peer {

/// Speaks with a Machine in this process, cutting the bytes up as `plan` says. Both must outlive it.
class MemoryChannel final : public Channel {
public:
    MemoryChannel(Machine& machine, Plan& plan) : machine_(machine), plan_(plan) {}

    void write(std::span<const std::byte> bytes) override;
    /// `patience` is virtual time: the machine's clock is moved on only if there is nothing to read.
    std::vector<std::byte> read(Duration patience) override;
    bool at_end() override;
    void end_of_stream() override;

private:
    void push();
    void pull();
    void step();
    std::size_t piece(std::size_t wanted, std::size_t chunk, std::size_t position,
                      std::optional<std::size_t> split) const;

    Machine& machine_;
    Plan& plan_;
    std::vector<std::byte> to_machine_;  // what the machine did not want to read yet
    std::vector<std::byte> from_machine_;
};

}  // namespace aprotic::peer
