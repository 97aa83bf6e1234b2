#pragma once

// Shows octets and values in failed checks.

#include <aprotic/codec/json.hpp>
#include <support/hex.hpp>

#include <catch2/catch.hpp>

template <>
struct Catch::StringMaker<aprotic::codec::Value> {
    static std::string convert(const aprotic::codec::Value& value) { return aprotic::codec::to_json(value); }
};

namespace aprotic::codec {

/// Hex of what a value or composite encodes to.
template <class T>
std::string hex_of(const T& value) {
    Encoder to;
    encode(to, value);
    return to.ok() ? test::to_hex(to.written()) : to.error().message();
}

}  // namespace aprotic::codec
