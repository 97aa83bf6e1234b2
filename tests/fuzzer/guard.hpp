#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "fuzzer/conversations.hpp"
#include "fuzzer/exchange.hpp"

namespace aprotic::fuzzer {

/// How a peer takes somebody who behaves.
struct Health {
    enum class State {
        well,
        harmed,   ///< the connection was there and has been ended, or what was sent on it did not come back
        silent,   ///< nothing came in the time given
        refused,  ///< no connection can be made, or none that gets to open
    };
    State state = State::well;
    std::string what{};
};

/// Whether a new connection gets to open, and its close is answered.
Health probe(const Connector& connect, const Access& access, const Timing& timing);

/// Which SASL layer the peer wants, if `access` does not say: tries without one, then ANONYMOUS. The health is that of
/// the last try.
Health find_access(const Connector& connect, Access& access, const Timing& timing);

/// Takes everything out of the node that the conversations fill. Whatever goes wrong is nobody's fault.
void sweep(const Connector& connect, const Access& access, const Timing& timing);

/// A connection that keeps to every rule while others do not: it sends messages to a queue of its own and receives
/// them.
class Guard {
public:
    /// Opens connection, session and both links. `name` must be like no other container's.
    Health start(const Connector& connect, const Access& access, const Timing& timing, const std::string& name);
    bool running() const { return exchange_ != nullptr; }
    /// Whether messages come back: not every peer has queues. Otherwise the session's flow is asked for instead.
    bool echoes() const { return echoes_; }
    /// A message there and back. After anything but `well` it has stopped.
    Health check(const Timing& timing);
    /// Takes leave.
    void stop();

private:
    Health open(const Connector& connect, const Access& access, const Timing& timing);
    bool attach(const Access& access, const Timing& timing);
    Health check_echo(const Timing& timing);
    Health check_flow(const Timing& timing);
    Health stopped(Health::State state, const std::string& what);
    /// Keeps account of what came; false when it ends the guard's connection, session or one of its links.
    bool take(const Heard& heard);
    bool has_credit() const { return static_cast<std::int32_t>(credit_limit_ - sent_) > 0; }

    std::unique_ptr<Exchange> exchange_;
    std::string name_;
    std::uint32_t sent_ = 0;
    std::uint32_t received_ = 0;
    std::uint32_t frames_ = 0;                   // transfers received: what the session counts
    std::uint32_t credit_limit_ = 0;             // delivery-count up to which we may send
    std::optional<std::uint32_t> their_handle_;  // the peer's, of the link on which we send
    bool echoes_ = false;
};

}  // namespace aprotic::fuzzer
