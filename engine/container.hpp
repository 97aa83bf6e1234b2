#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::engine {

using codec::ErrorCondition;
using codec::Message;
using codec::MessageView;

/// A listening address. Stops listening when the last copy goes; connections already accepted live on.
class Listener {
public:
    Listener() = default;
    /// The address in use; a port asked for as 0 is filled in. Any thread.
    const Address& address() const;

private:
    friend class Container;
    struct State;
    explicit Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

/// Makes the handler of each accepted connection; called on the reactor's thread. Null: the connection is refused.
using HandlerFactory = Function<std::shared_ptr<ConnectionHandler>()>;

/// An application's identity on the network, and the owner of its connections. Any thread.
///
/// Destroying it closes every connection at once: with a reactor of its own it waits up to
/// ConnectionOptions::close_timeout for the closes to be written; on a borrowed reactor it does not wait, the closes
/// leave when that runs next. If it is destroyed before, connections are cut, and handlers and callbacks let go
/// uncalled.
class Container {
public:
    /// With a reactor of its own: one thread, on which all handlers run. `id` empty: one is made from chance.
    explicit Container(std::string id = {});
    /// On the caller's reactor, which must outlive the container and everything made by it.
    explicit Container(Reactor& reactor, std::string id = {});
    ~Container();
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;

    const std::string& id() const noexcept;
    Reactor& reactor() const noexcept;

    /// Connects to `amqp://[user[:password]@]host[:port]`, `amqps://…` or `unix:PATH`, userinfo percent-decoded. An
    /// unusable URL or option throws std::invalid_argument whose text says what was expected; everything later is told
    /// by the handler and wait_open. Credentials of the URL go into options.sasl where that has none. amqps:// without
    /// options.tls.context trusts the system's CA certificates; with it, amqp:// is encrypted too.
    Connection connect(std::string_view url, ConnectionOptions options = {},
                       std::shared_ptr<ConnectionHandler> handler = nullptr);
    Connection connect(const Address& to, ConnectionOptions options = {},
                       std::shared_ptr<ConnectionHandler> handler = nullptr);
    /// As connect; done when the peer has opened the connection. Cancelled or timed out, the attempt ends.
    Async<Connection> async_connect(std::string_view url, Duration timeout, std::stop_token cancel = {});
    /// With `co_await`, give `options` by name: gcc 12 makes a wrong copy of an aggregate that is a temporary there.
    Async<Connection> async_connect(std::string_view url, ConnectionOptions options,
                                    std::shared_ptr<ConnectionHandler> handler, Duration timeout,
                                    std::stop_token cancel = {});
    /// Speaks AMQP on a stream that exists, as client or as server. Reactor's thread only.
    Connection adopt(std::unique_ptr<Stream> stream, bool as_server, ConnectionOptions options = {},
                     std::shared_ptr<ConnectionHandler> handler = nullptr);
    /// Accepts connections as server. Blocks until listening (any thread but then not the reactor's own queue: there it
    /// is done directly).
    codec::Result<Listener, Failure> listen(const Address& at, ConnectionOptions options, HandlerFactory make_handler);

private:
    std::shared_ptr<struct ContainerState> state_;
};

}  // namespace aprotic::engine
