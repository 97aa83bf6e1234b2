#include <aprotic/driver/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include <aprotic/driver/bus/json_text.hpp>

namespace aprotic::driver {
namespace {

bool is_word(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

/// What has to be known about a text before nlohmann-json may see it, which has no bound on depth and knows no NaN.
struct Scan {
    std::size_t depth_max = 0;
    std::vector<std::size_t> words;  // where NaN, Infinity or -Infinity begin, outside strings

    explicit Scan(std::string_view text) {
        std::size_t depth = 0;
        for (std::size_t at = 0; at < text.size(); ++at) {
            const char c = text[at];
            if (c == '"') {
                for (++at; at < text.size() && text[at] != '"'; ++at)
                    if (text[at] == '\\') ++at;
            } else if (c == '[' || c == '{') {
                depth_max = std::max(depth_max, ++depth);
            } else if (c == ']' || c == '}') {
                depth -= depth > 0 ? 1 : 0;
            } else if (c == 'N' || c == 'I' || (c == '-' && text.substr(at + 1, 1) == "I")) {
                if (at == 0 || !is_word(text[at - 1])) words.push_back(at);
                while (at + 1 < text.size() && is_word(text[at + 1])) ++at;
            }
        }
    }
};

struct Special {
    std::string_view word;
    double value;
};
constexpr Special specials[] = {
    {"NaN", std::numeric_limits<double>::quiet_NaN()},
    {"Infinity", std::numeric_limits<double>::infinity()},
    {"-Infinity", -std::numeric_limits<double>::infinity()},
};

/// Builds the tree as nlohmann's own parser does, with strings that begin with `mark` read as the numbers JSON has no
/// word for.
class TreeBuilder : public nlohmann::detail::json_sax_dom_parser<Json> {
public:
    using Base = nlohmann::detail::json_sax_dom_parser<Json>;

    TreeBuilder(Json& tree, std::string mark, std::size_t bytes)
        : Base(tree, false), mark_(std::move(mark)), bytes_(bytes) {}

    bool string(std::string& text) {
        if (!mark_.empty() && text.starts_with(mark_))
            for (const auto& special : specials)
                if (text.substr(mark_.size()) == special.word) return number_float(special.value, text);
        return Base::string(text);
    }
    bool key(std::string& text) {
        if (!mark_.empty() && text.starts_with(mark_)) return false;
        return Base::key(text);
    }
    bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
        at_ = std::min(position, bytes_);
        return false;
    }

    std::string error() const {
        return fmt::format("a JSON text was expected; what is there stops being one at octet {} of {}", at_, bytes_);
    }

private:
    std::string mark_;
    std::size_t bytes_;
    std::size_t at_ = 0;
};

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
            for (const auto& [key, item] : value.items()) {
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
        case Json::value_t::number_integer: out += fmt::to_string(value.get<std::int64_t>()); return;
        case Json::value_t::number_unsigned: out += fmt::to_string(value.get<std::uint64_t>()); return;
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
    if (text.size() > limits.bytes_max)
        return fmt::format("a JSON text of {} octets; at most {} are taken (option json_bytes_max)", text.size(),
                           limits.bytes_max);
    const Scan scan(text);
    if (scan.depth_max > limits.depth_max)
        return fmt::format("a JSON text nested {} deep; at most {} is taken (option json_depth_max)", scan.depth_max,
                           limits.depth_max);

    std::string mark;
    std::string replaced;
    if (!scan.words.empty()) {
        // A NUL can be in a JSON string only as an escape, so a run of them longer than any in the text is in no string
        // of it.
        std::string escaped = "\\u0000";
        mark.push_back('\0');
        while (text.find(escaped) != std::string_view::npos) {
            escaped += "\\u0000";
            mark.push_back('\0');
        }
        std::size_t copied = 0;
        for (const std::size_t at : scan.words) {
            for (const auto& special : specials) {
                const std::size_t end = at + special.word.size();
                if (text.substr(at, special.word.size()) != special.word || (end < text.size() && is_word(text[end])))
                    continue;
                replaced += text.substr(copied, at - copied);
                replaced += fmt::format("\"{}{}\"", escaped, special.word);
                copied = end;
                break;
            }
        }
        replaced += text.substr(copied);
        text = replaced;
    }
    Json root;
    TreeBuilder builder(root, std::move(mark), text.size());
    if (!Json::sax_parse(text, &builder)) return builder.error();
    return root;
}

std::string to_json_text(const Json& value) {
    std::string out;
    write(value, out);
    return out;
}

void bus::append_json(std::string& out, const Json& value) { write(value, out); }
void bus::append_json_string(std::string& out, std::string_view text) { write_string(text, out); }

}  // namespace aprotic::driver
