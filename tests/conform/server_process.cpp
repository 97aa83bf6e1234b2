#include "conform/server_process.hpp"

#include <thread>

#include "conform/clock.hpp"

namespace aprotic::conform {

std::string ServerProcess::bring_up(Profile& profile, Duration patience) {
    const double deadline = seconds_now() + std::chrono::duration<double>(patience).count();
    if (!command_.empty())
        if (std::string why = program_.start(command_); !why.empty()) return why;
    for (;;) {
        Profile found = profile;
        std::string why = prepare(connect_, found, timing_);
        if (why.empty()) {
            profile = std::move(found);
            return why;
        }
        const bool ended = !alive();
        if (ended) why += "; the program has ended";
        const std::string said = command_.empty() ? std::string() : program_.last_said();
        if (!said.empty()) why += "; it wrote: " + said;
        if (ended || seconds_now() >= deadline) return why;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

}  // namespace aprotic::conform
