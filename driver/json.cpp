#include <aprotic/driver/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <aprotic/driver/bus/json_text.hpp>
#include <aprotic/driver/bus/json_tree.hpp>

namespace aprotic::driver {
namespace {

/// What stands for itself between quotes: most texts are of nothing else.
bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

void write_string(std::string_view text, std::string& out) {
    if (std::ranges::all_of(text, is_plain)) {
        out += '"';
        out += text;
        out += '"';
    } else {
        out += Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
    }
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

// ---- NaN, Infinity, -Infinity: Python's words, which nlohmann-json does not know

bool is_word(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

/// The text with these words between quotes, and which of its strings they are.
struct Quoted {
    std::string text{};
    std::vector<std::size_t> ordinals{};
    std::vector<std::size_t> quotes{};  ///< put in at these octets of the original, rising

    void add(std::string_view original, std::size_t at, std::string_view word, std::size_t ordinal) {
        const std::size_t copied = quotes.empty() ? 0 : quotes.back();
        text += original.substr(copied, at - copied);
        text += fmt::format("\"{}\"", word);
        ordinals.push_back(ordinal);
        quotes.insert(quotes.end(), {at, at + word.size()});
    }
    std::size_t place_in_original(std::size_t position) const {
        std::size_t added = 0;
        while (added < quotes.size() && quotes[added] + added < position) ++added;
        return position - added;
    }
};

Quoted quote_words(std::string_view original) {
    constexpr std::string_view known[] = {"NaN", "Infinity", "-Infinity"};
    Quoted quoted;
    std::size_t strings = 0;
    for (std::size_t at = 0; at < original.size(); ++at) {
        const char c = original[at];
        if (c == '"') {
            for (++at; at < original.size() && original[at] != '"'; ++at)
                if (original[at] == '\\') ++at;
            ++strings;
        } else if (c == 'N' || c == 'I' || c == '-') {
            if (at > 0 && is_word(original[at - 1])) continue;
            for (const auto word : known) {
                const std::string_view rest = original.substr(at);
                if (!rest.starts_with(word) || (rest.size() > word.size() && is_word(rest[word.size()]))) continue;
                quoted.add(original, at, word, strings++);
                at += word.size() - 1;
                break;
            }
        }
    }
    if (!quoted.quotes.empty()) quoted.text += original.substr(quoted.quotes.back());
    return quoted;
}

std::string no_json(std::size_t at, std::size_t bytes) {
    return fmt::format("a JSON text was expected; what is there stops being one at octet {} of {}", std::min(at, bytes),
                       bytes);
}

std::string too_deep(const JsonLimits& limits) {
    return fmt::format("a JSON text nested {} deep or deeper; at most {} is taken (option json_depth_max)",
                       limits.depth_max + 1, limits.depth_max);
}

}  // namespace

codec::Result<Json, std::string> parse_json(std::string_view text, const JsonLimits& limits) {
    if (text.size() > limits.bytes_max)
        return fmt::format("a JSON text of {} octets; at most {} are taken (option json_bytes_max)", text.size(),
                           limits.bytes_max);
    // nlohmann-json takes a NUL for the end of the text.
    if (const auto at = text.find('\0'); at != std::string_view::npos) return no_json(at, text.size());
    bus::JsonTree tree(limits.depth_max);
    if (Json::sax_parse(text, &tree)) return tree.take();
    const std::size_t stopped_at = tree.stopped_at().value_or(text.size());
    if (tree.is_too_deep()) return too_deep(limits);
    const Quoted quoted = quote_words(text);
    if (quoted.ordinals.empty()) return no_json(stopped_at, text.size());

    bus::JsonTree second(limits.depth_max, quoted.ordinals);
    if (Json::sax_parse(quoted.text, &second)) return second.take();
    if (second.is_too_deep()) return too_deep(limits);
    return no_json(second.stopped_at() ? quoted.place_in_original(*second.stopped_at()) : stopped_at, text.size());
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
