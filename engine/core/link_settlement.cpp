#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/failure.hpp>

// What becomes of deliveries once they are transferred: states and settlement, both directions. [2.6.12]

namespace aprotic::engine::core {

codec::Result<void> LinkEndpoint::settle(Delivery& delivery, std::optional<codec::DeliveryState> state) {
    if (delivery.local_settled) return make_error_code(Errc::wrong_state);
    if (is_sender()) {
        if (!delivery.framed || delivery.settled) return make_error_code(Errc::wrong_state);
        if (!delivery.remote_settled && session_.can_send()) {
            session_.told_as_sender.add(delivery, true, std::move(state));
            session_.mark_dirty();
        }
        erase(delivery);
        return {};
    }
    if (!delivery.complete) return make_error_code(Errc::wrong_state);
    // [2.6.12-e] What the sender has settled gets no answer.
    if (delivery.remote_settled || !session_.can_send()) {
        erase(delivery);
        return {};
    }
    // The receiver that settles second tells its outcome and forgets only when the sender has. [2.6.12-g]
    const bool wait = delivery.settle_second && state && codec::is_terminal(*state);
    session_.told_as_receiver.add(delivery, !wait, std::move(state));
    session_.mark_dirty();
    delivery.local_settled = true;
    if (wait) {
        release_cost(delivery);
        delivery.payload.clear();
    } else {
        erase(delivery);
    }
    return {};
}

codec::Result<void> LinkEndpoint::update(Delivery& delivery, codec::DeliveryState state) {
    const bool over = delivery.settled || delivery.remote_settled || delivery.local_settled || !session_.can_send();
    if (over || !(is_sender() ? delivery.framed : delivery.complete)) return make_error_code(Errc::wrong_state);
    (is_sender() ? session_.told_as_sender : session_.told_as_receiver).add(delivery, false, std::move(state));
    session_.mark_dirty();
    return {};
}

void LinkEndpoint::recv_state(Delivery& delivery, bool settled, const std::shared_ptr<const ToldState>& state) {
    if (settled) mark_remote_settled(delivery);
    // An outcome is final. [2.7.5-r]
    const bool new_state = state && !delivery.remote_outcome;
    if (new_state) {
        delivery.remote_state = state;
        delivery.remote_outcome = codec::is_terminal(state->state);
    }
    const bool has_news = settled || new_state;
    if (delivery.local_settled) {
        // We waited for the sender to settle, and the application is done with it. [2.6.12-g]
        if (delivery.remote_settled) erase(delivery);
        return;
    }
    if (!is_sender() && !delivery.complete) {
        if (delivery.remote_settled) delivery.settled = true;
        return;  // told with the delivery itself
    }
    if (has_news) queue_news(delivery);
}

/// No disposition will name it any more. [2.6.12-b]
void LinkEndpoint::mark_remote_settled(Delivery& delivery) noexcept {
    if (delivery.remote_settled) return;
    leave_unsettled(delivery);
    delivery.remote_settled = true;
}

void LinkEndpoint::leave_unsettled(Delivery& delivery) noexcept {
    if (!delivery.numbered || delivery.remote_settled || (is_sender() && delivery.settled)) return;
    --unsettled_;
    (is_sender() ? session_.outgoing : session_.incoming).erase(delivery);
}

void LinkEndpoint::queue_news(Delivery& delivery) {
    if (delivery.news_queued) return;
    delivery.news_queued = true;
    context_.events.push(DeliveryNews{id_, delivery.id});
}

DeliveryUpdated LinkEndpoint::news_polled(Delivery& delivery) {
    delivery.news_queued = false;
    DeliveryUpdated event;
    event.link = id_;
    event.delivery = delivery.id;
    if (delivery.remote_state) event.state = delivery.remote_state->state;
    if (!delivery.remote_outcome) delivery.remote_state.reset();  // an outcome is told again with the settlement
    event.settled = delivery.remote_settled || (is_sender() && delivery.settled);
    const bool done = is_sender() ? delivery.framed : delivery.taken;
    if (event.settled && done) erase(delivery);
    return event;
}

void LinkEndpoint::sent_settled(Delivery& delivery) { queue_news(delivery); }

void LinkEndpoint::erase(Delivery& delivery) {
    leave_unsettled(delivery);
    release_cost(delivery);
    if (partial_ == &delivery) partial_ = nullptr;
    waiting_.remove(delivery);
    deliveries_.remove(delivery);
    context_.deliveries.erase(delivery.id);
}

void LinkEndpoint::release_cost(Delivery& delivery) noexcept {
    (delivery.complete ? context_.held_bytes : context_.partial_bytes) -= delivery.cost;
    delivery.cost = 0;
}

}  // namespace aprotic::engine::core
