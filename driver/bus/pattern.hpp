#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <aprotic/codec/result.hpp>

namespace aprotic::driver::bus {

/// A regular expression as Python writes it, matched against the beginning of a text in time proportional to the
/// text's length, whatever the text: what is matched comes from peers. There are literals, `.`, classes, groups, `|`,
/// `*`, `+`, `?`, `{m,n}` (lazy ones too, which come to the same here), `^`, `$`, `\A`, `\Z`, `\b`, `\B`, and `(?i)` in
/// front. `\d`, `\w` and `\s` are those of ASCII. What looks ahead, behind or back is refused. Immutable; any thread.
class Pattern {
public:
    /// The error's text says what was expected, and where.
    static codec::Result<Pattern, std::string> compile(std::string_view text);

    /// Whether some beginning of `text`, UTF-8, is matched.
    bool matches(std::string_view text) const;

private:
    friend class PatternCompiler;
    using Range = std::pair<char32_t, char32_t>;
    enum class Op : std::uint8_t { set, split, jump, begin, end, end_of_text, word_edge, no_word_edge, match };
    struct Step {
        Op op = Op::match;
        bool negated = false;      ///< set
        std::uint32_t first = 0;   ///< set: of ranges_; split, jump: where to go on
        std::uint32_t second = 0;  ///< set: behind the last range; split: the other way
    };

    /// Whether a condition that takes no character holds between these two; 0: there is none.
    struct Place {
        char32_t before = 0;
        char32_t after = 0;
        bool at_begin = false;
        bool at_end = false;
        bool at_last_newline = false;
    };
    bool holds(Op op, const Place& place) const;
    bool takes(const Step& step, char32_t c) const;

    std::vector<Step> steps_;
    std::vector<Range> ranges_;
    bool ignore_case_ = false;
};

}  // namespace aprotic::driver::bus
