#pragma once

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/codec/wire.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace aprotic::codec {

/// Appends encoded values to a buffer, always in the smallest encoding. Two forms: over a caller's fixed buffer, or
/// over a block of its own that grows and is handed out with `take()`.
///
/// Errors are sticky: after the first one nothing more is written and `error()` names it. Not thread-safe.
class Encoder {
public:
    /// Grows as needed.
    Encoder() noexcept = default;
    explicit Encoder(std::size_t reserve);
    /// Writes into `buffer` and fails with `buffer_too_small` when it is full. Compounds need 6 octets to spare while
    /// open.
    explicit Encoder(std::span<std::byte> buffer) noexcept
        : data_(buffer.data()), limit_(buffer.size()), capacity_(buffer.size()), fixed_(true) {}

    std::size_t size() const noexcept { return size_; }
    std::span<const std::byte> written() const noexcept { return {data_, size_}; }
    bool ok() const noexcept { return error_ == Errc{}; }
    std::error_code error() const noexcept { return ok() ? std::error_code{} : make_error_code(error_); }
    void fail(Errc error) noexcept {
        if (!ok()) return;
        error_ = error;
        limit_ = size_;
    }

    /// Hands out what was written, without a copy, and starts again empty. Not for a fixed buffer.
    Bytes take();
    /// Forgets everything written after `size`, and any error.
    void truncate(std::size_t size) noexcept;

    void write_null() { write_code(code::null); }
    void write_boolean(bool v) { write_code(v ? code::true_ : code::false_); }
    void write_ubyte(std::uint8_t v) { write_number(code::ubyte, v); }
    void write_ushort(std::uint16_t v) { write_number(code::ushort, v); }
    void write_uint(std::uint32_t v) { write_shortest(code::uint0, code::smalluint, code::uint, v); }
    void write_ulong(std::uint64_t v) { write_shortest(code::ulong0, code::smallulong, code::ulong, v); }
    void write_byte(std::int8_t v) { write_number(code::byte, static_cast<std::uint8_t>(v)); }
    void write_short(std::int16_t v) { write_number(code::short_, static_cast<std::uint16_t>(v)); }
    void write_int(std::int32_t v) { write_signed(code::smallint, code::int_, v); }
    void write_long(std::int64_t v) { write_signed(code::smalllong, code::long_, v); }
    void write_float(float v);
    void write_double(double v);
    void write_decimal32(const Decimal32& v);
    void write_decimal64(const Decimal64& v);
    void write_decimal128(const Decimal128& v);
    void write_char(char32_t v);
    void write_timestamp(Timestamp v) { write_number(code::timestamp, static_cast<std::uint64_t>(v.ms)); }
    void write_uuid(const Uuid& v);
    void write_binary(std::span<const std::byte> v) { write_variable(code::vbin8, code::vbin32, v); }
    void write_string(std::string_view v) { write_variable(code::str8, code::str32, as_bytes(v)); }
    void write_symbol(std::string_view v) { write_variable(code::sym8, code::sym32, as_bytes(v)); }
    /// The constructor and length of a binary whose octets the caller sends from elsewhere.
    void write_binary_header(std::size_t length);
    /// 0x00 and a ulong descriptor; the described value must follow. [1.5]
    void write_descriptor(std::uint64_t descriptor) {
        constexpr std::uint64_t short_max = 0xff;
        if (std::byte* at = descriptor - 1 < short_max ? room(3) : nullptr) {
            store_be(at, std::uint16_t{code::smallulong});  // 0x00 is that of a described value
            at[2] = static_cast<std::byte>(descriptor);
            return;
        }
        append_u8(code::described);
        write_ulong(descriptor);
    }
    void write_descriptor(std::string_view symbol);

    /// An open compound; close it with the matching `end`. They nest.
    struct Scope {
        std::size_t start = 0;
        bool is_map = false;
        bool is_narrow = false;
    };
    /// `likely_short`: it probably needs no more than 255 octets. A wrong guess costs a move of the items, either way.
    Scope begin_list(bool likely_short = false) { return begin_compound(false, likely_short); }
    Scope begin_map(bool likely_short = false) { return begin_compound(true, likely_short); }
    /// Patches size and count. `count` is the number of items (for a map: keys and values together).
    void end(const Scope& scope, std::uint32_t count) {
        const std::size_t content = size_ - scope.start - 3;
        if (!scope.is_narrow || content > 0xfe || count - 1 > 0xfe || !ok()) return end_otherwise(scope, count);
        std::byte* at = data_ + scope.start;
        at[0] = static_cast<std::byte>(scope.is_map ? code::map8 : code::list8);
        at[1] = static_cast<std::byte>(content + 1);
        at[2] = static_cast<std::byte>(count);
    }

    /// An open array: after `begin_array` write the element constructor (`write_descriptor`, `write_code`) and then the
    /// elements' bodies with the `append_*` functions.
    Scope begin_array();
    void end_array(const Scope& scope, std::uint32_t count);
    /// Size and count of a list32, map32 or array32 whose constructor was written before, as in an array of lists.
    Scope begin_wide_body();
    void end_wide_body(const Scope& scope, std::uint32_t count);

    /// An array of symbols, as `multiple` fields want it; one of one element too. [1.4-e]
    void write_symbol_array(std::span<const Symbol> symbols);

    /// Raw parts, for arrays and for bytes that are encoded already.
    void write_code(std::uint8_t format_code) { append_u8(format_code); }
    void append_u8(std::uint8_t v) {
        if (std::byte* at = room(1)) *at = static_cast<std::byte>(v);
    }
    void append_u16(std::uint16_t v) {
        if (std::byte* at = room(2)) store_be(at, v);
    }
    void append_u32(std::uint32_t v) {
        if (std::byte* at = room(4)) store_be(at, v);
    }
    void append_u64(std::uint64_t v) {
        if (std::byte* at = room(8)) store_be(at, v);
    }
    void append_raw(std::span<const std::byte> bytes);
    /// Room there is without growing, none after an error; `commit` takes the first `n` octets of it as written.
    std::span<std::byte> spare() const noexcept { return {data_ + size_, limit_ - size_}; }
    void commit(std::size_t n) noexcept { size_ += n; }
    /// Overwrites four octets written before.
    void patch_u32(std::size_t at, std::uint32_t v) noexcept {
        if (ok() && at + 4 <= size_) store_be(data_ + at, v);
    }

private:
    /// Room for `n` octets more, or null. What is written here is small and written often: hence in the header.
    std::byte* room(std::size_t n) {
        if (limit_ - size_ < n) return room_elsewhere(n);
        std::byte* at = data_ + size_;
        size_ += n;
        return at;
    }
    std::byte* room_elsewhere(std::size_t n);
    bool grow(std::size_t n);

    template <class T>
    void write_number(std::uint8_t format_code, T v) {
        std::byte* at = room(1 + sizeof v);
        if (at == nullptr) return;
        at[0] = static_cast<std::byte>(format_code);
        store_be(at + 1, v);
    }
    template <class T>
    void write_shortest(std::uint8_t code0, std::uint8_t code8, std::uint8_t code_full, T v) {
        if (v > 0xff) return write_number(code_full, v);
        if (v == 0) return append_u8(code0);
        write_number(code8, static_cast<std::uint8_t>(v));
    }
    template <class T>
    void write_signed(std::uint8_t code8, std::uint8_t code_full, T v) {
        if (v >= -128 && v <= 127) return write_number(code8, static_cast<std::uint8_t>(v));
        write_number(code_full, static_cast<std::make_unsigned_t<T>>(v));
    }
    void write_variable(std::uint8_t code8, std::uint8_t code32, std::span<const std::byte> v) {
        if (v.size() > 0xff) return write_long_variable(code32, v);
        std::byte* at = room(2 + v.size());
        if (at == nullptr) return;
        at[0] = static_cast<std::byte>(code8);
        at[1] = static_cast<std::byte>(v.size());
        copy_short(at + 2, v);
    }
    void write_long_variable(std::uint8_t code32, std::span<const std::byte> v);
    Scope begin_compound(bool is_map, bool likely_short) {
        const Scope scope{size_, is_map, likely_short};
        room(likely_short ? 3 : 9);
        return scope;
    }
    void end_otherwise(const Scope& scope, std::uint32_t count);
    void close(const Scope& scope, std::uint8_t code8, std::uint8_t code32, std::uint32_t count);

    Slab own_;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t limit_ = 0;  // the capacity; after an error the size, so that nothing more fits
    std::size_t capacity_ = 0;
    Errc error_{};
    bool fixed_ = false;
};

}  // namespace aprotic::codec
