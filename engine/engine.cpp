#include <aprotic/engine/engine.hpp>

#include <utility>

#include <aprotic/engine/stack/protocol_stack.hpp>

namespace aprotic::engine {

struct Engine::Impl {
    Impl(EngineRole role, ConnectionOptions options, Instant now, std::uint64_t seed, bool private_stream)
        : stack(role, std::move(options), now, seed, private_stream) {}

    core::ConnectionEndpoint& connection() { return stack.connection(); }

    stack::ProtocolStack stack;
};

Engine::Engine(EngineRole role, ConnectionOptions options, Instant now, std::uint64_t seed, bool private_stream)
    : impl_(std::make_unique<Impl>(role, std::move(options), now, seed, private_stream)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

std::span<std::byte> Engine::prepare_read() { return impl_->stack.prepare_read(); }
void Engine::commit_read(std::size_t n, Instant now) { impl_->stack.commit_read(n, now); }
void Engine::close_read(std::error_code why, Instant now) { impl_->stack.close_read(why, now); }
std::size_t Engine::prepare_write(std::span<codec::ConstBuffer> out, Instant now) {
    return impl_->stack.prepare_write(out, now);
}
bool Engine::output_can_wait() { return impl_->stack.output_can_wait(); }
void Engine::commit_write(std::size_t n, Instant now) { impl_->stack.commit_write(n, now); }
void Engine::close_write(std::error_code why, Instant now) { impl_->stack.close_write(why, now); }
bool Engine::wants_close() const { return impl_->stack.wants_close(); }
std::optional<Instant> Engine::poll_timeout() const { return impl_->stack.poll_timeout(); }
void Engine::handle_timeout(Instant now) { impl_->stack.handle_timeout(now); }
std::optional<Event> Engine::poll_event() {
    std::optional<Event> event;
    impl_->stack.poll_event(event);
    return event;
}
bool Engine::poll_event(std::optional<Event>& into) {
    into.reset();
    impl_->stack.poll_event(into);
    return into.has_value();
}

std::size_t Engine::poll_received(LinkId& link, std::span<DeliveryId> into) {
    return impl_->stack.poll_received(link, into);
}

codec::Result<void> Engine::open() { return impl_->connection().open(); }
void Engine::close(std::optional<codec::ErrorCondition> error) { impl_->stack.close(std::move(error)); }
codec::Result<SessionId> Engine::begin(const SessionOptions& options) { return impl_->connection().begin(options); }
codec::Result<void> Engine::end(SessionId session, std::optional<codec::ErrorCondition> error) {
    return impl_->connection().end(session, std::move(error));
}
codec::Result<LinkId> Engine::attach(SessionId session, const LinkOptions& options) {
    return impl_->connection().attach(session, options);
}
codec::Result<void> Engine::accept(LinkId link, const LinkOptions& options) {
    return impl_->connection().accept(link, options);
}
codec::Result<void> Engine::refuse(LinkId link, codec::ErrorCondition error) {
    return impl_->connection().refuse(link, std::move(error));
}
codec::Result<void> Engine::detach(LinkId link, bool closed, std::optional<codec::ErrorCondition> error) {
    return impl_->connection().detach(link, closed, std::move(error));
}
codec::Result<void> Engine::set_credit(LinkId link, std::uint32_t credit) {
    return impl_->connection().set_credit(link, credit);
}
codec::Result<void> Engine::drain(LinkId link) { return impl_->connection().drain(link); }
codec::Result<void> Engine::set_available(LinkId link, std::uint32_t available) {
    return impl_->connection().set_available(link, available);
}
codec::Result<void> Engine::send_flow(LinkId link, bool echo, codec::Map properties) {
    return impl_->connection().send_flow(link, echo, std::move(properties));
}
codec::Result<DeliveryId> Engine::send(LinkId link, codec::EncodedMessage&& message, const SendOptions& options) {
    return impl_->connection().send(link, std::move(message), options);
}
codec::Result<DeliveryId> Engine::send(LinkId link, const codec::EncodedMessage& message, const SendOptions& options) {
    return impl_->connection().send(link, message, options);
}
codec::Result<DeliveryId> Engine::begin_send(LinkId link, const SendOptions& options) {
    return impl_->connection().begin_send(link, options);
}
codec::Result<std::size_t> Engine::append(DeliveryId delivery, codec::ByteChain part) {
    return impl_->connection().append(delivery, std::move(part));
}
codec::Result<void> Engine::finish_send(DeliveryId delivery) { return impl_->connection().finish_send(delivery); }
codec::Result<void> Engine::abort_send(DeliveryId delivery) { return impl_->connection().abort_send(delivery); }
bool Engine::retract(DeliveryId delivery) { return impl_->connection().retract(delivery); }
void Engine::set_context(DeliveryId delivery, void* context) { impl_->connection().set_context(delivery, context); }
codec::Result<IncomingDelivery> Engine::take(DeliveryId delivery) { return impl_->connection().take(delivery); }
codec::Result<void> Engine::take(DeliveryId delivery, IncomingDelivery& into) {
    return impl_->connection().take(delivery, into);
}
void Engine::give_back(codec::ByteChain&& payload) noexcept { impl_->connection().give_back(std::move(payload)); }
codec::Result<void> Engine::settle(DeliveryId delivery, std::optional<codec::DeliveryState> state) {
    return impl_->connection().settle(delivery, std::move(state));
}
codec::Result<void> Engine::settle(DeliveryId delivery, codec::Accepted outcome) {
    return impl_->connection().settle(delivery, outcome);
}
codec::Result<void> Engine::update(DeliveryId delivery, codec::DeliveryState state) {
    return impl_->connection().update(delivery, std::move(state));
}

codec::Result<LinkStatus> Engine::status(LinkId link) const {
    return std::as_const(impl_->stack).connection().status(link);
}
std::uint32_t Engine::spare_credit(LinkId link) const {
    return std::as_const(impl_->stack).connection().spare_credit(link);
}
codec::Result<DeliveryId> Engine::find_delivery(LinkId link, const codec::DeliveryTag& tag) const {
    return std::as_const(impl_->stack).connection().find_delivery(link, tag);
}
const codec::DeliveryState* Engine::partial_state(LinkId link) const {
    return std::as_const(impl_->stack).connection().partial_state(link);
}
const codec::Open* Engine::remote_open() const { return std::as_const(impl_->stack).connection().remote_open(); }
void Engine::set_trace(TraceSink* sink) { impl_->stack.set_trace(sink); }
void Engine::tell_settled_together() { impl_->stack.tell_settled_together(); }

}  // namespace aprotic::engine
