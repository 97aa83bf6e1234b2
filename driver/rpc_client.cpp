#include <aprotic/driver/rpc_client.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/wait.hpp>

namespace aprotic::driver {

struct CallHandle::State {
    std::weak_ptr<bus::Bus> bus;
    std::weak_ptr<bus::Letter> letter;
};

void CallHandle::cancel() const {
    const auto bus = state_ ? state_->bus.lock() : nullptr;
    if (!bus) return;
    bus->post([letter = state_->letter](bus::Bus& on_reactor) {
        if (const auto alive = letter.lock()) on_reactor.cancel(alive);
    });
}

namespace {

template <class T>
void take(std::optional<T>& into, std::optional<T>&& change) {
    if (change) into = std::move(change);
}
template <class T>
void take(T& into, std::optional<T>& change) {
    if (change) into = *change;
}

CallFailure unsendable(Errc code, std::string text) {
    CallFailure failure;
    failure.code = code;
    failure.text = std::move(text);
    return failure;
}

/// What call and cast have in common.
bus::LetterPtr make_letter(const Target& target, const CallOptions& options, Request request) {
    auto letter = std::make_shared<bus::Letter>();
    letter->target = target;
    letter->retries = options.retry.value_or(-1);
    request.namespace_ = target.namespace_;
    request.version = target.version;
    request.context = options.context.value_or(Json::object());
    letter->text = bus::request_text(request);
    if (target.topic.empty()) {
        letter->unsendable = unsendable(Errc::invalid_target, "the target has no topic");
    } else if (!request.args.is_object() && !request.args.is_null()) {
        letter->unsendable = unsendable(Errc::invalid_target, "the arguments are no JSON object");
    } else if (options.version_cap && target.version && !version_is_compatible(*options.version_cap, *target.version)) {
        letter->unsendable = unsendable(
            Errc::version_capped,
            fmt::format("version {} is beyond the client's version_cap {}", *target.version, *options.version_cap));
    }
    return letter;
}

Duration bounded(Duration timeout) {
    // No deadline is further away than ten years, so that points of time do not overflow.
    constexpr Duration timeout_max = std::chrono::hours(10 * 365 * 24);
    return std::clamp(timeout, Duration::zero(), timeout_max);
}

}  // namespace

RpcClient::RpcClient(Transport& transport, Target target, CallOptions options)
    : bus_(transport.bus()), target_(std::move(target)) {
    *this = prepare(std::move(options));
}

RpcClient RpcClient::prepare(CallOptions changes) const {
    RpcClient changed(*this);
    take(changed.target_.exchange, changes.exchange);
    take(changed.target_.topic, changes.topic);
    take(changed.target_.namespace_, std::move(changes.namespace_));
    take(changed.target_.version, std::move(changes.version));
    take(changed.target_.server, changes.server);
    take(changed.target_.fanout, changes.fanout);
    take(changed.options_.timeout, std::move(changes.timeout));
    take(changed.options_.version_cap, std::move(changes.version_cap));
    take(changed.options_.retry, std::move(changes.retry));
    take(changed.options_.call_monitor_timeout, std::move(changes.call_monitor_timeout));
    take(changed.options_.context, std::move(changes.context));
    return changed;
}

detail::Operation<Json> RpcClient::call_operation(std::string method, Json args,
                                                  std::optional<Duration> timeout) const {
    Request request{.method = std::move(method), .args = std::move(args)};
    request.call_monitor_timeout = options_.call_monitor_timeout;
    auto letter = make_letter(target_, options_, std::move(request));
    letter->kind = bus::Letter::Kind::call;
    letter->settled = bus_->options().pre_settled.rpc_call;
    letter->timeout = bounded(timeout.value_or(options_.timeout.value_or(bus_->options().rpc_response_timeout)));
    letter->ttl = letter->timeout;
    letter->call_monitor_timeout = options_.call_monitor_timeout;
    if (target_.fanout)
        letter->unsendable = unsendable(Errc::invalid_target, "a call cannot go to every server; use cast");
    return [bus = bus_, letter = std::move(letter)](engine::Function<void(Result<Json>)> done) mutable {
        letter->done = std::move(done);
        CallHandle handle(std::make_shared<CallHandle::State>(CallHandle::State{bus, letter}));
        bus->submit(std::move(letter));
        return handle;
    };
}

detail::Operation<void> RpcClient::cast_operation(std::string method, Json args,
                                                  std::optional<Duration> timeout) const {
    auto letter = make_letter(target_, options_, Request{.method = std::move(method), .args = std::move(args)});
    letter->kind = bus::Letter::Kind::cast;
    letter->settled = bus_->options().pre_settled.rpc_cast;
    letter->timeout = bounded(timeout.value_or(options_.timeout.value_or(bus_->options().default_send_timeout)));
    return [bus = bus_, letter = std::move(letter)](engine::Function<void(Result<void>)> done) mutable {
        letter->done = [done = std::move(done)](Result<Json> result) mutable {
            done(result ? Result<void>() : Result<void>(result.error()));
        };
        CallHandle handle(std::make_shared<CallHandle::State>(CallHandle::State{bus, letter}));
        bus->submit(std::move(letter));
        return handle;
    };
}

Result<Json> RpcClient::try_call(std::string method, Json args, std::optional<Duration> timeout) const {
    if (bus_->on_reactor_thread())
        return unsendable(Errc::would_deadlock, "call on the reactor's own thread; use async_call");
    return bus::wait_for<Json>(call_operation(std::move(method), std::move(args), timeout));
}

Result<void> RpcClient::try_cast(std::string method, Json args, std::optional<Duration> timeout) const {
    if (bus_->on_reactor_thread())
        return unsendable(Errc::would_deadlock, "cast on the reactor's own thread; use async_cast");
    return bus::wait_for<void>(cast_operation(std::move(method), std::move(args), timeout));
}

void RpcClient::cast(std::string method, Json args, std::optional<Duration> timeout) const {
    if (const auto result = try_cast(std::move(method), std::move(args), timeout); !result)
        throw RpcError(result.error());
}

void RpcClient::fanout(std::string method, Json args, std::optional<Duration> timeout) const {
    prepare({.fanout = true}).cast(std::move(method), std::move(args), timeout);
}

bool RpcClient::can_send_version(std::string_view version) const {
    return !options_.version_cap || version_is_compatible(*options_.version_cap, version);
}

CallFailure RpcClient::bad_reply(const char* why, const Json& reply) {
    constexpr std::size_t shown_max = 200;
    std::string shown = to_json_text(reply);
    if (shown.size() > shown_max) shown.replace(shown_max, std::string::npos, "...");
    return unsendable(Errc::bad_reply, fmt::format("the reply {} is not of the type asked for: {}", shown, why));
}

}  // namespace aprotic::driver
