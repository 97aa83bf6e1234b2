#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/suspension.hpp>

// A receiving link: messages on their way to the application, their settlement, and the link's end. Credit is in
// receiver_credit.cpp, messages in parts in receiver_parts.cpp.

namespace aprotic::engine {

ReceiverState::ReceiverState(ConnectionState& its_connection, LinkOptions its_options, CreditWindow window,
                             std::shared_ptr<ReceiverHandler> its_handler)
    : LinkState(its_connection, std::move(its_options), its_handler != nullptr),
      window_(window),
      handler_(std::move(its_handler)),
      pulled_(handled ? nullptr : std::make_unique<Pulled>(loop()->recycler)) {}

Failure ReceiverState::failure(Errc code, std::string_view text) const {
    return {.code = code, .condition = {}, .text = fmt::format("{}: {}", description(), text)};
}

// --- any thread ------------------------------------------------------------------------------------------------------

codec::Result<Delivery, Failure> ReceiverState::try_receive(Duration timeout) {
    if (handled) return failure(Errc::wrong_state, "messages go to its handler, not to receive()");
    auto& inbox = pulled_->inbox;
    std::unique_lock lock(commons->mutex);
    const auto decided = [&] { return !inbox.empty() || ended; };
    if (!decided()) {
        if (timeout > Duration::zero() && reactor().on_thread()) {
            return failure(Errc::would_deadlock, "receive() on the reactor's own thread");
        }
        if (!wait_for(lock, timeout, decided)) {
            const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(timeout);
            return failure(Errc::timed_out, fmt::format("no message within {}", span));
        }
    }
    if (inbox.empty()) return *ended;
    Delivery delivery = std::move(inbox.front());
    inbox.pop_front();
    lock.unlock();
    if (!delivery.state_->held) run([this, bytes = delivery.state_->bytes] { no_longer_held(bytes); });
    return delivery;
}

Async<Delivery> ReceiverState::async_receive(Duration timeout, std::stop_token cancel) {
    auto [operation, async, completer] =
        begin_operation<Delivery>(loop(), description() + ": no message", timeout, std::move(cancel));
    if (handled) {
        completer.fail(failure(Errc::wrong_state, "messages go to its handler, not to receive()"));
        return std::move(async);
    }
    run([this, waiter = std::move(completer)]() mutable {
        if (waiter.is_done()) return;
        auto& [waiters, inbox] = *pulled_;
        std::erase_if(waiters, [](const auto& one) { return one.is_done(); });
        std::optional<Delivery> delivery;
        {
            const std::lock_guard lock(commons->mutex);
            if (inbox.empty()) {
                if (ended) return waiter.fail(*ended);
                return waiters.push_back(std::move(waiter));
            }
            delivery.emplace(std::move(inbox.front()));
            inbox.pop_front();
        }
        const bool held = delivery->state_->held;
        const std::size_t bytes = delivery->state_->bytes;
        codec::Result<Delivery, Failure> message(std::move(*delivery));
        if (waiter.finish(std::move(message))) {
            if (!held) no_longer_held(bytes);
            return;
        }
        const std::lock_guard lock(commons->mutex);
        inbox.push_front(std::move(*message));
        wake_one();
    });
    return std::move(async);
}

void ReceiverState::settle(DeliveryId delivery, std::size_t bytes, codec::DeliveryState outcome) {
    run([this, delivery, bytes, outcome = std::move(outcome)]() mutable {
        settle_now(delivery, bytes, std::move(outcome));
    });
}

void ReceiverState::accept(DeliveryId delivery, std::size_t bytes) {
    run([this, delivery, bytes] {
        Engine* engine = attached_engine();
        if (engine == nullptr) return settle_now(delivery, bytes, codec::Accepted{});
        static_cast<void>(engine->settle(delivery, codec::Accepted{}));
        settled(delivery, bytes);
    });
}

void ReceiverState::release(DeliveryId delivery, std::size_t bytes) {
    run([this, delivery, bytes] { settle_now(delivery, bytes, codec::Released{}); });
}

Async<void> ReceiverState::async_settle(DeliveryId delivery, std::size_t bytes, codec::DeliveryState outcome,
                                        Duration timeout, std::stop_token cancel) {
    auto [operation, async, completer] =
        begin_operation<void>(loop(), description() + ": the settlement is not confirmed", timeout, std::move(cancel));
    run([this, delivery, bytes, outcome = std::move(outcome), waiter = std::move(completer)]() mutable {
        Engine* engine = connection ? connection->engine() : nullptr;
        if (engine == nullptr) {
            settle_now(delivery, bytes, std::move(outcome));
            return waiter.fail(over().value_or(failure(Errc::closed, "the connection is over")));
        }
        const bool second = rcv_settle_mode == codec::ReceiverSettleMode::second;
        if (second && engine->update(delivery, outcome)) {
            confirming_.put(delivery, Confirming{std::move(waiter), bytes});
            return connection->wake();
        }
        const auto settled = engine->settle(delivery, std::move(outcome));
        forget(delivery, bytes);
        connection->wake();
        if (!settled) return waiter.fail(failure(Errc::wrong_state, "the sender has settled the delivery before"));
        static_cast<void>(waiter.finish({}));
    });
    return std::move(async);
}

// --- reactor's thread ------------------------------------------------------------------------------------------------

inline Engine* ReceiverState::attached_engine() const {
    if (resumption && (resumption->left || !resumption->suspended_as.expired())) return nullptr;
    return connection != nullptr ? connection->engine() : nullptr;
}

void ReceiverState::settle_now(DeliveryId delivery, std::size_t bytes, codec::DeliveryState outcome) {
    Engine* engine = attached_engine();
    if (engine == nullptr) {
        if (!resumable) return;
        if (const auto tag = resumption->tags.extract(delivery)) settle_suspended(tag.mapped(), std::move(outcome));
        return;
    }
    // The peer may have settled it first; there is nothing to tell it then.
    static_cast<void>(engine->settle(delivery, std::move(outcome)));
    settled(delivery, bytes);
}

/// The engine has been told.
inline void ReceiverState::settled(DeliveryId delivery, std::size_t bytes) {
    under_way_.erase(delivery);
    forget(delivery, bytes);
    connection->wake();
}

void ReceiverState::deliveries_received(std::span<const DeliveryId> deliveries) {
    connection->wake();
    MessagesAtHand& at_hand = connection->messages_at_hand();
    for (const DeliveryId delivery : deliveries) {
        // What a handler does may be the end of the link, or of the connection.
        Engine* const engine = connection != nullptr ? connection->engine() : nullptr;
        if (engine == nullptr) return;
        delivery_received(*engine, at_hand, delivery);
    }
}

void ReceiverState::delivery_received(Engine& engine, MessagesAtHand& at_hand, DeliveryId delivery_id) {
    if (under_way_.contains(delivery_id)) return more_parts(delivery_id);
    at_hand.turn_to(*this);
    Delivery delivery(at_hand.new_delivery(delivery_id));
    if (!engine.take(delivery_id, delivery.state_->incoming)) return;
    if (credit_ > 0) --credit_;
    if (in_parts) return begin_parts(std::move(delivery));
    complete(*delivery.state_);
    const std::size_t bytes = delivery.state_->bytes;
    window_.count(bytes);
    if (delivery.state_->held || !handler_) {
        ++held_;
        held_bytes_ += bytes;
    }
    if (!handler_) {
        hand_out(std::move(delivery));
    } else {
        connection->call([&] { handler_->on_message(at_hand.handle, delivery); });
        // With nothing left to answer, and never in other hands, it does for the next one.
        auto& left = delivery.state_;
        if (left && (left->answered || !left->held) && !left->holds && !left->provisional)
            at_hand.take_back(left, engine);
    }
    top_up();
}

void ReceiverState::hand_out(Delivery delivery) {
    const bool held = delivery.state_->held;
    const std::size_t bytes = delivery.state_->bytes;
    codec::Result<Delivery, Failure> message(std::move(delivery));
    auto& [waiters, inbox] = *pulled_;
    while (!waiters.empty()) {
        Completer<Delivery> waiter = std::move(waiters.front());
        waiters.pop_front();
        if (!waiter.finish(std::move(message))) continue;
        if (!held) no_longer_held(bytes);
        return;
    }
    const std::lock_guard lock(commons->mutex);
    inbox.push_back(std::move(*message));
    wake_one();
}

void ReceiverState::delivery_updated(const DeliveryUpdated& event) {
    if (event.aborted) {
        const UnderWay* const found = under_way_.find(event.delivery);
        if (found == nullptr) return;
        Failure why = failure(Errc::aborted, "the sender took the message back");
        why.initiator = Initiator::peer;
        end_parts(*found->parts, std::move(why));
        tell_part(event.delivery);
        under_way_.erase(event.delivery);
        return;
    }
    // The sender settled first, which changes nothing for the application; or answered an outcome that we told.
    if (!event.settled) return;
    auto confirming = confirming_.take(event.delivery);
    if (!confirming) return;
    forget(event.delivery, confirming->bytes);
    static_cast<void>(confirming->waiter.finish({}));
}

void ReceiverState::before_detach() {
    if (!pulled_) return;
    std::list<Delivery> dropped;  // released when this returns, while the peer can still be told
    const std::lock_guard lock(commons->mutex);
    for (auto& delivery : std::exchange(pulled_->inbox, {})) {
        if (delivery.is_settled()) {
            pulled_->inbox.push_back(std::move(delivery));
        } else {
            dropped.push_back(std::move(delivery));
        }
    }
}

void ReceiverState::after_end(const Failure& why) {
    if (const auto left = resumption ? resumption->left : nullptr) {
        resumption->suspended_as = left;
        if (!left->suspension) left->suspension = std::make_shared<Suspension>();
        left->suspension->receiver = shared();
    }
    before_detach();
    if (acquiring_ && std::exchange(acquiring_->draining, false)) {
        const auto transaction = acquiring_->transaction;  // which ends the acquisition
        transaction->drained();
    }
    under_way_.take_all([&](UnderWay& entry) { end_parts(*entry.parts, why); });
    confirming_.take_all([&](Confirming& confirming) { confirming.waiter.fail(why); });
    if (!pulled_) return;
    for (auto& waiter : std::exchange(pulled_->waiters, {})) waiter.fail(why);
}

void ReceiverState::forget_user() {
    LinkState::forget_user();
    handler_.reset();
    confirming_.for_each([](const Confirming& confirming) { confirming.waiter.forget(); });
    if (!pulled_) return;
    for (const auto& waiter : pulled_->waiters) waiter.forget();
}

// --- a link in place of another --------------------------------------------------------------------------------------

void ReceiverState::before_attach(const SuspendedLink& link) {
    const auto before = link.suspension ? link.suspension->receiver.lock() : nullptr;
    if (!before) return;
    const std::lock_guard lock(before->commons->mutex);
    before->resumption->successor = shared();
}

void ReceiverState::after_attach(const std::shared_ptr<SuspendedLink>& resumed) {
    if (resumed) {
        for (const auto& delivery : resumed->deliveries) {
            const bool answered = delivery.settled || (delivery.state && codec::is_terminal(*delivery.state));
            if (!answered) ++held_;
        }
    }
    const std::uint32_t first =
        window_.deliveries > 0 ? window_.deliveries - std::min(window_.deliveries, held_) : std::exchange(credit_, 0);
    if (first > 0) grant(first);
}

void ReceiverState::settle_resumed(const codec::DeliveryTag& tag, codec::DeliveryState outcome) {
    run([this, tag, outcome = std::move(outcome)]() mutable {
        Engine* engine = attached_engine();
        if (engine == nullptr || !id) return settle_suspended(tag, std::move(outcome));
        if (const auto found = engine->find_delivery(*id, tag)) settle_now(*found, 0, std::move(outcome));
    });
}

void ReceiverState::settle_suspended(const codec::DeliveryTag& tag, codec::DeliveryState outcome) {
    std::shared_ptr<ReceiverState> next;
    {
        // Who attaches the link again may be on another thread; from then on the deliveries are its own.
        const std::lock_guard lock(commons->mutex);
        next = resumption->successor;
        const Resumption& of = *resumption;
        const auto link = next ? nullptr : of.resuming ? of.resuming : of.left ? of.left : of.suspended_as.lock();
        SuspendedDelivery* const delivery = link ? find_delivery(*link, tag) : nullptr;
        if (delivery != nullptr) delivery->state = std::move(outcome);
    }
    if (next) next->settle_resumed(tag, std::move(outcome));
}

// --- what the user hears ---------------------------------------------------------------------------------------------

void ReceiverState::tell_open() {
    if (!handler_) return;
    Receiver handle(shared());
    handler_->on_open(handle);
}

void ReceiverState::tell_remote_close(const std::optional<codec::ErrorCondition>& error) {
    if (!handler_) return;
    Receiver handle(shared());
    handler_->on_remote_close(handle, error);
}

void ReceiverState::tell_close(const std::optional<Failure>& why) {
    const auto handler = std::exchange(handler_, nullptr);
    if (!handler) return;
    Receiver handle(shared());
    handler->on_close(handle, why);
}

}  // namespace aprotic::engine
