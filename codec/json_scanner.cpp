#include <aprotic/codec/reading/json_scanner.hpp>
#include <aprotic/codec/utf8.hpp>

namespace aprotic::codec {

std::optional<unsigned> digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    return std::nullopt;
}

std::optional<std::string> octets_of(std::string_view hex) {
    if (hex.size() % 2 != 0) return std::nullopt;
    std::string octets;
    octets.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const auto high = digit_of(hex[i]), low = digit_of(hex[i + 1]);
        if (!high || !low) return std::nullopt;
        octets += static_cast<char>(*high << 4U | *low);
    }
    return octets;
}

bool JsonScanner::scan_number(std::string_view& token) {
    const std::size_t start = at_;
    if (next() != '-' && !is_digit(next())) return false;
    if (next() == '-') ++at_;
    const auto digits = [this] {
        if (!is_digit(next())) return unexpected("a digit");
        while (is_digit(next())) ++at_;
        return true;
    };
    if (next() == '0') {
        ++at_;
        if (is_digit(next())) return unexpected("no digit after a leading zero");
    } else if (!digits()) {
        return false;
    }
    if (next() == '.') {
        ++at_;
        if (!digits()) return false;
    }
    if (next() == 'e' || next() == 'E') {
        ++at_;
        if (next() == '+' || next() == '-') ++at_;
        if (!digits()) return false;
    }
    token = text_.substr(start, at_ - start);
    return true;
}

bool JsonScanner::parse_string(std::string& text) {
    const std::size_t start = at_++;
    for (;;) {
        const std::size_t run = at_;
        while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
               static_cast<unsigned char>(text_[at_]) >= 0x20) {
            ++at_;
        }
        text += text_.substr(run, at_ - run);
        if (at_ == text_.size()) return fail(JsonFault::syntax, start, "a string that ends");
        const char c = text_[at_];
        if (c == '"') break;
        if (c != '\\') return unexpected("an escape instead of a control character");
        if (!parse_escape(text)) return false;
    }
    ++at_;
    return is_utf8(as_bytes(text)) || fail(JsonFault::bad_utf8, start, "UTF-8");
}

bool JsonScanner::parse_escape(std::string& text) {
    ++at_;
    const char c = next();
    ++at_;
    switch (c) {
        case '"':
        case '\\':
        case '/': text += c; return true;
        case 'b': text += '\b'; return true;
        case 'f': text += '\f'; return true;
        case 'n': text += '\n'; return true;
        case 'r': text += '\r'; return true;
        case 't': text += '\t'; return true;
        case 'u': return parse_code_unit(text);
        default: --at_; return unexpected("one of \" \\ / b f n r t u");
    }
}

bool JsonScanner::parse_code_unit(std::string& text) {
    const std::size_t start = at_ - 2;
    std::uint32_t c = 0;
    if (!parse_hex4(c)) return false;
    if (c >= 0xd800 && c <= 0xdfff) {
        // Two units make one character.
        std::uint32_t low = 0;
        if (c > 0xdbff || !text_.substr(at_).starts_with("\\u"))
            return fail(JsonFault::bad_utf8, start, "a surrogate pair");
        at_ += 2;
        if (!parse_hex4(low)) return false;
        if (low < 0xdc00 || low > 0xdfff) return fail(JsonFault::bad_utf8, start, "a surrogate pair");
        c = 0x1'0000 + ((c - 0xd800) << 10U) + (low - 0xdc00);
    }
    append_utf8(text, static_cast<char32_t>(c));
    return true;
}

bool JsonScanner::parse_hex4(std::uint32_t& unit) {
    for (int i = 0; i < 4; ++i, ++at_) {
        const auto digit = digit_of(next());
        if (!digit) return unexpected("four hex digits");
        unit = unit << 4U | *digit;
    }
    return true;
}

std::string_view name_of(JsonFault fault) noexcept {
    switch (fault) {
        case JsonFault::syntax: return "syntax";
        case JsonFault::bad_utf8: return "bad-utf8";
        case JsonFault::unknown_type: return "unknown-type";
        case JsonFault::reserved_name: return "reserved-name";
        case JsonFault::wrong_content: return "wrong-content";
        case JsonFault::out_of_range: return "out-of-range";
        case JsonFault::duplicate_name: return "duplicate-name";
        case JsonFault::nesting_too_deep: return "nesting-too-deep";
        case JsonFault::too_many_elements: return "too-many-elements";
        case JsonFault::value_too_large: return "value-too-large";
        case JsonFault::trailing_text: return "trailing-text";
    }
    return "none";
}

std::string JsonError::to_string() const {
    std::string text = "offset " + std::to_string(offset) + ": ";
    text += name_of(fault);
    text += ": expected ";
    text += expected;
    return text;
}

}  // namespace aprotic::codec
