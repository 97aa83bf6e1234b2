#include <algorithm>
#include <set>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Binary;

constexpr std::uint32_t control_handle = 9;

std::string amqp_value(const std::string& encoded) { return wire::described(codec::descriptor::amqp_value, encoded); }
std::string declare_body(const codec::Value& global_id = {}) {
    return amqp_value(wire::described(codec::descriptor::declare, wire::list({wire::value(global_id)})));
}
std::string discharge_body(const codec::Value& txn_id, bool fail) {
    return amqp_value(
        wire::described(codec::descriptor::discharge, wire::list({wire::value(txn_id), wire::value(fail)})));
}

/// A control link of ours on a session that the line has on channel 0.
class Controller {
public:
    Controller(Context& t, Line& on) : line(on) {
        codec::Source source;
        source.outcomes = {codec::Symbol("amqp:accepted:list"), codec::Symbol("amqp:rejected:list"),
                           codec::Symbol("amqp:declared:list")};
        auto ours = sender_to(codec::Coordinator{{codec::Symbol(codec::txn_capability::local_transactions)}},
                              control_handle, "control");
        ours.source(source);
        line.send(ours);
        const Heard heard = line.hear();
        auto attach = heard.as<codec::Attach>();
        const auto* coordinator =
            attach && attach->target ? std::get_if<codec::Coordinator>(&*attach->target) : nullptr;
        if (coordinator == nullptr) t.skip("the peer has no coordinator: " + heard.text());
        capabilities = coordinator->capabilities;
        handle = attach->handle;
        for (bool granted = false; !granted;) {
            const auto flow = line.expect<codec::Flow>("the coordinator gives credit");
            granted = flow->handle == handle && flow->link_credit.value_or(0) > 0;
        }
    }

    bool offers(std::string_view capability) const {
        return std::ranges::any_of(capabilities, [&](const codec::Symbol& one) { return one == capability; });
    }
    peer::TransferFrame message(const std::string& octets) {
        const std::uint32_t id = line.next_delivery_id++;
        return peer::transfer(control_handle)
            .delivery_id(id)
            .delivery_tag("control-" + std::to_string(id))
            .message_format(0)
            .payload(octets);
    }
    /// Sends this and takes its outcome.
    codec::Disposition ask(const std::string& octets) {
        const auto frame = message(octets);
        line.send(frame);
        return outcome_of(line, *frame.performative.delivery_id);
    }
    Binary declare() {
        const auto outcome = ask(declare_body());
        const auto* declared = outcome.state ? std::get_if<codec::Declared>(&*outcome.state) : nullptr;
        line.require(declared != nullptr, "declared", text_of(outcome));
        if (!outcome.settled) line.send(settled(outcome.first));
        return declared->txn_id;
    }
    void discharge(const Binary& txn, bool fail) {
        const auto outcome = ask(discharge_body(txn, fail));
        line.require(is_accepted(outcome.state), fail ? "the rollback is accepted" : "the commit is accepted",
                     text_of(outcome));
    }
    static peer::DispositionFrame settled(std::uint32_t id) {
        return peer::disposition(codec::Role::sender, id).settled();
    }

    Line& line;
    std::vector<codec::Symbol> capabilities;
    std::uint32_t handle = 0;
};

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

/// What the coordinator can only refuse.
Case refused_body(const std::string& which, const std::string& sends, std::string octets) {
    return {
        .id = "4.2-i/" + which,
        .rule = "A coordinator takes declare and discharge as a single amqp-value and nothing else.",
        .sends = "to the coordinator " + sends,
        .accepts = "rejected with an error, or detach with one; end and close are not strict",
        .negative = true,
        .needs = {"transactions"},
        .run = [octets = std::move(octets)](Context& t) {
            Line& line = t.mapped();
            Controller controller(t, line);
            line.send(controller.message(octets));
            answer_to_delivery(line, {rejects_delivery(), detaches(), ends().lenient(), closes().lenient(), drops()});
        }};
}

Reactions refuses_transaction(Conditions conditions) {
    return {rejects_delivery(conditions),
            detaches(conditions),
            rejects_delivery().lenient(),
            detaches().lenient(),
            ends().lenient(),
            closes().lenient(),
            drops()};
}

Cases control() {
    return {
        {.id = "4.2-a",
         .rule = "The control link has a coordinator as target, and the answer too, with its capabilities.",
         .sends = "a sender to a coordinator",
         .accepts = "attach with a coordinator; without amqp:local-transactions is recorded",
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 const Controller controller(t, t.mapped());
                 std::string names;
                 for (const auto& one : controller.capabilities) names += " " + one.str();
                 t.note("capabilities:" + names);
                 if (!controller.offers(codec::txn_capability::local_transactions))
                     t.took("does not offer amqp:local-transactions", Grade::recorded);
             }},
        {.id = "4.2-f",
         .rule = "A declare is answered by declared with a txn-id of at most 32 octets.",
         .sends = "declare",
         .accepts = "disposition with declared",
         .needs = {"transactions"},
         .clauses = {"4.5-e"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 const Binary txn = controller.declare();
                 line.require(!txn.empty() && txn.size() <= 32, "a txn-id of 1 to 32 octets",
                              std::to_string(txn.size()) + " octets");
                 controller.discharge(txn, true);
             }},
        {.id = "4.2-d",
         .level = Level::should,
         .rule = "Other sections of the message that declares are ignored.",
         .sends = "declare with header, message-annotations and properties",
         .accepts = "declared",
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 codec::Message message;
                 message.ensure_header().durable = true;
                 message.message_annotations.set(codec::Symbol("x-opt-conform"), 1U);
                 message.ensure_properties().subject = "conform";
                 const codec::Bytes sections = codec::encode(message).octets().contiguous();
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 const auto outcome = controller.ask(std::string(sections.text()) + declare_body());
                 line.require(outcome.state && std::holds_alternative<codec::Declared>(*outcome.state), "declared",
                              text_of(outcome));
             }},
        {.id = "4.2-e",
         .level = Level::should,
         .rule = "What is sent settled to a coordinator is an illegal state.",
         .sends = "declare, settled",
         .accepts = "detach with illegal-state; other errors and ignoring it are not strict",
         .negative = true,
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 line.send(controller.message(declare_body()).settled());
                 line.accept_one_of({detaches({illegal_state}), detaches().lenient(), ends().lenient(),
                                     closes().lenient(), drops(), ignores().lenient()});
             }},
        {.id = "4.2-g",
         .rule = "What cannot be declared is rejected, since our source allows that.",
         .sends = "declare with a global-id to a coordinator without distributed transactions",
         .accepts = "rejected with an error; detach with one and declared all the same are not strict",
         .negative = true,
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 if (controller.offers(codec::txn_capability::distributed_transactions))
                     t.skip("the peer has distributed transactions");
                 line.send(controller.message(declare_body(codec::Value(Binary("global")))));
                 const auto declared = answers<codec::Disposition>("declares it", [](const codec::Disposition& d) {
                     return d.state && std::holds_alternative<codec::Declared>(*d.state);
                 });
                 answer_to_delivery(line, {rejects_delivery(), detaches().lenient(), ends().lenient(),
                                           closes().lenient(), drops(), declared.lenient()});
             }},
        refused_body("string", "an amqp-value with a string", amqp_value(wire::value("declare"))),
        refused_body("data", "a data section",
                     wire::described(codec::descriptor::data, wire::value(Binary("declare")))),
        refused_body("sequence", "declare in an amqp-sequence",
                     wire::described(codec::descriptor::amqp_sequence,
                                     wire::list({wire::described(codec::descriptor::declare, wire::hex("45"))}))),
        refused_body("no-section", "octets that are no section", wire::hex("40 40 40")),
        refused_body("truncated", "half a declare", declare_body().substr(0, 7)),
        {.id = "4.2-j",
         .rule = "Transactions that live at once have different ids.",
         .sends = "declare, 10 times",
         .accepts = "10 different txn-ids",
         .needs = {"transactions", "several-transactions"},
         .clauses = {"4.5-b"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 if (!controller.offers(codec::txn_capability::multi_txns_per_ssn))
                     t.skip("the peer does not offer amqp:multi-txns-per-ssn");
                 std::set<std::string> ids;
                 for (int i = 0; i < 10; ++i)
                     line.require(ids.emplace(controller.declare().text()).second, "an id of its own", "one twice");
             }},
        {.id = "4.3-d",
         .rule = "A discharge of what was never declared is refused with unknown-id.",
         .sends = "discharge without fail of a txn-id that was not declared",
         .accepts = "rejected or detach with amqp:transaction:unknown-id; other errors are not strict",
         .negative = true,
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 line.send(controller.message(discharge_body(Binary("conform-unknown"), false)));
                 answer_to_delivery(line, refuses_transaction({unknown_transaction}));
             }},
        {.id = "4.3-d/fail",
         .rule = "A rollback of what was never declared has nothing to do: it may succeed.",
         .sends = "discharge with fail of a txn-id that was not declared",
         .accepts = "accepted, or rejected or detach with amqp:transaction:unknown-id; other errors are not strict",
         .negative = true,
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 line.send(controller.message(discharge_body(Binary("conform-unknown"), true)));
                 answer_to_delivery(line, refuses_transaction({unknown_transaction}) + Reactions{accepts_delivery()});
             }},
        {.id = "4.3-d/twice",
         .rule = "A transaction is discharged once.",
         .sends = "declare, and discharge without fail twice",
         .accepts = "accepted, then rejected or detach with amqp:transaction:unknown-id",
         .negative = true,
         .needs = {"transactions"},
         .clauses = {"4.3-e"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 const Binary txn = controller.declare();
                 controller.discharge(txn, false);
                 line.send(controller.message(discharge_body(txn, false)));
                 answer_to_delivery(line, refuses_transaction({unknown_transaction}));
             }},
        {.id = "4.3-f",
         .rule = "The txn-id of a discharge is mandatory.",
         .sends = "discharge with txn-id null",
         .accepts = "rejected or detach with an error; end and close are not strict",
         .negative = true,
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 line.send(controller.message(discharge_body({}, false)));
                 answer_to_delivery(line,
                                    {rejects_delivery(), detaches(), ends().lenient(), closes().lenient(), drops()});
             }},
        {.id = "4.5-c",
         .rule = "Without multi-txns-per-ssn there is one transaction at a time on a session.",
         .sends = "declare, twice",
         .accepts = "the second is rejected or the link detached with an error; declaring it is not strict",
         .needs = {"transactions"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 Controller controller(t, line);
                 if (controller.offers(codec::txn_capability::multi_txns_per_ssn))
                     t.skip("the peer offers amqp:multi-txns-per-ssn");
                 controller.declare();
                 line.send(controller.message(declare_body()));
                 const auto declared = answers<codec::Disposition>("declares it").lenient();
                 answer_to_delivery(
                     line, {rejects_delivery(), detaches(), ends().lenient(), closes().lenient(), drops(), declared});
             }},
    };
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
                finish(controller, txn);
                watching.line.accept_one_of({ignores()});
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
                   controller.line.send(peer::detach(control_handle).closed());
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

Cases transactions() {
    Cases cases = control();
    for (auto* more : {posting, retirement})
        for (auto& one : more()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
