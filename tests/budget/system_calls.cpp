#include "budget/system_calls.hpp"

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

// A program's own definitions come before those of the C library (and of the sanitizers, which are called next).

namespace {

thread_local std::uint64_t calls = 0;

template <class F>
F* next(const char* name) {
    return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

namespace aprotic::test {

std::uint64_t system_calls() noexcept { return calls; }

}  // namespace aprotic::test

// NOLINTBEGIN: their names and parameters are the C library's.
extern "C" {

#define COUNTED(result, name, parameters, ...)                   \
    result name parameters {                                     \
        static const auto real = next<result parameters>(#name); \
        ++calls;                                                 \
        return real(__VA_ARGS__);                                \
    }

COUNTED(ssize_t, sendmsg, (int s, const msghdr* m, int f), s, m, f)
COUNTED(ssize_t, recvmsg, (int s, msghdr* m, int f), s, m, f)
COUNTED(ssize_t, send, (int s, const void* b, size_t n, int f), s, b, n, f)
COUNTED(ssize_t, recv, (int s, void* b, size_t n, int f), s, b, n, f)
COUNTED(ssize_t, read, (int s, void* b, size_t n), s, b, n)
COUNTED(ssize_t, write, (int s, const void* b, size_t n), s, b, n)
COUNTED(ssize_t, readv, (int s, const iovec* v, int n), s, v, n)
COUNTED(ssize_t, writev, (int s, const iovec* v, int n), s, v, n)
COUNTED(int, epoll_wait, (int e, epoll_event* v, int n, int t), e, v, n, t)
COUNTED(int, timerfd_settime, (int t, int f, const itimerspec* n, itimerspec* o), t, f, n, o)

#undef COUNTED
}
// NOLINTEND
