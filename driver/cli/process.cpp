#include <aprotic/driver/cli/process.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace aprotic::driver::cli {
namespace {

constexpr std::size_t output_bytes_max = 16 * 1024 * 1024;

using Clock = std::chrono::steady_clock;
using TemporaryFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

TemporaryFile temporary_file() { return TemporaryFile(std::tmpfile(), &std::fclose); }

/// A file descriptor that is closed.
struct Descriptor {
    int fd = -1;
    Descriptor() = default;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(); }
    void reset() {
        if (fd >= 0) ::close(fd);
        fd = -1;
    }
};

/// Reads until the end, the deadline or the bound; what went wrong, or empty.
std::string read_all(int fd, Clock::time_point deadline, std::string& into) {
    std::array<char, 16 * 1024> block;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
        const int ready = left <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(std::min<long long>(left, 1'000'000)));
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) return std::strerror(errno);
        if (ready == 0 && left <= 1'000'000) return "the command took longer than --exec-timeout allows";
        if (ready == 0) continue;
        const ssize_t count = ::read(fd, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::strerror(errno);
        if (count == 0) return {};
        into.append(block.data(), static_cast<std::size_t>(count));
        if (into.size() > output_bytes_max) return "the command wrote more than 16 MiB";
    }
}

std::string content_of(std::FILE* file) {
    std::string text(4096, '\0');
    std::rewind(file);
    text.resize(std::fread(text.data(), 1, text.size(), file));
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

/// The child's environment, and the strings it points to.
struct Environment {
    std::string method;
    std::vector<char*> variables;

    explicit Environment(const std::string& name) : method("APROTIC_METHOD=" + name) {
        for (char** variable = environ; *variable != nullptr; ++variable)
            if (!std::string_view(*variable).starts_with("APROTIC_METHOD=")) variables.push_back(*variable);
        variables.push_back(method.data());
        variables.push_back(nullptr);
    }
};

int spawn(const std::string& command, const std::string& method, int in, int out, int err, pid_t& child) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, err, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);

    // A group of its own, so that it can be ended with all it started; and the signals that this process holds back,
    // free.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);

    std::string shell = "/bin/sh", option = "-c", text = command;
    std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
    Environment environment(method);
    const int error =
        ::posix_spawn(&child, shell.c_str(), &files, &attributes, arguments.data(), environment.variables.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

}  // namespace

Finished run_command(const std::string& command, const std::string& input, const std::string& method,
                     std::chrono::nanoseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    const TemporaryFile in = temporary_file();
    const TemporaryFile err = temporary_file();
    std::array<int, 2> pipe{-1, -1};
    if (!in || !err || ::pipe2(pipe.data(), O_CLOEXEC) != 0) return {false, {}, std::strerror(errno)};
    Descriptor output, child_output;
    output.fd = pipe[0];
    child_output.fd = pipe[1];

    if (std::fwrite(input.data(), 1, input.size(), in.get()) != input.size() || std::fflush(in.get()) != 0)
        return {false, {}, std::strerror(errno)};
    std::rewind(in.get());

    pid_t child = -1;
    const int error = spawn(command, method, ::fileno(in.get()), child_output.fd, ::fileno(err.get()), child);
    if (error != 0) return {false, {}, std::string("cannot run /bin/sh: ") + std::strerror(error)};
    child_output.reset();

    Finished finished;
    finished.problem = read_all(output.fd, deadline, finished.output);
    if (!finished.problem.empty()) ::kill(-child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!finished.problem.empty()) return finished;

    finished.ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (finished.ok) return finished;
    finished.problem = content_of(err.get());
    if (finished.problem.empty() && WIFEXITED(status))
        finished.problem = "the command ended with exit status " + std::to_string(WEXITSTATUS(status));
    else if (finished.problem.empty())
        finished.problem = "the command was ended by signal " + std::to_string(WTERMSIG(status));
    return finished;
}

}  // namespace aprotic::driver::cli
