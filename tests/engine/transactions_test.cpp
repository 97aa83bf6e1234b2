#include <aprotic/codec/transactions.hpp>
#include <aprotic/engine/transaction.hpp>

#include "engine/pair.hpp"
#include "peer/peer.hpp"
#include "testkit/stream_channel.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

using Ended = codec::Result<void, Failure>;

/// Our controller, and a resource that is written frame by frame.
struct Resource {
    Resource() {
        auto [near, far] = make_memory_streams(reactor);
        channel.emplace(reactor, std::move(far));
        peer.emplace(*channel);
        peer->skip_flows = true;
        client = container.adopt(std::move(near), false);
        reactor.settle();
        peer->answer_open(peer::open().max_frame_size(frame_size));
    }
    ~Resource() {
        transaction = {};
        client.close();
        reactor.settle();
        channel->close();  // what is still asked for is told now, while there is somebody to tell
        reactor.settle();
    }

    void declare(TransactionOptions options = {}) {
        Transaction::declare(
            client, 10s,
            [this](codec::Result<Transaction, Failure> made) {
                if (made)
                    transaction = std::move(*made);
                else
                    failure = made.error();
            },
            std::move(options));
        reactor.settle();
    }
    /// The client's attach to the coordinator, answered with these capabilities and some credit.
    peer::Expected<codec::Attach> coordinate(std::vector<codec::Symbol> capabilities = {"amqp:local-transactions"}) {
        peer->expect_begin().respond();
        auto attach = peer->expect_attach();
        attach.respond([&](auto& reply) {
            reply.performative.target = codec::AttachTarget(codec::Coordinator{std::move(capabilities)});
        });
        grant(attach->handle);
        control = attach->handle;
        return attach;
    }
    void grant(std::uint32_t handle, std::uint32_t credit = 100) {
        peer->send(peer::flow().handle(handle).delivery_count(0).link_credit(credit));
    }
    /// A link of ours, attached and answered.
    Sender sender(const std::string& address = "q", SenderOptions options = {}) {
        auto made = client.open_sender(address, std::move(options));
        reactor.settle();
        const auto attach = peer->expect_attach();
        peer->send(peer->reply_to(*attach, attach.channel()));
        grant(attach->handle);
        return made;
    }
    void tell(std::uint32_t delivery, codec::DeliveryState state, bool settled = true) {
        peer->send(peer::disposition(codec::Role::receiver, delivery).settled(settled).state(std::move(state)));
    }
    /// A transaction with the id "tx", declared in order.
    void begin(std::vector<codec::Symbol> capabilities = {"amqp:local-transactions"}) {
        declare();
        coordinate(std::move(capabilities));
        tell(*peer->expect_transfer()->delivery_id, codec::Declared{id});
        REQUIRE(transaction);
    }
    void commit() {
        transaction.commit(10s, [this](const Ended& how) { ended = how; });
        reactor.settle();
    }
    codec::Discharge expect_discharge() {
        auto transfer = peer->expect_transfer();
        transfer.with(&codec::Transfer::handle, control);
        discharge_id = *transfer->delivery_id;
        const codec::MessageView view(codec::ByteChain(transfer.payload()));
        return codec::decode_as<codec::Discharge>(view.raw_body_value().octets()).value();
    }
    codec::DeliveryState provisional(codec::Outcome outcome = codec::Accepted{}) const {
        return codec::TransactionalState{id, std::move(outcome)};
    }

    const codec::Binary id{"tx"};
    std::uint32_t frame_size = 65536;
    std::uint32_t control = 0;
    std::uint32_t discharge_id = 0;
    sim::SimReactor reactor;
    Container container{reactor, "client"};
    std::optional<testing::StreamChannel> channel;
    std::optional<peer::Peer> peer;
    Connection client;
    Transaction transaction;
    std::optional<Failure> failure;
    std::optional<Ended> ended;
};

}  // namespace

TEST_CASE("the control link asks for a coordinator and allows rejected", "[4.1-a][4.2-a][4.2-c][4.2-h]") {
    Resource resource;
    resource.declare();
    const auto attach = resource.coordinate({"amqp:local-transactions", "amqp:promotable-transactions"});
    CHECK(attach->role == codec::Role::sender);
    REQUIRE(attach->target);
    CHECK(std::holds_alternative<codec::Coordinator>(*attach->target));
    const auto& outcomes = attach->source->outcomes;
    CHECK(std::count(outcomes.begin(), outcomes.end(), codec::Symbol("amqp:rejected:list")) == 1);
    const auto transfer = resource.peer->expect_transfer();
    CHECK_FALSE(transfer->settled.value_or(false));
    CHECK(transfer.payload() ==
          codec::encode(Message(codec::Described(codec::descriptor::declare, codec::List{}))).octets().contiguous());
    resource.tell(*transfer->delivery_id, codec::Declared{resource.id});
    REQUIRE(resource.transaction);
    CHECK(resource.transaction.id() == resource.id);
    CHECK(resource.transaction.capabilities().promotable_transactions);
    CHECK_FALSE(resource.transaction.capabilities().many_per_session);
}

TEST_CASE("a coordinator without local transactions is of no use", "[4.5-a]") {
    Resource resource;
    resource.declare();
    resource.coordinate({});
    resource.peer->expect_detach().respond();
    CHECK_FALSE(resource.transaction);
    REQUIRE(resource.failure);
    CHECK(resource.failure->code == Errc::not_offered);
}

TEST_CASE("a coordinator that is refused is told with the peer's condition") {
    Resource resource;
    resource.declare();
    resource.peer->expect_begin().respond();
    const auto attach = resource.peer->expect_attach();
    auto reply = resource.peer->reply_to(*attach, attach.channel());
    resource.peer->send(reply.no_target());
    resource.peer->send(peer::detach(attach->handle).closed().error("amqp:not-implemented", "no"));
    resource.peer->expect_detach();
    REQUIRE(resource.failure);
    CHECK(resource.failure->code == Errc::refused);
    CHECK(resource.failure->condition->condition == "amqp:not-implemented");
    // The next one tries again.
    resource.failure.reset();
    resource.declare();
    resource.peer->expect_attach();
}

TEST_CASE("a rejected declare, one without an answer and one without an id end as failures", "[4.2-g][4.5-e]") {
    Resource resource;
    resource.declare();
    resource.coordinate();
    const auto transfer = resource.peer->expect_transfer();
    SECTION("rejected") {
        resource.tell(*transfer->delivery_id, codec::Rejected{peer::error_condition("amqp:transaction:timeout")});
        CHECK(resource.failure->code == Errc::refused);
        CHECK(resource.failure->condition->condition == "amqp:transaction:timeout");
    }
    SECTION("no id") {
        resource.tell(*transfer->delivery_id, codec::Accepted{});
        CHECK(resource.failure->code == Errc::protocol_violation);
    }
    SECTION("an id of more than 32 octets") {
        resource.tell(*transfer->delivery_id, codec::Declared{codec::Binary(std::string(33, 'x'))});
        CHECK(resource.failure->code == Errc::protocol_violation);
    }
    SECTION("too late: then it is rolled back") {
        resource.reactor.run_for(11s);
        CHECK(resource.failure->code == Errc::timed_out);
        resource.tell(*transfer->delivery_id, codec::Declared{resource.id});
        const auto discharge = resource.expect_discharge();
        CHECK(discharge.txn_id == resource.id);
        CHECK(discharge.fail == true);
    }
    CHECK_FALSE(resource.transaction);
}

TEST_CASE("what the coordinator does not offer is not asked of it", "[4.5-b][4.5-c][4.5-d]") {
    Resource resource;
    resource.begin();
    TransactionOptions global;
    global.global_id = codec::Binary("g");
    resource.declare(global);
    REQUIRE(resource.failure);
    CHECK(resource.failure->code == Errc::not_offered);
    resource.failure.reset();
    const auto first = std::move(resource.transaction);
    resource.declare();
    REQUIRE(resource.failure);
    CHECK(resource.failure->code == Errc::not_offered);
    resource.peer->expect_nothing();
}

TEST_CASE("a coordinator of distributed transactions is given the global id, and several at a time if it can",
          "[4.5-b][4.5-d]") {
    Resource resource;
    resource.begin({"amqp:local-transactions", "amqp:distributed-transactions", "amqp:multi-txns-per-ssn"});
    const auto first = std::move(resource.transaction);
    TransactionOptions global;
    global.global_id = codec::Binary("g");
    resource.declare(global);
    const auto transfer = resource.peer->expect_transfer();
    const codec::MessageView view(codec::ByteChain(transfer.payload()));
    CHECK(codec::decode_as<codec::Declare>(view.raw_body_value().octets())->global_id == codec::Binary("g"));
}

TEST_CASE("a post names its transaction on every frame, and its outcome is provisional until the discharge",
          "[4.3-a][4.4-a][4.4.1-c][4.4.1-f]") {
    Resource resource;
    resource.begin();
    const Sender sender = resource.sender();
    const Tracker tracker = resource.transaction.send(sender, std::string(100'000, 'x'));
    std::vector<Outcome> told;
    tracker.on_done([&](const Outcome& outcome) { told.push_back(outcome); });
    resource.reactor.settle();
    const auto first = resource.peer->expect_transfer();
    CHECK(first->state == codec::DeliveryState(codec::TransactionalState{resource.id, {}}));
    CHECK(first->more);
    const auto second = resource.peer->expect_transfer();
    CHECK(second->state == first->state);
    CHECK_FALSE(second->more);

    // A commit waits for the outcome.
    resource.commit();
    resource.peer->expect_nothing();
    const bool settled = GENERATE(true, false);
    resource.tell(*first->delivery_id, resource.provisional(), settled);
    CHECK(tracker.provisional()->accepted());
    CHECK_FALSE(tracker.outcome());
    if (!settled) resource.peer->expect_disposition().with(&codec::Disposition::settled, true);
    CHECK_FALSE(resource.expect_discharge().fail.value_or(false));
    CHECK(told.empty());
    resource.tell(resource.discharge_id, codec::Accepted{});
    REQUIRE(told.size() == 1);
    CHECK(told[0].accepted());
    REQUIRE(resource.ended);
    CHECK(*resource.ended);
}

TEST_CASE("a commit that the coordinator rejects is a rollback with its condition", "[4.3-c]") {
    Resource resource;
    resource.begin();
    const Sender sender = resource.sender();
    const Tracker tracker = resource.transaction.send(sender, "m");
    resource.reactor.settle();
    resource.tell(*resource.peer->expect_transfer()->delivery_id, resource.provisional());
    resource.commit();
    resource.expect_discharge();
    resource.tell(resource.discharge_id, codec::Rejected{peer::error_condition("amqp:transaction:rollback", "disk")});
    REQUIRE(resource.ended);
    CHECK(resource.ended->error().code == Errc::rolled_back);
    CHECK(resource.ended->error().condition->condition == "amqp:transaction:rollback");
    CHECK(tracker.outcome()->kind == Outcome::Kind::rolled_back);
}

TEST_CASE("a post that is not accepted makes the commit a rollback", "[4.3-b]") {
    Resource resource;
    resource.begin();
    const Sender sender = resource.sender();
    const Tracker good = resource.transaction.send(sender, "good");
    const Tracker bad = resource.transaction.send(sender, "bad");
    resource.reactor.settle();
    const auto number = *resource.peer->expect_transfer()->delivery_id;
    resource.peer->expect_transfer();
    resource.tell(number, resource.provisional());
    const bool plain = GENERATE(true, false);
    const codec::Rejected rejected{peer::error_condition("amqp:transaction:unknown-id")};
    resource.tell(number + 1, plain ? codec::DeliveryState(rejected) : resource.provisional(rejected));
    resource.commit();
    CHECK(resource.expect_discharge().fail == true);
    resource.tell(resource.discharge_id, codec::Accepted{});
    REQUIRE(resource.ended);
    CHECK(resource.ended->error().code == Errc::rolled_back);
    CHECK(good.outcome()->kind == Outcome::Kind::rolled_back);
    CHECK(bad.outcome()->kind == (plain ? Outcome::Kind::rejected : Outcome::Kind::rolled_back));
}

TEST_CASE("a transaction that is dropped is rolled back, and what has not left it never leaves", "[4.3-b]") {
    Resource resource;
    resource.begin();
    SenderOptions options;
    const Sender sender = resource.client.open_sender("q");
    resource.reactor.settle();
    resource.peer->expect_attach().respond();  // no credit
    const Tracker tracker = resource.transaction.send(sender, "m");
    resource.transaction = {};
    resource.reactor.settle();
    const auto discharge = resource.expect_discharge();
    CHECK(discharge.txn_id == resource.id);
    CHECK(discharge.fail == true);
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
}

TEST_CASE("a settled post ends with its transaction", "[4.4.1-c]") {
    Resource resource;
    resource.begin();
    const Sender sender = resource.sender();
    const Tracker tracker = resource.transaction.send(sender, "m", {.settled = true});
    resource.commit();
    const auto transfer = resource.peer->expect_transfer();
    CHECK(transfer->settled == true);
    CHECK(transfer->state == codec::DeliveryState(codec::TransactionalState{resource.id, {}}));
    CHECK_FALSE(tracker.outcome());
    CHECK(tracker.provisional()->kind == Outcome::Kind::sent);
    resource.expect_discharge();
    resource.tell(resource.discharge_id, codec::Accepted{});
    CHECK(tracker.outcome()->kind == Outcome::Kind::sent);
}

TEST_CASE("the end of the coordinator rolls back, or leaves the commit in doubt", "[4.1-b][4.1-c]") {
    Resource resource;
    resource.begin();
    const Sender sender = resource.sender();
    const Tracker tracker = resource.transaction.send(sender, "m");
    resource.reactor.settle();
    resource.tell(*resource.peer->expect_transfer()->delivery_id, resource.provisional());
    const bool asked = GENERATE(false, true);
    if (asked) {
        resource.commit();
        resource.expect_discharge();
    }
    const bool cut = GENERATE(false, true);
    if (cut) {
        resource.channel->close();
    } else {
        resource.peer->send(peer::detach(resource.control).closed().error("amqp:transaction:rollback"));
    }
    resource.reactor.settle();
    CHECK(tracker.outcome()->kind == (asked ? Outcome::Kind::in_doubt : Outcome::Kind::rolled_back));
    if (!asked) resource.commit();
    REQUIRE(resource.ended);
    CHECK(resource.ended->error().code == (asked ? Errc::transaction_in_doubt : Errc::wrong_state));
}

TEST_CASE("a commit has a deadline") {
    Resource resource;
    resource.begin();
    SECTION("while a post waits: then it is rolled back") {
        const Sender sender = resource.client.open_sender("q");
        resource.reactor.settle();
        resource.peer->expect_attach().respond();
        const Tracker tracker = resource.transaction.send(sender, "m");
        resource.commit();
        resource.reactor.run_for(9s);
        resource.peer->expect_nothing();
        CHECK_FALSE(resource.ended);
        resource.reactor.run_for(2s);
        CHECK(resource.expect_discharge().fail == true);
        resource.tell(resource.discharge_id, codec::Accepted{});
        CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    }
    SECTION("while the coordinator is silent: then nobody knows") {
        resource.commit();
        resource.expect_discharge();
        resource.reactor.run_for(11s);
    }
    REQUIRE(resource.ended);
    CHECK(resource.ended->error().code == Errc::timed_out);
}

TEST_CASE("a link of another session takes part only if the coordinator allows it", "[4.5-b]") {
    const bool allowed = GENERATE(false, true);
    Resource resource;
    if (allowed) {
        resource.begin({"amqp:local-transactions", "amqp:multi-ssns-per-txn"});
    } else {
        resource.begin();
    }
    const Session session = resource.client.open_session();
    const Sender sender = session.open_sender("q");
    const Tracker tracker = resource.transaction.send(sender, "m");
    resource.reactor.settle();
    CHECK(tracker.outcome().has_value() != allowed);
    if (allowed) return;
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::wrong_state);
}

namespace {

/// A message for our receiver.
struct Received : Resource {
    explicit Received(std::uint32_t credit = 10) {
        begin();
        receiver = client.open_receiver("q", {.credit = credit}, log);
        reactor.settle();
        const auto attach = peer->expect_attach();
        handle = attach->handle;
        peer->send(peer->reply_to(*attach, attach.channel()));
        reactor.settle();
    }
    void deliver(std::optional<codec::DeliveryState> state = {}) {
        auto frame = peer::transfer(handle).delivery_id(number).delivery_tag("t").message("m");
        if (state) frame.state(*state);
        peer->send(frame);
        ++number;
    }
    std::shared_ptr<ReceiverLog> log = std::make_shared<ReceiverLog>();
    Receiver receiver;
    std::uint32_t handle = 0;
    std::uint32_t number = 0;
};

}  // namespace

TEST_CASE("an answer in a transaction is not settled, and is final with the commit", "[4.4.2-a][4.4.2-b]") {
    Received resource;
    resource.deliver();
    REQUIRE(resource.log->kept.size() == 1);
    Delivery& delivery = resource.log->kept[0];
    CHECK(resource.transaction.accept(delivery));
    CHECK(resource.transaction.accept(delivery).error() == Errc::wrong_state);
    resource.reactor.settle();
    const auto told = resource.peer->expect_disposition();
    CHECK(told->state == resource.provisional());
    CHECK_FALSE(told->settled);
    const bool dropped = GENERATE(false, true);
    if (dropped) resource.log->kept.clear();
    resource.commit();
    resource.expect_discharge();
    resource.tell(resource.discharge_id, codec::Accepted{});
    const auto last = resource.peer->expect_disposition();
    CHECK(last->settled);
    CHECK(last->state == codec::DeliveryState(codec::Accepted{}));
    resource.log->kept.clear();
    resource.reactor.settle();
    resource.peer->expect_nothing();
}

TEST_CASE("after a rollback a delivery may be answered again, and one that was dropped is released",
          "[4.4.2-d][4.4.4-d]") {
    Received resource;
    resource.deliver();
    CHECK(resource.transaction.reject(resource.log->kept[0], some_error()));
    const bool dropped = GENERATE(false, true);
    if (dropped) resource.log->kept.clear();
    resource.reactor.settle();
    resource.peer->expect_disposition().with(&codec::Disposition::state,
                                             resource.provisional(codec::Rejected{some_error()}));
    resource.transaction = {};
    resource.reactor.settle();
    resource.expect_discharge();
    resource.tell(resource.discharge_id, codec::Accepted{});
    if (!dropped) {
        resource.peer->expect_nothing();
        resource.log->kept[0].accept();
        resource.reactor.settle();
    }
    const auto told = resource.peer->expect_disposition();
    CHECK(told->settled);
    CHECK(told->state == (dropped ? codec::DeliveryState(codec::Released{}) : codec::DeliveryState(codec::Accepted{})));
}

TEST_CASE("messages are acquired with the flow's txn-id, and the link is drained before the discharge",
          "[4.4.3-a][4.4.3-c][4.4.3-d][4.4.4-e]") {
    Received resource;
    resource.peer->skip_flows = false;
    resource.transaction.acquire(resource.receiver);
    resource.reactor.settle();
    codec::Flow last;
    do last = *resource.peer->expect_flow();
    while (last.properties.empty());
    CHECK(last.properties == codec::Map{{codec::Symbol("txn-id"), codec::Value(resource.id)}});
    CHECK(last.link_credit == 10);
    resource.deliver(codec::TransactionalState{resource.id, {}});
    CHECK(*resource.log->kept.at(0).txn_id() == resource.id);
    resource.log->kept.at(0).accept();
    resource.reactor.settle();
    const auto told = resource.peer->expect_disposition();
    CHECK(told->state == resource.provisional());

    resource.commit();
    const auto drain = resource.peer->expect_flow();
    CHECK(drain->drain);
    resource.peer->expect_nothing();
    resource.peer->send(peer::flow().handle(resource.handle).delivery_count(10).link_credit(0).drain());
    CHECK(resource.expect_discharge().fail == false);
    resource.tell(resource.discharge_id, codec::Accepted{});
    const auto after = resource.peer->expect_flow();
    CHECK(after->properties.empty());
    CHECK(after->link_credit == 10);
    CHECK(*resource.ended);
}

TEST_CASE("a sender that is no resource refuses answers and acquisitions in a transaction", "[4.4.3-b]") {
    Pair pair;
    pair.accept_all();
    auto [near, far] = make_memory_streams(pair.reactor);
    testing::StreamChannel channel(pair.reactor, std::move(far));
    peer::Peer peer(channel);
    peer.skip_flows = true;
    const Connection client = pair.client_container.adopt(std::move(near), false);
    pair.reactor.settle();
    peer.answer_open();
    const Sender sender = client.open_sender("q");
    pair.reactor.settle();
    peer.expect_begin().respond();
    const auto attach = peer.expect_attach();
    peer.send(peer.reply_to(*attach, attach.channel()));
    auto flow = peer::flow().handle(attach->handle).delivery_count(0).link_credit(1);
    SECTION("an acquisition") {
        flow.performative.properties = {{codec::Symbol("txn-id"), codec::Value(codec::Binary("tx"))}};
        peer.send(flow);
        peer.expect_detach("amqp:not-implemented").respond();
    }
    SECTION("an answer") {
        const Tracker tracker = sender.send("m");
        peer.send(flow);
        const auto transfer = peer.expect_transfer();
        peer.send(peer::disposition(codec::Role::receiver, *transfer->delivery_id)
                      .state(codec::TransactionalState{codec::Binary("tx"), codec::Accepted{}}));
        peer.expect_detach("amqp:transaction:unknown-id").respond();
        CHECK(tracker.outcome()->kind == Outcome::Kind::in_doubt);
    }
    client.close();
}
