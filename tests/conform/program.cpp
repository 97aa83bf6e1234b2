#include "conform/program.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace aprotic::conform {
namespace {

using namespace std::chrono_literals;

/// How long a program whose case is over gets to end by itself: one that has crashed is just about to.
constexpr peer::Duration last_breath = 50ms;

}  // namespace

std::string Program::start(std::string command) {
    forget();
    errors_ = ::memfd_create("stderr", MFD_CLOEXEC);
    if (errors_ < 0) return std::strerror(errno);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, errors_, 2);
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);

    std::string shell = "/bin/sh", option = "-c";
    char* const arguments[] = {shell.data(), option.data(), command.data(), nullptr};
    const int error = ::posix_spawn(&pid_, shell.c_str(), &files, &how, arguments, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) {
        pid_ = -1;
        return std::strerror(error);
    }
    watch_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    return watch_ < 0 ? std::strerror(errno) : std::string();
}

bool Program::has_ended(peer::Duration patience) {
    if (reaped_ || pid_ < 0) return true;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    pollfd entry{.fd = watch_, .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, static_cast<int>(wait)) <= 0) return false;
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return false;
    reaped_ = true;
    if (WIFEXITED(status)) ended_.exit_code = WEXITSTATUS(status);
    // A shell that did not exec its command tells of its end by a signal in this way.
    constexpr int by_signal = 128;
    const int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - by_signal;
    for (const int fatal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGTRAP})
        if (number == fatal) ended_.crash = std::string("its process was ended by a signal: ") + ::strsignal(fatal);
    return true;
}

Ended Program::stop() {
    if (pid_ < 0) return ended_;
    const bool was_there = !reaped_;
    ended_.by_itself = has_ended(last_breath);
    // Its children too, whether it is still there or not.
    ::kill(-pid_, SIGKILL);
    if (was_there && !ended_.by_itself) ::waitpid(pid_, nullptr, 0);
    reaped_ = true;
    ended_.said = last_said();
    if (ended_.crash.empty() && ended_.said.find("Sanitizer") != std::string::npos)
        ended_.crash = "a sanitizer has found a fault in it";
    pid_ = -1;
    return ended_;
}

std::string Program::last_said() const {
    std::array<char, 1500> tail;
    const off_t size = ::lseek(errors_, 0, SEEK_END);
    const off_t from = size > static_cast<off_t>(tail.size()) ? size - static_cast<off_t>(tail.size()) : 0;
    const ssize_t count = ::pread(errors_, tail.data(), tail.size(), from);
    std::string text(tail.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

void Program::forget() {
    stop();
    for (int* descriptor : {&watch_, &errors_}) {
        if (*descriptor >= 0) ::close(*descriptor);
        *descriptor = -1;
    }
    reaped_ = false;
    ended_ = {};
}

}  // namespace aprotic::conform
