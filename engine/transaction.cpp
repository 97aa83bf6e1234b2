#include <aprotic/engine/transaction.hpp>

#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/coordinator_state.hpp>
#include <aprotic/engine/state/receiver_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>

namespace aprotic::engine {
namespace {

// How long a transaction that was dropped waits for its messages to be answered before it is rolled back all the same.
constexpr Duration drop_timeout = std::chrono::seconds(10);

Failure would_deadlock(std::string_view call) {
    return {
        .code = Errc::would_deadlock, .condition = {}, .text = fmt::format("{}() on the reactor's own thread", call)};
}

/// The callback form as a blocking one.
template <class Start>
codec::Result<Transaction, Failure> wait_declared(Loop& loop, Duration timeout, Start start) {
    if (loop.reactor.on_thread()) return would_deadlock("declare");
    using Declared = codec::Result<Transaction, Failure>;
    const auto waiter = std::make_shared<Waiter<Declared>>();
    start([waiter](Declared declared) { waiter->tell(std::move(declared)); });
    auto told = waiter->wait(timeout);
    if (told) return std::move(*told);
    return Failure{.code = Errc::timed_out, .condition = {}, .text = "no transaction was declared in time"};
}

}  // namespace

Transaction& Transaction::operator=(Transaction&& other) noexcept {
    Transaction dropped(std::move(*this));
    state_ = std::move(other.state_);
    keeps_ = std::move(other.keeps_);
    return *this;
}

Transaction::~Transaction() {
    if (state_) roll_back(drop_timeout, nullptr);
}

void Transaction::declare(const Connection& on, Duration timeout, Declared done, TransactionOptions options) {
    ConnectionState& state = *on.state_;
    state.run([&state, keeps = on.state_, timeout, done = std::move(done), options = std::move(options)]() mutable {
        state.coordinator(nullptr)->declare(timeout, std::move(done), std::move(options), std::move(keeps));
    });
}

void Transaction::declare(const Session& on, Duration timeout, Declared done, TransactionOptions options) {
    const auto connection = on.state_->connection.lock();
    APROTIC_ASSERT(connection);  // the handle holds it
    connection->run([connection = connection.get(), session = on.state_->shared_from_this(), keeps = on.state_, timeout,
                     done = std::move(done), options = std::move(options)]() mutable {
        connection->coordinator(session)->declare(timeout, std::move(done), std::move(options), std::move(keeps));
    });
}

codec::Result<Transaction, Failure> Transaction::declare(const Connection& on, Duration timeout,
                                                         TransactionOptions options) {
    return wait_declared(*on.state_->loop, timeout,
                         [&](Declared done) { declare(on, timeout, std::move(done), std::move(options)); });
}

codec::Result<Transaction, Failure> Transaction::declare(const Session& on, Duration timeout,
                                                         TransactionOptions options) {
    return wait_declared(*on.state_->loop, timeout,
                         [&](Declared done) { declare(on, timeout, std::move(done), std::move(options)); });
}

Tracker Transaction::send(const Sender& sender, const codec::Message& message, const SendParameters& parameters) const {
    return send(sender, codec::encode(message), parameters);
}

Tracker Transaction::send(const Sender& sender, codec::EncodedMessage message, const SendParameters& parameters) const {
    return sender.state_->send(std::move(message), parameters, state_);
}

codec::Result<void> Transaction::accept(Delivery& delivery) const { return answer(delivery, codec::Accepted{}); }
codec::Result<void> Transaction::release(Delivery& delivery) const { return answer(delivery, codec::Released{}); }

codec::Result<void> Transaction::reject(Delivery& delivery, std::optional<codec::ErrorCondition> why) const {
    return answer(delivery, codec::Rejected{.error = std::move(why)});
}

codec::Result<void> Transaction::modify(Delivery& delivery, bool delivery_failed, bool undeliverable_here,
                                        codec::Map annotations) const {
    return answer(delivery, codec::Modified{.delivery_failed = delivery_failed,
                                            .undeliverable_here = undeliverable_here,
                                            .message_annotations = std::move(annotations)});
}

codec::Result<void> Transaction::answer(Delivery& delivery, codec::Outcome outcome) const {
    Delivery::State& state = *delivery.state_;
    const codec::Binary* const acquired_in = delivery.txn_id();
    if (acquired_in != nullptr && *acquired_in != state_->id) return make_error_code(Errc::wrong_state);  // [4.4.4-e]
    if (!state.begin_answer()) return make_error_code(Errc::wrong_state);
    if (acquired_in != nullptr) {
        state.receiver->settle_within(state.id, state.bytes, {.txn_id = *acquired_in, .outcome = std::move(outcome)},
                                      state.acquired_in);
        return {};
    }
    state.provisional =
        std::make_shared<ProvisionalAnswer>(state.receiver->shared(), state.id, state.bytes, std::move(outcome));
    state.receiver->answer_within(state.provisional, state_);
    return {};
}

void Transaction::acquire(const Receiver& receiver) const {
    receiver.state_->run([state = receiver.state_.get(), within = state_] { state->acquire(within); });
}

void Transaction::commit(Duration timeout, Discharged done) {
    state_->run([state = state_, timeout, done = std::move(done)]() mutable {
        state->discharge(true, timeout, std::move(done));
    });
}

void Transaction::roll_back(Duration timeout, Discharged done) {
    state_->run([state = state_, timeout, done = std::move(done)]() mutable {
        state->discharge(false, timeout, std::move(done));
    });
}

codec::Result<void, Failure> Transaction::end(bool commits, Duration timeout) {
    using Ended = codec::Result<void, Failure>;
    if (state_->loop->reactor.on_thread()) return would_deadlock(commits ? "commit" : "roll_back");
    const auto waiter = std::make_shared<Waiter<Ended>>();
    const auto done = [waiter](const Ended& how) { waiter->tell(how); };
    commits ? commit(timeout, done) : roll_back(timeout, done);
    if (auto told = waiter->wait(timeout)) return std::move(*told);
    return Failure{.code = Errc::timed_out, .condition = {}, .text = "the transaction was not discharged in time"};
}

codec::Result<void, Failure> Transaction::commit(Duration timeout) { return end(true, timeout); }
codec::Result<void, Failure> Transaction::roll_back(Duration timeout) { return end(false, timeout); }

const codec::Binary& Transaction::id() const { return state_->id; }
CoordinatorCapabilities Transaction::capabilities() const { return state_->capabilities; }

}  // namespace aprotic::engine
