#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace aprotic::codec {

/// Format codes of the primitive types. [1.6]
namespace code {
inline constexpr std::uint8_t described = 0x00;
inline constexpr std::uint8_t null = 0x40;
inline constexpr std::uint8_t true_ = 0x41;
inline constexpr std::uint8_t false_ = 0x42;
inline constexpr std::uint8_t uint0 = 0x43;
inline constexpr std::uint8_t ulong0 = 0x44;
inline constexpr std::uint8_t list0 = 0x45;
inline constexpr std::uint8_t ubyte = 0x50;
inline constexpr std::uint8_t byte = 0x51;
inline constexpr std::uint8_t smalluint = 0x52;
inline constexpr std::uint8_t smallulong = 0x53;
inline constexpr std::uint8_t smallint = 0x54;
inline constexpr std::uint8_t smalllong = 0x55;
inline constexpr std::uint8_t boolean = 0x56;
inline constexpr std::uint8_t ushort = 0x60;
inline constexpr std::uint8_t short_ = 0x61;
inline constexpr std::uint8_t uint = 0x70;
inline constexpr std::uint8_t int_ = 0x71;
inline constexpr std::uint8_t float_ = 0x72;
inline constexpr std::uint8_t char_ = 0x73;
inline constexpr std::uint8_t decimal32 = 0x74;
inline constexpr std::uint8_t ulong = 0x80;
inline constexpr std::uint8_t long_ = 0x81;
inline constexpr std::uint8_t double_ = 0x82;
inline constexpr std::uint8_t timestamp = 0x83;
inline constexpr std::uint8_t decimal64 = 0x84;
inline constexpr std::uint8_t decimal128 = 0x94;
inline constexpr std::uint8_t uuid = 0x98;
inline constexpr std::uint8_t vbin8 = 0xa0;
inline constexpr std::uint8_t str8 = 0xa1;
inline constexpr std::uint8_t sym8 = 0xa3;
inline constexpr std::uint8_t vbin32 = 0xb0;
inline constexpr std::uint8_t str32 = 0xb1;
inline constexpr std::uint8_t sym32 = 0xb3;
inline constexpr std::uint8_t list8 = 0xc0;
inline constexpr std::uint8_t map8 = 0xc1;
inline constexpr std::uint8_t list32 = 0xd0;
inline constexpr std::uint8_t map32 = 0xd1;
inline constexpr std::uint8_t array8 = 0xe0;
inline constexpr std::uint8_t array32 = 0xf0;
}  // namespace code

/// Octets that follow a fixed-width format code: 4x none, 5x one, 6x two, 7x four, 8x eight, 9x sixteen. [1.2.1]
constexpr std::size_t fixed_width(std::uint8_t format_code) noexcept {
    const unsigned category = format_code >> 4U;
    return category <= 4 ? 0 : std::size_t{1} << (category - 5);
}

/// Octets of the length or size field of a variable, compound or array code: even categories (Ax, Cx, Ex) one, odd ones
/// four.
constexpr std::size_t size_width(std::uint8_t format_code) noexcept { return (format_code & 0x10U) != 0 ? 4 : 1; }

namespace detail {

/// Network byte order from this machine's, and the other way round.
template <std::unsigned_integral T>
constexpr T swap_order(T v) noexcept {
    if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return v;
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(v);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(v);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(v);
}

}  // namespace detail

/// Loads a number in network byte order. [1.2-e]
template <std::unsigned_integral T>
inline T load_be(const std::byte* at) noexcept {
    T value;
    __builtin_memcpy(&value, at, sizeof value);
    return detail::swap_order(value);
}

/// Stores a number in network byte order.
template <std::unsigned_integral T>
inline void store_be(std::byte* at, T value) noexcept {
    value = detail::swap_order(value);
    __builtin_memcpy(at, &value, sizeof value);
}

}  // namespace aprotic::codec
