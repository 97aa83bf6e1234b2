#pragma once

#include <cstdio>
#include <cstdlib>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

// For programs whose instructions callgrind counts; check.py of the codec's instructions runs them.

namespace aprotic::test {

constexpr int window = 500;  ///< messages that are sent together
constexpr int windows = 4;

[[noreturn]] inline void fail(const char* why) {
    std::fprintf(stderr, "%s\n", why);
    std::exit(1);
}

/// What `operation` takes, a number of times after two that do not count; each is `things` of what is told of.
template <class Operation>
void count_instructions(const char* name, int times, int things, const Operation& operation) {
    for (int i = 0; i < 2; ++i) operation();
    CALLGRIND_TOGGLE_COLLECT;
    for (int i = 0; i < times; ++i) operation();
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(name);
    std::printf("%s %d\n", name, times * things);
}

}  // namespace aprotic::test
