#include <aprotic/codec/wire.hpp>
#include <aprotic/driver/cli/capture/packets.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace aprotic::driver::cli {
namespace {

using Octets = std::span<const std::byte>;

constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_ipv6 = 0x86dd;
constexpr std::uint16_t ethertype_vlan = 0x8100;
constexpr std::uint16_t ethertype_service_vlan = 0x88a8;
constexpr std::uint8_t protocol_tcp = 6;

std::uint8_t u8(Octets octets, std::size_t at) noexcept { return std::to_integer<std::uint8_t>(octets[at]); }
std::uint16_t u16(Octets octets, std::size_t at) noexcept { return codec::load_be<std::uint16_t>(octets.data() + at); }
std::uint32_t u32(Octets octets, std::size_t at) noexcept { return codec::load_be<std::uint32_t>(octets.data() + at); }

/// What is in front of the IP packet; empty when there is none behind it.
std::optional<std::size_t> link_header_size(const Packet& packet) noexcept {
    const auto behind_ethertype = [&](std::size_t at) -> std::optional<std::size_t> {
        constexpr std::size_t vlan_tag_size = 4;
        for (; packet.octets.size() >= at + 2; at += vlan_tag_size) {
            const std::uint16_t type = u16(packet.octets, at);
            if (type == ethertype_ipv4 || type == ethertype_ipv6) return at + 2;
            if (type != ethertype_vlan && type != ethertype_service_vlan) break;
        }
        return std::nullopt;
    };
    switch (packet.link_type) {
        case LinkType::ethernet: return behind_ethertype(12);
        case LinkType::linux_cooked: return behind_ethertype(14);
        case LinkType::linux_cooked_v2: {
            constexpr std::size_t header_size = 20;
            if (packet.octets.size() < header_size) return std::nullopt;
            const std::uint16_t type = u16(packet.octets, 0);
            return type == ethertype_ipv4 || type == ethertype_ipv6 ? std::optional(header_size) : std::nullopt;
        }
        case LinkType::null:
        case LinkType::loop: return 4;  // the address family, in some byte order: the IP version tells as much
        case LinkType::raw:
        case LinkType::raw_bsd:
        case LinkType::raw_openbsd:
        case LinkType::ipv4:
        case LinkType::ipv6: return 0;
    }
    return std::nullopt;
}

/// The transport's part of an IP packet. `size` is what the packet says, `octets` what the capture has of it.
struct Transport {
    Endpoint from, to;
    std::uint8_t protocol = 0;
    Octets octets;
    std::size_t size = 0;
};

std::optional<Transport> read_ipv4(Octets ip, bool& is_fragment) {
    if (ip.size() < 20) return std::nullopt;
    const std::size_t header_size = std::size_t{4} * (u8(ip, 0) & 0x0fU);
    std::size_t total = u16(ip, 2);
    if (total == 0) total = ip.size();  // left to the network card to fill in
    if (header_size < 20 || header_size > ip.size() || header_size > total) return std::nullopt;
    if ((u16(ip, 6) & 0x3fffU) != 0) {
        is_fragment = true;
        return std::nullopt;
    }
    Transport found;
    std::copy_n(ip.begin() + 12, 4, found.from.address.begin());
    std::copy_n(ip.begin() + 16, 4, found.to.address.begin());
    found.protocol = u8(ip, 9);
    found.size = total - header_size;
    found.octets = ip.subspan(header_size);
    return found;
}

std::optional<Transport> read_ipv6(Octets ip, bool& is_fragment) {
    constexpr std::size_t header_size = 40;
    if (ip.size() < header_size) return std::nullopt;
    Transport found;
    found.from.is_ipv6 = found.to.is_ipv6 = true;
    std::copy_n(ip.begin() + 8, 16, found.from.address.begin());
    std::copy_n(ip.begin() + 24, 16, found.to.address.begin());
    found.protocol = u8(ip, 6);
    found.size = u16(ip, 4);
    found.octets = ip.subspan(header_size);
    if (found.size == 0) found.size = found.octets.size();
    // Extension headers: hop-by-hop, routing, destination; each tells its size in units of eight octets beyond the
    // first.
    while (found.protocol == 0 || found.protocol == 43 || found.protocol == 60 || found.protocol == 44) {
        if (found.octets.size() < 8) return std::nullopt;
        if (found.protocol == 44) {
            if ((u16(found.octets, 2) & 0xfff9U) != 0) {
                is_fragment = true;
                return std::nullopt;
            }
        }
        const std::size_t size = found.protocol == 44 ? 8 : (std::size_t{u8(found.octets, 1)} + 1) * 8;
        if (size > found.octets.size() || size > found.size) return std::nullopt;
        found.protocol = u8(found.octets, 0);
        found.octets = found.octets.subspan(size);
        found.size -= size;
    }
    return found;
}

}  // namespace

std::string Endpoint::to_string() const {
    std::array<char, 64> text{};
    const auto octet = [this](std::size_t i) { return std::to_integer<unsigned>(address[i]); };
    if (!is_ipv6) {
        std::snprintf(text.data(), text.size(), "%u.%u.%u.%u:%u", octet(0), octet(1), octet(2), octet(3),
                      unsigned{port});
        return text.data();
    }
    std::string groups;
    for (std::size_t i = 0; i < address.size(); i += 2) {
        std::snprintf(text.data(), text.size(), "%s%x", i == 0 ? "[" : ":", octet(i) << 8U | octet(i + 1));
        groups += text.data();
    }
    return groups + "]:" + std::to_string(port);
}

std::optional<Segment> segment_of(const Packet& packet, bool& is_fragment) {
    is_fragment = false;
    const auto skip = link_header_size(packet);
    if (!skip || packet.octets.size() <= *skip) return std::nullopt;
    const Octets ip = packet.octets.subspan(*skip);
    const unsigned version = u8(ip, 0) >> 4U;
    const auto found = version == 4   ? read_ipv4(ip, is_fragment)
                       : version == 6 ? read_ipv6(ip, is_fragment)
                                      : std::nullopt;
    if (!found || found->protocol != protocol_tcp) return std::nullopt;

    // Behind the IP packet there may be padding of the link; and the capture may have kept only its beginning.
    const Octets tcp = found->octets.first(std::min(found->octets.size(), found->size));
    constexpr std::size_t header_size_min = 20;
    if (tcp.size() < header_size_min) return std::nullopt;
    const std::size_t header_size = std::size_t{4} * (u8(tcp, 12) >> 4U);
    if (header_size < header_size_min || header_size > found->size) return std::nullopt;
    Segment segment;
    segment.from = found->from;
    segment.to = found->to;
    segment.from.port = u16(tcp, 0);
    segment.to.port = u16(tcp, 2);
    segment.sequence = u32(tcp, 4);
    segment.acknowledged = u32(tcp, 8);
    const unsigned flags = u8(tcp, 13);
    segment.is_fin = (flags & 0x01U) != 0;
    segment.is_syn = (flags & 0x02U) != 0;
    segment.is_rst = (flags & 0x04U) != 0;
    segment.has_ack = (flags & 0x10U) != 0;
    if (header_size < tcp.size()) segment.payload = tcp.subspan(header_size);
    segment.lost = found->size - header_size - segment.payload.size();
    return segment;
}

}  // namespace aprotic::driver::cli
