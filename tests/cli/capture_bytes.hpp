#pragma once

#include <aprotic/codec/bytes.hpp>
#include <aprotic/driver/cli/capture/packets.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace aprotic::test {

// Captures as octets, layer by layer. Everything is a std::string: that concatenates.

inline std::string big(std::uint64_t v, std::size_t octets) {
    std::string out(octets, '\0');
    for (std::size_t i = 0; i < octets; ++i) out[octets - 1 - i] = static_cast<char>(v >> (8 * i));
    return out;
}
inline std::string little(std::uint64_t v, std::size_t octets) {
    std::string out = big(v, octets);
    return {out.rbegin(), out.rend()};
}

constexpr unsigned fin = 0x01, syn = 0x02, rst = 0x04, ack = 0x10;

/// A TCP segment; `from_client` decides the ports.
inline std::string tcp(bool from_client, std::uint32_t sequence, unsigned flags, std::string_view payload = {},
                       std::uint32_t acknowledged = 0, std::uint16_t server_port = 5672) {
    const std::uint16_t client_port = 40'000;
    return big(from_client ? client_port : server_port, 2) + big(from_client ? server_port : client_port, 2) +
           big(sequence, 4) + big(acknowledged, 4) + big(0x50, 1) + big(flags, 1) + big(0xffff, 2) + big(0, 4) +
           std::string(payload);
}
inline std::string ipv4(bool from_client, const std::string& inner, std::uint16_t fragment = 0,
                        std::uint8_t protocol = 6) {
    const std::string client("\x0a\0\0\x01", 4), server("\x0a\0\0\x02", 4);
    return big(0x45, 1) + big(0, 1) + big(20 + inner.size(), 2) + big(0, 2) + big(fragment, 2) + big(64, 1) +
           big(protocol, 1) + big(0, 2) + (from_client ? client + server : server + client) + inner;
}
inline std::string ipv6(bool from_client, const std::string& inner, std::uint8_t next = 6) {
    const std::string client = big(0xfd, 1) + std::string(14, '\0') + "\x01",
                      server = big(0xfd, 1) + std::string(14, '\0') + "\x02";
    return big(0x60, 1) + std::string(3, '\0') + big(inner.size(), 2) + big(next, 1) + big(64, 1) +
           (from_client ? client + server : server + client) + inner;
}
inline std::string ethernet(const std::string& ip) {
    return std::string(12, '\x02') + ((ip[0] & 0x40) != 0 && (ip[0] & 0x20) == 0 ? big(0x0800, 2) : big(0x86dd, 2)) +
           ip;
}

inline std::string pcap_header(driver::cli::LinkType link_type) {
    return little(0xa1b2c3d4, 4) + little(2, 2) + little(4, 2) + little(0, 8) + little(65535, 4) +
           little(static_cast<std::uint32_t>(link_type), 4);
}
inline std::string pcap_record(const std::string& packet, std::uint64_t microseconds = 0, std::size_t kept = SIZE_MAX) {
    const std::string part = packet.substr(0, kept);
    return little(microseconds / 1'000'000, 4) + little(microseconds % 1'000'000, 4) + little(part.size(), 4) +
           little(packet.size(), 4) + part;
}

inline std::string pcapng_block(std::uint32_t type, std::string body) {
    body.resize((body.size() + 3) / 4 * 4);
    const std::string size = little(body.size() + 12, 4);
    return little(type, 4) + size + body + size;
}
inline std::string pcapng_section() {
    return pcapng_block(0x0a0d0d0a, little(0x1a2b3c4d, 4) + little(1, 2) + little(0, 2) + std::string(8, '\xff'));
}
inline std::string pcapng_interface(driver::cli::LinkType link_type, const std::string& options = {}) {
    return pcapng_block(1, little(static_cast<std::uint32_t>(link_type), 2) + little(0, 2) + little(0, 4) + options);
}
inline std::string pcapng_packet(const std::string& packet, std::uint64_t ticks = 0, std::uint32_t interface = 0) {
    return pcapng_block(6, little(interface, 4) + little(ticks >> 32U, 4) + little(ticks & 0xffffffff, 4) +
                               little(packet.size(), 4) + little(packet.size(), 4) + packet);
}

}  // namespace aprotic::test
