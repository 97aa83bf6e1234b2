#include <aprotic/driver/bus/ini.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <ini.h>

namespace aprotic::driver::bus {
namespace {

/// Feeds inih line by line and takes what it finds.
///
/// inih as built by Debian takes lines of up to 197 octets and what follows " ;" for a comment. Neither may happen to a
/// URL with a password in it, and the names that would change it are global. So long lines go in as several, each
/// continuing the one before, and `guard` stands where inih would see a comment or strip a blank. It is taken out again
/// from what comes back.
class Feed {
public:
    Feed(std::string_view text, std::string_view name) : rest_(text), name_(name) {}

    codec::Result<std::vector<IniEntry>, std::string> read() {
        const int bad_call = ini_parse_stream(&Feed::next_line, this, &Feed::take, this);
        if (problem_.empty() && bad_call > 0)
            set_problem(lines_fed_.at(static_cast<std::size_t>(bad_call) - 1), "[group] or key = value was expected");
        if (problem_.empty() && bad_call < 0) problem_ = fmt::format("{}: there is no memory to read it", name_);
        if (!problem_.empty()) return problem_;
        for (auto& entry : entries_) {
            std::string& value = entry.value;
            const bool quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
                                value.front() == value.back() && value.find('\n') == std::string::npos;
            if (quoted) value = value.substr(1, value.size() - 2);
        }
        return std::move(entries_);
    }

private:
    static constexpr char guard = '\x01';
    enum class Piece { fresh, continues_value, continues_line };

    static char* next_line(char* into, int size, void* self) {
        return static_cast<Feed*>(self)->feed(into, static_cast<std::size_t>(size));
    }
    static int take(void* self, const char* group, const char* key, const char* value) {
        return static_cast<Feed*>(self)->take(group, key, value) ? 1 : 0;
    }

    char* feed(char* into, std::size_t size) {
        if (left_of_line_.empty() && !next()) return nullptr;
        // One octet for a guard at the end, two for newline and NUL.
        const std::size_t length = std::min(left_of_line_.size(), size - 3);
        char* end = std::copy_n(left_of_line_.data(), length, into);
        left_of_line_.erase(0, length);
        if (!left_of_line_.empty()) {
            *end++ = guard;
            left_of_line_ = std::string{' ', guard} + left_of_line_;
        }
        *end++ = '\n';
        *end = '\0';
        lines_fed_.push_back(line_);
        piece_ = std::exchange(next_piece_, Piece::continues_line);
        return into;
    }

    /// Puts the next line of the file, guarded, into left_of_line_.
    bool next() {
        if (rest_.empty() || !problem_.empty()) return false;
        const auto end = rest_.find('\n');
        std::string_view line = rest_.substr(0, end);
        rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
        ++line_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.find(guard) != std::string_view::npos || line.find('\0') != std::string_view::npos) {
            set_problem(line_, "a control character is in the line");
            return false;
        }
        const auto first = line.find_first_not_of(" \t");
        const bool blank = first == std::string_view::npos;
        const bool indented = !blank && first > 0;
        if (indented && !value_open_) {
            set_problem(line_, "the line is indented, so it continues a value, but there is none before it");
            return false;
        }
        next_piece_ = indented ? Piece::continues_value : Piece::fresh;
        if (!indented) value_open_ = false;
        left_of_line_ = blank ? "" : guarded(line, first);
        if (left_of_line_.empty()) left_of_line_ = " ";
        return true;
    }

    static std::string guarded(std::string_view line, std::size_t first) {
        std::string result;
        for (std::size_t at = 0; at < line.size(); ++at) {
            const bool after_blank = at > 0 && (line[at - 1] == ' ' || line[at - 1] == '\t');
            // Indented lines are all value: nothing in them is a comment.
            if ((at == first && first > 0) || (line[at] == ';' && at != first && after_blank)) result += guard;
            result += line[at];
        }
        return result;
    }

    bool take(std::string_view group, std::string_view key, std::string value) {
        // The rest of a line whose beginning was refused, here or by inih.
        if (!problem_.empty() || (piece_ != Piece::fresh && entries_.empty())) return false;
        std::erase(value, guard);
        switch (piece_) {
            case Piece::fresh:
                if (group.empty()) return set_problem(line_, "[group] was expected first");
                if (key.empty()) return set_problem(line_, "a key was expected before the '='");
                entries_.push_back({std::string(group), std::string(key), std::move(value), line_});
                value_open_ = true;
                return true;
            case Piece::continues_value: entries_.back().value += "\n" + value; return true;
            case Piece::continues_line: entries_.back().value += value; return true;
        }
        return false;
    }

    bool set_problem(std::size_t line, std::string_view what) {
        if (problem_.empty()) problem_ = fmt::format("{}:{}: {}", name_, line, what);
        return false;
    }

    std::string_view rest_;
    const std::string_view name_;
    std::size_t line_ = 0;
    std::string left_of_line_;
    Piece piece_ = Piece::fresh;
    Piece next_piece_ = Piece::fresh;
    bool value_open_ = false;
    std::vector<std::size_t> lines_fed_;
    std::vector<IniEntry> entries_;
    std::string problem_;
};

}  // namespace

codec::Result<std::vector<IniEntry>, std::string> read_ini(std::string_view text, std::string_view name) {
    return Feed(text, name).read();
}

}  // namespace aprotic::driver::bus
