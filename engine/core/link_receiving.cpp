#include <algorithm>
#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/inbox.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/failure.hpp>

// What a link receives: deliveries, put together from their frames or told part by part.

namespace aprotic::engine::core {
namespace {

// Memory beside its bytes that a piece of a delivery costs us, so that a peer cannot send a message octet by octet for
// free.
constexpr std::size_t piece_cost = 64;
constexpr std::size_t delivery_cost = 512;

const codec::Binary* transaction_of(const codec::DeliveryState* state) {
    const auto* const transactional = state ? std::get_if<codec::TransactionalState>(state) : nullptr;
    return transactional ? &transactional->txn_id : nullptr;
}

}  // namespace

Fault LinkEndpoint::recv_transfer(codec::Transfer& transfer, codec::Bytes payload) {
    if (is_sender()) {
        return link_fault(codec::condition::not_allowed, "2.6.1-a",
                          "a transfer came on a link of which the peer is the receiver");
    }
    const bool first = incoming_.partial == nullptr && !skipping_;
    if (first) {
        if (Fault fault = begin_incoming(transfer)) return fault;
    } else if (!skipping_) {
        if (Fault fault = check_continuation(transfer)) return fault;
    }
    if (skipping_) {
        skipping_ = transfer.more && !transfer.aborted;
        return {};
    }
    Delivery& delivery = *incoming_.partial;
    if (transfer.settled.value_or(false)) {  // [2.7.5-h]
        delivery.settled = true;
        mark_remote_settled(delivery);
    }
    if (transfer.state) delivery.remote_state = context_.share(std::move(*transfer.state));  // [2.7.5-q]
    if (transfer.aborted) {
        const bool unheard = !delivery.known;
        take_back(delivery);
        if (unheard) renew_credit();
        return {};
    }
    if (delivery.complete) {  // resumed: we have its data
        if (!transfer.more) finish_resumed(delivery);
        return {};
    }
    return add_payload(delivery, std::move(payload), transfer.more);
}

bool LinkEndpoint::recv_whole_transfer(const codec::WholeTransfer& transfer, Inbox& inbox) {
    const std::size_t size = transfer.payload.size();
    // Each of these is checked once more by the functions around this one, which know what it means.
    const bool special = is_sender() || drops_input() || incoming_.partial != nullptr || skipping_ ||
                         told_incomplete_ || resumable_ || incoming_.stream != nullptr;
    const bool too_large = receiving_.message_size_max != 0 && size > receiving_.message_size_max;
    if (special || too_large || !receiving_.credit.begin_delivery()) return false;
    const auto [id, made] = context_.deliveries.emplace(this);
    Delivery& delivery = *made;
    delivery.id = id;
    delivery.tag.assign(transfer.tag);
    delivery.number = transfer.delivery_id;
    delivery.numbered = true;
    delivery.message_format = transfer.message_format;
    delivery.settle_second = rcv_settle_mode_ == codec::ReceiverSettleMode::second;
    delivery.cost = delivery_cost + (size == 0 ? 0 : size + piece_cost);
    delivery.total = size;
    delivery.complete = true;
    delivery.payload.append(inbox.share(transfer.payload));
    deliveries_.push_back(delivery);
    context_.held_bytes += delivery.cost;
    if (transfer.settled) {  // [2.7.5-h]
        delivery.settled = delivery.remote_settled = true;
    } else {
        session_.incoming.insert(delivery);
        ++unsettled_;
    }
    queue_receipt(delivery);
    if (receiving_.credit.take_drained()) queue_flowed();
    return true;
}

Fault LinkEndpoint::add_payload(Delivery& delivery, codec::Bytes payload, bool more) {
    const std::size_t cost = payload.empty() ? 0 : payload.size() + piece_cost;
    delivery.cost += cost;
    delivery.total += payload.size();
    counter(delivery) += cost;
    if (delivery.in_parts) incoming_.stream->waiting += cost;
    delivery.payload.append(std::move(payload));
    if (receiving_.message_size_max != 0 && delivery.total > receiving_.message_size_max) {
        return link_fault(codec::condition::message_size_exceeded, "2.7.3-l",
                          "a message is larger than our max-message-size");
    }
    if (more) {
        if (delivery.in_parts && !delivery.payload.empty()) queue_receipt(delivery);
        // What waits for its end cannot be waited out by not reading.
        if (context_.partial_bytes > context_.limits.buffered_bytes_max) {
            return link_fault(codec::condition::resource_limit_exceeded, "2.6.14-h",
                              "the unfinished deliveries of the connection exceed limits.buffered_bytes_max");
        }
        return {};
    }
    counter(delivery) -= delivery.cost;
    delivery.complete = true;
    if (resumable_ && !delivery.in_parts && !delivery.remote_settled)
        remember(delivery, wholly_received(delivery.payload));
    counter(delivery) += delivery.cost;
    incoming_.partial = nullptr;
    queue_receipt(delivery);
    if (receiving_.credit.take_drained()) queue_flowed();
    return {};
}

/// Once until the application has taken what there is.
void LinkEndpoint::queue_receipt(Delivery& delivery) {
    if (std::exchange(delivery.receipt_queued, true)) return;
    context_.events.push_receipt(id_, delivery.id);
}

bool LinkEndpoint::receipt_polled(Delivery& delivery) {
    const bool over = delivery.local_settled || delivery.aborted || delivery.taken;
    if (over || (!delivery.complete && delivery.payload.empty())) return false;
    delivery.known = true;
    return true;
}

/// A delivery that brings the application no message has used credit that the application still counts on: the sender
/// gets it once more, or a link with little credit would stand still for good. In a drain it is on its way back anyway.
void LinkEndpoint::renew_credit() {
    if (receiving_.credit.draining()) {
        if (receiving_.credit.take_drained()) queue_flowed();
        return;
    }
    receiving_.credit.set(receiving_.credit.credit() + 1);
    flow_due_ = true;
    mark_dirty();
}

/// The sender's abort, or the end of its link. A delivery that nobody has heard of goes without a trace. [2.7.5-t]
void LinkEndpoint::take_back(Delivery& delivery) {
    if (!delivery.known || delivery.local_settled) return erase(delivery);
    incoming_.partial = nullptr;
    mark_remote_settled(delivery);
    release_cost(delivery);
    delivery.payload.clear();
    delivery.aborted = true;
    queue_news(delivery);
}

std::uint32_t LinkEndpoint::frames_wanted() const noexcept {
    const auto [window, waiting] = *incoming_.stream;
    const std::size_t room = window - std::min(window, waiting);
    const std::size_t frames = room / context_.limits.frame_size_max;
    // One frame always comes through, however small the window was asked for.
    if (frames == 0 && waiting == 0) return 1;
    return static_cast<std::uint32_t>(std::min<std::size_t>(UINT32_MAX, frames));
}

Fault LinkEndpoint::begin_incoming(codec::Transfer& transfer) {
    if (!transfer.delivery_id || !transfer.delivery_tag) {
        return link_fault(codec::condition::invalid_field, "2.7.5-b",
                          "the first transfer of a delivery has no id or no tag");
    }
    if (Fault fault = session_.recv_delivery_id(*transfer.delivery_id)) return fault;
    if (!receiving_.credit.begin_delivery()) {
        return link_fault(codec::condition::transfer_limit_exceeded, "2.6.7-n", "a delivery came without credit");
    }
    if (transfer.resume) {
        Delivery* const resumed = find_resumed(*transfer.delivery_tag);
        if (resumed != nullptr) --receiving_.to_resume;
        // The application has had it, or never will.
        if (credit_lent_ && receiving_.to_resume == 0) {
            credit_lent_ = false;
        } else {
            renew_credit();
        }
        if (resumed == nullptr) {
            skipping_ = true;  // none of ours [2.6.13-b]
            return {};
        }
        resumed->number = *transfer.delivery_id;
        resumed->numbered = true;
        session_.incoming.insert(*resumed);
        ++unsettled_;
        incoming_.partial = resumed;
        return {};
    }
    if (told_incomplete_) {
        return link_fault(codec::condition::not_allowed, "2.7.3-i",
                          "a new delivery came although our unsettled map is incomplete");
    }
    const codec::ReceiverSettleMode agreed = rcv_settle_mode_;
    const codec::ReceiverSettleMode mode = transfer.rcv_settle_mode.value_or(agreed);
    const bool settled = transfer.settled.value_or(false);  // then there is nothing to settle second [2.7.5-p]
    if (!settled && agreed == codec::ReceiverSettleMode::first && mode == codec::ReceiverSettleMode::second) {
        return link_fault(codec::condition::invalid_field, "2.7.5-o",
                          "a transfer asks to settle second on a link that settles first");
    }
    // The tag may be that of another unsettled delivery, an error of the sender [2.6.12-c] that we live with: senders
    // of Proton C++ 0.37 count anew from 1 with every batch. Deliveries are told apart by id.
    const auto [id, delivery] = context_.deliveries.emplace(this);
    delivery->id = id;
    delivery->tag = *transfer.delivery_tag;
    delivery->number = *transfer.delivery_id;
    delivery->numbered = true;
    delivery->message_format = transfer.message_format.value_or(0);  // [2.7.5-f] many peers leave it out
    delivery->settle_second = mode == codec::ReceiverSettleMode::second;
    delivery->in_parts = in_parts();
    delivery->cost = delivery_cost;
    counter(*delivery) += delivery_cost;
    if (delivery->in_parts) incoming_.stream->waiting += delivery_cost;
    deliveries_.push_back(*delivery);
    session_.incoming.insert(*delivery);
    ++unsettled_;
    incoming_.partial = delivery;
    return {};
}

Fault LinkEndpoint::check_continuation(const codec::Transfer& transfer) const {
    if (transfer.delivery_id && *transfer.delivery_id != incoming_.partial->number) {
        return link_fault(codec::condition::not_allowed, "2.6.14-d",
                          "a delivery began before the one before it on its link ended");
    }
    if ((transfer.delivery_tag && *transfer.delivery_tag != incoming_.partial->tag) ||
        (transfer.message_format && *transfer.message_format != incoming_.partial->message_format)) {
        return link_fault(codec::condition::invalid_field, "2.7.5-d",
                          "a transfer differs from the first of its delivery");
    }
    const auto* const within = transaction_of(transfer.state ? &*transfer.state : nullptr);
    const auto* const before = transaction_of(partial_state());
    if (within != nullptr && (before == nullptr || *within != *before)) {
        return link_fault(codec::condition::not_allowed, "4.4.1-d",
                          "a transfer names another transaction than the first of its delivery");
    }
    return {};
}

/// What the frames so far of a delivery said that is not complete.
const codec::DeliveryState* LinkEndpoint::partial_state() const noexcept {
    return !is_sender() && incoming_.partial != nullptr && incoming_.partial->remote_state
               ? &incoming_.partial->remote_state->state
               : nullptr;
}

void LinkEndpoint::drop_partial() {
    skipping_ = false;
    if (is_sender()) return;
    if (incoming_.partial != nullptr && incoming_.partial->complete) {
        incoming_.partial = nullptr;  // it was being resumed, and the application has had it [2.6.13]
    } else if (incoming_.partial != nullptr) {
        take_back(*incoming_.partial);
    }
}

void LinkEndpoint::take(Delivery& delivery, IncomingDelivery& taken) {
    taken.tag = delivery.tag;
    taken.message_format = delivery.message_format;
    taken.payload = std::move(delivery.payload);
    taken.settled = delivery.settled;
    if (delivery.remote_state) taken.state = delivery.remote_state->state;
    if (!delivery.news_queued && delivery.complete) delivery.remote_state.reset();
    taken.complete = delivery.complete;
    delivery.receipt_queued = false;
    delivery.known = true;
    delivery.taken = delivery.complete;
    if (delivery.complete && !delivery.in_parts) {
        context_.held_bytes -= std::exchange(delivery.cost, 0);
    } else {
        release_cost(delivery);
    }
    // A delivery that nobody will settle is over with this; one that was settled meanwhile still has that to tell.
    if (delivery.taken && delivery.remote_settled && !delivery.news_queued) erase(delivery);
}

}  // namespace aprotic::engine::core
