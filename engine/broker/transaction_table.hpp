#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/engine/broker/transaction.hpp>

namespace aprotic::engine::broker {

/// A link on which the peer posts.
class Poster {
public:
    virtual ~Poster() = default;
    /// The transaction of a message of which a part has come, and not the rest.
    virtual std::optional<codec::Binary> partial_txn_id() const = 0;
};

/// The live transactions of one connection: their ids mean nothing on another.
class TransactionTable {
public:
    /// No more than `transactions_max` at a time.
    explicit TransactionTable(std::size_t transactions_max) : transactions_max_(transactions_max) {}

    codec::Result<std::shared_ptr<Transaction>, codec::ErrorCondition> declare(TransactionOwner& owner);
    /// Null when there is none of this id, or none any more.
    std::shared_ptr<Transaction> find(const codec::Binary& id) const;
    /// Ends a transaction; the condition says why it was rolled back instead of committed. [4.3]
    codec::Result<void, codec::ErrorCondition> discharge(Transaction& transaction, bool fail);
    /// The owner goes: what it has not discharged is rolled back. [4.1-b]
    void roll_back_all(const TransactionOwner& owner);
    /// Whether part of a message was posted within the transaction. [4.4.1-e]
    bool partly_posted(const codec::Binary& id) const;

    void add(Poster& poster) { posters_.push_back(&poster); }
    void remove(Poster& poster) { std::erase(posters_, &poster); }

private:
    const std::size_t transactions_max_;
    std::uint64_t last_id_ = 0;
    std::map<codec::Binary, std::shared_ptr<Transaction>> live_;
    std::vector<Poster*> posters_;
};

}  // namespace aprotic::engine::broker
