#include <algorithm>
#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/session_endpoint.hpp>

// What a session writes, in the connection's order of output.

namespace aprotic::engine::core {

bool SessionEndpoint::needs_output() const noexcept {
    if (end_written_) return false;
    return begin_due_ || flow_due_ || end_due_ || !dirty_links_.empty() || !told_as_receiver.empty() ||
           !told_as_sender.empty();
}

bool SessionEndpoint::only_outcomes_due() const noexcept {
    return can_send() && !begin_due_ && !flow_due_ && !end_due_ && dirty_links_.empty() && told_as_sender.empty();
}

void SessionEndpoint::write_opening(Outbox& outbox) {
    if (begin_due_) write_begin(outbox);
    if (!can_send()) return;
    for_each_dirty([&](LinkEndpoint& link) { link.write_attach(outbox); });
    for_each_dirty([&](LinkEndpoint& link) { link.write_receiver_flow(outbox); });
    if (flow_due_) write_flow(outbox);
    write_dispositions(outbox, codec::Role::receiver, told_as_receiver);
    write_dispositions(outbox, codec::Role::sender, told_as_sender);
}

void SessionEndpoint::write_closing(Outbox& outbox) {
    if (!can_send()) return;
    for_each_dirty([&](LinkEndpoint& link) {
        link.write_sender_flow(outbox);
        link.write_detach(outbox);
    });
    std::erase_if(dirty_links_, [](LinkEndpoint* link) {
        link->dirty = link->needs_output();
        return !link->dirty;
    });
    if (end_due_ && (end_at_once_ || !any_sendable())) write_end(outbox);
}

bool SessionEndpoint::any_sendable() const noexcept {
    return std::any_of(handles_.begin(), handles_.end(),
                       [](const LinkEndpoint* link) { return link != nullptr && link->sendable(); });
}

void SessionEndpoint::write_begin(Outbox& outbox) {
    // Every peer takes channel 0; for others its open must have come. [2.4.1-c]
    if (channel_ != 0 && !context_.remote_channel_max) return;
    codec::Begin begin;
    if (!local_) begin.remote_channel = remote_channel_;  // [2.5.1-b]
    begin.next_outgoing_id = windows.next_outgoing_id().value();
    begin.incoming_window = windows.incoming_window();
    begin.outgoing_window = SessionWindows::outgoing_window;
    begin.handle_max = context_.limits.handle_max;
    begin.properties = options_.properties;
    if (!outbox.append_frame(channel_, begin, context_.frame_size_max())) {
        if (!context_.remote_frame_size_max) return;
        begin.properties = {};  // only they can be that large
        outbox.append_frame(channel_, begin, context_.frame_size_max());
    }
    begin_due_ = false;
    begin_written_ = true;
    move(SessionInput::send_begin);
}

void SessionEndpoint::fill(codec::Flow& flow) noexcept {
    if (remote_begun_) flow.next_incoming_id = windows.next_incoming_id().value();  // [2.7.4-a]
    flow.incoming_window = windows.reopen(window_limit());
    flow.next_outgoing_id = windows.next_outgoing_id().value();
    flow.outgoing_window = SessionWindows::outgoing_window;
    flow_due_ = false;
}

void SessionEndpoint::write_flow(Outbox& outbox) {
    codec::Flow flow;  // no link fields without a handle [2.7.4-d]
    fill(flow);
    outbox.append_frame(channel_, flow, context_.frame_size_max());
}

void SessionEndpoint::write_dispositions(Outbox& outbox, codec::Role role, DispositionQueue& queue) {
    if (queue.empty()) return;
    const auto& ranges = queue.merged();
    for (const DispositionQueue::Range& range : ranges) {
        codec::Disposition frame;
        frame.role = role;
        frame.first = range.first;
        if (range.last != range.first) frame.last = range.last;
        frame.settled = range.settled;
        frame.state = range.state;
        if (outbox.append_frame(channel_, frame, context_.frame_size_max())) continue;
        // An outcome counts more than its explanation.
        if (auto* const rejected = std::get_if<codec::Rejected>(&*frame.state);
            rejected != nullptr && rejected->error) {
            rejected->error->description.reset();
            rejected->error->info = {};
        } else if (auto* const modified = std::get_if<codec::Modified>(&*frame.state); modified != nullptr) {
            modified->message_annotations = {};
        }
        outbox.append_frame(channel_, frame, context_.frame_size_max());
    }
    queue.pop(ranges.size());
}

void SessionEndpoint::write_end(Outbox& outbox) {
    codec::End end{end_error_};
    if (!outbox.append_frame(channel_, end, context_.frame_size_max())) {
        end.error->description.reset();
        end.error->info = {};
        outbox.append_frame(channel_, end, context_.frame_size_max());
    }
    end_due_ = false;
    end_written_ = true;
    move(end_error_ ? SessionInput::send_error_end : SessionInput::send_end);
    // Links go with their session, without a word of their own. [2.5.2-c]
    cut_links(Initiator::us, end_error_);
}

}  // namespace aprotic::engine::core
