#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace aprotic::engine::stack {

/// Overwrites secrets that have done their work, in memory of our own, so that they do not linger in what is freed.
void wipe(std::span<const std::byte> octets) noexcept;
void wipe(std::string& text) noexcept;

}  // namespace aprotic::engine::stack
