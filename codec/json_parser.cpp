// JSON text as AMQP values. The opposite is json.cpp.
#include <aprotic/codec/reading/json_scanner.hpp>
#include <aprotic/codec/wire.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace aprotic::codec {

namespace {

std::optional<Type> type_named(std::string_view name) noexcept {
    for (auto t = static_cast<std::uint8_t>(Type::null); t <= static_cast<std::uint8_t>(Type::described); ++t) {
        if (name_of(static_cast<Type>(t)) == name) return static_cast<Type>(t);
    }
    return std::nullopt;
}

template <class T>
constexpr std::string_view range_of() {
    if constexpr (std::is_same_v<T, std::uint8_t>) return "a whole number from 0 to 255";
    if constexpr (std::is_same_v<T, std::uint16_t>) return "a whole number from 0 to 65535";
    if constexpr (std::is_same_v<T, std::uint32_t>) return "a whole number from 0 to 2^32 - 1";
    if constexpr (std::is_same_v<T, std::uint64_t>) return "a whole number from 0 to 2^64 - 1";
    if constexpr (std::is_same_v<T, std::int8_t>) return "a whole number from -128 to 127";
    if constexpr (std::is_same_v<T, std::int16_t>) return "a whole number from -32768 to 32767";
    if constexpr (std::is_same_v<T, std::int32_t>) return "a whole number from -2^31 to 2^31 - 1";
    return "a whole number from -2^63 to 2^63 - 1";
}

class JsonParser : JsonScanner {
public:
    JsonParser(std::string_view text, const DecodeLimits& limits) : JsonScanner(text, limits) {}

    Result<Value, JsonError> parse() {
        Value value;
        if (text_.size() > limits_.bytes_max) {
            fail(JsonFault::value_too_large, 0, "fewer octets");
        } else if (parse_value(value)) {
            skip_blanks();
            if (at_ != text_.size()) fail(JsonFault::trailing_text, at_, "the end of the text");
        }
        if (error_.fault != JsonFault{}) return error_;
        return value;
    }

private:
    // Whatever is next

    bool parse_value(Value& value) {
        skip_blanks();
        switch (next()) {
            case '[': return parse_list(value);
            case '{': return parse_object(value);
            case '"': {
                std::string text;
                if (!parse_string(text)) return false;
                value = std::move(text);
                return true;
            }
            case 'n':
            case 't':
            case 'f': return parse_word(value);
            default: return parse_untyped_number(value);
        }
    }

    bool parse_word(Value& value) {
        if (take_word("null")) {
            value = Value();
        } else if (take_word("true")) {
            value = true;
        } else if (take_word("false")) {
            value = false;
        } else {
            return unexpected("a value");
        }
        return true;
    }

    bool parse_untyped_number(Value& value) {
        const std::size_t start = at_;
        std::string_view token;
        if (!scan_number(token)) return error_.fault == JsonFault{} ? unexpected("a value") : false;
        if (token.find_first_of(".eE") != std::string_view::npos) return to_floating<double>(token, start, value);
        std::uint64_t positive = 0;
        if (!token.starts_with('-') && whole(token, positive)) {
            if (std::in_range<std::int64_t>(positive)) {
                value = static_cast<std::int64_t>(positive);
            } else {
                value = positive;
            }
            return true;
        }
        return to_integer<std::int64_t>(token, start, value);
    }

    bool parse_list(Value& value) {
        List list;
        const auto item = [&] { return parse_value(list.emplace_back()); };
        if (!parse_sequence(item)) return false;
        value = std::move(list);
        return true;
    }

    /// A map with string keys, or what a single member "$type" says.
    bool parse_object(Value& value) {
        ++at_;
        Map map;
        std::vector<std::size_t> offsets;
        if (!take('}')) {
            do {
                skip_blanks();
                const std::size_t name_at = at_;
                std::string name;
                if (next() != '"') return unexpected("a member name");
                if (!parse_string(name) || !expect(':', "a colon")) return false;
                if (name.starts_with('$')) {
                    if (!map.empty())
                        return fail(JsonFault::reserved_name, name_at, "a name that does not start with \"$\"");
                    return parse_tagged(std::string_view(name).substr(1), name_at, value);
                }
                if (map.empty() && !deeper()) return false;
                Value member;
                if (!spend() || !spend() || !parse_value(member)) return false;
                map.append(std::move(name), std::move(member));
                offsets.push_back(name_at);
            } while (take(','));
            if (!expect('}', "a comma or a closing brace")) return false;
            --depth_;
        }
        if (!distinct_names(map, offsets)) return false;
        value = std::move(map);
        return true;
    }

    bool distinct_names(const Map& map, const std::vector<std::size_t>& offsets) {
        std::vector<std::pair<std::string_view, std::size_t>> names;
        names.reserve(map.size());
        std::size_t i = 0;
        for (const Map::Entry& entry : map) names.emplace_back(*entry.first.to_text(), offsets[i++]);
        std::sort(names.begin(), names.end());
        const auto twice = std::adjacent_find(names.begin(), names.end(),
                                              [](const auto& a, const auto& b) { return a.first == b.first; });
        return twice == names.end() ||
               fail(JsonFault::duplicate_name, std::next(twice)->second, "a name not used before");
    }

    bool parse_tagged(std::string_view type_name, std::size_t name_at, Value& value) {
        const std::optional<Type> type = type_named(type_name);
        if (!type) return fail(JsonFault::unknown_type, name_at, "the name of an AMQP type after \"$\"");
        if (!parse_content(*type, value)) return false;
        if (take('}')) return true;
        if (next() == ',')
            return fail(JsonFault::reserved_name, name_at, "no other member beside one that names a type");
        return unexpected("a closing brace");
    }

    /// '[' items ']'
    template <class Item>
    bool parse_sequence(Item&& item) {
        if (!expect('[', "an opening bracket") || !deeper()) return false;
        if (!take(']')) {
            do {
                if (!spend() || !item()) return false;
            } while (take(','));
            if (!expect(']', "a comma or a closing bracket")) return false;
        }
        --depth_;
        return true;
    }

    // What stands behind "$type"

    bool parse_content(Type type, Value& value) {
        skip_blanks();
        switch (type) {
            case Type::null:
                if (!take_word("null")) return wrong("null");
                value = Value();
                return true;
            case Type::boolean:
                if (next() != 't' && next() != 'f') return wrong("true or false");
                return parse_word(value);
            case Type::ubyte: return parse_integer<std::uint8_t>(value);
            case Type::ushort: return parse_integer<std::uint16_t>(value);
            case Type::uint: return parse_integer<std::uint32_t>(value);
            case Type::ulong: return parse_integer<std::uint64_t>(value);
            case Type::byte: return parse_integer<std::int8_t>(value);
            case Type::short_: return parse_integer<std::int16_t>(value);
            case Type::int_: return parse_integer<std::int32_t>(value);
            case Type::long_: return parse_integer<std::int64_t>(value);
            case Type::float_: return parse_floating<float, std::uint32_t>(value);
            case Type::double_: return parse_floating<double, std::uint64_t>(value);
            case Type::decimal32: return parse_decimal<Decimal32>(value);
            case Type::decimal64: return parse_decimal<Decimal64>(value);
            case Type::decimal128: return parse_decimal<Decimal128>(value);
            case Type::char_: return parse_char(value);
            case Type::timestamp: {
                if (!parse_integer<std::int64_t>(value)) return false;
                value = Timestamp{value.as<std::int64_t>()};
                return true;
            }
            case Type::uuid: return parse_uuid(value);
            case Type::binary: {
                std::string octets;
                if (!parse_octets(octets)) return false;
                value = Binary(std::move(octets));
                return true;
            }
            case Type::string: {
                std::string text;
                if (!parse_text(text)) return false;
                value = std::move(text);
                return true;
            }
            case Type::symbol: {
                std::string text;
                if (!parse_text(text)) return false;
                value = Symbol(std::move(text));
                return true;
            }
            case Type::list: return next() == '[' ? parse_list(value) : wrong("an array of items");
            case Type::map: return parse_pairs(value);
            case Type::array: return parse_array(value);
            case Type::described: return parse_described(value);
        }
        return false;
    }

    bool wrong(std::string_view expected) { return fail(JsonFault::wrong_content, at_, expected); }

    template <class T>
    bool parse_integer(Value& value) {
        const std::size_t start = at_;
        std::string text;
        if (next() == '"') {
            if (!parse_string(text)) return false;
            return to_integer<T>(text, start, value);
        }
        std::string_view token;
        if (!scan_number(token)) return error_.fault == JsonFault{} ? wrong(range_of<T>()) : false;
        return to_integer<T>(token, start, value);
    }

    template <class T>
    static bool whole(std::string_view token, T& number) {
        const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
        return error == std::errc{} && end == token.data() + token.size();
    }
    template <class T>
    bool to_integer(std::string_view token, std::size_t start, Value& value) {
        T number{};
        if (!whole(token, number)) return fail(JsonFault::out_of_range, start, range_of<T>());
        value = number;
        return true;
    }

    template <class T>
    bool to_floating(std::string_view token, std::size_t start, Value& value) {
        T number{};
        const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
        if (error != std::errc{}) return fail(JsonFault::out_of_range, start, "a number that the type can hold");
        value = number;
        return true;
    }
    template <class T, class Bits>
    bool parse_floating(Value& value) {
        constexpr std::string_view expected = R"(a number, "NaN", "Infinity", "-Infinity" or the bits as "0x…")";
        const std::size_t start = at_;
        if (next() != '"') {
            std::string_view token;
            if (!scan_number(token)) return error_.fault == JsonFault{} ? wrong(expected) : false;
            return to_floating<T>(token, start, value);
        }
        std::string text;
        if (!parse_string(text)) return false;
        std::array<std::byte, sizeof(Bits)> octets;
        if (text == "NaN") {
            value = std::numeric_limits<T>::quiet_NaN();
        } else if (text == "Infinity") {
            value = std::numeric_limits<T>::infinity();
        } else if (text == "-Infinity") {
            value = -std::numeric_limits<T>::infinity();
        } else if (bits_of(text, octets)) {
            value = std::bit_cast<T>(load_be<Bits>(octets.data()));
        } else {
            return fail(JsonFault::wrong_content, start, expected);
        }
        return true;
    }

    /// "0x…" with exactly as many digits as fill `octets`.
    static bool bits_of(std::string_view text, std::span<std::byte> octets) {
        if (!text.starts_with("0x")) return false;
        const auto found = octets_of(text.substr(2));
        if (!found || found->size() != octets.size()) return false;
        copy_bytes(octets, as_bytes(*found));
        return true;
    }

    template <class T>
    bool parse_decimal(Value& value) {
        constexpr std::string_view expected = "the bits of the decimal in full as \"0x…\"";
        const std::size_t start = at_;
        std::string text;
        if (next() != '"') return wrong(expected);
        if (!parse_string(text)) return false;
        T decimal;
        if (!bits_of(text, decimal.octets)) return fail(JsonFault::wrong_content, start, expected);
        value = decimal;
        return true;
    }

    bool parse_char(Value& value) {
        constexpr std::string_view expected = "a string of one character, or its number";
        const std::size_t start = at_;
        if (next() != '"') {
            Value number;
            if (!is_digit(next())) return wrong(expected);
            if (!parse_integer<std::uint32_t>(number)) return false;
            value = static_cast<char32_t>(number.as<std::uint32_t>());
            return true;
        }
        std::string text;
        if (!parse_string(text)) return false;
        if (text.empty()) return fail(JsonFault::wrong_content, start, expected);
        const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
        const std::size_t length = octet(0) < 0x80 ? 1 : octet(0) < 0xe0 ? 2 : octet(0) < 0xf0 ? 3 : 4;
        if (text.size() != length) return fail(JsonFault::wrong_content, start, expected);
        constexpr std::array<unsigned, 5> lead_mask{0, 0x7f, 0x1f, 0x0f, 0x07};
        std::uint32_t c = octet(0) & lead_mask[length];
        for (std::size_t i = 1; i < length; ++i) c = c << 6U | (octet(i) & 0x3fU);
        value = static_cast<char32_t>(c);
        return true;
    }

    bool parse_uuid(Value& value) {
        constexpr std::string_view expected = "a uuid such as \"00112233-4455-6677-8899-aabbccddeeff\"";
        const std::size_t start = at_;
        std::string text;
        if (next() != '"') return wrong(expected);
        if (!parse_string(text)) return false;
        const auto uuid = Uuid::parse(text);
        if (!uuid) return fail(JsonFault::wrong_content, start, expected);
        value = *uuid;
        return true;
    }

    bool parse_octets(std::string& octets) {
        constexpr std::string_view expected = "a string of hex digits, two for each octet";
        const std::size_t start = at_;
        if (next() != '"') return wrong(expected);
        if (!parse_string(octets)) return false;
        auto found = octets_of(octets);
        if (!found) return fail(JsonFault::wrong_content, start, expected);
        octets = *std::move(found);
        return true;
    }

    /// A string, or {"octets":"…"} for text that is no text.
    bool parse_text(std::string& text) {
        constexpr std::string_view expected = "a string or {\"octets\":\"…\"}";
        if (next() == '"') return parse_string(text);
        if (!take('{')) return wrong(expected);
        if (!take_word("\"octets\"")) return wrong(expected);
        if (!expect(':', "a colon")) return false;
        skip_blanks();
        return parse_octets(text) && expect('}', "a closing brace");
    }

    bool parse_pairs(Value& value) {
        if (next() != '[') return wrong("an array of [key, value] pairs");
        Map map;
        const auto pair = [&] {
            Value key, mapped;
            if (!expect('[', "a [key, value] pair") || !spend() || !parse_value(key) || !expect(',', "a comma") ||
                !parse_value(mapped) || !expect(']', "a closing bracket")) {
                return false;
            }
            map.append(std::move(key), std::move(mapped));
            return true;
        };
        if (!parse_sequence(pair)) return false;
        value = std::move(map);
        return true;
    }

    bool parse_array(Value& value) {
        constexpr std::string_view expected = "[type name, [elements]] or [type name, [elements], [descriptors]]";
        if (!take('[')) return wrong(expected);
        skip_blanks();
        const std::size_t name_at = at_;
        std::string name;
        if (next() != '"') return wrong(expected);
        if (!parse_string(name)) return false;
        const std::optional<Type> type = type_named(name);
        if (!type) return fail(JsonFault::unknown_type, name_at, "the name of an AMQP type");
        if (!expect(',', "a comma")) return false;
        std::vector<Value> elements, descriptors;
        const auto element = [&] {
            return is_tagged() ? parse_value(elements.emplace_back()) : parse_content(*type, elements.emplace_back());
        };
        if (!parse_sequence(element)) return false;
        if (take(',') && !parse_sequence([&] { return parse_value(descriptors.emplace_back()); })) return false;
        if (!expect(']', "a closing bracket")) return false;
        value = Array(*type, std::move(elements), std::move(descriptors));
        return true;
    }

    /// An object with a type of its own is next.
    bool is_tagged() {
        skip_blanks();
        const std::size_t start = at_;
        const bool tagged = take('{') && take('"') && next() == '$';
        at_ = start;
        return tagged;
    }

    bool parse_described(Value& value) {
        if (!take('[')) return wrong("[descriptor, value]");
        Value descriptor, described;
        if (!deeper() || !parse_value(descriptor) || !expect(',', "a comma") || !parse_value(described) ||
            !expect(']', "a closing bracket")) {
            return false;
        }
        --depth_;
        value = Described(std::move(descriptor), std::move(described));
        return true;
    }
};

}  // namespace

Result<Value, JsonError> parse_json(std::string_view text, const DecodeLimits& limits) {
    return JsonParser(text, limits).parse();
}

}  // namespace aprotic::codec
