#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace aprotic::codec {

/// Whether the octets are well-formed UTF-8: no overlong forms, surrogates or values above U+10FFFF. [1.6.20-b]
bool is_utf8(std::span<const std::byte> octets) noexcept;
bool is_ascii(std::span<const std::byte> octets) noexcept;

/// Whether a number is that of a Unicode character: not a surrogate and not above U+10FFFF. [1.6.16-b]
constexpr bool is_scalar_value(char32_t c) noexcept { return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff); }
/// Appends the character, which must be one, in one to four octets.
void append_utf8(std::string& to, char32_t c);

}  // namespace aprotic::codec
