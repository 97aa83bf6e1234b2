#include <algorithm>
#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/failure.hpp>

// Flow control and transfers of a link, both roles.

namespace aprotic::engine::core {
namespace {

// What a transfer takes of its frame at most: header, descriptor, list, handle, delivery-id, flags; the first one also
// carries a tag of 32 octets and the format.
constexpr std::size_t first_transfer_overhead = 80;
constexpr std::size_t next_transfer_overhead = 40;

// Memory beside its bytes that a piece of a delivery costs us, so that a peer cannot send a message octet by octet for
// free.
constexpr std::size_t piece_cost = 64;
constexpr std::size_t delivery_cost = 512;

}  // namespace

// --- sending
// ---------------------------------------------------------------------------------------------------------------------

codec::Result<DeliveryId> LinkEndpoint::send(codec::EncodedMessage message, const SendOptions& options) {
    if (!is_sender() || !alive() || remote_attach_) return make_error_code(Errc::wrong_state);
    if (remote_message_size_max_ != 0 && message.size() > remote_message_size_max_) {
        return make_error_code(Errc::message_too_large);  // [2.7.3-m]
    }
    const auto [id, delivery] = context_.deliveries.emplace(this);
    delivery->id = id;
    delivery->tag = options.tag ? *options.tag : codec::DeliveryTag::from_number(next_tag_++);
    delivery->message_format = options.message_format != 0 ? options.message_format : message.message_format();
    // The mode agreed for the link goes before the wish for one message. [2.7.5-i, -j]
    delivery->settled = snd_settle_mode_ == codec::SenderSettleMode::settled ||
                        (snd_settle_mode_ == codec::SenderSettleMode::mixed && options.settled);
    delivery->payload = message.octets();
    deliveries_.push_back(*delivery);
    waiting_.push_back(*delivery);
    context_.scheduler.consider(*this);
    return id;
}

bool LinkEndpoint::retract(Delivery& delivery) {
    if (!is_sender() || delivery.numbered || state_ == LinkState::ended) return false;
    erase(delivery);
    if (may_drain_now()) mark_dirty();
    return true;
}

codec::Result<void> LinkEndpoint::set_available(std::uint32_t available) {
    if (!is_sender() || !alive()) return make_error_code(Errc::wrong_state);
    available_ = available;
    return {};
}

bool LinkEndpoint::sendable() const noexcept {
    if (state_ != LinkState::attached || refused_ || waiting_.empty() || (detach_ && detach_->at_once)) return false;
    if (!session_.can_send() || session_.windows.sendable() == 0) return false;
    return waiting_.front()->numbered || sender_credit_.available() > 0;  // [2.6.7-a]
}

void LinkEndpoint::write_transfer(Outbox& outbox) {
    Delivery& delivery = *waiting_.front();
    const bool first = !delivery.numbered;
    codec::Transfer transfer;
    transfer.handle = handle_;
    if (first) {
        const bool has_credit = sender_credit_.begin_delivery();
        APROTIC_ASSERT(has_credit);
        delivery.number = session_.next_delivery_id();
        delivery.numbered = true;
        if (!delivery.settled) {
            session_.outgoing.insert(delivery);
            ++unsettled_;
        }
        transfer.delivery_tag = delivery.tag;
        transfer.message_format = delivery.message_format;
    }
    transfer.delivery_id = delivery.number;
    transfer.settled = delivery.settled;  // the same on every frame, which some peers demand
    // Neither more than the peer takes nor, for the sake of the other links, more than we would take ourselves.
    const std::size_t frame_size = std::min(context_.frame_size_max(), std::max(context_.options.limits.frame_size_max,
                                                                                codec::protocol::min_max_frame_size));
    const std::size_t room = frame_size - (first ? first_transfer_overhead : next_transfer_overhead);
    const std::size_t length = std::min(room, delivery.payload.size() - delivery.sent);
    transfer.more = delivery.sent + length < delivery.payload.size();
    outbox.append_transfer(session_.channel(), transfer, delivery.payload, delivery.sent, length);
    session_.windows.send_transfer();
    delivery.sent += length;
    if (transfer.more) return;

    delivery.framed = true;
    waiting_.remove(delivery);
    if (delivery.settled) {
        delivery.payload.clear();
        context_.sent_settled.push_back({outbox.end_position(), delivery.id});
    } else if (delivery.remote_settled && !delivery.news_queued) {
        erase(delivery);
    }
    if (may_drain_now()) mark_dirty();
}

/// Messages that were queued before the peer said how much it takes. They end as if it had refused them. [2.7.3-m]
void LinkEndpoint::fail_oversized() {
    if (remote_message_size_max_ == 0) return;
    waiting_.for_each([this](Delivery& delivery) {
        if (delivery.payload.size() <= remote_message_size_max_) return;
        waiting_.remove(delivery);
        delivery.framed = delivery.remote_settled = true;
        const codec::Rejected too_large{codec::ErrorCondition{
            codec::Symbol(codec::condition::message_size_exceeded), "larger than the peer's max-message-size", {}}};
        delivery.remote_state = context_.share(too_large);
        queue_news(delivery);
    });
}

// --- flow
// ------------------------------------------------------------------------------------------------------------------------

codec::Result<void> LinkEndpoint::set_credit(std::uint32_t credit) {
    if (is_sender() || !alive() || remote_attach_) return make_error_code(Errc::wrong_state);
    receiver_credit_.set(credit);
    flow_due_ = true;
    mark_dirty();
    return {};
}

codec::Result<void> LinkEndpoint::drain() {
    if (is_sender() || !alive() || remote_attach_) return make_error_code(Errc::wrong_state);
    if (receiver_credit_.start_drain()) {
        flow_due_ = true;
        mark_dirty();
    } else {
        queue_flowed();
    }
    return {};
}

Fault LinkEndpoint::recv_flow(const codec::Flow& flow) {
    if (state_ != LinkState::attach_received && state_ != LinkState::attached) return {};
    if (is_sender()) {
        std::optional<SerialNumber> count;
        if (flow.delivery_count) count = SerialNumber(*flow.delivery_count);
        sender_credit_.recv_flow({count, flow.link_credit.value_or(0), flow.drain});
        context_.scheduler.consider(*this);
        // With no credit to give back there is nothing to wait for. [2.6.7-k]
        if (flow.drain && sender_credit_.available() == 0) flow_due_ = true;
        queue_flowed();
    } else {
        std::optional<SerialNumber> count;
        if (flow.delivery_count) count = SerialNumber(*flow.delivery_count);
        receiver_credit_.recv_flow(count, flow.available);
        if (receiver_credit_.take_drained()) queue_flowed();
    }
    if (flow.echo) flow_due_ = true;  // [2.6.7-p]
    if (flow_due_ || may_drain_now()) mark_dirty();
    return {};
}

void LinkEndpoint::queue_flowed() {
    if (flowed_queued_ || !known_) return;
    flowed_queued_ = true;
    context_.events.push(LinkFlowed{id_});
}

void LinkEndpoint::flow_polled() {
    flowed_queued_ = false;
    if (state_ != LinkState::ended && may_drain_now()) mark_dirty();
}

/// The rest of the credit goes back once everything is sent, and not before the application has heard that the receiver
/// drains: it may have messages to send. [2.6.7-i]
bool LinkEndpoint::may_drain_now() const noexcept {
    return is_sender() && state_ == LinkState::attached && sender_credit_.draining() &&
           sender_credit_.available() > 0 && waiting_.empty() && !flowed_queued_ && !detach_;
}

void LinkEndpoint::write_receiver_flow(Outbox& outbox) {
    if (is_sender() || !flow_due_ || (state_ != LinkState::attach_sent && state_ != LinkState::attached)) return;
    codec::Flow flow;
    flow.handle = handle_;
    if (const auto count = receiver_credit_.delivery_count()) flow.delivery_count = count->value();  // [2.6.7-o]
    flow.link_credit = receiver_credit_.credit();
    flow.drain = receiver_credit_.draining();
    write_flow(outbox, flow);
}

void LinkEndpoint::write_sender_flow(Outbox& outbox) {
    if (!is_sender() || (state_ != LinkState::attach_sent && state_ != LinkState::attached)) return;
    if (may_drain_now() && sender_credit_.finish_drain()) flow_due_ = true;
    if (!flow_due_) return;
    codec::Flow flow;
    flow.handle = handle_;
    flow.delivery_count = sender_credit_.delivery_count().value();
    flow.link_credit = sender_credit_.available();
    flow.available =
        std::max(available_, static_cast<std::uint32_t>(std::min<std::size_t>(waiting_.size(), UINT32_MAX)));
    flow.drain = sender_credit_.draining();
    write_flow(outbox, flow);
}

void LinkEndpoint::write_flow(Outbox& outbox, codec::Flow& flow) {
    session_.fill(flow);
    outbox.append_frame(session_.channel(), flow, context_.frame_size_max());
    flow_due_ = false;
}

// --- receiving
// -------------------------------------------------------------------------------------------------------------------

Fault LinkEndpoint::recv_transfer(codec::Transfer& transfer, codec::Bytes payload) {
    if (is_sender()) {
        return link_fault(codec::condition::not_allowed, "2.6.1-a",
                          "a transfer came on a link of which the peer is the receiver");
    }
    const bool first = partial_ == nullptr && !skipping_;
    if (first) {
        if (Fault fault = begin_incoming(transfer)) return fault;
    } else if (!skipping_) {
        if (Fault fault = check_continuation(transfer)) return fault;
    }
    if (skipping_) {
        skipping_ = transfer.more && !transfer.aborted;
        return {};
    }
    Delivery& delivery = *partial_;
    if (transfer.settled.value_or(false)) {  // [2.7.5-h]
        delivery.settled = true;
        mark_remote_settled(delivery);
    }
    if (transfer.state) delivery.remote_state = context_.share(std::move(*transfer.state));  // [2.7.5-q]
    if (transfer.aborted) {
        // Nobody has heard of it: it goes without a trace but for the credit it took. [2.7.5-t]
        drop_partial();
        return {};
    }
    const std::size_t cost = payload.empty() ? 0 : payload.size() + piece_cost;
    delivery.cost += cost;
    context_.partial_bytes += cost;
    delivery.payload.append(std::move(payload));
    if (message_size_max_ != 0 && delivery.payload.size() > message_size_max_) {
        return link_fault(codec::condition::message_size_exceeded, "2.7.3-l",
                          "a message is larger than our max-message-size");
    }
    if (transfer.more) {
        // What waits for its end cannot be waited out by not reading.
        if (context_.partial_bytes > context_.options.limits.buffered_bytes_max) {
            return link_fault(codec::condition::resource_limit_exceeded, "2.6.14-h",
                              "the unfinished deliveries of the connection exceed limits.buffered_bytes_max");
        }
        return {};
    }
    context_.partial_bytes -= delivery.cost;
    context_.held_bytes += delivery.cost;
    delivery.complete = true;
    partial_ = nullptr;
    context_.events.push(DeliveryReceived{id_, delivery.id});
    if (receiver_credit_.take_drained()) queue_flowed();
    return {};
}

Fault LinkEndpoint::begin_incoming(codec::Transfer& transfer) {
    if (!transfer.delivery_id || !transfer.delivery_tag) {
        return link_fault(codec::condition::invalid_field, "2.7.5-b",
                          "the first transfer of a delivery has no id or no tag");
    }
    if (Fault fault = session_.recv_delivery_id(*transfer.delivery_id)) return fault;
    if (!receiver_credit_.begin_delivery()) {
        return link_fault(codec::condition::transfer_limit_exceeded, "2.6.7-n", "a delivery came without credit");
    }
    if (transfer.resume) {
        // We keep no state of deliveries over a link's detach, so this one is none of ours. [2.6.13-b]
        skipping_ = true;
        return {};
    }
    const auto mode = transfer.rcv_settle_mode.value_or(rcv_settle_mode_);
    if (rcv_settle_mode_ == codec::ReceiverSettleMode::first && mode == codec::ReceiverSettleMode::second) {
        return link_fault(codec::condition::invalid_field, "2.7.5-o",
                          "a transfer asks to settle second on a link that settles first");
    }
    // The tag may be that of another unsettled delivery, an error of the sender [2.6.12-c] that we live with: senders of
    // Proton C++ 0.37 count anew from 1 with every batch. Deliveries are told apart by id.
    const auto [id, delivery] = context_.deliveries.emplace(this);
    delivery->id = id;
    delivery->tag = *transfer.delivery_tag;
    delivery->number = *transfer.delivery_id;
    delivery->numbered = true;
    delivery->message_format = transfer.message_format.value_or(0);  // [2.7.5-f] many peers leave it out
    delivery->settle_second = mode == codec::ReceiverSettleMode::second;
    delivery->cost = delivery_cost;
    context_.partial_bytes += delivery_cost;
    deliveries_.push_back(*delivery);
    session_.incoming.insert(*delivery);
    ++unsettled_;
    partial_ = delivery;
    return {};
}

Fault LinkEndpoint::check_continuation(const codec::Transfer& transfer) const {
    if (transfer.delivery_id && *transfer.delivery_id != partial_->number) {
        return link_fault(codec::condition::not_allowed, "2.6.14-d",
                          "a delivery began before the one before it on its link ended");
    }
    if ((transfer.delivery_tag && *transfer.delivery_tag != partial_->tag) ||
        (transfer.message_format && *transfer.message_format != partial_->message_format)) {
        return link_fault(codec::condition::invalid_field, "2.7.5-d",
                          "a transfer differs from the first of its delivery");
    }
    return {};
}

void LinkEndpoint::drop_partial() {
    skipping_ = false;
    if (partial_ != nullptr) erase(*partial_);
}

IncomingDelivery LinkEndpoint::take(Delivery& delivery) {
    IncomingDelivery taken;
    taken.tag = delivery.tag;
    taken.message_format = delivery.message_format;
    taken.payload = std::exchange(delivery.payload, {});
    taken.settled = delivery.settled;
    if (delivery.remote_state) taken.state = delivery.remote_state->state;
    if (!delivery.news_queued) delivery.remote_state.reset();
    delivery.taken = true;
    release_cost(delivery);
    // A delivery that nobody will settle is over with this; one that was settled meanwhile still has that to tell.
    if (delivery.remote_settled && !delivery.news_queued) erase(delivery);
    return taken;
}

}  // namespace aprotic::engine::core
