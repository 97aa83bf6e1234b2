#include <aprotic/engine/core/connection_endpoint.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/core.h>

// The connection's life and its time-outs. What comes in is in connection_input.cpp, what goes out in
// connection_output.cpp, and what the application asks for in connection_commands.cpp.

namespace aprotic::engine::core {

namespace {

codec::Open make_open(const ConnectionOptions& options) {
    codec::Open open;
    open.container_id = options.container_id;
    open.hostname = options.hostname;
    open.max_frame_size = options.limits.frame_size_max;
    open.channel_max = options.limits.channel_max;
    if (options.idle_timeout) {
        // Half of the real limit is announced, so that a peer which is just in time is in time. [2.4.5-c]
        const auto half = std::chrono::duration_cast<std::chrono::milliseconds>(*options.idle_timeout / 2).count();
        open.idle_time_out = static_cast<std::uint32_t>(std::clamp<std::int64_t>(half, 1, UINT32_MAX));
    }
    open.offered_capabilities = options.offered_capabilities;
    open.desired_capabilities = options.desired_capabilities;
    open.properties = options.properties;
    return open;
}

}  // namespace

ConnectionEndpoint::ConnectionEndpoint(EngineRole role, const ConnectionOptions& options, Instant now,
                                       std::uint64_t seed)
    : inbox_(options.limits.frame_size_max), now_(now) {
    context_.role = role;
    context_.limits = options.limits;
    context_.idle_timeout = options.idle_timeout;
    context_.close_timeout = options.close_timeout;
    context_.seed = seed;
    open_ = make_open(options);
    timers_.set(Timer::open, now + options.connect_timeout);
}

ConnectionEndpoint::~ConnectionEndpoint() = default;

void ConnectionEndpoint::move(ConnectionInput input) {
    const std::optional<ConnectionState> following = next(state_, input);
    APROTIC_ASSERT(following);
    state_ = *following;
}

void ConnectionEndpoint::start_output(Instant now) {
    now_ = now;
    output_started_ = true;
    if (context_.idle_timeout && !ended_) timers_.set(Timer::idle_receive, now + *context_.idle_timeout);
}

// --- reading and writing -------------------------------------------------------------------------------------------

std::size_t ConnectionEndpoint::buffered() const noexcept {
    return context_.held_bytes + context_.told_bytes + context_.endpoint_bytes + context_.events.cost();
}

bool ConnectionEndpoint::wants_read() const noexcept {
    return !read_over_ && !ended_ && buffered() < context_.limits.buffered_bytes_max;
}

std::span<std::byte> ConnectionEndpoint::prepare_read() {
    if (!wants_read()) return {};
    return inbox_.prepare_read();
}

void ConnectionEndpoint::commit_read(std::size_t n, Instant now) {
    now_ = now;
    inbox_.commit_read(n);
    if (n > 0 && timers_.is_set(Timer::idle_receive)) {
        timers_.set(Timer::idle_receive, now + *context_.idle_timeout);  // [2.4.5-a]
    }
}

void ConnectionEndpoint::close_read(std::error_code why, Instant now) {
    now_ = now;
    if (std::exchange(read_over_, true) || ended_ || remote_closed_) return;
    if (why) close_due_ = false;  // nobody will read it
    // A peer that drops the stream instead of answering our close is gone all the same.
    if (!failure_ && !close_written_) {
        const std::string reason = why ? why.message() : "the peer ended the stream without a close frame";
        const std::string_view stage = remote_open_ ? "" : " before its open";
        failure_ = Failure{make_error_code(Errc::connection_lost),
                           Initiator::transport,
                           {},
                           fmt::format("the connection was lost{}: {}", stage, reason)};
    }
    finish();
}

void ConnectionEndpoint::close_write(std::error_code why, Instant now) {
    now_ = now;
    if (std::exchange(write_closed_, true)) return;
    context_.outbox.clear();
    context_.sent_settled.clear();
    if (ended_) return;
    if (!failure_ && !close_written_) {
        failure_ = Failure{
            make_error_code(Errc::connection_lost),
            Initiator::transport,
            {},
            fmt::format("the connection was lost: {}", why ? why.message() : "nothing can be written any more")};
    }
    if (remote_closed_ || read_over_) {
        finish();
    } else {
        // What the peer wrote before it went may say why: read on for a while.
        arm_close_timer(now);
    }
}

void ConnectionEndpoint::commit_write(std::size_t n, Instant now) {
    now_ = now;
    context_.outbox.commit(n);
    if (n > 0) {
        restart_idle_send(now);
        // A peer that reads what is queued before our close is not slow to answer it.
        if (timers_.is_set(Timer::close) && !ended_) timers_.set(Timer::close, now + context_.close_timeout);
    }
    while (!context_.sent_settled.empty() && context_.sent_settled.front().position <= context_.outbox.committed()) {
        const DeliveryId id = context_.sent_settled.pop_front().delivery;
        if (Delivery* const delivery = context_.deliveries.find(id)) delivery->link->sent_settled(*delivery);
    }
    finish_if_done();
}

bool ConnectionEndpoint::wants_close() const noexcept {
    return ended_ && (write_closed_ || (context_.outbox.empty() && !close_due_));
}

// --- time ----------------------------------------------------------------------------------------------------------

std::optional<Instant> ConnectionEndpoint::poll_timeout() const noexcept {
    if (wants_close()) return std::nullopt;
    if (close_timer_due_) return now_;
    return timers_.next();
}

void ConnectionEndpoint::handle_timeout(Instant now) {
    now_ = now;
    if (close_timer_due_) arm_close_timer(now);
    if (timers_.take_expired(Timer::open, now)) {
        give_up(Errc::connect_timed_out, codec::condition::resource_limit_exceeded,
                "the peer did not open the connection within connect_timeout");
    }
    if (timers_.take_expired(Timer::idle_receive, now)) {
        if (wants_read()) {
            give_up(Errc::idle_timed_out, codec::condition::resource_limit_exceeded,
                    "nothing came from the peer for idle_timeout [2.4.5]");
        } else if (!ended_) {
            // It is we who do not read.
            timers_.set(Timer::idle_receive, now + *context_.idle_timeout);
        }
    }
    if (timers_.take_expired(Timer::idle_send, now)) empty_frame_due_ = true;
    if (timers_.take_expired(Timer::close, now)) {
        if (!failure_ && !ended_) {
            failure_ = Failure{make_error_code(Errc::timed_out),
                               Initiator::transport,
                               {},
                               "the peer did not answer our close within close_timeout"};
        }
        context_.outbox.clear();
        close_due_ = false;
        write_closed_ = true;
        finish();
    }
}

void ConnectionEndpoint::arm_close_timer(Instant now) {
    close_timer_due_ = false;
    if (!timers_.is_set(Timer::close)) timers_.set(Timer::close, now + context_.close_timeout);
}

void ConnectionEndpoint::give_up(Errc code, std::string_view condition, std::string text) {
    if (ended_) return;
    codec::ErrorCondition error{codec::Symbol(condition), text, {}};
    failure_ = Failure{make_error_code(code), Initiator::transport, error, std::move(text)};
    if (output_started_ && !close_written_ && !write_closed_) {
        close_due_ = close_at_once_ = true;
        close_error_ = std::move(error);
    }
    finish();
}

// --- the end -------------------------------------------------------------------------------------------------------

void ConnectionEndpoint::abort(Failure failure, Instant now) {
    now_ = now;
    if (ended_) return;
    failure_ = std::move(failure);
    close_due_ = false;
    finish();
}

void ConnectionEndpoint::finish_if_done() {
    if (close_written_ && remote_closed_ && context_.outbox.empty()) finish();
}

void ConnectionEndpoint::finish() {
    if (std::exchange(ended_, true)) return;
    for (const Timer timer : {Timer::open, Timer::idle_receive, Timer::idle_send}) timers_.stop(timer);
    const Initiator initiator = failure_ ? failure_->initiator : Initiator::us;
    const std::optional<codec::ErrorCondition> error = failure_ ? failure_->condition : std::nullopt;
    context_.sessions.for_each([&](SessionEndpoint& session) { session.cut(initiator, error); });
    context_.events.push(ConnectionEnded{failure_.copy()}, 0);
    // The last words have close_timeout to get out.
    if (!write_closed_ && (close_due_ || !context_.outbox.empty())) {
        arm_close_timer(now_);
    } else {
        timers_.stop(Timer::close);
        close_timer_due_ = false;
    }
}

// --- events --------------------------------------------------------------------------------------------------------

void ConnectionEndpoint::poll_event(std::optional<Event>& event) {
    while (!event && !context_.events.empty()) {
        LinkId link;
        DeliveryId delivery;
        if (context_.events.next_receipt() == nullptr) {
            materialise(context_.events.pop(), event);
        } else if (poll_received(link, std::span(&delivery, 1)) != 0) {
            event.emplace(DeliveryReceived{link, delivery});
        }
    }
}

std::size_t ConnectionEndpoint::poll_received(LinkId& link, std::span<DeliveryId> into) {
    std::size_t count = 0;
    while (count < into.size()) {
        const LinkId* const next = context_.events.next_receipt();
        if (next == nullptr || (count != 0 && *next != link)) break;
        link = *next;
        into[count] = context_.events.pop_receipt();
        Delivery* const delivery = context_.deliveries.find(into[count]);
        if (delivery != nullptr && delivery->link->receipt_polled(*delivery)) ++count;
    }
    return count;
}

/// Makes no event when what the entry tells of has gone meanwhile.
void ConnectionEndpoint::materialise(EventQueue::Entry entry, std::optional<Event>& event) {
    using Kind = EventQueue::Entry::Kind;
    if (entry.kind == Kind::other) return deliver(std::move(*entry.event), event);
    if (entry.kind == Kind::flow) {
        LinkEndpoint* const link = context_.links.find(entry.link);
        if (link == nullptr) return;
        link->flow_polled();
        event.emplace(LinkFlowed{entry.link});
        return;
    }
    if (entry.kind == Kind::accepted || entry.kind == Kind::sent) return tell_settled(entry, event);
    Delivery* const delivery = context_.deliveries.find(entry.delivery);
    if (delivery == nullptr) return;
    event.emplace(std::in_place_type<DeliveryUpdated>);
    delivery->link->news_polled(*delivery, *std::get_if<DeliveryUpdated>(&*event));
}

void ConnectionEndpoint::tell_settled(const EventQueue::Entry& entry, std::optional<Event>& event) {
    event.emplace(std::in_place_type<DeliveriesSettled>);
    auto& settled = *std::get_if<DeliveriesSettled>(&*event);
    settled.link = entry.link;
    settled.accepted = entry.kind == EventQueue::Entry::Kind::accepted;
    for (std::uint32_t i = 0; i < entry.count; ++i) {
        const DeliveryId id = context_.events.pop_settled();
        Delivery* const delivery = context_.deliveries.find(id);
        if (delivery == nullptr) continue;
        settled.all[settled.count++] = {id, delivery->context};
        delivery->link->settled_polled(*delivery);
    }
    if (settled.count == 0) event.reset();
}

void ConnectionEndpoint::deliver(Event event, std::optional<Event>& into) {
    if (auto* const detached = std::get_if<LinkDetached>(&event)) {
        LinkEndpoint* const link = context_.links.find(detached->link);
        APROTIC_ASSERT(link != nullptr);
        const bool known = link->known();
        if (!detached->closed) detached->suspended = link->suspend();
        detached->unsent = link->unsent();
        link->release();
        context_.links.erase(detached->link);
        if (!known) return;
    } else if (const auto* const over = std::get_if<SessionEnded>(&event)) {
        SessionEndpoint* const session = context_.sessions.find(over->session);
        APROTIC_ASSERT(session != nullptr);
        session->reported = true;
        release(*session);
    } else if (std::holds_alternative<ConnectionClosedByPeer>(event) && !close_written_ && !ended_) {
        close_due_ = close_timer_due_ = true;  // [2.4.3-d]
    }
    into.emplace(std::move(event));
}

/// Destroys the session if neither the wire nor the application needs it any more.
void ConnectionEndpoint::release(SessionEndpoint& session) {
    if (!session.reported || session.state() != SessionState::ended) return;
    if (channels_[session.channel()] == &session) channels_[session.channel()] = nullptr;
    context_.dirty_sessions.remove(session);
    context_.sessions.erase(session.id());
}

}  // namespace aprotic::engine::core
