#include <aprotic/driver/bus/json_reader.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <unordered_map>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <fmt/core.h>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/utf8.hpp>

namespace aprotic::driver::bus {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_plain(char c) noexcept { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

/// Up to so many members are compared with each other; more go through a table.
constexpr std::size_t compared_max = 16;

}  // namespace

const char* end_of_plain_text(const char* at, const char* end) noexcept {
#ifdef __SSE2__
    while (end - at >= 16) {
        const __m128i octets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        const auto is = [&](char c) { return _mm_cmpeq_epi8(octets, _mm_set1_epi8(c)); };
        // As signed numbers, octets of 0x80 and more are below the blank too.
        const __m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(octets, _mm_set1_epi8(' ')), is('\x7f')),
                                         _mm_or_si128(is('"'), is('\\')));
        if (const int where = _mm_movemask_epi8(odd); where != 0)
            return at + std::countr_zero(static_cast<unsigned>(where));
        at += 16;
    }
#endif
    while (at != end && is_plain(*at)) ++at;
    return at;
}

JsonReader::JsonReader(std::string_view text, const JsonLimits& limits)
    : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), limits_(limits) {
    if (text.size() > limits.bytes_max) static_cast<void>(fail(Fault::too_long));
}

bool JsonReader::fail(Fault fault) {
    if (fault_ == Fault::none) fault_ = fault;
    return false;
}

std::string JsonReader::error() const {
    const auto bytes = static_cast<std::size_t>(end_ - begin_);
    switch (fault_) {
        case Fault::too_long:
            return fmt::format("a JSON text of {} octets; at most {} are taken (option json_bytes_max)", bytes,
                               limits_.bytes_max);
        case Fault::too_deep:
            return fmt::format("a JSON text nested {} deep or deeper; at most {} is taken (option json_depth_max)",
                               depth_, limits_.depth_max);
        case Fault::none:
        case Fault::no_json: break;
    }
    return fmt::format("a JSON text was expected; what is there stops being one at octet {} of {}", at_ - begin_,
                       bytes);
}

bool JsonReader::open(char bracket) {
    if (fault_ != Fault::none || !take(bracket)) return fail();
    return ++depth_ <= limits_.depth_max || fail(Fault::too_deep);
}

void JsonReader::open(bool is_object) {
    constexpr std::size_t usual = 8;
    if (open_.capacity() == 0) open_.reserve(usual);
    if (members_.capacity() == 0) members_.reserve(usual);
    open_.push_back({.is_object = is_object, .first = members_.size()});
}

bool JsonReader::close(char bracket) {
    if (!take(bracket)) return false;
    --depth_;
    return true;
}

bool JsonReader::end() {
    skip_blanks();
    return (fault_ == Fault::none && at_ == end_) || fail();
}

// ---- strings
// ------------------------------------------------------------------------------------------------------------

bool JsonReader::read(std::string& into) {
    std::string_view text;
    std::string escaped;
    if (!read_text(text, escaped)) return false;
    if (text.data() == escaped.data())
        into = std::move(escaped);
    else
        into = text;
    return true;
}

bool JsonReader::read_key(std::string_view& key, std::string& escaped) {
    return read_text(key, escaped) && (take(':') || fail());
}

bool JsonReader::read_text(std::string_view& text, std::string& escaped) {
    if (fault_ != Fault::none || !take('"')) return fail();
    const char* run = at_;  // what stands for itself since the last escape
    bool is_ascii = true;
    bool has_escapes = false;
    while (true) {
        at_ = end_of_plain_text(at_, end_);
        if (at_ == end_ || static_cast<unsigned char>(*at_) < ' ') return fail();
        if (*at_ == '"') break;
        if (*at_ == '\\') {
            if (!has_escapes) escaped.clear();
            has_escapes = true;
            escaped.append(run, at_);
            if (!read_escape(escaped)) return false;
            run = at_;
        } else {
            is_ascii = is_ascii && *at_ == '\x7f';
            ++at_;
        }
    }
    if (has_escapes) escaped.append(run, at_);
    text = has_escapes ? std::string_view(escaped) : std::string_view(run, static_cast<std::size_t>(at_ - run));
    if (!is_ascii && !codec::is_utf8(codec::as_bytes(text))) return fail();
    ++at_;
    return true;
}

bool JsonReader::read_unit(unsigned& into) {
    if (end_ - at_ < 4) return fail();
    const auto [stop, error] = std::from_chars(at_, at_ + 4, into, 16);
    if (error != std::errc() || stop != at_ + 4) return fail();
    at_ += 4;
    return true;
}

bool JsonReader::read_escape(std::string& into) {
    if (++at_ == end_) return fail();
    switch (const char c = *at_++) {
        case '"':
        case '\\':
        case '/': into += c; return true;
        case 'b': into += '\b'; return true;
        case 'f': into += '\f'; return true;
        case 'n': into += '\n'; return true;
        case 'r': into += '\r'; return true;
        case 't': into += '\t'; return true;
        case 'u': break;
        default: --at_; return fail();
    }
    unsigned unit = 0;
    if (!read_unit(unit)) return false;
    if (unit >= 0xd800 && unit <= 0xdbff) {  // the first half of a pair
        unsigned second = 0;
        if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return fail();
        at_ += 2;
        if (!read_unit(second)) return false;
        if (second < 0xdc00 || second > 0xdfff) return fail();
        unit = 0x10000 + ((unit - 0xd800) << 10U) + (second - 0xdc00);
    }
    if (!codec::is_scalar_value(unit)) return fail();
    codec::append_utf8(into, unit);
    return true;
}

// ---- what is neither string nor compound
// --------------------------------------------------------------------------------

bool JsonReader::read_word(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) return fail();
    at_ += word.size();
    return true;
}

bool JsonReader::read_scalar(Json& into) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    switch (*at_) {
        case 't': into = true; return read_word("true");
        case 'f': into = false; return read_word("false");
        case 'n': into = nullptr; return read_word("null");
        case 'N': into = std::numeric_limits<double>::quiet_NaN(); return read_word("NaN");
        case 'I': into = infinity; return read_word("Infinity");
        default: break;
    }
    if (end_ - at_ < 2 || at_[0] != '-' || at_[1] != 'I') return read_number(into);
    into = -infinity;
    return read_word("-Infinity");
}

bool JsonReader::read_number(Json& into) {
    const char* const start = at_;
    const bool is_negative = *at_ == '-';
    if (is_negative) ++at_;
    const auto digits = [this] {
        if (at_ == end_ || !is_digit(*at_)) return fail();
        while (at_ != end_ && is_digit(*at_)) ++at_;
        return true;
    };
    if (at_ != end_ && *at_ == '0')
        ++at_;
    else if (!digits())
        return false;
    bool is_integer = true;
    if (at_ != end_ && *at_ == '.') {
        is_integer = false;
        ++at_;
        if (!digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
        is_integer = false;
        ++at_;
        if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
        if (!digits()) return false;
    }
    if (is_integer) {
        std::int64_t negative = 0;
        std::uint64_t natural = 0;
        const auto error =
            is_negative ? std::from_chars(start, at_, negative).ec : std::from_chars(start, at_, natural).ec;
        if (error == std::errc()) {
            into = is_negative ? Json(negative) : Json(natural);
            return true;
        }
        // What no integer of ours can hold is a float.
    }
    double number = 0;
    if (std::from_chars(start, at_, number).ec != std::errc()) {
        // Too near to zero, or too large; only strtod tells which.
        number = std::strtod(std::string(start, at_).c_str(), nullptr);
        if (!std::isfinite(number)) {
            at_ = start;
            return fail();
        }
    }
    into = number;
    return true;
}

// ---- trees
// --------------------------------------------------------------------------------------------------------------

bool JsonReader::begin_member() {
    std::string_view key;
    std::string escaped;
    if (!read_key(key, escaped)) return false;
    members_.emplace_back(key, Json());
    return true;
}

bool JsonReader::read(Json& into) {
    if (fault_ != Fault::none) return false;
    const std::size_t outside = open_.size();
    Json value;
    while (true) {
        skip_blanks();
        if (at_ == end_) return fail();
        if (*at_ == '{') {
            if (!open('{')) return false;
            if (!close('}')) {
                open(true);
                if (!begin_member()) return false;
                continue;
            }
            value = Json::object();
        } else if (*at_ == '[') {
            if (!open('[')) return false;
            value = Json::array();
            if (!close(']')) {
                open(false);
                members_.emplace_back(std::string(), std::move(value));
                continue;
            }
        } else if (*at_ == '"') {
            std::string text;
            if (!read(text)) return false;
            value = std::move(text);
        } else if (!read_scalar(value)) {
            return false;
        }
        // A value is whole, and with it perhaps what it is in.
        while (open_.size() > outside) {
            Open& around = open_.back();
            if (around.is_object)
                members_.back().second = std::move(value);
            else
                members_.back().second.get_ref<Json::array_t&>().push_back(std::move(value));
            if (take(',')) {
                if (!around.is_object) break;
                if (members_.size() - around.first >= around.tidy_at) {
                    drop_equal_keys(around.first);
                    around.tidy_at = 2 * (members_.size() - around.first) + around.tidy_at;
                }
                if (!begin_member()) return false;
                break;
            }
            if (!close(around.is_object ? '}' : ']')) return fail();
            if (around.is_object) {
                value = finish_object(around.first);
            } else {
                value = std::move(members_.back().second);
                members_.pop_back();
            }
            open_.pop_back();
        }
        if (open_.size() > outside) continue;
        into = std::move(value);
        return true;
    }
}

void JsonReader::drop_equal_keys(std::size_t first) {
    const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
    auto kept = begin;
    const auto keep = [&kept](auto member) {
        if (kept != member) *kept = std::move(*member);
        ++kept;
    };
    if (members_.size() - first <= compared_max) {
        for (auto member = begin; member != members_.end(); ++member) {
            auto same = begin;
            while (same != kept && same->first != member->first) ++same;
            if (same != kept)
                same->second = std::move(member->second);
            else
                keep(member);
        }
    } else {
        // The keys in the table are those of members that are where they stay.
        std::unordered_map<std::string_view, Json*> known;
        known.reserve(members_.size() - first);
        for (auto member = begin; member != members_.end(); ++member) {
            if (const auto same = known.find(member->first); same != known.end()) {
                *same->second = std::move(member->second);
            } else {
                const auto place = kept;
                keep(member);
                known.emplace(place->first, &place->second);
            }
        }
    }
    members_.erase(kept, members_.end());
}

Json JsonReader::finish_object(std::size_t first) {
    drop_equal_keys(first);
    Json object = Json::object();
    auto& into = object.get_ref<Json::object_t&>();
    into.reserve(members_.size() - first);  // its pairs can only be copied when it grows
    for (std::size_t i = first; i < members_.size(); ++i)
        into.emplace_back(std::move(members_[i].first), std::move(members_[i].second));
    members_.resize(first);
    return object;
}

}  // namespace aprotic::driver::bus
