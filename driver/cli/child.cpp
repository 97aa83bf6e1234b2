#include <aprotic/driver/cli/child.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace aprotic::driver::cli {

Child::Child(const std::vector<std::string>& arguments) {
    std::array<int, 2> pipe{-1, -1};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, pipe[1], 1);

    const std::string executable = "/proc/self/exe";
    std::vector<std::string> texts{"aprotic"};
    texts.insert(texts.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    const int error = ::posix_spawn(&pid_, executable.c_str(), &files, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    ::close(pipe[1]);
    if (error != 0) {
        ::close(pipe[0]);
        throw std::system_error(error, std::generic_category(), "cannot start " + executable);
    }
    output_ = pipe[0];
}

Child::~Child() {
    ::close(output_);
    if (!running()) return;
    ::kill(pid_, SIGTERM);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

std::string Child::read_line() {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    for (;;) {
        if (const auto end = buffered_.find('\n'); end != std::string::npos) {
            const std::string line = buffered_.substr(0, end);
            buffered_.erase(0, end + 1);
            return line;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd entry{.fd = output_, .events = POLLIN, .revents = 0};
        if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0) return {};
        std::array<char, 4096> block;
        const ssize_t count = ::read(output_, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return {};
        buffered_.append(block.data(), static_cast<std::size_t>(count));
    }
}

bool Child::running() {
    if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
}

}  // namespace aprotic::driver::cli
