#pragma once

#include <cstddef>
#include <cstdint>

#include <aprotic/engine/time.hpp>

namespace aprotic::driver::bus {

using engine::Duration;

/// When to connect, and to which of several hosts. Pure: is told what happened, says what to do.
///
///     idle ─start─▶ connecting ─connected─▶ connected
///                    │  ▲   ▲                  │
///             failed │  │   └─ failed, hosts   │ lost
///          last host ▼  │timer  left in round  │
///                   waiting ◀──────────────────┘        stop: from everywhere to idle
class Reconnect {
public:
    struct Options {
        Duration interval;   ///< the first pause
        double backoff = 1;  ///< factor from pause to pause; below 1 counts as 1
        Duration interval_max;
        Duration increment{};  ///< added from pause to pause, after the factor
        double jitter = 0.1;   ///< part of a pause, 0 to 1, that chance may take away
    };
    enum class Status { idle, connecting, connected, waiting };
    enum class Input {
        start,  ///< somebody wants the connection
        connected,
        failed,  ///< the attempt failed
        lost,    ///< the connection that was has gone
        timer,   ///< the pause is over
        stop,    ///< nobody wants it any more
    };
    struct Action {
        enum class Kind { none, connect, wait } kind = Kind::none;
        std::size_t host = 0;  ///< connect: which
        Duration pause{};      ///< wait: how long until Input::timer
    };

    Reconnect(Options options, std::size_t hosts, std::size_t first_host);

    /// `chance` shortens a pause by up to Options::jitter, so that clients which lost the same broker do not come back
    /// together.
    Action next(Input input, std::uint64_t chance);

    Status status() const noexcept { return status_; }
    std::size_t host() const noexcept { return host_; }
    /// Attempts failed since the last success or start.
    std::size_t failures() const noexcept { return failures_; }

private:
    Action connect();
    Action wait(std::uint64_t chance);

    Options options_;
    std::size_t hosts_;
    std::size_t host_;
    Status status_ = Status::idle;
    std::size_t tried_in_round_ = 0;
    std::size_t failures_ = 0;
    Duration pause_;
};

}  // namespace aprotic::driver::bus
