#pragma once

#include <cstddef>

#include <aprotic/engine/ids.hpp>

namespace aprotic::engine {

struct IdHash {
    template <class Tag>
    std::size_t operator()(Id<Tag> id) const noexcept {
        return static_cast<std::size_t>(id.index) ^ (static_cast<std::size_t>(id.generation) << 32U);
    }
};

}  // namespace aprotic::engine
