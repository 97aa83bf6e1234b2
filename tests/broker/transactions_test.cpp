#include <set>

#include "broker/controller.hpp"

using namespace aprotic;
using namespace aprotic::engine;

namespace {

const codec::Outcome accepted = codec::Accepted{};

}  // namespace

// --- the control link ------------------------------------------------------------------------------------------------

TEST_CASE("a coordinator answers with what it can, whatever unsettled map the attach has", "[4.2-a][4.2-b]") {
    Controller controller;
    auto frame = controller.control_attach();
    frame.performative.unsettled = codec::Map{{codec::Binary("old"), codec::Value()}};
    controller.peer.send(frame);
    const auto answer = controller.peer.expect_attach();
    REQUIRE(answer->target);
    const auto& coordinator = std::get<codec::Coordinator>(*answer->target);
    CHECK(coordinator.capabilities ==
          std::vector<codec::Symbol>{"amqp:local-transactions", "amqp:multi-txns-per-ssn", "amqp:multi-ssns-per-txn"});
    CHECK_FALSE(answer->unsettled);
    CHECK_FALSE(controller.declare().empty());
}

TEST_CASE("every declare gives another short txn-id, whatever else the message holds",
          "[4.2-d][4.2-f][4.2-j][4.5-b][4.5-e]") {
    Controller controller;
    controller.attach_control();
    std::set<codec::Binary> ids;
    for (int i = 0; i < 100; ++i) {
        const auto id = controller.declare();
        CHECK(id.size() <= 32);
        ids.insert(id);
    }
    CHECK(ids.size() == 100);
    Message dressed = Controller::body(codec::Declare{});
    dressed.ensure_header().durable = true;
    dressed.ensure_properties().subject = "declare";
    dressed.application_properties = {{"key", "value"}};
    controller.peer.send(controller.transfer(Controller::control, dressed));
    CHECK(std::holds_alternative<codec::Declared>(controller.outcome(controller.next_id - 1)));
}

TEST_CASE("a declare or discharge that is settled ends the control link", "[4.2-e]") {
    Controller controller;
    controller.attach_control();
    controller.peer.send(controller.transfer(Controller::control, Controller::body(codec::Declare{})).settled());
    controller.peer.expect_detach("amqp:illegal-state").respond();
    controller.attach_control(5);
    controller.declare(5);
}

TEST_CASE("a declare that cannot be done is rejected, or ends a link that knows no rejected", "[4.2-g][4.5-d]") {
    Controller controller;
    controller.attach_control();
    const auto global = Controller::body(codec::Declare{codec::Binary("global")});
    controller.peer.send(controller.transfer(Controller::control, global));
    CHECK(rejection(controller.outcome(controller.next_id - 1)) == "amqp:not-implemented");
    controller.declare();

    auto frame = controller.control_attach(7);
    frame.performative.source->outcomes = {"amqp:accepted:list"};
    controller.peer.send(frame);
    controller.peer.expect_attach();
    controller.peer.send(controller.transfer(7, global));
    controller.peer.expect_detach("amqp:not-implemented");
}

TEST_CASE("other bodies on the control link are rejected", "[4.2-i][4.3-f]") {
    Controller controller;
    controller.attach_control();
    codec::Described no_id(codec::descriptor::discharge, codec::List{codec::Value(), codec::Value(false)});
    for (const Message& message :
         {Message("x"), Message::data("x"), Message::sequence({codec::Value(1)}), Message(),
          Message(codec::List{codec::Described(codec::descriptor::declare, codec::List{})}), Message(no_id)}) {
        controller.peer.send(controller.transfer(Controller::control, message));
        CHECK(rejection(controller.outcome(controller.next_id - 1)) == "amqp:decode-error");
    }
    controller.declare();
}

TEST_CASE("a connection has no more transactions than the broker allows") {
    BrokerOptions options;
    options.transactions_max = 2;
    Controller controller(options);
    controller.attach_control();
    const auto first = controller.declare();
    controller.declare();
    controller.peer.send(controller.transfer(Controller::control, Controller::body(codec::Declare{})));
    CHECK(rejection(controller.outcome(controller.next_id - 1)) == "amqp:resource-limit-exceeded");
    controller.discharge(first, true);
    controller.declare();
}

TEST_CASE("an unknown txn-id cannot be discharged", "[4.3-d][4.5-e]") {
    Controller controller;
    controller.attach_control();
    const auto id = controller.declare();
    controller.discharge(id, false);
    for (const auto& unknown : {id, codec::Binary("nobody's"), codec::Binary(std::string(33, 'x'))}) {
        for (const bool fail : {false, true}) {
            const auto asked = controller.ask_discharge(unknown, fail);
            CHECK(rejection(controller.outcome(asked)) == "amqp:transaction:unknown-id");
        }
    }
    // Nor one of another connection, or of another control link.
    Controller other;
    other.attach_control();
    controller.attach_control(5);
    const auto live = controller.declare();
    const auto asked = controller.ask_discharge(live, false, 5);
    CHECK(rejection(controller.outcome(asked)) == "amqp:transaction:unknown-id");
}

// --- posting ---------------------------------------------------------------------------------------------------------

TEST_CASE("what is posted in a transaction can be had after the commit, in its order",
          "[4.3-a][4.4-a][4.4.1-a][4.4.1-f][4.4.4-b]") {
    Controller controller;
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("unicast.q", inbox);
    controller.attach_control();
    controller.attach_producer();
    const auto id = controller.declare();
    CHECK(controller.post("1", id) == within(id, accepted));
    CHECK(controller.post("2", id) == within(id, accepted));
    CHECK(controller.post("plain", std::nullopt) == codec::DeliveryState(codec::Accepted{}));
    controller.world.settle();
    CHECK(inbox->texts == Texts{"plain"});
    CHECK(controller.waiting() == 0);

    // The outcome of a post is told before that of the discharge, even when both come at once.
    auto frame = controller.transfer(Controller::producer, "3").state(within(id));
    const auto last = controller.transfer(Controller::control, Controller::body(codec::Discharge{id, false}));
    controller.peer.send_together(frame, last);
    CHECK(controller.outcome(controller.next_id - 1) == codec::DeliveryState(codec::Accepted{}));
    REQUIRE(controller.order.size() >= 2);
    CHECK(controller.order.end()[-2] == controller.next_id - 2);
    controller.world.settle();
    CHECK(inbox->texts == Texts{"plain", "1", "2", "3"});
}

TEST_CASE("what is posted in a transaction that is rolled back is never seen", "[4.3-b][4.4.1-b]") {
    Controller controller;
    controller.attach_control();
    controller.attach_producer();
    const auto id = controller.declare();
    controller.post("unsettled", id);
    controller.post_settled("settled", id);
    controller.discharge(id, true);
    controller.world.settle();
    CHECK(controller.waiting() == 0);
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("unicast.q", inbox);
    CHECK(inbox->texts.empty());
}

TEST_CASE("a topic's subscribers see a post after the commit too, and the anonymous terminus posts", "[4.4.1-a]") {
    Controller controller;
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("broadcast.t", inbox);
    controller.attach_control();
    controller.peer.send(peer::attach(codec::Role::sender, Controller::producer, "relay"));
    controller.peer.expect_attach();
    const auto id = controller.declare();
    Message message("m");
    message.ensure_properties().to = "broadcast.t";
    CHECK(controller.post(message, id) == within(id, accepted));
    controller.world.settle();
    CHECK(inbox->texts.empty());
    controller.discharge(id, false);
    controller.world.settle();
    CHECK(inbox->texts == Texts{"m"});
}

TEST_CASE("transactions of one connection do not touch each other, and are used on all its sessions", "[4.5-b]") {
    Controller controller;
    controller.attach_control();
    controller.peer.send(peer::begin().on_channel(1));
    controller.peer.expect_begin();
    controller.peer.send(peer::attach(codec::Role::sender, 0, "elsewhere").target("unicast.q").on_channel(1));
    controller.peer.expect_attach();
    controller.peer.send(peer::flow().on_channel(0));
    const auto one = controller.declare();
    const auto two = controller.declare();
    std::uint32_t number = 0;
    for (const auto& id : {one, two}) {
        controller.peer.send(peer::transfer(0)
                                 .on_channel(1)
                                 .delivery_id(number)
                                 .delivery_tag("x")
                                 .state(within(id))
                                 .message(std::string(id.text())));
        ++number;
        CHECK(controller.peer.expect_disposition()->state == within(id, accepted));
    }
    controller.peer.send(peer::flow().on_channel(0));
    controller.discharge(one, true);
    controller.discharge(two, false);
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("unicast.q", inbox);
    CHECK(inbox->texts == Texts{std::string(two.text())});
}

TEST_CASE("the end of the control link rolls back what was declared on it", "[4.1-b]") {
    Controller controller;
    controller.attach_control();
    controller.attach_producer();
    const auto id = controller.declare();
    controller.post("never", id);
    controller.peer.send(peer::detach(Controller::control).closed());
    controller.peer.expect_detach();
    CHECK(controller.waiting() == 0);
    CHECK(rejection(controller.post("late", id)) == "amqp:transaction:unknown-id");
}

TEST_CASE("the end of the connection rolls back its transactions", "[4.1-c]") {
    Controller controller;
    controller.attach_control();
    controller.attach_producer();
    const auto id = controller.declare();
    controller.post("never", id);
    controller.channel.close();
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("unicast.q", inbox);
    CHECK(inbox->texts.empty());
}

TEST_CASE("nothing can be posted in a transaction that is over or was never there", "[4.3-e][4.4.1-g]") {
    Controller controller;
    controller.attach_control();
    controller.attach_producer();
    const auto id = controller.declare();
    controller.discharge(id, false);
    CHECK(rejection(controller.post("x", id)) == "amqp:transaction:unknown-id");
    CHECK(rejection(controller.post("x", codec::Binary("nobody's"))) == "amqp:transaction:unknown-id");
    CHECK(controller.waiting() == 0);
    controller.post_settled("x", id);
    controller.peer.expect_detach("amqp:transaction:unknown-id");
}

TEST_CASE("frames of one message that name different transactions end the link", "[4.4.1-d]") {
    Controller controller;
    controller.attach_control();
    controller.attach_producer();
    const auto one = controller.declare();
    const auto two = controller.declare();
    controller.peer.send(peer::transfer(Controller::producer)
                             .delivery_id(controller.next_id)
                             .delivery_tag("x")
                             .state(within(one))
                             .more()
                             .payload("a"));
    controller.peer.send(peer::transfer(Controller::producer).state(within(two)).payload("b"));
    controller.peer.expect_detach("amqp:not-allowed");
    ++controller.next_id;
    controller.discharge(two, false);
    CHECK(controller.waiting() == 0);
}

TEST_CASE("a discharge behind a part of a message ends the control link", "[4.4.1-e]") {
    for (const bool fail : {false, true}) {
        Controller controller;
        controller.attach_control();
        controller.attach_producer();
        const auto id = controller.declare();
        controller.post("whole", id);
        controller.peer.send(peer::transfer(Controller::producer)
                                 .delivery_id(controller.next_id++)
                                 .delivery_tag("x")
                                 .state(within(id))
                                 .more()
                                 .payload("a"));
        controller.ask_discharge(id, fail);
        controller.peer.expect_detach("amqp:transaction:rollback");
        CHECK(controller.waiting() == 0);
    }
}

TEST_CASE("posts count for the bounds of their node while their transaction lives") {
    BrokerOptions options;
    options.node_messages_max = 2;
    Controller controller(options);
    controller.attach_control();
    controller.attach_producer();
    const auto id = controller.declare();
    for (int i = 0; i < 2; ++i) CHECK(controller.post("x", id) == within(id, accepted));
    const auto other = controller.world.sender("unicast.q");
    CHECK(other.credit() == 0);
    controller.discharge(id, true);
    controller.world.settle();
    CHECK(other.credit() > 0);
    const auto again = controller.declare();
    CHECK(controller.post("x", again) == within(again, accepted));
    controller.discharge(again, false);
    CHECK(controller.waiting() == 1);
}

TEST_CASE("a post to a full node is released, and one that was settled forbids the commit",
          "[4.3-c][4.4.1-f][4.4.4-a]") {
    BrokerOptions options;
    options.node_messages_max = 1;
    Controller controller(options);
    controller.attach_control();
    controller.attach_producer();
    const auto one = controller.world.sender("unicast.q"), two = controller.world.sender("unicast.q");
    controller.world.send_all(one, {"1"});
    controller.world.send_all(two, {"2"});  // credit given before: twice the bound is taken
    const auto id = controller.declare();
    SECTION("unsettled") {
        CHECK(controller.post("3", id) == within(id, codec::Released{}));
        controller.discharge(id, false);
    }
    SECTION("settled") {
        controller.post_settled("3", id);
        CHECK(rejection(controller.outcome(controller.ask_discharge(id, false))) == "amqp:transaction:rollback");
        CHECK(rejection(controller.outcome(controller.ask_discharge(id, true))) == "amqp:transaction:unknown-id");
    }
    CHECK(controller.waiting() == 2);
}

TEST_CASE("a settled post to nowhere forbids the commit", "[4.4.4-a]") {
    Controller controller;
    controller.attach_control();
    controller.peer.send(peer::attach(codec::Role::sender, Controller::producer, "relay"));
    controller.peer.expect_attach();
    Message nowhere("m");
    nowhere.ensure_properties().to = "nowhere";
    for (const Message& message : {Message("no address"), nowhere}) {
        const auto id = controller.declare();
        controller.post_settled(message, id);
        CHECK(rejection(controller.outcome(controller.ask_discharge(id, false))) == "amqp:transaction:rollback");
    }
}

TEST_CASE("a settled post that is no message forbids the commit", "[4.3-c][4.4.4-a]") {
    Controller controller;
    controller.attach_control();
    controller.attach_producer();
    const auto id = controller.declare();
    controller.post_settled("good", id);
    controller.peer.send(peer::transfer(Controller::producer)
                             .delivery_id(controller.next_id++)
                             .delivery_tag("x")
                             .settled()
                             .state(within(id))
                             .payload("no message"));
    CHECK(rejection(controller.outcome(controller.ask_discharge(id, false))) == "amqp:transaction:rollback");
    CHECK(controller.waiting() == 0);
}

// --- retirement ------------------------------------------------------------------------------------------------------

TEST_CASE("an outcome given in a transaction takes effect with the commit", "[4.4.2-a][4.4.2-b]") {
    for (const codec::Outcome& outcome :
         {accepted, codec::Outcome(codec::Rejected{}), codec::Outcome(codec::Released{}),
          codec::Outcome(codec::Modified{.delivery_failed = true})}) {
        const bool retires =
            std::holds_alternative<codec::Accepted>(outcome) || std::holds_alternative<codec::Rejected>(outcome);
        for (const bool settled : {false, true}) {
            Controller controller;
            controller.world.send_all(controller.world.sender("unicast.q"), {"m"});
            controller.attach_control();
            controller.attach_consumer(1);
            const auto transfer = controller.peer.expect_transfer();
            const auto id = controller.declare();
            controller.answer(*transfer->delivery_id, id, outcome, settled);
            controller.world.settle();
            CHECK(controller.waiting() == 1);
            controller.discharge(id, false);
            controller.world.settle();
            CHECK(controller.waiting() == (retires ? 0 : 1));
            if (retires) continue;
            auto inbox = std::make_shared<Inbox>();
            const auto rx = controller.world.receiver("unicast.q", inbox);
            REQUIRE(inbox->texts == Texts{"m"});
            const bool failed = std::holds_alternative<codec::Modified>(outcome);
            CHECK(header_of(inbox->octets[0]).delivery_count == (failed ? 1 : 0));
        }
    }
}

TEST_CASE("after a rollback a delivery that is not settled is live and may be answered again",
          "[4.4.2-a][4.4.2-d][4.4.4-d]") {
    Controller controller;
    controller.world.send_all(controller.world.sender("unicast.q"), {"m"});
    controller.attach_control();
    controller.attach_consumer();
    const auto delivery = *controller.peer.expect_transfer()->delivery_id;
    auto id = controller.declare();
    controller.answer(delivery, id, accepted);
    controller.discharge(id, true);
    controller.world.settle();
    CHECK(controller.waiting() == 1);
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("unicast.q", inbox);
    CHECK(inbox->texts.empty());  // still the controller's

    SECTION("in another transaction") {
        id = controller.declare();
        controller.answer(delivery, id, accepted);
        controller.discharge(id, false);
    }
    SECTION("outside of any") {
        controller.peer.send(peer::disposition(codec::Role::receiver, delivery).settled().accepted());
    }
    controller.world.settle();
    CHECK(controller.waiting() == 0);
    CHECK(inbox->texts.empty());
}

TEST_CASE("after a rollback a settled delivery has the default outcome of its source", "[4.4.4-c]") {
    for (const bool has_default : {false, true}) {
        Controller controller;
        controller.world.send_all(controller.world.sender("unicast.q"), {"m"});
        controller.attach_control();
        auto frame = peer::attach(codec::Role::receiver, Controller::consumer, "consumer").source("unicast.q");
        if (has_default) frame.performative.source->default_outcome = codec::Modified{.delivery_failed = true};
        controller.peer.send(frame);
        controller.peer.expect_attach();
        controller.peer.send(peer::flow().handle(Controller::consumer).delivery_count(0).link_credit(1));
        const auto delivery = *controller.peer.expect_transfer()->delivery_id;
        const auto id = controller.declare();
        controller.answer(delivery, id, accepted, true);
        controller.discharge(id, true);
        auto inbox = std::make_shared<Inbox>();
        const auto rx = controller.world.receiver("unicast.q", inbox);
        REQUIRE(inbox->texts == Texts{"m"});
        CHECK(header_of(inbox->octets[0]).delivery_count == (has_default ? 1 : 0));
    }
}

TEST_CASE("an outcome holds though its link is closed before the commit", "[4.4.2-a]") {
    for (const bool fail : {false, true}) {
        Controller controller;
        controller.world.send_all(controller.world.sender("unicast.q"), {"m"});
        controller.attach_control();
        controller.attach_consumer();
        const auto delivery = *controller.peer.expect_transfer()->delivery_id;
        const auto id = controller.declare();
        controller.answer(delivery, id, accepted);
        controller.peer.send(peer::detach(Controller::consumer).closed());
        controller.peer.expect_detach();
        CHECK(controller.waiting() == 1);
        controller.discharge(id, fail);
        controller.world.settle();
        auto inbox = std::make_shared<Inbox>();
        const auto rx = controller.world.receiver("unicast.q", inbox);
        CHECK(inbox->texts == (fail ? Texts{"m"} : Texts{}));
    }
}

TEST_CASE("an outcome in another transaction than its delivery ends the control link", "[4.4.2-c][4.4.4-e]") {
    Controller controller;
    controller.world.send_all(controller.world.sender("unicast.q"), {"m"});
    controller.attach_control();
    controller.attach_consumer();
    const auto delivery = *controller.peer.expect_transfer()->delivery_id;
    const auto one = controller.declare();
    const auto two = controller.declare();
    controller.answer(delivery, one, accepted);
    controller.answer(delivery, two, accepted);
    controller.peer.expect_detach("amqp:transaction:rollback");
    CHECK(controller.waiting() == 1);
}

TEST_CASE("an outcome in a transaction that is not there ends the link", "[4.3-e]") {
    Controller controller;
    controller.world.send_all(controller.world.sender("unicast.q"), {"m"});
    controller.attach_consumer();
    const auto delivery = *controller.peer.expect_transfer()->delivery_id;
    controller.answer(delivery, codec::Binary("nobody's"), accepted);
    controller.peer.expect_detach("amqp:transaction:unknown-id");
    CHECK(controller.waiting() == 1);
}

// --- acquisition -----------------------------------------------------------------------------------------------------

namespace {

struct Acquisition : Controller {
    explicit Acquisition(std::initializer_list<const char*> texts, std::uint32_t credit = 1) {
        world.send_all(world.sender("unicast.q"), texts);
        attach_control();
        attach_consumer(0);
        id = declare();
        acquire(credit);
    }
    void acquire(std::uint32_t credit) {
        auto frame = peer::flow().handle(consumer).delivery_count(0).link_credit(credit);
        frame.performative.properties = {{codec::Symbol("txn-id"), codec::Value(id)}};
        peer.send(frame);
    }
    Texts elsewhere() {
        auto inbox = std::make_shared<Inbox>();
        const auto rx = world.receiver("unicast.q", inbox);
        return inbox->texts;
    }
    codec::Binary id;
};

}  // namespace

TEST_CASE("messages acquired in a transaction name it, and go back with it whatever they were answered",
          "[4.4-a][4.4.3-a][4.4.3-b]") {
    Acquisition controller({"1", "2", "3"}, 3);
    std::uint32_t number = 0;
    for (int i = 0; i < 3; ++i) {
        const auto transfer = controller.peer.expect_transfer();
        CHECK(transfer->state == within(controller.id));
        number = *transfer->delivery_id;
    }
    controller.answer(number, controller.id, accepted);
    controller.answer(number - 1, controller.id, accepted, true);
    const bool fail = GENERATE(false, true);
    controller.discharge(controller.id, fail);
    controller.world.settle();
    CHECK(controller.elsewhere() == (fail ? Texts{"1", "2", "3"} : Texts{}));
    CHECK(controller.waiting() == (fail ? 0 : 1));  // the one that was not answered is still acquired
}

TEST_CASE("a discharge ends the acquisition and leaves the credit", "[4.4.3-c]") {
    Acquisition controller({"1"}, 5);
    const auto transfer = controller.peer.expect_transfer();
    controller.answer(*transfer->delivery_id, controller.id, accepted);
    controller.discharge(controller.id, false);
    controller.peer.expect_disposition().with(&codec::Disposition::role, codec::Role::sender);
    controller.world.send_all(controller.world.sender("unicast.q"), {"2"});
    const auto next = controller.peer.expect_transfer();
    CHECK_FALSE(next->state);
}

TEST_CASE("settled messages are acquired in a transaction too", "[4.4.3-a]") {
    Controller controller;
    controller.world.send_all(controller.world.sender("unicast.q"), {"m"});
    controller.attach_control();
    auto frame = peer::attach(codec::Role::receiver, Controller::consumer, "consumer").source("unicast.q");
    controller.peer.send(frame.snd_settle_mode(codec::SenderSettleMode::settled));
    controller.peer.expect_attach();
    const auto id = controller.declare();
    auto flow = peer::flow().handle(Controller::consumer).delivery_count(0).link_credit(1);
    flow.performative.properties = {{codec::Symbol("txn-id"), codec::Value(id)}};
    controller.peer.send(flow);
    CHECK(controller.peer.expect_transfer()->state == within(id));
    const bool fail = GENERATE(false, true);
    controller.discharge(id, fail);
    controller.world.settle();
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("unicast.q", inbox);
    CHECK(inbox->texts == (fail ? Texts{"m"} : Texts{}));
}

TEST_CASE("an acquired message is answered in its own transaction only", "[4.4.4-e]") {
    Acquisition controller({"m"});
    const auto delivery = *controller.peer.expect_transfer()->delivery_id;
    SECTION("not outside") {
        controller.peer.send(peer::disposition(codec::Role::receiver, delivery).settled().accepted());
    }
    SECTION("not in another") {
        controller.answer(delivery, controller.declare(), accepted);
        controller.peer.expect_disposition().with(&codec::Disposition::state, codec::DeliveryState(codec::Released{}));
    }
    controller.peer.expect_detach("amqp:transaction:rollback");
    CHECK(controller.elsewhere() == Texts{"m"});
}

TEST_CASE("a message that was acquired and not sent to its end goes back, and its delivery is aborted", "[4.4.3-e]") {
    Controller controller;
    controller.world.send(controller.world.sender("unicast.q"), Message(std::string(300'000, 'x')));
    controller.attach_control();
    controller.peer.send(peer::flow().incoming_window(2));
    controller.attach_consumer(0);
    const auto id = controller.declare();
    auto flow = peer::flow().incoming_window(2).handle(Controller::consumer).delivery_count(0).link_credit(1);
    flow.performative.properties = {{codec::Symbol("txn-id"), codec::Value(id)}};
    controller.peer.send(flow);
    CHECK(controller.peer.expect_transfer()->more);
    CHECK(controller.peer.expect_transfer()->state == within(id));
    controller.discharge(id, true);
    controller.peer.send(peer::flow().next_incoming_id(2));
    CHECK(controller.peer.expect_transfer()->aborted);
    controller.world.settle();
    auto inbox = std::make_shared<Inbox>();
    const auto rx = controller.world.receiver("unicast.q", inbox);
    CHECK(inbox->texts.size() == 1);
}

TEST_CASE("to acquire in a transaction that is not there ends the link", "[4.4.3-b]") {
    Acquisition controller({"m"}, 0);
    controller.discharge(controller.id, true);
    controller.acquire(1);
    controller.peer.expect_detach("amqp:transaction:unknown-id");
    CHECK(controller.elsewhere() == Texts{"m"});
}
