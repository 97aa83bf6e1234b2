#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>

namespace aprotic::engine {

ReceiverState::ReceiverState(std::shared_ptr<Loop> its_loop, ConnectionState& its_connection, LinkOptions its_options,
                             std::uint32_t credit_target, std::shared_ptr<ReceiverHandler> its_handler)
    : LinkState(std::move(its_loop), its_connection, std::move(its_options), its_handler != nullptr),
      target_(credit_target),
      handler_(std::move(its_handler)) {}

// --- any thread
// ------------------------------------------------------------------------------------------------------------

codec::Result<Delivery, Failure> ReceiverState::try_receive(Duration timeout) {
    const auto failed = [this](Errc code, std::string text) {
        return Failure{.code = code, .condition = {}, .text = fmt::format("{}: {}", description(), text)};
    };
    if (handled) return failed(Errc::wrong_state, "messages go to its handler, not to receive()");
    std::unique_lock lock(mutex);
    const auto decided = [this] { return !inbox_.empty() || ended; };
    if (!decided()) {
        if (timeout > Duration::zero() && loop->reactor.on_thread()) {
            return failed(Errc::would_deadlock, "receive() on the reactor's own thread");
        }
        if (!changed.wait_for(lock, bounded(timeout), decided)) {
            return failed(Errc::timed_out, fmt::format("no message within {}",
                                                       std::chrono::duration_cast<std::chrono::milliseconds>(timeout)));
        }
    }
    if (inbox_.empty()) return *ended;
    Delivery delivery = std::move(inbox_.front());
    inbox_.pop_front();
    lock.unlock();
    if (delivery.is_settled()) run([this] { no_longer_held(); });
    return delivery;
}

void ReceiverState::settle(DeliveryId delivery, codec::DeliveryState outcome) {
    run([this, delivery, outcome = std::move(outcome)]() mutable { settle_now(delivery, std::move(outcome)); });
}

void ReceiverState::settle(DeliveryId delivery, Short outcome) {
    run([this, delivery, outcome] {
        if (outcome == Short::accepted) return settle_now(delivery, codec::Accepted{});
        settle_now(delivery, codec::Released{});
    });
}

// --- reactor's thread
// ------------------------------------------------------------------------------------------------------

void ReceiverState::settle_now(DeliveryId delivery, codec::DeliveryState outcome) {
    Engine* engine = connection ? connection->engine() : nullptr;
    if (engine == nullptr) return;
    // The peer may have settled it first; there is nothing to tell it then.
    static_cast<void>(engine->settle(delivery, std::move(outcome)));
    no_longer_held();
    connection->wake();
}

void ReceiverState::no_longer_held() {
    if (held_ > 0) --held_;
    top_up();
}

void ReceiverState::after_attach() {
    if (target_ > 0) return grant(target_);
    if (credit_ > 0) grant(std::exchange(credit_, 0));
}

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

void ReceiverState::top_up() {
    if (target_ == 0 || stopped_ || draining_ || closing || !id) return;
    if (credit_ > target_ / 2) return;
    const std::uint32_t taken = held_ + credit_;
    if (taken >= target_) return;
    const std::uint32_t room = target_ - taken;
    // While the application holds much, granting one by one would cost a frame per message. A peer without credit
    // cannot wait.
    if (credit_ > 0 && room < target_ / 8) return;
    grant(room);
}

void ReceiverState::add_credit(std::uint32_t more) {
    if (connection == nullptr || closing) return;
    stopped_ = false;
    grant(more);
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

void ReceiverState::flowed() {
    Engine* engine = connection->engine();
    if (engine == nullptr || !draining_) return;
    const auto status = engine->status(*id);
    if (!status || status->draining) return;
    draining_ = false;
    credit_ = status->credit;
    if (!handler_) return;
    Receiver handle(std::static_pointer_cast<ReceiverState>(shared_from_this()));
    connection->call([&] { handler_->on_drained(handle); });
}

void ReceiverState::delivery_received(DeliveryId delivery_id) {
    Engine* engine = connection->engine();
    if (engine == nullptr) return;
    auto incoming = engine->take(delivery_id);
    if (!incoming) return;
    if (credit_ > 0) --credit_;
    connection->wake();
    const auto self = std::static_pointer_cast<ReceiverState>(shared_from_this());
    const bool settled = incoming->settled;
    auto state = std::make_unique<Delivery::State>();
    state->receiver = self;
    state->id = delivery_id;
    state->incoming = std::move(*incoming);
    Delivery delivery(std::move(state));
    if (handler_) {
        if (!settled) ++held_;
        Receiver handle(self);
        connection->call([&] { handler_->on_message(handle, delivery); });
        top_up();
        return;
    }
    ++held_;
    {
        const std::lock_guard lock(mutex);
        inbox_.push_back(std::move(delivery));
        changed.notify_one();
    }
    top_up();
}

void ReceiverState::delivery_updated(const DeliveryUpdated&) {
    // The sender settled first, or answered our outcome: the application's own settlement is what counts for the
    // credit.
}

void ReceiverState::before_detach() {
    std::deque<Delivery> dropped;  // released when this returns, while the peer can still be told
    const std::lock_guard lock(mutex);
    for (auto& delivery : std::exchange(inbox_, {})) {
        if (delivery.is_settled()) {
            inbox_.push_back(std::move(delivery));
        } else {
            dropped.push_back(std::move(delivery));
        }
    }
}

void ReceiverState::after_end(const Failure&) { before_detach(); }

void ReceiverState::forget_user() { handler_.reset(); }

void ReceiverState::tell_open() {
    if (!handler_) return;
    Receiver handle(std::static_pointer_cast<ReceiverState>(shared_from_this()));
    handler_->on_open(handle);
}

void ReceiverState::tell_remote_close(const std::optional<codec::ErrorCondition>& error) {
    if (!handler_) return;
    Receiver handle(std::static_pointer_cast<ReceiverState>(shared_from_this()));
    handler_->on_remote_close(handle, error);
}

void ReceiverState::tell_close(const std::optional<Failure>& why) {
    const auto handler = std::exchange(handler_, nullptr);
    if (!handler) return;
    Receiver handle(std::static_pointer_cast<ReceiverState>(shared_from_this()));
    handler->on_close(handle, why);
}

}  // namespace aprotic::engine
