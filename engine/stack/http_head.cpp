#include <aprotic/engine/stack/http_head.hpp>

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include <aprotic/codec/bytes.hpp>

#include <openssl/evp.h>

namespace aprotic::engine::stack {
namespace {

constexpr std::string_view space = " \t";

char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_letters(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return small(x) == small(y); });
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

/// Printable, or a tab, or beyond ASCII. [RFC 9110 5.5]
bool is_text(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); });
}

/// [RFC 9110 5.6.2]
bool is_token(std::string_view text) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= '0' && c <= '9') || (small(c) >= 'a' && small(c) <= 'z') || others.find(c) != others.npos;
    });
}

bool add_field(HttpHead& head, std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon)) || !is_text(line)) return false;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), small);
    head.fields.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
    return true;
}

}  // namespace

std::optional<std::string> HttpHead::find(std::string_view name) const {
    std::optional<std::string> value;
    for (const auto& [its_name, its_value] : fields) {
        if (its_name == name) value = value ? *value + ", " + its_value : its_value;
    }
    return value;
}

bool HttpHead::has_word(std::string_view name, std::string_view word) const {
    const auto value = find(name);
    if (!value) return false;
    for (std::string_view rest = *value; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        if (same_letters(trimmed(rest.substr(0, comma)), word)) return true;
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return false;
}

unsigned HttpHead::status() const {
    constexpr std::string_view version = "HTTP/1.";
    unsigned status = 0;
    if (!first_line.starts_with(version) || first_line.size() < version.size() + 5) return 0;
    const char* const digits = first_line.data() + version.size() + 2;
    const auto [end, error] = std::from_chars(digits, digits + 3, status);
    return error == std::errc{} && end == digits + 3 ? status : 0;
}

std::string HttpHead::to_text() const {
    std::size_t size = first_line.size() + 4;
    for (const auto& [name, value] : fields) size += name.size() + value.size() + 4;
    std::string text;
    text.reserve(size);  // values may be secrets, of which a string that grows would leave copies behind
    text.append(first_line).append("\r\n");
    for (const auto& [name, value] : fields) text.append(name).append(": ").append(value).append("\r\n");
    text.append("\r\n");
    return text;
}

HttpHeadStep parse_http_head(std::span<const std::byte> octets) {
    HttpHeadStep step;
    std::string_view rest = codec::as_text(octets);
    const bool whole = rest.size() <= HttpHead::size_max;
    const auto malformed = [] { return HttpHeadStep{.status = HttpHeadStep::Status::malformed}; };
    for (bool first = true;; first = false) {
        const std::size_t end = rest.find('\n');
        if (end == rest.npos) return whole ? step : malformed();
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() && !first) break;
        if (first ? !is_text(line) : !add_field(step.head, line)) return malformed();
        if (first) step.head.first_line = line;
    }
    step.size = octets.size() - rest.size();
    if (step.size > HttpHead::size_max) return malformed();
    step.status = HttpHeadStep::Status::complete;
    return step;
}

std::string base64(std::span<const std::byte> octets) {
    std::string text((octets.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a null
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(octets.data()), static_cast<int>(octets.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

}  // namespace aprotic::engine::stack
