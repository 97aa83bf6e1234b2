#pragma once

#include <string>

namespace aprotic::driver {

/// Which trace a request belongs to: the two fields of W3C's Trace Context, as their texts. Passed along, not looked
/// into.
struct TraceContext {
    std::string traceparent;      ///< "00-<32 hexadecimal digits>-<16>-<2>"
    std::string tracestate = {};  ///< "vendor=value,…"; may be empty

    bool operator==(const TraceContext&) const = default;
};

}  // namespace aprotic::driver
