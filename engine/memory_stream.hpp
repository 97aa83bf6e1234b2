#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine {

/// Two streams joined back to back inside one process, both on `reactor`, which must outlive them. Each direction holds
/// at most `capacity` bytes; a writer beyond that waits for the reader.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_memory_streams(Reactor& reactor,
                                                                                std::size_t capacity = 256 * 1024);

}  // namespace aprotic::engine
