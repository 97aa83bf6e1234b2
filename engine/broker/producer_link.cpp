#include <aprotic/engine/broker/broker_link.hpp>

#include <optional>
#include <utility>

#include <fmt/format.h>

#include <aprotic/engine/broker/coordinator_link.hpp>
#include <aprotic/engine/broker/link_terminus.hpp>

namespace aprotic::engine::broker {
namespace {

namespace condition = codec::condition;

/// The peer sends: a receiver of ours. What both kinds have in common is reading a delivery and answering it.
class IncomingLink : public ReceiverHandler, private Poster {
protected:
    IncomingLink(std::shared_ptr<LinkContext> context, std::shared_ptr<TransactionTable> transactions)
        : context_(std::move(context)), transactions_(std::move(transactions)) {
        transactions_->add(*this);
    }
    ~IncomingLink() override { transactions_->remove(*this); }
    IncomingLink(const IncomingLink&) = delete;
    IncomingLink& operator=(const IncomingLink&) = delete;

    void accept_with(LinkRequest& request, codec::Target target, const std::shared_ptr<IncomingLink>& self) {
        ReceiverOptions options;
        options.credit = 0;  // granted by the node's state, not by ours
        options.link.snd_settle_mode = request.attach().snd_settle_mode;
        options.link.target = std::move(target);
        receiver_ = request.accept_receiver(std::move(options), self);
        ++context_->totals.links_attached;
    }

    /// The message as it is kept, or null: then the delivery has been answered.
    StoredPtr read(Node& node, Delivery& delivery) const {
        auto stored = node.blank();
        stored->message = codec::EncodedMessage(delivery.payload(), delivery.message_format());
        context_->totals.octets_in += stored->message.size();
        // [3.2.16-b] Other formats pass as they are, and so does the content of this one.
        if (delivery.message_format() != codec::protocol::message_format) return stored;
        const auto& view = delivery.message();
        if (!view.ok()) {
            reject(delivery,
                   failed(codec::condition_of(view.error()),
                          fmt::format("octet {} of the message: {}", view.error_offset(), view.error().message())));
            return nullptr;
        }
        if (!view.has_header()) return stored;
        const codec::Header header = view.header();
        if (header.durable && !context_->options.accept_durable) {
            reject(delivery,
                   failed(condition::precondition_failed,
                          "durable messages are not kept beyond the broker's life and accept_durable is off"));
            return nullptr;
        }
        // Zero is what many clients send for "no limit". absolute-expiry-time is not looked at: it names the sender's
        // clock, and oslo.messaging fills it with a monotonic one.
        if (header.ttl && *header.ttl != 0) {
            stored->arrived = context_->reactor.now();
            stored->expires = stored->arrived + std::chrono::milliseconds(*header.ttl);
        }
        return stored;
    }

    /// A message that is to become available with a transaction. [4.4.1]
    void post(const std::shared_ptr<Node>& node, Delivery& delivery) {
        const auto transaction = transactions_->find(*delivery.txn_id());
        if (!transaction) {
            auto why = failed(condition::unknown_transaction, "there is no such transaction on this connection");
            if (delivery.is_settled()) return receiver_.close(std::move(why));
            ++context_->totals.rejected;
            return delivery.settle(codec::Rejected{std::move(why)});
        }
        auto stored = read(*node, delivery);
        const bool taken = stored != nullptr && node->reserve(*stored) == Node::Verdict::stored;
        if (taken) {
            transaction->post(node, std::move(stored));
            return answer(delivery, Node::Verdict::stored);
        }
        doom_if_settled(delivery);
        if (stored != nullptr) answer(delivery, Node::Verdict::full);
    }

    void answer(Delivery& delivery, Node::Verdict verdict) const {
        const bool stored = verdict == Node::Verdict::stored;
        ++(stored ? context_->totals.accepted : context_->totals.released);
        stored ? delivery.accept() : delivery.release();
    }

    void refuse(Delivery& delivery, codec::ErrorCondition why) const {
        doom_if_settled(delivery);
        reject(delivery, std::move(why));
    }

    const std::shared_ptr<LinkContext> context_;
    Receiver receiver_;

private:
    virtual void take(Delivery& delivery) = 0;

    void on_message(Receiver&, Delivery& delivery) final {
        if (!context_->over) take(delivery);
    }
    void reject(Delivery& delivery, codec::ErrorCondition why) const {
        ++context_->totals.rejected;
        delivery.reject(std::move(why));
    }
    /// [4.4.4-a] A controller that has settled learns in no other way that its message was not taken.
    void doom_if_settled(const Delivery& delivery) const {
        if (!delivery.is_settled() || delivery.txn_id() == nullptr) return;
        if (const auto transaction = transactions_->find(*delivery.txn_id())) {
            transaction->doom(failed(condition::transaction_rollback, "a message that was sent settled was not taken"));
        }
    }
    std::optional<codec::Binary> partial_txn_id() const override {
        return receiver_ ? receiver_.partial_txn_id() : std::nullopt;
    }

    const std::shared_ptr<TransactionTable> transactions_;
};

/// To one node.
class ProducerLink final : public IncomingLink, public Producer {
public:
    ProducerLink(std::shared_ptr<LinkContext> context, std::shared_ptr<TransactionTable> transactions,
                 std::shared_ptr<Node> node)
        : IncomingLink(std::move(context), std::move(transactions)), node_(std::move(node)) {}

    void start(LinkRequest& request, codec::Target target, const std::shared_ptr<ProducerLink>& self) {
        const bool created = target.dynamic;
        grant_terminus(target, *node_);
        accept_with(request, std::move(target), self);
        node_.join(*this, created);
    }

    void grant(std::uint32_t more) override { receiver_.add_credit(more); }
    void node_deleted() override { receiver_.close(gone(*node_)); }

    void take(Delivery& delivery) override {
        if (delivery.txn_id() != nullptr) {
            post(node_->shared_from_this(), delivery);
            return node_->use_credit(*this);
        }
        auto stored = read(*node_, delivery);
        if (stored == nullptr) return node_->use_credit(*this);
        answer(delivery, node_->take(*this, std::move(stored)));
    }

    void on_close(Receiver&, const std::optional<Failure>&) override {
        node_.leave();
        receiver_ = {};
    }

private:
    Place<Producer> node_;
};

/// To the anonymous terminus: each message says where it goes.
class RelayLink final : public IncomingLink {
public:
    RelayLink(std::shared_ptr<LinkContext> context, std::shared_ptr<TransactionTable> transactions)
        : IncomingLink(std::move(context), std::move(transactions)) {}

    void start(LinkRequest& request, codec::Target target, const std::shared_ptr<RelayLink>& self) {
        accept_with(request, std::move(target), self);
        receiver_.add_credit(context_->options.sender_credit);
    }

    void take(Delivery& delivery) override {
        if (++used_ >= (context_->options.sender_credit + 1) / 2) receiver_.add_credit(std::exchange(used_, 0));
        const auto to = delivery.message().to();
        if (!to) {
            return refuse(delivery,
                          failed(condition::precondition_failed,
                                 "a message to the anonymous terminus must name its node in the property 'to'"));
        }
        auto node = context_->table.resolve(*to);
        if (!node) return refuse(delivery, node.error());
        if (delivery.txn_id() != nullptr) {
            post(*node, delivery);
            return (*node)->review();
        }
        auto stored = read(**node, delivery);
        if (stored != nullptr) answer(delivery, (*node)->take(std::move(stored)));
        (*node)->review();
    }

    void on_close(Receiver&, const std::optional<Failure>&) override { receiver_ = {}; }

private:
    std::uint32_t used_ = 0;
};

}  // namespace

void serve_producer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<TransactionTable>& transactions,
                    const Connection& connection, LinkRequest request) {
    const auto& wanted = request.attach().target;
    if (!wanted) return refuse(*context, request, failed(condition::invalid_field, "the attach has no target"));
    if (std::holds_alternative<codec::Coordinator>(*wanted)) {
        return serve_coordinator(context, transactions, std::move(request));
    }
    codec::Target target = std::get<codec::Target>(*wanted);
    if (!target.address && !target.dynamic) {
        auto link = std::make_shared<RelayLink>(context, transactions);
        return link->start(request, std::move(target), link);
    }
    auto node = node_for(*context, connection, request, target.dynamic_node_properties);
    if (!node) return refuse(*context, request, node.error());
    auto link = std::make_shared<ProducerLink>(context, transactions, std::move(*node));
    link->start(request, std::move(target), link);
}

}  // namespace aprotic::engine::broker
