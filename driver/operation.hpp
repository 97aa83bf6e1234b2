#pragma once

#include <concepts>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver {

namespace bus {
class Bus;
struct Letter;
}  // namespace bus

/// Names a call, cast or notification under way. Cheap to copy; dropping it changes nothing.
class CallHandle {
public:
    CallHandle() = default;
    /// Ends it with Errc::cancelled, unless it has ended. What has been sent may be processed all the same. Any
    /// thread.
    void cancel() const;

private:
    friend class RpcClient;
    friend class Notifier;
    explicit CallHandle(std::weak_ptr<bus::Bus> bus) : bus_(std::move(bus)) {}

    std::weak_ptr<bus::Bus> bus_;
    std::weak_ptr<bus::Letter> letter_;
    std::vector<std::weak_ptr<bus::Letter>> more_;  ///< of notifications, which may go to several addresses
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
        "async_call, async_cast, async_notify: the last argument is no callback taking (std::error_code, Json) "
        "[cast, notify: (std::error_code)]. For Asio's completion tokens (use_awaitable, use_future, bind_executor, "
        "...) include <aprotic/driver/asio_tokens.hpp> first");
}

/// Begins `operation` for any of the tokens that RpcClient's documentation names.
template <class T, class Token>
auto start(Operation<T> operation, Token&& token) {
    using F = std::decay_t<Token>;
    if constexpr (PlainCallback<F, Result<T>>) {
        return operation(engine::Function<void(Result<T>)>(F(std::forward<Token>(token))));
    } else if constexpr (std::is_void_v<T> && PlainCallback<F, std::error_code>) {
        return operation(
            [callback = F(std::forward<Token>(token))](Result<T> result) mutable { callback(result.error().code); });
    } else if constexpr (!std::is_void_v<T> && PlainCallback<F, std::error_code, Json>) {
        return operation([callback = F(std::forward<Token>(token))](Result<T> result) mutable {
            if (result)
                callback(std::error_code(), std::move(result).value());
            else
                callback(result.error().code, Json());
        });
    } else if constexpr (CompletionToken<F>::known) {
        return CompletionToken<F>::template initiate<T>(std::move(operation), std::forward<Token>(token));
    } else {
        require_asio_tokens<F>();
    }
}

}  // namespace detail

}  // namespace aprotic::driver
