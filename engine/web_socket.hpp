#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace aprotic::engine {

/// AMQP inside of WebSocket: binary messages, cut anywhere. [RFC 6455, AMQP WebSocket Binding] With TLS the WebSocket
/// is inside of that (wss). Plain data.
struct WebSocketOptions {
    /// Client: begin with a WebSocket handshake (the URLs ws:// and wss:// do this). Server: take a peer that begins
    /// with one beside those that do not; who it is shows by the first octet.
    bool enabled = false;
    /// Server: refuse peers that do not come by WebSocket. With `enabled`.
    bool required = false;
    /// Client: what is asked for. Server: requests for anything else are answered with 404; empty takes all.
    std::string path{};
    /// Client: the host of the request, with the port where that is not the scheme's own. Empty: the one connected to.
    std::string host{};
    /// Both must name the same. Some services want "AMQPWSB10".
    std::string subprotocol = "amqp";
    /// Client: more fields of the request, for example Authorization. Neither names nor values may have line breaks.
    std::vector<std::pair<std::string, std::string>> headers{};
    /// Server: pages of these origins ("https://example.com") may connect from a browser; "*" is any. Requests with
    /// another origin, which only browsers send, are answered with 403.
    std::vector<std::string> origins{};
};

/// A proxy that is asked by HTTP CONNECT for the way to the server. Client role. Plain data.
struct ProxyOptions {
    std::string host{};  ///< empty: no proxy
    std::uint16_t port = 8080;
    std::string server{};    ///< what it is asked for, as host:port; empty: the address that is connected to
    std::string username{};  ///< empty: the proxy is told no name
    std::string password{};  ///< goes to the proxy unencrypted, as HTTP's Basic does
};

}  // namespace aprotic::engine
