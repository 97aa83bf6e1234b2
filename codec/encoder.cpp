#include <aprotic/codec/encoder.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace aprotic::codec {

namespace {

constexpr std::size_t wide_header = 9;   // constructor, 32-bit size, 32-bit count
constexpr std::size_t short_header = 3;  // constructor, 8-bit size, 8-bit count
constexpr std::size_t octet_max = 0xff;
constexpr std::size_t size_max = 0xffff'ffff;

}  // namespace

Encoder::Encoder(std::size_t reserve) { grow(reserve); }

Bytes Encoder::take() {
    APROTIC_ASSERT(!fixed_);
    Bytes taken;
    if (size_ != 0) taken = own_.slice(0, size_);
    own_.reset();
    data_ = nullptr;
    size_ = capacity_ = 0;
    error_ = {};
    return taken;
}

void Encoder::truncate(std::size_t size) noexcept {
    size_ = std::min(size_, size);
    error_ = {};
}

bool Encoder::grow(std::size_t n) {
    if (fixed_) {
        fail(Errc::buffer_too_small);
        return false;
    }
    constexpr std::size_t first = 256;
    Slab wider(std::max({first, size_ + n, 2 * capacity_}));
    copy_bytes(wider.span(), written());
    own_ = std::move(wider);
    data_ = own_.data();
    capacity_ = own_.capacity();
    return true;
}

std::byte* Encoder::room(std::size_t n) {
    if (!ok()) return nullptr;
    if (capacity_ - size_ < n && !grow(n)) return nullptr;
    std::byte* at = data_ + size_;
    size_ += n;
    return at;
}

void Encoder::append_u8(std::uint8_t v) {
    if (std::byte* at = room(1)) *at = static_cast<std::byte>(v);
}
void Encoder::append_u16(std::uint16_t v) {
    if (std::byte* at = room(2)) store_be(at, v);
}
void Encoder::append_u32(std::uint32_t v) {
    if (std::byte* at = room(4)) store_be(at, v);
}
void Encoder::append_u64(std::uint64_t v) {
    if (std::byte* at = room(8)) store_be(at, v);
}
void Encoder::append_raw(std::span<const std::byte> bytes) {
    if (std::byte* at = room(bytes.size())) copy_bytes({at, bytes.size()}, bytes);
}

void Encoder::write_ubyte(std::uint8_t v) {
    append_u8(code::ubyte);
    append_u8(v);
}
void Encoder::write_ushort(std::uint16_t v) {
    append_u8(code::ushort);
    append_u16(v);
}
void Encoder::write_uint(std::uint32_t v) {
    if (v == 0) return append_u8(code::uint0);
    if (v <= octet_max) {
        append_u8(code::smalluint);
        return append_u8(static_cast<std::uint8_t>(v));
    }
    append_u8(code::uint);
    append_u32(v);
}
void Encoder::write_ulong(std::uint64_t v) {
    if (v == 0) return append_u8(code::ulong0);
    if (v <= octet_max) {
        append_u8(code::smallulong);
        return append_u8(static_cast<std::uint8_t>(v));
    }
    append_u8(code::ulong);
    append_u64(v);
}
void Encoder::write_byte(std::int8_t v) {
    append_u8(code::byte);
    append_u8(static_cast<std::uint8_t>(v));
}
void Encoder::write_short(std::int16_t v) {
    append_u8(code::short_);
    append_u16(static_cast<std::uint16_t>(v));
}
void Encoder::write_int(std::int32_t v) {
    if (v >= -128 && v <= 127) {
        append_u8(code::smallint);
        return append_u8(static_cast<std::uint8_t>(v));
    }
    append_u8(code::int_);
    append_u32(static_cast<std::uint32_t>(v));
}
void Encoder::write_long(std::int64_t v) {
    if (v >= -128 && v <= 127) {
        append_u8(code::smalllong);
        return append_u8(static_cast<std::uint8_t>(v));
    }
    append_u8(code::long_);
    append_u64(static_cast<std::uint64_t>(v));
}
void Encoder::write_float(float v) {
    append_u8(code::float_);
    append_u32(std::bit_cast<std::uint32_t>(v));
}
void Encoder::write_double(double v) {
    append_u8(code::double_);
    append_u64(std::bit_cast<std::uint64_t>(v));
}
void Encoder::write_decimal32(const Decimal32& v) {
    append_u8(code::decimal32);
    append_raw(v.octets);
}
void Encoder::write_decimal64(const Decimal64& v) {
    append_u8(code::decimal64);
    append_raw(v.octets);
}
void Encoder::write_decimal128(const Decimal128& v) {
    append_u8(code::decimal128);
    append_raw(v.octets);
}
void Encoder::write_char(char32_t v) {
    append_u8(code::char_);
    append_u32(static_cast<std::uint32_t>(v));
}
void Encoder::write_timestamp(Timestamp v) {
    append_u8(code::timestamp);
    append_u64(static_cast<std::uint64_t>(v.ms));
}
void Encoder::write_uuid(const Uuid& v) {
    append_u8(code::uuid);
    append_raw(v.octets);
}

void Encoder::write_variable(std::uint8_t code8, std::uint8_t code32, std::span<const std::byte> v) {
    if (v.size() <= octet_max) {
        append_u8(code8);
        append_u8(static_cast<std::uint8_t>(v.size()));
    } else if (v.size() <= size_max) {
        append_u8(code32);
        append_u32(static_cast<std::uint32_t>(v.size()));
    } else {
        return fail(Errc::too_large_to_encode);
    }
    append_raw(v);
}
void Encoder::write_binary(std::span<const std::byte> v) { write_variable(code::vbin8, code::vbin32, v); }
void Encoder::write_string(std::string_view v) { write_variable(code::str8, code::str32, as_bytes(v)); }
void Encoder::write_symbol(std::string_view v) { write_variable(code::sym8, code::sym32, as_bytes(v)); }

void Encoder::write_binary_header(std::size_t length) {
    if (length > size_max) return fail(Errc::too_large_to_encode);
    if (length <= octet_max) {
        append_u8(code::vbin8);
        append_u8(static_cast<std::uint8_t>(length));
    } else {
        append_u8(code::vbin32);
        append_u32(static_cast<std::uint32_t>(length));
    }
}

void Encoder::write_descriptor(std::uint64_t descriptor) {
    append_u8(code::described);
    write_ulong(descriptor);
}
void Encoder::write_descriptor(std::string_view symbol) {
    append_u8(code::described);
    write_symbol(symbol);
}

// A compound is begun with room for its widest header. When it ends and turns out small, its items move down by six octets:
// at most 254 octets move, while measuring first would cost a second pass over everything.

Encoder::Scope Encoder::begin_compound(bool is_map) {
    const Scope scope{size_, is_map};
    room(wide_header);
    return scope;
}
Encoder::Scope Encoder::begin_list() { return begin_compound(false); }
Encoder::Scope Encoder::begin_map() { return begin_compound(true); }
Encoder::Scope Encoder::begin_array() { return begin_compound(false); }

void Encoder::end(const Scope& scope, std::uint32_t count) {
    if (!ok()) return;
    if (count == 0 && !scope.is_map) {
        size_ = scope.start;
        return append_u8(code::list0);
    }
    if (scope.is_map) {
        close(scope.start, code::map8, code::map32, count);
    } else {
        close(scope.start, code::list8, code::list32, count);
    }
}

void Encoder::end_array(const Scope& scope, std::uint32_t count) {
    if (ok()) close(scope.start, code::array8, code::array32, count);
}

void Encoder::close(std::size_t start, std::uint8_t code8, std::uint8_t code32, std::uint32_t count) {
    std::byte* at = data_ + start;
    const std::size_t content = size_ - start - wide_header;
    if (content + 1 <= octet_max && count <= octet_max) {
        std::memmove(at + short_header, at + wide_header, content);
        at[0] = static_cast<std::byte>(code8);
        at[1] = static_cast<std::byte>(content + 1);
        at[2] = static_cast<std::byte>(count);
        size_ -= wide_header - short_header;
        return;
    }
    if (content + 4 > size_max) return fail(Errc::too_large_to_encode);
    at[0] = static_cast<std::byte>(code32);
    store_be(at + 1, static_cast<std::uint32_t>(content + 4));
    store_be(at + 5, count);
}

Encoder::Scope Encoder::begin_wide_body() {
    const Scope scope{size_, false};
    room(wide_header - 1);
    return scope;
}

void Encoder::end_wide_body(const Scope& scope, std::uint32_t count) {
    if (!ok()) return;
    const std::size_t content = size_ - scope.start - (wide_header - 1);
    if (content + 4 > size_max) return fail(Errc::too_large_to_encode);
    store_be(data_ + scope.start, static_cast<std::uint32_t>(content + 4));
    store_be(data_ + scope.start + 4, count);
}

void Encoder::write_symbol_array(std::span<const Symbol> symbols) {
    const bool wide = std::any_of(symbols.begin(), symbols.end(), [](const Symbol& s) { return s.size() > octet_max; });
    const Scope scope = begin_array();
    append_u8(wide ? code::sym32 : code::sym8);
    for (const Symbol& symbol : symbols) {
        if (wide) {
            append_u32(static_cast<std::uint32_t>(symbol.size()));
        } else {
            append_u8(static_cast<std::uint8_t>(symbol.size()));
        }
        append_raw(as_bytes(symbol.view()));
    }
    end_array(scope, static_cast<std::uint32_t>(symbols.size()));
}

}  // namespace aprotic::codec
