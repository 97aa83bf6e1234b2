#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <aprotic/codec/result.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::engine {

/// What a coordinator of transactions offers. [4.5.7]
struct CoordinatorCapabilities {
    bool local_transactions = false;
    bool distributed_transactions = false;
    bool promotable_transactions = false;
    bool many_per_session = false;  ///< several transactions at a time on one session
    bool many_sessions = false;     ///< one transaction on several sessions of the connection
};

/// One transaction. Plain data.
struct TransactionOptions {
    /// The global transaction it is to be a part of: only for coordinators with distributed transactions. [4.5.2]
    std::optional<codec::Binary> global_id{};
};

/// A transaction that a peer coordinates for us: what is done within it takes effect when it is committed, all of it or
/// nothing. [4.1] Movable; any thread, one at a time. Dropped without a commit it is rolled back, without waiting.
///
/// It belongs to one session: the connection's common one, or that of the Session it was declared on. Links of other
/// sessions may take part if the coordinator allows it (many_sessions). It is lost, and thereby rolled back, with its
/// coordinator, its session or its connection.
class Transaction {
public:
    /// Called once, on the reactor's thread.
    using Declared = Function<void(codec::Result<Transaction, Failure>)>;
    using Discharged = Function<void(const codec::Result<void, Failure>&)>;

    Transaction() = default;  ///< names nothing
    Transaction(Transaction&&) noexcept = default;
    Transaction& operator=(Transaction&& other) noexcept;
    ~Transaction();

    /// Asks the peer for a transaction; opens the link to its coordinator when there is none. Errors: `refused` with
    /// the peer's condition, not_offered, timed_out, or why the link ended. A transaction that comes too late is rolled
    /// back.
    static codec::Result<Transaction, Failure> declare(const Connection& on, Duration timeout,
                                                       TransactionOptions options = {});
    static codec::Result<Transaction, Failure> declare(const Session& on, Duration timeout,
                                                       TransactionOptions options = {});
    static void declare(const Connection& on, Duration timeout, Declared done, TransactionOptions options = {});
    static void declare(const Session& on, Duration timeout, Declared done, TransactionOptions options = {});

    /// As Sender::send; the message becomes available when the transaction is committed. The tracker tells the
    /// provisional outcome when it comes and ends with the transaction: rolled_back, or else with that outcome.
    /// [4.4.1]
    Tracker send(const Sender& sender, const codec::Message& message, const SendParameters& parameters = {}) const;
    Tracker send(const Sender& sender, codec::EncodedMessage message, const SendParameters& parameters = {}) const;

    /// Answers a message: the answer holds when the transaction is committed. After a rollback the message is live and
    /// may be answered again; if the delivery was dropped before, it is released then. Errc::wrong_state when it has
    /// been answered, or was acquired within another transaction. [4.4.2]
    codec::Result<void> accept(Delivery& delivery) const;
    codec::Result<void> reject(Delivery& delivery, std::optional<codec::ErrorCondition> why = {}) const;
    codec::Result<void> release(Delivery& delivery) const;
    codec::Result<void> modify(Delivery& delivery, bool delivery_failed, bool undeliverable_here = false,
                               codec::Map annotations = {}) const;

    /// Messages that the peer sends to `receiver` from now on are acquired within the transaction: a rollback gives
    /// them back, whatever they were answered. Ends with the transaction; before that the link is drained. [4.4.3]
    void acquire(const Receiver& receiver) const;

    /// Ends the transaction; the first of these calls counts. commit() waits for the provisional outcome of every
    /// message that was sent. When one of them was not accepted, or anything else failed, it rolls back instead.
    /// Errors: rolled_back, with the peer's condition if it was the peer's doing; transaction_in_doubt; timed_out:
    /// rolled back if the peer had not been asked to commit yet, else in doubt, and the trackers will tell; wrong_state
    /// when it has been ended before.
    codec::Result<void, Failure> commit(Duration timeout);
    void commit(Duration timeout, Discharged done);
    codec::Result<void, Failure> roll_back(Duration timeout);
    void roll_back(Duration timeout, Discharged done);

    const codec::Binary& id() const;
    CoordinatorCapabilities capabilities() const;

    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend struct CoordinatorState;
    Transaction(std::shared_ptr<struct TransactionState> state, std::shared_ptr<void> keeps)
        : state_(std::move(state)), keeps_(std::move(keeps)) {}
    codec::Result<void> answer(Delivery& delivery, codec::Outcome outcome) const;
    codec::Result<void, Failure> end(bool commits, Duration timeout);

    std::shared_ptr<struct TransactionState> state_;
    std::shared_ptr<void> keeps_;  // the connection or session
};

}  // namespace aprotic::engine
