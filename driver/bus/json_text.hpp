#pragma once

#include <string>
#include <string_view>

#include <aprotic/driver/json.hpp>

namespace aprotic::driver::bus {

/// As to_json_text, after what `out` holds already: a tree need not be copied into another to be written within it.
void append_json(std::string& out, const Json& value);
/// Empties a value that has been used. What a tree holds goes one by one here, where its destructor collects it first.
void discard(Json&& value) noexcept;
/// As append_json of a string.
void append_json_string(std::string& out, std::string_view text);

}  // namespace aprotic::driver::bus
