#include <algorithm>

#include <fmt/core.h>

#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/coordinator_state.hpp>
#include <aprotic/engine/state/sender_state.hpp>

namespace aprotic::engine {
namespace {

constexpr std::size_t txn_id_max = 32;  // octets [4.5.4]

bool offers(const codec::Coordinator& coordinator, std::string_view capability) {
    return std::find(coordinator.capabilities.begin(), coordinator.capabilities.end(), codec::Symbol(capability)) !=
           coordinator.capabilities.end();
}

CoordinatorCapabilities capabilities_of(const codec::Attach* attach) {
    const auto* const coordinator =
        attach && attach->target ? std::get_if<codec::Coordinator>(&*attach->target) : nullptr;
    if (coordinator == nullptr) return {};
    namespace name = codec::txn_capability;
    return {.local_transactions = offers(*coordinator, name::local_transactions),
            .distributed_transactions = offers(*coordinator, name::distributed_transactions),
            .promotable_transactions = offers(*coordinator, name::promotable_transactions),
            .many_per_session = offers(*coordinator, name::multi_txns_per_ssn),
            .many_sessions = offers(*coordinator, name::multi_ssns_per_txn)};
}

/// A message for the coordinator: one amqp-value section. [4.2-c]
codec::EncodedMessage request(std::uint64_t code, codec::List fields) {
    return codec::encode(codec::Message(codec::Value(codec::Described(code, std::move(fields)))));
}

}  // namespace

struct CoordinatorState::Request {
    Transaction::Declared done;
    TransactionOptions options;
    std::shared_ptr<void> keeps;
    Reactor::TimerId timer = 0;
};

CoordinatorState::CoordinatorState(ConnectionState& its_connection, std::shared_ptr<SessionState> its_session)
    : connection(&its_connection), loop(its_connection.loop), session(std::move(its_session)) {}

Failure CoordinatorState::failure(std::error_code code, std::string_view text) const {
    return {.code = code,
            .condition = {},
            .text = fmt::format("the coordinator of transactions at {}: {}",
                                connection ? connection->peer_name : "a lost peer", text)};
}

void CoordinatorState::start() {
    namespace name = codec::txn_capability;
    codec::Coordinator coordinator;
    for (const auto wanted : {name::local_transactions, name::distributed_transactions, name::promotable_transactions,
                              name::multi_txns_per_ssn, name::multi_ssns_per_txn}) {
        coordinator.capabilities.emplace_back(wanted);
    }
    SenderOptions options;
    options.link.snd_settle_mode = codec::SenderSettleMode::unsettled;  // [4.2-c]
    options.link.target = std::move(coordinator);
    codec::Source source;
    source.outcomes = {codec::Symbol("amqp:accepted:list"), codec::Symbol("amqp:rejected:list"),  // [4.2-h]
                       codec::Symbol("amqp:declared:list")};
    options.link.source = std::move(source);
    sender_ = ConnectionState::open_coordinator(*connection, session, std::move(options), shared_from_this());
}

// --- declare ---------------------------------------------------------------------------------------------------------

void CoordinatorState::declare(Duration timeout, Transaction::Declared done, TransactionOptions options,
                               std::shared_ptr<void> keeps) {
    const auto asked = std::make_shared<Request>();
    asked->done = std::move(done);
    asked->options = std::move(options);
    asked->keeps = std::move(keeps);
    asked->timer = loop->reactor.start_timer(
        loop->reactor.now() + bounded(timeout), [weak = weak_from_this(), late = std::weak_ptr(asked)] {
            const auto self = weak.lock();
            const auto request = late.lock();
            if (!self || !request) return;
            request->timer = 0;
            std::erase(self->waiting_, request);
            self->answer(request, self->failure(Errc::timed_out, "no answer in time"));
        });
    if (open_) return send_declare(asked);
    waiting_.push_back(asked);
}

void CoordinatorState::send_declare(const std::shared_ptr<Request>& asked) {
    // [4.5-d] [4.5-c]
    if (asked->options.global_id && !capabilities.distributed_transactions) {
        return answer(asked, failure(Errc::not_offered, "no distributed transactions"));
    }
    if (!capabilities.many_per_session && !(live_.empty() && declaring_.empty())) {
        return answer(asked, failure(Errc::not_offered, "one transaction at a time on a session"));
    }
    declaring_.push_back(asked);
    codec::List fields;
    if (asked->options.global_id) fields.emplace_back(*asked->options.global_id);
    sender_.send(request(codec::descriptor::declare, std::move(fields)))
        .on_done([self = shared_from_this(), asked](const Outcome& outcome) { self->declared(asked, outcome); });
}

void CoordinatorState::declared(const std::shared_ptr<Request>& asked, const Outcome& outcome) {
    std::erase(declaring_, asked);
    if (outcome.kind == Outcome::Kind::rejected) {
        Failure why = failure(Errc::refused, "no transaction was declared");
        why.initiator = Initiator::peer;
        why.condition = outcome.condition;
        return answer(asked, std::move(why));
    }
    if (!outcome.accepted() || !outcome.declared) {
        if (outcome.failure) return answer(asked, *outcome.failure);
        return answer(asked, failure(Errc::protocol_violation, "it answered a declare without a txn-id [4.2]"));
    }
    if (outcome.declared->size() > txn_id_max) {
        return answer(asked, failure(Errc::protocol_violation, "its txn-id is longer than 32 octets [4.5.4]"));
    }
    const auto transaction = std::make_shared<TransactionState>(shared_from_this(), *outcome.declared);
    live_.push_back(transaction);
    // Not wanted any more, it is rolled back as it goes.
    answer(asked, Transaction(transaction, asked->keeps));
}

void CoordinatorState::answer(const std::shared_ptr<Request>& asked, codec::Result<Transaction, Failure> result) {
    asked->keeps.reset();
    if (asked->timer != 0) loop->reactor.cancel_timer(std::exchange(asked->timer, 0));
    if (!asked->done) return;
    auto told = [held = shared_from_this(), done = std::exchange(asked->done, nullptr),
                 result = std::move(result)]() mutable {
        if (held->connection != nullptr) return held->connection->call([&] { done(std::move(result)); });
        try {
            done(std::move(result));
        } catch (...) {
            // Its connection, which this would close, has gone already.
        }
    };
    if (connection != nullptr) return connection->later(std::move(told));
    loop->reactor.post(std::move(told));
}

// --- discharge -------------------------------------------------------------------------------------------------------

void CoordinatorState::discharge(const std::shared_ptr<TransactionState>& transaction, bool fail) {
    sender_.send(request(codec::descriptor::discharge, {codec::Value(transaction->id), codec::Value(fail)}))
        .on_done([transaction](const Outcome& outcome) { transaction->discharged(outcome); });
}

void CoordinatorState::over(const TransactionState& transaction) {
    std::erase_if(live_, [&](const auto& one) { return one.get() == &transaction; });
}

// --- the link --------------------------------------------------------------------------------------------------------

void CoordinatorState::on_open(Sender& sender) {
    capabilities = capabilities_of(sender.remote());
    if (!capabilities.local_transactions) {  // [4.5-a]
        for (const auto& asked : std::exchange(waiting_, {})) {
            answer(asked, failure(Errc::not_offered, "no local transactions"));
        }
        return sender.close();
    }
    open_ = true;
    for (const auto& asked : std::exchange(waiting_, {})) send_declare(asked);
}

void CoordinatorState::on_close(Sender&, const std::optional<Failure>& why) {
    lost(why ? *why : failure(Errc::closed, "its link was closed"));
}

void CoordinatorState::lost(const Failure& why) {
    const auto self = shared_from_this();
    open_ = false;
    if (connection != nullptr) connection->forget_coordinator(*this);
    for (const auto& asked : std::exchange(waiting_, {})) answer(asked, why);
    for (const auto& asked : std::exchange(declaring_, {})) answer(asked, why);
    for (const auto& transaction : std::exchange(live_, {})) transaction->lost(why);
    connection = nullptr;
    session.reset();
    sender_ = {};
}

void CoordinatorState::forget_user() {
    for (const auto& asked : waiting_) asked->done = nullptr;
    for (const auto& asked : declaring_) asked->done = nullptr;
    for (const auto& transaction : live_) transaction->forget_user();
}

}  // namespace aprotic::engine
