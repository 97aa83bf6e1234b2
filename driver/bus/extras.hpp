#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <aprotic/codec/encoder.hpp>
#include <aprotic/codec/message_view.hpp>
#include <aprotic/driver/trace_context.hpp>

namespace aprotic::driver::bus {

/// What the original does not have and therefore goes into application properties, which its programs do not look at.
struct Extras {
    bool cancellable = false;                         ///< request: a notice may follow
    std::optional<std::string> cancels = {};          ///< notice: the message-id of the call that is given up
    std::optional<std::string> server_address = {};   ///< heartbeat of a cancellable call: where notices go
    std::optional<std::string> idempotency_key = {};  ///< request
    std::optional<TraceContext> trace = {};           ///< request

    /// The section of application properties; nothing when there is nothing to say.
    void write(codec::Encoder& to) const;
    /// What is of another type or too long is as if it were not there.
    static Extras read(const codec::MessageView& message);
};

inline constexpr std::size_t idempotency_key_bytes_max = 128;

/// The method that a notice names, for servers that look at nothing else. Python's do not complain of unknown methods
/// with this ending.
inline constexpr const char* notice_method = "aprotic_cancel_ignore_errors";

}  // namespace aprotic::driver::bus
