#include "conform/context.hpp"
#include "conform/suite.hpp"
#include "conform/transaction_steps.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Binary;

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
        refused_body("string", "an amqp-value with a string", wire::value_body(wire::value("declare"))),
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

}  // namespace

Cases transactions() { return control(); }

}  // namespace aprotic::conform
