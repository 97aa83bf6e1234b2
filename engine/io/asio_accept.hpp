#pragma once

#include <memory>

#include <asio/io_context.hpp>

#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine::io {

/// Listens at once. A host name is resolved while the caller waits; its first address that can be bound is used.
codec::Result<std::unique_ptr<Acceptor>, Failure> make_asio_acceptor(asio::io_context& context, const Address& at,
                                                                     Reactor::Accepted accepted);

}  // namespace aprotic::engine::io
