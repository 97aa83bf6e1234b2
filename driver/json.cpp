#include <aprotic/driver/json.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>

#include <aprotic/driver/bus/json_reader.hpp>
#include <aprotic/driver/bus/json_text.hpp>

namespace aprotic::driver {
namespace {

void write_string(std::string_view text, std::string& out) {
    const char* at = text.data();
    const char* const end = at + text.size();
    out += '"';
    while (true) {
        const char* const odd = bus::end_of_plain_text(at, end);
        out.append(at, odd);
        if (odd == end) break;
        if (static_cast<unsigned char>(*odd) >= 0x80) {
            // The rest begins with a whole character.
            const Json rest(std::string(odd, end));
            const std::string written = rest.dump(-1, ' ', true, Json::error_handler_t::replace);
            out.append(written, 1, written.size() - 2);
            break;
        }
        switch (*odd) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(*odd));
        }
        at = odd + 1;
    }
    out += '"';
}

template <class Integer>
void write_integer(Integer number, std::string& out) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// The shortest digits that read back to the same number, laid out as Python's repr does.
void write_float(double number, std::string& out) {
    if (std::isnan(number)) {
        out += "NaN";
        return;
    }
    if (std::isinf(number)) {
        out += number > 0 ? "Infinity" : "-Infinity";
        return;
    }
    char digits[32];
    const auto written = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific);
    const std::string_view scientific(digits, static_cast<std::size_t>(written.ptr - digits));
    const std::size_t e = scientific.find('e');
    int exponent = 0;
    const char* sign = scientific.data() + e + 1;
    std::from_chars(*sign == '+' ? sign + 1 : sign, written.ptr, exponent);
    if (exponent < -4 || exponent >= 16) {
        out += scientific;  // "1e+16", "1.5e-07": the same in both
        return;
    }
    char plain[64];
    const auto end = std::to_chars(plain, plain + sizeof plain, number, std::chars_format::fixed);
    const std::string_view fixed(plain, static_cast<std::size_t>(end.ptr - plain));
    out += fixed;
    if (fixed.find('.') == std::string_view::npos) out += ".0";
}

void write(const Json& value, std::string& out) {
    switch (value.type()) {
        case Json::value_t::object: {
            out += '{';
            const char* separator = "";
            for (const auto& [key, item] : value.get_ref<const Json::object_t&>()) {
                out += separator;
                write_string(key, out);
                out += ": ";
                write(item, out);
                separator = ", ";
            }
            out += '}';
            return;
        }
        case Json::value_t::array: {
            out += '[';
            const char* separator = "";
            for (const auto& item : value) {
                out += separator;
                write(item, out);
                separator = ", ";
            }
            out += ']';
            return;
        }
        case Json::value_t::string: write_string(value.get_ref<const std::string&>(), out); return;
        case Json::value_t::number_float: write_float(value.get<double>(), out); return;
        case Json::value_t::number_integer: write_integer(value.get<std::int64_t>(), out); return;
        case Json::value_t::number_unsigned: write_integer(value.get<std::uint64_t>(), out); return;
        case Json::value_t::boolean: out += value.get<bool>() ? "true" : "false"; return;
        case Json::value_t::binary: {
            // Python's encoder turns bytes into text.
            const auto& octets = value.get_binary();
            write_string(std::string(octets.begin(), octets.end()), out);
            return;
        }
        case Json::value_t::null:
        case Json::value_t::discarded: out += "null"; return;
    }
}

}  // namespace

codec::Result<Json, std::string> parse_json(std::string_view text, const JsonLimits& limits) {
    bus::JsonReader reader(text, limits);
    Json root;
    if (!reader.read(root) || !reader.end()) return reader.error();
    return root;
}

std::string to_json_text(const Json& value) {
    std::string out;
    write(value, out);
    return out;
}

void bus::append_json(std::string& out, const Json& value) { write(value, out); }
void bus::discard(Json&& value) noexcept {
    if (value.is_object()) value.get_ref<Json::object_t&>().clear();
}
void bus::append_json_string(std::string& out, std::string_view text) { write_string(text, out); }

}  // namespace aprotic::driver
