#include <aprotic/engine/sender.hpp>

#include <aprotic/engine/state/sender_state.hpp>

namespace aprotic::engine {

Tracker Sender::send(const codec::Message& message, const SendParameters& parameters) const {
    return state_->send(codec::encode(message), parameters);
}

Tracker Sender::send(codec::EncodedMessage message, const SendParameters& parameters) const {
    return state_->send(std::move(message), parameters);
}

Async<Outcome> Sender::async_send(codec::EncodedMessage message, Duration timeout, std::stop_token cancel,
                                  const SendParameters& parameters) const {
    return state_->async_send(std::move(message), timeout, std::move(cancel), parameters);
}

Async<Outcome> Sender::async_send(const codec::Message& message, Duration timeout, std::stop_token cancel,
                                  const SendParameters& parameters) const {
    return state_->async_send(codec::encode(message), timeout, std::move(cancel), parameters);
}

OutgoingDelivery Sender::begin(const SendParameters& parameters, std::uint32_t message_format) const {
    return state_->begin(parameters, message_format);
}

codec::Result<void, Failure> Sender::wait_open(Duration timeout) const { return state_->wait_open(timeout); }

void Sender::close(std::optional<codec::ErrorCondition> error) const {
    state_->run([state = state_.get(), error = std::move(error)] { state->close(error); });
}

Async<void> Sender::async_wait_open(Duration timeout, std::stop_token cancel) const {
    return state_->async_wait_open(timeout, std::move(cancel));
}

Async<void> Sender::async_close(Duration timeout, std::stop_token cancel,
                                std::optional<codec::ErrorCondition> error) const {
    return state_->async_close(timeout, std::move(cancel), std::move(error));
}

Async<PeerFlow> Sender::async_flow(Duration timeout, std::stop_token cancel, codec::Map properties) const {
    return state_->async_flow(timeout, std::move(cancel), std::move(properties));
}

void Sender::detach() const {
    state_->run([state = state_.get()] { state->suspend(); });
}

std::shared_ptr<SuspendedLink> Sender::take_suspended() const { return state_->take_suspended(); }

std::uint32_t Sender::credit() const { return state_->credit(); }
std::size_t Sender::pending() const { return state_->pending(); }
bool Sender::is_open() const { return state_->is_open(); }
const codec::Attach* Sender::remote() const { return state_->opened_once ? state_->remote_attach() : nullptr; }
std::string Sender::name() const { return state_->name(); }
std::string Sender::address() const { return state_->current_address(); }

}  // namespace aprotic::engine
