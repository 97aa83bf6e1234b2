#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/operation.hpp>
#include <aprotic/driver/serializer.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/driver/trace_context.hpp>
#include <aprotic/driver/transport.hpp>

namespace aprotic::driver {

/// What a client asks for unless a call says otherwise; also what prepare() changes. Only what is set counts.
struct CallOptions {
    std::optional<std::string> exchange = {};
    std::optional<std::string> topic = {};
    std::optional<std::string> namespace_ = {};
    std::optional<std::string> version = {};
    std::optional<std::string> server = {};
    std::optional<bool> fanout = {};
    std::optional<Duration> timeout =
        {};  ///< else the transport's rpc_response_timeout (calls) or default_send_timeout
    std::optional<std::string> version_cap =
        {};                         ///< requests for versions it is not compatible with fail with version_capped
    std::optional<int> retry = {};  ///< further attempts after a failed one; -1 (default): until the deadline
    std::optional<Duration> call_monitor_timeout =
        {};                            ///< the server sends heartbeats; silence longer than this ends the call
    std::optional<Json> context = {};  ///< goes with each request; default {}
    /// What this side's values are on the wire; default: JSON as it is.
    std::optional<std::shared_ptr<const Serializer>> serializer = {};
    /// The server is told when a call is given up (cancelled, or its time is over): it drops the call if it has not
    /// begun, else Request::cancelled stops. Servers that do not know of it work on.
    std::optional<bool> cancellable = {};
    /// A promise of the application's: should a server run the request twice, no harm is done. Where it may have been
    /// lost with its connection or link it is then sent again, until the deadline, with one key for all times. A server
    /// that keeps a window for keys (RpcServerOptions::idempotency) runs it once and gives its reply to repeats.
    /// Windows are not shared: a repeat may reach another server of the topic, unless the target names one, and other
    /// implementations know no keys. Casts are then sent unsettled.
    std::optional<bool> idempotent = {};
    /// The key to use for an idempotent request, so that a later call is a repeat of an earlier one; with it
    /// `idempotent` need not be said. At most 128 octets, unique among all clients of a server. Default: a new one for
    /// each call.
    std::optional<std::string> idempotency_key = {};
    std::optional<TraceContext> trace = {};  ///< goes with each request; default: TransportOptions::make_trace
    /// Casts are sent unsettled whatever `pre_settled` says: success means that the peer has taken responsibility, and
    /// a cast that nobody takes is undeliverable.
    std::optional<bool> at_least_once = {};
};

/// Calls methods of RPC servers. Cheap to copy; any thread.
///
/// A deadline covers everything from connecting to the reply. Nothing is ever sent twice that may have been processed.
/// `args` is a JSON object (null: none): `{{"a", 2}, {"b", 3}}`.
///
/// Blocking forms throw RpcError; on the reactor's own thread (inside callbacks) they fail with Errc::would_deadlock.
/// Their try_ counterparts return instead of throwing. Asynchronous forms take a callback or an Asio completion token:
/// - a callback `(std::error_code, Json)`, for async_cast `(std::error_code)`; or `(Result<Json>)`, `(Result<void>)`,
/// which has all
///   there is to know. It is called once, on the reactor's thread, never from inside the call itself, must not block,
///   and must not throw;
/// - with <aprotic/driver/asio_tokens.hpp> any completion token: use_awaitable, use_future, bind_executor(ex,
/// callback), deferred…
///   The handler runs on its associated executor and its cancellation slot cancels the call. `co_await` and std::future
///   throw RpcError.
class RpcClient {
public:
    RpcClient(Transport& transport, Target target, CallOptions options = {});

    /// A client for the same transport with other options: `client.prepare({.fanout = true}).cast("refresh")`.
    RpcClient prepare(CallOptions changes) const;
    const Target& target() const noexcept { return *target_; }

    /// Calls a method and waits for its reply. `call<int>(…)` converts it; a reply that is no T fails with bad_reply.
    template <class T = Json>
    T call(std::string method, Json args = {}, std::optional<Duration> timeout = {}) const {
        return value_or_throw(convert<T>(try_call(std::move(method), std::move(args), timeout)));
    }
    Result<Json> try_call(std::string method, Json args = {}, std::optional<Duration> timeout = {}) const;

    /// Sends without expecting a reply; waits until it is written or, when casts are not pre-settled, accepted. With a
    /// fanout target it goes to every server that listens now.
    void cast(std::string method, Json args = {}, std::optional<Duration> timeout = {}) const;
    Result<void> try_cast(std::string method, Json args = {}, std::optional<Duration> timeout = {}) const;
    /// `prepare({.fanout = true}).cast(…)`
    void fanout(std::string method, Json args = {}, std::optional<Duration> timeout = {}) const;

    /// Without a timeout: `async_call(method, args, std::nullopt, token)`. With a callback the CallHandle is returned.
    template <class Token>
    auto async_call(std::string method, Json args, std::optional<Duration> timeout, Token&& token) const {
        return detail::start<Json>(call_operation(std::move(method), std::move(args), timeout),
                                   std::forward<Token>(token));
    }
    template <class Token>
    auto async_cast(std::string method, Json args, std::optional<Duration> timeout, Token&& token) const {
        return detail::start<void>(cast_operation(std::move(method), std::move(args), timeout),
                                   std::forward<Token>(token));
    }

    /// Whether a request for `version`, or for the target's, would pass the version cap.
    bool can_send_version(std::optional<std::string_view> version = {}) const;

private:
    detail::Operation<Json> call_operation(std::string method, Json args, std::optional<Duration> timeout) const;
    detail::Operation<void> cast_operation(std::string method, Json args, std::optional<Duration> timeout) const;

    template <class T>
    static Result<T> convert(Result<Json> reply) {
        if constexpr (std::is_same_v<T, Json>) {
            return reply;
        } else {
            if (!reply) return reply.error();
            try {
                return reply->template get<T>();
            } catch (const Json::exception& wrong) {
                return bad_reply(wrong.what(), *reply);
            }
        }
    }
    static CallFailure bad_reply(const char* why, const Json& reply);

    template <class T>
    static T value_or_throw(Result<T> result) {
        if (!result) throw RpcError(result.error());
        return std::move(result).value();
    }

    std::shared_ptr<bus::Bus> bus_;
    std::shared_ptr<const Target> target_;
    CallOptions options_;
};

}  // namespace aprotic::driver
