#include <aprotic/engine/receiver.hpp>

#include <aprotic/engine/state/receiver_state.hpp>

namespace aprotic::engine {

codec::Result<Delivery, Failure> Receiver::try_receive(Duration timeout) const { return state_->try_receive(timeout); }

Delivery Receiver::receive(Duration timeout) const {
    auto received = state_->try_receive(timeout);
    if (!received) throw std::system_error(received.error().code, received.error().message());
    return std::move(*received);
}

Async<Delivery> Receiver::async_receive(Duration timeout, std::stop_token cancel) const {
    return state_->async_receive(timeout, std::move(cancel));
}

codec::Result<void, Failure> Receiver::wait_open(Duration timeout) const { return state_->wait_open(timeout); }

void Receiver::add_credit(std::uint32_t more) const {
    state_->run([state = state_.get(), more] { state->add_credit(more); });
}

void Receiver::set_credit(std::uint32_t deliveries) const {
    state_->run([state = state_.get(), deliveries] { state->set_credit(deliveries); });
}

void Receiver::drain() const {
    state_->run([state = state_.get()] { state->drain(); });
}

void Receiver::close(std::optional<codec::ErrorCondition> error) const {
    state_->run([state = state_.get(), error = std::move(error)] { state->close(error); });
}

Async<void> Receiver::async_wait_open(Duration timeout, std::stop_token cancel) const {
    return state_->async_wait_open(timeout, std::move(cancel));
}

Async<void> Receiver::async_close(Duration timeout, std::stop_token cancel,
                                  std::optional<codec::ErrorCondition> error) const {
    return state_->async_close(timeout, std::move(cancel), std::move(error));
}

Async<PeerFlow> Receiver::async_flow(Duration timeout, std::stop_token cancel, codec::Map properties) const {
    return state_->async_flow(timeout, std::move(cancel), std::move(properties));
}

void Receiver::detach() const {
    state_->run([state = state_.get()] { state->suspend(); });
}

std::shared_ptr<SuspendedLink> Receiver::take_suspended() const { return state_->take_suspended(); }

std::uint32_t Receiver::credit() const { return state_->credit(); }
std::uint32_t Receiver::available() const { return state_->available(); }
bool Receiver::is_open() const { return state_->is_open(); }
const codec::Attach* Receiver::remote() const { return state_->opened_once ? state_->remote_attach() : nullptr; }
std::optional<codec::Binary> Receiver::partial_txn_id() const { return state_->partial_txn_id(); }
std::string Receiver::name() const { return state_->name(); }
std::string Receiver::address() const { return state_->current_address(); }

}  // namespace aprotic::engine
