#include <aprotic/engine/options.hpp>

#include <algorithm>
#include <string_view>

#include <fmt/core.h>

namespace aprotic::engine {

namespace {

/// What goes into the head of an HTTP message must not end its line.
bool fits_line(std::string_view text, std::string_view but = {}) {
    return std::ranges::all_of(
        text, [but](char c) { return c >= ' ' && c != '\x7f' && but.find(c) == std::string_view::npos; });
}

std::string fault_of(const WebSocketOptions& options) {
    if (!options.path.empty() && (!options.path.starts_with('/') || !fits_line(options.path, " #")))
        return "web_socket.path must begin with '/' and have neither spaces nor '#'";
    if (options.subprotocol.empty() || !fits_line(options.subprotocol, " ,;\""))
        return "web_socket.subprotocol must be one word";
    if (!fits_line(options.host, " /")) return "web_socket.host must be a host, with a port or without";
    for (const auto& [name, value] : options.headers) {
        if (name.empty() || !fits_line(name, " :") || !fits_line(value))
            return "web_socket.headers: a name must be one word, and nothing may have line breaks";
    }
    return {};
}

}  // namespace

codec::Result<void, std::string> validate(const ConnectionOptions& options) {
    // Every peer must take frames of this size, so no peer may be asked to send smaller ones. [2.3.1]
    if (options.limits.frame_size_max < codec::protocol::min_max_frame_size) {
        return fmt::format("limits.frame_size_max is {}, expected at least {} bytes", options.limits.frame_size_max,
                           codec::protocol::min_max_frame_size);
    }
    if (options.limits.incoming_window == 0)
        return std::string("limits.incoming_window is 0, expected at least 1 frame");
    if (options.idle_timeout && *options.idle_timeout < std::chrono::milliseconds(2)) {
        return std::string("idle_timeout is below 2 ms, expected at least 2 ms or none");
    }
    if (options.connect_timeout <= Duration::zero()) return std::string("connect_timeout must be positive");
    if (options.close_timeout <= Duration::zero()) return std::string("close_timeout must be positive");
    if (options.limits.handshake_bytes_max < 4096) {
        return fmt::format("limits.handshake_bytes_max is {}, expected at least 4096 bytes",
                           options.limits.handshake_bytes_max);
    }
    if (options.limits.unopened_max == 0) return std::string("limits.unopened_max is 0, expected at least 1");
    if (options.sasl.username.empty() && !options.sasl.password.empty()) {
        return std::string("sasl.password is set without sasl.username");
    }
    if (options.sasl_server.required && !options.sasl_server.offer) {
        return std::string("sasl_server.required needs sasl_server.offer");
    }
    for (const SaslCyrusOptions* each : {&options.sasl.cyrus, &options.sasl_server.cyrus}) {
        if (each->frame_size_max < codec::protocol::min_max_frame_size)
            return fmt::format("sasl.cyrus.frame_size_max is {}, expected at least {} bytes", each->frame_size_max,
                               codec::protocol::min_max_frame_size);
        if (each->layer_bits_min > each->layer_bits_max)
            return std::string("sasl.cyrus.layer_bits_min is above layer_bits_max");
    }
    if (auto fault = fault_of(options.web_socket); !fault.empty()) return fault;
    if (options.proxy.port == 0) return std::string("proxy.port is 0, expected a port to connect to");
    if (options.proxy.username.empty() && !options.proxy.password.empty())
        return std::string("proxy.password is set without proxy.username");
    return {};
}

}  // namespace aprotic::engine
