#include <algorithm>
#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/failure.hpp>

// What a link sends: messages, whole and in parts, frame by frame.

namespace aprotic::engine::core {
namespace {

// What a transfer takes of its frame at most: header, descriptor, list, handle, delivery-id, flags; the first one also
// carries a tag of 32 octets and the format.
constexpr std::size_t first_transfer_overhead = 80;
constexpr std::size_t next_transfer_overhead = 40;
// A state beside it must leave room in the smallest frame.
constexpr std::size_t sent_state_max = 128;

}  // namespace

codec::Result<DeliveryId> LinkEndpoint::send(codec::EncodedMessage&& message, const SendOptions& options) {
    if (!is_sender() || !alive() || is_unanswered()) return make_error_code(Errc::wrong_state);
    if (remote_message_size_max_ != 0 && message.size() > remote_message_size_max_) {
        return make_error_code(Errc::message_too_large);  // [2.7.3-m]
    }
    const auto added = add_outgoing(options, std::move(message));
    if (!added) return added.error();
    context_.scheduler.consider(*this);
    return (*added)->id;
}

codec::Result<Delivery*> LinkEndpoint::add_outgoing(const SendOptions& options, codec::EncodedMessage&& message) {
    std::size_t state_size = 0;
    if (options.state) {
        state_size = codec::encode_as(*options.state).size();
        if (state_size > sent_state_max) return make_error_code(Errc::invalid_option);
    }
    const std::uint32_t format = options.message_format != 0 ? options.message_format : message.message_format();
    const auto [id, delivery] = context_.deliveries.emplace(this, std::move(message));
    delivery->id = id;
    delivery->tag = options.tag ? *options.tag : codec::DeliveryTag::from_number(sending_.next_tag++);
    delivery->message_format = format;
    // The mode agreed for the link goes before the wish for one message. [2.7.5-i, -j]
    delivery->settled = snd_settle_mode_ == codec::SenderSettleMode::settled ||
                        (snd_settle_mode_ == codec::SenderSettleMode::mixed && options.settled);
    delivery->context = options.context;
    if (options.state) delivery->sent_state = std::make_unique<SentState>(SentState{options.state, state_size});
    deliveries_.push_back(*delivery);
    waiting_.push_back(*delivery);
    return delivery;
}

codec::Result<DeliveryId> LinkEndpoint::begin_send(const SendOptions& options) {
    if (!is_sender() || !alive() || is_unanswered()) return make_error_code(Errc::wrong_state);
    const auto added = add_outgoing(options, {});
    if (!added) return added.error();
    Delivery& delivery = **added;
    delivery.in_parts = delivery.open = true;
    return delivery.id;
}

codec::Result<std::size_t> LinkEndpoint::append(Delivery& delivery, const codec::ByteChain& part) {
    if (!delivery.open || !alive()) return make_error_code(Errc::wrong_state);
    if (remote_message_size_max_ != 0 && delivery.total + part.size() > remote_message_size_max_) {
        return make_error_code(Errc::message_too_large);  // [2.7.3-m]
    }
    if (delivery.sent > 0) delivery.payload = delivery.payload.slice(std::exchange(delivery.sent, 0));
    delivery.payload.append(part);
    delivery.total += part.size();
    context_.scheduler.consider(*this);
    return delivery.payload.size();
}

codec::Result<void> LinkEndpoint::finish_send(Delivery& delivery) {
    if (!delivery.open || !alive()) return make_error_code(Errc::wrong_state);
    delivery.open = false;
    context_.scheduler.consider(*this);
    return {};
}

codec::Result<void> LinkEndpoint::abort_send(Delivery& delivery) {
    if (!is_sender() || delivery.framed || delivery.abort_due) return make_error_code(Errc::wrong_state);
    if (!delivery.numbered) {
        retract(delivery);
    } else {
        end_early(delivery);
    }
    return {};
}

/// What is left of a delivery that has begun is not sent.
void LinkEndpoint::end_early(Delivery& delivery) {
    delivery.open = false;
    delivery.abort_due = true;
    delivery.payload.clear();
    delivery.sent = 0;
    context_.scheduler.consider(*this);
}

void LinkEndpoint::write_abort(Outbox& outbox, Delivery& delivery) {
    codec::Transfer transfer;
    transfer.handle = handle_;
    transfer.delivery_id = delivery.number;
    transfer.settled = delivery.settled;
    transfer.aborted = true;  // and not `more` [2.7.5-l]
    if (delivery.sent_state) transfer.state = *delivery.sent_state->state;
    outbox.append_transfer(session_.channel(), transfer, {}, 0, 0);
    session_.windows.send_transfer();
    waiting_.remove(delivery);
    delivery.framed = true;
    // Aborted is settled, on both sides. [2.7.5-t]
    if (!delivery.news_queued) {
        erase(delivery);
    } else {
        mark_remote_settled(delivery);
    }
}

bool LinkEndpoint::retract(Delivery& delivery) {
    if (!is_sender() || delivery.numbered || state_ == LinkState::ended) return false;
    erase(delivery);
    if (may_drain_now()) mark_dirty();
    return true;
}

std::vector<DeliveryId> LinkEndpoint::unsent() const {
    std::vector<DeliveryId> found;
    if (!is_sender()) return found;
    waiting_.for_each([&](const Delivery& delivery) {
        const bool sent_before = delivery.memory && delivery.memory->restored;
        if (!delivery.numbered && !sent_before) found.push_back(delivery.id);
    });
    return found;
}

codec::Result<void> LinkEndpoint::set_available(std::uint32_t available) {
    if (!is_sender() || !alive()) return make_error_code(Errc::wrong_state);
    sending_.available = available;
    return {};
}

bool LinkEndpoint::sendable() const noexcept {
    if (!is_sender() || state_ != LinkState::attached || refused_ || waiting_.empty() || detaches_at_once())
        return false;
    if (!session_.can_send() || session_.windows.sendable() == 0) return false;
    const Delivery& delivery = *waiting_.front();
    if (delivery.open && delivery.sent == delivery.payload.size()) return false;  // the next part is still to come
    const bool is_new = !delivery.numbered && !(delivery.memory && delivery.memory->restored);
    if (reducing_ && is_new) return false;
    return delivery.numbered || sending_.credit.available() > 0;  // [2.6.7-a]
}

void LinkEndpoint::write_transfer(Outbox& outbox) {
    Delivery& delivery = *waiting_.front();
    if (delivery.abort_due) return write_abort(outbox, delivery);
    if (delivery.sent_state || delivery.memory) return write_full_transfer(outbox, delivery);
    const bool first = !delivery.numbered;
    if (first) {
        begin_transfer(delivery);
        enter_unsettled(delivery);
    }
    const std::size_t length = std::min(frame_room(delivery, first), delivery.payload.size() - delivery.sent);
    // Settled or not, the same on every frame, which some peers demand.
    codec::PlainTransfer transfer{.handle = handle_, .delivery_id = delivery.number, .settled = delivery.settled};
    if (first) {
        transfer.tag = &delivery.tag;
        transfer.message_format = delivery.message_format;
    }
    transfer.more = delivery.open || delivery.sent + length < delivery.payload.size();
    outbox.append_plain_transfer(session_.channel(), transfer, delivery.payload, delivery.sent, length);
    frame_written(delivery, length);
    if (!transfer.more) last_frame_written(outbox, delivery);
}

/// With a state beside it, or of a delivery that is resumed.
void LinkEndpoint::write_full_transfer(Outbox& outbox, Delivery& delivery) {
    const bool first = !delivery.numbered;
    codec::Transfer transfer;
    transfer.handle = handle_;
    if (first) {
        begin_transfer(delivery);
        if (delivery.memory && delivery.memory->restored) fill_resumed(transfer, delivery);
        enter_unsettled(delivery);
        transfer.delivery_tag = delivery.tag;
        transfer.message_format = delivery.message_format;
    }
    transfer.delivery_id = delivery.number;
    transfer.settled = delivery.settled;
    if (delivery.sent_state && !transfer.state) transfer.state = *delivery.sent_state->state;  // [4.4.1-c]
    const std::size_t length = std::min(frame_room(delivery, first), delivery.payload.size() - delivery.sent);
    transfer.more = delivery.open || delivery.sent + length < delivery.payload.size();
    outbox.append_transfer(session_.channel(), transfer, delivery.payload, delivery.sent, length);
    frame_written(delivery, length);
    if (transfer.more) return;
    if (!transfer.aborted) return last_frame_written(outbox, delivery);
    delivery.framed = true;
    waiting_.remove(delivery);
    mark_remote_settled(delivery);
    queue_news(delivery);
    if (may_drain_now()) mark_dirty();
}

/// Its first frame is about to be written.
void LinkEndpoint::begin_transfer(Delivery& delivery) {
    const bool has_credit = sending_.credit.begin_delivery();
    APROTIC_ASSERT(has_credit);
    delivery.number = session_.next_delivery_id();
    delivery.numbered = true;
}

void LinkEndpoint::enter_unsettled(Delivery& delivery) {
    if (delivery.settled) return;
    session_.outgoing.insert(delivery);
    ++unsettled_;
}

/// Neither more than the peer takes nor, for the sake of the other links, more than we would take ourselves.
std::size_t LinkEndpoint::frame_room(const Delivery& delivery, bool first) const noexcept {
    const std::size_t frame_size = std::min(
        context_.frame_size_max(), std::max(context_.limits.frame_size_max, codec::protocol::min_max_frame_size));
    const std::size_t state_size = delivery.sent_state ? delivery.sent_state->size : 0;
    return frame_size - state_size - (first ? first_transfer_overhead : next_transfer_overhead);
}

void LinkEndpoint::frame_written(Delivery& delivery, std::size_t length) {
    session_.windows.send_transfer();
    delivery.sent += length;
    if (!delivery.in_parts || delivery.sent != delivery.payload.size()) return;
    delivery.payload.clear();
    delivery.sent = 0;
    delivery.wants_more = delivery.open;
    if (delivery.wants_more) queue_news(delivery);
}

void LinkEndpoint::last_frame_written(Outbox& outbox, Delivery& delivery) {
    delivery.framed = true;
    waiting_.remove(delivery);
    if (delivery.settled || !resumable_) delivery.payload.clear();  // nobody asks for it any more
    if (delivery.settled) {
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
        if (delivery.total <= remote_message_size_max_) return;
        waiting_.remove(delivery);
        delivery.open = false;
        delivery.framed = delivery.remote_settled = true;
        const codec::Rejected too_large{codec::ErrorCondition{
            codec::Symbol(codec::condition::message_size_exceeded), "larger than the peer's max-message-size", {}}};
        delivery.remote_state = context_.share(too_large);
        queue_news(delivery);
    });
}

}  // namespace aprotic::engine::core
