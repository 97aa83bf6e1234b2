// What the format codes stand for. [1.6]
#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/described.hpp>

#include <array>

namespace aprotic::codec {

std::string_view name_of(Type type) noexcept {
    constexpr std::array<std::string_view, 25> names{
        "null",   "boolean", "ubyte",  "ushort",    "uint",      "ulong",      "byte",     "short",     "int",
        "long",   "float",   "double", "decimal32", "decimal64", "decimal128", "char",     "timestamp", "uuid",
        "binary", "string",  "symbol", "list",      "map",       "array",      "described"};
    return names[static_cast<std::size_t>(type)];
}

namespace {

constexpr std::optional<Type> assigned(std::uint8_t format_code) noexcept {
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

constexpr std::uint8_t unassigned = 0xff;
/// It is asked for every value that is read.
constexpr auto types_by_code = [] {
    std::array<std::uint8_t, 256> types{};
    for (std::size_t i = 0; i < types.size(); ++i) {
        const std::optional<Type> type = assigned(static_cast<std::uint8_t>(i));
        types[i] = type ? static_cast<std::uint8_t>(*type) : unassigned;
    }
    return types;
}();

}  // namespace

std::optional<Type> type_of_code(std::uint8_t format_code) noexcept {
    const std::uint8_t type = types_by_code[format_code];
    if (type == unassigned) return std::nullopt;
    return static_cast<Type>(type);
}

std::optional<std::uint64_t> Descriptor::resolve() const noexcept {
    return numeric ? std::optional(code) : descriptor_code(symbol);
}

}  // namespace aprotic::codec
