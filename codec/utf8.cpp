#include <aprotic/codec/utf8.hpp>
#include <aprotic/codec/wire.hpp>

#include <algorithm>
#include <cstdint>

namespace aprotic::codec {

bool is_ascii(std::span<const std::byte> octets) noexcept {
    return std::all_of(octets.begin(), octets.end(), [](std::byte b) { return b < std::byte{0x80}; });
}

namespace {

/// How many octets in front are ASCII for sure, eight or sixteen at a time: all of most texts.
std::size_t leading_ascii(std::span<const std::byte> octets) noexcept {
    constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080;
    const std::byte* const begin = octets.data();
    const std::size_t size = octets.size();
    const auto load = [begin](std::size_t at) { return load_be<std::uint64_t>(begin + at); };
    if (size < 8) return 0;
    std::size_t i = 0;
    for (; size - i >= 16; i += 16) {
        if (((load(i) | load(i + 8)) & high_bits) != 0) return i;
    }
    if (size - i >= 8) {
        if ((load(i) & high_bits) != 0) return i;
        i += 8;
    }
    // The rest once more with what is before it.
    return (load(size - 8) & high_bits) == 0 ? size : i;
}

}  // namespace

bool is_utf8(std::span<const std::byte> octets) noexcept {
    const std::size_t size = octets.size();
    std::size_t i = leading_ascii(octets);
    while (i < size) {
        const auto lead = std::to_integer<unsigned>(octets[i]);
        if (lead < 0x80) {
            // Most text is ASCII: eight octets at a time.
            constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080;
            while (size - i >= 8 && (load_be<std::uint64_t>(octets.data() + i) & high_bits) == 0) i += 8;
            while (i < size && octets[i] < std::byte{0x80}) ++i;
            continue;
        }
        // Table 3-7 of the Unicode standard: the second octet's range excludes overlong forms, surrogates and what is
        // too large.
        unsigned low = 0x80, high = 0xbf;
        std::size_t more = 0;
        if (lead >= 0xc2 && lead <= 0xdf) {
            more = 1;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            more = 2;
            if (lead == 0xe0) low = 0xa0;
            if (lead == 0xed) high = 0x9f;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            more = 3;
            if (lead == 0xf0) low = 0x90;
            if (lead == 0xf4) high = 0x8f;
        } else {
            return false;
        }
        if (size - i <= more) return false;
        for (std::size_t k = 1; k <= more; ++k) {
            const auto next = std::to_integer<unsigned>(octets[i + k]);
            if (next < low || next > high) return false;
            low = 0x80;
            high = 0xbf;
        }
        i += more + 1;
    }
    return true;
}

void append_utf8(std::string& to, char32_t c) {
    const auto octet = [&](std::uint32_t v) { to += static_cast<char>(v); };
    const auto v = static_cast<std::uint32_t>(c);
    if (v < 0x80) {
        octet(v);
    } else if (v < 0x800) {
        octet(0xc0U | v >> 6U);
        octet(0x80U | (v & 0x3fU));
    } else if (v < 0x1'0000) {
        octet(0xe0U | v >> 12U);
        octet(0x80U | (v >> 6U & 0x3fU));
        octet(0x80U | (v & 0x3fU));
    } else {
        octet(0xf0U | v >> 18U);
        octet(0x80U | (v >> 12U & 0x3fU));
        octet(0x80U | (v >> 6U & 0x3fU));
        octet(0x80U | (v & 0x3fU));
    }
}

}  // namespace aprotic::codec
