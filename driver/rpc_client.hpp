#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/driver/transport.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver {

/// Names a call under way. Cheap to copy; dropping it changes nothing.
class CallHandle {
public:
    CallHandle() = default;
    /// Ends the call with Errc::cancelled, unless it has ended. What has been sent may be processed all the same. Any
    /// thread.
    void cancel() const;

private:
    friend class RpcClient;
    struct State;
    explicit CallHandle(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

namespace detail {

/// Names what tells a completion handler bound to Asio (executor, slot, allocator) from a plain callable.
template <class T>
concept AssociatedWithAsio = requires {
    typename T::executor_type;
}
|| requires { typename T::cancellation_slot_type; }
|| requires { typename T::allocator_type; };

template <class F, class... Args>
concept PlainCallback = !AssociatedWithAsio<F> && std::invocable<F&, Args...>;

/// Begins an operation and has `done` called once with what came of it.
template <class T>
using Operation = engine::Function<CallHandle(engine::Function<void(Result<T>)> done)>;

/// Specialised by asio_tokens.hpp.
template <class Token, class Enable = void>
struct CompletionToken {
    static constexpr bool known = false;
};

template <class Token>
constexpr void require_asio_tokens() {
    static_assert(
        CompletionToken<Token>::known,
        "async_call, async_cast: the last argument is no callback taking (std::error_code, Json) "
        "[cast: (std::error_code)]. For Asio's completion tokens (use_awaitable, use_future, bind_executor, ...) "
        "include <aprotic/driver/asio_tokens.hpp> first");
}

}  // namespace detail

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
    const Target& target() const noexcept { return target_; }

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
        return start<Json>(call_operation(std::move(method), std::move(args), timeout), std::forward<Token>(token));
    }
    template <class Token>
    auto async_cast(std::string method, Json args, std::optional<Duration> timeout, Token&& token) const {
        return start<void>(cast_operation(std::move(method), std::move(args), timeout), std::forward<Token>(token));
    }

    /// Whether a request for `version` would pass the version cap.
    bool can_send_version(std::string_view version) const;

private:
    friend class CallHandle;

    detail::Operation<Json> call_operation(std::string method, Json args, std::optional<Duration> timeout) const;
    detail::Operation<void> cast_operation(std::string method, Json args, std::optional<Duration> timeout) const;

    template <class T, class Token>
    static auto start(detail::Operation<T> operation, Token&& token) {
        using F = std::decay_t<Token>;
        if constexpr (detail::PlainCallback<F, Result<T>>) {
            return operation(engine::Function<void(Result<T>)>(F(std::forward<Token>(token))));
        } else if constexpr (std::is_void_v<T> && detail::PlainCallback<F, std::error_code>) {
            return operation([callback = F(std::forward<Token>(token))](Result<T> result) mutable {
                callback(result.error().code);
            });
        } else if constexpr (!std::is_void_v<T> && detail::PlainCallback<F, std::error_code, Json>) {
            return operation([callback = F(std::forward<Token>(token))](Result<T> result) mutable {
                if (result)
                    callback(std::error_code(), std::move(result).value());
                else
                    callback(result.error().code, Json());
            });
        } else if constexpr (detail::CompletionToken<F>::known) {
            return detail::CompletionToken<F>::template initiate<T>(std::move(operation), std::forward<Token>(token));
        } else {
            detail::require_asio_tokens<F>();
        }
    }

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
    Target target_;
    CallOptions options_;
};

}  // namespace aprotic::driver
