#include <aprotic/engine/failure.hpp>

#include <fmt/core.h>

namespace aprotic::engine {
namespace {

class EngineCategory final : public std::error_category {
public:
    const char* name() const noexcept override { return "aprotic.engine"; }

    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::closed: return "closed by us";
            case Errc::would_deadlock: return "a blocking call on the reactor's own thread";
            case Errc::queue_full: return "the sender's queue is full";
            case Errc::no_such_endpoint: return "the endpoint does not exist any more";
            case Errc::wrong_state: return "not possible in the endpoint's state";
            case Errc::message_too_large: return "larger than the peer's max-message-size";
            case Errc::limit_reached: return "no channel or handle is left";
            case Errc::invalid_option: return "an option is out of its range";
            case Errc::invalid_url: return "not a usable URL";
            case Errc::timed_out: return "timed out";
            case Errc::cancelled: return "cancelled";
            case Errc::connect_timed_out: return "no connection within the connect time-out";
            case Errc::idle_timed_out: return "the peer was silent for longer than the idle time-out";
            case Errc::resolve_failed: return "the host name has no address";
            case Errc::connect_failed: return "no address of the host took the connection";
            case Errc::connection_lost: return "the connection was lost";
            case Errc::tls_failed: return "TLS failed";
            case Errc::certificate_refused: return "the peer's certificate is not to be trusted";
            case Errc::web_socket_failed: return "WebSocket failed";
            case Errc::proxy_failed: return "the proxy gave no way to the server";
            case Errc::header_mismatch: return "the peer speaks another protocol or version";
            case Errc::authentication_failed: return "authentication failed";
            case Errc::no_common_mechanism: return "no SASL mechanism that both sides may use";
            case Errc::cleartext_refused: return "a password would be sent in the clear";
            case Errc::refused: return "the peer refused the link";
            case Errc::detached_by_peer: return "the peer closed the link";
            case Errc::suspended_by_peer: return "the peer detached the link and keeps its end";
            case Errc::aborted: return "the sender took the delivery back";
            case Errc::ended_by_peer: return "the peer ended the session";
            case Errc::closed_by_peer: return "the peer closed the connection";
            case Errc::rolled_back: return "the transaction was rolled back";
            case Errc::transaction_in_doubt: return "the coordinator was lost while it committed the transaction";
            case Errc::not_offered: return "the coordinator does not offer this";
            case Errc::protocol_violation: return "the peer broke the protocol";
        }
        return "unknown engine error";
    }
};

}  // namespace

const std::error_category& engine_category() noexcept {
    static const EngineCategory category;
    return category;
}

std::string Failure::message() const {
    std::string line = text.empty() ? code.message() : text;
    if (!condition) return line;
    line += fmt::format(": {}", condition->condition.view());
    if (condition->description && !condition->description->empty())
        line += fmt::format(" \"{}\"", *condition->description);
    return line;
}

}  // namespace aprotic::engine
