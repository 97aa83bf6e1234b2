#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <aprotic/codec/error_condition.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::driver {

using engine::Duration;

/// What can come of a call, cast or fanout other than success. The first four groups say what may be done next.
enum class Errc {
    // Nothing left this process: safe to send again.
    not_sent =
        1,  ///< the deadline passed first: the connection, the link or its credit was missing; the text says which
    unreachable,            ///< no connection to any host of the URL within the deadline
    authentication_failed,  ///< every host refused the credentials
    refused,                ///< the peer refused the link to the address; `condition` says why
    too_large,              ///< larger than the peer takes
    // The peer has said that it was not processed: safe to send again.
    rejected,       ///< the peer calls it invalid; `condition` says why
    undeliverable,  ///< the peer gave it back (released, modified) until the deadline or the retries were over
    // It may have been processed, once.
    in_doubt,   ///< sent, and the connection was lost, or the deadline passed, before anybody took responsibility
    no_reply,   ///< the peer took responsibility, and nobody answered within the deadline
    executing,  ///< as no_reply or in_doubt, but a server had told that it works on it
    // The server has answered.
    remote_error,  ///< the method failed; `remote` has the exception
    no_such_method,
    unsupported_version,  ///< no endpoint has the namespace in a compatible version
    bad_reply,            ///< the reply is not what the contract says, or not the type asked for
    // Our caller.
    invalid_target,  ///< a topic is missing, a call is addressed to all servers, …
    version_capped,  ///< the version asked for is not compatible with the client's version_cap
    would_deadlock,  ///< a blocking form on the reactor's own thread: use the async form
    cancelled,       ///< by the caller; it may have been processed
    closed,          ///< the transport was closed first; it may have been processed
    timed_out,       ///< waiting for something other than a message ended: transport.connect, server.wait_ready, stop
};

const std::error_category& driver_category() noexcept;
inline std::error_code make_error_code(Errc code) noexcept { return {static_cast<int>(code), driver_category()}; }

/// An exception as it travels in an error reply. A Python peer rebuilds it when `module` is "builtins" and `type` names
/// a Python exception that can be made from `args`; else it sees a RemoteError.
struct RemoteError {
    std::string type = "RuntimeError";
    std::string module = "builtins";
    std::string message = {};                 ///< str(exception)
    std::vector<std::string> traceback = {};  ///< lines, each with its newline
    Json args = Json::array();
    Json kwargs = Json::object();

    bool operator==(const RemoteError&) const = default;
};

/// Thrown by a server's method to answer with an exception of its choice; any other exception is sent as a
/// RuntimeError.
class MethodError : public std::runtime_error {
public:
    explicit MethodError(RemoteError error) : std::runtime_error(error.message), error_(std::move(error)) {}
    /// `throw MethodError("ValueError", "b must not be 0")`
    MethodError(std::string type, std::string message, std::string module = "builtins")
        : MethodError(
              RemoteError{std::move(type), std::move(module), message, {}, Json::array({message}), Json::object()}) {}

    const RemoteError& error() const noexcept { return error_; }

private:
    RemoteError error_;
};

/// Why a call, cast or fanout failed, as data. What the peer said is in `condition` and `remote` alone, untrusted.
struct CallFailure {
    std::error_code code;  ///< an Errc
    std::string address;   ///< on the wire, for example "unicast.openstack.math"; empty if never known
    std::string host;      ///< "host:port" it was sent to, or tried last
    Duration elapsed{};    ///< from the request to the failure
    std::optional<codec::ErrorCondition> condition;  ///< the peer's
    std::optional<RemoteError> remote;               ///< the server's exception
    std::string text;  ///< what happened and which option changes it, one line in our words

    bool is(Errc what) const noexcept { return code == make_error_code(what); }
    /// One line for people: the code's words, the text, and the peer's condition in quotes.
    std::string message() const;
};

template <class T>
using Result = codec::Result<T, CallFailure>;

/// Thrown by the blocking forms and by `co_await`. `code()` is an Errc, `failure()` has the rest.
class RpcError : public std::system_error {
public:
    explicit RpcError(CallFailure failure);

    const CallFailure& failure() const noexcept { return *failure_; }
    const char* what() const noexcept override { return what_->c_str(); }

private:
    // Shared, because copying an exception must not throw.
    std::shared_ptr<const CallFailure> failure_;
    std::shared_ptr<const std::string> what_;
};

}  // namespace aprotic::driver

template <>
struct std::is_error_code_enum<aprotic::driver::Errc> : std::true_type {};
