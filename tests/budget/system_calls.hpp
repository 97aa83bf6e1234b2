#pragma once

#include <cstdint>

namespace aprotic::test {

/// Calls of this program that go to the kernel for sockets, events and timers, on this thread so far. Link
/// system_calls.cpp.
std::uint64_t system_calls() noexcept;

}  // namespace aprotic::test
