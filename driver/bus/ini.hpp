#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/result.hpp>

namespace aprotic::driver::bus {

struct IniEntry {
    std::string group;  ///< "DEFAULT" before the first [group]
    std::string key;
    std::string value;  ///< lines that continue it joined by "\n"; a pair of quotes around it is taken off
    std::size_t line = 0;
};

/// Reads a file of [group]s with "key = value" or "key: value", comments behind '#' or ';' at the beginning of lines,
/// and values that go on in indented lines. The error's text begins with `name` and the line.
codec::Result<std::vector<IniEntry>, std::string> read_ini(std::string_view text, std::string_view name);

}  // namespace aprotic::driver::bus
