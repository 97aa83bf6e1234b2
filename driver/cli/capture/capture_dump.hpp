#pragma once

#include <aprotic/codec/dump.hpp>
#include <aprotic/driver/cli/capture/tcp_streams.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace aprotic::driver::cli {

/// The AMQP connections in a capture file, each frame when it was complete. A connection is one of AMQP when it has one
/// of `ports` or when one of its directions starts with the protocol header.
class CaptureDump {
public:
    using Print = std::function<void(std::string_view)>;  ///< whole lines
    CaptureDump(Print print, codec::DumpOptions options, std::set<std::uint16_t> ports);

    void run(std::span<const std::byte> file);

    /// Every AMQP connection is well-formed and complete, and the capture file too.
    bool ok() const noexcept { return ok_; }
    std::size_t packets() const noexcept { return packets_; }
    std::size_t segments() const noexcept { return segments_; }
    std::size_t connections() const noexcept { return connections_; }  ///< of AMQP
    std::size_t frames() const noexcept { return frames_; }

private:
    struct Direction {
        std::optional<codec::StreamDumper> dumper;
        bool decided = false;
        bool begun_within = false;
        std::uint64_t missing = 0;  // octets in front of the first that there are
    };
    struct Connection {
        Direction from_client, from_server;
        bool announced = false;
    };

    void take(const TcpStreams& streams, const Piece& piece);
    bool is_amqp(const TcpStreams::Ends& ends, const Direction& direction, std::span<const std::byte> octets) const;
    void announce(const TcpStreams::Ends& ends, Connection& connection, const Piece& piece);
    void print_lines(const Piece& piece, std::string_view lines);
    void note(std::string_view text, std::size_t count);

    Print print_;
    codec::DumpOptions options_;
    std::set<std::uint16_t> ports_;
    std::map<std::size_t, Connection> known_;
    std::optional<std::uint64_t> started_;
    std::size_t packets_ = 0;
    std::size_t segments_ = 0;
    std::size_t connections_ = 0;
    std::size_t frames_ = 0;
    bool ok_ = true;
};

}  // namespace aprotic::driver::cli
