#pragma once

#include <optional>

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/error_condition.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/engine/failure.hpp>

namespace aprotic::engine {

class Connection;
class Delivery;
class LinkRequest;
class Receiver;
class Sender;
class Tracker;

// Handlers are called on the reactor's thread, one at a time, never under a lock and never from inside a call of the
// user's own. Inside a callback every method of every handle may be called, except the blocking ones, which fail with
// Errc::would_deadlock. An exception that leaves a callback closes the connection with amqp:internal-error. Every
// on_close comes exactly once, whatever happened, and is the last call for its endpoint; the library holds a handler
// until then.

/// A connection's life and the links the peer asks for.
class ConnectionHandler {
public:
    virtual ~ConnectionHandler() = default;
    /// Both opens have been seen.
    virtual void on_open(Connection&) {}
    /// The peer closes; our answer follows when this returns.
    virtual void on_remote_close(Connection&, const std::optional<codec::ErrorCondition>&) {}
    /// The peer ended a session. Its links have had their on_close, with Errc::ended_by_peer.
    virtual void on_remote_end(Connection&, const std::optional<codec::ErrorCondition>&) {}
    /// Over. `why` is empty after an orderly close of ours.
    virtual void on_close(Connection&, const std::optional<Failure>& why);
    /// The peer attaches as receiver: it wants messages from us. Accept or refuse now or later; dropped, it is refused.
    virtual void on_sender_requested(Connection&, LinkRequest request);
    /// The peer attaches as sender: it wants to give us messages.
    virtual void on_receiver_requested(Connection&, LinkRequest request);
};

class SenderHandler {
public:
    virtual ~SenderHandler() = default;
    /// The peer has answered with a live target.
    virtual void on_open(Sender&) {}
    /// Credit rose and all queued messages have been served: more may be sent at once.
    virtual void on_credit(Sender&) {}
    /// The receiver's flow had properties; told before on_credit. For a resource of transactions: "txn-id" names the
    /// one that messages are acquired in from now on. Left as it is, the link then ends with amqp:not-implemented.
    /// [4.4.3-b]
    virtual void on_flow_properties(Sender&, const codec::Map& properties);
    /// For a resource of transactions: the receiver has answered a message with what is to become of it if the
    /// transaction is committed, and `settled` it or not. Its tracker goes on until Tracker::settle, or another answer
    /// outside of a transaction. Left as it is, the link ends with amqp:transaction:unknown-id. [4.4.2]
    virtual void on_transactional(Sender&, const Tracker&, const codec::TransactionalState& state, bool settled);
    /// The receiver asks for what there is and takes its credit back afterwards. [2.6.7]
    virtual void on_drain(Sender&) {}
    /// The peer detaches; the link is detached by us when this returns. Whether it closed the link or only suspended it
    /// is in on_close: Errc::detached_by_peer or Errc::suspended_by_peer.
    virtual void on_remote_close(Sender&, const std::optional<codec::ErrorCondition>&) {}
    /// Over: closed, refused, suspended, or gone with its session or connection. All trackers have ended before, but
    /// those that Sender::take_suspended() carries on.
    virtual void on_close(Sender&, const std::optional<Failure>& why);
};

class ReceiverHandler {
public:
    virtual ~ReceiverHandler() = default;
    virtual void on_open(Receiver&) {}
    /// A whole message. The delivery may be moved away and settled later from any thread; dropped unsettled, it is
    /// released.
    virtual void on_message(Receiver&, Delivery& delivery) = 0;
    /// On links with LinkOptions::stream_window, instead of on_message: another part has come, to be had by
    /// delivery.try_read({}), or the message's end, or the sender took it back. The link keeps the delivery from part
    /// to part until it is settled, read to its end or aborted; moved away, it is read without this. The default
    /// releases it.
    virtual void on_part(Receiver&, Delivery& delivery);
    /// A drain asked for by us has ended.
    virtual void on_drained(Receiver&) {}
    virtual void on_remote_close(Receiver&, const std::optional<codec::ErrorCondition>&) {}
    virtual void on_close(Receiver&, const std::optional<Failure>& why);
};

}  // namespace aprotic::engine
