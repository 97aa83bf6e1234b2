#pragma once

#include <aprotic/codec/result.hpp>
#include <aprotic/codec/value.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace aprotic::codec {

/// How an AMQP value is said in JSON (RFC 8259, UTF-8). docs/codec.md has the table.
enum class JsonForm : std::uint8_t {
    /// Nothing is lost: `parse_json` gives back an equal value. Null, booleans, strings, lists, maps with plain string
    /// keys, `long`
    /// and `double` are what JSON has; everything else is an object with one member that names the type: {"$uint":1}.
    lossless,
    /// For people, and for programs that do not care for types: symbols, uuids and times as text, all numbers as
    /// numbers.
    plain,
};

struct JsonOptions {
    JsonForm form = JsonForm::lossless;
    /// Blanks per level, with one item on each line; 0 writes everything on one line without blanks.
    std::uint8_t indent = 0;
};

/// The value as JSON text. The text is always well-formed JSON and UTF-8, whatever octets are in strings.
std::string to_json(const Value& value, const JsonOptions& options = {});
/// The same at the end of `text`; `level` is the depth at which the text stands already, for indenting.
void append_json(std::string& text, const Value& value, const JsonOptions& options = {}, unsigned level = 0);
void append_json(std::string& text, const Map& map, const JsonOptions& options = {}, unsigned level = 0);
void append_json(std::string& text, const List& list, const JsonOptions& options = {}, unsigned level = 0);
/// Decodes the one value in `octets` and appends it; on failure `text` is left as it was.
Result<void> append_json(std::string& text, std::span<const std::byte> octets, const JsonOptions& options = {},
                         const DecodeLimits& limits = {});

/// `text` as a JSON string with its quotes; octets that are not UTF-8 become U+FFFD.
void append_json_string(std::string& to, std::string_view text);

/// What is wrong with a JSON text.
enum class JsonFault : std::uint8_t {
    syntax = 1,         ///< not JSON
    bad_utf8,           ///< octets that are not UTF-8, or half of a surrogate pair
    unknown_type,       ///< a member name that starts with "$" but names no type
    reserved_name,      ///< a member name that starts with "$" beside other members
    wrong_content,      ///< JSON, but not what a value of this type is written as
    out_of_range,       ///< a number that the type cannot hold
    duplicate_name,     ///< two members of an object with the same name
    nesting_too_deep,   ///< deeper than DecodeLimits::depth_max
    too_many_elements,  ///< more than DecodeLimits::elements_max
    value_too_large,    ///< more octets than DecodeLimits::bytes_max
    trailing_text,      ///< something after the value
};
std::string_view name_of(JsonFault fault) noexcept;

struct JsonError {
    JsonFault fault{};
    std::size_t offset = 0;     ///< octets from the start of the text
    std::string_view expected;  ///< what would have been right there, for people; never dangles

    /// "offset 12: out-of-range: expected a number from 0 to 255"
    std::string to_string() const;
};

/// Reads any JSON text: what `to_json` wrote in the lossless form comes back equal, and plain JSON of others is read as
/// null, boolean, long, double, string, list and map with string keys. Numbers without fraction and exponent are long,
/// or ulong if they only fit there. Memory is bounded by the size of the text and by `limits`.
Result<Value, JsonError> parse_json(std::string_view text, const DecodeLimits& limits = {});

}  // namespace aprotic::codec
