#include <aprotic/codec/wire.hpp>
#include <aprotic/driver/cli/capture/packets.hpp>

#include <algorithm>
#include <limits>

namespace aprotic::driver::cli {
namespace {

// pcap: a header of 24 octets, then records of 16 octets and the packet.
constexpr std::uint32_t pcap_microseconds = 0xa1b2'c3d4;
constexpr std::uint32_t pcap_nanoseconds = 0xa1b2'3c4d;
constexpr std::size_t pcap_header_size = 24;
constexpr std::size_t pcap_record_size = 16;

// pcapng: blocks of type, size, body and the size again.
constexpr std::uint32_t section_header = 0x0a0d'0d0a;
constexpr std::uint32_t byte_order_magic = 0x1a2b'3c4d;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t obsolete_packet = 2;
constexpr std::uint32_t simple_packet_block = 3;
constexpr std::uint32_t enhanced_packet_block = 6;
constexpr std::size_t block_overhead = 12;
constexpr std::size_t packet_fields_size = 20;
constexpr std::uint16_t option_end = 0;
constexpr std::uint16_t option_time_resolution = 9;
constexpr std::size_t interfaces_max = 4096;

std::uint32_t swapped(std::uint32_t v) noexcept {
    return (v >> 24U) | ((v >> 8U) & 0xff00U) | ((v << 8U) & 0xff'0000U) | (v << 24U);
}

/// No overflow, whatever the units are.
std::uint64_t to_microseconds(std::uint64_t ticks, std::uint64_t per_second) noexcept {
    constexpr std::uint64_t million = 1'000'000;
    const std::uint64_t rest = ticks % per_second;
    const std::uint64_t fraction = per_second <= std::numeric_limits<std::uint64_t>::max() / million
                                       ? rest * million / per_second
                                       : rest / (per_second / million);
    return ticks / per_second * million + fraction;
}

}  // namespace

CaptureFile::CaptureFile(std::span<const std::byte> file) : file_(file) {
    if (!is_capture(file)) {
        fault_ = "not a pcap or pcapng file";
        return;
    }
    const auto magic = codec::load_be<std::uint32_t>(file.data());
    if (magic == section_header) {
        next_generation_ = true;
        return;
    }
    big_endian_ = magic == pcap_microseconds || magic == pcap_nanoseconds;
    if (file.size() < pcap_header_size) {
        fault_ = "the pcap header is cut short";
        return;
    }
    const bool nanoseconds = magic == pcap_nanoseconds || magic == swapped(pcap_nanoseconds);
    constexpr std::uint32_t link_type_mask = 0x0fff'ffff;  // above it is the length of a checksum behind each packet
    interfaces_.push_back({static_cast<LinkType>(u32(file, 20) & link_type_mask), u32(file, 16),
                           nanoseconds ? 1'000'000'000U : 1'000'000U});
    at_ = pcap_header_size;
}

bool CaptureFile::is_capture(std::span<const std::byte> file) noexcept {
    if (file.size() < 4) return false;
    const auto magic = codec::load_be<std::uint32_t>(file.data());
    return magic == section_header || magic == pcap_microseconds || magic == pcap_nanoseconds ||
           magic == swapped(pcap_microseconds) || magic == swapped(pcap_nanoseconds);
}

std::optional<Packet> CaptureFile::next() {
    if (!fault_.empty() || at_ == file_.size()) return std::nullopt;
    return next_generation_ ? next_of_pcapng() : next_of_pcap();
}

std::optional<Packet> CaptureFile::fail(std::string_view why) {
    fault_ = why;
    return std::nullopt;
}

std::uint16_t CaptureFile::u16(std::span<const std::byte> octets, std::size_t at) const noexcept {
    const auto v = codec::load_be<std::uint16_t>(octets.data() + at);
    return big_endian_ ? v : static_cast<std::uint16_t>((v >> 8U) | (v << 8U));
}
std::uint32_t CaptureFile::u32(std::span<const std::byte> octets, std::size_t at) const noexcept {
    const auto v = codec::load_be<std::uint32_t>(octets.data() + at);
    return big_endian_ ? v : swapped(v);
}

std::optional<Packet> CaptureFile::next_of_pcap() {
    const auto rest = file_.subspan(at_);
    if (rest.size() < pcap_record_size) return fail("the last packet is cut short");
    const std::uint32_t kept = u32(rest, 8);
    if (kept > rest.size() - pcap_record_size) return fail("the last packet is cut short");
    const Interface& interface = interfaces_.front();
    const std::uint64_t ticks = std::uint64_t{u32(rest, 0)} * interface.ticks_per_second + u32(rest, 4);
    at_ += pcap_record_size + kept;
    return Packet{to_microseconds(ticks, interface.ticks_per_second), interface.link_type,
                  rest.subspan(pcap_record_size, kept), std::max(u32(rest, 12), kept)};
}

bool CaptureFile::open_section(std::span<const std::byte> rest) {
    if (rest.size() < 12) return false;
    const auto magic = codec::load_be<std::uint32_t>(rest.data() + 8);
    if (magic != byte_order_magic && magic != swapped(byte_order_magic)) return false;
    big_endian_ = magic == byte_order_magic;
    interfaces_.clear();
    return true;
}

std::optional<Packet> CaptureFile::next_of_pcapng() {
    while (at_ < file_.size()) {
        const auto rest = file_.subspan(at_);
        if (rest.size() < block_overhead) return fail("the last block is cut short");
        const bool section = codec::load_be<std::uint32_t>(rest.data()) == section_header;
        if (section && !open_section(rest)) return fail("a section header of unknown byte order");
        const std::uint32_t type = u32(rest, 0);
        const std::uint32_t size = u32(rest, 4);
        if (size < block_overhead || size % 4 != 0) return fail("a block of impossible size");
        if (size > rest.size()) return fail("the last block is cut short");
        if (u32(rest, size - 4) != size) return fail("a block that does not end as it begins");
        at_ += size;
        if (section) continue;
        const auto body = rest.subspan(8, size - block_overhead);
        if (type == interface_description) {
            if (!add_interface(body)) return fail("an interface description that cannot be read");
        } else if (type == enhanced_packet_block || type == obsolete_packet) {
            if (body.size() < packet_fields_size) return fail("a packet block that cannot be read");
            // The obsolete block has a count of lost packets in the upper half of the interface.
            auto packet = full_packet(body, type == obsolete_packet ? u16(body, 0) : u32(body, 0));
            if (!packet) return fail("a packet block that cannot be read");
            return packet;
        } else if (type == simple_packet_block) {
            auto packet = simple_packet(body);
            if (!packet) return fail("a packet block that cannot be read");
            return packet;
        }
    }
    return std::nullopt;
}

bool CaptureFile::add_interface(std::span<const std::byte> body) {
    if (body.size() < 8 || interfaces_.size() == interfaces_max) return false;
    Interface interface { static_cast<LinkType>(u16(body, 0)), u32(body, 4), 1'000'000 };
    for (auto options = body.subspan(8); options.size() >= 4;) {
        const std::uint16_t code = u16(options, 0);
        const std::size_t size = u16(options, 2);
        const std::size_t padded = (size + 3) / 4 * 4;
        if (code == option_end || padded > options.size() - 4) break;
        if (code == option_time_resolution && size >= 1) {
            const auto resolution = std::to_integer<unsigned>(options[4]);
            const unsigned power = resolution & 0x7fU;
            const bool binary = (resolution & 0x80U) != 0;
            if (power > (binary ? 63U : 19U)) return false;
            interface.ticks_per_second = 1;
            for (unsigned i = 0; i < power; ++i) interface.ticks_per_second *= binary ? 2 : 10;
        }
        options = options.subspan(4 + padded);
    }
    interfaces_.push_back(interface);
    return true;
}

std::optional<Packet> CaptureFile::full_packet(std::span<const std::byte> body, std::size_t interface) {
    const std::uint32_t kept = u32(body, 12);
    if (interface >= interfaces_.size() || kept > body.size() - packet_fields_size) return std::nullopt;
    const std::uint64_t ticks = std::uint64_t{u32(body, 4)} << 32U | u32(body, 8);
    return Packet{to_microseconds(ticks, interfaces_[interface].ticks_per_second), interfaces_[interface].link_type,
                  body.subspan(packet_fields_size, kept), std::max(u32(body, 16), kept)};
}

std::optional<Packet> CaptureFile::simple_packet(std::span<const std::byte> body) {
    if (body.size() < 4 || interfaces_.empty()) return std::nullopt;
    const std::uint32_t original = u32(body, 0);
    std::size_t kept = std::min<std::size_t>(original, body.size() - 4);
    if (interfaces_.front().snap_size != 0) kept = std::min<std::size_t>(kept, interfaces_.front().snap_size);
    return Packet{0, interfaces_.front().link_type, body.subspan(4, kept), original};
}

}  // namespace aprotic::driver::cli
