#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/handler.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/outgoing_delivery.hpp>
#include <aprotic/engine/suspended_link.hpp>

namespace aprotic::engine {

/// A sending link beyond its address.
struct SenderOptions {
    /// Name, modes, capabilities, properties; termini are filled in when absent. With `link.suspended` the name and the
    /// unsettled deliveries are those of the link before.
    LinkOptions link{};
    /// Bytes handed over and not yet settled or written. Beyond it send() waits (other threads) or refuses (reactor
    /// thread).
    std::size_t queue_bytes_max = 16 * 1024 * 1024;
};

/// Per message.
struct SendParameters {
    bool settled = false;                  ///< fire and forget
    std::optional<Duration> timeout = {};  ///< unsent after this: taken back, not_sent(timed_out)
    /// Unique among the link's unsettled deliveries, which is not checked; none: the link counts. [2.6.12-c]
    std::optional<codec::DeliveryTag> tag = {};
    /// On every transfer frame; for a resource of transactions, and filled in by Transaction::send. [4.4] At most 128
    /// octets.
    std::optional<codec::DeliveryState> state = {};
    void* context = nullptr;  ///< the caller's; Tracker::context() gives it back
};

/// A handle on a sending link. Cheap to copy, any thread. The link is closed, without blocking, when the last handle
/// goes and it has no handler.
class Sender {
public:
    Sender() = default;  ///< names nothing; every call but assignment is our caller's fault

    /// Queues a message; it goes out when the link is open and has credit. Encodes on the calling thread. A full queue
    /// blocks the caller, unless it is the reactor's thread or `parameters.timeout` passes: then the tracker has ended
    /// as not_sent.
    Tracker send(const codec::Message& message, const SendParameters& parameters = {}) const;
    /// The same for bytes already encoded, shared by reference: one EncodedMessage may go to many senders.
    Tracker send(codec::EncodedMessage message, const SendParameters& parameters = {}) const;

    /// As send, and waits without blocking for room in a full queue; ends with the outcome. Cancelled or timed out, the
    /// message is taken back if nothing of it has left: not_sent. Otherwise it goes on and this ends as in_doubt.
    Async<Outcome> async_send(codec::EncodedMessage message, Duration timeout, std::stop_token cancel = {},
                              const SendParameters& parameters = {}) const;
    Async<Outcome> async_send(const codec::Message& message, Duration timeout, std::stop_token cancel = {},
                              const SendParameters& parameters = {}) const;
    /// Begins a message that is handed over in parts. It takes its place behind what was sent before. Never blocks.
    OutgoingDelivery begin(const SendParameters& parameters = {}, std::uint32_t message_format = 0) const;

    /// Waits until the peer has answered. The failure of a refused link carries the peer's condition.
    codec::Result<void, Failure> wait_open(Duration timeout) const;
    Async<void> async_wait_open(Duration timeout, std::stop_token cancel = {}) const;
    /// Detaches with closed=true; queued messages end as not_sent, unsettled ones as in_doubt. Does not block.
    void close(std::optional<codec::ErrorCondition> error = {}) const;
    /// As close; done when the link is over on both sides. Cancelling takes nothing back.
    Async<void> async_close(Duration timeout, std::stop_token cancel = {},
                            std::optional<codec::ErrorCondition> error = {}) const;
    /// Tells the peer our flow state with `properties` (symbol keys) and asks for its own. Not before the link is
    /// attached. [2.6.7-p]
    Async<PeerFlow> async_flow(Duration timeout, std::stop_token cancel = {}, codec::Map properties = {}) const;
    /// Detaches without closing. With LinkOptions::resumable unsettled messages wait for the link to be attached again:
    /// take_suspended(); else as close. [2.6.4]
    void detach() const;
    /// Of a link with LinkOptions::resumable that has ended without being closed, by us, the peer or a lost connection:
    /// what the next open_sender takes as LinkOptions::suspended, on this connection or another. Null before the end,
    /// and when it was taken.
    std::shared_ptr<SuspendedLink> take_suspended() const;

    /// Reactor's thread only: deliveries that may start now / handed over and not finished.
    std::uint32_t credit() const;
    std::size_t pending() const;
    bool is_open() const;  ///< any thread; a moment's view
    /// The peer's attach; reactor's thread only, null before on_open.
    const codec::Attach* remote() const;
    std::string name() const;
    /// The target's address: the peer's when the node is dynamic, else ours.
    std::string address() const;

    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend class Transaction;
    friend struct ConnectionState;
    friend struct CoordinatorState;
    friend struct SenderState;
    explicit Sender(std::shared_ptr<struct SenderState> state) : state_(std::move(state)) {}
    std::shared_ptr<struct SenderState> state_;
};

}  // namespace aprotic::engine
