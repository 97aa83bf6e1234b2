#include <aprotic/engine/options.hpp>

#include <fmt/core.h>

namespace aprotic::engine {

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
    return {};
}

}  // namespace aprotic::engine
