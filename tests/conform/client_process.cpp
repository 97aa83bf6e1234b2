#include "conform/client_process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

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

/// How long a client whose case is over gets to end by itself: one that has crashed is just about to.
constexpr peer::Duration last_breath = 50ms;

}  // namespace

std::string filled_in(std::string command, const Task& task, std::uint16_t port) {
    const std::string where = "127.0.0.1:" + std::to_string(port);
    const std::pair<std::string_view, std::string> values[] = {
        {"{url}", "amqp://" + std::string(task.login ? "conform:secret@" : "") + where},
        {"{host}", "127.0.0.1"},
        {"{port}", std::to_string(port)},
        {"{address}", task.node},
        {"{count}", std::to_string(task.count)},
        {"{size}", std::to_string(task.size)},
    };
    for (const auto& [name, value] : values)
        for (auto at = command.find(name); at != std::string::npos; at = command.find(name, at + value.size()))
            command.replace(at, name.size(), value);
    return command;
}

ClientProcesses::ClientProcesses(ClientCommands commands, std::uint16_t port)
    : commands_(std::move(commands)), listener_(port) {}

ClientProcesses::~ClientProcesses() { forget(); }

std::string ClientProcesses::start(const Task& task) {
    forget();
    // What the one before still had under way is none of this one's.
    while (listener_.accept(peer::Duration::zero())) {
    }
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
    std::string command = filled_in(command_for(task.role), task, port());
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

std::unique_ptr<peer::Channel> ClientProcesses::accept(peer::Duration patience, std::string& why) {
    using Clock = std::chrono::steady_clock;
    constexpr peer::Duration step = 20ms;
    for (const auto deadline = Clock::now() + patience; Clock::now() < deadline;) {
        const bool ended = has_ended(peer::Duration::zero());
        // What it began before it ended is there by now.
        if (auto channel = listener_.accept(ended ? peer::Duration::zero() : step)) return channel;
        if (ended) break;
    }
    why = reaped_ ? "the client ended without a connection" : "no connection from the client";
    if (const std::string said = last_said(); !said.empty()) why += "; it wrote: " + said;
    return nullptr;
}

bool ClientProcesses::has_ended(peer::Duration patience) {
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

std::optional<int> ClientProcesses::wait(peer::Duration patience) {
    return has_ended(patience) ? ended_.exit_code : std::nullopt;
}

Ended ClientProcesses::stop() {
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

std::string ClientProcesses::last_said() const {
    std::array<char, 1500> tail;
    const off_t size = ::lseek(errors_, 0, SEEK_END);
    const off_t from = size > static_cast<off_t>(tail.size()) ? size - static_cast<off_t>(tail.size()) : 0;
    const ssize_t count = ::pread(errors_, tail.data(), tail.size(), from);
    std::string text(tail.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

void ClientProcesses::forget() {
    stop();
    for (int* descriptor : {&watch_, &errors_}) {
        if (*descriptor >= 0) ::close(*descriptor);
        *descriptor = -1;
    }
    reaped_ = false;
    ended_ = {};
}

}  // namespace aprotic::conform
