#include <aprotic/engine/container.hpp>

#include <chrono>
#include <deque>
#include <future>
#include <stdexcept>

#include <fmt/core.h>

#include <aprotic/engine/asio_reactor.hpp>
#include <aprotic/engine/state/completer.hpp>
#include <aprotic/engine/state/connect_url.hpp>
#include <aprotic/engine/state/container_state.hpp>
#include <aprotic/engine/tls.hpp>

namespace aprotic::engine {
namespace {

std::shared_ptr<ContainerState> make_state(std::shared_ptr<Loop> loop, std::string id) {
    if (id.empty()) id = fmt::format("aprotic-{:016x}", loop->reactor.random());
    return std::make_shared<ContainerState>(std::move(loop), std::move(id));
}

/// Empty, or what is wrong with the TLS settings in this role.
std::string tls_fault(const ConnectionOptions& options, EngineRole role) {
    if (!options.tls.context || options.tls.context->role() == role) return {};
    return role == EngineRole::client ? "tls.context is a server's: make it by TlsContext::make_client"
                                      : "tls.context is a client's: make it by TlsContext::make_server";
}

/// Connections of one listener whose peers have not opened them yet, oldest first.
class Unopened {
public:
    explicit Unopened(std::size_t max) : max_(max) {}

    /// Makes room by cutting the oldest, who has had the longest time to open.
    void add(const std::shared_ptr<ConnectionState>& connection) {
        if (waiting_.size() >= max_) std::erase_if(waiting_, [](const auto& each) { return !is_waiting(each); });
        if (waiting_.size() >= max_) {
            if (const auto oldest = waiting_.front().lock()) oldest->cut();
            waiting_.pop_front();
        }
        waiting_.push_back(connection);
    }

private:
    static bool is_waiting(const std::weak_ptr<ConnectionState>& each) {
        const auto connection = each.lock();
        return connection && !connection->over() && connection->remote_open() == nullptr;
    }

    std::size_t max_;
    std::deque<std::weak_ptr<ConnectionState>> waiting_;
};

}  // namespace

struct Listener::State {
    ~State() {
        if (!acceptor || loop->reactor.on_thread()) return;
        // An acceptor goes on its reactor's thread. Where that has stopped, the post drops it here instead, which is as
        // good.
        loop->reactor.post([gone = std::move(acceptor)] {});
    }

    std::shared_ptr<Loop> loop;
    std::unique_ptr<Acceptor> acceptor;
    Address address;
};

const Address& Listener::address() const { return state_->address; }

Container::Container(std::string id)
    : state_(make_state(std::make_shared<Loop>(std::make_unique<AsioReactor>()), std::move(id))) {}

Container::Container(Reactor& reactor, std::string id)
    : state_(make_state(std::make_shared<Loop>(reactor), std::move(id))) {}

Container::~Container() {
    Reactor& reactor = state_->loop->reactor;
    if (!state_->loop->own) {
        if (reactor.on_thread()) {
            state_->shut_down();
        } else {
            reactor.post([state = state_] { state->shut_down(); });
        }
        return;
    }
    APROTIC_ASSERT(!reactor.on_thread());  // it would wait for itself
    // Whatever threads have asked for before is in the queue, and so runs first.
    std::promise<void> asked;
    reactor.post([&, state = state_] {
        state->shut_down();
        asked.set_value();
    });
    asked.get_future().wait();
    {
        // shut_down() has a timer that cuts what does not end by itself.
        std::unique_lock lock(state_->mutex);
        state_->changed.wait(lock, [this] { return state_->empty; });
    }
    state_->loop->own->stop();
}

const std::string& Container::id() const noexcept { return state_->id; }
Reactor& Container::reactor() const noexcept { return state_->loop->reactor; }

Connection Container::connect(std::string_view url, ConnectionOptions options,
                              std::shared_ptr<ConnectionHandler> handler) {
    auto parsed = ConnectUrl::parse(url);
    if (!parsed) throw std::invalid_argument(parsed.error());
    if (options.sasl.username.empty() && !parsed->username.empty()) {
        options.sasl.username = parsed->username;
        if (options.sasl.password.empty()) options.sasl.password = parsed->password;
    }
    if (parsed->encrypted && !options.tls.context) {
        auto context = TlsContext::make_client();
        if (!context) throw std::invalid_argument(context.error().text);
        options.tls.context = *context;
    }
    if (parsed->web_socket) {
        options.web_socket.enabled = true;
        if (!parsed->path.empty()) options.web_socket.path = parsed->path;
        const std::uint16_t usual = parsed->encrypted ? 443 : 80;
        if (options.web_socket.host.empty() && parsed->address.port != usual)
            options.web_socket.host = parsed->address.to_string();
    }
    return connect(parsed->address, std::move(options), std::move(handler));
}

Connection Container::connect(const Address& to, ConnectionOptions options,
                              std::shared_ptr<ConnectionHandler> handler) {
    if (!options.hostname && to.kind == Address::Kind::tcp && !to.host.empty()) options.hostname = to.host;
    if (options.tls.server_name.empty() && to.kind == Address::Kind::tcp) options.tls.server_name = to.host;
    Address first_hop = to;
    if (!options.proxy.host.empty()) {
        if (to.kind != Address::Kind::tcp)
            throw std::invalid_argument("proxy.host is set, and the address is none that a proxy could reach");
        if (options.proxy.server.empty()) options.proxy.server = to.to_string();
        first_hop.kind = Address::Kind::tcp;
        first_hop.host = options.proxy.host;
        first_hop.port = options.proxy.port;
    }
    if (auto fault = tls_fault(options, EngineRole::client); !fault.empty()) throw std::invalid_argument(fault);
    const auto connection =
        state_->make_connection(EngineRole::client, std::move(options), std::move(handler), to.to_string());
    Connection handle = ContainerState::make_handle(connection);
    connection->run([state = state_, connection, first_hop] {
        state->add(connection);
        connection->connect(first_hop);
    });
    return handle;
}

Async<Connection> Container::async_connect(std::string_view url, Duration timeout, std::stop_token cancel) {
    return async_connect(url, ConnectionOptions{}, nullptr, timeout, std::move(cancel));
}

Async<Connection> Container::async_connect(std::string_view url, ConnectionOptions options,
                                           std::shared_ptr<ConnectionHandler> handler, Duration timeout,
                                           std::stop_token cancel) {
    const Connection connection = connect(url, std::move(options), std::move(handler));
    Begun<Connection> begun(state_->loop, fmt::format("{} has not opened the connection", connection.peer_name()));
    begun.operation->on_give_up([connection, weak = std::weak_ptr(begun.operation)](Errc why) {
        connection.close();
        const auto operation = weak.lock();
        if (!operation) return;
        operation->fail({.code = why,
                         .condition = {},
                         .text = fmt::format("the attempt to connect to {} was given up", connection.peer_name())});
    });
    begun.operation->watch(timeout, std::move(cancel));
    // The connection ends it one way or the other, if nobody gives up before.
    connection.async_wait_open(Duration::max())
        .then([connection, waiter = std::move(begun.completer)](codec::Result<void, Failure> opened) mutable {
            if (!opened) return waiter.fail(opened.error());
            static_cast<void>(waiter.finish(Connection(connection)));
        });
    return std::move(begun.async);
}

Connection Container::adopt(std::unique_ptr<Stream> stream, bool as_server, ConnectionOptions options,
                            std::shared_ptr<ConnectionHandler> handler) {
    APROTIC_ASSERT(state_->loop->reactor.on_thread());
    const EngineRole role = as_server ? EngineRole::server : EngineRole::client;
    if (auto fault = tls_fault(options, role); !fault.empty()) throw std::invalid_argument(fault);
    const auto connection = state_->make_connection(role, std::move(options), std::move(handler), stream->peer_name());
    Connection handle = ContainerState::make_handle(connection);
    state_->add(connection);
    connection->start(std::move(stream));
    return handle;
}

codec::Result<Listener, Failure> Container::listen(const Address& at, ConnectionOptions options,
                                                   HandlerFactory make_handler) {
    using Made = codec::Result<Listener, Failure>;
    if (const auto valid = validate(options); !valid) {
        return Failure{.code = Errc::invalid_option, .condition = {}, .text = valid.error()};
    }
    if (auto fault = tls_fault(options, EngineRole::server); !fault.empty()) {
        return Failure{.code = Errc::invalid_option, .condition = {}, .text = std::move(fault)};
    }
    auto do_listen = [state = state_, at, options = std::move(options),
                      make_handler = std::move(make_handler)]() mutable -> Made {
        const std::size_t unopened_max = options.limits.unopened_max;
        auto accepted = [weak = std::weak_ptr(state), unopened = Unopened(unopened_max), options = std::move(options),
                         make_handler = std::move(make_handler)](std::unique_ptr<Stream> stream) mutable {
            const auto container = weak.lock();
            if (!container) return;
            std::shared_ptr<ConnectionHandler> handler;
            try {
                handler = make_handler();
            } catch (...) {
                return;  // as if it had refused: the peer sees its connection closed
            }
            if (!handler) return;
            const std::string peer_name = stream->peer_name();
            const auto connection =
                container->make_connection(EngineRole::server, options, std::move(handler), peer_name);
            container->add(connection);
            unopened.add(connection);
            connection->start(std::move(stream));
        };
        auto acceptor = state->loop->reactor.listen(at, std::move(accepted));
        if (!acceptor) return acceptor.error();
        auto listener = std::make_shared<Listener::State>();
        listener->loop = state->loop;
        listener->acceptor = std::move(*acceptor);
        listener->address = listener->acceptor->local_address();
        return Listener(std::move(listener));
    };
    if (state_->loop->reactor.on_thread()) return do_listen();

    std::promise<Made> promise;
    auto made = promise.get_future();
    state_->loop->reactor.post(
        [promise = std::move(promise), do_listen = std::move(do_listen)]() mutable { promise.set_value(do_listen()); });
    // A borrowed loop that nobody runs would keep us here for ever.
    if (made.wait_for(std::chrono::seconds(10)) != std::future_status::ready) {
        return Failure{.code = Errc::timed_out,
                       .condition = {},
                       .text = fmt::format("cannot listen on {}: nobody runs the container's reactor", at.to_string())};
    }
    return made.get();
}

}  // namespace aprotic::engine
