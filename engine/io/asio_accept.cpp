#include <chrono>
#include <cstdio>

#include <fmt/core.h>
#include <asio/error.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>

#include <aprotic/engine/io/asio_accept.hpp>
#include <aprotic/engine/io/asio_stream.hpp>

namespace aprotic::engine::io {
namespace {

using asio::ip::tcp;
using unix_socket = asio::local::stream_protocol;

/// When no descriptor is left, accepting again at once would spin; something may be closed by then.
constexpr auto retry_pause = std::chrono::milliseconds(100);

template <class Protocol>
class AsioAcceptor final : public Acceptor {
public:
    AsioAcceptor(typename Protocol::acceptor acceptor, Address at, Reactor::Accepted accepted)
        : core_(std::make_shared<Core>(std::move(acceptor), std::move(at), std::move(accepted))) {
        core_->accept_next();
    }

    ~AsioAcceptor() override {
        core_->accepted = nullptr;
        std::error_code ignored;
        core_->acceptor.close(ignored);
        core_->retry.cancel();
        if (core_->at.kind == Address::Kind::unix_socket) std::remove(core_->at.host.c_str());
    }

    Address local_address() const override { return core_->at; }

private:
    struct Core : std::enable_shared_from_this<Core> {
        Core(typename Protocol::acceptor a, Address where, Reactor::Accepted done)
            : acceptor(std::move(a)), retry(acceptor.get_executor()), at(std::move(where)), accepted(std::move(done)) {}

        void accept_next() {
            acceptor.async_accept(
                [self = this->shared_from_this()](const std::error_code& error, typename Protocol::socket socket) {
                    if (!self->accepted || error == asio::error::operation_aborted) return;
                    if (!error) {
                        self->hand_over(std::move(socket));
                        if (self->accepted) self->accept_next();
                        return;
                    }
                    self->retry.expires_after(retry_pause);
                    self->retry.async_wait([self](const std::error_code& cancelled) {
                        if (!cancelled && self->accepted) self->accept_next();
                    });
                });
        }

        void hand_over(typename Protocol::socket socket) {
            // The function may destroy the acceptor, and with it the slot it lives in.
            auto call = std::move(accepted);
            if constexpr (std::is_same_v<Protocol, tcp>) {
                call(make_asio_stream(std::move(socket)));
            } else {
                call(make_asio_stream(std::move(socket), at.host));
            }
            if (acceptor.is_open()) accepted = std::move(call);
        }

        typename Protocol::acceptor acceptor;
        asio::steady_timer retry;
        Address at;
        Reactor::Accepted accepted;
    };

    std::shared_ptr<Core> core_;
};

template <class Acceptor_, class Endpoint>
std::error_code bind_and_listen(Acceptor_& acceptor, const Endpoint& endpoint) {
    std::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (error) return error;
    if constexpr (std::is_same_v<Endpoint, tcp::endpoint>) {
        acceptor.set_option(asio::socket_base::reuse_address(true), error);
        if (endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
            acceptor.set_option(asio::ip::v6_only(false), error);
        }
    }
    acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    return error;
}

Failure cannot_listen(const Address& at, const std::error_code& error) {
    return {.code = error,
            .initiator = Initiator::us,
            .condition = {},
            .text = fmt::format("cannot listen on {}: {}", at.to_string(), error.message())};
}

using Made = codec::Result<std::unique_ptr<Acceptor>, Failure>;

Made listen_tcp(asio::io_context& context, const Address& at, Reactor::Accepted accepted) {
    std::vector<tcp::endpoint> endpoints;
    std::error_code error;
    if (at.host.empty()) {
        endpoints = {tcp::endpoint(tcp::v6(), at.port), tcp::endpoint(tcp::v4(), at.port)};
    } else {
        tcp::resolver resolver(context);
        const auto flags = tcp::resolver::passive | tcp::resolver::numeric_service;
        const auto found = resolver.resolve(at.host, std::to_string(at.port), flags, error);
        if (error) {
            return Failure{.code = Errc::resolve_failed,
                           .initiator = Initiator::us,
                           .condition = {},
                           .text = fmt::format("cannot listen on {}: {}", at.to_string(), error.message())};
        }
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    }
    for (const tcp::endpoint& endpoint : endpoints) {
        tcp::acceptor acceptor(context);
        error = bind_and_listen(acceptor, endpoint);
        if (error) continue;
        Address local = at;
        local.port = acceptor.local_endpoint(error).port();
        if (error) continue;
        return std::unique_ptr<Acceptor>(
            std::make_unique<AsioAcceptor<tcp>>(std::move(acceptor), std::move(local), std::move(accepted)));
    }
    return cannot_listen(at, error);
}

/// A socket file whose owner has died refuses connections; it stands in our way but belongs to nobody.
bool is_abandoned(asio::io_context& context, const unix_socket::endpoint& endpoint) {
    unix_socket::socket probe(context);
    std::error_code error;
    probe.connect(endpoint, error);
    return error == asio::error::connection_refused;
}

Made listen_unix(asio::io_context& context, const Address& at, Reactor::Accepted accepted) {
    unix_socket::endpoint endpoint;
    try {
        endpoint.path(at.host);  // only this form of it exists, and it throws when the path is too long
    } catch (const std::system_error& thrown) {
        return cannot_listen(at, thrown.code());
    }
    unix_socket::acceptor acceptor(context);
    std::error_code error = bind_and_listen(acceptor, endpoint);
    if (error == asio::error::address_in_use && is_abandoned(context, endpoint)) {
        std::remove(at.host.c_str());
        acceptor = unix_socket::acceptor(context);
        error = bind_and_listen(acceptor, endpoint);
    }
    if (error) return cannot_listen(at, error);
    return std::unique_ptr<Acceptor>(
        std::make_unique<AsioAcceptor<unix_socket>>(std::move(acceptor), at, std::move(accepted)));
}

}  // namespace

Made make_asio_acceptor(asio::io_context& context, const Address& at, Reactor::Accepted accepted) {
    if (at.kind == Address::Kind::unix_socket) return listen_unix(context, at, std::move(accepted));
    return listen_tcp(context, at, std::move(accepted));
}

}  // namespace aprotic::engine::io
