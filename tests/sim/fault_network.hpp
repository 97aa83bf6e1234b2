#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "sim/sim_reactor.hpp"
#include "support/prng.hpp"

namespace aprotic::sim {

/// Sees the octets of one connection. Side 0 is the one who connected.
class WireTap {
public:
    virtual ~WireTap() = default;
    /// `side` has put these on the wire.
    virtual void written(std::size_t side, std::span<const std::byte> octets) = 0;
    /// `side` has been given so many more octets of what the other has written.
    virtual void read(std::size_t side, std::size_t octets) = 0;
};

/// How bad the network is. "One in n" of 0: never.
struct Weather {
    std::size_t piece_max = SIZE_MAX;  ///< octets that are written, carried and read at once, at most
    Duration latency_min{};
    Duration latency_max{};
    std::size_t capacity = 256 * 1024;  ///< octets that may be on their way in one direction
    Duration reader_pause_max{};        ///< a slow reader
    std::uint64_t stall_one_in = 0;     ///< of the pieces
    Duration stall_max{};
    std::uint64_t refuse_one_in = 0;  ///< of the attempts to connect

    static Weather draw(test::Prng& prng);
};

/// Connections between parties in one SimReactor, with the faults of a real network, all of them drawn from a seed.
/// heal() makes it a perfect one. Must outlive what uses its streams.
class FaultNetwork {
public:
    using MakeTap = std::function<std::shared_ptr<WireTap>()>;

    FaultNetwork(SimReactor& reactor, std::uint64_t seed, Weather weather, MakeTap make_tap);
    ~FaultNetwork();

    /// For SimReactor::set_network, and for parties that are joined without listening.
    codec::Result<SimReactor::Joined, engine::Failure> connect(const Address& to);

    /// Both ends of a connection that lives, chosen by chance, see a reset. What was on its way is lost.
    void reset_one();
    /// One direction of a connection ends for its reader; what is written into it from then on goes nowhere.
    void half_close_one();
    /// Nothing arrives on a connection for so long.
    void stall_one(Duration time);
    /// No fault from now on; what stalled moves again.
    void heal();

    std::size_t connections_made() const noexcept { return made_; }

private:
    class Joint;
    class End;

    Joint* choose();

    SimReactor& reactor_;
    test::Prng prng_;
    Weather weather_;
    MakeTap make_tap_;
    std::vector<std::weak_ptr<Joint>> joints_;
    std::size_t made_ = 0;
};

}  // namespace aprotic::sim
