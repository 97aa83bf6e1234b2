#pragma once

#include <chrono>

namespace aprotic::engine {

/// A span of time. Nanoseconds; std::chrono literals convert to it.
using Duration = std::chrono::nanoseconds;

/// A point of monotonic time. Only a Reactor makes one; everything below it receives `now` as an argument.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// A date and time of day in UTC, for what people and other machines read. Never for deadlines: it may jump.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

}  // namespace aprotic::engine
