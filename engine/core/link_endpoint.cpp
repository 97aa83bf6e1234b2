#include <aprotic/engine/core/link_endpoint.hpp>

#include <utility>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/event.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/suspended_link.hpp>

// The link's life: attach, detach and what the application is told of them. Transfers are in link_sending.cpp and
// link_receiving.cpp, credit in link_flow.cpp, settlement in link_settlement.cpp.

namespace aprotic::engine::core {

void LinkEndpoint::move(LinkInput input) {
    const std::optional<LinkState> following = next(state_, input);
    APROTIC_ASSERT(following);
    state_ = *following;
}

void LinkEndpoint::mark_dirty() { session_.mark_dirty(*this); }

/// The application may still use the link.
bool LinkEndpoint::alive() const noexcept {
    switch (state_) {
        case LinkState::detached:
        case LinkState::attach_sent:
        case LinkState::attach_received:
        case LinkState::attached: return !detaches() && !refused_;
        default: return false;
    }
}

void LinkEndpoint::start(LinkId id, std::uint32_t handle, const LinkOptions& options) {
    id_ = id;
    handle_ = handle;
    local_ = known_ = true;
    context_.endpoint_bytes += cost();
    prepare_attach(options);
}

void LinkEndpoint::start_closing(LinkId id, std::uint32_t handle) {
    id_ = id;
    handle_ = handle;
    local_ = true;
    context_.endpoint_bytes += cost();
    prepare_attach({});
    request_detach({true, false, {}});
}

Fault LinkEndpoint::start_requested(LinkId id, std::uint32_t handle, codec::Attach remote, LinkId predecessor) {
    id_ = id;
    handle_ = handle;
    passage().request = Request{remote, predecessor, context_.frame_cost};
    context_.endpoint_bytes += cost() + context_.frame_cost;
    move(LinkInput::recv_attach);
    if (Fault fault = take_over(remote)) return fault;
    known_ = true;
    push(LinkRequested{session_.id(), id_, std::move(remote)});
    return {};
}

Fault LinkEndpoint::recv_attach(codec::Attach remote) {
    move(LinkInput::recv_attach);
    if (Fault fault = take_over(remote)) return fault;
    // The peer's word counts for its own terminus: without one the link is refused, and its detach is on its way.
    // [2.6.3-b]
    refused_ = is_sender() ? !remote.target.has_value() : !remote.source.has_value();
    if (refused_ || detaches() || detach_written_) return {};
    opened_ = true;
    push(LinkOpened{id_, std::move(remote)});
    if (is_sender()) fail_oversized();
    resume();
    leave_passage();
    return {};
}

Fault LinkEndpoint::take_over(const codec::Attach& remote) {
    remote_attached_ = true;
    remote_handle_ = remote.handle;
    has_remote_handle_ = true;
    remote_message_size_max_ = remote.max_message_size.value_or(0);
    if (is_sender()) {
        rcv_settle_mode_ = remote.rcv_settle_mode;  // [2.7.3-c] the receiver says what it does
    } else {
        snd_settle_mode_ = remote.snd_settle_mode;
        // [2.7.3-k] Only the sender's count means anything.
        if (!remote.initial_delivery_count) {
            return link_fault(codec::condition::invalid_field, "2.7.3-j",
                              "a sender's attach has no initial-delivery-count");
        }
        receiving_.credit.recv_attach(SerialNumber(*remote.initial_delivery_count));
    }
    if (!remote.unsettled && !remote.incomplete_unsettled) return {};
    UnsettledMap& theirs = *(passage().remote_unsettled = UnsettledMap());
    return theirs.read(remote.unsettled.value_or(codec::Map()), remote.incomplete_unsettled);
}

void LinkEndpoint::prepare_attach(const LinkOptions& options) {
    codec::Attach attach;
    attach.name = name_;
    attach.handle = handle_;
    attach.role = role_;
    attach.snd_settle_mode = options.snd_settle_mode;
    attach.rcv_settle_mode = options.rcv_settle_mode;
    attach.source = options.source;
    attach.target = options.target;
    if (is_sender()) {
        snd_settle_mode_ = options.snd_settle_mode;
        if (options.source && options.source->default_outcome) {
            passage().default_outcome = context_.share(std::visit(
                [](const auto& outcome) { return codec::DeliveryState(outcome); }, *options.source->default_outcome));
        }
        attach.initial_delivery_count = sending_.credit.delivery_count().value();  // [2.7.3-j]
    } else {
        rcv_settle_mode_ = options.rcv_settle_mode;
        if (options.stream_window != 0) {
            incoming_.stream = std::make_unique<Stream>(Stream{options.stream_window});
            session_.add_stream(*this);
        }
        receiving_.message_size_max = options.message_size_max.value_or(context_.limits.message_size_max);
        if (receiving_.message_size_max != 0) attach.max_message_size = receiving_.message_size_max;
    }
    attach.offered_capabilities = options.offered_capabilities;
    attach.desired_capabilities = options.desired_capabilities;
    attach.properties = options.properties;
    resumable_ = options.resumable || options.suspended;
    if (options.suspended) {
        restore(*options.suspended);
        attach.unsettled = unsettled_map();
    }
    passage().attach = std::move(attach);
    mark_dirty();
}

/// Our attach without the terminus that is ours to give: the peer will know what the detach behind it means. [2.6.3-b]
void LinkEndpoint::prepare_refusal() {
    codec::Attach attach;
    attach.name = name_;
    attach.handle = handle_;
    attach.role = role_;
    const codec::Attach& theirs = *passage_->request->attach;
    attach.snd_settle_mode = theirs.snd_settle_mode;
    attach.rcv_settle_mode = theirs.rcv_settle_mode;
    if (is_sender()) {
        attach.target = theirs.target;
        attach.initial_delivery_count = sending_.credit.delivery_count().value();
    } else {
        attach.source = theirs.source;
    }
    passage_->attach = std::move(attach);
    passage_->request->attach.reset();
    mark_dirty();
}

codec::Result<void> LinkEndpoint::accept(const LinkOptions& options) {
    if (!is_unanswered() || state_ != LinkState::attach_received) return make_error_code(Errc::wrong_state);
    if (options.suspended && options.suspended->role != role_) return make_error_code(Errc::invalid_option);
    opened_ = true;
    passage_->request->attach.reset();
    prepare_attach(options);
    return {};
}

codec::Result<void> LinkEndpoint::refuse(codec::ErrorCondition error) {
    if (!is_unanswered() || state_ != LinkState::attach_received) return make_error_code(Errc::wrong_state);
    prepare_refusal();
    request_detach({true, true, std::move(error)});
    return {};
}

codec::Result<void> LinkEndpoint::detach(bool closed, std::optional<codec::ErrorCondition> error) {
    if (state_ == LinkState::ended || detaches() || detach_written_) return make_error_code(Errc::wrong_state);
    if (local_ && attaches() && state_ == LinkState::detached) {
        // The peer has never heard of the link and never will.
        finish(Initiator::us, closed, {});
        return {};
    }
    if (is_unanswered()) prepare_refusal();
    const bool at_once = error.has_value();
    // A closing detach is answered by a closing one. [2.6.6-a]
    if (passage_ && passage_->remote_detach && passage_->remote_detach->closed) closed = true;
    request_detach({closed, at_once, std::move(error)});
    return {};
}

void LinkEndpoint::request_detach(PendingDetach pending) {
    passage().detach = std::move(pending);
    drop_partial();
    mark_dirty();
}

Fault LinkEndpoint::recv_detach(codec::Detach detach) {
    move(LinkInput::recv_detach);
    free_remote_handle();
    drop_partial();
    if (state_ == LinkState::ended) {
        std::optional<codec::ErrorCondition> error = std::move(detach.error);
        if (passage_ && passage_->fault) error = std::move(*passage_->fault);
        finish(Initiator::us, detach.closed, std::move(error));
        if (detach.closed && !closed_) session_.close_again(role_, name_);
        return {};
    }
    const codec::Detach& remote = *(passage().remote_detach = std::move(detach));
    if (detaches() || !known_) {
        // Both have said it, or the application never knew the link: ours needs no further word.
        if (detaches() && remote.closed) passage_->detach->closed = true;
        mark_dirty();
        return {};
    }
    push(LinkDetaching{id_, remote.closed, refused_, remote.error});
    return {};
}

void LinkEndpoint::fail(codec::ErrorCondition error) {
    if (!owes_detach()) return;
    passage().fault = error;
    if (is_unanswered()) prepare_refusal();
    request_detach({true, true, std::move(error)});
}

void LinkEndpoint::cut(Initiator initiator, const std::optional<codec::ErrorCondition>& error) {
    if (state_ == LinkState::ended) return;
    // [2.5.2-c] The session's end detaches its links, it does not close them.
    finish(initiator, false, error);
}

void LinkEndpoint::finish(Initiator initiator, bool closed, std::optional<codec::ErrorCondition> error) {
    state_ = LinkState::ended;
    release_request();
    drop_partial();
    session_.free_handle(*this);
    free_remote_handle();
    context_.scheduler.remove(*this);
    context_.names.erase(*this);
    session_.forget(*this, passage_.get());
    if (passage_ && passage_->default_outcome) {
        // Deliveries may still be settled without a word, as long as the application has not heard of the end.
        const auto outcome = passage_->default_outcome;
        passage_ = std::make_unique<LinkPassage>(*this);
        passage_->default_outcome = outcome;
    } else {
        passage_.reset();
    }
    push(LinkDetached{id_, initiator, closed, refused_, std::move(error)});
}

void LinkEndpoint::push(Event event) { context_.events.push(std::move(event), context_.frame_cost); }

LinkPassage& LinkEndpoint::passage() {
    if (!passage_) passage_ = std::make_unique<LinkPassage>(*this);
    return *passage_;
}

void LinkEndpoint::free_remote_handle() noexcept {
    if (has_remote_handle_) session_.free_remote_handle(remote_handle_, *this);
    has_remote_handle_ = false;
}

std::size_t LinkEndpoint::cost() const noexcept { return EndpointContext::endpoint_cost + 2 * name_.size(); }

void LinkEndpoint::release_request() noexcept {
    if (!passage_ || !passage_->request) return;
    context_.endpoint_bytes -= passage_->request->cost;
    passage_->request.reset();
}

void LinkEndpoint::release() {
    while (!deliveries_.empty()) erase(*deliveries_.front());
    context_.endpoint_bytes -= cost();
}

void LinkEndpoint::write_attach(Outbox& outbox) {
    if (!attaches() || !session_.may_use(handle_)) return;
    // The old link of this name must be off the wire before the new one is on it.
    const LinkEndpoint* const old = passage_->request ? context_.links.find(passage_->request->predecessor) : nullptr;
    if (old != nullptr && old->owes_detach()) return;
    while (!outbox.append_frame(session_.channel(), *passage_->attach, context_.frame_size_max())) {
        // Before the peer's open nobody knows what it takes; afterwards the attach is too large for good.
        if (!context_.remote_frame_size_max) return;
        if (shorten_unsettled_map()) continue;
        finish(Initiator::us, false,
               codec::ErrorCondition{codec::Symbol(codec::condition::frame_size_too_small),
                                     "the attach is larger than the peer's max-frame-size",
                                     {}});
        return;
    }
    passage_->attach.reset();
    release_request();
    move(LinkInput::send_attach);
    if (opened_) resume();
    leave_passage();
    if (!opened_) return;
    context_.scheduler.consider(*this);
}

void LinkEndpoint::write_detach(Outbox& outbox) {
    if (!detaches() || attaches() || state_ == LinkState::detached || state_ == LinkState::attach_received) return;
    if (!detaches_at_once() && sendable()) return;
    codec::Detach frame{handle_, passage_->detach->closed, std::move(passage_->detach->error)};
    if (!outbox.append_frame(session_.channel(), frame, context_.frame_size_max())) {
        // The condition alone fits into every frame.
        frame.error->description.reset();
        frame.error->info = {};
        outbox.append_frame(session_.channel(), frame, context_.frame_size_max());
    }
    const bool closed = closed_ = frame.closed;
    passage_->detach.reset();
    detach_written_ = true;
    flow_due_ = false;
    move(frame.error ? LinkInput::send_error_detach : LinkInput::send_detach);
    session_.free_handle(*this);
    context_.scheduler.remove(*this);
    if (state_ != LinkState::ended) return session_.add_leaving(*passage_);
    if (passage_->fault) {
        finish(Initiator::us, closed, std::move(*passage_->fault));
    } else {
        finish(Initiator::peer, passage_->remote_detach->closed, std::move(passage_->remote_detach->error));
    }
}

bool LinkEndpoint::needs_output() const noexcept {
    if (state_ == LinkState::ended || detach_written_) return false;
    return attaches() || detaches() || flow_due_ || may_drain_now();
}

LinkStatus LinkEndpoint::status() const {
    LinkStatus status;
    status.credit = is_sender() ? sending_.credit.available() : credit_lent_ ? 0 : receiving_.credit.credit();
    status.queued = is_sender() ? waiting_.size() : 0;
    status.unsettled = unsettled_;
    status.draining = is_sender() ? sending_.credit.draining() : receiving_.credit.draining();
    status.available = is_sender() ? sending_.available : receiving_.credit.available();
    status.peer_message_size_max = remote_message_size_max_;
    return status;
}

codec::Result<DeliveryId> LinkEndpoint::find_delivery(const codec::DeliveryTag& tag) const {
    for (const Delivery* delivery = deliveries_.front(); delivery != nullptr; delivery = deliveries_.next(*delivery)) {
        if (delivery->tag == tag) return delivery->id;
    }
    return make_error_code(Errc::no_such_endpoint);
}

}  // namespace aprotic::engine::core
