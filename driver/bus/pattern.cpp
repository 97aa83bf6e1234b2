#include <aprotic/driver/bus/pattern.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/core.h>

namespace aprotic::driver::bus {
namespace {

/// The next character of UTF-8; an octet that begins none stands for itself.
char32_t next_character(std::string_view text, std::size_t& at) {
    const auto octet = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
    const unsigned char first = octet(at);
    const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    if (more == 0 || first > 0xf4 || at + more >= text.size()) {
        ++at;
        return first;
    }
    auto value = static_cast<char32_t>(first & (0x3f >> more));
    for (std::size_t i = 1; i <= more; ++i) {
        if ((octet(at + i) & 0xc0) != 0x80) {
            ++at;
            return first;
        }
        value = (value << 6) | (octet(at + i) & 0x3f);
    }
    at += more + 1;
    return value;
}

char32_t lower_case_of(char32_t c) { return c >= U'A' && c <= U'Z' ? c - U'A' + U'a' : c; }

bool is_word_character(char32_t c) {
    return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || (c >= U'0' && c <= U'9') || c == U'_';
}

}  // namespace

/// Reads the text into a tree, then writes the tree's steps: repetitions write theirs more than once.
class PatternCompiler {
public:
    explicit PatternCompiler(std::string_view text) : text_(text) {}

    codec::Result<Pattern, std::string> compile() {
        if (text_.starts_with("(?i)")) {
            pattern_.ignore_case_ = true;
            at_ = 4;
        }
        const Node all = alternatives(0);
        if (wrong_.empty() && at_ < text_.size()) fail("the end, because this ) closes nothing");
        if (wrong_.empty()) write(all);
        if (!wrong_.empty())
            return fmt::format("in the regular expression '{}' at character {} was expected: {}", text_, at_ + 1,
                               wrong_);
        put({Op::match});
        return std::move(pattern_);
    }

private:
    using Op = Pattern::Op;
    using Range = Pattern::Range;
    enum class Kind { nothing, set, condition, sequence, choice, repeat };
    struct Node {
        Kind kind = Kind::nothing;
        Op condition = Op::match;
        bool negated = false;
        std::vector<Range> ranges = {};
        std::vector<Node> parts = {};
        unsigned least = 0;
        std::optional<unsigned> most = {};
    };
    static constexpr std::size_t steps_max = 20'000;
    static constexpr unsigned depth_max = 50;
    static constexpr unsigned repeat_max = 1000;

    bool more() const { return wrong_.empty() && at_ < text_.size(); }
    bool take(std::string_view what) {
        if (!text_.substr(at_).starts_with(what)) return false;
        at_ += what.size();
        return true;
    }
    void fail(std::string what) {
        if (wrong_.empty()) wrong_ = std::move(what);
    }

    Node alternatives(unsigned depth) {
        if (depth > depth_max) fail(fmt::format("at most {} groups inside each other", depth_max));
        Node all{.kind = Kind::choice};
        do all.parts.push_back(sequence(depth));
        while (more() && take("|"));
        return all.parts.size() == 1 ? std::move(all.parts.front()) : all;
    }

    Node sequence(unsigned depth) {
        Node all{.kind = Kind::sequence};
        while (more() && text_[at_] != '|' && text_[at_] != ')') all.parts.push_back(repeated(atom(depth)));
        return all;
    }

    Node repeated(Node atom) {
        Node repeat{.kind = Kind::repeat};
        if (take("*")) {
            repeat.least = 0;
        } else if (take("+")) {
            repeat.least = 1;
        } else if (take("?")) {
            repeat.most = 1;
        } else if (!more() || text_[at_] != '{' || !read_bounds(repeat)) {
            return atom;
        }
        take("?");
        if (more() && std::string_view("*+?").find(text_[at_]) != std::string_view::npos)
            fail("something to repeat; what is in front is repeated already");
        if (atom.kind == Kind::condition) fail("something to repeat; what is in front takes no character");
        repeat.parts.push_back(std::move(atom));
        return repeat;
    }

    /// `{m}`, `{m,}`, `{,n}` or `{m,n}`; anything else is text.
    bool read_bounds(Node& repeat) {
        const auto close = text_.find('}', at_);
        if (close == std::string_view::npos) return false;
        const std::string_view inside = text_.substr(at_ + 1, close - at_ - 1);
        const auto comma = inside.find(',');
        const auto number = [](std::string_view digits, unsigned& value) {
            const char* const end = digits.data() + digits.size();
            const auto [rest, error] = std::from_chars(digits.data(), end, value);
            return error == std::errc() && rest == end;
        };
        const std::string_view first = inside.substr(0, comma);
        if (inside.empty() || (!first.empty() && !number(first, repeat.least))) return false;
        if (comma == std::string_view::npos) {
            repeat.most = repeat.least;
        } else if (const std::string_view last = inside.substr(comma + 1); !last.empty()) {
            unsigned most = 0;
            if (!number(last, most)) return false;
            repeat.most = most;
        }
        at_ = close + 1;
        if (std::max(repeat.least, repeat.most.value_or(0)) > repeat_max)
            fail(fmt::format("at most {} repetitions", repeat_max));
        if (repeat.most && *repeat.most < repeat.least) fail("a largest number that is not below the least");
        return true;
    }

    static Node one(char32_t c) { return {.kind = Kind::set, .ranges = {{c, c}}}; }
    static Node condition(Op op) { return {.kind = Kind::condition, .condition = op}; }

    Node atom(unsigned depth) {
        if (take("(")) return group(depth);
        if (take("[")) return character_class();
        if (take(".")) return {.kind = Kind::set, .negated = true, .ranges = {{U'\n', U'\n'}}};
        if (take("^")) return condition(Op::begin);
        if (take("$")) return condition(Op::end);
        if (take("\\")) return escape();
        if (std::string_view("*+?").find(text_[at_]) != std::string_view::npos) {
            fail("something in front that is to be repeated");
            return {};
        }
        return one(next_character(text_, at_));
    }

    Node group(unsigned depth) {
        if (take("?P<")) {
            const auto close = text_.find('>', at_);
            if (close == std::string_view::npos) fail("a > behind the group's name");
            at_ = std::min(close, text_.size() - 1) + 1;
        } else if (text_.substr(at_).starts_with("?") && !take("?:")) {
            fail("(?:...) or (?P<name>...); what looks ahead or behind, and flags inside, there are not");
            return {};
        }
        Node inside = alternatives(depth + 1);
        if (wrong_.empty() && !take(")")) fail("a ) that closes the group");
        return inside;
    }

    /// Adds what `\d`, `\w`, `\s` stand for; false for other letters. Capitals are the others' complement.
    static bool named_class(char letter, std::vector<Range>& ranges) {
        const char lower = static_cast<char>(lower_case_of(static_cast<unsigned char>(letter)));
        std::vector<Range> these;
        if (lower == 'd')
            these = {{U'0', U'9'}};
        else if (lower == 'w')
            these = {{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}};
        else if (lower == 's')
            these = {{U'\t', U'\r'}, {U' ', U' '}};
        else
            return false;
        if (lower == letter) {
            ranges.insert(ranges.end(), these.begin(), these.end());
            return true;
        }
        char32_t from = 0;
        for (const auto& [low, high] : these) {
            if (from < low) ranges.emplace_back(from, low - 1);
            from = high + 1;
        }
        ranges.emplace_back(from, 0x10ffff);
        return true;
    }

    /// Behind a backslash that stands for one character.
    char32_t escaped_character() {
        constexpr std::string_view letters = "nrtfv0a";
        constexpr std::string_view values("\n\r\t\f\v\0\a", 7);
        const char letter = text_[at_];
        if (const auto known = letters.find(letter); known != std::string_view::npos) {
            ++at_;
            return static_cast<unsigned char>(values[known]);
        }
        if (letter == 'x') {
            unsigned value = 0;
            const std::string_view digits = text_.substr(at_ + 1, 2);
            const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
            if (digits.size() != 2 || read.ec != std::errc() || read.ptr != digits.data() + 2)
                fail("two hexadecimal digits behind \\x");
            at_ = std::min(at_ + 3, text_.size());
            return value;
        }
        if (is_word_character(static_cast<unsigned char>(letter)))
            fail("a character that \\ goes with; there are no references back");
        return next_character(text_, at_);
    }

    Node escape() {
        if (!more()) {
            fail("a character behind the \\");
            return {};
        }
        if (take("A")) return condition(Op::begin);
        if (take("Z")) return condition(Op::end_of_text);
        if (take("b")) return condition(Op::word_edge);
        if (take("B")) return condition(Op::no_word_edge);
        Node set{.kind = Kind::set};
        if (named_class(text_[at_], set.ranges)) {
            ++at_;
            return set;
        }
        return one(escaped_character());
    }

    Node character_class() {
        Node set{.kind = Kind::set, .negated = take("^")};
        for (bool first = true; more() && (first || text_[at_] != ']'); first = false) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size() && named_class(text_[at_ + 1], set.ranges)) {
                at_ += 2;
                continue;
            }
            const char32_t low = class_character();
            if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
                ++at_;
                const char32_t high = class_character();
                if (high < low) fail("a range whose end is not before its beginning");
                set.ranges.emplace_back(low, high);
            } else {
                set.ranges.emplace_back(low, low);
            }
        }
        if (wrong_.empty() && !take("]")) fail("a ] that closes the class");
        return set;
    }

    char32_t class_character() {
        if (!take("\\")) return next_character(text_, at_);
        if (!more()) {
            fail("a character behind the \\");
            return 0;
        }
        if (take("b")) return U'\b';
        return escaped_character();
    }

    // ---- steps

    std::uint32_t here() const { return static_cast<std::uint32_t>(pattern_.steps_.size()); }
    std::uint32_t put(Pattern::Step step) {
        if (pattern_.steps_.size() >= steps_max) {
            fail("fewer repetitions: the expression becomes too large");
            return 0;
        }
        pattern_.steps_.push_back(step);
        return here() - 1;
    }

    void write(const Node& node) {
        if (!wrong_.empty()) return;
        switch (node.kind) {
            case Kind::nothing: return;
            case Kind::condition: put({node.condition}); return;
            case Kind::set: {
                const auto first = static_cast<std::uint32_t>(pattern_.ranges_.size());
                pattern_.ranges_.insert(pattern_.ranges_.end(), node.ranges.begin(), node.ranges.end());
                put({Op::set, node.negated, first, static_cast<std::uint32_t>(pattern_.ranges_.size())});
                return;
            }
            case Kind::sequence:
                for (const auto& part : node.parts) write(part);
                return;
            case Kind::choice: {
                std::vector<std::uint32_t> ends;
                for (std::size_t i = 0; i < node.parts.size(); ++i) {
                    const bool last = i + 1 == node.parts.size();
                    const auto split = last ? 0 : put({Op::split});
                    if (!last) pattern_.steps_[split].first = here();
                    write(node.parts[i]);
                    if (!wrong_.empty()) return;
                    if (last) break;
                    ends.push_back(put({Op::jump}));
                    pattern_.steps_[split].second = here();
                }
                for (const auto end : ends) pattern_.steps_[end].first = here();
                return;
            }
            case Kind::repeat: write_repeat(node); return;
        }
    }

    void write_repeat(const Node& node) {
        for (unsigned i = 0; i < node.least; ++i) write(node.parts[0]);
        if (!node.most) {
            const auto split = put({Op::split});
            write(node.parts[0]);
            put({.op = Op::jump, .first = split});
            if (!wrong_.empty()) return;
            pattern_.steps_[split].first = split + 1;
            pattern_.steps_[split].second = here();
            return;
        }
        std::vector<std::uint32_t> splits;
        for (unsigned i = node.least; i < *node.most && wrong_.empty(); ++i) {
            splits.push_back(put({Op::split}));
            pattern_.steps_[splits.back()].first = here();
            write(node.parts[0]);
        }
        for (const auto split : splits) pattern_.steps_[split].second = here();
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string wrong_;
    Pattern pattern_;
};

codec::Result<Pattern, std::string> Pattern::compile(std::string_view text) { return PatternCompiler(text).compile(); }

bool Pattern::takes(const Step& step, char32_t c) const {
    const auto begin = ranges_.begin() + step.first;
    const auto end = ranges_.begin() + step.second;
    const auto has = [&](char32_t wanted) {
        return std::any_of(begin, end,
                           [&](const Range& range) { return wanted >= range.first && wanted <= range.second; });
    };
    const char32_t lower = lower_case_of(c);
    const bool other_case = ignore_case_ && lower >= U'a' && lower <= U'z';
    const bool found = has(c) || (other_case && (has(lower) || has(lower - U'a' + U'A')));
    return found != step.negated;
}

bool Pattern::holds(Op op, const Place& place) const {
    const bool edge = is_word_character(place.before) != is_word_character(place.after);
    switch (op) {
        case Op::begin: return place.at_begin;
        case Op::end: return place.at_end || place.at_last_newline;
        case Op::end_of_text: return place.at_end;
        case Op::word_edge: return edge;
        case Op::no_word_edge: return !edge;
        default: return false;
    }
}

bool Pattern::matches(std::string_view text) const {
    // All ways through the steps at once: each step is looked at once for each character.
    std::vector<std::uint32_t> now, next, reached;
    std::vector<std::size_t> seen(steps_.size(), 0);
    now.push_back(0);
    Place place{.at_begin = true};
    for (std::size_t at = 0, turn = 1;; ++turn) {
        std::size_t behind = at;
        place.at_end = at == text.size();
        place.at_last_newline = at + 1 == text.size() && text[at] == '\n';
        place.after = place.at_end ? 0 : next_character(text, behind);
        next.clear();
        for (const auto begin : now) {
            reached.push_back(begin);
            while (!reached.empty()) {
                const auto index = reached.back();
                reached.pop_back();
                if (std::exchange(seen[index], turn) == turn) continue;
                const Step& step = steps_[index];
                switch (step.op) {
                    case Op::match: return true;
                    case Op::jump: reached.push_back(step.first); break;
                    case Op::split:
                        reached.push_back(step.second);
                        reached.push_back(step.first);
                        break;
                    case Op::set:
                        if (!place.at_end && takes(step, place.after)) next.push_back(index + 1);
                        break;
                    default:
                        if (holds(step.op, place)) reached.push_back(index + 1);
                }
            }
        }
        if (next.empty() || place.at_end) return false;
        now.swap(next);
        place.before = place.after;
        place.at_begin = false;
        at = behind;
    }
}

}  // namespace aprotic::driver::bus
