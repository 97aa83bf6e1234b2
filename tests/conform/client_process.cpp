#include "conform/client_process.hpp"

#include <chrono>
#include <utility>

namespace aprotic::conform {

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

std::string ClientProcesses::start(const Task& task) {
    program_.forget();
    // What the one before still had under way is none of this one's.
    while (listener_.accept(peer::Duration::zero())) {
    }
    return program_.start(filled_in(command_for(task.role), task, port()));
}

std::unique_ptr<peer::Channel> ClientProcesses::accept(peer::Duration patience, std::string& why) {
    using Clock = std::chrono::steady_clock;
    constexpr peer::Duration step = std::chrono::milliseconds(20);
    for (const auto deadline = Clock::now() + patience; Clock::now() < deadline;) {
        const bool ended = program_.has_ended(peer::Duration::zero());
        // What it began before it ended is there by now.
        if (auto channel = listener_.accept(ended ? peer::Duration::zero() : step)) return channel;
        if (ended) break;
    }
    why = program_.has_ended(peer::Duration::zero()) ? "the client ended without a connection"
                                                     : "no connection from the client";
    if (const std::string said = program_.last_said(); !said.empty()) why += "; it wrote: " + said;
    return nullptr;
}

}  // namespace aprotic::conform
