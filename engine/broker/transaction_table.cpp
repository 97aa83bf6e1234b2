#include <aprotic/engine/broker/transaction_table.hpp>

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <aprotic/codec/definitions.hpp>

namespace aprotic::engine::broker {

using codec::ErrorCondition;
using codec::Symbol;

codec::Result<std::shared_ptr<Transaction>, ErrorCondition> TransactionTable::declare(TransactionOwner& owner) {
    if (live_.size() >= transactions_max_) {
        return ErrorCondition{Symbol(codec::condition::resource_limit_exceeded),
                              fmt::format("the connection has {} transactions (option transactions_max)", live_.size()),
                              {}};
    }
    codec::Binary id(std::to_string(++last_id_));  // never used again [4.2-j]
    auto transaction = std::make_shared<Transaction>(id, owner);
    live_.emplace(std::move(id), transaction);
    return transaction;
}

std::shared_ptr<Transaction> TransactionTable::find(const codec::Binary& id) const {
    const auto found = live_.find(id);
    return found == live_.end() ? nullptr : found->second;
}

codec::Result<void, ErrorCondition> TransactionTable::discharge(Transaction& transaction, bool fail) {
    const auto entry = live_.extract(transaction.id());
    if (fail) {
        transaction.roll_back();
        return {};
    }
    if (auto why = transaction.obstacle()) {
        transaction.roll_back();
        return std::move(*why);
    }
    transaction.commit();
    return {};
}

void TransactionTable::roll_back_all(const TransactionOwner& owner) {
    std::vector<std::shared_ptr<Transaction>> ended;
    std::erase_if(live_, [&](const auto& entry) {
        if (entry.second->owner() != &owner) return false;
        ended.push_back(entry.second);
        return true;
    });
    for (const auto& transaction : ended) transaction->roll_back();
}

bool TransactionTable::partly_posted(const codec::Binary& id) const {
    return std::ranges::any_of(posters_, [&](const Poster* poster) { return poster->partial_txn_id() == id; });
}

}  // namespace aprotic::engine::broker
