#include <aprotic/engine/broker/transaction.hpp>

#include <string>

#include <fmt/format.h>

#include <aprotic/codec/definitions.hpp>

namespace aprotic::engine::broker {

using codec::ErrorCondition;
using codec::Symbol;

// --- Claim -----------------------------------------------------------------------------------------------------------

void Claim::decide(bool committed) {
    if (within == nullptr) return;
    within = nullptr;
    if (committed) {
        if (outcome) conclude(*outcome);
    } else if (acquired) {
        conclude(codec::Released{});
    } else if (settled || orphan) {
        conclude(fallback);
    }
    // Else the delivery is what it was before: the controller may answer it again. [4.4.2-d]
}

void Claim::conclude(const codec::Outcome& with) {
    if (orphan) return by->apply(std::move(orphan), with);
    tracker.settle(with);
}

// --- Transaction -----------------------------------------------------------------------------------------------------

void Transaction::post(std::shared_ptr<Node> node, StoredPtr stored) {
    posts_.push_back({std::move(node), std::move(stored)});
}

void Transaction::add(const std::shared_ptr<Claim>& claim) {
    claim->within = shared_from_this();
    claims_.push_back(claim);
}

void Transaction::doom(ErrorCondition why) {
    if (!doomed_) doomed_ = std::move(why);
}

void Transaction::violated(std::string_view text) {
    if (owner_ != nullptr) {
        owner_->violated({Symbol(codec::condition::transaction_rollback), std::string(text), {}});
    }
}

std::optional<ErrorCondition> Transaction::obstacle() const {
    if (doomed_) return doomed_;
    for (const Post& post : posts_) {
        if (!post.node->gone()) continue;
        return ErrorCondition{Symbol(codec::condition::transaction_rollback),
                              fmt::format("the node '{}' has gone", post.node->identity().address),
                              {}};
    }
    return std::nullopt;
}

void Transaction::commit() {
    const auto self = shared_from_this();
    owner_ = nullptr;
    for (Post& post : std::exchange(posts_, {})) post.node->publish(std::move(post.stored));
    for (const auto& claim : std::exchange(claims_, {})) claim->decide(true);
}

void Transaction::roll_back() {
    const auto self = shared_from_this();
    owner_ = nullptr;
    for (Post& post : std::exchange(posts_, {})) post.node->cancel(*post.stored);
    for (const auto& claim : std::exchange(claims_, {})) claim->decide(false);
}

}  // namespace aprotic::engine::broker
