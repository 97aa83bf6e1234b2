#include <aprotic/driver/dispatcher.hpp>

#include <algorithm>

#include <fmt/core.h>

#include <aprotic/driver/bus/json_text.hpp>

namespace aprotic::driver {
namespace {

/// The contract's module name: a Python client that allows it sees oslo.messaging's own exceptions. [oslo wire 4]
constexpr const char* dispatcher_module = "oslo_messaging.rpc.dispatcher";

RemoteError dispatcher_error(std::string type, std::string message) {
    return RemoteError{std::move(type), dispatcher_module, message, {}, Json::array({message}), Json::object()};
}

}  // namespace

void detail::throw_missing(const Request& request, const std::string& name) {
    throw MethodError("TypeError", fmt::format("{}() missing required argument: '{}'", request.method, name));
}

void detail::throw_mismatch(const Request& request, const std::string& name, const char* why) {
    throw MethodError("TypeError", fmt::format("{}() argument '{}': {}", request.method, name, why));
}

void detail::check_names(const Request& request, const std::vector<std::string>& names) {
    for (const auto& [name, value] : request.args.items())
        if (std::ranges::find(names, name) == names.end())
            throw MethodError("TypeError", fmt::format("{}() got an unexpected argument '{}'", request.method, name));
}

Responder& Responder::operator=(Responder&& other) noexcept {
    if (this != &other) {
        Responder dropped(std::move(*this));
        send_ = std::move(other.send_);
    }
    return *this;
}

Responder::~Responder() {
    if (send_) fail(MethodError("RuntimeError", "the server dropped the request without an answer").error());
}

void Responder::reply(Json value) { (*this)(Reply(std::move(value))); }
void Responder::fail(RemoteError error) { (*this)(Reply(std::move(error))); }

void Responder::operator()(Reply reply) {
    if (!send_) return;
    auto send = std::move(send_);
    send(std::move(reply));
}

Endpoint& Endpoint::add(std::string method, Blocking function) {
    methods_[std::move(method)] = Method{std::move(function), {}};
    return *this;
}

Endpoint& Endpoint::handle_async(std::string method, engine::Function<void(Request, Responder)> function) {
    methods_[std::move(method)] = Method{{}, std::move(function)};
    return *this;
}

bool Endpoint::serves(const std::optional<std::string>& name) const noexcept {
    return name == namespace_ || std::ranges::find(legacy_namespaces_, name) != legacy_namespaces_.end();
}

bool Endpoint::expects(const std::exception& thrown) const noexcept {
    return std::ranges::any_of(expected_, [&](const auto is) { return is(thrown); });
}

Endpoint& Dispatcher::endpoint(std::optional<std::string> namespace_, std::string version) {
    for (const auto& endpoint : endpoints_)
        if (endpoint->namespace_ == namespace_ && endpoint->version_ == version) return *endpoint;
    endpoints_.push_back(std::unique_ptr<Endpoint>(new Endpoint(std::move(namespace_), std::move(version))));
    return *endpoints_.back();
}

void Dispatcher::dispatch(Request request, Responder respond) {
    bool compatible = false;
    Endpoint* at = nullptr;
    Endpoint::Method* method = nullptr;
    Endpoint* with_others = nullptr;
    const std::string version = request.version.value_or("1.0");
    for (const auto& endpoint : endpoints_) {
        if (!endpoint->serves(request.namespace_) || !version_is_compatible(endpoint->version_, version)) continue;
        compatible = true;
        if (with_others == nullptr && endpoint->others_.now &&
            (endpoint->access_ == AccessPolicy::legacy || !request.method.starts_with('_')))
            with_others = endpoint.get();
        if (const auto found = endpoint->methods_.find(request.method); found != endpoint->methods_.end()) {
            at = endpoint.get();
            method = &found->second;
            break;
        }
    }
    if (!compatible) {
        respond.fail(dispatcher_error(
            "UnsupportedVersion",
            fmt::format("Endpoint does not support RPC version {}. Attempted method: {}", version, request.method)));
        return;
    }
    if (method == nullptr && with_others == nullptr) {
        respond.fail(
            dispatcher_error("NoSuchMethod", fmt::format("Endpoint does not support RPC method {}", request.method)));
        return;
    }
    if (method != nullptr)
        run(*at, *method, std::move(request), std::move(respond));
    else
        run(*with_others, with_others->others_, std::move(request), std::move(respond));
}

void Dispatcher::run(Endpoint& endpoint, Endpoint::Method& method, Request request, Responder respond) {
    if (method.later) {
        const std::string name = request.method;
        try {
            method.later(std::move(request), std::move(respond));
        } catch (...) {
            // The responder went with the call: it has answered, or answers as dropped, or is kept and will answer.
            static_cast<void>(current_error(endpoint, name));
        }
        return;
    }
    try {
        respond.reply(method.now(request));
        bus::discard(std::move(request.args));
    } catch (...) {
        respond.fail(current_error(endpoint, request.method));
    }
}

/// What an exception that left a method is told as. Called inside a catch.
RemoteError Dispatcher::current_error(const Endpoint& endpoint, const std::string& method) {
    RemoteError error;
    bool expected = false;
    try {
        throw;
    } catch (const MethodError& thrown) {
        return thrown.error();
    } catch (const std::exception& thrown) {
        error = MethodError("RuntimeError", thrown.what()).error();
        expected = endpoint.expects(thrown);
    } catch (...) {
        error = MethodError("RuntimeError", "the method threw something that is no std::exception").error();
    }
    if (!expected && unexpected_) unexpected_(method, error);
    return error;
}

}  // namespace aprotic::driver
