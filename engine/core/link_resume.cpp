#include <utility>
#include <vector>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/core/link_endpoint.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/suspended_link.hpp>

// Links that are suspended and attached again, both roles: what is remembered, what is told of it, and what becomes of
// the deliveries. [2.6.13], [3.4.6]

namespace aprotic::engine::core {
namespace {

/// What remains of half an unsettled map that is too large for a frame.
codec::Map front_half(const codec::Map& map) {
    codec::Map half;
    half.reserve(map.size() / 2);
    for (auto entry = map.begin(); half.size() < map.size() / 2; ++entry) half.append(entry->first, entry->second);
    return half;
}

}  // namespace

/// Our state of a delivery, if the link may need it later.
void LinkEndpoint::remember(Delivery& delivery, const std::optional<codec::DeliveryState>& state) {
    if (!resumable_ || !state) return;
    if (!delivery.memory) delivery.memory = std::make_unique<DeliveryMemory>();
    delivery.memory->state = state;
}

std::shared_ptr<SuspendedLink> LinkEndpoint::suspend() {
    if (!resumable_) return nullptr;
    auto link = std::make_shared<SuspendedLink>(SuspendedLink{name_, role_, {}});
    deliveries_.for_each([&](Delivery& delivery) {
        const bool resumed = delivery.memory && delivery.memory->restored && !delivery.numbered;
        if (delivery.remote_settled || !(delivery.numbered || resumed)) return;
        if (is_sender()) {
            // Half of a message that comes in parts is worth nothing to either side.
            const bool over = delivery.settled && !delivery.memory;
            if (over || delivery.abort_due || (delivery.in_parts && !delivery.framed)) return;
        } else if (!delivery.taken && !delivery.local_settled) {
            return;
        }
        SuspendedDelivery entry;
        entry.tag = delivery.tag;
        entry.message_format = delivery.message_format;
        if (delivery.numbered) entry.number = delivery.number;
        if (is_sender()) entry.payload = delivery.payload;
        if (delivery.memory) entry.state = delivery.memory->state;
        if (is_sender() && delivery.in_parts && !entry.state) entry.state = nothing_kept();
        if (delivery.remote_state) entry.remote_state = delivery.remote_state->state;
        link->deliveries.push_back(std::move(entry));
    });
    session_.remember(link);
    return link;
}

/// Before our attach is written.
void LinkEndpoint::restore(const SuspendedLink& link) {
    for (const SuspendedDelivery& entry : link.deliveries) {
        const auto [id, delivery] = context_.deliveries.emplace(this);
        delivery->id = id;
        delivery->tag = entry.tag;
        delivery->message_format = entry.message_format;
        delivery->payload = entry.payload;
        delivery->total = entry.payload.size();
        delivery->memory = std::make_unique<DeliveryMemory>();
        delivery->memory->state = entry.state;
        delivery->memory->restored = true;
        if (!is_sender()) {
            delivery->complete = delivery->taken = delivery->known = true;
            delivery->settle_second = rcv_settle_mode_ == codec::ReceiverSettleMode::second;
            delivery->local_settled = entry.state && codec::is_terminal(*entry.state);
        }
        deliveries_.push_back(*delivery);
        if (entry.remote_state) {
            delivery->remote_state = context_.share(*entry.remote_state);
            delivery->remote_outcome = codec::is_terminal(*entry.remote_state);
        }
        if (entry.settled) tell_settled(*delivery);
    }
}

/// The peer has forgotten the delivery: so do we, once the application has heard.
void LinkEndpoint::tell_settled(Delivery& delivery) {
    delivery.framed = delivery.remote_settled = true;
    if (delivery.local_settled) return erase(delivery);
    queue_news(delivery);
}

/// For our attach. [2.6.3-g]
codec::Map LinkEndpoint::unsettled_map() const {
    codec::Map map;
    for (const Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = deliveries_.next(*delivery)) {
        if (!delivery->memory || !delivery->memory->restored || delivery->remote_settled) continue;
        const auto& state = delivery->memory->state;
        map.append(codec::Binary(delivery->tag.span()), state ? codec::to_value(*state) : codec::Value());
    }
    return map;
}

/// Our attach is too large for the peer's frames: it says less. False when there is nothing to leave out. [2.7.3-g]
bool LinkEndpoint::shorten_unsettled_map() {
    codec::Attach& attach = *passage_->attach;
    if (!attach.unsettled || attach.unsettled->empty()) return false;
    attach.unsettled = front_half(*attach.unsettled);
    attach.incomplete_unsettled = told_incomplete_ = true;
    return true;
}

/// Both attaches are known: decides about every delivery from before.
void LinkEndpoint::resume() {
    if (!resumable_) {
        if (passage_) passage_->remote_unsettled.reset();  // nothing of ours can be in it
        return;
    }
    static const UnsettledMap nothing;
    const UnsettledMap& theirs = passage_ && passage_->remote_unsettled ? *passage_->remote_unsettled : nothing;
    reducing_ = told_incomplete_ || theirs.incomplete();
    if (is_sender()) {
        std::vector<Delivery*> later;
        while (!waiting_.empty()) later.push_back(&waiting_.pop_front());
        deliveries_.for_each([&](Delivery& delivery) {
            if (delivery.memory && delivery.memory->restored && !delivery.remote_settled) plan(delivery, theirs);
        });
        for (Delivery* const delivery : later) waiting_.push_back(*delivery);
        context_.scheduler.consider(*this);
    } else {
        deliveries_.for_each([&](Delivery& delivery) {
            if (!delivery.memory || !delivery.memory->restored || delivery.remote_settled) return;
            if (theirs.find(delivery.tag) != nullptr) {
                ++receiving_.to_resume;
            } else if (!reducing_) {
                tell_settled(delivery);  // [2.6.13-c]
            }
        });
        if (receiving_.to_resume > 0 && receiving_.credit.credit() == 0 && !receiving_.credit.draining()) grant(0);
    }
    if (passage_) passage_->remote_unsettled.reset();
    suspend_if_reduced();
}

void LinkEndpoint::plan(Delivery& delivery, const UnsettledMap& theirs) {
    DeliveryMemory& memory = *delivery.memory;
    memory.step = plan_resume({memory.state, delivery.payload}, theirs.find(delivery.tag), !reducing_);
    switch (memory.step.action) {
        case ResumeAction::none:
        case ResumeAction::wait: return;
        case ResumeAction::forget:
            if (memory.state) delivery.remote_state = context_.share(*memory.state);
            return tell_settled(delivery);
        case ResumeAction::lost: delivery.aborted = true; return tell_settled(delivery);
        case ResumeAction::resend:
        case ResumeAction::resume:
        case ResumeAction::associate:
        case ResumeAction::abort:
            waiting_.push_back(delivery);
            if (reducing_) ++sending_.reductions_due;
            memory.counted = reducing_;
            return;
    }
}

/// The first frame of a delivery from before. [2.6.13-e]
void LinkEndpoint::fill_resumed(codec::Transfer& transfer, Delivery& delivery) {
    const ResumeStep step = std::exchange(delivery.memory->step, {});
    if (step.action == ResumeAction::resend) return;
    transfer.resume = true;
    if (step.action == ResumeAction::resume) return;
    delivery.sent = delivery.payload.size();  // [2.6.13-f]
    const bool decided = step.state && codec::is_terminal(*step.state);
    if (decided) {
        delivery.remote_state = context_.share(*step.state);
        delivery.remote_outcome = true;
        delivery.memory->state = step.state;
    }
    if (step.action == ResumeAction::abort) {
        transfer.aborted = true;
        delivery.aborted = !decided;
        return;
    }
    transfer.state = step.state;
    // [2.7.5-j] Where settled may never be said, the receiver says it.
    delivery.settled = step.may_settle && snd_settle_mode_ != codec::SenderSettleMode::unsettled;
}

/// The delivery from before that a resumed transfer is about; null if it is none of ours. [2.6.13-b]
Delivery* LinkEndpoint::find_resumed(const codec::DeliveryTag& tag) noexcept {
    for (Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = deliveries_.next(*delivery)) {
        const bool waits = delivery->memory && delivery->memory->restored && !delivery->numbered;
        if (waits && !delivery->remote_settled && delivery->tag == tag) return delivery;
    }
    return nullptr;
}

/// A resumed delivery has come to its end; its data we have had before. [3.4.6-c]
void LinkEndpoint::finish_resumed(Delivery& delivery) {
    incoming_.partial = nullptr;
    const bool decided = delivery.remote_state && codec::is_terminal(delivery.remote_state->state);
    if (delivery.remote_settled) {
        if (delivery.local_settled) return erase(delivery);
        return queue_news(delivery);
    }
    std::optional<codec::DeliveryState> ours = delivery.memory->state;
    if (ours && !codec::is_terminal(*ours)) ours.reset();
    if (delivery.local_settled) {
        // [3.4.6-h] The sender's outcome is what has become of the message.
        if (decided) ours = delivery.remote_state->state;
        const bool wait = delivery.settle_second && !decided && ours;
        session_.told_as_receiver.add(delivery, !wait, std::move(ours));
        session_.mark_dirty();
        if (!wait) erase(delivery);
        return;
    }
    if (decided) {
        delivery.remote_outcome = true;
        queue_news(delivery);
    } else if (ours) {
        session_.told_as_receiver.add(delivery, false, std::move(ours));
        session_.mark_dirty();
    }
}

/// With incomplete maps all that can be done is to settle what both know; then the link is suspended, to be attached
/// again by the application. [2.6.13-g], [2.7.3-p]
void LinkEndpoint::suspend_if_reduced() {
    if (reducing_ && is_sender() && sending_.reductions_due == 0 && !detaches() && alive())
        request_detach({false, false, {}});
}

}  // namespace aprotic::engine::core
