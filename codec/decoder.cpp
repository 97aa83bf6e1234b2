#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/described.hpp>
#include <aprotic/codec/utf8.hpp>

#include <algorithm>
#include <bit>

namespace aprotic::codec {

namespace {

constexpr std::uint8_t no_code = 0xff;  // what take_code returns after an error; never assigned [1.2-d]

bool is_compound(std::uint8_t format_code) noexcept { return (format_code & 0xe0U) == 0xc0; }

}  // namespace

std::string_view name_of(Type type) noexcept {
    constexpr std::array<std::string_view, 25> names{
        "null",  "boolean", "ubyte",  "ushort",    "uint",      "ulong",      "byte", "short",     "int",
        "long",  "float",   "double", "decimal32", "decimal64", "decimal128", "char", "timestamp", "uuid",
        "binary", "string", "symbol", "list",      "map",       "array",      "described"};
    return names[static_cast<std::size_t>(type)];
}

std::optional<Type> type_of_code(std::uint8_t format_code) noexcept {
    switch (format_code) {
        case code::described: return Type::described;
        case code::null: return Type::null;
        case code::true_:
        case code::false_:
        case code::boolean: return Type::boolean;
        case code::ubyte: return Type::ubyte;
        case code::ushort: return Type::ushort;
        case code::uint0:
        case code::smalluint:
        case code::uint: return Type::uint;
        case code::ulong0:
        case code::smallulong:
        case code::ulong: return Type::ulong;
        case code::byte: return Type::byte;
        case code::short_: return Type::short_;
        case code::smallint:
        case code::int_: return Type::int_;
        case code::smalllong:
        case code::long_: return Type::long_;
        case code::float_: return Type::float_;
        case code::double_: return Type::double_;
        case code::decimal32: return Type::decimal32;
        case code::decimal64: return Type::decimal64;
        case code::decimal128: return Type::decimal128;
        case code::char_: return Type::char_;
        case code::timestamp: return Type::timestamp;
        case code::uuid: return Type::uuid;
        case code::vbin8:
        case code::vbin32: return Type::binary;
        case code::str8:
        case code::str32: return Type::string;
        case code::sym8:
        case code::sym32: return Type::symbol;
        case code::list0:
        case code::list8:
        case code::list32: return Type::list;
        case code::map8:
        case code::map32: return Type::map;
        case code::array8:
        case code::array32: return Type::array;
        default: return std::nullopt;
    }
}

std::optional<std::uint64_t> Descriptor::resolve() const noexcept {
    return numeric ? std::optional(code) : descriptor_code(symbol);
}

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

bool Decoder::need(std::size_t n) noexcept {
    if (!ok()) return false;
    return static_cast<std::size_t>(end_ - at_) >= n || fail_at(Errc::truncated, value_at_);
}

const std::byte* Decoder::take(std::size_t n) noexcept {
    if (!need(n)) return nullptr;
    const std::byte* taken = at_;
    at_ += n;
    return taken;
}

template <class T>
T Decoder::take_be() noexcept {
    const std::byte* at = take(sizeof(T));
    return at != nullptr ? load_be<T>(at) : T{};
}

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

std::uint8_t Decoder::take_code() noexcept {
    if (!ok()) return no_code;
    value_at_ = at_;
    if (forced_code_ != 0) return forced_code_;
    if (at_ == end_) {
        // Inside a compound its count asked for more than its size holds. [1.2.3-c]
        fail(open_scopes_ > 0 ? Errc::compound_size_mismatch : Errc::truncated);
        return no_code;
    }
    return std::to_integer<std::uint8_t>(*at_++);
}

void Decoder::wrong_type(std::uint8_t format_code) noexcept {
    if (type_of_code(format_code)) {
        fail_at(Errc::wrong_type, value_at_);
    } else {
        fail_at((format_code & 0x0fU) == 0x0f ? Errc::reserved_ext_type : Errc::unknown_format_code, value_at_);
    }
}

bool Decoder::deeper() noexcept {
    if (depth_ >= limits_.depth_max) return fail_at(Errc::nesting_too_deep, value_at_);
    ++depth_;
    return true;
}

bool Decoder::spend(std::uint32_t elements) noexcept {
    if (elements > limits_.elements_max - elements_) return fail_at(Errc::too_many_elements, value_at_);
    elements_ += elements;
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

bool Decoder::try_null() noexcept {
    if (!ok() || (forced_code_ == 0 && at_ == end_)) return false;
    const std::uint8_t found = forced_code_ != 0 ? forced_code_ : std::to_integer<std::uint8_t>(*at_);
    if (found != code::null) return false;
    take_code();
    return true;
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

std::size_t Decoder::take_size(std::uint8_t format_code) noexcept {
    return size_width(format_code) == 1 ? take_be<std::uint8_t>() : take_be<std::uint32_t>();
}

std::span<const std::byte> Decoder::take_variable(std::uint8_t format_code) noexcept {
    const std::size_t length = take_size(format_code);
    if (!ok()) return {};
    // Compared with what is left, never added to a position: 2^32 - 1 must not wrap anything. [1.2.2-b]
    if (length > static_cast<std::size_t>(end_ - at_)) return fail_at(Errc::length_out_of_bounds, value_at_), std::span<const std::byte>();
    return {take(length), length};
}

std::span<const std::byte> Decoder::read_variable(std::uint8_t code8, std::uint8_t code32) noexcept {
    const std::uint8_t found = take_code();
    if (found != code8 && found != code32) return wrong_type(found), std::span<const std::byte>();
    return take_variable(found);
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

// Described values

Descriptor Decoder::read_descriptor() noexcept {
    Descriptor found;
    const std::uint8_t first = take_code();
    const std::byte* const described_at = value_at_;
    if (first != code::described) {
        if (type_of_code(first)) fail_at(Errc::bad_descriptor, described_at);
        wrong_type(first);
        return found;
    }
    const std::optional<Type> type = peek();
    if (type == Type::ulong) {
        found.code = read_ulong();
    } else if (type == Type::symbol) {
        found.numeric = false;
        found.symbol = read_symbol();
    } else if (type) {
        fail_at(Errc::bad_descriptor, described_at);
    }
    value_at_ = described_at;
    return found;
}

bool Decoder::enter_described() noexcept {
    const std::uint8_t found = take_code();
    if (found != code::described) {
        wrong_type(found);
        return false;
    }
    return deeper();
}

void Decoder::leave_described() noexcept { --depth_; }

// Compounds and arrays

/// Size and count; the cursor then stands at the first item, or at the element constructor.
Decoder::Scope Decoder::enter_sized(std::uint8_t format_code) noexcept {
    Scope scope;
    const std::size_t width = size_width(format_code);
    const std::size_t size = take_size(format_code);
    if (!ok()) return scope;
    if (size > static_cast<std::size_t>(end_ - at_)) return fail_at(Errc::length_out_of_bounds, value_at_), scope;
    if (size < width) return fail_at(Errc::compound_size_too_small, value_at_), scope;
    if (!deeper()) return scope;
    scope.end = at_ + size;
    scope.outer_end = end_;
    scope.outer_forced = forced_code_;
    scope.count = width == 1 ? take_be<std::uint8_t>() : take_be<std::uint32_t>();
    end_ = scope.end;
    forced_code_ = 0;
    ++open_scopes_;
    return scope;
}

void Decoder::open_items(Scope& scope) noexcept {
    if (!ok()) return;
    // Every item takes an octet at least, so a larger count is a lie that must not be believed. [1.2-i]
    if (scope.count > static_cast<std::size_t>(end_ - at_)) {
        fail_at(Errc::compound_size_mismatch, value_at_);
    } else {
        spend(scope.count);
    }
}

Decoder::Scope Decoder::enter_list() noexcept {
    const std::uint8_t found = take_code();
    if (found == code::list0) {
        if (!deeper()) return {};
        Scope scope;
        scope.end = at_;
        scope.outer_end = end_;
        scope.outer_forced = forced_code_;
        end_ = at_;
        forced_code_ = 0;
        ++open_scopes_;
        return scope;
    }
    if (found != code::list8 && found != code::list32) return wrong_type(found), Scope();
    Scope scope = enter_sized(found);
    open_items(scope);
    return scope;
}

Decoder::Scope Decoder::enter_map() noexcept {
    const std::uint8_t found = take_code();
    if (found != code::map8 && found != code::map32) return wrong_type(found), Scope();
    Scope scope = enter_sized(found);
    if (ok() && scope.count % 2 != 0) fail_at(Errc::odd_map, value_at_);  // [1.6.23-a]
    open_items(scope);
    return scope;
}

Decoder::Scope Decoder::enter_array() noexcept {
    const std::uint8_t found = take_code();
    if (found != code::array8 && found != code::array32) return wrong_type(found), Scope();
    Scope scope = enter_sized(found);
    open_elements(scope);
    return scope;
}

void Decoder::open_elements(Scope& scope) noexcept {
    if (!ok()) return;
    const std::byte* const array_at = value_at_;
    const std::byte* const constructor_at = at_;
    const std::uint32_t depth = depth_;
    while (at_ != end_ && *at_ == std::byte{code::described}) {
        ++at_;
        if (!deeper()) return;
        skip_checked();
        if (!ok()) return;
    }
    depth_ = depth;
    scope.descriptors = {constructor_at, at_};
    if (at_ == end_) {  // [1.2.4-b]
        fail_at(Errc::array_without_constructor, array_at);
        return;
    }
    scope.element_code = std::to_integer<std::uint8_t>(*at_);
    value_at_ = at_;
    if (!type_of_code(scope.element_code)) return wrong_type(scope.element_code);
    ++at_;
    value_at_ = array_at;
    const auto left = static_cast<std::size_t>(end_ - at_);
    const bool fixed = scope.element_code < code::vbin8;
    const std::size_t width = fixed ? fixed_width(scope.element_code) : 1;
    if (fixed ? std::uint64_t{scope.count} * width != left : scope.count > left) {  // [1.2.4-g]
        fail_at(Errc::array_size_mismatch, array_at);
        return;
    }
    if (width == 0) {
        // Any number of these fits in no octets at all. [1.2.4-e]
        if (scope.count > limits_.zero_width_max - zero_width_) {
            fail_at(Errc::too_many_elements, array_at);
            return;
        }
        zero_width_ += scope.count;
    }
    if (spend(scope.count)) forced_code_ = scope.element_code;
}

bool Decoder::leave(const Scope& scope) noexcept {
    if (!ok()) return false;
    if (at_ != scope.end) return fail(scope.element_code != 0 ? Errc::array_size_mismatch : Errc::compound_size_mismatch);
    end_ = scope.outer_end;
    forced_code_ = scope.outer_forced;
    --open_scopes_;
    --depth_;
    return true;
}

// Stepping over

void Decoder::skip() noexcept { skip_body(take_code(), false); }
void Decoder::skip_checked() noexcept { skip_body(take_code(), true); }

std::span<const std::byte> Decoder::read_raw() noexcept {
    const std::byte* const start = at_;
    skip();
    if (!ok()) return {};
    return {start, at_};
}

void Decoder::skip_body(std::uint8_t format_code, bool checked) noexcept {
    if (!ok()) return;
    const std::optional<Type> type = type_of_code(format_code);
    if (!type) return wrong_type(format_code);
    if (type == Type::described) {
        if (!deeper()) return;
        skip_body(take_code(), checked);
        skip_body(take_code(), checked);
        --depth_;
        return;
    }
    if (format_code < code::vbin8) {
        const std::size_t width = fixed_width(format_code);
        const std::byte* at = take(width);
        if (!checked || at == nullptr) return;
        if (format_code == code::boolean && std::to_integer<unsigned>(*at) > 1) fail_at(Errc::bad_boolean, value_at_);
        if (format_code == code::char_ && !is_scalar_value(load_be<std::uint32_t>(at))) fail_at(Errc::bad_char, value_at_);
        return;
    }
    if (!is_compound(format_code) && type != Type::array) {
        const std::span<const std::byte> octets = take_variable(format_code);
        if (checked && type == Type::string && !is_utf8(octets)) fail_at(Errc::bad_utf8, value_at_);
        if (checked && type == Type::symbol && !is_ascii(octets)) fail_at(Errc::bad_symbol, value_at_);
        return;
    }
    if (!checked) {
        take_variable(format_code);  // the size is a length
        return;
    }
    Scope scope = enter_sized(format_code);
    if (type == Type::array) {
        open_elements(scope);
    } else {
        if (ok() && type == Type::map && scope.count % 2 != 0) fail_at(Errc::odd_map, value_at_);
        open_items(scope);
    }
    for (std::uint32_t i = 0; i < scope.count && ok(); ++i) skip_body(take_code(), true);
    leave(scope);
}

}  // namespace aprotic::codec
