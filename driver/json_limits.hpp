#pragma once

#include <cstddef>

namespace aprotic::driver {

/// Where a text from a peer stops being looked at.
struct JsonLimits {
    std::size_t bytes_max = 64 * 1024 * 1024;  ///< length of the text
    std::size_t depth_max = 256;               ///< arrays and objects inside each other
};

}  // namespace aprotic::driver
