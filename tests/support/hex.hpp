#pragma once

#include <aprotic/codec/bytes.hpp>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::test {

/// Octets from hex digits; white space is for the reader, and 'text' in single quotes stands for its characters.
inline std::vector<std::byte> from_hex(std::string_view text) {
    std::vector<std::byte> octets;
    int high = -1;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == ' ' || c == '\n' || c == '\t') continue;
        if (c == '\'') {
            while (++i < text.size() && text[i] != '\'') octets.push_back(static_cast<std::byte>(text[i]));
            continue;
        }
        int digit = 0;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = c - 'A' + 10;
        } else {
            throw std::invalid_argument("not hex: " + std::string(text));
        }
        if (high < 0) {
            high = digit;
        } else {
            octets.push_back(static_cast<std::byte>(high * 16 + digit));
            high = -1;
        }
    }
    if (high >= 0) throw std::invalid_argument("half an octet: " + std::string(text));
    return octets;
}

inline std::string to_hex(std::span<const std::byte> octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * octets.size());
    for (const std::byte octet : octets) {
        text += digits[std::to_integer<std::size_t>(octet >> 4)];
        text += digits[std::to_integer<std::size_t>(octet & std::byte{0xf})];
    }
    return text;
}

namespace literals {

inline std::vector<std::byte> operator""_hex(const char* text, std::size_t size) { return from_hex({text, size}); }

}  // namespace literals

}  // namespace aprotic::test
