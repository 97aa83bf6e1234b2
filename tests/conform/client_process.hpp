#pragma once

#include <string>

#include "conform/program.hpp"
#include "peer/tcp_channel.hpp"

namespace aprotic::conform {

/// Commands that start a client under test by /bin/sh; an empty one: there is none. In them {url}, {host}, {port},
/// {address}, {count} and {size} stand for what the client is told.
struct ClientCommands {
    std::string sender;
    std::string receiver;
};

/// `command` with its placeholders filled in for a server at this port of 127.0.0.1.
std::string filled_in(std::string command, const Task& task, std::uint16_t port);

/// Clients that are processes of this machine and connect by TCP. Each is ended with all that it started.
class ClientProcesses final : public Clients {
public:
    /// Listens on this port of the loopback interface, 0: a free one. Throws std::system_error when it cannot be had.
    ClientProcesses(ClientCommands commands, std::uint16_t port) : commands_(std::move(commands)), listener_(port) {}

    std::uint16_t port() const { return listener_.port(); }

    bool has(codec::Role role) const override { return !command_for(role).empty(); }
    std::string start(const Task& task) override;
    std::unique_ptr<peer::Channel> accept(peer::Duration patience, std::string& why) override;
    std::optional<int> wait(peer::Duration patience) override {
        return program_.has_ended(patience) ? program_.exit_code() : std::nullopt;
    }
    Ended stop() override { return program_.stop(); }

private:
    const std::string& command_for(codec::Role role) const {
        return role == codec::Role::sender ? commands_.sender : commands_.receiver;
    }
    ClientCommands commands_;
    peer::TcpListener listener_;
    Program program_;
};

}  // namespace aprotic::conform
