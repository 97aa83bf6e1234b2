#pragma once

#include <string>
#include <string_view>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/json.hpp>

namespace aprotic::driver::bus {

/// Reads the part of YAML that files of rules are written in: mappings and lists by indentation, lists in brackets,
/// plain and quoted scalars (all of which are strings, null where nothing is), comments. Every JSON text is read as
/// such. Whatever else YAML has (anchors, tags, block scalars, flow mappings, documents) is refused; the error's text
/// names the line.
codec::Result<Json, std::string> read_yaml(std::string_view text);

}  // namespace aprotic::driver::bus
