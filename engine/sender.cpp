#include <aprotic/engine/sender.hpp>

#include <aprotic/engine/state/sender_state.hpp>

namespace aprotic::engine {

Tracker Sender::send(const codec::Message& message, const SendParameters& parameters) const {
    return state_->send(codec::encode(message), parameters);
}

Tracker Sender::send(codec::EncodedMessage message, const SendParameters& parameters) const {
    return state_->send(std::move(message), parameters);
}

codec::Result<void, Failure> Sender::wait_open(Duration timeout) const { return state_->wait_open(timeout); }

void Sender::close(std::optional<codec::ErrorCondition> error) const {
    state_->run([state = state_.get(), error = std::move(error)] { state->close(error); });
}

std::uint32_t Sender::credit() const { return state_->credit(); }
std::size_t Sender::pending() const { return state_->pending(); }
bool Sender::is_open() const { return state_->is_open(); }
const codec::Attach* Sender::remote() const { return state_->opened_once ? &*state_->remote : nullptr; }
const std::string& Sender::name() const { return state_->options.name; }
std::string Sender::address() const { return state_->current_address(); }

}  // namespace aprotic::engine
