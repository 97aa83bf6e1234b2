#pragma once

#include <compare>
#include <cstdint>

namespace aprotic::engine {

/// Names one endpoint or delivery of one Engine: an index and the generation of what lives there, so that an id kept
/// after its object has gone names nothing instead of its successor. Plain value; the word "handle" belongs to the
/// specification.
template <class Tag>
struct Id {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;  ///< 0 names nothing

    constexpr explicit operator bool() const noexcept { return generation != 0; }
    constexpr auto operator<=>(const Id&) const noexcept = default;
};

using SessionId = Id<struct SessionTag>;
using LinkId = Id<struct LinkTag>;
using DeliveryId = Id<struct DeliveryTag_>;

}  // namespace aprotic::engine
