#include <aprotic/engine/broker/broker_link.hpp>

#include <limits>
#include <optional>
#include <utility>

#include <aprotic/engine/broker/link_terminus.hpp>

namespace aprotic::engine::broker {
namespace {

namespace condition = codec::condition;

codec::ErrorCondition unknown_transaction() {
    return failed(condition::unknown_transaction, "there is no such transaction on this connection");
}

/// The peer receives: a sender of ours, fed by a node.
class ConsumerLink final : public SenderHandler,
                           public NodeConsumer,
                           public Claimant,
                           public std::enable_shared_from_this<ConsumerLink> {
public:
    ConsumerLink(std::shared_ptr<LinkContext> context, std::shared_ptr<TransactionTable> transactions,
                 std::shared_ptr<Node> node, const codec::Attach& attach)
        : context_(std::move(context)),
          transactions_(std::move(transactions)),
          default_outcome_(attach.source->default_outcome),
          node_(std::move(node)) {
        id = ++context_->last_consumer;
        browses = !node_->is_topic() && attach.source->distribution_mode == codec::StdDistMode::copy;
        // A subscription ends with its link, so an outcome would change nothing unless the peer insists on giving one.
        settled_ = attach.snd_settle_mode == codec::SenderSettleMode::settled ||
                   (node_->is_topic() && attach.snd_settle_mode == codec::SenderSettleMode::mixed);
    }

    void start(LinkRequest& request) {
        SenderOptions options;
        // What waits here is the node's already, and bounded there.
        options.queue_bytes_max = std::numeric_limits<std::size_t>::max();
        options.link.snd_settle_mode = request.attach().snd_settle_mode;
        options.link.rcv_settle_mode = request.attach().rcv_settle_mode;
        codec::Source source = *request.attach().source;
        grant_terminus(source, *node_);
        source.filter.clear();  // none is understood [3.5.3-g]
        source.distribution_mode =
            browses || node_->is_topic() ? codec::StdDistMode::copy : codec::StdDistMode::move;  // [3.5.3-f]
        options.link.source = std::move(source);
        const bool created = request.wants_dynamic();
        sender_ = request.accept_sender(std::move(options), shared_from_this());
        ++context_->totals.links_attached;
        node_.join(*this, created);
    }

    std::uint32_t room() const override { return stalled_ ? 0 : sender_.credit(); }

    void deliver(StoredPtr stored) override {
        Stored* const kept = stored.get();
        SendParameters parameters{.settled = settled_, .context = kept};
        if (acquiring_ && acquiring_->live()) {
            parameters.state = codec::TransactionalState{.txn_id = acquiring_->id()};
            kept->claim = make_claim(acquiring_);
            kept->claim->acquired = true;
        }
        ++context_->totals.delivered;
        auto tracker = sender_.send(outgoing(*stored, now_for(*stored)), parameters);
        if (kept->claim) kept->claim->tracker = tracker;
        tracker.on_done([self = shared_from_this(), kept = std::move(stored)](const Outcome& outcome) mutable {
            self->finish(std::move(kept), outcome);
        });
    }

    void show(const Stored& stored) override {
        ++context_->totals.delivered;
        sender_.send(outgoing(stored, now_for(stored)), {.settled = settled_});
    }

    void node_deleted() override { sender_.close(gone(*node_)); }

    void on_credit(Sender&) override {
        stalled_ = false;
        queue->resume(*this);
    }

    /// What is not sent before this returns the drain leaves out. [2.6.7-i]
    void on_drain(Sender& sender) override {
        on_credit(sender);
        queue->dispatch();
    }

    void on_flow_properties(Sender&, const codec::Map& properties) override {
        const auto* const value = properties.find("txn-id");
        if (value == nullptr) return;
        acquiring_.reset();
        if (value->is_null()) return;
        const auto* const wanted = value->get_if<codec::Binary>();
        acquiring_ = wanted != nullptr ? transactions_->find(*wanted) : nullptr;
        if (!acquiring_) sender_.close(unknown_transaction());
    }

    void on_transactional(Sender&, const Tracker& tracker, const codec::TransactionalState& state,
                          bool settled) override {
        const auto transaction = transactions_->find(state.txn_id);
        if (!transaction) return sender_.close(unknown_transaction());
        auto* const stored = static_cast<Stored*>(tracker.context());
        if (stored == nullptr) return tracker.settle(codec::Accepted{});  // only shown: nothing depends on it
        if (!stored->claim || stored->claim->within == nullptr) {
            stored->claim = make_claim(transaction);
            stored->claim->tracker = tracker;
        }
        Claim& claim = *stored->claim;
        if (claim.within != transaction) {  // [4.4.2-c] [4.4.4-e]
            return transaction->violated("a delivery that is part of one transaction was answered in another");
        }
        claim.outcome = state.outcome;
        claim.settled = claim.settled || settled;
    }

    void apply(StoredPtr stored, const codec::Outcome& outcome) override {
        const auto* const modified = std::get_if<codec::Modified>(&outcome);
        if (modified != nullptr) modify(*stored, *modified);
        const bool retired =
            std::holds_alternative<codec::Accepted>(outcome) || std::holds_alternative<codec::Rejected>(outcome);
        retired ? queue->retire(std::move(stored)) : queue->put_back(std::move(stored));
    }

    void on_close(Sender&, const std::optional<Failure>&) override {
        node_.leave();
        acquiring_.reset();
        sender_ = {};
    }

private:
    /// Only what expires asks the clock.
    Instant now_for(const Stored& stored) const { return stored.expires ? context_->reactor.now() : Instant(); }
    /// What this link cannot take nobody will: replies that come too late would pile up at their dynamic node until it
    /// is full. [3.4.5-c]
    bool is_all_there_is() const { return node_->identity().dynamic && node_->consumers() == 1; }
    void count(Outcome::Kind kind) const {
        BrokerTotals& totals = context_->totals;
        switch (kind) {
            case Outcome::Kind::accepted:
            case Outcome::Kind::sent: ++totals.taken; return;
            case Outcome::Kind::rejected: ++totals.refused; return;
            case Outcome::Kind::in_doubt: ++totals.without_outcome; return;
            case Outcome::Kind::released:
            case Outcome::Kind::modified:
            case Outcome::Kind::not_sent:
            case Outcome::Kind::rolled_back: ++totals.given_back; return;
        }
    }
    std::shared_ptr<Claim> make_claim(const std::shared_ptr<Transaction>& transaction) {
        auto claim = std::make_shared<Claim>();
        claim->by = shared_from_this();
        claim->fallback = default_outcome_.value_or(codec::Released{});
        transaction->add(claim);
        return claim;
    }

    /// The delivery of a message is over while a transaction decides on it. True: the message is the transaction's.
    bool claimed(StoredPtr& stored, const Outcome& outcome) {
        const auto claim = std::exchange(stored->claim, nullptr);
        if (!claim || claim->within == nullptr) return false;
        if (outcome.kind == Outcome::Kind::sent) {
            claim->outcome = codec::Accepted{};
        } else if (outcome.kind != Outcome::Kind::in_doubt || !claim->outcome) {
            const auto transaction = std::exchange(claim->within, nullptr);
            const bool answered = outcome.kind != Outcome::Kind::in_doubt && outcome.kind != Outcome::Kind::not_sent;
            if (!claim->acquired || !answered) return false;
            queue->put_back(std::move(stored));
            transaction->violated("a delivery that was acquired in a transaction was answered outside of it");
            return true;
        }
        claim->adopt(std::move(stored));
        return true;
    }

    void finish(StoredPtr stored, const Outcome& outcome) {
        count(outcome.kind);
        // A message that can never go out here is for others; else what was not sent means that the link is ending.
        const bool too_large = outcome.failure && outcome.failure->code == Errc::message_too_large;
        const bool unsent = outcome.kind == Outcome::Kind::not_sent;
        if (outcome.kind == Outcome::Kind::in_doubt || (unsent && !too_large)) stalled_ = true;
        if (unsent && too_large) stored->unwanted_by.push_back(id);
        if (stored->claim && claimed(stored, outcome)) return;
        switch (outcome.kind) {
            case Outcome::Kind::accepted:
            case Outcome::Kind::sent:
            case Outcome::Kind::rejected: return queue->retire(std::move(stored));  // [3.4.2-a], [3.4.3-a]
            case Outcome::Kind::released: break;                                    // [3.4.4-a]
            case Outcome::Kind::modified:
                modify(*stored,
                       {.delivery_failed = outcome.delivery_failed, .undeliverable_here = outcome.undeliverable_here});
                if (outcome.undeliverable_here && is_all_there_is()) return queue->retire(std::move(stored));
                break;
            case Outcome::Kind::not_sent: break;
            case Outcome::Kind::in_doubt:
                // The peer went without an outcome: its default counts, and without one the message is released.
                // [3.5.3-j]
                return apply(std::move(stored), default_outcome_.value_or(codec::Released{}));
            case Outcome::Kind::rolled_back: break;  // of a controller's own sends only
        }
        queue->put_back(std::move(stored));
    }

    void modify(Stored& stored, const codec::Modified& how) {
        if (how.delivery_failed.value_or(false)) ++stored.failures;                    // [3.4.5-a]
        if (how.undeliverable_here.value_or(false)) stored.unwanted_by.push_back(id);  // [3.4.5-c]
    }

    const std::shared_ptr<LinkContext> context_;
    const std::shared_ptr<TransactionTable> transactions_;
    const std::optional<codec::Outcome> default_outcome_;
    bool settled_ = false;
    bool stalled_ = false;  // the last message came back unsent: nothing more until new credit
    Sender sender_;
    std::shared_ptr<Transaction> acquiring_;  // that messages go out in, while it lives [4.4.3]
    Place<NodeConsumer> node_;                // last: the node may ask the rest while the link leaves it
};

}  // namespace

void serve_consumer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<TransactionTable>& transactions,
                    const Connection& connection, LinkRequest request) {
    const auto& source = request.attach().source;
    if (!source || (!request.wants_dynamic() && !request.address()))
        return refuse(*context, request,
                      failed(condition::invalid_field, "the source names no address and is not dynamic"));
    auto node = node_for(*context, connection, request, source->dynamic_node_properties);
    if (!node) return refuse(*context, request, node.error());
    std::make_shared<ConsumerLink>(context, transactions, std::move(*node), request.attach())->start(request);
}

}  // namespace aprotic::engine::broker
