#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace aprotic::engine::core {

// Each endpoint is one enum of states, one enum of inputs and one table; `next(state, input)` is empty where the input
// is not legal. What is sent is checked by assertion (our fault), what is received becomes a ProtocolFault. The states
// after the specification's diagrams; protocol headers are behind us here. "Frame" stands for every frame with no input
// of its own.

/// [2.4.6]
///
///     start ──send_open──▶ open_sent ──recv_open──▶ opened ──send_close──▶ close_sent ──recv_close──▶ ended
///       │                     │ send_close             │ └─send_error_close─▶ discarding ──recv_close──▶ ended
///       └─recv_open─▶ open_received ──send_open──▶─────┘ └─recv_close─▶ close_received ──send_close──▶ ended
enum class ConnectionState {
    start,           ///< neither open
    open_sent,       ///< ours; frames may be pipelined behind it [2.4.2]
    open_received,   ///< theirs
    opened,          ///< both
    close_piped,     ///< we have sent open and close, theirs is still to come
    close_sent,      ///< ours is said, theirs must answer
    discarding,      ///< we closed with an error: everything but a close is dropped [2.4.3-i]
    close_unopened,  ///< theirs came before our open went
    close_received,  ///< theirs came, ours must answer
    ended,
};
enum class ConnectionInput { send_open, recv_open, send_frame, recv_frame, send_close, send_error_close, recv_close };

/// [2.5.5]
enum class SessionState {
    unmapped,
    begin_sent,      ///< ours; frames may be pipelined behind it
    begin_received,  ///< theirs
    mapped,          ///< both
    end_sent,        ///< ours is said, theirs must answer
    discarding,      ///< we ended with an error: everything but an end is dropped [2.5.4-b]
    end_received,    ///< theirs came, ours must answer
    ended,
};
enum class SessionInput { send_begin, recv_begin, send_frame, recv_frame, send_end, send_error_end, recv_end };

/// [2.6.3], [2.6.4]
enum class LinkState : std::uint8_t {
    detached,
    attach_sent,      ///< ours; flows may be pipelined behind it
    attach_received,  ///< theirs
    attached,         ///< both
    detach_sent,      ///< ours is said, theirs must answer
    discarding,       ///< we detached with an error: everything but a detach is dropped [2.6.5]
    detach_received,  ///< theirs came, ours must answer
    ended,
};
enum class LinkInput { send_attach, recv_attach, send_frame, recv_frame, send_detach, send_error_detach, recv_detach };

inline constexpr std::size_t connection_state_count = static_cast<std::size_t>(ConnectionState::ended) + 1;
inline constexpr std::size_t connection_input_count = static_cast<std::size_t>(ConnectionInput::recv_close) + 1;
inline constexpr std::size_t session_state_count = static_cast<std::size_t>(SessionState::ended) + 1;
inline constexpr std::size_t session_input_count = static_cast<std::size_t>(SessionInput::recv_end) + 1;
inline constexpr std::size_t link_state_count = static_cast<std::size_t>(LinkState::ended) + 1;
inline constexpr std::size_t link_input_count = static_cast<std::size_t>(LinkInput::recv_detach) + 1;

std::optional<ConnectionState> next(ConnectionState state, ConnectionInput input) noexcept;
std::optional<SessionState> next(SessionState state, SessionInput input) noexcept;
std::optional<LinkState> next(LinkState state, LinkInput input) noexcept;

std::string_view name_of(ConnectionState state) noexcept;
std::string_view name_of(SessionState state) noexcept;
std::string_view name_of(LinkState state) noexcept;
std::string_view name_of(ConnectionInput input) noexcept;
std::string_view name_of(SessionInput input) noexcept;
std::string_view name_of(LinkInput input) noexcept;

}  // namespace aprotic::engine::core
