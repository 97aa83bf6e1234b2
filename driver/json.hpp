#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/json_limits.hpp>

namespace aprotic::driver {

/// The content of requests and replies. Keys keep the order in which they were put.
using Json = nlohmann::ordered_json;

/// Reads one JSON text. NaN, Infinity and -Infinity are numbers, of two equal keys the last wins, as in Python. The
/// error's text says what was expected and at which octet.
codec::Result<Json, std::string> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Writes what Python's json.dumps writes: ASCII with \uXXXX escapes (surrogate pairs above U+FFFF), ", " and ": "
/// between items, shortest floats, NaN and Infinity as such. Strings that are not UTF-8 have U+FFFD for each bad octet.
std::string to_json_text(const Json& value);

}  // namespace aprotic::driver
