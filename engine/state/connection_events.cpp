#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/container_state.hpp>
#include <aprotic/engine/state/coordinator_state.hpp>
#include <aprotic/engine/state/link_request_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>

// What the engine tells, handed on to links, sessions and handler.

namespace aprotic::engine {

void ConnectionState::on_event(Event& event) {
    std::visit([this](auto& what) { handle(what); }, event);
}

void ConnectionState::on_events_done() {
    if (at_hand_) at_hand_->clear();
    end_cut_off();
    for (const auto& sender : std::exchange(rechecks_, {})) sender->recheck();
    while (!later_.empty()) {
        for (auto& task : std::exchange(later_, {})) task();
    }
}

void ConnectionState::handle(Authenticated& event) {
    const PeerIdentity& proved = event.identity;
    if (!proved.mechanism.empty() || !proved.user.empty() || proved.tls) identity = std::move(event.identity);
}

void ConnectionState::handle(ConnectionOpened&) {
    if (role == EngineRole::server) static_cast<void>(pump_->engine().open());
    {
        const std::lock_guard lock(mutex_);
        opened_ = true;
        changed_.notify_all();
    }
    opening_.succeed();
    wake();
    if (!handler_) return;
    Connection handle(shared_from_this());
    call([&] { handler_->on_open(handle); });
}

void ConnectionState::handle(ConnectionClosedByPeer& event) {
    closing_ = true;
    wake();
    if (!handler_) return;
    Connection handle(shared_from_this());
    call([&] { handler_->on_remote_close(handle, event.error); });
}

void ConnectionState::handle(ConnectionEnded& event) {
    std::optional<Failure> why = std::move(event.failure);
    if (why) why->text = fmt::format("{}: {}", peer_name, why->text.empty() ? why->code.message() : why->text);
    end(std::move(why));
}

void ConnectionState::handle(SessionEnded& event) {
    if (const auto entry = sessions_.extract(event.session)) {
        entry.mapped()->over = true;
        entry.mapped()->id.reset();
        if (common_session_ == entry.mapped()) common_session_.reset();
    }
    if (event.initiator != Initiator::peer || over_ || !handler_) return;
    // After the links, which are told when all events of this turn have come.
    later([self = shared_from_this(), error = std::move(event.error)] {
        if (!self->handler_) return;
        Connection handle(self);
        self->call([&] { self->handler_->on_remote_end(handle, error); });
    });
}

void ConnectionState::handle(LinkRequested& event) {
    const bool peer_receives = event.remote.role == codec::Role::receiver;
    LinkRequest request(std::make_unique<LinkRequest::State>(weak_from_this(), event.link, std::move(event.remote)));
    wake();
    if (!handler_) return;  // the request refuses itself
    Connection handle(shared_from_this());
    call([&] {
        if (peer_receives) {
            handler_->on_sender_requested(handle, std::move(request));
        } else {
            handler_->on_receiver_requested(handle, std::move(request));
        }
    });
}

void ConnectionState::handle(LinkOpened& event) {
    if (const auto link = find(event.link)) link->opened(&event.remote);
}

void ConnectionState::handle(LinkDetaching& event) {
    const auto link = find(event.link);
    if (!link) {
        // Asked for and not yet answered: the request, answered late, will find nothing.
        static_cast<void>(pump_->engine().detach(event.link, event.closed));
        return wake();
    }
    link->opened();  // accepted by us in this turn
    link->detaching(event);
}

void ConnectionState::handle(LinkDetached& event) {
    const auto link = links_.take(event.link);
    if (!link) return;
    link->opened();
    if (link->resumption) link->resumption->left = std::move(event.suspended);
    link->never_sent(event.unsent);
    if (link->closing) return link->end({});  // its own detach, or the answer to the peer's
    // It went with what it lived in. Should that be the connection, the reason is a few events behind.
    cut_off_.emplace_back(link, std::move(event));
}

void ConnectionState::end_cut_off() {
    for (auto& [link, event] : std::exchange(cut_off_, {})) {
        if (link->session && link->session->over && event.initiator == Initiator::us) {
            link->end({});
            continue;
        }
        Failure why{
            .code = Errc::ended_by_peer, .initiator = event.initiator, .condition = std::move(event.error), .text = {}};
        if (event.initiator == Initiator::peer) {
            why.text = fmt::format("the peer ended the session of {}", link->description());
        } else {
            // [2.7.1] [2.7.2] What the peer has room for was not known when the link was asked for; or it broke a rule.
            const bool limit =
                why.condition && (why.condition->condition == codec::condition::resource_limit_exceeded ||
                                  why.condition->condition == codec::condition::frame_size_too_small);
            why.code = limit ? Errc::limit_reached : Errc::protocol_violation;
            why.text = fmt::format("we ended {}", link->description());
        }
        link->end(std::move(why));
    }
}

void ConnectionState::handle(LinkFlowed& event) {
    const auto link = find(event.link);
    if (!link) return;
    link->opened();
    link->handle_flow(event);
}

// Links leave the table by events of their own, so none goes while it hears of a delivery.

void ConnectionState::on_received(LinkId id, std::span<const DeliveryId> deliveries) {
    if (const auto link = find(id)) link->deliveries_received(deliveries);
}

void ConnectionState::handle(DeliveryReceived& event) { on_received(event.link, std::span(&event.delivery, 1)); }

void ConnectionState::handle(DeliveryUpdated& event) {
    if (LinkState* const link = links_.at(event.link)) link->delivery_updated(event);
}

void ConnectionState::handle(DeliveriesSettled& event) {
    if (LinkState* const link = links_.at(event.link)) link->deliveries_settled(event);
}

MessagesAtHand& ConnectionState::messages_at_hand() {
    if (!at_hand_) at_hand_ = std::make_unique<MessagesAtHand>();
    return *at_hand_;
}

}  // namespace aprotic::engine
