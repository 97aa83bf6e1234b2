#include <algorithm>
#include <set>

#include "conform/context.hpp"
#include "conform/suite.hpp"
#include "conform/transaction_steps.hpp"

/// What is posted, retired and acquired in a transaction. [4.4]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Binary;

codec::TransactionalState in(const Binary& txn, std::optional<codec::Outcome> outcome = {}) {
    return {txn, std::move(outcome)};
}
peer::TransferFrame post(Line& line, const Binary& txn, std::string_view body) {
    return Context::delivery(line, body).state(in(txn));
}

/// The outcome of a post names its transaction.
void expect_posted(Line& line, std::uint32_t id, const Binary& txn) {
    const auto outcome = outcome_of(line, id);
    const auto* state = outcome.state ? std::get_if<codec::TransactionalState>(&*outcome.state) : nullptr;
    const bool right = state != nullptr && state->txn_id == txn && state->outcome &&
                       std::holds_alternative<codec::Accepted>(*state->outcome);
    line.require(right, "transactional-state with the transaction's id and accepted", text_of(outcome));
}

/// What is in the queue; it is taken out.
std::vector<std::string> bodies_in(Context& t, const std::string& address) {
    Receiver receiver(t, address);
    receiver.grant(50);
    std::vector<std::string> bodies;
    for (const auto& delivery : receiver.take_all()) {
        bodies.push_back(text_in(receiver, delivery));
        receiver.settle(delivery, codec::Accepted{});
    }
    receiver.line.accept_one_of({ignores()});
    receiver.line.finish();
    return bodies;
}

std::string bodies_listed(const std::vector<std::string>& bodies) {
    std::string text = std::to_string(bodies.size()) + " messages";
    for (const auto& body : bodies) text += ", " + body;
    return text;
}

void expect_in_queue(Context& t, const std::string& address, const std::vector<std::string>& wanted,
                     const std::string& why) {
    const auto bodies = bodies_in(t, address);
    t.require(bodies == wanted, bodies_listed(wanted) + " in the queue: " + why, bodies_listed(bodies));
}

/// Posts three messages and ends the transaction by `finish`; what is then in the queue.
Case posted(const std::string& id, const std::string& rule, const std::string& how, bool kept,
            std::vector<std::string> clauses, std::function<void(Controller&, const Binary&)> finish) {
    return {.id = id,
            .rule = rule,
            .sends = "declare, 3 messages in the transaction, " + how,
            .accepts = std::string("a transactional-state with accepted for each; nothing in the queue before, ") +
                       (kept ? "the 3 messages in order behind it" : "nothing behind it"),
            .needs = {"queue", "transactions"},
            .clauses = std::move(clauses),
            .run = [kept, finish = std::move(finish)](Context& t) {
                // A link that stays, so that the node does.
                Receiver watching(t, t.queue("q"));
                Line& line = t.sending(t.queue("q"));
                Controller controller(t, line);
                const Binary txn = controller.declare();
                for (const char* body : {"one", "two", "three"}) {
                    const auto frame = post(line, txn, body);
                    line.send(frame);
                    expect_posted(line, *frame.performative.delivery_id, txn);
                }
                watching.grant(1);
                watching.expect_deliveries(0, "the transaction is not discharged");
                watching.grant(0);
                // It has read the flow before another connection's discharge makes deliveries.
                watching.line.accept_one_of({ignores()});
                finish(controller, txn);
                expect_in_queue(t, t.queue("q"),
                                kept ? std::vector<std::string>{"one", "two", "three"} : std::vector<std::string>{},
                                kept ? "the transaction was committed" : "the transaction was rolled back");
            }};
}

Cases posting() {
    return {
        posted("4.3-a", "Messages that were posted in a transaction are there when it is committed.",
               "and discharge without fail", true, {"4.4.1-a", "4.4.1-f", "4.4-a"},
               [](Controller& controller, const Binary& txn) { controller.discharge(txn, false); }),
        posted("4.3-b", "A rollback always succeeds, and nothing is left of what was posted.",
               "and discharge with fail", false, {"4.4.1-b"},
               [](Controller& controller, const Binary& txn) { controller.discharge(txn, true); }),
        posted("4.1-b", "A control link that is closed rolls back what was declared on it.",
               "and detach with closed of the control link", false, {},
               [](Controller& controller, const Binary&) {
                   controller.line.send(peer::detach(Controller::own_handle).closed());
                   controller.line.expect<codec::Detach>();
               }),
        posted("4.1-c", "A connection that is lost rolls back what was declared on it.", "and the end of the stream",
               false, {},
               [](Controller& controller, const Binary&) {
                   controller.line.half_close();
                   controller.line.finish();
               }),
        {.id = "4.4.1-a/outside",
         .rule = "What is sent outside of the transaction does not wait for it.",
         .sends = "declare, a message in the transaction and one outside of it, and discharge with fail",
         .accepts = "the second message alone in the queue",
         .needs = {"queue", "transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 Controller controller(t, line);
                 const Binary txn = controller.declare();
                 const auto inside = post(line, txn, "inside");
                 const auto outside = Context::delivery(line, "outside");
                 line.send(inside);
                 expect_posted(line, *inside.performative.delivery_id, txn);
                 line.send(outside);
                 expect_accepted(line, *outside.performative.delivery_id, "a message outside of the transaction");
                 controller.discharge(txn, true);
                 expect_in_queue(t, t.queue(), {"outside"}, "only what was inside is rolled back");
             }},
        {.id = "4.4.1-a/two-at-once",
         .rule = "Transactions that live at once do not mix.",
         .sends = "two transactions with a message each; one is committed, the other rolled back",
         .accepts = "the message of the first alone in the queue",
         .needs = {"queue", "transactions", "several-transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 Controller controller(t, line);
                 if (!controller.offers(codec::txn_capability::multi_txns_per_ssn))
                     t.skip("the peer does not offer amqp:multi-txns-per-ssn");
                 const Binary first = controller.declare(), second = controller.declare();
                 for (const auto& [txn, body] : {std::pair{second, "second"}, std::pair{first, "first"}}) {
                     const auto frame = post(line, txn, body);
                     line.send(frame);
                     expect_posted(line, *frame.performative.delivery_id, txn);
                 }
                 controller.discharge(second, true);
                 controller.discharge(first, false);
                 expect_in_queue(t, t.queue(), {"first"}, "the second was rolled back");
             }},
        {.id = "4.4.1-a/settled",
         .rule = "A settled post belongs to its transaction like any other.",
         .sends = "a settled message in a transaction, and discharge with fail",
         .accepts = "nothing in the queue",
         .needs = {"queue", "transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 Controller controller(t, line);
                 const Binary txn = controller.declare();
                 line.send(post(line, txn, "settled").settled());
                 controller.discharge(txn, true);
                 expect_in_queue(t, t.queue(), {}, "the transaction was rolled back");
             }},
        {.id = "4.4.1-e",
         .rule = "A discharge while a post is not whole ends the control link with amqp:transaction:rollback.",
         .sends = "the first frame of a message in a transaction, and discharge without fail",
         .accepts =
             "detach of the control link with amqp:transaction:rollback; rejected and other errors are not strict",
         .negative = true,
         .needs = {"queue", "transactions", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 Controller controller(t, line);
                 const Binary txn = controller.declare();
                 line.send(post(line, txn, "half").more());
                 line.send(controller.message(discharge_body(txn, false)));
                 answer_to_delivery(
                     line, {detaches({transaction_rollback}), detaches().lenient(), rejects_delivery().lenient(),
                            ends().lenient(), closes().lenient(), drops()});
             }},
        {.id = "4.4.1-g",
         .rule = "A post in a transaction that was never declared is an error.",
         .sends = "a message with a txn-id that was not declared",
         .accepts = "rejected or detach with amqp:transaction:unknown-id; other errors are not strict",
         .negative = true,
         .needs = {"queue", "transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const Controller controller(t, line);  // skips where there is none
                 line.send(post(line, Binary("conform-unknown"), "lost"));
                 answer_to_delivery(line, refuses_transaction({unknown_transaction}));
             }},
        {.id = "4.3-e",
         .rule = "A transaction that was discharged takes nothing more.",
         .sends = "declare, discharge, and a message in the transaction",
         .accepts = "rejected or detach with amqp:transaction:unknown-id; other errors are not strict",
         .negative = true,
         .needs = {"queue", "transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 Controller controller(t, line);
                 const Binary txn = controller.declare();
                 controller.discharge(txn, false);
                 line.send(post(line, txn, "late"));
                 answer_to_delivery(line, refuses_transaction({unknown_transaction}));
             }},
        {.id = "4.5-e",
         .rule = "A txn-id has at most 32 octets.",
         .sends = "a message with a txn-id of 33 octets",
         .accepts = "rejected, detach, end or close with an error",
         .negative = true,
         .needs = {"queue", "transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const Controller controller(t, line);  // skips where there is none
                 line.send(post(line, Binary(std::string(33, 't')), "lost"));
                 answer_to_delivery(line, refuses() + Reactions{rejects_delivery()});
             }},
    };
}

/// Retires a message in a transaction; where it is when the transaction was discharged.
Case retired(const std::string& which, codec::Outcome outcome, bool fail, bool comes_again,
             std::vector<std::string> clauses = {}) {
    return {
        .id = "4.4.2-b/" + which,
        .rule = "An outcome that is given in a transaction counts when that is committed.",
        .sends = std::string("a message is received, its outcome given in a transaction without settled, and that ") +
                 (fail ? "rolled back; then the link is closed" : "committed; then the link is closed"),
        .accepts = comes_again ? "the message is in the queue" : "the message is not in the queue",
        .needs = {"queue", "transactions"},
        .clauses = std::move(clauses),
        .run = [outcome, fail, comes_again](Context& t) {
            t.fill(t.queue(), 1);
            codec::Source source;
            source.address = t.queue();
            source.default_outcome = codec::Outcome(codec::Released{});
            Receiver receiver(t, receiver_from(source));
            Controller controller(t, receiver.line);
            const Binary txn = controller.declare();
            receiver.grant(1);
            const Arrived delivery = receiver.take("one message, credit 1");
            receiver.line.send(peer::disposition(codec::Role::receiver, delivery.id()).state(in(txn, outcome)));
            receiver.expect_deliveries(0, "the outcome waits for the transaction");
            controller.discharge(txn, fail);
            receiver.line.send(peer::detach(0).closed());
            receiver.line.ordinary([&] {
                while (!receiver.line.hear().is(codec::descriptor::detach)) {
                }
            });
            const std::vector<std::string> wanted =
                comes_again ? std::vector<std::string>{"message 0"} : std::vector<std::string>{};
            expect_in_queue(t, t.queue(), wanted, fail ? "the transaction was rolled back" : "it was committed");
        }};
}

Cases retirement() {
    return {
        retired("accepted-commit", codec::Accepted{}, false, false, {"4.4.2-a"}),
        retired("accepted-rollback", codec::Accepted{}, true, true, {"4.4.2-a", "4.4.4-d"}),
        retired("rejected-commit", codec::Rejected{}, false, false),
        retired("rejected-rollback", codec::Rejected{}, true, true),
        retired("released-commit", codec::Released{}, false, true),
        {.id = "4.4.2-d",
         .rule = "Behind a rollback the receiver has the delivery as before, and may give another outcome.",
         .sends = "released in a transaction, rollback, and accepted outside of it",
         .accepts = "the queue is empty",
         .needs = {"queue", "transactions"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 Controller controller(t, receiver.line);
                 const Binary txn = controller.declare();
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("one message, credit 1");
                 receiver.line.send(peer::disposition(codec::Role::receiver, delivery.id())
                                        .state(in(txn, codec::Outcome(codec::Released{}))));
                 controller.discharge(txn, true);
                 receiver.settle(delivery, codec::Accepted{});
                 receiver.line.accept_one_of({ignores()});
                 expect_in_queue(t, t.queue(), {}, "the message was accepted");
             }},
        {.id = "4.4.3-a",
         .rule = "Messages that were acquired in a transaction say so, and are available again behind a rollback.",
         .sends = "credit with the transaction's id in the flow's properties, and discharge with fail",
         .accepts = "a transfer with the transaction's state, and the message in the queue behind the rollback; a "
                    "detach with not-implemented is the answer of a peer without",
         .needs = {"queue", "transactions"},
         .clauses = {"4.4.3-b", "4.4-a"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 Line& line = receiver.line;
                 Controller controller(t, line);
                 const Binary txn = controller.declare();
                 auto flow = receiver.flow(1);
                 flow.performative.properties.set(codec::Symbol("txn-id"), txn);
                 line.send(flow);
                 const Heard heard = line.accept_one_of(
                     {answers<codec::Transfer>("acquires in the transaction",
                                               [&](const codec::Transfer& transfer) {
                                                   const auto* state =
                                                       transfer.state
                                                           ? std::get_if<codec::TransactionalState>(&*transfer.state)
                                                           : nullptr;
                                                   return state != nullptr && state->txn_id == txn;
                                               }),
                      detaches({not_implemented}), detaches().lenient()});
                 if (!heard.is(codec::descriptor::transfer)) return;
                 controller.discharge(txn, true);
                 line.finish();
                 expect_in_queue(t, t.queue(), {"message 0"}, "the acquisition was rolled back");
             }},
        {.id = "4.4.2-a/unknown",
         .rule = "An outcome in a transaction that was never declared does not count.",
         .sends = "accepted with a txn-id that was not declared",
         .accepts = "detach, end or close with an error; going on is not strict; the message is not lost",
         .negative = true,
         .needs = {"queue", "transactions"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 const Controller controller(t, receiver.line);  // skips where there is none
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("one message, credit 1");
                 receiver.line.send(peer::disposition(codec::Role::receiver, delivery.id())
                                        .state(in(Binary("conform-unknown"), codec::Outcome(codec::Accepted{}))));
                 receiver.line.accept_one_of(refuses() + Reactions{ignores().lenient()});
                 receiver.line.finish();
                 expect_in_queue(t, t.queue(), {"message 0"}, "no transaction retired it");
             }},
    };
}

}  // namespace

Cases transactional_work() {
    Cases cases = posting();
    for (auto& one : retirement()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
