#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/error_condition.hpp>
#include <aprotic/engine/broker/node.hpp>
#include <aprotic/engine/delivery.hpp>

namespace aprotic::engine::broker {

class Transaction;

/// The link that sent a message on which a transaction decides.
class Claimant {
public:
    virtual ~Claimant() = default;
    /// Does with a message what its outcome says; also when the link itself has gone.
    virtual void apply(StoredPtr stored, const codec::Outcome& outcome) = 0;
};

/// A message that was acquired or answered within a transaction and waits for its discharge. [4.4.2] [4.4.3]
struct Claim {
    std::shared_ptr<Claimant> by;
    Tracker tracker;
    std::shared_ptr<Transaction> within;    ///< null once it is decided, or taken out of the transaction
    bool acquired = false;                  ///< within the transaction: a rollback gives the message back
    bool settled = false;                   ///< by the controller: a rollback leaves it the default outcome [4.4.4-c]
    std::optional<codec::Outcome> outcome;  ///< holds if the transaction is committed
    codec::Outcome fallback;                ///< the default outcome
    StoredPtr orphan;                       ///< the message, once its delivery is over

    /// Keeps the message of a delivery that is over.
    void adopt(StoredPtr stored) { orphan = std::move(stored); }
    void decide(bool committed);

private:
    void conclude(const codec::Outcome& with);
};

/// Whoever has declared transactions.
class TransactionOwner {
public:
    virtual ~TransactionOwner() = default;
    /// The controller broke a rule of the transaction: the control link ends with this, and all its transactions.
    virtual void violated(codec::ErrorCondition why) = 0;
};

/// What was done within one transaction and waits for its discharge. It is live until commit() or roll_back().
class Transaction : public std::enable_shared_from_this<Transaction> {
public:
    Transaction(codec::Binary id, TransactionOwner& owner) : id_(std::move(id)), owner_(&owner) {}

    const codec::Binary& id() const noexcept { return id_; }
    bool live() const noexcept { return owner_ != nullptr; }
    const TransactionOwner* owner() const noexcept { return owner_; }

    /// The message has its place reserved at the node, and becomes available with the commit. [4.4.1]
    void post(std::shared_ptr<Node> node, StoredPtr stored);
    void add(const std::shared_ptr<Claim>& claim);
    /// Something that was asked for within it cannot be done: it can only be rolled back. [4.4.4-a]
    void doom(codec::ErrorCondition why);
    void violated(std::string_view text);

    /// Why it cannot be committed.
    std::optional<codec::ErrorCondition> obstacle() const;
    void commit();
    void roll_back();

private:
    struct Post {
        std::shared_ptr<Node> node;
        StoredPtr stored;
    };

    const codec::Binary id_;
    TransactionOwner* owner_;  // null when it is over
    std::vector<Post> posts_;
    std::vector<std::shared_ptr<Claim>> claims_;
    std::optional<codec::ErrorCondition> doomed_;
};

}  // namespace aprotic::engine::broker
