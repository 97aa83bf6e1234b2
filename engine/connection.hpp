#pragma once

#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/handler.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/receiver.hpp>
#include <aprotic/engine/sender.hpp>

namespace aprotic::engine {

/// A session of its own for links that must not share a window with others. Cheap to copy; any thread. Ended when the
/// last handle and link of it have gone.
class Session {
public:
    Session() = default;
    Sender open_sender(const std::string& address, SenderOptions options = {},
                       std::shared_ptr<SenderHandler> handler = nullptr) const;
    Receiver open_receiver(const std::string& address, ReceiverOptions options = {},
                           std::shared_ptr<ReceiverHandler> handler = nullptr) const;
    void end(std::optional<codec::ErrorCondition> error = {}) const;

private:
    friend struct ConnectionState;
    friend class Connection;
    friend class Transaction;
    explicit Session(std::shared_ptr<struct SessionState> state) : state_(std::move(state)) {}
    std::shared_ptr<struct SessionState> state_;
};

/// A handle on one connection. Cheap to copy, any thread; what is asked before the peer has answered is pipelined. The
/// connection is closed, without blocking, when the last handle of it and of its links has gone and it has no handler.
class Connection {
public:
    Connection() = default;  ///< names nothing

    /// Opens a link on the connection's common session. The target (sender) or source (receiver) is `address`; an empty
    /// address of a sender is the anonymous terminus. The handle can be used at once; refusal shows in on_close and
    /// wait_open.
    Sender open_sender(const std::string& address, SenderOptions options = {},
                       std::shared_ptr<SenderHandler> handler = nullptr) const;
    Receiver open_receiver(const std::string& address, ReceiverOptions options = {},
                           std::shared_ptr<ReceiverHandler> handler = nullptr) const;
    Session open_session(SessionOptions options = {}) const;

    /// Waits until the peer's open has come, or says why it will not.
    codec::Result<void, Failure> wait_open(Duration timeout) const;
    Async<void> async_wait_open(Duration timeout, std::stop_token cancel = {}) const;
    /// Closes in order: what is queued for the wire goes out first. Does not block.
    void close(std::optional<codec::ErrorCondition> error = {}) const;
    /// As close; done when the connection is over. Cancelling takes nothing back.
    Async<void> async_close(Duration timeout, std::stop_token cancel = {},
                            std::optional<codec::ErrorCondition> error = {}) const;
    /// Waits until the connection is over.
    codec::Result<void, Failure> wait_closed(Duration timeout) const;

    bool is_open() const;                  ///< any thread; a moment's view
    const codec::Open* remote() const;     ///< reactor's thread only; null before on_open
    const PeerIdentity& identity() const;  ///< reactor's thread only; server role: who the peer proved to be
    std::string peer_name() const;         ///< "host:port" for texts; any thread

    explicit operator bool() const noexcept { return state_ != nullptr; }
    bool operator==(const Connection&) const noexcept = default;

private:
    friend class Container;
    friend struct ContainerState;
    friend struct ConnectionState;
    friend class LinkRequest;
    friend class Transaction;
    explicit Connection(std::shared_ptr<struct ConnectionState> state) : state_(std::move(state)) {}
    std::shared_ptr<struct ConnectionState> state_;
};

/// The peer's wish for a link. Movable; reactor's thread only. Dropped without an answer, it is refused with
/// amqp:not-implemented.
class LinkRequest {
public:
    LinkRequest(LinkRequest&&) noexcept;
    LinkRequest& operator=(LinkRequest&&) noexcept;
    ~LinkRequest();

    /// The peer's attach, whole.
    const codec::Attach& attach() const;
    /// The address the peer wants to receive from, or send to; nullopt when it gave none.
    std::optional<std::string> address() const;
    /// The peer asks us to make the node and name it.
    bool wants_dynamic() const;

    /// The peer receives, we send. `options.link.source` defaults to the peer's; name a dynamic node there.
    Sender accept_sender(SenderOptions options = {}, std::shared_ptr<SenderHandler> handler = nullptr);
    /// The peer sends, we receive. `options.link.target` defaults to the peer's; name a dynamic node there.
    Receiver accept_receiver(ReceiverOptions options = {}, std::shared_ptr<ReceiverHandler> handler = nullptr);
    /// Answers with a null terminus and detaches with `why`. [2.6.3]
    void refuse(codec::ErrorCondition why);

private:
    friend struct ConnectionState;
    struct State;
    explicit LinkRequest(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace aprotic::engine
