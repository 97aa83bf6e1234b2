#pragma once

#include <cstddef>

#include <aprotic/driver/dispatcher.hpp>
#include <aprotic/driver/metrics.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::driver::bus {

class Bus;

/// One request or notification as the bus' sink is told of it. Where nobody counts it does nothing. Any thread.
class Tally {
public:
    Tally(const Bus& bus, MessageKind kind, std::size_t octets);

    void unserved(const Bus& bus, Unserved why) const;
    /// `arrived` is when it came off the link.
    void begin(const Bus& bus, engine::Instant arrived);
    void end(const Bus& bus, ServeOutcome outcome) const;
    void end(const Bus& bus, const Reply& reply) const;

private:
    MessageKind kind_;
    engine::Instant begun_{};
};

}  // namespace aprotic::driver::bus
