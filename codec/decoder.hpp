#pragma once

#include <aprotic/codec/result.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/codec/utf8.hpp>
#include <aprotic/codec/wire.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace aprotic::codec {

/// The primitive types. [1.6] `described` is not one of them but stands where a type is asked for.
enum class Type : std::uint8_t {
    null,
    boolean,
    ubyte,
    ushort,
    uint,
    ulong,
    byte,
    short_,
    int_,
    long_,
    float_,
    double_,
    decimal32,
    decimal64,
    decimal128,
    char_,
    timestamp,
    uuid,
    binary,
    string,
    symbol,
    list,
    map,
    array,
    described,
};

/// "null", "boolean", …
std::string_view name_of(Type type) noexcept;
/// The type that a format code encodes; empty for unassigned codes.
std::optional<Type> type_of_code(std::uint8_t format_code) noexcept;

/// What a decoder may spend on one top-level value. Nothing is ever allocated because a peer announced it: the numbers
/// here bound what legal but hostile bytes can ask for. docs/codec.md has the reasons for the defaults.
struct DecodeLimits {
    std::uint32_t depth_max = 64;  ///< nested compounds, arrays and descriptors: bounds the stack
    std::uint32_t elements_max =
        1U << 20U;  ///< items of all compounds together: an owned item costs up to 40 × its octet
    std::uint32_t zero_width_max = 1U << 12U;  ///< array elements that take no octets at all, together [1.2.4-e]
    std::size_t bytes_max = SIZE_MAX;          ///< octets of the whole input
    std::uint32_t string_max = UINT32_MAX;     ///< octets of one binary, string or symbol
    std::size_t allocation_max = 256U << 20U;  ///< octets of memory for owned values: `Value`, `List`, `Map`, `Array`
};

/// A descriptor as found: numeric or symbolic. Views the input. [1.5-a]
struct Descriptor {
    bool numeric = true;
    std::uint64_t code = 0;   ///< when numeric
    std::string_view symbol;  ///< otherwise

    /// The numeric code, also of a symbolic descriptor that the specification defines; empty for an unknown symbol.
    std::optional<std::uint64_t> resolve() const noexcept;
};

/// Reads values one after the other from a span that it does not own. Views it returns point into that span.
///
/// Errors are sticky: after the first one every read returns a default, and `error()` / `error_offset()` tell what was
/// wrong and where. A reader can therefore read a whole structure and ask once. Not thread-safe; cheap to make.
class Decoder {
public:
    explicit Decoder(std::span<const std::byte> input, const DecodeLimits& limits = {}) noexcept;

    bool ok() const noexcept { return error_ == Errc{}; }
    Errc errc() const noexcept { return error_; }
    std::error_code error() const noexcept { return ok() ? std::error_code{} : make_error_code(error_); }
    /// Octets from the start of the input to the constructor of the value that failed.
    std::size_t error_offset() const noexcept { return error_offset_; }
    /// Accounts for memory that an owned value is about to take; false, with `allocation_too_large`, when that is too
    /// much.
    bool charge(std::size_t octets) noexcept;
    /// Each returns false. `fail` blames what comes next, `fail_last` the value that was read last.
    bool fail(Errc error) noexcept { return fail_at(error, at_); }
    bool fail_last(Errc error) noexcept { return fail_at(error, value_at_); }

    std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
    /// What is left of the input, or of the compound that was entered.
    std::span<const std::byte> rest() const noexcept { return {at_, static_cast<std::size_t>(end_ - at_)}; }
    bool at_end() const noexcept { return at_ == end_; }
    /// Past the first `n` octets of rest(), which somebody else has read.
    void step_over(std::size_t n) noexcept { at_ += n; }
    /// Fails with `trailing_bytes` when something is left. [1.2-g]
    bool expect_end() noexcept;

    /// Type of the next value without consuming it; fails on an unassigned code or at the end.
    std::optional<Type> peek() noexcept;
    /// Consumes a null if one is next.
    bool try_null() noexcept {
        if (error_ != Errc{} || (forced_code_ == 0 && at_ == end_)) return false;
        if (forced_code_ != 0 ? forced_code_ != code::null : *at_ != std::byte{code::null}) return false;
        value_at_ = at_;
        if (forced_code_ == 0) ++at_;
        return true;
    }

    void read_null() noexcept;
    bool read_boolean() noexcept;
    std::uint8_t read_ubyte() noexcept;
    std::uint16_t read_ushort() noexcept;
    std::uint32_t read_uint() noexcept;
    std::uint64_t read_ulong() noexcept;
    std::int8_t read_byte() noexcept;
    std::int16_t read_short() noexcept;
    std::int32_t read_int() noexcept;
    std::int64_t read_long() noexcept;
    float read_float() noexcept;
    double read_double() noexcept;
    Decimal32 read_decimal32() noexcept;
    Decimal64 read_decimal64() noexcept;
    Decimal128 read_decimal128() noexcept;
    char32_t read_char() noexcept;
    Timestamp read_timestamp() noexcept;
    Uuid read_uuid() noexcept;
    std::span<const std::byte> read_binary() noexcept;
    std::string_view read_string() noexcept;  ///< checked UTF-8
    std::string_view read_symbol() noexcept;  ///< checked ASCII
    DeliveryTag read_delivery_tag() noexcept;

    /// The descriptor in front of the next value, not consumed, if it is a ulong of one octet, as the specification's
    /// usually are.
    std::optional<std::uint8_t> peek_short_descriptor() const noexcept {
        if (error_ != Errc{} || forced_code_ != 0 || end_ - at_ < 3) return std::nullopt;
        if (at_[0] != std::byte{code::described} || at_[1] != std::byte{code::smallulong}) return std::nullopt;
        return std::to_integer<std::uint8_t>(at_[2]);
    }
    /// Consumes 0x00 and a ulong or symbol; the described value is next. Other descriptors are `bad_descriptor`.
    /// [1.5-c]
    Descriptor read_descriptor() noexcept;
    /// Consumes 0x00 only; the descriptor, any value, and then the described value are next.
    bool enter_described() noexcept;
    void leave_described() noexcept;

    /// An entered compound: read exactly `count` items, then `leave`.
    struct Scope {
        std::uint32_t count = 0;
        std::uint8_t element_code = 0;           ///< arrays only
        std::span<const std::byte> descriptors;  ///< arrays of described elements: "00 descriptor" once or more
        const std::byte* end = nullptr;          // private from here on
        const std::byte* outer_end = nullptr;
        std::uint8_t outer_forced = 0;
    };
    Scope enter_list() noexcept;
    Scope enter_map() noexcept;  ///< `count` counts keys and values, and is even
    /// Elements are then read as if each had the array's element constructor in front. [1.2.4]
    Scope enter_array() noexcept;
    /// Checks that the items filled the size exactly. [1.2.3-c]
    bool leave(const Scope& scope) noexcept;

    /// Steps over the next value by its size, without looking into compounds.
    void skip() noexcept;
    /// Steps over the next value and checks everything in it (but duplicate keys).
    void skip_checked() noexcept;
    /// The next value's octets, stepped over as `skip` does. Not for elements of arrays.
    std::span<const std::byte> read_raw() noexcept;

    const DecodeLimits& limits() const noexcept { return limits_; }

private:
    bool fail_at(Errc error, const std::byte* where) noexcept;
    std::uint8_t take_code() noexcept;
    bool need(std::size_t n) noexcept;
    const std::byte* take(std::size_t n) noexcept;
    template <class T>
    T take_be() noexcept;
    void wrong_type(std::uint8_t format_code) noexcept;
    bool deeper() noexcept;
    std::span<const std::byte> read_variable(std::uint8_t code8, std::uint8_t code32) noexcept;
    std::span<const std::byte> take_variable(std::uint8_t format_code) noexcept;
    template <std::size_t N>
    std::array<std::byte, N> take_octets(std::uint8_t wanted) noexcept;
    std::size_t take_size(std::uint8_t format_code) noexcept;
    Scope enter_sized(std::uint8_t format_code) noexcept;
    void open_items(Scope& scope) noexcept;
    void open_elements(Scope& scope) noexcept;
    void skip_body(std::uint8_t format_code, bool checked) noexcept;
    bool spend(std::uint32_t elements) noexcept;

    const std::byte* begin_;
    const std::byte* at_;
    const std::byte* end_;
    const std::byte* value_at_;  // constructor of the value being read
    std::size_t error_offset_ = 0;
    DecodeLimits limits_;
    std::uint32_t depth_ = 0;
    std::uint32_t open_scopes_ = 0;
    std::uint32_t elements_ = 0;
    std::uint32_t zero_width_ = 0;
    std::size_t charged_ = 0;
    std::uint8_t forced_code_ = 0;  // element constructor while inside an array
    Errc error_{};
};

}  // namespace aprotic::codec
