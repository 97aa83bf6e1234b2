#include <aprotic/engine/receiver.hpp>

#include <aprotic/engine/state/receiver_state.hpp>

namespace aprotic::engine {

codec::Result<Delivery, Failure> Receiver::try_receive(Duration timeout) const { return state_->try_receive(timeout); }

Delivery Receiver::receive(Duration timeout) const {
    auto received = state_->try_receive(timeout);
    if (!received) throw std::system_error(received.error().code, received.error().message());
    return std::move(*received);
}

codec::Result<void, Failure> Receiver::wait_open(Duration timeout) const { return state_->wait_open(timeout); }

void Receiver::add_credit(std::uint32_t more) const {
    state_->run([state = state_.get(), more] { state->add_credit(more); });
}

void Receiver::drain() const {
    state_->run([state = state_.get()] { state->drain(); });
}

void Receiver::close(std::optional<codec::ErrorCondition> error) const {
    state_->run([state = state_.get(), error = std::move(error)] { state->close(error); });
}

std::uint32_t Receiver::credit() const { return state_->credit(); }
bool Receiver::is_open() const { return state_->is_open(); }
const codec::Attach* Receiver::remote() const { return state_->opened_once ? &*state_->remote : nullptr; }
const std::string& Receiver::name() const { return state_->options.name; }
std::string Receiver::address() const { return state_->current_address(); }

}  // namespace aprotic::engine
