#pragma once

#include <aprotic/engine/options.hpp>

namespace aprotic::engine::stack {

/// Overwrites the passwords in options that have done their work, so that they do not linger in memory that is freed.
void wipe_secrets(ConnectionOptions& options) noexcept;

}  // namespace aprotic::engine::stack
