#include <aprotic/codec/json.hpp>
#include <aprotic/driver/cli/capture/capture_dump.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace aprotic::driver::cli {
namespace {

std::string seconds(std::uint64_t microseconds) {
    constexpr std::uint64_t million = 1'000'000;
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%llu.%06llu", static_cast<unsigned long long>(microseconds / million),
                  static_cast<unsigned long long>(microseconds % million));
    return text.data();
}

std::string quoted(std::string_view text) {
    std::string json;
    codec::append_json_string(json, text);
    return json;
}

}  // namespace

CaptureDump::CaptureDump(Print print, codec::DumpOptions options, std::set<std::uint16_t> ports)
    : print_(std::move(print)), options_(options), ports_(std::move(ports)) {}

void CaptureDump::run(std::span<const std::byte> file) {
    CaptureFile packets(file);
    TcpStreams streams([&](const Piece& piece) { take(streams, piece); },
                       [this](std::uint16_t port) { return ports_.contains(port); });
    std::size_t fragments = 0;
    while (const auto packet = packets.next()) {
        ++packets_;
        if (!started_) started_ = packet->microseconds;
        bool is_fragment = false;
        if (const auto segment = segment_of(*packet, is_fragment)) {
            ++segments_;
            streams.add(*segment, packet->microseconds);
        }
        fragments += is_fragment ? 1 : 0;
    }
    streams.finish();

    const TcpStreams::Counts& counts = streams.counts();
    note("segments came again", counts.retransmitted);
    note("segments overlap others", counts.overlapping);
    note("segments came out of order", counts.out_of_order);
    note("fragments of IP packets were left out", fragments);
    note("segments of further connections were left out", counts.ignored);
    if (!packets.fault().empty()) {
        ok_ = false;
        if (options_.form == codec::DumpForm::json) {
            print_("{\"kind\":\"capture-fault\",\"offset\":" + std::to_string(packets.offset()) +
                   ",\"error\":" + quoted(packets.fault()) + "}\n");
        } else {
            print_("! octet " + std::to_string(packets.offset()) + " of the capture: " + std::string(packets.fault()) +
                   "\n");
        }
    }
    // What was left out may have been AMQP.
    if (counts.ignored != 0) ok_ = false;
}

void CaptureDump::take(const TcpStreams& streams, const Piece& piece) {
    Connection& connection = known_[piece.connection];
    Direction& direction = piece.from_client ? connection.from_client : connection.from_server;
    const TcpStreams::Ends& ends = streams.ends(piece.connection);
    switch (piece.kind) {
        case Piece::Kind::begin: break;
        case Piece::Kind::begin_within: direction.begun_within = true; break;
        case Piece::Kind::data:
            if (!direction.decided) {
                direction.decided = true;
                if (is_amqp(ends, direction, piece.octets)) {
                    announce(ends, connection, piece);
                    direction.dumper.emplace(options_);
                    if (direction.begun_within) print_lines(piece, direction.dumper->skip(direction.missing));
                }
            }
            if (direction.dumper) print_lines(piece, direction.dumper->feed(piece.octets));
            break;
        case Piece::Kind::gap:
            // Without its beginning, what follows is only known by its port.
            if (!direction.decided) {
                direction.begun_within = true;
                direction.missing += piece.missing;
            }
            if (direction.dumper) print_lines(piece, direction.dumper->skip(piece.missing));
            break;
        case Piece::Kind::end:
            if (direction.dumper) {
                print_lines(piece, direction.dumper->finish());
                frames_ += direction.dumper->frames();
                ok_ = ok_ && direction.dumper->ok();
                direction.dumper.reset();
            }
            break;
    }
}

bool CaptureDump::is_amqp(const TcpStreams::Ends& ends, const Direction& direction,
                          std::span<const std::byte> octets) const {
    if (codec::as_text(octets).starts_with("AMQP")) return true;
    if (direction.begun_within && codec::guess_dump(octets) == codec::DumpAs::frames) return true;
    return ports_.contains(ends.server.port) || ports_.contains(ends.client.port);
}

void CaptureDump::announce(const TcpStreams::Ends& ends, Connection& connection, const Piece& piece) {
    if (connection.announced) return;
    connection.announced = true;
    ++connections_;
    const std::string client = ends.client.to_string(), server = ends.server.to_string();
    if (options_.form == codec::DumpForm::json) {
        print_("{\"kind\":\"connection\",\"connection\":" + std::to_string(piece.connection) +
               ",\"client\":" + quoted(client) + ",\"server\":" + quoted(server) + "}\n");
    } else {
        print_("connection " + std::to_string(piece.connection) + ": " + client + " > " + server + "\n");
    }
}

void CaptureDump::print_lines(const Piece& piece, std::string_view lines) {
    const bool json = options_.form == codec::DumpForm::json;
    const std::uint64_t elapsed = piece.microseconds - std::min(piece.microseconds, started_.value_or(0));
    const std::string number = std::to_string(piece.connection);
    const std::string head = json ? "{\"connection\":" + number +
                                        ",\"from\":" + (piece.from_client ? "\"client\"" : "\"server\"") +
                                        ",\"time\":" + seconds(piece.microseconds) + ","
                                  : seconds(elapsed) + " " + number + (piece.from_client ? ">" : "<") + " ";
    while (!lines.empty()) {
        const std::size_t end = lines.find('\n') + 1;
        // Each JSON line is an object with members: ours come first.
        print_(head + std::string(lines.substr(json ? 1 : 0, end - (json ? 1 : 0))));
        lines.remove_prefix(end);
    }
}

void CaptureDump::note(std::string_view text, std::size_t count) {
    if (count == 0) return;
    if (options_.form == codec::DumpForm::json) {
        print_("{\"kind\":\"note\",\"count\":" + std::to_string(count) + ",\"what\":" + quoted(text) + "}\n");
    } else {
        print_("# " + std::to_string(count) + " " + std::string(text) + "\n");
    }
}

}  // namespace aprotic::driver::cli
