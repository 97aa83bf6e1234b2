#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/engine/event.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/time.hpp>
#include <aprotic/engine/trace.hpp>

namespace aprotic::engine {

/// The whole byte-in, byte-out machine of one connection: protocol headers, SASL, sessions, links, deliveries. No
/// socket, clock, thread or random source: bytes, commands and `now` go in; gather lists, events and one deadline come
/// out.
///
/// Drive it in this order after every change: prepare_write until it gives nothing, poll_timeout, poll_event until
/// empty. It never calls out (but SaslServerOptions::verify_password and the trace). Not thread-safe: one thread at a
/// time.
///
/// Commands on an id that names nothing any more, or that the endpoint's state forbids, return Errc::no_such_endpoint
/// or Errc::wrong_state and change nothing. Commands may be given before the peer has answered anything (pipelining).
class Engine {
public:
    /// `options` must have passed validate(). `seed` feeds generated link names. `private_stream`: the stream under us
    /// hides what it carries or stays on this machine, so that PLAIN may be used on it.
    Engine(EngineRole role, ConnectionOptions options, Instant now, std::uint64_t seed, bool private_stream = false);
    ~Engine();
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;

    // --- the stream's side ------------------------------------------------------------------------------------------

    /// Memory to read into; valid until commit_read. Empty: do not read now (buffers are full, or reading is over).
    std::span<std::byte> prepare_read();
    /// `n` bytes were read into what prepare_read lent. May make events, output and another deadline.
    void commit_read(std::size_t n, Instant now);
    /// Nothing more will be read: end of stream (`why` empty) or an error.
    void close_read(std::error_code why, Instant now);

    /// Fills `out` with what may be written next and returns how many entries were filled; 0 = nothing now. The memory
    /// stays valid until commit_write. Calling it again without commit_write gives the same bytes.
    std::size_t prepare_write(std::span<codec::ConstBuffer> out, Instant now);
    /// Nothing is to be written, or nothing but outcomes of deliveries that have come: who has more of them to read at
    /// once may do that first, so that several are told in one frame. Whoever waits for credit or for the session's
    /// window is not kept waiting by it. [2.6.12]
    bool output_can_wait();
    /// The first `n` bytes of what prepare_write gave have been written.
    void commit_write(std::size_t n, Instant now);
    /// Nothing more can be written.
    void close_write(std::error_code why, Instant now);

    /// True when everything was written and nothing more will come either way: close the stream. Never becomes false
    /// again.
    bool wants_close() const;

    /// When handle_timeout must be called at the latest. May change after every other call.
    std::optional<Instant> poll_timeout() const;
    void handle_timeout(Instant now);

    /// The next event, oldest first. ConnectionEnded is always the last.
    std::optional<Event> poll_event();
    /// The same into what is there already, for an event is some 600 octets and a message has two of them. False: there
    /// was none.
    bool poll_event(std::optional<Event>& into);
    /// For who has many messages: if the next events are DeliveryReceived of one link, takes them together, at most as
    /// many as there is room for, and returns how many. 0: poll_event has the next.
    std::size_t poll_received(LinkId& link, std::span<DeliveryId> into);

    // --- commands ---------------------------------------------------------------------------------------------------

    /// Sends our open. A server may wait for the peer's first.
    codec::Result<void> open();
    /// Sends close after what is already queued; the engine ends when the peer has answered or close_timeout is over.
    void close(std::optional<codec::ErrorCondition> error = {});

    codec::Result<SessionId> begin(const SessionOptions& options = {});
    codec::Result<void> end(SessionId session, std::optional<codec::ErrorCondition> error = {});

    /// Attaches a link of ours. `options.role` says which end we are.
    codec::Result<LinkId> attach(SessionId session, const LinkOptions& options);
    /// Answers LinkRequested with our half. `options.name` and `role` are the peer's mirror and ignored.
    codec::Result<void> accept(LinkId link, const LinkOptions& options);
    /// Answers LinkRequested with a null terminus and detaches with `error`. [2.6.3]
    codec::Result<void> refuse(LinkId link, codec::ErrorCondition error);
    /// Detaches; `closed` false suspends. Also the answer to LinkDetaching.
    codec::Result<void> detach(LinkId link, bool closed = true, std::optional<codec::ErrorCondition> error = {});

    /// Receiving: from now on `credit` more deliveries may come (replaces, does not add). [2.6.7]
    codec::Result<void> set_credit(LinkId link, std::uint32_t credit);
    /// Receiving: asks the sender to use the credit up or give it back; ends in LinkFlowed with draining false.
    codec::Result<void> drain(LinkId link);
    /// Sending: how many messages the application would send if it had credit; goes out with the next flow.
    codec::Result<void> set_available(LinkId link, std::uint32_t available);

    /// Tells the link's flow state, and with `echo` asks for the peer's: LinkFlowed comes with its answer. `properties`
    /// have symbol keys and are left out where they do not fit into a frame. [2.7.4]
    codec::Result<void> send_flow(LinkId link, bool echo, codec::Map properties = {});

    /// Queues a message. The bytes are kept by reference until they are written; of a resumable link, until settled.
    /// Errc::message_too_large beyond the peer's limit.
    codec::Result<DeliveryId> send(LinkId link, codec::EncodedMessage&& message, const SendOptions& options = {});
    codec::Result<DeliveryId> send(LinkId link, const codec::EncodedMessage& message, const SendOptions& options = {});
    /// Begins a message that is handed over in parts, which are framed as they come and not kept; deliveries that are
    /// sent on the link later go after it. Nothing goes out before the first part or the end.
    codec::Result<DeliveryId> begin_send(LinkId link, const SendOptions& options = {});
    /// Adds a part, whatever its size. Returns how many bytes of the delivery now wait for credit, window or the
    /// stream; DeliveryUpdated::wants_more tells when none do. Errc::message_too_large beyond the peer's limit: nothing
    /// is added.
    codec::Result<std::size_t> append(DeliveryId delivery, codec::ByteChain part);
    /// No part comes after this.
    codec::Result<void> finish_send(DeliveryId delivery);
    /// Takes a delivery back that is not wholly on the wire: the peer drops what it has of it. No event follows.
    /// Wrong_state once the last frame is built. A delivery that the receiver settles before its end is ended in the
    /// same way by itself.
    codec::Result<void> abort_send(DeliveryId delivery);
    /// Takes an outgoing delivery back. True: nothing of it was on the wire and it is forgotten; false: too late, it
    /// goes on.
    bool retract(DeliveryId delivery);
    /// SendOptions::context from now on, as long as the delivery is there.
    void set_context(DeliveryId delivery, void* context);
    /// Moves a received message, or what has come of it, out. Once per DeliveryReceived.
    codec::Result<IncomingDelivery> take(DeliveryId delivery);
    /// The same into `into`, which has no payload and no state.
    codec::Result<void> take(DeliveryId delivery, IncomingDelivery& into);
    /// Drops what take() gave, sooner than its destructor: what was received here is counted together. Optional.
    void give_back(codec::ByteChain&& payload) noexcept;
    /// Settles a delivery, either direction; `state` is the outcome we tell (receiving). Neighbours leave in one frame.
    /// What is still to come of a delivery that is told in parts is dropped. [2.6.12]
    codec::Result<void> settle(DeliveryId delivery, std::optional<codec::DeliveryState> state = {});
    /// The same with the usual outcome, which is then moved nowhere.
    codec::Result<void> settle(DeliveryId delivery, codec::Accepted outcome);
    /// Tells a state without settling.
    codec::Result<void> update(DeliveryId delivery, codec::DeliveryState state);

    // --- questions --------------------------------------------------------------------------------------------------

    codec::Result<LinkStatus> status(LinkId link) const;
    /// Sending: credit that no message which waits will use; 0 when there is no such link.
    std::uint32_t spare_credit(LinkId link) const;
    /// The oldest delivery of the link with this tag that is not over: how those of a resumed link are found again.
    codec::Result<DeliveryId> find_delivery(LinkId link, const codec::DeliveryTag& tag) const;
    /// Receiving: the sender's state on the frames so far of a message whose last frame has not come; null when there
    /// is none. Borrowed until the next call. [4.4.1]
    const codec::DeliveryState* partial_state(LinkId link) const;
    /// The peer's open; null before it came. Lives as long as the engine.
    const codec::Open* remote_open() const;

    /// `sink` must outlive the engine or be replaced by nullptr first.
    void set_trace(TraceSink* sink);
    /// From now on, deliveries of which nothing is to be told but that they are accepted, or sent settled, are told
    /// together: DeliveriesSettled.
    void tell_settled_together();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::engine
