#pragma once

namespace aprotic::codec::detail {

/// Prints the broken invariant to stderr and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace aprotic::codec::detail

/// States an invariant of our own code. It is on in every build unless APROTIC_UNCHECKED is defined, because a wrong
/// answer is worse than a stopped process. Never use it for anything a peer's bytes could make false: those are errors.
#ifdef APROTIC_UNCHECKED
#define APROTIC_ASSERT(expression) static_cast<void>(0)
#else
#define APROTIC_ASSERT(expression) \
    ((expression) ? static_cast<void>(0) : ::aprotic::codec::detail::assertion_failed(#expression, __FILE__, __LINE__))
#endif
