// AMQP values as JSON text. The opposite is json_parser.cpp.
#include <aprotic/codec/json.hpp>

#include <aprotic/codec/utf8.hpp>
#include <aprotic/codec/wire.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace aprotic::codec {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

/// Integers beyond this are rounded by readers that keep numbers as doubles, so they are written as strings. (RFC
/// 7493, 2.2)
constexpr std::int64_t exact_max = (std::int64_t{1} << 53) - 1;

template <class T>
bool is_exact(T number) {
    return std::cmp_greater_equal(number, -exact_max) && std::cmp_less_equal(number, exact_max);
}

void append_hex(std::string& to, std::span<const std::byte> octets) {
    for (const std::byte octet : octets) {
        to += hex_digits[std::to_integer<std::size_t>(octet) >> 4U];
        to += hex_digits[std::to_integer<std::size_t>(octet) & 0xfU];
    }
}

template <class T>
void append_number(std::string& to, T number) {
    std::array<char, 32> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    to.append(digits.data(), end);
}

/// Keys that an object can have as names, each once.
bool are_names(const Map& map) {
    std::vector<std::string_view> names;
    names.reserve(map.size());
    for (const Map::Entry& entry : map) {
        const auto* name = entry.first.get_if<std::string>();
        if (name == nullptr || name->starts_with('$') || !is_utf8(as_bytes(*name))) return false;
        names.push_back(*name);
    }
    std::sort(names.begin(), names.end());
    return std::adjacent_find(names.begin(), names.end()) == names.end();
}

class JsonWriter {
public:
    JsonWriter(std::string& to, const JsonOptions& options, unsigned level)
        : to_(to), options_(options), level_(level) {}

    void write(const Value& value) {
        if (options_.form == JsonForm::plain) {
            value.visit(Plain{*this});
        } else if (const Map* map = value.get_if<Map>()) {
            write(*map);
        } else if (is_own_json(value)) {
            content(value);
        } else {
            tagged(value);
        }
    }
    void write(const Map& map) {
        if (options_.form == JsonForm::plain) return plain_map(map);
        if (are_names(map)) return object(map);
        to_ += "{\"$map\":";
        blank();
        pairs(map);
        to_ += '}';
    }
    void write(const List& list) {
        sequence(list, [this](const Value& item) { write(item); });
    }

private:
    /// Types that need no "$" around them.
    static bool is_own_json(const Value& value) {
        switch (value.type()) {
            case Type::null:
            case Type::boolean:
            case Type::list: return true;
            case Type::string: return is_utf8(as_bytes(value.as<std::string>()));
            case Type::long_: return is_exact(value.as<std::int64_t>());
            case Type::double_: return std::isfinite(value.as<double>());
            default: return false;
        }
    }

    void tagged(const Value& value) {
        to_ += "{\"$";
        to_ += name_of(value.type());
        to_ += "\":";
        blank();
        content(value);
        to_ += '}';
    }

    void content(const Value& value) { value.visit(Content{*this}); }

    /// What stands behind "$type".
    struct Content {
        JsonWriter& w;

        void operator()(std::monostate) const { w.to_ += "null"; }
        void operator()(bool v) const { w.to_ += v ? "true" : "false"; }
        template <detail::PlainInteger T>
        void operator()(T v) const {
            w.integer(v);
        }
        void operator()(float v) const { w.floating(v, std::bit_cast<std::uint32_t>(v)); }
        void operator()(double v) const { w.floating(v, std::bit_cast<std::uint64_t>(v)); }
        void operator()(const Decimal32& v) const { w.bits(v.octets); }
        void operator()(const Decimal64& v) const { w.bits(v.octets); }
        void operator()(const Decimal128& v) const { w.bits(v.octets); }
        void operator()(char32_t v) const {
            if (!is_scalar_value(v)) return w.integer(static_cast<std::uint32_t>(v));
            std::string text;
            append_utf8(text, v);
            append_json_string(w.to_, text);
        }
        void operator()(Timestamp v) const { w.integer(v.ms); }
        void operator()(const Uuid& v) const { append_json_string(w.to_, v.to_string()); }
        void operator()(const Binary& v) const { w.octets(v.span()); }
        void operator()(const std::string& v) const { w.text(v); }
        void operator()(const Symbol& v) const { w.text(v.view()); }
        void operator()(const List& v) const { w.write(v); }
        void operator()(const Map& v) const { w.pairs(v); }
        void operator()(const Array& v) const { w.array(v); }
        void operator()(const Described& v) const {
            w.sequence(std::array{&v.descriptor(), &v.value()}, [this](const Value* part) { w.write(*part); });
        }
    };

    struct Plain {
        JsonWriter& w;

        void operator()(Timestamp v) const { w.time(v); }
        void operator()(const Binary& v) const {
            w.to_ += "{\"hex\":";
            w.blank();
            w.octets(v.span());
            w.to_ += '}';
        }
        void operator()(const std::string& v) const { append_json_string(w.to_, v); }
        void operator()(const Symbol& v) const { append_json_string(w.to_, v.view()); }
        void operator()(const Map& v) const { w.plain_map(v); }
        void operator()(const Array& v) const {
            w.sequence(v.elements(), [this](const Value& element) { w.write(element); });
        }
        void operator()(const Described& v) const {
            using Member = std::pair<std::string_view, const Value*>;
            w.members(std::array{Member{"descriptor", &v.descriptor()}, Member{"value", &v.value()}});
        }
        template <class T>
        void operator()(const T& v) const {
            if constexpr (detail::PlainInteger<T>) {
                append_number(w.to_, v);
            } else {
                Content{w}(v);
            }
        }
    };

    template <class T>
    void integer(T v) {
        const bool exact = is_exact(v);
        if (!exact) to_ += '"';
        append_number(to_, v);
        if (!exact) to_ += '"';
    }

    /// The shortest decimal that reads back as the same number; what JSON has no numbers for as a string.
    template <class T, class Bits>
    void floating(T v, Bits pattern) {
        if (std::isfinite(v)) {
            const std::size_t start = to_.size();
            append_number(to_, v);
            // A fraction tells it from an integer.
            if (to_.find_first_of(".e", start) == std::string::npos) to_ += ".0";
        } else if (std::isinf(v)) {
            to_ += v > 0 ? "\"Infinity\"" : "\"-Infinity\"";
        } else if (options_.form == JsonForm::plain ||
                   pattern == std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN())) {
            to_ += "\"NaN\"";
        } else {
            std::array<std::byte, sizeof(Bits)> octets;
            store_be(octets.data(), pattern);
            bits(octets);
        }
    }

    void bits(std::span<const std::byte> v) {
        to_ += "\"0x";
        append_hex(to_, v);
        to_ += '"';
    }
    void octets(std::span<const std::byte> v) {
        to_ += '"';
        append_hex(to_, v);
        to_ += '"';
    }
    void text(std::string_view v) {
        if (is_utf8(as_bytes(v))) return append_json_string(to_, v);
        to_ += "{\"octets\":";
        blank();
        octets(as_bytes(v));
        to_ += '}';
    }

    /// As RFC 3339 says, where it has years for it.
    void time(Timestamp v) {
        using namespace std::chrono;
        const sys_time<milliseconds> at{milliseconds(v.ms)};
        constexpr sys_days first{year{0} / January / 1}, end{year{10000} / January / 1};
        if (v.ms < milliseconds(first.time_since_epoch()).count() ||
            v.ms >= milliseconds(end.time_since_epoch()).count()) {
            return append_number(to_, v.ms);
        }
        const auto day = floor<days>(at);
        const year_month_day date(day);
        const hh_mm_ss clock(at - day);
        to_ += '"';
        padded(static_cast<int>(date.year()), 4);
        to_ += '-';
        padded(static_cast<unsigned>(date.month()), 2);
        to_ += '-';
        padded(static_cast<unsigned>(date.day()), 2);
        to_ += 'T';
        padded(clock.hours().count(), 2);
        to_ += ':';
        padded(clock.minutes().count(), 2);
        to_ += ':';
        padded(clock.seconds().count(), 2);
        to_ += '.';
        padded(clock.subseconds().count(), 3);
        to_ += "Z\"";
    }
    template <class T>
    void padded(T number, std::size_t width) {
        std::string digits;
        append_number(digits, number);
        to_.append(width - digits.size(), '0');
        to_ += digits;
    }

    void array(const Array& v) {
        to_ += "[\"";
        to_ += name_of(v.element_type());
        to_ += "\",";
        blank();
        sequence(v.elements(), [&](const Value& element) {
            // An element that does not belong here cannot be encoded, but is told all the same.
            if (element.type() != v.element_type()) return tagged(element);
            content(element);
        });
        if (!v.descriptors().empty()) {
            to_ += ',';
            blank();
            sequence(v.descriptors(), [this](const Value& descriptor) { write(descriptor); });
        }
        to_ += ']';
    }

    void pairs(const Map& map) {
        sequence(map, [this](const Map::Entry& entry) {
            sequence(std::array{&entry.first, &entry.second}, [this](const Value* part) { write(*part); });
        });
    }

    void object(const Map& map) {
        std::vector<std::pair<std::string_view, const Value*>> names;
        names.reserve(map.size());
        for (const Map::Entry& entry : map) names.emplace_back(entry.first.as<std::string>(), &entry.second);
        members(names);
    }

    /// An object if the keys make distinct names, else a list of pairs.
    void plain_map(const Map& map) {
        std::vector<std::string> texts;
        texts.reserve(map.size());
        for (const Map::Entry& entry : map) {
            const auto text = entry.first.to_text();
            texts.push_back(text ? std::string(*text) : to_json(entry.first, {.form = JsonForm::plain}));
        }
        std::vector<std::string_view> sorted(texts.begin(), texts.end());
        std::sort(sorted.begin(), sorted.end());
        if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return pairs(map);
        std::vector<std::pair<std::string_view, const Value*>> names;
        names.reserve(map.size());
        std::size_t i = 0;
        for (const Map::Entry& entry : map) names.emplace_back(texts[i++], &entry.second);
        members(names);
    }

    template <class Members>
    void members(const Members& all) {
        open('{');
        bool first = true;
        for (const auto& [name, value] : all) {
            next(first);
            append_json_string(to_, name);
            to_ += ':';
            blank();
            write(*value);
        }
        close('}', first);
    }

    template <class Items, class F>
    void sequence(const Items& items, F&& item) {
        open('[');
        bool first = true;
        for (const auto& i : items) {
            next(first);
            item(i);
        }
        close(']', first);
    }

    void open(char bracket) {
        to_ += bracket;
        ++level_;
    }
    void next(bool& first) {
        if (!first) to_ += ',';
        first = false;
        line();
    }
    void close(char bracket, bool empty) {
        --level_;
        if (!empty) line();
        to_ += bracket;
    }
    void line() {
        if (options_.indent == 0) return;
        to_ += '\n';
        to_.append(std::size_t{level_} * options_.indent, ' ');
    }
    void blank() {
        if (options_.indent != 0) to_ += ' ';
    }

    std::string& to_;
    JsonOptions options_;
    unsigned level_;
};

}  // namespace

void append_json_string(std::string& to, std::string_view text) {
    to += '"';
    const auto raw = [&](std::string_view run) {
        for (const char c : run) {
            switch (c) {
                case '"': to += "\\\""; break;
                case '\\': to += "\\\\"; break;
                case '\n': to += "\\n"; break;
                case '\r': to += "\\r"; break;
                case '\t': to += "\\t"; break;
                default:
                    if (static_cast<unsigned char>(c) >= 0x20) {
                        to += c;
                    } else {
                        to += "\\u00";
                        append_hex(to, as_bytes({&c, 1}));
                    }
            }
        }
    };
    if (is_utf8(as_bytes(text))) {
        raw(text);
    } else {
        // Character by character: what is none becomes the replacement character.
        while (!text.empty()) {
            std::size_t length = 1;
            while (length < std::min<std::size_t>(4, text.size()) && !is_utf8(as_bytes(text.substr(0, length))))
                ++length;
            const bool character = is_utf8(as_bytes(text.substr(0, length)));
            raw(character ? text.substr(0, length) : "\xef\xbf\xbd");
            text.remove_prefix(character ? length : 1);
        }
    }
    to += '"';
}

void append_json(std::string& text, const Value& value, const JsonOptions& options, unsigned level) {
    JsonWriter(text, options, level).write(value);
}
void append_json(std::string& text, const Map& map, const JsonOptions& options, unsigned level) {
    JsonWriter(text, options, level).write(map);
}
void append_json(std::string& text, const List& list, const JsonOptions& options, unsigned level) {
    JsonWriter(text, options, level).write(list);
}

Result<void> append_json(std::string& text, std::span<const std::byte> octets, const JsonOptions& options,
                         const DecodeLimits& limits) {
    APROTIC_TRY_AS(const Value value, decode_value(octets, limits));
    append_json(text, value, options);
    return {};
}

std::string to_json(const Value& value, const JsonOptions& options) {
    std::string text;
    append_json(text, value, options);
    return text;
}

}  // namespace aprotic::codec
