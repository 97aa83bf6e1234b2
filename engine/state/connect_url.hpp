#pragma once

#include <string>
#include <string_view>

#include <aprotic/codec/result.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine {

/// `amqp://[user[:password]@]host[:port]`, `amqps://…`, `ws://…/path`, `wss://…/path` or `unix:PATH`, taken apart.
struct ConnectUrl {
    Address address;
    bool encrypted = false;   ///< amqps, wss
    bool web_socket = false;  ///< ws, wss
    std::string path;         ///< of a WebSocket, with its query
    std::string username;
    std::string password;

    /// The failure's text says what was expected; it never repeats the userinfo.
    static codec::Result<ConnectUrl, std::string> parse(std::string_view url);
};

}  // namespace aprotic::engine
