#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/event_queue.hpp>
#include <aprotic/engine/core/fault.hpp>
#include <aprotic/engine/core/id_table.hpp>
#include <aprotic/engine/core/inbox.hpp>
#include <aprotic/engine/core/outbox.hpp>
#include <aprotic/engine/core/rare.hpp>
#include <aprotic/engine/core/session_endpoint.hpp>
#include <aprotic/engine/core/states.hpp>
#include <aprotic/engine/core/timer_table.hpp>
#include <aprotic/engine/event.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/time.hpp>
#include <aprotic/engine/trace.hpp>

namespace aprotic::engine::core {

/// Our half of one connection from open to close, on AMQP frames: sessions, links, deliveries, flow control, time-outs
/// and the order of output. What comes before the first frame (protocol headers, SASL) is the business of whoever owns
/// this object: they take it from inbox() and put it into outbox(), then call start_output() and recv_input().
///
/// Pure: bytes, commands and `now` go in; bytes, events and one deadline come out. It never calls out but to the trace.
/// The commands have the meaning documented at engine::Engine. Not movable, not thread-safe.
class ConnectionEndpoint {
public:
    /// The time to open (ConnectionOptions::connect_timeout) runs from here.
    ConnectionEndpoint(EngineRole role, const ConnectionOptions& options, Instant now, std::uint64_t seed);
    ~ConnectionEndpoint();
    ConnectionEndpoint(const ConnectionEndpoint&) = delete;
    ConnectionEndpoint& operator=(const ConnectionEndpoint&) = delete;

    // --- for the byte layers below ---------------------------------------------------------------------------------

    Inbox& inbox() noexcept { return inbox_; }
    Outbox& outbox() noexcept { return context_.outbox; }
    /// Our AMQP protocol header is in the outbox: frames may be built behind it.
    void start_output(Instant now);
    /// The peer's AMQP protocol header was consumed: understands every whole frame in the inbox.
    void recv_input(Instant now);
    /// Ends everything at once with this reason; what is in the outbox still goes out, within close_timeout.
    void abort(Failure failure, Instant now);
    /// Nothing more will come but what has been polled or waits in poll_event.
    bool ended() const noexcept { return ended_; }
    /// Why it ends, or is about to, is known already.
    bool has_failed() const noexcept { return static_cast<bool>(failure_); }

    // --- the stream's side -----------------------------------------------------------------------------------------

    std::span<std::byte> prepare_read();
    /// Puts `n` read bytes into the inbox; the caller goes on with recv_input once the headers are behind.
    void commit_read(std::size_t n, Instant now);
    void close_read(std::error_code why, Instant now);
    std::size_t prepare_write(std::span<codec::ConstBuffer> out, Instant now);
    bool output_can_wait() noexcept;
    void commit_write(std::size_t n, Instant now);
    void close_write(std::error_code why, Instant now);
    bool wants_close() const noexcept;
    std::optional<Instant> poll_timeout() const noexcept;
    void handle_timeout(Instant now);
    /// Puts the next event, if there is one, into `event`, which is empty.
    void poll_event(std::optional<Event>& event);
    /// See Engine.
    std::size_t poll_received(LinkId& link, std::span<DeliveryId> into);
    std::optional<Event> poll_event() {
        std::optional<Event> event;
        poll_event(event);
        return event;
    }

    // --- commands, as in engine::Engine ----------------------------------------------------------------------------

    codec::Result<void> open();
    void close(std::optional<codec::ErrorCondition> error = {});
    codec::Result<SessionId> begin(const SessionOptions& options = {});
    codec::Result<void> end(SessionId session, std::optional<codec::ErrorCondition> error = {});
    codec::Result<LinkId> attach(SessionId session, const LinkOptions& options);
    codec::Result<void> accept(LinkId link, const LinkOptions& options);
    codec::Result<void> refuse(LinkId link, codec::ErrorCondition error);
    codec::Result<void> detach(LinkId link, bool closed = true, std::optional<codec::ErrorCondition> error = {});
    codec::Result<void> set_credit(LinkId link, std::uint32_t credit);
    codec::Result<void> drain(LinkId link);
    codec::Result<void> set_available(LinkId link, std::uint32_t available);
    codec::Result<void> send_flow(LinkId link, bool echo, codec::Map properties);
    codec::Result<DeliveryId> send(LinkId link, codec::EncodedMessage&& message, const SendOptions& options = {});
    codec::Result<DeliveryId> send(LinkId link, const codec::EncodedMessage& message, const SendOptions& options = {}) {
        return send(link, codec::EncodedMessage(message), options);
    }
    codec::Result<DeliveryId> begin_send(LinkId link, const SendOptions& options = {});
    codec::Result<std::size_t> append(DeliveryId delivery, const codec::ByteChain& part);
    codec::Result<void> finish_send(DeliveryId delivery);
    codec::Result<void> abort_send(DeliveryId delivery);
    bool retract(DeliveryId delivery);
    void set_context(DeliveryId delivery, void* context) noexcept;
    codec::Result<void> take(DeliveryId delivery, IncomingDelivery& into);
    codec::Result<IncomingDelivery> take(DeliveryId delivery) {
        IncomingDelivery taken;
        if (const auto there = take(delivery, taken); !there) return there.error();
        return taken;
    }
    void give_back(codec::ByteChain&& payload) noexcept { inbox_.take_back(std::move(payload)); }
    codec::Result<void> settle(DeliveryId delivery, std::optional<codec::DeliveryState>&& state = {});
    /// The usual answer, made without a state.
    codec::Result<void> settle(DeliveryId delivery, codec::Accepted outcome);
    codec::Result<void> update(DeliveryId delivery, codec::DeliveryState state);

    codec::Result<LinkStatus> status(LinkId link) const;
    std::uint32_t spare_credit(LinkId link) const noexcept;
    codec::Result<DeliveryId> find_delivery(LinkId link, const codec::DeliveryTag& tag) const;
    const codec::DeliveryState* partial_state(LinkId link) const;
    /// Null before it came.
    const codec::Open* remote_open() const noexcept { return remote_open_ ? &*remote_open_ : nullptr; }
    void set_trace(TraceSink* sink) noexcept;
    void tell_settled_together() noexcept { context_.tells_settled_together = true; }

private:
    enum class Timer { open, idle_receive, idle_send, close, count };

    void move(ConnectionInput input);
    /// Bytes that the application or the wire must take off us before we read on.
    std::size_t buffered() const noexcept;
    bool wants_read() const noexcept;
    bool closing() const noexcept { return close_due_ || close_written_ || remote_closed_ || ended_; }
    bool discards_input() const noexcept;

    // connection_input.cpp
    bool recv_whole_transfer();
    Fault recv_frame(const codec::FrameView& frame);
    Fault recv_open(const codec::FrameView& frame);
    Fault recv_close(const codec::FrameView& frame);
    Fault recv_begin(const codec::FrameView& frame);
    Fault recv_session_frame(const codec::FrameView& frame);
    void fail(const ProtocolFault& fault);

    // connection_output.cpp
    void build(std::size_t entries_max);
    void write_open();
    void write_sessions(std::size_t entries_max);
    void write_close();
    void restart_idle_send(Instant now);

    /// Closes with an error and does not wait for the peer, who has been silent for too long.
    void give_up(Errc code, std::string_view condition, std::string text);
    void finish();
    void finish_if_done();
    void arm_close_timer(Instant now);
    std::optional<std::uint16_t> free_channel() const noexcept;
    void release(SessionEndpoint& session);
    /// Null when the id names nothing that may still be used.
    LinkEndpoint* usable(LinkId link) noexcept;
    Delivery* usable(DeliveryId delivery) noexcept;
    Delivery* decidable(DeliveryId delivery) noexcept;
    void materialise(EventQueue::Entry entry, std::optional<Event>& event);
    void tell_settled(const EventQueue::Entry& entry, std::optional<Event>& event);
    void deliver(Event event, std::optional<Event>& into);

    EndpointContext context_;
    Inbox inbox_;
    ConnectionState state_ = ConnectionState::start;
    std::optional<codec::Open> remote_open_;
    TimerTable<Timer> timers_;
    Instant now_;  // of the latest call that told the time
    TraceSink* trace_ = nullptr;

    std::vector<SessionEndpoint*> channels_;    // ours
    IdTable<SessionEndpoint> remote_channels_;  // theirs

    bool output_started_ = false;
    bool open_due_ = false;
    bool empty_frame_due_ = false;
    bool close_due_ = false;
    bool close_at_once_ = false;  // an error: nothing that is queued goes first
    bool close_written_ = false;
    bool close_timer_due_ = false;  // to be started as soon as the time is known
    bool remote_closed_ = false;
    bool read_over_ = false;
    bool garbled_ = false;  // the stream lost its frame borders: what comes is dropped
    bool write_closed_ = false;
    bool ended_ = false;
    Rare<codec::Open> open_;  // ours, until it is written
    Rare<codec::ErrorCondition> close_error_;
    Rare<Failure> failure_;
};

}  // namespace aprotic::engine::core
