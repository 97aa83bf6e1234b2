#pragma once

#include <chrono>

namespace aprotic::engine {

/// A span of time. Nanoseconds; std::chrono literals convert to it.
using Duration = std::chrono::nanoseconds;

/// A point of monotonic time. Only a Reactor makes one; everything below it receives `now` as an argument.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

}  // namespace aprotic::engine
