#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <aprotic/driver/json.hpp>

namespace aprotic::driver::bus {

/// Reads one JSON text from front to back, in one pass: as a whole, or member by member, so that what is only looked
/// through needs no tree. NaN, Infinity and -Infinity are numbers, of two equal keys the last wins, as in Python. After
/// the first failure everything fails.
class JsonReader {
public:
    /// The text must outlive it. One that is too long has failed.
    JsonReader(std::string_view text, const JsonLimits& limits);

    /// What comes next.
    bool at_object() { return next_is('{'); }
    bool at_string() { return next_is('"'); }

    /// Any value.
    bool read(Json& into);
    /// A string.
    bool read(std::string& into);
    bool skip() {
        Json unwanted;
        return read(unwanted);
    }
    /// An object: `on_member(std::string_view key)` for each in turn, which reads or skips the value and returns
    /// whether that went well. The key is there until then.
    template <class OnMember>
    bool members(OnMember on_member) {
        if (!open('{')) return false;
        if (close('}')) return true;
        std::string escaped;
        do {
            std::string_view key;
            if (!read_key(key, escaped) || !on_member(key)) return false;
        } while (take(','));
        return close('}') || fail();
    }
    /// Whether nothing is left.
    bool end();

    /// What was expected, and where.
    std::string error() const;

private:
    enum class Fault { none, no_json, too_long, too_deep };
    /// An array or object under way. It is a member's value until it is whole.
    struct Open {
        bool is_object = false;
        std::size_t first = 0;       ///< of its members; of an array: the member that it is
        std::size_t tidy_at = 1024;  ///< members at which equal keys are looked for before its end
    };

    void skip_blanks() noexcept {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    }
    bool next_is(char c) {
        skip_blanks();
        return at_ != end_ && *at_ == c;
    }
    bool take(char c) {
        if (!next_is(c)) return false;
        ++at_;
        return true;
    }
    /// One deeper, and out again.
    bool open(char bracket);
    bool close(char bracket);
    /// Of a tree.
    void open(bool is_object);
    bool fail(Fault fault = Fault::no_json);

    bool read_key(std::string_view& key, std::string& escaped);
    /// The text between quotes: where it lies, or with escapes in it made in `escaped`.
    bool read_text(std::string_view& text, std::string& escaped);
    bool read_escape(std::string& into);
    bool read_unit(unsigned& into);
    bool read_number(Json& into);
    bool read_word(std::string_view word);
    bool read_scalar(Json& into);
    bool begin_member();
    /// Of two equal keys the first keeps its place and gets the last one's value.
    void drop_equal_keys(std::size_t first);
    Json finish_object(std::size_t first);

    const char* const begin_;
    const char* at_;
    const char* const end_;
    const JsonLimits limits_;
    std::size_t depth_ = 0;
    Fault fault_ = Fault::none;
    std::vector<Open> open_;
    std::vector<std::pair<std::string, Json>> members_;  ///< of all that is open, so that objects are made in one go
};

/// Where in [at, end) the first octet is that does not stand for itself in a JSON string of ASCII.
const char* end_of_plain_text(const char* at, const char* end) noexcept;

}  // namespace aprotic::driver::bus
