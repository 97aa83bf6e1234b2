#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <aprotic/codec/error_condition.hpp>

namespace aprotic::engine {

/// What can end an operation, a link, a session or a connection, other than the peer's own orderly word.
enum class Errc {
    // our caller
    closed = 1,         ///< the endpoint was closed by us before the operation finished
    would_deadlock,     ///< a blocking call on the reactor's own thread
    queue_full,         ///< the sender's byte bound is reached and blocking was not asked for
    no_such_endpoint,   ///< the id names nothing any more
    wrong_state,        ///< the command is not legal in the endpoint's state
    message_too_large,  ///< larger than the peer's max-message-size [2.7.3]
    limit_reached,      ///< channel-max or handle-max leaves no room
    invalid_option,     ///< an option's value is out of its range
    invalid_url,
    // time and second thoughts
    timed_out,          ///< the operation's deadline passed
    cancelled,          ///< whoever asked for the operation wants it no more
    connect_timed_out,  ///< no connection within ConnectionOptions::connect_timeout
    idle_timed_out,     ///< nothing came from the peer for our idle time-out [2.4.5]
    // transport
    resolve_failed,   ///< the host's name has no address
    connect_failed,   ///< no address of the host took the connection
    connection_lost,  ///< the byte stream ended without a close frame
    // handshake
    tls_failed,             ///< the TLS handshake or a record of it, or the peer refused our certificate [5.2]
    certificate_refused,    ///< the peer's certificate is not to be trusted [5.2-b]
    web_socket_failed,      ///< the WebSocket handshake, or the peer broke its protocol
    proxy_failed,           ///< the HTTP proxy did not give the way to the server
    header_mismatch,        ///< the peer speaks another protocol or version [2.2]
    authentication_failed,  ///< SASL outcome other than ok [5.3]
    no_common_mechanism,    ///< nothing both sides may use [5.3]
    cleartext_refused,      ///< credentials would have left this machine unencrypted
    // the peer's word
    refused,            ///< the peer refused the link: attach with null terminus, then detach [2.6.3]
    detached_by_peer,   ///< the peer closed the link
    suspended_by_peer,  ///< the peer detached the link without closing it: it keeps its end [2.6.4]
    aborted,            ///< the sender took back a delivery that it had begun [2.7.5-t]
    ended_by_peer,      ///< the peer ended the session
    closed_by_peer,     ///< the peer closed the connection
    // transactions
    rolled_back,           ///< nothing that was done in the transaction took effect [4.3]
    transaction_in_doubt,  ///< the coordinator was lost while it committed: all of it took effect, or nothing
    not_offered,           ///< the coordinator has not the capability for this [4.5.7]
    // the peer's faults
    protocol_violation,  ///< the peer broke the rule named in the text
};

const std::error_category& engine_category() noexcept;
inline std::error_code make_error_code(Errc code) noexcept { return {static_cast<int>(code), engine_category()}; }

/// Who caused an end, so that nothing is told back to the side that said it.
enum class Initiator { us, peer, transport };

/// The innermost endpoint a fault takes with it; all others live on.
enum class FaultScope { link, session, connection };

/// A rule the peer broke: what goes into our detach, end or close, and which clause says so. [2.8.14]
struct ProtocolFault {
    FaultScope scope = FaultScope::connection;
    std::string_view condition{};  ///< static storage; for example codec::condition::framing_error
    std::string_view rule{};       ///< static storage; clause id, for example "2.7.5"
    std::string text{};            ///< one sentence in our words; becomes the description
};

/// Why something ended. `text` is ours; what the peer said is in `condition` alone, untrusted and of unknown intent.
struct Failure {
    std::error_code code{};
    Initiator initiator = Initiator::us;
    std::optional<codec::ErrorCondition> condition{};  ///< the peer's, or what we told the peer
    std::string text{};                                ///< what happened, to which address, which option changes it

    /// One line for people: our text and, quoted, the peer's condition and description.
    std::string message() const;
};

}  // namespace aprotic::engine

template <>
struct std::is_error_code_enum<aprotic::engine::Errc> : std::true_type {};
