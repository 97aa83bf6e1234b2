#include <aprotic/engine/stack/header_exchange.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

namespace aprotic::engine::stack {
namespace {

std::string name_header(const codec::ProtocolHeader& header) {
    // AMQP 0-9-1 says id 0, and the versions before it say id 1, class and version in another order.
    if (header == codec::ProtocolHeader(0, 0, 9, 1)) return "AMQP 0-9-1";
    if (header == codec::ProtocolHeader(1, 1, 0, 10)) return "AMQP 0-10";
    if (header.id == 1 && header.major == 1) return "AMQP 0-8 or 0-9";
    const std::string version = fmt::format("{}.{}.{}", header.major, header.minor, header.revision);
    switch (header.id) {
        case static_cast<std::uint8_t>(codec::ProtocolId::amqp): return fmt::format("AMQP {}", version);
        case static_cast<std::uint8_t>(codec::ProtocolId::tls): return fmt::format("AMQP {} over TLS", version);
        case static_cast<std::uint8_t>(codec::ProtocolId::sasl): return fmt::format("AMQP {} with SASL", version);
        default: return fmt::format("AMQP {} with the unknown protocol id {}", version, header.id);
    }
}

std::string refusal_text(const HeaderPolicy& policy, std::span<const std::byte> octets) {
    const auto header = codec::ProtocolHeader::parse(octets);
    const std::string name = header ? name_header(*header) : name_first_octets(octets);
    const bool plain = header && (header->is(codec::ProtocolId::amqp) || header->is(codec::ProtocolId::sasl));
    const bool tls = (header && header->is(codec::ProtocolId::tls)) || is_tls_record(octets);
    if (policy.role == EngineRole::server) {
        if (policy.web_socket_first)
            return fmt::format("the peer speaks {} without WebSocket, which web_socket.required demands", name);
        if (plain && policy.tls && !policy.amqp && !policy.sasl)
            return "the peer went without TLS, which tls.required demands";
        if (tls && !policy.encrypted)
            return "the peer wants TLS here, for which this server has no certificate (tls.context)";
        if (header && header->is(codec::ProtocolId::amqp))
            return "the peer went without SASL, which sasl_server.required demands";
        if (header && header->is(codec::ProtocolId::sasl))
            return "the peer wants SASL here, which this server does not take (sasl_server.offer)";
        return fmt::format("the peer speaks {}, expected {}", name,
                           policy.amqp   ? "AMQP 1.0.0"
                           : policy.sasl ? "AMQP 1.0.0 with SASL"
                                         : "AMQP 1.0.0 over TLS");
    }
    if (policy.tls && plain) {
        return fmt::format(
            "the server does not do TLS by AMQP's header (it answered {}): try amqps with tls.by_header "
            "off on its port for TLS",
            name);
    }
    if (tls && !policy.encrypted) {
        return "the server insists on TLS: use amqps:// (tls.context)";
    }
    if (header && policy.amqp && header->is(codec::ProtocolId::sasl)) {
        return "the server insists on SASL: set a user name (sasl.username) or sasl.enabled";
    }
    if (header && policy.sasl && header->is(codec::ProtocolId::amqp)) {
        return "the server does not take SASL: leave sasl.username out and sasl.enabled off";
    }
    return fmt::format("the server speaks {}, expected {}: wrong port?", name,
                       policy.sasl ? "AMQP 1.0.0 with SASL" : "AMQP 1.0.0");
}

}  // namespace

bool is_tls_record(std::span<const std::byte> octets) {
    if (octets.empty()) return false;
    // Content type handshake or alert, then major version 3.
    const bool type = octets[0] == std::byte{0x16} || octets[0] == std::byte{0x15};
    return type && (octets.size() < 2 || octets[1] == std::byte{0x03});
}

HeaderStep judge_header(const HeaderPolicy& policy, std::span<const std::byte> input, bool ended) {
    const auto octets = input.first(std::min(input.size(), codec::ProtocolHeader::size));
    if (octets.size() < codec::ProtocolHeader::size && !ended) return {};

    const auto header = codec::ProtocolHeader::parse(octets);
    if (policy.web_socket_first) return {HeaderStep::Status::refused, {}, refusal_text(policy, octets)};
    for (const auto& [taken, id] :
         {std::pair(policy.amqp, codec::ProtocolId::amqp), std::pair(policy.sasl, codec::ProtocolId::sasl),
          std::pair(policy.tls, codec::ProtocolId::tls)}) {
        if (header && taken && header->is(id)) return {HeaderStep::Status::agreed, *header, {}};
    }
    // The id the peer asked for if that is one of ours and only the version is not. [2.2-f, 5.2-g, 5.3-b]
    const auto asked = [&](codec::ProtocolId id) { return header && header->id == static_cast<std::uint8_t>(id); };
    codec::ProtocolHeader answer = codec::ProtocolId::amqp;
    if (policy.tls && (asked(codec::ProtocolId::tls) || (!policy.amqp && !policy.sasl))) {
        answer = codec::ProtocolId::tls;
    } else if (!policy.amqp || (policy.sasl && asked(codec::ProtocolId::sasl))) {
        answer = codec::ProtocolId::sasl;
    }
    return {HeaderStep::Status::refused, answer, refusal_text(policy, octets)};
}

std::string name_first_octets(std::span<const std::byte> octets) {
    const std::string_view text = codec::as_text(octets);
    const auto starts = [text](std::string_view with) { return !text.empty() && text.substr(0, with.size()) == with; };
    if (const auto header = codec::ProtocolHeader::parse(octets)) return name_header(*header);
    static constexpr std::array http = {"HTTP/", "GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "CONNECT ", "PRI * HT"};
    if (std::any_of(http.begin(), http.end(), starts)) return "HTTP";
    if (starts("SSH-")) return "SSH";
    if (octets.size() > 1 && is_tls_record(octets)) return "a TLS record";
    return fmt::format("\"{}\"", printable(text));
}

std::string printable(std::string_view text, std::size_t size_max) {
    std::string shown;
    for (const char c : text.substr(0, size_max)) {
        if (c >= ' ' && c <= '~') {
            shown += c;
        } else {
            shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    if (text.size() > size_max) shown += "...";
    return shown;
}

}  // namespace aprotic::engine::stack
