#include <aprotic/engine/core/session_endpoint.hpp>

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/core.h>

#include <aprotic/engine/core/endpoint_context.hpp>
#include <aprotic/engine/event.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/suspended_link.hpp>

// The session's life, its links, and what comes in. What goes out is in session_output.cpp.

namespace aprotic::engine::core {
namespace {

/// A fault of a link is the link's to bear; wider ones go on to whoever they concern.
Fault contain(LinkEndpoint& link, Fault fault) {
    if (!fault || fault->scope != FaultScope::link) return fault;
    link.fail(to_condition(*fault));
    return {};
}

Fault unattached(std::uint32_t handle) {
    return session_fault(codec::condition::unattached_handle, "2.6.2-e",
                         fmt::format("no link is attached on handle {}", handle));
}

}  // namespace

SessionEndpoint::SessionEndpoint(EndpointContext& context, std::uint16_t channel, const SessionOptions& options)
    : windows(options.incoming_window.value_or(context.limits.incoming_window)),
      context_(context),
      channel_(channel),
      options_(options) {
    context_.endpoint_bytes += EndpointContext::endpoint_cost;
}

SessionEndpoint::~SessionEndpoint() { context_.endpoint_bytes -= EndpointContext::endpoint_cost; }

void SessionEndpoint::move(SessionInput input) {
    const std::optional<SessionState> following = next(state_, input);
    APROTIC_ASSERT(following);
    state_ = *following;
}

void SessionEndpoint::mark_dirty() { context_.dirty_sessions.push_back(*this); }

void SessionEndpoint::mark_dirty(LinkEndpoint& link) {
    if (!link.dirty) dirty_links_.push_back(&link);
    link.dirty = true;
    mark_dirty();
}

// --- life ----------------------------------------------------------------------------------------------------------

void SessionEndpoint::recv_begin(std::uint16_t remote_channel, codec::Begin begin) {
    if (state_ == SessionState::unmapped) local_ = false;
    move(SessionInput::recv_begin);
    remote_channel_ = remote_channel;
    remote_begun_ = true;
    remote_handle_max_ = begin.handle_max;
    windows.recv_begin(SerialNumber(begin.next_outgoing_id), begin.incoming_window, begin.outgoing_window);
    if (finished_ || end_written_) return;
    context_.events.push(SessionOpened{id_, !local_, std::move(begin)}, context_.frame_cost);
    mark_dirty();
    for (LinkEndpoint* const link : handles_) {
        if (link == nullptr || link->state() != LinkState::detached || may_use(link->handle())) continue;
        link->cut(Initiator::us, codec::ErrorCondition{codec::Symbol(codec::condition::resource_limit_exceeded),
                                                       "the peer's handle-max leaves no room for the link",
                                                       {}});
    }
}

codec::Result<void> SessionEndpoint::end(std::optional<codec::ErrorCondition> error) {
    if (finished_ || end_due_ || end_written_) return make_error_code(Errc::wrong_state);
    if (state_ == SessionState::unmapped) {
        // The peer has never heard of it.
        begin_due_ = false;
        state_ = SessionState::ended;
        cut_links(Initiator::us, error);
        finish(Initiator::us, std::move(error));
        return {};
    }
    end_due_ = true;
    end_at_once_ = error.has_value();
    end_error_ = std::move(error);
    mark_dirty();
    return {};
}

void SessionEndpoint::fail(codec::ErrorCondition error) {
    if (finished_ || end_written_) return;
    cut_links(Initiator::us, error);
    end_due_ = end_at_once_ = true;
    end_error_ = std::move(error);
    mark_dirty();
}

void SessionEndpoint::recv_end(codec::End end) {
    move(SessionInput::recv_end);
    if (state_ == SessionState::ended) {
        finish(Initiator::us, end_error_ ? std::move(end_error_) : std::move(end.error));
        return;
    }
    // It is answered by itself; the application is told at once, there is nothing left to do for it. [2.5.2-a]
    cut_links(Initiator::peer, end.error);
    end_due_ = end_at_once_ = true;
    end_error_.reset();
    finish(Initiator::peer, std::move(end.error));
    mark_dirty();
}

void SessionEndpoint::cut(Initiator initiator, const std::optional<codec::ErrorCondition>& error) {
    cut_links(initiator, error);
    begin_due_ = flow_due_ = end_due_ = false;
    state_ = SessionState::ended;
    finish(initiator, error);
}

void SessionEndpoint::cut_links(Initiator initiator, const std::optional<codec::ErrorCondition>& error) {
    for (LinkEndpoint* const link : std::exchange(dirty_links_, {})) link->dirty = false;
    for (LinkEndpoint* const link : handles_) {
        if (link != nullptr) link->cut(initiator, error);
    }
    leaving_.for_each([&](LinkPassage& passage) { passage.link.cut(initiator, error); });
}

void SessionEndpoint::finish(Initiator initiator, std::optional<codec::ErrorCondition> error) {
    if (std::exchange(finished_, true)) return;
    context_.events.push(SessionEnded{id_, initiator, std::move(error)}, context_.frame_cost);
}

// --- links ---------------------------------------------------------------------------------------------------------

std::optional<std::uint32_t> SessionEndpoint::free_handle_number() const noexcept {
    std::uint32_t handle = 0;  // the lowest that is free [2.6.2-f]
    while (handle < handles_.size() && handles_[handle] != nullptr) ++handle;
    if (remote_begun_ && handle > remote_handle_max_) return std::nullopt;
    return handle;
}

LinkEndpoint& SessionEndpoint::add_link(LinkId& id, std::uint32_t handle, codec::Role role, std::string name) {
    const auto [made, link] = context_.links.emplace(context_, *this, role, std::move(name));
    id = made;
    context_.names.insert(*link);
    if (handle >= handles_.size()) handles_.resize(handle + 1);
    handles_[handle] = link;
    return *link;
}

void SessionEndpoint::free_handle(const LinkEndpoint& link) noexcept {
    if (link.handle() < handles_.size() && handles_[link.handle()] == &link) handles_[link.handle()] = nullptr;
}

void SessionEndpoint::forget(LinkEndpoint& link, LinkPassage* passage) noexcept {
    if (passage != nullptr) leaving_.remove(*passage);
    if (link.dirty) std::erase(dirty_links_, &link);
    link.dirty = false;
    if (std::erase(streams_, &link) > 0) reopen_window();
}

codec::Result<LinkId> SessionEndpoint::attach(const LinkOptions& options) {
    if (finished_ || end_due_ || end_written_) return make_error_code(Errc::wrong_state);
    if (options.suspended && options.suspended->role != options.role) return make_error_code(Errc::invalid_option);
    std::string name = options.suspended ? options.suspended->name : options.name;
    if (name.empty()) name = fmt::format("aprotic-{:016x}-{}", context_.seed, ++context_.names_made);
    if (context_.names.find(options.role, name) != nullptr) return make_error_code(Errc::wrong_state);  // [2.6.1-b]
    const auto handle = free_handle_number();
    if (!handle) return make_error_code(Errc::limit_reached);
    LinkId id;
    add_link(id, *handle, options.role, std::move(name)).start(id, *handle, options);
    return id;
}

void SessionEndpoint::close_again(codec::Role role, const std::string& name) {
    const auto handle = free_handle_number();
    if (!handle || !can_send() || end_due_) return;
    LinkId id;
    add_link(id, *handle, role, name).start_closing(id, *handle);
}

Fault SessionEndpoint::recv_attach(codec::Attach attach) {
    if (attach.handle > context_.limits.handle_max) {
        return connection_fault(
            codec::condition::framing_error, "2.7.2-c",
            fmt::format("handle {} is above our handle-max {}", attach.handle, context_.limits.handle_max));
    }
    if (remote_handles_.find(attach.handle) != nullptr) {
        return session_fault(codec::condition::handle_in_use, "2.6.2-c",
                             fmt::format("handle {} is in use", attach.handle));
    }
    LinkEndpoint* const namesake = context_.names.find(codec::opposite(attach.role), attach.name);
    if (namesake != nullptr && &namesake->session() == this && namesake->awaits_attach()) {
        remote_handles_.insert(attach.handle, *namesake);
        return contain(*namesake, namesake->recv_attach(std::move(attach)));
    }
    return recv_attach_request(std::move(attach), namesake);
}

Fault SessionEndpoint::recv_attach_request(codec::Attach attach, LinkEndpoint* namesake) {
    const auto handle = free_handle_number();
    if (!handle) {
        return session_fault(codec::condition::resource_limit_exceeded, "2.7.2-b",
                             "no handle that the peer takes is left to answer its attach");
    }
    LinkId predecessor;
    if (namesake != nullptr) {
        predecessor = namesake->id();
        // After an error of ours the link is resumed or not at all, and not before our detach is answered.
        if (namesake->state() == LinkState::discarding && !attach.unsettled) {
            return session_fault(codec::condition::errant_link, "2.6.5-c",
                                 "a link was attached again before its detach with an error was answered");
        }
        // A link that is attached again has moved; where it was, it is stolen. One that the peer has detached has just
        // gone. [2.6.1-d]
        if (namesake->state() != LinkState::detach_received) {
            namesake->fail({codec::Symbol(codec::condition::stolen), "the link was attached again", {}});
        }
    }
    const std::uint32_t remote_handle = attach.handle;
    LinkId id;
    LinkEndpoint& link = add_link(id, *handle, codec::opposite(attach.role), attach.name);
    remote_handles_.insert(remote_handle, link);
    return contain(link, link.start_requested(id, *handle, std::move(attach), predecessor));
}

Fault SessionEndpoint::recv_detach(codec::Detach detach) {
    LinkEndpoint* const link = remote_handles_.find(detach.handle);
    if (link == nullptr) return unattached(detach.handle);
    return link->recv_detach(std::move(detach));
}

// --- flow, transfers, dispositions ---------------------------------------------------------------------------------

Fault SessionEndpoint::recv_flow(const codec::Flow& flow) {
    std::optional<SerialNumber> next_incoming_id;
    if (flow.next_incoming_id) next_incoming_id = SerialNumber(*flow.next_incoming_id);
    const bool was_closed = windows.sendable() == 0;
    windows.recv_flow(next_incoming_id, flow.incoming_window, SerialNumber(flow.next_outgoing_id),
                      flow.outgoing_window);
    if (was_closed && windows.sendable() > 0) {
        for (LinkEndpoint* const link : handles_) {
            if (link != nullptr) context_.scheduler.consider(*link);
        }
    }
    if (!flow.handle) {
        if (flow.echo) {  // [2.6.7-p]
            flow_due_ = true;
            mark_dirty();
        }
        return {};
    }
    LinkEndpoint* const link = remote_handles_.find(*flow.handle);
    if (link == nullptr) return unattached(*flow.handle);
    return contain(*link, link->recv_flow(flow));
}

Fault SessionEndpoint::recv_transfer(codec::Transfer& transfer, codec::Bytes payload) {
    // Every frame takes its part of the window, whatever becomes of it. [2.7.5-v]
    if (!windows.recv_transfer()) {
        return session_fault(codec::condition::window_violation, "2.5.6-f",
                             "a transfer came outside of our incoming window");
    }
    LinkEndpoint* const link = remote_handles_.find(transfer.handle);
    if (link == nullptr) return unattached(transfer.handle);
    if (link->drops_input()) {
        if (transfer.delivery_id && transfer.delivery_id == next_incoming_delivery_id_) ++*next_incoming_delivery_id_;
        reopen_window();
        return {};
    }
    Fault fault = contain(*link, link->recv_transfer(transfer, std::move(payload)));
    reopen_window();
    return fault;
}

bool SessionEndpoint::recv_whole_transfer(const codec::WholeTransfer& transfer, Inbox& inbox) {
    if (drops_input() || !windows.may_recv_transfer() || next_incoming_delivery_id_ != transfer.delivery_id)
        return false;
    LinkEndpoint* const link = remote_handles_.find(transfer.handle);
    if (link == nullptr || !link->recv_whole_transfer(transfer, inbox)) return false;
    static_cast<void>(windows.recv_transfer());  // [2.7.5-v]
    ++*next_incoming_delivery_id_;               // [2.7.5-e]
    reopen_window();
    return true;
}

void SessionEndpoint::reopen_bounded_window() noexcept {
    if (!can_send() || !windows.should_reopen(window_limit())) return;
    flow_due_ = true;
    mark_dirty();
}

/// Frames the peer may be given: whatever it sends may be for the link that can take the least.
std::uint32_t SessionEndpoint::window_limit() const noexcept {
    std::uint32_t limit = UINT32_MAX;
    for (const LinkEndpoint* const link : streams_) limit = std::min(limit, link->frames_wanted());
    return limit;
}

Fault SessionEndpoint::recv_delivery_id(std::uint32_t number) {
    if (next_incoming_delivery_id_ && *next_incoming_delivery_id_ != number) {
        return session_fault(codec::condition::invalid_field, "2.7.5-e",
                             fmt::format("delivery-id {} came where {} was due", number, *next_incoming_delivery_id_));
    }
    next_incoming_delivery_id_ = number + 1;
    return {};
}

void SessionEndpoint::recv_disposition(codec::Disposition& disposition) {
    // The role is that of the writer: a receiver speaks about what we have sent. [2.7.6-c]
    const Unsettled& meant = disposition.role == codec::Role::receiver ? outgoing : incoming;
    found_.clear();
    meant.find_range(disposition.first, disposition.last.value_or(disposition.first), found_);
    if (!suspended_.empty()) tell_suspended(disposition);
    if (found_.empty()) return;
    Shared<ToldState> state;
    if (disposition.state) state = context_.share(std::move(*disposition.state));
    const bool accepted = context_.tells_settled_together && disposition.settled && state &&
                          std::holds_alternative<codec::Accepted>(state->state);
    for (Delivery* const delivery : found_) {
        if (accepted && delivery->link->recv_accepted(*delivery)) continue;
        delivery->link->recv_state(*delivery, disposition.settled, state);
    }
}

void SessionEndpoint::tell_suspended(const codec::Disposition& disposition) {
    const std::uint32_t last = disposition.last.value_or(disposition.first);
    if (SerialNumber(last).is_before(SerialNumber(disposition.first))) return;
    std::erase_if(suspended_, [&](const std::weak_ptr<SuspendedLink>& kept) {
        const auto link = kept.lock();
        if (!link) return true;
        if (link->role == disposition.role) return false;
        for (SuspendedDelivery& delivery : link->deliveries) {
            if (!delivery.number || delivery.settled) continue;
            if (*delivery.number - disposition.first > last - disposition.first) continue;
            const bool decided = delivery.remote_state && codec::is_terminal(*delivery.remote_state);
            if (disposition.state && !decided) delivery.remote_state = disposition.state;
            delivery.settled = disposition.settled;
        }
        return false;
    });
}

}  // namespace aprotic::engine::core
