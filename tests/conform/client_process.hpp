#pragma once

#include <string>

#include <sys/types.h>

#include "conform/client.hpp"
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
    ClientProcesses(ClientCommands commands, std::uint16_t port);
    ~ClientProcesses() override;
    ClientProcesses(const ClientProcesses&) = delete;
    ClientProcesses& operator=(const ClientProcesses&) = delete;

    std::uint16_t port() const { return listener_.port(); }

    bool has(codec::Role role) const override { return !command_for(role).empty(); }
    std::string start(const Task& task) override;
    std::unique_ptr<peer::Channel> accept(peer::Duration patience, std::string& why) override;
    std::optional<int> wait(peer::Duration patience) override;
    Ended stop() override;

private:
    const std::string& command_for(codec::Role role) const {
        return role == codec::Role::sender ? commands_.sender : commands_.receiver;
    }
    /// Whether the process has ended within `patience`; its status is in `ended_` then.
    bool has_ended(peer::Duration patience);
    std::string last_said() const;
    void forget();

    ClientCommands commands_;
    peer::TcpListener listener_;
    pid_t pid_ = -1;
    int watch_ = -1;   // becomes readable when the process ends
    int errors_ = -1;  // a file without a name, into which its standard error goes
    bool reaped_ = false;
    Ended ended_;
};

}  // namespace aprotic::conform
