#include <aprotic/engine/broker/coordinator_link.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <aprotic/codec/transactions.hpp>
#include <aprotic/engine/broker/broker_link.hpp>

namespace aprotic::engine::broker {
namespace {

using codec::ErrorCondition;
using codec::Symbol;
namespace condition = codec::condition;

/// One control link and the transactions declared on it.
class CoordinatorLink final : public ReceiverHandler, private TransactionOwner {
public:
    CoordinatorLink(std::shared_ptr<LinkContext> context, std::shared_ptr<TransactionTable> table,
                    const codec::Attach& attach)
        : context_(std::move(context)), table_(std::move(table)) {
        // A source that says nothing about outcomes takes all of them.
        const auto& outcomes = attach.source ? attach.source->outcomes : std::vector<Symbol>();
        may_reject_ = outcomes.empty() || std::ranges::find(outcomes, Symbol("amqp:rejected:list")) != outcomes.end();
    }
    ~CoordinatorLink() override { table_->roll_back_all(*this); }

    void start(LinkRequest& request, const std::shared_ptr<CoordinatorLink>& self) {
        ReceiverOptions options;
        options.link.snd_settle_mode = request.attach().snd_settle_mode;
        options.link.target = codec::Coordinator{{Symbol(codec::txn_capability::local_transactions),
                                                  Symbol(codec::txn_capability::multi_txns_per_ssn),
                                                  Symbol(codec::txn_capability::multi_ssns_per_txn)}};
        receiver_ = request.accept_receiver(std::move(options), self);
    }

    void on_message(Receiver&, Delivery& delivery) override {
        if (delivery.is_settled()) {  // [4.2-e]
            return receiver_.close(failed(condition::illegal_state, "the outcome of this message must be waited for"));
        }
        const auto octets = delivery.message().raw_body_value().octets();  // [4.2-d]
        if (const auto declare = codec::decode_as<codec::Declare>(octets)) return this->declare(delivery, *declare);
        const auto discharge = codec::decode_as<codec::Discharge>(octets);
        if (discharge) return this->discharge(delivery, *discharge);
        refuse(delivery, failed(condition::decode_error, "the body is neither a declare nor a discharge"));
    }

    void on_close(Receiver&, const std::optional<Failure>&) override {
        table_->roll_back_all(*this);
        unanswered_.reset();
        receiver_ = {};
    }

private:
    void declare(Delivery& delivery, const codec::Declare& asked) {
        if (asked.global_id) {  // [4.5.2]
            return refuse(delivery, failed(condition::not_implemented, "there are no distributed transactions here"));
        }
        auto transaction = table_->declare(*this);
        if (!transaction) return refuse(delivery, transaction.error());
        delivery.settle(codec::Declared{(*transaction)->id()});
    }

    void discharge(Delivery& delivery, const codec::Discharge& asked) {
        const auto transaction = table_->find(asked.txn_id);
        if (!transaction || transaction->owner() != this) {
            return refuse(delivery, failed(condition::unknown_transaction, "there is no such transaction"));
        }
        if (table_->partly_posted(asked.txn_id)) {
            unanswered_.emplace(std::move(delivery));
            return violated(failed(condition::transaction_rollback, "a message was posted in part"));
        }
        const auto done = table_->discharge(*transaction, asked.fail.value_or(false));
        if (!done) return refuse(delivery, done.error());
        delivery.accept();
    }

    /// [4.2-g] By the outcome, or with the link when the controller has left it out.
    void refuse(Delivery& delivery, ErrorCondition why) {
        if (may_reject_) return delivery.reject(std::move(why));
        unanswered_.emplace(std::move(delivery));
        receiver_.close(std::move(why));
    }

    void violated(ErrorCondition why) override {
        table_->roll_back_all(*this);
        receiver_.close(std::move(why));
    }

    const std::shared_ptr<LinkContext> context_;  // what is rolled back needs the nodes' table
    const std::shared_ptr<TransactionTable> table_;
    bool may_reject_ = true;
    Receiver receiver_;
    std::optional<Delivery> unanswered_;  // what the end of the link answers: no outcome goes before that
};

}  // namespace

void serve_coordinator(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<TransactionTable>& table,
                       LinkRequest request) {
    const auto link = std::make_shared<CoordinatorLink>(context, table, request.attach());
    link->start(request, link);
}

}  // namespace aprotic::engine::broker
