#pragma once

#include <aprotic/codec/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace aprotic::codec {

std::optional<unsigned> digit_of(char c) noexcept;           ///< of a hex digit in either case
std::optional<std::string> octets_of(std::string_view hex);  ///< two digits for each octet and nothing else
inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// The tokens of a JSON text from front to back, and what may be spent on it. The first fault is kept; what returns
/// false has told one unless it says otherwise.
class JsonScanner {
protected:
    JsonScanner(std::string_view text, const DecodeLimits& limits) : text_(text), limits_(limits) {}

    bool fail(JsonFault fault, std::size_t offset, std::string_view expected) {
        error_ = {fault, offset, expected};
        return false;
    }
    bool unexpected(std::string_view expected) { return fail(JsonFault::syntax, at_, expected); }

    char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_blanks() {
        while (next() == ' ' || next() == '\n' || next() == '\r' || next() == '\t') ++at_;
    }
    bool take(char c) {
        skip_blanks();
        if (next() != c) return false;
        ++at_;
        return true;
    }
    bool expect(char c, std::string_view expected) { return take(c) || unexpected(expected); }
    bool take_word(std::string_view word) {
        skip_blanks();
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }

    bool deeper() {
        if (depth_ >= limits_.depth_max) return fail(JsonFault::nesting_too_deep, at_, "less nesting");
        ++depth_;
        return true;
    }
    bool spend() {
        if (elements_ >= limits_.elements_max) return fail(JsonFault::too_many_elements, at_, "fewer items");
        ++elements_;
        return true;
    }

    /// False without a fault when what is next does not look like a number at all.
    bool scan_number(std::string_view& token);
    /// The string at the cursor, which is at its quote, is appended.
    bool parse_string(std::string& text);

    std::string_view text_;
    DecodeLimits limits_;
    std::size_t at_ = 0;
    std::uint32_t depth_ = 0;
    std::uint32_t elements_ = 0;
    JsonError error_{};

private:
    bool parse_escape(std::string& text);
    bool parse_code_unit(std::string& text);
    bool parse_hex4(std::uint32_t& unit);
};

}  // namespace aprotic::codec
