#pragma once

#include <chrono>

namespace aprotic::conform {

/// Seconds since some moment, for what the suite waits for and how long things took.
inline double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace aprotic::conform
