#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/failure.hpp>

// What becomes of deliveries once they are transferred: states and settlement, both directions. [2.6.12]

namespace aprotic::engine::core {

inline bool LinkEndpoint::can_tell() const noexcept { return state_ != LinkState::ended && session_.can_send(); }

codec::Result<void> LinkEndpoint::settle(Delivery& delivery, std::optional<codec::DeliveryState>&& state) {
    if (delivery.local_settled) return make_error_code(Errc::wrong_state);
    if (is_sender()) {
        if (!delivery.framed || delivery.settled) return make_error_code(Errc::wrong_state);
        if (!delivery.remote_settled && can_tell()) {
            session_.told_as_sender.add(delivery, true, std::move(state));
            session_.mark_dirty();
        }
        erase(delivery);
        return {};
    }
    if (!delivery.complete && !delivery.in_parts) return make_error_code(Errc::wrong_state);
    if (!delivery.numbered && !delivery.remote_settled) {
        // Of a link attached again: told when the sender resumes it.
        remember(delivery, state);
        delivery.local_settled = true;
        return {};
    }
    if (incoming_.partial == &delivery) {
        // What is still to come of it is none of ours any more.
        incoming_.partial = nullptr;
        skipping_ = true;
    }
    // [2.6.12-e] What the sender has settled gets no answer.
    if (delivery.remote_settled) {
        erase(delivery);
        return {};
    }
    // The receiver that settles second tells its outcome and forgets only when the sender has [2.6.12-g]; what cannot
    // be told now is told when the sender resumes the delivery. [2.6.13]
    const bool told = can_tell();
    const bool wait = state && codec::is_terminal(*state) && (told ? delivery.settle_second : resumable_);
    if (wait) remember(delivery, state);
    if (told) {
        session_.told_as_receiver.add(delivery, !wait, std::move(state));
        session_.mark_dirty();
    }
    delivery.local_settled = true;
    if (wait) {
        release_cost(delivery);
        delivery.payload.clear();
    } else {
        erase(delivery);
    }
    return {};
}

bool LinkEndpoint::accept_plainly(Delivery& delivery) {
    // What was taken holds no bytes any more, and of an outgoing delivery nothing is.
    const bool special = !delivery.taken || !delivery.numbered || delivery.local_settled || delivery.remote_settled ||
                         delivery.settle_second || delivery.memory || incoming_.partial == &delivery;
    if (special || !can_tell() || !session_.told_as_receiver.add_accepted(delivery)) return false;
    session_.mark_dirty();
    session_.incoming.erase(delivery);
    --unsettled_;
    deliveries_.remove(delivery);
    context_.deliveries.erase(delivery.id);
    return true;
}

codec::Result<void> LinkEndpoint::update(Delivery& delivery, codec::DeliveryState state) {
    const bool told_later = resumable_ && (!delivery.numbered || !can_tell());
    const bool over =
        delivery.settled || delivery.remote_settled || delivery.local_settled || !(can_tell() || told_later);
    const bool ready = is_sender() ? delivery.framed : delivery.complete || delivery.in_parts;
    if (over || !ready) return make_error_code(Errc::wrong_state);
    remember(delivery, state);
    if (told_later) return {};  // when the sender resumes it
    (is_sender() ? session_.told_as_sender : session_.told_as_receiver).add(delivery, false, std::move(state));
    session_.mark_dirty();
    return {};
}

void LinkEndpoint::recv_state(Delivery& delivery, bool settled, const Shared<ToldState>& told) {
    if (settled) mark_remote_settled(delivery);
    // Settled without a word is settled with the default outcome of the source. [2.7.6-f]
    const auto& state = settled && !told && is_sender() && passage_ ? passage_->default_outcome : told;
    // An outcome is final [2.7.5-r], but not while it is that of a transaction which may be rolled back. [4.4.2-d]
    const bool new_state = state && !delivery.remote_outcome;
    if (new_state) {
        delivery.remote_state = state;
        delivery.remote_outcome =
            codec::is_terminal(state->state) && !std::holds_alternative<codec::TransactionalState>(state->state);
    }
    const bool has_news = settled || new_state;
    if (delivery.local_settled) {
        // We waited for the sender to settle, and the application is done with it. [2.6.12-g]
        if (delivery.remote_settled) erase(delivery);
        return;
    }
    // A receiver that has forgotten the delivery has no use for the rest of it.
    if (is_sender() && delivery.remote_settled && delivery.numbered && !delivery.framed) end_early(delivery);
    if (!is_sender() && !delivery.complete) {
        if (delivery.remote_settled) delivery.settled = true;
        if (!delivery.known) return;  // told with the delivery itself
    }
    if (has_news) queue_news(delivery);
}

/// A delivery that was sent whole and of which nothing was heard before: as nearly all are.
bool LinkEndpoint::recv_accepted(Delivery& delivery) {
    if (!is_sender() || !delivery.framed || !is_plain(delivery)) return false;
    mark_remote_settled(delivery);
    delivery.remote_outcome = delivery.news_queued = true;
    context_.events.push_settled(id_, delivery.id, true);
    return true;
}

/// All that is to be said of an outgoing delivery is how it ends.
bool LinkEndpoint::is_plain(const Delivery& delivery) noexcept {
    return !delivery.news_queued && !delivery.remote_outcome && !delivery.local_settled && !delivery.in_parts &&
           !delivery.memory && !delivery.sent_state;
}

/// Nobody has use for it: it is on no list but that of the link's deliveries.
void LinkEndpoint::settled_polled(Delivery& delivery) {
    deliveries_.remove(delivery);
    context_.deliveries.erase(delivery.id);
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
    context_.events.push_news(id_, delivery.id);
}

void LinkEndpoint::news_polled(Delivery& delivery, DeliveryUpdated& event) {
    delivery.news_queued = false;
    event.link = id_;
    event.delivery = delivery.id;
    event.context = delivery.context;
    if (delivery.remote_state) {
        // Nearly always this one, which is made sooner than copied.
        if (std::holds_alternative<codec::Accepted>(delivery.remote_state->state)) {
            event.state.emplace(codec::Accepted{});
        } else {
            event.state = delivery.remote_state->state;
        }
    }
    if (!delivery.remote_outcome) delivery.remote_state.reset();  // an outcome is told again with the settlement
    event.settled = delivery.remote_settled || delivery.written;
    event.aborted = delivery.aborted;
    event.wants_more = std::exchange(delivery.wants_more, false) && delivery.open;
    const bool done = is_sender() ? delivery.framed : delivery.taken || delivery.aborted;
    if (!event.settled) return;
    if (done) return erase(delivery);
    delivery.context = nullptr;  // nothing more is told of it but that it has gone
}

void LinkEndpoint::sent_settled(Delivery& delivery) {
    delivery.written = true;
    if (!context_.tells_settled_together || !is_plain(delivery)) return queue_news(delivery);
    delivery.news_queued = true;
    context_.events.push_settled(id_, delivery.id, false);
}

void LinkEndpoint::erase(Delivery& delivery) {
    leave_unsettled(delivery);
    release_cost(delivery);
    const bool reduced = delivery.memory && delivery.memory->counted;
    if (is_sender()) {
        waiting_.remove(delivery);
    } else if (incoming_.partial == &delivery) {
        incoming_.partial = nullptr;
    }
    deliveries_.remove(delivery);
    context_.deliveries.erase(delivery.id);
    if (!reduced) return;
    --sending_.reductions_due;
    suspend_if_reduced();
}

void LinkEndpoint::release_cost(Delivery& delivery) noexcept {
    counter(delivery) -= delivery.cost;
    if (delivery.in_parts && !is_sender()) {
        incoming_.stream->waiting -= delivery.cost;
        session_.reopen_window();
    }
    delivery.cost = 0;
}

/// Where the bytes count that an incoming delivery makes us keep: what the application can take holds up reading, what
/// still waits for its end cannot be waited out like that.
std::size_t& LinkEndpoint::counter(const Delivery& delivery) noexcept {
    return delivery.complete || delivery.in_parts ? context_.held_bytes : context_.partial_bytes;
}

}  // namespace aprotic::engine::core
