#pragma once

#include <memory>
#include <string>

#include <asio/generic/stream_protocol.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>

#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine::io {

/// A connected socket as a Stream. TCP sockets get TCP_NODELAY: the pump gathers what belongs together, so Nagle only
/// delays.
std::unique_ptr<Stream> make_asio_stream(asio::ip::tcp::socket socket);
/// `path` is where the socket was found; an accepted one has no name of its own.
std::unique_ptr<Stream> make_asio_stream(asio::local::stream_protocol::socket socket, const std::string& path);

/// "127.0.0.1:5672", "[::1]:5672".
std::string to_string(const asio::ip::tcp::endpoint& endpoint);

}  // namespace aprotic::engine::io
