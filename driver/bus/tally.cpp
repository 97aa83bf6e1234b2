#include <aprotic/driver/bus/tally.hpp>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>

namespace aprotic::driver::bus {

Tally::Tally(const Bus& bus, MessageKind kind, std::size_t octets) : kind_(kind) {
    if (auto* const sink = bus.metrics()) sink->request_received(kind_, octets);
}

void Tally::unserved(const Bus& bus, Unserved why) const {
    if (auto* const sink = bus.metrics()) sink->request_unserved(kind_, why);
}

void Tally::begin(const Bus& bus, engine::Instant arrived) {
    auto* const sink = bus.metrics();
    if (sink == nullptr) return;
    begun_ = bus.now().value_or(arrived);
    sink->request_begun(kind_, begun_ - arrived);
}

void Tally::end(const Bus& bus, ServeOutcome outcome) const {
    if (auto* const sink = bus.metrics()) sink->request_ended(kind_, outcome, bus.now().value_or(begun_) - begun_);
}

void Tally::end(const Bus& bus, const Reply& reply) const {
    if (reply) return end(bus, ServeOutcome::replied);
    switch (code_of(reply.error())) {
        case Errc::no_such_method: return end(bus, ServeOutcome::no_such_method);
        case Errc::unsupported_version: return end(bus, ServeOutcome::unsupported_version);
        default: return end(bus, ServeOutcome::failed);
    }
}

}  // namespace aprotic::driver::bus
