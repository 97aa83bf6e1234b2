#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::driver::cli {

/// What a packet's first octets are: LINKTYPE_ values of pcap and pcapng.
enum class LinkType : std::uint32_t {
    null = 0,
    ethernet = 1,
    raw_bsd = 12,
    raw_openbsd = 14,
    raw = 101,
    loop = 108,
    linux_cooked = 113,
    ipv4 = 228,
    ipv6 = 229,
    linux_cooked_v2 = 276,
};

/// One packet of a capture file. Views the file.
struct Packet {
    std::uint64_t microseconds = 0;  ///< since 1970
    LinkType link_type{};
    std::span<const std::byte> octets;
    std::size_t original_size = 0;  ///< on the wire; more than `octets` where the capture kept only the beginning
};

/// Takes the packets out of a pcap or pcapng file that is in memory. Any octets are fine: what is not a capture gives
/// no packets and a fault.
class CaptureFile {
public:
    explicit CaptureFile(std::span<const std::byte> file);

    static bool is_capture(std::span<const std::byte> file) noexcept;

    /// Empty at the end, or where the file cannot be read on: `fault()` then says why.
    std::optional<Packet> next();
    std::string_view fault() const noexcept { return fault_; }
    std::size_t offset() const noexcept { return at_; }

private:
    struct Interface {
        LinkType link_type{};
        std::uint32_t snap_size = 0;
        std::uint64_t ticks_per_second = 1'000'000;
    };

    std::optional<Packet> fail(std::string_view why);
    std::optional<Packet> next_of_pcap();
    std::optional<Packet> next_of_pcapng();
    bool open_section(std::span<const std::byte> rest);
    bool add_interface(std::span<const std::byte> body);
    std::optional<Packet> full_packet(std::span<const std::byte> body, std::size_t interface);
    std::optional<Packet> simple_packet(std::span<const std::byte> body);
    std::uint16_t u16(std::span<const std::byte> octets, std::size_t at) const noexcept;
    std::uint32_t u32(std::span<const std::byte> octets, std::size_t at) const noexcept;

    std::span<const std::byte> file_;
    std::size_t at_ = 0;
    std::string_view fault_;
    std::vector<Interface> interfaces_;
    bool next_generation_ = false;
    bool big_endian_ = false;
};

/// One end of a TCP connection, in a form that can be compared and printed.
struct Endpoint {
    std::array<std::byte, 16> address{};  ///< IPv4: the first four octets
    std::uint16_t port = 0;
    bool is_ipv6 = false;

    std::string to_string() const;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// A TCP segment. Views the packet.
struct Segment {
    Endpoint from, to;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledged = 0;
    bool has_ack = false;
    bool is_syn = false;
    bool is_fin = false;
    bool is_rst = false;
    std::span<const std::byte> payload;
    std::size_t lost = 0;  ///< octets of the payload that the capture did not keep, at its end
};

/// The segment in a packet; empty when it is something else or cannot be read. `is_fragment` is set for a part of an IP
/// packet, of which none is put together.
std::optional<Segment> segment_of(const Packet& packet, bool& is_fragment);

}  // namespace aprotic::driver::cli
