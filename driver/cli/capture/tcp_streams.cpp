#include <aprotic/driver/cli/capture/tcp_streams.hpp>

#include <algorithm>

namespace aprotic::driver::cli {
namespace {

/// So many segments behind a hole that the receiver has confirmed: the hole is the capture's, not the network's.
constexpr std::size_t waiting_for_reordered = 16;

}  // namespace

TcpStreams::TcpStreams(Sink sink, std::function<bool(std::uint16_t)> is_server_port, const TcpLimits& limits)
    : sink_(std::move(sink)), is_server_port_(std::move(is_server_port)), limits_(limits) {}

TcpStreams::Connection* TcpStreams::find(const Segment& segment) {
    const Key key = std::minmax(segment.from, segment.to);
    const auto known = connections_.find(key);
    const bool is_first = segment.is_syn && !segment.has_ack;
    if (known != connections_.end()) {
        Connection& connection = known->second;
        const bool from_client = ends(connection.number).client == segment.from;
        const Direction& direction = connection.directions[from_client ? 0 : 1];
        // The ports of a connection that is over are used again.
        const bool same = !direction.begun || (!connection.ended && direction.base == segment.sequence + 1);
        if (!is_first || same) return &connection;
        close(connection);
        connections_.erase(known);
    }
    if (segment.is_rst) return nullptr;
    if (connections_.size() >= limits_.connections_max) {
        ++counts_.ignored;
        return nullptr;
    }
    const bool from_server =
        (segment.is_syn && segment.has_ack) ||
        (!segment.is_syn && is_server_port_(segment.from.port) && !is_server_port_(segment.to.port));
    ends_.push_back(from_server ? Ends{segment.to, segment.from} : Ends{segment.from, segment.to});
    Connection& connection = connections_[key];
    connection.number = ends_.size();
    return &connection;
}

void TcpStreams::add(const Segment& segment, std::uint64_t microseconds) {
    Connection* const connection = find(segment);
    if (connection == nullptr || connection->ended) return;
    connection->microseconds = microseconds;
    const bool from_client = ends(connection->number).client == segment.from;
    Direction& direction = connection->directions[from_client ? 0 : 1];
    Direction& opposite = connection->directions[from_client ? 1 : 0];
    if (segment.is_rst) {
        close(*connection);
        return;
    }
    const std::uint32_t first = segment.sequence + (segment.is_syn ? 1U : 0U);
    if (!direction.begun) begin(*connection, from_client, first, segment.is_syn);
    // Sequence numbers wrap, offsets do not.
    const auto ahead = static_cast<std::int32_t>(first - (direction.base + static_cast<std::uint32_t>(direction.next)));
    const bool before_start = ahead < 0 && direction.next < static_cast<std::uint64_t>(-std::int64_t{ahead});
    const std::uint64_t at = before_start ? 0 : direction.next + static_cast<std::uint64_t>(std::int64_t{ahead});
    if (!segment.payload.empty() || segment.lost != 0) {
        if (before_start) {
            ++counts_.retransmitted;
        } else {
            take(*connection, from_client, at, {segment.payload, segment.lost});
        }
    }
    if (segment.is_fin && !before_start && !direction.end) direction.end = at + segment.payload.size() + segment.lost;
    if (segment.has_ack && opposite.begun) {
        const auto confirmed = static_cast<std::int32_t>(segment.acknowledged -
                                                         (opposite.base + static_cast<std::uint32_t>(opposite.next)));
        if (confirmed > 0)
            opposite.confirmed = std::max(opposite.confirmed, opposite.next + static_cast<std::uint64_t>(confirmed));
        while (opposite.waiting.size() >= waiting_for_reordered &&
               opposite.confirmed >= opposite.waiting.begin()->first) {
            give_up(*connection, !from_client, opposite.waiting.begin()->first);
        }
    }
}

void TcpStreams::begin(Connection& connection, bool from_client, std::uint32_t base, bool from_start) {
    Direction& direction = connection.directions[from_client ? 0 : 1];
    direction.begun = true;
    direction.base = base;
    const auto kind = from_start ? Piece::Kind::begin : Piece::Kind::begin_within;
    sink_({kind, connection.number, from_client, connection.microseconds, {}, 0});
}

void TcpStreams::take(Connection& connection, bool from_client, std::uint64_t at, Waiting piece) {
    Direction& direction = connection.directions[from_client ? 0 : 1];
    const std::uint64_t end = at + piece.octets.size() + piece.lost;
    if (end <= direction.next) {
        ++counts_.retransmitted;
        return;
    }
    if (at <= direction.next) {
        if (at < direction.next) ++counts_.overlapping;
        emit(connection, from_client, at, piece);
        drain(connection, from_client);
        return;
    }
    ++counts_.out_of_order;
    const auto [known, is_new] = direction.waiting.try_emplace(at, piece);
    if (!is_new && known->second.octets.size() < piece.octets.size()) known->second = piece;
    if (direction.waiting.size() > limits_.waiting_max)
        give_up(connection, from_client, direction.waiting.begin()->first);
}

/// Passes on what is new in a piece that starts at or before what is wanted.
void TcpStreams::emit(Connection& connection, bool from_client, std::uint64_t at, const Waiting& piece) {
    Direction& direction = connection.directions[from_client ? 0 : 1];
    const std::uint64_t known = direction.next - at;
    if (known < piece.octets.size()) {
        const auto octets = piece.octets.subspan(static_cast<std::size_t>(known));
        direction.next += octets.size();
        sink_({Piece::Kind::data, connection.number, from_client, connection.microseconds, octets, 0});
    }
    if (piece.lost != 0) skip_to(connection, from_client, at + piece.octets.size() + piece.lost);
}

void TcpStreams::drain(Connection& connection, bool from_client) {
    auto& direction = connection.directions[from_client ? 0 : 1];
    while (!direction.waiting.empty() && direction.waiting.begin()->first <= direction.next) {
        const auto first = direction.waiting.extract(direction.waiting.begin());
        if (first.key() + first.mapped().octets.size() + first.mapped().lost > direction.next) {
            emit(connection, from_client, first.key(), first.mapped());
        }
    }
}

void TcpStreams::skip_to(Connection& connection, bool from_client, std::uint64_t until) {
    Direction& direction = connection.directions[from_client ? 0 : 1];
    if (until <= direction.next) return;
    ++counts_.gaps;
    const std::uint64_t missing = until - direction.next;
    direction.next = until;
    sink_({Piece::Kind::gap, connection.number, from_client, connection.microseconds, {}, missing});
}

/// What is wanted will not come.
void TcpStreams::give_up(Connection& connection, bool from_client, std::uint64_t until) {
    skip_to(connection, from_client, until);
    drain(connection, from_client);
}

void TcpStreams::close(Connection& connection) {
    if (connection.ended) return;
    connection.ended = true;
    for (const bool from_client : {true, false}) {
        Direction& direction = connection.directions[from_client ? 0 : 1];
        if (!direction.begun) continue;
        while (!direction.waiting.empty()) give_up(connection, from_client, direction.waiting.begin()->first);
        if (direction.end) skip_to(connection, from_client, *direction.end);
        sink_({Piece::Kind::end, connection.number, from_client, connection.microseconds, {}, 0});
    }
}

void TcpStreams::finish() {
    for (auto& [key, connection] : connections_) close(connection);
    connections_.clear();
}

}  // namespace aprotic::driver::cli
