#include <aprotic/driver/dispatcher.hpp>

#include <algorithm>

#include <fmt/core.h>

namespace aprotic::driver {
namespace {

/// The contract's module name: a Python client that allows it sees oslo.messaging's own exceptions. [oslo wire 4]
constexpr const char* dispatcher_module = "oslo_messaging.rpc.dispatcher";

RemoteError dispatcher_error(std::string type, std::string message) {
    return RemoteError{std::move(type), dispatcher_module, message, {}, Json::array({message}), Json::object()};
}

/// What an exception that left a method is told as. Called inside a catch.
RemoteError current_error() {
    try {
        throw;
    } catch (const MethodError& error) {
        return error.error();
    } catch (const std::exception& error) {
        return MethodError("RuntimeError", error.what()).error();
    } catch (...) {
        return MethodError("RuntimeError", "the method threw something that is no std::exception").error();
    }
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

Endpoint& Dispatcher::endpoint(std::optional<std::string> namespace_, std::string version) {
    for (const auto& endpoint : endpoints_)
        if (endpoint->namespace_ == namespace_ && endpoint->version_ == version) return *endpoint;
    endpoints_.push_back(std::unique_ptr<Endpoint>(new Endpoint(std::move(namespace_), std::move(version))));
    return *endpoints_.back();
}

void Dispatcher::dispatch(Request request, Responder respond) {
    bool compatible = false;
    Endpoint::Method* method = nullptr;
    Endpoint::Blocking* others = nullptr;
    const std::string version = request.version.value_or("1.0");
    for (const auto& endpoint : endpoints_) {
        if (endpoint->namespace_ != request.namespace_ || !version_is_compatible(endpoint->version_, version)) continue;
        compatible = true;
        if (others == nullptr && endpoint->others_) others = &endpoint->others_;
        if (const auto at = endpoint->methods_.find(request.method); at != endpoint->methods_.end()) {
            method = &at->second;
            break;
        }
    }
    if (!compatible) {
        respond.fail(dispatcher_error(
            "UnsupportedVersion",
            fmt::format("Endpoint does not support RPC version {}. Attempted method: {}", version, request.method)));
        return;
    }
    if (method == nullptr && others == nullptr) {
        respond.fail(
            dispatcher_error("NoSuchMethod", fmt::format("Endpoint does not support RPC method {}", request.method)));
        return;
    }
    if (method != nullptr && method->later) {
        try {
            method->later(std::move(request), std::move(respond));
        } catch (...) {
            // The responder went with the call: it has answered, or answers as dropped, or is kept and will answer.
        }
        return;
    }
    try {
        respond.reply(method != nullptr ? method->now(request) : (*others)(request));
    } catch (...) {
        respond.fail(current_error());
    }
}

}  // namespace aprotic::driver
