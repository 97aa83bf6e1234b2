#pragma once

#include "peer/channel.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace aprotic::peer {

/// A stream of the operating system as a Channel: real time, blocking with poll. Not thread-safe.
class TcpChannel final : public Channel {
public:
    /// Takes a connected socket over.
    explicit TcpChannel(int socket);
    ~TcpChannel() override;
    TcpChannel(const TcpChannel&) = delete;
    TcpChannel& operator=(const TcpChannel&) = delete;

    /// Connects within `patience`; null, and in `why` the reason, when nobody takes the connection. `port` is a number
    /// or a service's name.
    static std::unique_ptr<TcpChannel> connect(const std::string& host, const std::string& port, Duration patience,
                                               std::string& why);

    /// Gives up silently when the other side has gone or takes nothing for ten seconds: reading shows it.
    void write(std::span<const std::byte> bytes) override;
    std::vector<std::byte> read(Duration patience) override;
    /// After the other side's end, in order or by a reset.
    bool at_end() override;
    void end_of_stream() override;

    /// The stream ended by a reset or another error of the connection, not in order.
    bool was_reset() const override { return reset_; }

private:
    int socket_;
    bool ended_ = false;
    bool reset_ = false;
};

/// Takes connections on a port of the loopback interface. Not thread-safe.
class TcpListener {
public:
    /// Port 0 takes a free one. Throws std::system_error when the port cannot be had.
    explicit TcpListener(std::uint16_t port = 0);
    ~TcpListener();
    TcpListener(const TcpListener&) = delete;
    TcpListener& operator=(const TcpListener&) = delete;

    std::uint16_t port() const { return port_; }
    /// The next connection; null when none comes within `patience`.
    std::unique_ptr<TcpChannel> accept(Duration patience);

private:
    int socket_;
    std::uint16_t port_ = 0;
};

}  // namespace aprotic::peer
