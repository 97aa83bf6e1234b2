#include <aprotic/driver/rpc_client.hpp>

#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/envelope.hpp>
#include <aprotic/driver/bus/json_text.hpp>
#include <aprotic/driver/bus/wait.hpp>

namespace aprotic::driver {

namespace {

template <class T>
void take(std::optional<T>& into, std::optional<T>&& change) {
    if (change) into = std::move(change);
}
template <class T>
void take(T& into, std::optional<T>&& change) {
    if (change) into = std::move(*change);
}

CallFailure unsendable(Errc code, std::string text) {
    CallFailure failure;
    failure.code = code;
    failure.text = std::move(text);
    return failure;
}

std::unique_ptr<CallFailure> unsendable_with(Errc code, std::string text) {
    return std::make_unique<CallFailure>(unsendable(code, std::move(text)));
}

const Serializer* serializer_of(const CallOptions& options) {
    return options.serializer ? options.serializer->get() : nullptr;
}

/// What call and cast have in common.
bus::LetterPtr make_letter(const bus::Bus& bus, const std::shared_ptr<const Target>& to, const CallOptions& options,
                           Request request) {
    const Target& target = *to;
    auto letter = std::make_shared<bus::Letter>();
    letter->target = to;
    letter->retries = options.retry.value_or(-1);
    letter->idempotent = options.idempotency_key ? true : options.idempotent.value_or(false);
    letter->extras.idempotency_key = options.idempotency_key;
    letter->extras.trace = options.trace;
    if (!options.trace && bus.options().make_trace) letter->extras.trace = bus.options().make_trace();
    request.namespace_ = target.namespace_;
    request.version = target.version;
    if (const Serializer* const serializer = serializer_of(options)) {
        try {
            request.args = serialize_args(*serializer, request.context, std::move(request.args));
            request.context = serializer->serialize_context(std::move(request.context));
        } catch (const std::exception& thrown) {
            letter->unsendable = unsendable_with(Errc::invalid_target,
                                                 fmt::format("the serializer refuses the request: {}", thrown.what()));
            return letter;
        }
    }
    letter->text = bus::request_text(request);
    const bool has_arguments = request.args.is_object() || request.args.is_null();
    bus::discard(std::move(request.args));
    if (target.topic.empty()) {
        letter->unsendable = unsendable_with(Errc::invalid_target, "the target has no topic");
    } else if (!has_arguments) {
        letter->unsendable = unsendable_with(Errc::invalid_target, "the arguments are no JSON object");
    } else if (target.version && !version_is_compatible(*target.version, *target.version)) {
        letter->unsendable = unsendable_with(
            Errc::invalid_target, fmt::format("version '{}' is none: major.minor was expected", *target.version));
    } else if (options.idempotency_key &&
               (options.idempotency_key->empty() || options.idempotency_key->size() > bus::idempotency_key_bytes_max)) {
        letter->unsendable = unsendable_with(
            Errc::invalid_target, fmt::format("an idempotency key has 1 to {} octets", bus::idempotency_key_bytes_max));
    } else if (options.version_cap && target.version && !version_is_compatible(*options.version_cap, *target.version)) {
        letter->unsendable = unsendable_with(
            Errc::version_capped,
            fmt::format("version {} is beyond the client's version_cap {}", *target.version, *options.version_cap));
    }
    return letter;
}

/// Has the client's serializer look at a reply.
struct ReplyReader {
    std::shared_ptr<const Serializer> serializer;
    Json context;

    /// Null without a serializer.
    static std::unique_ptr<ReplyReader> of(const CallOptions& options) {
        if (serializer_of(options) == nullptr) return nullptr;
        return std::make_unique<ReplyReader>(
            ReplyReader{*options.serializer, options.context.value_or(Json::object())});
    }
    Result<Json> read(Result<Json> reply) const {
        if (!reply) return reply;
        try {
            return serializer->deserialize_entity(context, std::move(reply).value());
        } catch (const std::exception& thrown) {
            return unsendable(Errc::bad_reply, fmt::format("the serializer refuses the reply: {}", thrown.what()));
        }
    }
};

}  // namespace

RpcClient::RpcClient(Transport& transport, Target target, CallOptions options)
    : bus_(transport.bus()), target_(std::make_shared<const Target>(std::move(target))) {
    *this = prepare(std::move(options));
}

RpcClient RpcClient::prepare(CallOptions changes) const {
    RpcClient changed(*this);
    Target target = *target_;
    take(target.exchange, std::move(changes.exchange));
    take(target.topic, std::move(changes.topic));
    take(target.namespace_, std::move(changes.namespace_));
    take(target.version, std::move(changes.version));
    take(target.server, std::move(changes.server));
    take(target.fanout, std::move(changes.fanout));
    changed.target_ = std::make_shared<const Target>(std::move(target));
    take(changed.options_.timeout, std::move(changes.timeout));
    take(changed.options_.version_cap, std::move(changes.version_cap));
    take(changed.options_.retry, std::move(changes.retry));
    take(changed.options_.call_monitor_timeout, std::move(changes.call_monitor_timeout));
    take(changed.options_.context, std::move(changes.context));
    take(changed.options_.serializer, std::move(changes.serializer));
    take(changed.options_.cancellable, std::move(changes.cancellable));
    take(changed.options_.idempotent, std::move(changes.idempotent));
    take(changed.options_.idempotency_key, std::move(changes.idempotency_key));
    take(changed.options_.trace, std::move(changes.trace));
    take(changed.options_.at_least_once, std::move(changes.at_least_once));
    return changed;
}

detail::Operation<Json> RpcClient::call_operation(std::string method, Json args,
                                                  std::optional<Duration> timeout) const {
    Request request{.method = std::move(method),
                    .args = std::move(args),
                    .context = options_.context ? *options_.context : Json::object(),
                    .call_monitor_timeout = options_.call_monitor_timeout};
    auto letter = make_letter(*bus_, target_, options_, std::move(request));
    letter->kind = bus::Letter::Kind::call;
    letter->settled = bus_->options().pre_settled.rpc_call;
    letter->timeout = bus::bounded(timeout.value_or(options_.timeout.value_or(bus_->options().rpc_response_timeout)));
    letter->with_ttl = true;
    letter->extras.cancellable = options_.cancellable.value_or(false);
    letter->call_monitor_timeout = options_.call_monitor_timeout;
    if (target_->fanout)
        letter->unsendable = unsendable_with(Errc::invalid_target, "a call cannot go to every server; use cast");
    return [bus = bus_, letter = std::move(letter),
            reader = ReplyReader::of(options_)](engine::Function<void(Result<Json>)> done) mutable {
        if (reader)
            letter->done = [reader = std::move(reader), done = std::move(done)](Result<Json> result) mutable {
                done(reader->read(std::move(result)));
            };
        else
            letter->done = std::move(done);
        CallHandle handle(bus);
        handle.letter_ = letter;
        bus->submit(std::move(letter));
        return handle;
    };
}

detail::Operation<void> RpcClient::cast_operation(std::string method, Json args,
                                                  std::optional<Duration> timeout) const {
    auto letter = make_letter(*bus_, target_, options_,
                              Request{.method = std::move(method),
                                      .args = std::move(args),
                                      .context = options_.context ? *options_.context : Json::object()});
    letter->kind = bus::Letter::Kind::cast;
    letter->settled =
        bus_->options().pre_settled.rpc_cast && !letter->idempotent && !options_.at_least_once.value_or(false);
    letter->timeout = bus::bounded(timeout.value_or(options_.timeout.value_or(bus_->options().default_send_timeout)));
    return [bus = bus_, letter = std::move(letter)](engine::Function<void(Result<void>)> done) mutable {
        letter->done = [done = std::move(done)](Result<Json> result) mutable {
            done(result ? Result<void>() : Result<void>(result.error()));
        };
        CallHandle handle(bus);
        handle.letter_ = letter;
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

bool RpcClient::can_send_version(std::optional<std::string_view> version) const {
    if (!version && target_->version) version = *target_->version;
    return !options_.version_cap || !version || version_is_compatible(*options_.version_cap, *version);
}

CallFailure RpcClient::bad_reply(const char* why, const Json& reply) {
    constexpr std::size_t shown_max = 200;
    std::string shown = to_json_text(reply);
    if (shown.size() > shown_max) shown.replace(shown_max, std::string::npos, "...");
    return unsendable(Errc::bad_reply, fmt::format("the reply {} is not of the type asked for: {}", shown, why));
}

}  // namespace aprotic::driver
