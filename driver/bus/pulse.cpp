#include <aprotic/driver/bus/pulse.hpp>

#include <algorithm>
#include <utility>

namespace aprotic::driver::bus {
namespace {

LetterPtr make_answer(Letter::Kind kind, const ReturnAddress& to, Duration timeout) {
    auto letter = std::make_shared<Letter>();
    letter->kind = kind;
    letter->address = to.address;
    letter->correlation_id = to.correlation_id;
    letter->timeout = timeout;
    return letter;
}

}  // namespace

void send_reply(Bus& bus, const ReturnAddress& to, std::string text, engine::Function<void(Result<Json>)> done) {
    auto letter = make_answer(Letter::Kind::reply, to, bus.options().default_reply_timeout);
    letter->settled = bus.options().pre_settled.rpc_reply;
    letter->retries = bus.options().default_reply_retry;
    letter->text = std::move(text);
    letter->done = std::move(done);
    bus.submit(std::move(letter));
}

void Pulse::start(Bus& bus) {
    // Faster than this is of no use to anybody, and would be a load that the caller chooses.
    constexpr Duration pause_min = std::chrono::milliseconds(100);
    bus.reactor().start_timer(bus.reactor().now() + std::max(caller_waits_ / 2, pause_min),
                              [self = weak_from_this(), weak = bus.weak_from_this()] {
                                  const auto alive = self.lock();
                                  const auto on = weak.lock();
                                  if (!alive || !on || alive->stopped_) return;
                                  alive->beat(*on);
                                  alive->start(*on);
                              });
}

void Pulse::beat(Bus& bus) const {
    auto letter = make_answer(Letter::Kind::heartbeat, to_, caller_waits_);
    letter->settled = true;
    letter->retries = 0;
    letter->with_ttl = true;
    if (server_) letter->extras.server_address = bus.addresser().rpc_address(*server_);
    bus.submit(std::move(letter));
}

}  // namespace aprotic::driver::bus
