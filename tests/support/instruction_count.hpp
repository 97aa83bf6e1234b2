#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

// For programs whose instructions callgrind counts, a window of messages at a time; check.py of the codec's
// instructions runs them.

namespace aprotic::test {

constexpr int window = 500;  ///< messages

[[noreturn]] inline void fail(const char* why) {
    std::fprintf(stderr, "%s\n", why);
    std::exit(1);
}

/// What `send_window` takes for each message of it, after two windows that do not count.
inline void count_instructions(const char* name, const std::function<void()>& send_window) {
    constexpr int windows = 4;
    for (int i = 0; i < 2; ++i) send_window();
    CALLGRIND_TOGGLE_COLLECT;
    for (int i = 0; i < windows; ++i) send_window();
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(name);
    std::printf("%s %d\n", name, windows * window);
}

}  // namespace aprotic::test
