#include "broker/world.hpp"

using namespace aprotic;
using namespace aprotic::engine;

namespace {

ReceiverOptions with_credit(std::uint32_t credit) {
    ReceiverOptions options;
    options.credit = credit;
    return options;
}

Message with_ttl(const char* text, std::uint32_t ttl) {
    Message message(text);
    message.ensure_header().ttl = ttl;
    return message;
}

}  // namespace

TEST_CASE("a queue accepts and keeps a message that nobody waits for") {
    World world;
    world.send_all(world.sender("unicast.t"), {"one", "two"});
    REQUIRE(world.node("unicast.t")->messages == 2);
    auto inbox = std::make_shared<Inbox>();
    const auto receiver = world.receiver("unicast.t", inbox);
    REQUIRE(inbox->texts == Texts{"one", "two"});
    REQUIRE(inbox->settled == std::vector<bool>{false, false});
    world.settle();
    REQUIRE(world.node("unicast.t")->messages == 0);
}

TEST_CASE("a drain takes what is there before it gives credit back", "[2.6.7-i]") {
    World world;
    world.send_all(world.sender("unicast.t"), {"1", "2", "3"});
    auto inbox = std::make_shared<Inbox>();
    const auto receiver = world.receiver("unicast.t", inbox, with_credit(0));
    receiver.add_credit(10);
    receiver.drain();
    world.settle();
    REQUIRE(inbox->texts == Texts{"1", "2", "3"});
    REQUIRE(receiver.credit() == 0);
}

TEST_CASE("a node made by a pattern goes when it has neither links nor messages") {
    World world;
    auto tx = world.sender("unicast.t");
    REQUIRE(world.node("unicast.t")->producers == 1);
    world.send_all(tx, {"kept"});
    tx.close();
    world.settle();
    REQUIRE(world.node("unicast.t")->producers == 0);
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("unicast.t", inbox);
    REQUIRE(world.node("unicast.t")->consumers == 1);
    rx.close();
    world.settle();
    REQUIRE_FALSE(world.node("unicast.t"));
}

TEST_CASE("consumers of a queue are served in turn as far as their credit goes") {
    World world;
    auto left = std::make_shared<Inbox>(), right = std::make_shared<Inbox>(), narrow = std::make_shared<Inbox>();
    narrow->accepts = false;
    const auto a = world.receiver("unicast.t", left), b = world.receiver("unicast.t", right),
               c = world.receiver("unicast.t", narrow, with_credit(1));
    world.send_all(world.sender("unicast.t"), {"1", "2", "3", "4", "5", "6", "7"});
    world.settle();
    REQUIRE(left->texts == Texts{"1", "4", "6"});
    REQUIRE(right->texts == Texts{"2", "5", "7"});
    REQUIRE(narrow->texts == Texts{"3"});
}

TEST_CASE("a released message is available again at its place and not counted as failed", "[3.4.4-a]") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    inbox->accepts = false;
    auto rx = world.receiver("unicast.t", inbox, with_credit(2));
    world.send_all(world.sender("unicast.t"), {"1", "2", "3"});
    world.settle();
    REQUIRE(inbox->texts == Texts{"1", "2"});
    inbox->kept[1].release();
    inbox->kept[0].release();
    inbox->accepts = true;
    world.settle();
    REQUIRE(inbox->texts == Texts{"1", "2", "1", "2", "3"});
    REQUIRE(header_of(inbox->octets.back()).delivery_count == 0);
}

TEST_CASE("a modified message counts its failures and stays away from the link that cannot take it",
          "[3.4.5-a][3.4.5-c]") {
    World world;
    auto first = std::make_shared<Inbox>();
    first->accepts = false;
    auto rx = world.receiver("unicast.t", first);
    auto tx = world.sender("unicast.t");
    world.send_all(tx, {"x"});
    world.settle();
    first->kept.at(0).modify(true, false);
    world.settle();
    REQUIRE(first->texts == Texts{"x", "x"});
    REQUIRE(header_of(first->octets[1]).delivery_count == 1);
    first->kept.at(1).modify(false, true);
    world.settle();
    REQUIRE(first->texts.size() == 2);
    auto second = std::make_shared<Inbox>();
    auto other = world.receiver("unicast.t", second);
    REQUIRE(second->texts == Texts{"x"});
    REQUIRE(header_of(second->octets[0]).delivery_count == 1);
}

TEST_CASE("a rejected message is gone", "[3.4.3-a]") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    inbox->accepts = false;
    auto rx = world.receiver("unicast.t", inbox);
    world.send_all(world.sender("unicast.t"), {"bad"});
    world.settle();
    inbox->kept.at(0).reject(ErrorCondition{codec::Symbol("x:bad"), "no good", {}});
    world.settle();
    REQUIRE(world.node("unicast.t")->messages == 0);
}

TEST_CASE("what a lost consumer held goes to the next in order") {
    World world;
    auto dead = std::make_shared<Inbox>();
    dead->accepts = false;
    auto doomed = world.connect();
    auto rx = world.receiver(doomed, "unicast.t", dead);
    world.send_all(world.sender("unicast.t"), {"1", "2", "3"});
    world.settle();
    REQUIRE(dead->texts.size() == 3);
    auto heir = std::make_shared<Inbox>();
    auto next = world.receiver("unicast.t", heir);
    SECTION("its link is closed") { rx.close(); }
    SECTION("its connection is closed") { doomed.close(); }
    world.settle();
    REQUIRE(heir->texts == Texts{"1", "2", "3"});
    REQUIRE(header_of(heir->octets[0]).delivery_count == 0);
}

TEST_CASE("the default outcome of a lost consumer counts", "[3.5.3-j]") {
    World world;
    auto dead = std::make_shared<Inbox>();
    dead->accepts = false;
    codec::Source source;
    source.address = "unicast.t";
    SECTION("modified") { source.default_outcome = codec::Modified{true, std::nullopt, {}}; }
    SECTION("accepted") { source.default_outcome = codec::Accepted{}; }
    ReceiverOptions options;
    options.link.source = source;
    auto rx = world.receiver("unicast.t", dead, options);
    world.send_all(world.sender("unicast.t"), {"1"});
    world.settle();
    rx.close();
    world.settle();
    auto heir = std::make_shared<Inbox>();
    auto next = world.receiver("unicast.t", heir);
    if (std::holds_alternative<codec::Accepted>(*source.default_outcome)) {
        REQUIRE(heir->texts.empty());
    } else {
        REQUIRE(heir->texts == Texts{"1"});
        REQUIRE(header_of(heir->octets[0]).delivery_count == 1);
    }
}

TEST_CASE("an expired message is not delivered and makes room", "[3.2.1-e]") {
    BrokerOptions options;
    options.node_messages_max = 2;
    World world(options);
    auto tx = world.sender("unicast.t");
    REQUIRE(world.send(tx, with_ttl("short", 200)).accepted());
    REQUIRE(world.send(tx, with_ttl("long", 60'000)).accepted());
    REQUIRE(tx.credit() == 0);
    world.reactor.run_for(2s);
    REQUIRE(world.node("unicast.t")->messages == 1);
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("unicast.t", inbox);
    REQUIRE(inbox->texts == Texts{"long"});
    REQUIRE(header_of(inbox->octets[0]).ttl == 58'000u);  // [3.2.1-f]
    REQUIRE(tx.credit() > 0);
}

TEST_CASE("a ttl of zero means no limit", "[3.2.1-g]") {
    World world;
    REQUIRE(world.send(world.sender("unicast.t"), with_ttl("ever", 0)).accepted());
    world.reactor.run_for(1h);
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("unicast.t", inbox);
    REQUIRE(inbox->texts == Texts{"ever"});
}

TEST_CASE("a full queue withholds credit until messages have gone") {
    BrokerOptions options;
    options.node_messages_max = 8;
    World world(options);
    auto tx = world.sender("unicast.t");
    REQUIRE(tx.credit() == 8);
    std::vector<Tracker> trackers;
    for (int i = 0; i < 20; ++i) trackers.push_back(tx.send(Message(std::to_string(i))));
    world.settle();
    REQUIRE(world.node("unicast.t")->messages == 8);
    REQUIRE(tx.pending() == 12);
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("unicast.t", inbox);
    world.settle();
    REQUIRE(inbox->texts.size() == 20);
    for (const auto& tracker : trackers) REQUIRE(tracker.outcome().value().accepted());
}

TEST_CASE("the room of a queue is shared among its senders and none is locked out") {
    BrokerOptions options;
    options.node_messages_max = 10;
    World world(options);
    auto idle = world.sender("unicast.t");
    REQUIRE(idle.credit() == 10);
    auto busy = world.sender("unicast.t");
    REQUIRE(busy.credit() == 1);
    world.send_all(busy, {"1", "2", "3"});
    REQUIRE(busy.credit() == 1);
}

TEST_CASE("what passes a queue through keeps its order when some of it comes back", "[3.4.4-a]") {
    World world;
    struct Fussy final : ReceiverHandler {
        void on_message(Receiver&, Delivery& delivery) override {
            texts.emplace_back(delivery.message().body_text().value_or("?"));
            texts.size() == 2 ? delivery.release() : delivery.accept();
        }
        Texts texts;
    };
    const auto inbox = std::make_shared<Fussy>();
    const auto receiver = world.settle(world.common().open_receiver("unicast.t", with_credit(2), inbox));
    auto tx = world.sender("unicast.t");
    for (const char* text : {"1", "2", "3", "4"}) {
        world.send_all(tx, {text});
        world.settle();
    }
    REQUIRE(inbox->texts == Texts{"1", "2", "2", "3", "4"});
    REQUIRE(world.node("unicast.t")->messages == 0);
    REQUIRE(world.node("unicast.t")->bytes == 0);
}

TEST_CASE("a queue full of bytes withholds credit and releases what exceeds twice its bound") {
    BrokerOptions options;
    options.node_bytes_max = 10'000;
    World world(options);
    auto tx = world.sender("unicast.t");
    std::vector<Tracker> trackers;
    for (int i = 0; i < 30; ++i) trackers.push_back(tx.send(Message(std::string(1000, 'x'))));
    world.settle();
    REQUIRE(world.node("unicast.t")->bytes >= 20'000);
    REQUIRE(world.node("unicast.t")->bytes < 22'000);
    REQUIRE(trackers.front().outcome()->accepted());
    REQUIRE(trackers.back().outcome()->kind == Outcome::Kind::released);
}

TEST_CASE("browsing shows each message once and leaves it for others", "[3.5.2-a][3.5.2-b]") {
    World world;
    codec::Source source;
    source.address = "unicast.t";
    source.distribution_mode = codec::StdDistMode::copy;
    ReceiverOptions options;
    options.link.source = source;
    auto looker = std::make_shared<Inbox>(), taker = std::make_shared<Inbox>();
    auto tx = world.sender("unicast.t");
    world.send_all(tx, {"1", "2"});
    auto browse = world.receiver("unicast.t", looker, options);
    world.send_all(tx, {"3"});
    world.settle();
    REQUIRE(looker->texts == Texts{"1", "2", "3"});
    REQUIRE(browse.remote()->source->distribution_mode == codec::StdDistMode::copy);  // [3.5.3-f]
    auto take = world.receiver("unicast.t", taker);
    REQUIRE(taker->texts == Texts{"1", "2", "3"});
    REQUIRE(take.remote()->source->distribution_mode == codec::StdDistMode::move);
    REQUIRE(looker->texts.size() == 3);
}

TEST_CASE("a consumer that asks for settled deliveries gets them", "[2.8.2]") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    ReceiverOptions options;
    options.link.snd_settle_mode = codec::SenderSettleMode::settled;
    auto rx = world.receiver("unicast.t", inbox, options);
    world.send_all(world.sender("unicast.t"), {"1"});
    world.settle();
    REQUIRE(inbox->settled == std::vector<bool>{true});
    REQUIRE(world.node("unicast.t")->messages == 0);
}

TEST_CASE("octets pass untouched whatever the body is") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("unicast.t", inbox);
    auto tx = world.sender("unicast.t");
    std::vector<Message> messages;
    messages.emplace_back(codec::Map{{"k", codec::List{1u, -5, true, codec::Value()}}});
    messages.push_back(Message::data(std::string(300'000, 'z')));
    messages.push_back(Message::sequence({1, "two", 3.0}));
    messages.emplace_back(codec::Value());
    messages.emplace_back("text");
    messages.back().application_properties["a"] = "b";
    messages.back().message_annotations.set(codec::Symbol("x-opt-a"), 1);
    messages.back().delivery_annotations.set(codec::Symbol("x-opt-b"), 2);
    messages.back().ensure_header().priority = 9;
    for (const auto& message : messages) REQUIRE(world.send(tx, message).accepted());
    REQUIRE(world.reactor.run_until([&] { return inbox->octets.size() == messages.size(); }, 5s));
    for (std::size_t i = 0; i < messages.size(); ++i) REQUIRE(inbox->octets[i] == codec::encode(messages[i]).octets());
}

TEST_CASE("what is no message is rejected with the rule it breaks") {
    World world;
    auto tx = world.sender("unicast.t");
    const Tracker tracker = tx.send(codec::EncodedMessage(codec::Bytes::from_static("\x01garbage")));
    world.settle();
    const auto outcome = tracker.outcome().value();
    REQUIRE(outcome.kind == Outcome::Kind::rejected);
    REQUIRE(outcome.condition->condition == codec::condition::decode_error);
}

TEST_CASE("durable messages are rejected when they may not be taken", "[3.2.1-b]") {
    BrokerOptions options;
    options.accept_durable = false;
    World world(options);
    Message durable("d");
    durable.ensure_header().durable = true;
    auto tx = world.sender("unicast.t");
    const auto outcome = world.send(tx, durable);
    REQUIRE(outcome.kind == Outcome::Kind::rejected);
    REQUIRE(outcome.condition->condition == codec::condition::precondition_failed);
    world.send_all(tx, {"not durable"});
}
