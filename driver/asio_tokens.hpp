#pragma once

// Asio's completion tokens for async_call, async_cast and async_notify. The only header of the driver that needs Asio.

#include <exception>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <aprotic/driver/operation.hpp>
#include <aprotic/driver/rpc_client.hpp>

namespace aprotic::driver::detail {

/// Tokens whose result is thrown get the whole RpcError; all others the error code.
template <class Token>
inline constexpr bool throws = false;
#ifdef ASIO_HAS_CO_AWAIT
template <class Executor>
inline constexpr bool throws<asio::use_awaitable_t<Executor>> = true;
#endif
template <class Allocator>
inline constexpr bool throws<asio::use_future_t<Allocator>> = true;

template <class Error, class T>
struct CompletionSignature {
    using type = void(Error, T);
};
template <class Error>
struct CompletionSignature<Error, void> {
    using type = void(Error);
};

inline std::exception_ptr as_error(const CallFailure& failure, std::exception_ptr) {
    return std::make_exception_ptr(RpcError(failure));
}
inline std::error_code as_error(const CallFailure& failure, std::error_code) { return failure.code; }

/// Brings a result to the handler on the handler's executor, which is kept from running out of work until then.
template <class Error, class T, class Handler>
class Delivered {
public:
    explicit Delivered(Handler handler)
        : work_(asio::make_work_guard(handler)),
          slot_(asio::get_associated_cancellation_slot(handler)),
          handler_(std::move(handler)) {}

    void operator()(Result<T> result) {
        // Until dispatch() is through: the handler may be what the caller's run() waited for, and its io_context then
        // goes.
        const auto dispatching = work_;
        asio::dispatch(dispatching.get_executor(), [self = std::move(*this), result = std::move(result)]() mutable {
            if (self.slot_.is_connected()) self.slot_.clear();
            self.work_.reset();
            Error error = result ? Error() : as_error(result.error(), Error());
            if constexpr (std::is_void_v<T>)
                std::move(self.handler_)(std::move(error));
            else
                std::move(self.handler_)(std::move(error), result ? std::move(result).value() : T());
        });
    }

private:
    asio::executor_work_guard<asio::associated_executor_t<Handler>> work_;
    asio::associated_cancellation_slot_t<Handler> slot_;
    Handler handler_;
};

template <class Token>
struct CompletionToken<Token, void> {
    static constexpr bool known = true;

    template <class T, class Given>
    static auto initiate(Operation<T> operation, Given&& token) {
        using Error = std::conditional_t<throws<Token>, std::exception_ptr, std::error_code>;
        return asio::async_initiate<Given, typename CompletionSignature<Error, T>::type>(
            [operation = std::move(operation)](auto&& handler) mutable {
                using Handler = std::decay_t<decltype(handler)>;
                auto slot = asio::get_associated_cancellation_slot(handler);
                // The slot is filled before the operation begins: once begun, it may complete at any time on another
                // thread.
                auto call = std::make_shared<CallHandle>();
                if (slot.is_connected()) slot.assign([call](asio::cancellation_type) { call->cancel(); });
                *call = operation(Delivered<Error, T, Handler>(std::forward<decltype(handler)>(handler)));
            },
            token);
    }
};

}  // namespace aprotic::driver::detail
