#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aprotic::driver {

enum class LogLevel { debug, info, warning, error };
std::string_view name_of(LogLevel level) noexcept;

/// Something that happened and belongs to no call: for people in `text`, for machines in `event` and `fields`. Never
/// has a password in it.
struct LogRecord {
    LogLevel level = LogLevel::info;
    std::string_view event;  ///< which of those in docs/errors.md; static storage
    std::string text;        ///< one line, complete without the fields
    std::vector<std::pair<std::string_view, std::string>> fields = {};  ///< names in static storage
};

/// Called where it happens, mostly on the reactor's thread and as long as that runs. Must not block, throw or call us.
using LogHook = std::function<void(const LogRecord&)>;

}  // namespace aprotic::driver
