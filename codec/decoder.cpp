// The decoder's scalars and texts; compounds are in decoder_compounds.cpp.
#include <aprotic/codec/reading/decoder_steps.hpp>
#include <aprotic/codec/utf8.hpp>

#include <algorithm>
#include <bit>

namespace aprotic::codec {

Decoder::Decoder(std::span<const std::byte> input, const DecodeLimits& limits) noexcept
    : begin_(input.data()), at_(begin_), end_(begin_ + input.size()), value_at_(begin_), limits_(limits) {
    if (input.size() > limits_.bytes_max) fail(Errc::value_too_large);
}

bool Decoder::fail_at(Errc error, const std::byte* where) noexcept {
    if (ok()) {
        error_ = error;
        error_offset_ = static_cast<std::size_t>(where - begin_);
    }
    return false;
}

bool Decoder::expect_end() noexcept { return ok() && (at_end() || fail(Errc::trailing_bytes)); }

// Octets

template <std::size_t N>
std::array<std::byte, N> Decoder::take_octets(std::uint8_t wanted) noexcept {
    std::array<std::byte, N> octets{};
    const std::uint8_t found = take_code();
    if (found != wanted) {
        wrong_type(found);
    } else if (const std::byte* at = take(N)) {
        std::copy_n(at, N, octets.begin());
    }
    return octets;
}

void Decoder::wrong_type(std::uint8_t format_code) noexcept {
    if (type_of_code(format_code)) {
        fail_at(Errc::wrong_type, value_at_);
    } else {
        fail_at((format_code & 0x0fU) == 0x0f ? Errc::reserved_ext_type : Errc::unknown_format_code, value_at_);
    }
}

bool Decoder::charge(std::size_t octets) noexcept {
    if (!ok()) return false;
    if (octets > limits_.allocation_max - charged_) return fail_last(Errc::allocation_too_large);
    charged_ += octets;
    return true;
}

// Scalars

std::optional<Type> Decoder::peek() noexcept {
    if (!ok()) return std::nullopt;
    const std::byte* const at = at_;
    const std::uint8_t found = take_code();
    if (!ok()) return std::nullopt;
    at_ = at;
    const std::optional<Type> type = type_of_code(found);
    if (!type) wrong_type(found);
    return type;
}

void Decoder::read_null() noexcept {
    if (const std::uint8_t found = take_code(); found != code::null) wrong_type(found);
}

bool Decoder::read_boolean() noexcept {
    const std::uint8_t found = take_code();
    switch (found) {
        case code::true_: return true;
        case code::false_: return false;
        case code::boolean: {
            const std::uint8_t octet = take_be<std::uint8_t>();
            if (octet > 1) fail_at(Errc::bad_boolean, value_at_);
            return octet == 1;
        }
        default: wrong_type(found); return false;
    }
}

std::uint8_t Decoder::read_ubyte() noexcept {
    if (const std::uint8_t found = take_code(); found != code::ubyte) return wrong_type(found), std::uint8_t{0};
    return take_be<std::uint8_t>();
}

std::uint16_t Decoder::read_ushort() noexcept {
    if (const std::uint8_t found = take_code(); found != code::ushort) return wrong_type(found), std::uint16_t{0};
    return take_be<std::uint16_t>();
}

std::uint32_t Decoder::read_uint() noexcept {
    const std::uint8_t found = take_code();
    switch (found) {
        case code::uint: return take_be<std::uint32_t>();
        case code::smalluint: return take_be<std::uint8_t>();
        case code::uint0: return 0;
        default: wrong_type(found); return 0;
    }
}

std::uint64_t Decoder::read_ulong() noexcept {
    const std::uint8_t found = take_code();
    switch (found) {
        case code::ulong: return take_be<std::uint64_t>();
        case code::smallulong: return take_be<std::uint8_t>();
        case code::ulong0: return 0;
        default: wrong_type(found); return 0;
    }
}

std::int8_t Decoder::read_byte() noexcept {
    if (const std::uint8_t found = take_code(); found != code::byte) return wrong_type(found), std::int8_t{0};
    return static_cast<std::int8_t>(take_be<std::uint8_t>());
}

std::int16_t Decoder::read_short() noexcept {
    if (const std::uint8_t found = take_code(); found != code::short_) return wrong_type(found), std::int16_t{0};
    return static_cast<std::int16_t>(take_be<std::uint16_t>());
}

std::int32_t Decoder::read_int() noexcept {
    const std::uint8_t found = take_code();
    switch (found) {
        case code::int_: return static_cast<std::int32_t>(take_be<std::uint32_t>());
        case code::smallint: return static_cast<std::int8_t>(take_be<std::uint8_t>());
        default: wrong_type(found); return 0;
    }
}

std::int64_t Decoder::read_long() noexcept {
    const std::uint8_t found = take_code();
    switch (found) {
        case code::long_: return static_cast<std::int64_t>(take_be<std::uint64_t>());
        case code::smalllong: return static_cast<std::int8_t>(take_be<std::uint8_t>());
        default: wrong_type(found); return 0;
    }
}

float Decoder::read_float() noexcept {
    if (const std::uint8_t found = take_code(); found != code::float_) return wrong_type(found), 0.0F;
    return std::bit_cast<float>(take_be<std::uint32_t>());
}

double Decoder::read_double() noexcept {
    if (const std::uint8_t found = take_code(); found != code::double_) return wrong_type(found), 0.0;
    return std::bit_cast<double>(take_be<std::uint64_t>());
}

Decimal32 Decoder::read_decimal32() noexcept { return {take_octets<4>(code::decimal32)}; }
Decimal64 Decoder::read_decimal64() noexcept { return {take_octets<8>(code::decimal64)}; }
Decimal128 Decoder::read_decimal128() noexcept { return {take_octets<16>(code::decimal128)}; }
Uuid Decoder::read_uuid() noexcept { return {take_octets<16>(code::uuid)}; }

char32_t Decoder::read_char() noexcept {
    if (const std::uint8_t found = take_code(); found != code::char_) return wrong_type(found), U'\0';
    const std::uint32_t c = take_be<std::uint32_t>();
    if (!is_scalar_value(c)) return fail_at(Errc::bad_char, value_at_), U'\0';  // [1.6.16-b]
    return static_cast<char32_t>(c);
}

Timestamp Decoder::read_timestamp() noexcept {
    if (const std::uint8_t found = take_code(); found != code::timestamp) return wrong_type(found), Timestamp{};
    return {static_cast<std::int64_t>(take_be<std::uint64_t>())};
}

// Variable width

std::span<const std::byte> Decoder::read_variable(std::uint8_t code8, std::uint8_t code32) noexcept {
    const std::uint8_t found = take_code();
    if (found != code8 && found != code32) return wrong_type(found), std::span<const std::byte>();
    const std::span<const std::byte> octets = take_variable(found);
    if (octets.size() > limits_.string_max) fail_at(Errc::string_too_long, value_at_);
    return octets;
}

std::span<const std::byte> Decoder::read_binary() noexcept { return read_variable(code::vbin8, code::vbin32); }

std::string_view Decoder::read_string() noexcept {
    const std::span<const std::byte> octets = read_variable(code::str8, code::str32);
    if (!is_utf8(octets)) return fail_at(Errc::bad_utf8, value_at_), std::string_view();
    return as_text(octets);
}

std::string_view Decoder::read_symbol() noexcept {
    const std::span<const std::byte> octets = read_variable(code::sym8, code::sym32);
    if (!is_ascii(octets)) return fail_at(Errc::bad_symbol, value_at_), std::string_view();
    return as_text(octets);
}

DeliveryTag Decoder::read_delivery_tag() noexcept {
    const std::span<const std::byte> octets = read_binary();
    if (octets.size() > DeliveryTag::size_max) return fail_at(Errc::delivery_tag_too_long, value_at_), DeliveryTag();
    return DeliveryTag(octets);
}

}  // namespace aprotic::codec
