// The wire form of owned values. [1.6]
#include <aprotic/codec/described.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/codec/writing/plain_writer.hpp>

#include <algorithm>
#include <bit>

namespace aprotic::codec {

namespace {

constexpr std::size_t octet_max = 0xff;

void encode_array(Encoder& to, const Array& array);

void encode_map(Encoder& to, const Map& map) {
    for (const Map::Entry& entry : map) {
        encode(to, entry.first);
        encode(to, entry.second);
    }
}

std::uint32_t count_of(Encoder& to, std::size_t count) {
    if (count > 0xffff'ffff) to.fail(Errc::too_large_to_encode);
    return static_cast<std::uint32_t>(count);
}

struct ValueWriter {
    Encoder& to;

    void operator()(std::monostate) const { to.write_null(); }
    void operator()(bool v) const { to.write_boolean(v); }
    void operator()(std::uint8_t v) const { to.write_ubyte(v); }
    void operator()(std::uint16_t v) const { to.write_ushort(v); }
    void operator()(std::uint32_t v) const { to.write_uint(v); }
    void operator()(std::uint64_t v) const { to.write_ulong(v); }
    void operator()(std::int8_t v) const { to.write_byte(v); }
    void operator()(std::int16_t v) const { to.write_short(v); }
    void operator()(std::int32_t v) const { to.write_int(v); }
    void operator()(std::int64_t v) const { to.write_long(v); }
    void operator()(float v) const { to.write_float(v); }
    void operator()(double v) const { to.write_double(v); }
    void operator()(const Decimal32& v) const { to.write_decimal32(v); }
    void operator()(const Decimal64& v) const { to.write_decimal64(v); }
    void operator()(const Decimal128& v) const { to.write_decimal128(v); }
    void operator()(char32_t v) const { to.write_char(v); }
    void operator()(Timestamp v) const { to.write_timestamp(v); }
    void operator()(const Uuid& v) const { to.write_uuid(v); }
    void operator()(const Binary& v) const { to.write_binary(v.span()); }
    void operator()(const std::string& v) const { to.write_string(v); }
    void operator()(const Symbol& v) const { to.write_symbol(v.view()); }
    void operator()(const List& v) const { encode(to, v); }
    void operator()(const Map& v) const { encode(to, v); }
    void operator()(const Array& v) const { encode_array(to, v); }
    void operator()(const Described& v) const {
        to.append_u8(code::described);
        encode(to, v.descriptor());
        encode(to, v.value());
    }
};

template <class T>
bool all_small(std::span<const Value> elements) {
    return std::all_of(elements.begin(), elements.end(), [](const Value& element) {
        const auto* v = element.get_if<T>();
        if (v == nullptr) return true;
        if constexpr (std::is_signed_v<T>) {
            return *v >= -128 && *v <= 127;
        } else if constexpr (std::is_unsigned_v<T>) {
            return *v <= octet_max;
        } else {
            return v->size() <= octet_max;
        }
    });
}

/// The one constructor that is wide enough for every element. [1.2.4-h]
std::uint8_t element_code(const Array& array) {
    const std::span<const Value> elements = array.elements();
    switch (array.element_type()) {
        case Type::null: return code::null;
        case Type::boolean: return code::boolean;
        case Type::ubyte: return code::ubyte;
        case Type::ushort: return code::ushort;
        case Type::uint: return all_small<std::uint32_t>(elements) ? code::smalluint : code::uint;
        case Type::ulong: return all_small<std::uint64_t>(elements) ? code::smallulong : code::ulong;
        case Type::byte: return code::byte;
        case Type::short_: return code::short_;
        case Type::int_: return all_small<std::int32_t>(elements) ? code::smallint : code::int_;
        case Type::long_: return all_small<std::int64_t>(elements) ? code::smalllong : code::long_;
        case Type::float_: return code::float_;
        case Type::double_: return code::double_;
        case Type::decimal32: return code::decimal32;
        case Type::decimal64: return code::decimal64;
        case Type::decimal128: return code::decimal128;
        case Type::char_: return code::char_;
        case Type::timestamp: return code::timestamp;
        case Type::uuid: return code::uuid;
        case Type::binary: return all_small<Binary>(elements) ? code::vbin8 : code::vbin32;
        case Type::string: return all_small<std::string>(elements) ? code::str8 : code::str32;
        case Type::symbol: return all_small<Symbol>(elements) ? code::sym8 : code::sym32;
        case Type::list: return code::list32;
        case Type::map: return code::map32;
        case Type::array: return code::array32;
        case Type::described: break;
    }
    return code::described;
}

void encode_array_body(Encoder& to, const Array& array);

/// An element without its constructor.
struct BodyWriter {
    Encoder& to;
    std::uint8_t element;

    void operator()(std::monostate) const {}
    void operator()(bool v) const { to.append_u8(v ? 1 : 0); }
    template <detail::PlainInteger T>
    void operator()(T v) const {
        using Unsigned = std::make_unsigned_t<T>;
        const auto u = static_cast<Unsigned>(v);
        switch (fixed_width(element)) {
            case 1: return to.append_u8(static_cast<std::uint8_t>(u));
            case 2: return to.append_u16(static_cast<std::uint16_t>(u));
            case 4: return to.append_u32(static_cast<std::uint32_t>(u));
            default: return to.append_u64(u);
        }
    }
    void operator()(float v) const { to.append_u32(std::bit_cast<std::uint32_t>(v)); }
    void operator()(double v) const { to.append_u64(std::bit_cast<std::uint64_t>(v)); }
    void operator()(const Decimal32& v) const { to.append_raw(v.octets); }
    void operator()(const Decimal64& v) const { to.append_raw(v.octets); }
    void operator()(const Decimal128& v) const { to.append_raw(v.octets); }
    void operator()(char32_t v) const { to.append_u32(static_cast<std::uint32_t>(v)); }
    void operator()(Timestamp v) const { to.append_u64(static_cast<std::uint64_t>(v.ms)); }
    void operator()(const Uuid& v) const { to.append_raw(v.octets); }
    void operator()(const Binary& v) const { variable(v.span()); }
    void operator()(const std::string& v) const { variable(as_bytes(v)); }
    void operator()(const Symbol& v) const { variable(as_bytes(v.view())); }
    void operator()(const List& v) const {
        const Encoder::Scope scope = to.begin_wide_body();
        for (const Value& item : v) encode(to, item);
        to.end_wide_body(scope, count_of(to, v.size()));
    }
    void operator()(const Map& v) const {
        const Encoder::Scope scope = to.begin_wide_body();
        encode_map(to, v);
        to.end_wide_body(scope, count_of(to, 2 * v.size()));
    }
    void operator()(const Array& v) const {
        const Encoder::Scope scope = to.begin_wide_body();
        encode_array_body(to, v);
        to.end_wide_body(scope, count_of(to, v.size()));
    }
    void operator()(const Described&) const { to.fail(Errc::mixed_array); }

    void variable(std::span<const std::byte> v) const {
        if (size_width(element) == 1) {
            to.append_u8(static_cast<std::uint8_t>(v.size()));
        } else {
            to.append_u32(count_of(to, v.size()));
        }
        to.append_raw(v);
    }
};

void encode_array_body(Encoder& to, const Array& array) {
    for (const Value& described_by : array.descriptors()) {
        to.append_u8(code::described);
        encode(to, described_by);
    }
    const std::uint8_t element = element_code(array);
    to.append_u8(element);
    for (const Value& v : array.elements()) {
        if (v.type() != array.element_type() || element == code::described) return to.fail(Errc::mixed_array);
        v.visit(BodyWriter{to, element});
    }
}

void encode_array(Encoder& to, const Array& array) {
    const Encoder::Scope scope = to.begin_array();
    encode_array_body(to, array);
    to.end_array(scope, count_of(to, array.size()));
}

// Reading

/// So many items are made room for because a count says so: a larger one has to prove itself. [1.2-i]
constexpr std::uint32_t unproven_max = 16;

bool has_equal_keys(const Map& map) {
    constexpr std::size_t few = 12;
    if (map.size() <= few) {
        for (auto a = map.begin(); a != map.end(); ++a) {
            for (auto b = map.begin(); b != a; ++b) {
                if (a->first == b->first) return true;
            }
        }
        return false;
    }
    // A peer chooses how many keys there are: not quadratic.
    std::vector<const Value*> keys;
    keys.reserve(map.size());
    for (const Map::Entry& entry : map) keys.push_back(&entry.first);
    std::sort(keys.begin(), keys.end(), [](const Value* a, const Value* b) { return Value::compare(*a, *b) < 0; });
    return std::adjacent_find(keys.begin(), keys.end(), [](const Value* a, const Value* b) { return *a == *b; }) !=
           keys.end();
}

bool decode_array(Decoder& from, Value& value) {
    const Decoder::Scope scope = from.enter_array();
    if (!from.ok()) return false;
    std::vector<Value> descriptors;
    // They were stepped over and checked already; the limits count for each by itself.
    for (std::span<const std::byte> rest = scope.descriptors; !rest.empty();) {
        Decoder descriptor(rest.subspan(1), from.limits());
        if (!decode(descriptor, descriptors.emplace_back())) return from.fail_last(descriptor.errc());
        rest = descriptor.rest();
    }
    std::vector<Value> elements;
    // Fixed-width elements are known to be there in full.
    if (!from.charge(scope.count * sizeof(Value))) return false;
    elements.reserve(scope.element_code < code::vbin8 ? scope.count : std::min(scope.count, unproven_max));
    for (std::uint32_t i = 0; i < scope.count; ++i) {
        if (!decode(from, elements.emplace_back())) return false;
    }
    value = Array(*type_of_code(scope.element_code), std::move(elements), std::move(descriptors));
    return from.leave(scope);
}

bool decode_described(Decoder& from, Value& value) {
    Value descriptor, described;
    if (!from.enter_described() || !from.charge(2 * sizeof(Value)) || !decode(from, descriptor) ||
        !decode(from, described))
        return false;
    from.leave_described();
    value = Described(std::move(descriptor), std::move(described));
    return true;
}

}  // namespace

std::optional<std::uint64_t> Described::code() const noexcept {
    if (const auto* number = descriptor().get_if<std::uint64_t>()) return *number;
    if (const auto* symbol = descriptor().get_if<Symbol>()) return descriptor_code(symbol->view());
    return std::nullopt;
}

void encode(Encoder& to, const Value& value) { value.visit(ValueWriter{to}); }

void encode(Encoder& to, const Map& map) {
    if (PlainWriter::write(to, map)) return;
    constexpr std::size_t few = 8;
    const Encoder::Scope scope = to.begin_map(map.size() <= few);
    encode_map(to, map);
    to.end(scope, count_of(to, 2 * map.size()));
}

void encode(Encoder& to, const List& list) {
    const Encoder::Scope scope = to.begin_list();
    for (const Value& item : list) encode(to, item);
    to.end(scope, count_of(to, list.size()));
}

bool decode(Decoder& from, Map& map) {
    map.clear();
    const Decoder::Scope scope = from.enter_map();
    if (!from.charge(scope.count * sizeof(Value))) return false;
    map.reserve(std::min(scope.count / 2, unproven_max));
    for (std::uint32_t i = 0; i < scope.count; i += 2) {
        Value key, value;
        if (!decode(from, key) || !decode(from, value)) return false;
        map.append(std::move(key), std::move(value));
    }
    if (!from.leave(scope)) return false;
    return !has_equal_keys(map) || from.fail_last(Errc::duplicate_key);  // [1.6.23-b]
}

bool decode(Decoder& from, List& list) {
    list.clear();
    const Decoder::Scope scope = from.enter_list();
    if (!from.charge(scope.count * sizeof(Value))) return false;
    list.reserve(std::min(scope.count, unproven_max));
    for (std::uint32_t i = 0; i < scope.count; ++i) {
        if (!decode(from, list.emplace_back())) return false;
    }
    return from.leave(scope);
}

bool decode(Decoder& from, Value& value) {
    const std::optional<Type> type = from.peek();
    if (!type) return false;
    switch (*type) {
        case Type::null:
            from.read_null();
            value = Value();
            break;
        case Type::boolean: value = from.read_boolean(); break;
        case Type::ubyte: value = from.read_ubyte(); break;
        case Type::ushort: value = from.read_ushort(); break;
        case Type::uint: value = from.read_uint(); break;
        case Type::ulong: value = from.read_ulong(); break;
        case Type::byte: value = from.read_byte(); break;
        case Type::short_: value = from.read_short(); break;
        case Type::int_: value = from.read_int(); break;
        case Type::long_: value = from.read_long(); break;
        case Type::float_: value = from.read_float(); break;
        case Type::double_: value = from.read_double(); break;
        case Type::decimal32: value = from.read_decimal32(); break;
        case Type::decimal64: value = from.read_decimal64(); break;
        case Type::decimal128: value = from.read_decimal128(); break;
        case Type::char_: value = from.read_char(); break;
        case Type::timestamp: value = from.read_timestamp(); break;
        case Type::uuid: value = from.read_uuid(); break;
        case Type::binary: {
            const auto octets = from.read_binary();
            if (from.charge(octets.size())) value = Binary(octets);
            break;
        }
        case Type::string: {
            const std::string_view text = from.read_string();
            if (from.charge(text.size())) value = text;
            break;
        }
        case Type::symbol: {
            const std::string_view text = from.read_symbol();
            if (from.charge(text.size())) value = Symbol(text);
            break;
        }
        case Type::list: {
            List list;
            if (!decode(from, list)) return false;
            value = std::move(list);
            break;
        }
        case Type::map: {
            Map map;
            if (!decode(from, map)) return false;
            value = std::move(map);
            break;
        }
        case Type::array: return decode_array(from, value);
        case Type::described: return decode_described(from, value);
    }
    return from.ok();
}

Result<Value> decode_value(std::span<const std::byte> input, const DecodeLimits& limits) {
    return decode_as<Value>(input, limits);
}

Bytes encode_value(const Value& value) { return encode_as(value); }

}  // namespace aprotic::codec
