#include <algorithm>
#include <memory>
#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/failure.hpp>

// Flow control of a link, both roles. [2.6.7]

namespace aprotic::engine::core {

codec::Result<void> LinkEndpoint::set_credit(std::uint32_t credit) {
    if (is_sender() || !alive() || is_unanswered()) return make_error_code(Errc::wrong_state);
    grant(credit);
    return {};
}

/// Without credit nothing could be resumed either, and a receiver whose application holds all that it has room for
/// would never learn what has become of it: then one is lent until the last delivery is resumed. [2.6.13]
void LinkEndpoint::grant(std::uint32_t credit) {
    credit_lent_ = credit == 0 && receiving_.to_resume > 0;
    receiving_.credit.set(credit_lent_ ? 1 : credit);
    flow_due_ = true;
    mark_dirty();
}

codec::Result<void> LinkEndpoint::drain() {
    if (is_sender() || !alive() || is_unanswered()) return make_error_code(Errc::wrong_state);
    if (receiving_.credit.start_drain()) {
        flow_due_ = true;
        mark_dirty();
    } else {
        queue_flowed();
    }
    return {};
}

codec::Result<void> LinkEndpoint::send_flow(bool echo, codec::Map properties) {
    if (!alive() || is_unanswered()) return make_error_code(Errc::wrong_state);
    flow_due_ = true;
    echo_due_ = echo_due_ || echo;
    if (!properties.empty()) passage().flow_properties = std::move(properties);
    mark_dirty();
    return {};
}

Fault LinkEndpoint::recv_flow(const codec::Flow& flow) {
    if (state_ != LinkState::attach_received && state_ != LinkState::attached) return {};
    const bool answered = echo_awaited_;
    echo_awaited_ = false;
    if (known_ && !flow.properties.empty()) {
        push(LinkFlowed{id_, std::make_shared<const codec::Map>(flow.properties)});
    }
    if (is_sender()) {
        std::optional<SerialNumber> count;
        if (flow.delivery_count) count = SerialNumber(*flow.delivery_count);
        sending_.credit.recv_flow({count, flow.link_credit.value_or(0), flow.drain});
        context_.scheduler.consider(*this);
        // With no credit to give back there is nothing to wait for. [2.6.7-k]
        if (flow.drain && sending_.credit.available() == 0) flow_due_ = true;
        queue_flowed();
    } else {
        std::optional<SerialNumber> count;
        if (flow.delivery_count) count = SerialNumber(*flow.delivery_count);
        receiving_.credit.recv_flow(count, flow.available);
        if (receiving_.credit.take_drained()) queue_flowed();
    }
    if (answered) queue_flowed();
    if (flow.echo) flow_due_ = true;  // [2.6.7-p]
    if (flow_due_ || may_drain_now()) mark_dirty();
    return {};
}

void LinkEndpoint::queue_flowed() {
    if (flowed_queued_ || !known_) return;
    flowed_queued_ = true;
    context_.events.push_flow(id_);
}

void LinkEndpoint::flow_polled() {
    flowed_queued_ = false;
    if (state_ != LinkState::ended && may_drain_now()) mark_dirty();
}

/// The rest of the credit goes back once everything is sent, and not before the application has heard that the receiver
/// drains: it may have messages to send. [2.6.7-i]
bool LinkEndpoint::may_drain_now() const noexcept {
    return is_sender() && state_ == LinkState::attached && sending_.credit.draining() &&
           sending_.credit.available() > 0 && waiting_.empty() && !flowed_queued_ && !detaches();
}

void LinkEndpoint::write_receiver_flow(Outbox& outbox) {
    if (is_sender() || !flow_due_ || (state_ != LinkState::attach_sent && state_ != LinkState::attached)) return;
    codec::Flow flow;
    flow.handle = handle_;
    if (const auto count = receiving_.credit.delivery_count()) flow.delivery_count = count->value();  // [2.6.7-o]
    flow.link_credit = receiving_.credit.credit();
    flow.drain = receiving_.credit.draining();
    write_flow(outbox, flow);
}

void LinkEndpoint::write_sender_flow(Outbox& outbox) {
    if (!is_sender() || (state_ != LinkState::attach_sent && state_ != LinkState::attached)) return;
    if (may_drain_now() && sending_.credit.finish_drain()) flow_due_ = true;
    if (!flow_due_) return;
    codec::Flow flow;
    flow.handle = handle_;
    flow.delivery_count = sending_.credit.delivery_count().value();
    flow.link_credit = sending_.credit.available();
    flow.available =
        std::max(sending_.available, static_cast<std::uint32_t>(std::min<std::size_t>(waiting_.size(), UINT32_MAX)));
    flow.drain = sending_.credit.draining();
    write_flow(outbox, flow);
}

void LinkEndpoint::write_flow(Outbox& outbox, codec::Flow& flow) {
    session_.fill(flow);
    flow.echo = echo_due_;
    echo_due_ = false;
    echo_awaited_ = echo_awaited_ || flow.echo;
    if (passage_ && passage_->flow_properties) {
        flow.properties = std::move(*passage_->flow_properties);
        passage_->flow_properties.reset();
        leave_passage();
    }
    if (!outbox.append_frame(session_.channel(), flow, context_.frame_size_max())) {
        flow.properties.clear();  // too many for the peer's frames
        outbox.append_frame(session_.channel(), flow, context_.frame_size_max());
    }
    flow_due_ = false;
}

}  // namespace aprotic::engine::core
