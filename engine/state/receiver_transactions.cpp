#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>

// What a receiving link does within transactions. [4.4.2] [4.4.3]

namespace aprotic::engine {

void ReceiverState::settle_within(DeliveryId delivery, std::size_t bytes, codec::TransactionalState state,
                                  std::shared_ptr<TransactionState> acquired_in) {
    run([this, delivery, bytes, state = std::move(state), transaction = std::move(acquired_in)]() mutable {
        if (!transaction || transaction->open()) return settle_now(delivery, bytes, std::move(state));  // [4.4.4-e]
        if (!transaction->over()) {
            // The discharge is on its way, and decides.
            const auto answer =
                std::make_shared<ProvisionalAnswer>(shared(), delivery, bytes, std::move(*state.outcome));
            answer->drop();
            return transaction->add_answer(answer);
        }
        if (transaction->committed()) return settle_now(delivery, bytes, to_state(std::move(*state.outcome)));
        settle_now(delivery, bytes, codec::Released{});
    });
}

void ReceiverState::answer_within(std::shared_ptr<ProvisionalAnswer> answer,
                                  std::shared_ptr<TransactionState> transaction) {
    run([this, answer = std::move(answer), transaction = std::move(transaction)] {
        Engine* engine = attached_engine();
        if (engine != nullptr && transaction->live() && transaction->admits(*this)) {
            codec::TransactionalState state{.txn_id = transaction->id, .outcome = answer->outcome};
            static_cast<void>(engine->update(answer->delivery, std::move(state)));
            connection->wake();
            return transaction->add_answer(answer);
        }
        if (transaction->live()) transaction->doom(not_admitted());
        if (answer->stage.exchange(ProvisionalAnswer::Stage::reverted) == ProvisionalAnswer::Stage::dropped) {
            settle_now(answer->delivery, answer->bytes, codec::Released{});
        }
    });
}

std::optional<codec::Binary> ReceiverState::partial_txn_id() const {
    const Engine* engine = connection ? connection->engine() : nullptr;
    const auto* const state = engine && id ? engine->partial_state(*id) : nullptr;
    const auto* const within = state ? std::get_if<codec::TransactionalState>(state) : nullptr;
    return within ? std::optional(within->txn_id) : std::nullopt;
}

Failure ReceiverState::not_admitted() const {
    return failure(Errc::not_offered, "it cannot take part in the transaction, which is of another session");
}

void ReceiverState::acquire(const std::shared_ptr<TransactionState>& transaction) {
    Engine* engine = attached_engine();
    if (engine == nullptr || closing || !transaction->live()) return;
    if (acquiring_ || !id || !transaction->admits(*this)) return transaction->doom(not_admitted());
    codec::Map properties{{codec::Symbol("txn-id"), codec::Value(transaction->id)}};
    if (!engine->send_flow(*id, false, std::move(properties))) return transaction->doom(not_admitted());
    acquiring_ = std::make_unique<Acquisition>(Acquisition{transaction});
    transaction->add_receiver(shared());
    connection->wake();
}

bool ReceiverState::drain_acquisition() {
    if (connection == nullptr || closing || draining_ || !acquiring_) return false;
    drain();
    return acquiring_->draining = draining_;
}

/// The peer has forgotten the transaction of the link with the discharge. [4.4.3-c]
void ReceiverState::end_acquisition() {
    acquiring_.reset();
    if (attached_engine() == nullptr || closing) return;
    stopped_ = false;
    top_up();
}

void Delivery::State::forget_reverted() noexcept {
    if (provisional->stage != ProvisionalAnswer::Stage::reverted) return;
    provisional.reset();
    answered = false;
}

}  // namespace aprotic::engine
