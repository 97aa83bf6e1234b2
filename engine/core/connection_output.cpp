#include <algorithm>
#include <chrono>
#include <utility>

#include <aprotic/engine/core/connection_endpoint.hpp>

// What we write, and in which order: open, begin, attach, receiver's flow, dispositions, transfers, sender's flow,
// detach, end, close; an empty frame only when nothing else is due. Only a close with an error jumps the queue. Frames
// are built when the stream can take them, so that flows and dispositions coalesce and links take turns.

namespace aprotic::engine::core {
namespace {

// Frames are built ahead up to this much, which is what one write takes at best. Bytes.
constexpr std::size_t build_ahead = 256 * 1024;

}  // namespace

std::size_t ConnectionEndpoint::prepare_write(std::span<codec::ConstBuffer> out, Instant now) {
    now_ = now;
    if (close_timer_due_) arm_close_timer(now);
    if (write_closed_) return 0;
    build(out.size());
    return context_.outbox.gather(out);
}

bool ConnectionEndpoint::output_can_wait() noexcept {
    if (!output_started_ || open_due_ || close_due_ || empty_frame_due_ || ended_) return false;
    if (!context_.outbox.empty() || context_.scheduler.has_work()) return false;
    bool can_wait = true;
    context_.dirty_sessions.for_each(
        [&](const SessionEndpoint& session) { can_wait = can_wait && session.only_outcomes_due(); });
    return can_wait;
}

void ConnectionEndpoint::build(std::size_t entries_max) {
    if (!output_started_) return;
    if (((open_due_ && !ended_) || close_due_) && next(state_, ConnectionInput::send_open)) write_open();
    if (close_due_ && (close_at_once_ || remote_closed_ || ended_)) {
        write_close();
    } else if (next(state_, ConnectionInput::send_frame) && !remote_closed_ && !ended_) {
        write_sessions(entries_max);
        if (close_due_ && !context_.scheduler.has_work()) write_close();
    }
    if (empty_frame_due_) {
        // [2.4.5-j] None before our open, none after our close.
        if (context_.outbox.empty() && next(state_, ConnectionInput::send_frame)) {
            context_.outbox.rest();
            context_.outbox.append_empty_frame();
        }
        empty_frame_due_ = false;
    }
    finish_if_done();
}

void ConnectionEndpoint::write_open() {
    context_.outbox.append_frame(0, *open_, codec::protocol::frame_size_max_default);
    open_.reset();
    open_due_ = false;
    move(ConnectionInput::send_open);
}

void ConnectionEndpoint::write_sessions(std::size_t entries_max) {
    auto& outbox = context_.outbox;
    auto& dirty = context_.dirty_sessions;
    dirty.for_each([&](SessionEndpoint& session) { session.write_opening(outbox); });
    while (outbox.size() < build_ahead && outbox.entries() < entries_max && context_.scheduler.write_next(outbox)) {
    }
    dirty.for_each([&](SessionEndpoint& session) {
        session.write_closing(outbox);
        if (session.needs_output()) return;
        dirty.remove(session);
        release(session);
    });
}

void ConnectionEndpoint::write_close() {
    if (close_written_) return;
    codec::Close close{close_error_.copy()};
    if (!context_.outbox.append_frame(0, close, context_.frame_size_max())) {
        // The condition alone fits into every frame.
        close.error->description.reset();
        close.error->info = {};
        context_.outbox.append_frame(0, close, context_.frame_size_max());
    }
    close_due_ = false;
    close_written_ = true;
    // From here on close_timeout is the only clock.
    timers_.stop(Timer::open);
    timers_.stop(Timer::idle_receive);
    open_due_ = false;
    move(close_error_ ? ConnectionInput::send_error_close : ConnectionInput::send_close);
}

void ConnectionEndpoint::restart_idle_send(Instant now) {
    if (ended_ || !remote_open_ || remote_open_->idle_time_out.value_or(0) == 0) return;  // [2.4.5-f]
    // At half of what the peer allows, which of a millisecond is not nothing. [2.4.5-d]
    const Duration allowed = std::chrono::milliseconds(*remote_open_->idle_time_out);
    timers_.set(Timer::idle_send, now + allowed / 2);
}

}  // namespace aprotic::engine::core
