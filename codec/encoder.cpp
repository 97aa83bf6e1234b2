#include <aprotic/codec/encoder.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

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
    if (size_ != 0) taken = std::move(own_).bytes(size_);
    own_.reset();
    data_ = nullptr;
    size_ = limit_ = capacity_ = 0;
    error_ = {};
    return taken;
}

void Encoder::truncate(std::size_t size) noexcept {
    size_ = std::min(size_, size);
    limit_ = capacity_;
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
    limit_ = capacity_ = own_.capacity();
    return true;
}

std::byte* Encoder::room_elsewhere(std::size_t n) {
    if (!ok() || !grow(n)) return nullptr;
    std::byte* at = data_ + size_;
    size_ += n;
    return at;
}

void Encoder::append_raw(std::span<const std::byte> bytes) {
    if (std::byte* at = room(bytes.size())) copy_bytes({at, bytes.size()}, bytes);
}

void Encoder::write_float(float v) { write_number(code::float_, std::bit_cast<std::uint32_t>(v)); }
void Encoder::write_double(double v) { write_number(code::double_, std::bit_cast<std::uint64_t>(v)); }
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
void Encoder::write_char(char32_t v) { write_number(code::char_, static_cast<std::uint32_t>(v)); }
void Encoder::write_uuid(const Uuid& v) {
    append_u8(code::uuid);
    append_raw(v.octets);
}

void Encoder::write_long_variable(std::uint8_t code32, std::span<const std::byte> v) {
    if (v.size() > size_max) return fail(Errc::too_large_to_encode);
    write_number(code32, static_cast<std::uint32_t>(v.size()));
    append_raw(v);
}

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

void Encoder::write_descriptor(std::string_view symbol) {
    append_u8(code::described);
    write_symbol(symbol);
}

// A compound is begun with room for its widest header, or for the narrow one if its writer thinks that enough. When it
// ends and needs the other, its items move by six octets, while measuring first would cost a second pass over
// everything. Without a guess at most 254 octets move.

Encoder::Scope Encoder::begin_array() { return begin_compound(false, false); }

void Encoder::end_otherwise(const Scope& scope, std::uint32_t count) {
    if (!ok()) return;
    if (count == 0 && !scope.is_map) {
        size_ = scope.start;
        return append_u8(code::list0);
    }
    if (scope.is_map) {
        close(scope, code::map8, code::map32, count);
    } else {
        close(scope, code::list8, code::list32, count);
    }
}

void Encoder::end_array(const Scope& scope, std::uint32_t count) {
    if (ok()) close(scope, code::array8, code::array32, count);
}

void Encoder::close(const Scope& scope, std::uint8_t code8, std::uint8_t code32, std::uint32_t count) {
    const std::size_t reserved = scope.is_narrow ? short_header : wide_header;
    const std::size_t content = size_ - scope.start - reserved;
    const bool narrow = content + 1 <= octet_max && count <= octet_max;
    if (!narrow && content + 4 > size_max) return fail(Errc::too_large_to_encode);
    if (narrow != scope.is_narrow) {
        if (!narrow && room(wide_header - short_header) == nullptr) return;
        std::byte* at = data_ + scope.start;
        std::memmove(at + (narrow ? short_header : wide_header), at + reserved, content);
        if (narrow) size_ -= wide_header - short_header;
    }
    std::byte* at = data_ + scope.start;
    if (narrow) {
        at[0] = static_cast<std::byte>(code8);
        at[1] = static_cast<std::byte>(content + 1);
        at[2] = static_cast<std::byte>(count);
    } else {
        at[0] = static_cast<std::byte>(code32);
        store_be(at + 1, static_cast<std::uint32_t>(content + 4));
        store_be(at + 5, count);
    }
}

Encoder::Scope Encoder::begin_wide_body() {
    const Scope scope{size_};
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
