#pragma once

#include <aprotic/codec/dump/report.hpp>

#include <cstdint>
#include <span>

namespace aprotic::codec {

/// Reports the sections of a message, or values in a row; offsets count from `base`. Whether all is well.
bool report_message(Report& to, std::span<const std::byte> input, std::uint64_t base, bool inner);
bool report_values(Report& to, std::span<const std::byte> input);

}  // namespace aprotic::codec
