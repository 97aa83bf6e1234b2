#include <aprotic/driver/bus/yaml.hpp>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/core.h>

namespace aprotic::driver::bus {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// Where a character stands outside of quotes and brackets; npos where it does not. A blank or the end must follow if
/// `before_blank`.
std::size_t find_outside(std::string_view text, char wanted, bool before_blank, bool after_blank = false) {
    char quote = 0;
    int brackets = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        const bool first = at == 0 || std::string_view(" \t,[:-").find(text[at - 1]) != std::string_view::npos;
        if (quote != 0) {
            if (c == '\\' && quote == '"')
                ++at;
            else if (c == quote)
                quote = 0;
            continue;
        }
        const bool blank_behind = at + 1 == text.size() || text[at + 1] == ' ' || text[at + 1] == '\t';
        const bool blank_before = at == 0 || text[at - 1] == ' ' || text[at - 1] == '\t';
        if (c == wanted && brackets == 0 && (!before_blank || blank_behind) && (!after_blank || blank_before))
            return at;
        if ((c == '"' || c == '\'') && first) quote = c;
        if (c == '[') ++brackets;
        if (c == ']') --brackets;
    }
    return std::string_view::npos;
}

class YamlReader {
public:
    explicit YamlReader(std::string_view text) {
        std::size_t number = 0;
        while (!text.empty()) {
            const auto end = std::min(text.find('\n'), text.size());
            add_line(text.substr(0, end), ++number);
            text.remove_prefix(std::min(end + 1, text.size()));
        }
    }

    codec::Result<Json, std::string> read() {
        Json root = nullptr;
        if (wrong_.empty() && !lines_.empty()) root = block(lines_.front().indent, 0);
        if (wrong_.empty() && at_ < lines_.size()) fail("as much indentation as the lines before");
        if (!wrong_.empty()) return wrong_;
        return root;
    }

private:
    struct Line {
        std::size_t number = 0;
        std::size_t indent = 0;
        std::string_view text;  ///< without indentation and comment; not empty
    };
    static constexpr unsigned depth_max = 20;

    void add_line(std::string_view text, std::size_t number) {
        const auto comment = find_outside(text, '#', false, true);
        const std::string_view content = trimmed(text.substr(0, comment));
        if (content.empty() || (number == 1 && content == "---")) return;
        const auto indent = text.find_first_not_of(' ');
        lines_.push_back({number, indent, content});
        if (text[indent] == '\t') fail_at(number, "blanks instead of a tab");
    }

    void fail_at(std::size_t number, std::string_view what) {
        if (wrong_.empty()) wrong_ = fmt::format("line {}: expected {}", number, what);
    }
    void fail(std::string_view what) { fail_at(lines_[std::min(at_, lines_.size() - 1)].number, what); }
    bool here(std::size_t indent) const {
        return wrong_.empty() && at_ < lines_.size() && lines_[at_].indent == indent;
    }
    static bool is_item(std::string_view text) { return text == "-" || text.starts_with("- "); }

    /// The mapping or list whose lines have this indentation.
    Json block(std::size_t indent, unsigned depth) {
        if (depth > depth_max) {
            fail(fmt::format("at most {} levels", depth_max));
            return nullptr;
        }
        return is_item(lines_[at_].text) ? list(indent, depth) : mapping(indent, depth);
    }

    Json list(std::size_t indent, unsigned depth) {
        Json all = Json::array();
        while (here(indent) && is_item(lines_[at_].text)) {
            const std::string_view rest = trimmed(lines_[at_].text.substr(1));
            if (!rest.empty()) {
                if (find_outside(rest, ':', true) != std::string_view::npos) fail("a list of words, not of mappings");
                all.push_back(scalar_or_list(rest));
                ++at_;
            } else {
                all.push_back(below(indent, depth));
            }
        }
        return all;
    }

    Json mapping(std::size_t indent, unsigned depth) {
        Json all = Json::object();
        while (here(indent) && !is_item(lines_[at_].text)) {
            const std::string_view text = lines_[at_].text;
            const auto colon = find_outside(text, ':', true);
            if (colon == std::string_view::npos) {
                fail("'key:'");
                return nullptr;
            }
            const Json key = scalar_or_list(trimmed(text.substr(0, colon)));
            if (!key.is_string()) {
                fail("a key in front of the colon");
                return nullptr;
            }
            const std::string name = key.get<std::string>();
            if (all.contains(name)) fail(fmt::format("'{}' only once", name));
            const std::string_view rest = trimmed(text.substr(colon + 1));
            if (!rest.empty()) {
                all[name] = scalar_or_list(rest);
                ++at_;
            } else {
                all[name] = below(indent, depth);
            }
        }
        return all;
    }

    /// What belongs to the key or dash of this line; a list may have its key's indentation.
    Json below(std::size_t indent, unsigned depth) {
        const bool in_list = is_item(lines_[at_].text);
        ++at_;
        if (at_ == lines_.size() || lines_[at_].indent < indent) return nullptr;
        if (lines_[at_].indent > indent) return block(lines_[at_].indent, depth + 1);
        return !in_list && is_item(lines_[at_].text) ? list(indent, depth + 1) : Json(nullptr);
    }

    Json scalar_or_list(std::string_view text) {
        if (!text.starts_with('[')) return scalar(text);
        if (!text.ends_with(']')) {
            fail("a ] at the end of the line");
            return nullptr;
        }
        Json all = Json::array();
        for (std::string_view rest = trimmed(text.substr(1, text.size() - 2)); !rest.empty() && wrong_.empty();) {
            const auto comma = std::min(find_outside(rest, ',', false), rest.size());
            all.push_back(scalar(trimmed(rest.substr(0, comma))));
            rest = trimmed(rest.substr(std::min(comma + 1, rest.size())));
        }
        return all;
    }

    Json scalar(std::string_view text) {
        if (text.empty()) {
            fail("a word");
            return nullptr;
        }
        const char first = text[0];
        if (first == '"' || first == '\'') return quoted(text);
        if (std::string_view("&!|>{}[]%@`").find(first) != std::string_view::npos) {
            fail(fmt::format("a word; those that begin with {} are quoted", first));
            return nullptr;
        }
        return std::string(text);
    }

    Json quoted(std::string_view text) {
        const char quote = text[0];
        std::string value;
        for (std::size_t at = 1; at < text.size(); ++at) {
            const bool doubled = quote == '\'' && text.substr(at, 2) == "''";
            if (text[at] == quote && !doubled) {
                if (at + 1 != text.size()) break;
                return value;
            }
            if (doubled || (quote == '"' && text[at] == '\\' && at + 1 < text.size())) ++at;
            value += text[at];
        }
        fail(fmt::format("one {} at the end of the line", quote));
        return nullptr;
    }

    std::vector<Line> lines_;
    std::size_t at_ = 0;
    std::string wrong_;
};

}  // namespace

codec::Result<Json, std::string> read_yaml(std::string_view text) {
    if (trimmed(text.substr(0, text.find('\n'))).starts_with('{')) return parse_json(text);
    return YamlReader(text).read();
}

}  // namespace aprotic::driver::bus
