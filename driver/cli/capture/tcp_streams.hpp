#pragma once

#include <aprotic/driver/cli/capture/packets.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace aprotic::driver::cli {

/// What one direction of a TCP connection brought, each octet once and in order.
struct Piece {
    enum class Kind : std::uint8_t {
        begin,         ///< before everything else of the direction, which starts here
        begin_within,  ///< the same, but the direction started before the capture did
        data,          ///< `octets`
        gap,           ///< `missing` octets that the capture does not have
        end,           ///< nothing comes any more
    };
    Kind kind{};
    std::size_t connection = 0;  ///< counts from 1, in the order of their first segments
    bool from_client = false;    ///< the client is who sent the first SYN, or who does not have a server's port
    std::uint64_t microseconds = 0;
    std::span<const std::byte> octets;
    std::uint64_t missing = 0;
};

struct TcpLimits {
    std::size_t connections_max = 16 * 1024;
    std::size_t waiting_max = 4096;  ///< segments kept for each direction because an earlier one has not come
};

/// Puts the octets of TCP connections together. Segments may come twice, overlap, be out of order or be missing; where
/// two disagree the first counts. It keeps views of the packets, so these must live until `finish()`.
class TcpStreams {
public:
    using Sink = std::function<void(const Piece&)>;
    /// `is_server_port` tells who is the server where the capture does not have the connection's start.
    TcpStreams(Sink sink, std::function<bool(std::uint16_t)> is_server_port, const TcpLimits& limits = {});

    void add(const Segment& segment, std::uint64_t microseconds);
    /// What is still missing will not come: tells of gaps and ends.
    void finish();

    struct Counts {
        std::size_t retransmitted = 0;  ///< segments that brought nothing new
        std::size_t overlapping = 0;    ///< segments of which a part was known
        std::size_t out_of_order = 0;
        std::size_t gaps = 0;
        std::size_t ignored = 0;  ///< segments of connections beyond the limit
    };
    const Counts& counts() const noexcept { return counts_; }
    struct Ends {
        Endpoint client, server;
    };
    const Ends& ends(std::size_t connection) const { return ends_.at(connection - 1); }

private:
    struct Waiting {
        std::span<const std::byte> octets;
        std::size_t lost = 0;
    };
    struct Direction {
        std::uint64_t next = 0;       // offset of the octet that is wanted
        std::uint32_t base = 0;       // sequence number of the octet at offset 0
        std::uint64_t confirmed = 0;  // up to where the other side has it all
        std::optional<std::uint64_t> end;
        std::map<std::uint64_t, Waiting> waiting;
        bool begun = false;
    };
    struct Connection {
        std::size_t number = 0;
        std::uint64_t microseconds = 0;
        std::array<Direction, 2> directions;  // from the client, from the server
        bool ended = false;
    };
    using Key = std::pair<Endpoint, Endpoint>;

    Connection* find(const Segment& segment);
    void begin(Connection& connection, bool from_client, std::uint32_t base, bool from_start);
    void take(Connection& connection, bool from_client, std::uint64_t at, Waiting piece);
    void emit(Connection& connection, bool from_client, std::uint64_t at, const Waiting& piece);
    void drain(Connection& connection, bool from_client);
    void skip_to(Connection& connection, bool from_client, std::uint64_t until);
    void give_up(Connection& connection, bool from_client, std::uint64_t until);
    void close(Connection& connection);

    Sink sink_;
    std::function<bool(std::uint16_t)> is_server_port_;
    TcpLimits limits_;
    std::map<Key, Connection> connections_;
    std::vector<Ends> ends_;
    Counts counts_;
};

}  // namespace aprotic::driver::cli
