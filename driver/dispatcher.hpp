#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/driver/trace_context.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver {

namespace bus {
class Service;
}

/// What a server was asked.
struct Request {
    std::string method;
    Json args = Json::object();  ///< by name
    std::optional<std::string> namespace_ = {};
    std::optional<std::string> version = {};
    Json context = Json::object();  ///< what the caller's side passes along: user, request id, …
    std::optional<Duration> call_monitor_timeout = {};
    bool wants_reply = true;  ///< false: a cast or fanout
    /// The caller has given up by then: its time-out, counted from the request's receipt, on the clock of the
    /// transport's reactor (std::chrono::steady_clock on a reactor of the transport's own). A request that is older
    /// when its turn comes is not run.
    std::optional<engine::Instant> deadline = {};
    /// Stops when the caller gives up or its deadline passes, if the call has CallOptions::cancellable; else never.
    /// Poll it, or hang a std::stop_callback on it (which then runs on the reactor's thread and must not block).
    std::stop_token cancelled = {};
    std::optional<TraceContext> trace = {};           ///< which trace the caller says it belongs to
    std::optional<std::string> idempotency_key = {};  ///< repeats of this request have the same
};

/// What a method came to.
using Reply = codec::Result<Json, RemoteError>;

/// Answers one request, once, from any thread and at any later time. Movable. Dropped unanswered, it answers with a
/// RuntimeError; for a cast it does nothing.
class Responder {
public:
    Responder() = default;
    explicit Responder(engine::Function<void(Reply)> send, std::stop_token cancelled = {})
        : send_(std::move(send)), cancelled_(std::move(cancelled)) {}
    Responder(Responder&&) noexcept = default;
    Responder& operator=(Responder&& other) noexcept;
    ~Responder();

    void reply(Json value);
    void fail(RemoteError error);
    /// Either of the two.
    void operator()(Reply reply);
    /// Request::cancelled: nobody waits for the answer any more.
    const std::stop_token& cancelled() const noexcept { return cancelled_; }

private:
    engine::Function<void(Reply)> send_;
    std::stop_token cancelled_;
};

/// Which names of methods Endpoint::handle_others gets. A method given by name is exposed by that, whatever its name.
enum class AccessPolicy {
    standard,  ///< all but those that begin with "_"
    legacy,    ///< all
};

namespace detail {

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class R, class... Args>
struct Signature<R (*)(Args...)> {
    using Result = R;
    using Arguments = std::tuple<std::decay_t<Args>...>;
};
template <class C, class R, class... Args>
struct Signature<R (C::*)(Args...)> : Signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct Signature<R (C::*)(Args...) const> : Signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct Signature<R (C::*)(Args...) noexcept> : Signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct Signature<R (C::*)(Args...) const noexcept> : Signature<R (*)(Args...)> {};
template <class R, class... Args>
struct Signature<R (*)(Args...) noexcept> : Signature<R (*)(Args...)> {};

template <class F>
concept Callable = requires {
    typename Signature<std::decay_t<F>>::Result;
};

template <class Tuple>
inline constexpr bool first_is_request = false;
template <class... Rest>
inline constexpr bool first_is_request<std::tuple<Request, Rest...>> = true;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// One argument as a T; throws MethodError("TypeError", …) when it is none.
template <class T>
T argument(const Request& request, const std::string& name);
[[noreturn]] void throw_missing(const Request& request, const std::string& name);
[[noreturn]] void throw_mismatch(const Request& request, const std::string& name, const char* why);
/// Throws MethodError("TypeError", …) when the request has an argument that is not in `names`.
void check_names(const Request& request, const std::vector<std::string>& names);

}  // namespace detail

/// The methods of one namespace in one version. Made by Dispatcher::endpoint.
class Endpoint {
public:
    /// A method in any of these forms; a returned void is sent as null. May throw: MethodError chooses the exception
    /// the caller sees. Called from several threads at once when the server has several.
    /// - `[](int a, std::string b) { … }` with the arguments' names `{"a", "b"}`. An argument that is missing, unknown
    /// or of another
    ///   type is answered with a TypeError; a std::optional one may be missing or null.
    /// - `[](const Json& args) { … }` without names: the arguments as they are.
    /// - either with `const Request&` in front.
    template <class F>
    Endpoint& handle(std::string method, F function, std::vector<std::string> names = {});

    /// A method that answers later: it must not block, and may keep the responder. An exception that leaves it is not
    /// sent: the responder is what answers.
    Endpoint& handle_async(std::string method, engine::Function<void(Request, Responder)> function);

    /// What answers requests for methods that have no handler here, instead of NoSuchMethod. Same rules as handle().
    Endpoint& handle_others(engine::Function<Json(const Request&)> function,
                            AccessPolicy access = AccessPolicy::standard) {
        others_.now = std::move(function);
        access_ = access;
        return *this;
    }

    /// Serves requests for these namespaces too; nullopt is the one without a name.
    Endpoint& legacy_namespaces(std::vector<std::optional<std::string>> names) {
        legacy_namespaces_ = std::move(names);
        return *this;
    }

    /// Exceptions of these types are answers that the methods here may give, as MethodError is: the log is not told.
    template <class... Exceptions>
    Endpoint& expect() {
        (expected_.push_back(
             [](const std::exception& thrown) noexcept { return dynamic_cast<const Exceptions*>(&thrown) != nullptr; }),
         ...);
        return *this;
    }

private:
    friend class Dispatcher;
    Endpoint(std::optional<std::string> name, std::string version)
        : namespace_(std::move(name)), version_(std::move(version)) {}

    using Blocking = engine::Function<Json(const Request&)>;
    using Later = engine::Function<void(Request, Responder)>;
    struct Method {
        Blocking now;
        Later later;
    };
    Endpoint& add(std::string method, Blocking function);
    bool serves(const std::optional<std::string>& name) const noexcept;
    bool expects(const std::exception& thrown) const noexcept;

    std::optional<std::string> namespace_;
    std::string version_;
    std::vector<std::optional<std::string>> legacy_namespaces_;
    std::map<std::string, Method, std::less<>> methods_;
    Method others_;
    AccessPolicy access_ = AccessPolicy::standard;
    std::vector<bool (*)(const std::exception&) noexcept> expected_;
};

/// Finds the method for a request and runs it: the first endpoint in order of their making that has the namespace, a
/// compatible version and the method. Filled before use; after that `dispatch` may be called from any thread.
class Dispatcher {
public:
    Dispatcher() = default;
    Dispatcher(Dispatcher&&) noexcept = default;
    Dispatcher& operator=(Dispatcher&&) noexcept = default;

    /// The endpoint of that namespace and version, made when there is none. It lives as long as the dispatcher.
    Endpoint& endpoint(std::optional<std::string> namespace_ = {}, std::string version = "1.0");

    /// Runs the method on the calling thread and has `respond` called with what came of it: NoSuchMethod and
    /// UnsupportedVersion included. Never throws.
    void dispatch(Request request, Responder respond);

private:
    friend class bus::Service;
    void run(Endpoint& endpoint, Endpoint::Method& method, Request request, Responder respond);
    RemoteError current_error(const Endpoint& endpoint, const std::string& method);

    std::vector<std::unique_ptr<Endpoint>> endpoints_;
    /// Is told, on the method's thread, what left one and is no answer: neither MethodError nor expected.
    engine::Function<void(const std::string& method, const RemoteError&)> unexpected_;
};

// ---- implementation of the templates -------------------------------------------------------------------------------

template <class T>
T detail::argument(const Request& request, const std::string& name) {
    const auto at = request.args.find(name);
    if constexpr (is_optional<T>) {
        if (at == request.args.end() || at->is_null()) return std::nullopt;
        return argument<typename T::value_type>(request, name);
    } else {
        if (at == request.args.end()) throw_missing(request, name);
        if constexpr (std::is_same_v<T, Json>) {
            return *at;
        } else {
            // get<> would convert numbers and booleans silently.
            if constexpr (std::is_same_v<T, bool>) {
                if (!at->is_boolean()) throw_mismatch(request, name, "a boolean is expected");
            } else if constexpr (std::integral<T>) {
                if (!at->is_number_integer()) throw_mismatch(request, name, "an integer is expected");
                const bool fits = at->is_number_unsigned() ? std::in_range<T>(at->template get<std::uint64_t>())
                                                           : std::in_range<T>(at->template get<std::int64_t>());
                if (!fits) throw_mismatch(request, name, "the integer is out of range");
            } else if constexpr (std::floating_point<T>) {
                if (!at->is_number()) throw_mismatch(request, name, "a number is expected");
            }
            try {
                return at->template get<T>();
            } catch (const Json::exception& wrong) {
                throw_mismatch(request, name, wrong.what());
            }
        }
    }
}

template <class F>
Endpoint& Endpoint::handle(std::string method, F function, std::vector<std::string> names) {
    static_assert(detail::Callable<F>, "a method is a function or a lambda whose parameters have types (no auto)");
    using Signature = detail::Signature<F>;
    using Arguments = typename Signature::Arguments;
    constexpr bool with_request = detail::first_is_request<Arguments>;
    constexpr std::size_t offset = with_request ? 1 : 0;
    constexpr std::size_t count = std::tuple_size_v<Arguments> - offset;
    constexpr bool may_take_all = [] {
        if constexpr (count == 1) return std::is_same_v<std::tuple_element_t<offset, Arguments>, Json>;
        return false;
    }();
    APROTIC_ASSERT(names.size() == count || (may_take_all && names.empty()));  // one name for each parameter

    return add(
        std::move(method), [function = std::move(function), names = std::move(names)](const Request& request) mutable {
            auto invoke = [&](auto&&... arguments) -> Json {
                if constexpr (std::is_void_v<typename Signature::Result>) {
                    function(std::forward<decltype(arguments)>(arguments)...);
                    return nullptr;
                } else {
                    return Json(function(std::forward<decltype(arguments)>(arguments)...));
                }
            };
            if constexpr (may_take_all) {
                if (names.empty()) {
                    if constexpr (with_request)
                        return invoke(request, request.args);
                    else
                        return invoke(request.args);
                }
            }
            detail::check_names(request, names);
            return [&]<std::size_t... I>(std::index_sequence<I...>)->Json {
                if constexpr (with_request)
                    return invoke(request,
                                  detail::argument<std::tuple_element_t<I + offset, Arguments>>(request, names[I])...);
                else
                    return invoke(detail::argument<std::tuple_element_t<I, Arguments>>(request, names[I])...);
            }
            (std::make_index_sequence<count>());
        });
}

}  // namespace aprotic::driver
