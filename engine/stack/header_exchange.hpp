#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <aprotic/codec/frame.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::engine::stack {

/// Which protocol headers this side takes now. A client takes exactly the one that it sent.
struct HeaderPolicy {
    EngineRole role = EngineRole::client;
    bool amqp = true;
    bool sasl = false;
    bool tls = false;        ///< AMQP's own TLS header [5.2]
    bool encrypted = false;  ///< TLS is up already
    /// Server: a WebSocket handshake must come first, so none of the above but TLS from the first octet.
    bool web_socket_first = false;
};

/// What the peer's first octets come to. [2.2]
struct HeaderStep {
    enum class Status { need_more, agreed, refused };
    Status status = Status::need_more;
    /// agreed: the header both use. refused: the one we would have taken, which a server still says. [2.2-e, -g, -h]
    codec::ProtocolHeader header;
    std::string text;  ///< refused: what came instead and what could be done about it
};

/// Judges the peer's header. Nothing is judged before all eight octets are there, unless the stream has `ended`: then
/// what came is judged as it is. `input` may be longer than a header.
HeaderStep judge_header(const HeaderPolicy& policy, std::span<const std::byte> input, bool ended = false);

/// Whether somebody begins with TLS, as far as the first two octets tell.
bool is_tls_record(std::span<const std::byte> octets);

/// Names what somebody speaks by the first octets: "HTTP", "a TLS record", "AMQP 0-9-1", or the octets themselves.
std::string name_first_octets(std::span<const std::byte> octets);

/// Text of the peer's fit for a line of ours: printable ASCII, shortened.
std::string printable(std::string_view text, std::size_t size_max = 80);

}  // namespace aprotic::engine::stack
