#include <algorithm>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>

// How much a receiving link may have under way. [2.6.7]

namespace aprotic::engine {

/// `credit_` counts a message until the application has it, the engine until it has come: the engine's figure is the
/// one to add to, or what waits in between would be granted twice.
void ReceiverState::grant(std::uint32_t more) {
    Engine* engine = connection ? connection->engine() : nullptr;
    if (more > UINT32_MAX - credit_) more = UINT32_MAX - credit_;
    if (engine == nullptr || !id) {
        credit_ += more;  // told with the attach
        return;
    }
    const auto status = engine->status(*id);
    if (!status || closing) return;
    credit_ += more;
    static_cast<void>(engine->set_credit(*id, status->credit + more));
    connection->wake();
}

std::uint32_t ReceiverState::allowed_by_bytes() const {
    if (window_.bytes == 0) return UINT32_MAX;
    if (held_bytes_ >= window_.bytes) return 0;
    if (window_.usual == 0) return UINT32_MAX;  // nothing is known of the messages yet
    const std::size_t room = (window_.bytes - held_bytes_ + window_.usual - 1) / window_.usual;
    return static_cast<std::uint32_t>(std::min<std::size_t>(room, UINT32_MAX));
}

void ReceiverState::grant_anew() {
    if (window_.deliveries == 0 || stopped_ || draining_ || closing || !id) return;
    const std::uint32_t by_count = window_.deliveries - std::min(window_.deliveries, held_);
    const std::uint32_t allowed = std::min(by_count, allowed_by_bytes());
    if (credit_ > allowed && window_.bytes != 0) return take_back_credit(allowed);
    if (credit_ > window_.deliveries / 2 || credit_ >= allowed) return;
    const std::uint32_t room = allowed - credit_;
    // While the application holds much, granting one by one would cost a frame per message. A peer without credit
    // cannot wait.
    if (credit_ > 0 && room < window_.deliveries / 8) return;
    grant(room);
}

/// What the peer has not used by then; the rest still comes. [2.6.7-f]
void ReceiverState::take_back_credit(std::uint32_t allowed) {
    Engine* engine = connection ? connection->engine() : nullptr;
    const auto status = engine ? engine->status(*id) : codec::Result<LinkStatus>(LinkStatus{});
    if (engine == nullptr || !status) return;
    const std::uint32_t less = std::min(credit_ - allowed, status->credit);
    if (less == 0) return;
    credit_ -= less;
    static_cast<void>(engine->set_credit(*id, status->credit - less));
    connection->wake();
}

void ReceiverState::add_credit(std::uint32_t more) {
    if (connection == nullptr || closing) return;
    stopped_ = false;
    grant(more);
}

void ReceiverState::set_credit(std::uint32_t deliveries) {
    if (window_.deliveries == 0 || deliveries == 0) return;
    window_.deliveries = deliveries;
    const std::uint32_t allowed = deliveries - std::min(deliveries, held_);
    if (credit_ > allowed && !draining_ && !closing && id)
        take_back_credit(allowed);
    else
        top_up();
}

void ReceiverState::drain() {
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr || closing || !id) return;
    stopped_ = true;
    draining_ = true;
    if (!engine->drain(*id)) draining_ = false;
    connection->wake();
}

std::uint32_t ReceiverState::credit() const { return credit_; }

std::uint32_t ReceiverState::available() const {
    Engine* engine = connection ? connection->engine() : nullptr;
    const auto status = engine && id ? engine->status(*id) : codec::Result<LinkStatus>(LinkStatus{});
    return status ? status->available : 0;
}

void ReceiverState::flowed() {
    Engine* engine = connection->engine();
    if (engine == nullptr || !draining_) return;
    const auto status = engine->status(*id);
    if (!status || status->draining) return;
    draining_ = false;
    credit_ = status->credit;
    if (acquiring_ && std::exchange(acquiring_->draining, false)) {
        const auto transaction = acquiring_->transaction;  // which ends the acquisition
        return transaction->drained();
    }
    if (!handler_) return;
    Receiver handle(shared());
    connection->call([&] { handler_->on_drained(handle); });
}

}  // namespace aprotic::engine
