#pragma once

#include <string>
#include <string_view>

#include <aprotic/codec/value.hpp>

#include "support/prng.hpp"

namespace aprotic::fuzzer {

using test::Prng;

/// A value of a primitive type as the field tables name them ("uint", "symbol", …), "*" and names of composites too:
/// mostly one that lies on a border of the type.
codec::Value border_value(Prng& chance, std::string_view type);
/// Any value at all, not too large.
codec::Value any_value(Prng& chance, unsigned depth = 0);

/// Changes one thing about a described list of the specification, by its field table, down into the composites in it.
/// Returns what was done: "handle = 4294967295".
std::string mutate_fields(Prng& chance, codec::Described& composite);

}  // namespace aprotic::fuzzer
