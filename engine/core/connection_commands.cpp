#include <utility>

#include <aprotic/engine/core/connection_endpoint.hpp>

// What the application asks of the connection, and of what lives in it: each command finds its endpoint or says that
// there is none.

namespace aprotic::engine::core {

codec::Result<void> ConnectionEndpoint::open() {
    if (ended_ || open_due_ || (state_ != ConnectionState::start && state_ != ConnectionState::open_received)) {
        return make_error_code(Errc::wrong_state);
    }
    open_due_ = true;
    return {};
}

void ConnectionEndpoint::close(std::optional<codec::ErrorCondition> error) {
    if (ended_ || close_due_ || close_written_) return;
    close_due_ = close_timer_due_ = true;
    close_error_ = std::move(error);
}

std::optional<std::uint16_t> ConnectionEndpoint::free_channel() const noexcept {
    std::size_t channel = 0;  // the lowest that is free [2.5.1-c]
    while (channel < channels_.size() && channels_[channel] != nullptr) ++channel;
    if (channel > context_.remote_channel_max.value_or(codec::protocol::channel_max_default))
        return std::nullopt;  // [2.7.1-k]
    return static_cast<std::uint16_t>(channel);
}

codec::Result<SessionId> ConnectionEndpoint::begin(const SessionOptions& options) {
    if (closing()) return make_error_code(Errc::wrong_state);
    const auto channel = free_channel();
    if (!channel) return make_error_code(Errc::limit_reached);
    const auto [id, session] = context_.sessions.emplace(context_, *channel, options);
    session->set_id(id);
    if (*channel >= channels_.size()) channels_.resize(*channel + std::size_t{1});
    channels_[*channel] = session;
    session->mark_dirty();
    return id;
}

codec::Result<void> ConnectionEndpoint::end(SessionId session, std::optional<codec::ErrorCondition> error) {
    SessionEndpoint* const found = context_.sessions.find(session);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->end(std::move(error));
}

codec::Result<LinkId> ConnectionEndpoint::attach(SessionId session, const LinkOptions& options) {
    SessionEndpoint* const found = context_.sessions.find(session);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    if (closing()) return make_error_code(Errc::wrong_state);
    return found->attach(options);
}

LinkEndpoint* ConnectionEndpoint::usable(LinkId link) noexcept {
    LinkEndpoint* const found = context_.links.find(link);
    return found != nullptr && found->state() != LinkState::ended ? found : nullptr;
}

Delivery* ConnectionEndpoint::usable(DeliveryId delivery) noexcept {
    Delivery* const found = context_.deliveries.find(delivery);
    return found != nullptr && found->link->state() != LinkState::ended ? found : nullptr;
}

/// Also of a link that has gone to be attached again, as long as the application has not heard of that: what it decides
/// is told then. [2.6.13]
Delivery* ConnectionEndpoint::decidable(DeliveryId delivery) noexcept {
    Delivery* const found = context_.deliveries.find(delivery);
    return found != nullptr && found->link->may_decide() ? found : nullptr;
}

codec::Result<void> ConnectionEndpoint::accept(LinkId link, const LinkOptions& options) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->accept(options);
}

codec::Result<void> ConnectionEndpoint::refuse(LinkId link, codec::ErrorCondition error) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->refuse(std::move(error));
}

codec::Result<void> ConnectionEndpoint::detach(LinkId link, bool closed, std::optional<codec::ErrorCondition> error) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->detach(closed, std::move(error));
}

codec::Result<void> ConnectionEndpoint::set_credit(LinkId link, std::uint32_t credit) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->set_credit(credit);
}

codec::Result<void> ConnectionEndpoint::drain(LinkId link) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->drain();
}

codec::Result<void> ConnectionEndpoint::set_available(LinkId link, std::uint32_t available) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->set_available(available);
}

codec::Result<void> ConnectionEndpoint::send_flow(LinkId link, bool echo, codec::Map properties) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->send_flow(echo, std::move(properties));
}

codec::Result<DeliveryId> ConnectionEndpoint::send(LinkId link, codec::EncodedMessage&& message,
                                                   const SendOptions& options) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->send(std::move(message), options);
}

codec::Result<DeliveryId> ConnectionEndpoint::begin_send(LinkId link, const SendOptions& options) {
    LinkEndpoint* const found = usable(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->begin_send(options);
}

codec::Result<std::size_t> ConnectionEndpoint::append(DeliveryId delivery, const codec::ByteChain& part) {
    Delivery* const found = usable(delivery);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->link->append(*found, part);
}

codec::Result<void> ConnectionEndpoint::finish_send(DeliveryId delivery) {
    Delivery* const found = usable(delivery);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->link->finish_send(*found);
}

codec::Result<void> ConnectionEndpoint::abort_send(DeliveryId delivery) {
    Delivery* const found = usable(delivery);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->link->abort_send(*found);
}

bool ConnectionEndpoint::retract(DeliveryId delivery) {
    Delivery* const found = usable(delivery);
    return found != nullptr && found->link->retract(*found);
}

void ConnectionEndpoint::set_context(DeliveryId delivery, void* context) noexcept {
    if (Delivery* const found = context_.deliveries.find(delivery)) found->context = context;
}

codec::Result<void> ConnectionEndpoint::take(DeliveryId delivery, IncomingDelivery& into) {
    // Also from a link that has gone, as long as the application has not heard of it: the message came before.
    Delivery* const found = context_.deliveries.find(delivery);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    const bool ready = found->complete || found->in_parts;
    if (!ready || found->taken || found->local_settled || found->aborted) return make_error_code(Errc::wrong_state);
    found->link->take(*found, into);
    return {};
}

codec::Result<void> ConnectionEndpoint::settle(DeliveryId delivery, std::optional<codec::DeliveryState>&& state) {
    Delivery* const found = decidable(delivery);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->link->settle(*found, std::move(state));
}

codec::Result<void> ConnectionEndpoint::settle(DeliveryId delivery, codec::Accepted outcome) {
    Delivery* const found = context_.deliveries.find(delivery);
    if (found != nullptr && found->link->accept_plainly(*found)) return {};
    return settle(delivery, codec::DeliveryState(outcome));
}

codec::Result<void> ConnectionEndpoint::update(DeliveryId delivery, codec::DeliveryState state) {
    Delivery* const found = decidable(delivery);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->link->update(*found, std::move(state));
}

codec::Result<LinkStatus> ConnectionEndpoint::status(LinkId link) const {
    const LinkEndpoint* const found = context_.links.find(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->status();
}

std::uint32_t ConnectionEndpoint::spare_credit(LinkId link) const noexcept {
    const LinkEndpoint* const found = context_.links.find(link);
    return found == nullptr ? 0 : found->spare_credit();
}

codec::Result<DeliveryId> ConnectionEndpoint::find_delivery(LinkId link, const codec::DeliveryTag& tag) const {
    const LinkEndpoint* const found = context_.links.find(link);
    if (found == nullptr) return make_error_code(Errc::no_such_endpoint);
    return found->find_delivery(tag);
}

const codec::DeliveryState* ConnectionEndpoint::partial_state(LinkId link) const {
    const LinkEndpoint* const found = context_.links.find(link);
    return found == nullptr ? nullptr : found->partial_state();
}

void ConnectionEndpoint::set_trace(TraceSink* sink) noexcept {
    trace_ = sink;
    context_.outbox.set_trace(sink);
}

}  // namespace aprotic::engine::core
