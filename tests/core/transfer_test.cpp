#include "core/endpoint.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace aprotic;
using namespace aprotic::test;

namespace {

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
    return text;
}

}  // namespace

TEST_CASE("a message is one transfer that says all a first frame must", "[2.7.5-a][2.7.5-f][2.6.12-a][3.2.16-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 10);
    scene.machine->send(link, octets("hello")).value();
    scene.machine->send(link, octets("again"), {.tag = codec::DeliveryTag("mine"), .message_format = 5}).value();
    auto first = scene.peer.expect_transfer();
    first.with_payload("hello");
    CHECK(first->delivery_id == 0U);
    CHECK(first->delivery_tag);
    CHECK(first->message_format == 0U);
    CHECK(first->settled == false);
    CHECK_FALSE(first->more);
    auto second = scene.peer.expect_transfer();
    CHECK(second->delivery_id == 1U);
    CHECK(second->delivery_tag == codec::DeliveryTag("mine"));
    CHECK(second->message_format == 5U);
}

TEST_CASE("nothing is sent without credit, and exactly as much as there is", "[2.6.7-a][2.6.7-r]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    for (int i = 0; i < 10; ++i) scene.machine->send(link, octets("m")).value();
    scene.peer.expect_nothing();
    scene.grant(0, 3);
    for (int i = 0; i < 3; ++i) scene.peer.expect_transfer();
    scene.peer.expect_nothing();
    CHECK(scene.machine->status(link)->queued == 7);
    CHECK(scene.machine->status(link)->unsettled == 3);
    CHECK(scene.machine->status(link)->credit == 0);
    scene.grant(0, 4, 1);  // had seen one of the three: two more
    for (int i = 0; i < 2; ++i) scene.peer.expect_transfer();
    scene.peer.expect_nothing();
}

TEST_CASE("credit may come pipelined behind the peer's attach, without a count", "[2.6.7-c]") {
    Scene scene;
    const LinkId link = scene.machine->attach(scene.begin(), sending()).value();
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_attach();
    scene.peer.send_together(peer::attach(codec::Role::receiver, 0, "link"), peer::flow().handle(0).link_credit(5));
    scene.peer.expect_transfer();
}

TEST_CASE("a large message is split at the partner's limit and arrives octet for octet", "[2.6.14-a][2.7.1-h]") {
    const std::uint32_t limit = GENERATE(512u, 513u, 1000u, 4096u);
    const std::size_t size = GENERATE(0u, 1u, 431u, 432u, 433u, 512u, 944u, 20'000u);
    Scene scene(options(), peer::open().max_frame_size(limit));
    scene.peer.frame_size_max = limit;  // larger frames fail the script
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 1);
    const std::string content = pattern(size);
    scene.machine->send(link, octets(content)).value();
    std::string got;
    for (bool more = true; more;) {
        const auto transfer = scene.peer.expect_transfer();
        got += transfer.payload().text();
        more = transfer->more;
        if (more) CHECK(transfer.payload().size() > 0);
        CHECK(transfer->settled == false);  // the same on every frame
    }
    CHECK((got == content));
    scene.peer.expect_nothing();
}

TEST_CASE("links take turns frame by frame, deliveries of one link do not mix", "[2.6.14-b][2.6.14-c]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const SessionId session = scene.begin();
    const LinkId first = scene.sender(session, "a");
    const LinkId second = scene.sender(session, "b");
    scene.machine->send(first, octets(pattern(2000))).value();
    scene.machine->send(first, octets("next")).value();
    scene.machine->send(second, octets(pattern(2000))).value();
    scene.peer.send_together(peer::flow().handle(0).delivery_count(0).link_credit(10),
                             peer::flow().handle(1).delivery_count(0).link_credit(10));
    std::string order;
    std::string content[2];
    for (int i = 0; i < 11; ++i) {
        const auto transfer = scene.peer.expect_transfer();
        order += transfer->handle == 0 ? 'a' : 'b';
        content[transfer->handle] += transfer.payload().text();
    }
    CHECK(order == "abababababa");
    CHECK((content[0] == pattern(2000) + "next"));
    CHECK((content[1] == pattern(2000)));
}

TEST_CASE("a message too large for the peer is refused here", "[2.7.3-m]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.machine->attach(session, sending()).value();
    const DeliveryId queued = scene.machine->send(link, octets(pattern(101))).value();
    scene.machine->send(link, octets(pattern(100))).value();
    scene.peer.expect_attach();
    scene.peer.send_together(peer::attach(codec::Role::receiver, 0, "link").max_message_size(100),
                             peer::flow().handle(0).link_credit(10));
    scene.machine.expect_event<LinkOpened>();
    // What was queued before the limit was known ends as if the peer had rejected it.
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.delivery == queued);
    CHECK(updated.settled);
    CHECK(std::get<codec::Rejected>(*updated.state).error->condition == condition::message_size_exceeded);
    CHECK(scene.machine->send(link, octets(pattern(101))).error() == Errc::message_too_large);
    scene.peer.expect_transfer().with_payload(pattern(100));
    scene.peer.expect_nothing();
}

TEST_CASE("a message can be taken back while nothing of it is on the wire", "[core]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(1)));
    const DeliveryId first = scene.machine->send(link, octets(pattern(1000))).value();
    const DeliveryId second = scene.machine->send(link, octets("second")).value();
    const DeliveryId third = scene.machine->send(link, octets("third")).value();
    scene.peer.send(peer::flow().incoming_window(1).handle(0).delivery_count(0).link_credit(10));
    scene.peer.expect_transfer();
    CHECK_FALSE(scene.machine->retract(first));  // half of it is out
    CHECK(scene.machine->retract(second));
    CHECK_FALSE(scene.machine->retract(second));
    scene.peer.send(peer::flow().next_incoming_id(1).incoming_window(100));
    scene.peer.expect_transfer();
    scene.peer.expect_transfer();
    scene.peer.expect_transfer().with_payload("third").with(&codec::Transfer::delivery_id,
                                                            std::optional<std::uint32_t>(1));
    CHECK_FALSE(scene.machine->retract(third));
}

TEST_CASE("a drain gives back what is not needed", "[2.6.7-h][2.6.7-i]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    for (int i = 0; i < 3; ++i) scene.machine->send(link, octets("m")).value();
    scene.peer.send(peer::flow().handle(0).delivery_count(0).link_credit(10).drain());
    for (int i = 0; i < 3; ++i) scene.peer.expect_transfer();
    auto flow = scene.peer.expect_flow();
    CHECK(flow->handle == 0U);
    CHECK(flow->delivery_count == 10U);
    CHECK(flow->link_credit == 0U);
    CHECK(flow->available == 0U);
    CHECK(flow->drain);
    scene.peer.expect_nothing();
    // New credit while draining is drained too. [2.6.7-j]
    scene.peer.send(peer::flow().handle(0).delivery_count(10).link_credit(5).drain());
    scene.peer.expect_flow().with(&codec::Flow::delivery_count, std::optional<std::uint32_t>(15));
    // Without drain it stays. [2.6.7-l]
    scene.peer.send(peer::flow().handle(0).delivery_count(15).link_credit(1));
    scene.peer.expect_nothing();
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
}

TEST_CASE("a drain without credit is answered", "[2.6.7-k]") {
    Scene scene;
    scene.sender(scene.begin());
    scene.peer.send(peer::flow().handle(0).delivery_count(0).link_credit(0).drain());
    scene.peer.expect_flow().with(&codec::Flow::link_credit, std::optional<std::uint32_t>(0));
    scene.peer.expect_nothing();
}

TEST_CASE("the application may send before a drain takes the credit back", "[2.6.7-i]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    // The flow is fed without polling events, as when output happens first.
    const auto frame = peer::flow().handle(0).delivery_count(0).link_credit(2).drain().encode(0);
    const auto room = scene.machine->prepare_read();
    std::copy_n(frame.data(), frame.size(), room.begin());
    scene.machine->commit_read(frame.size(), scene.machine.now());
    std::array<codec::ConstBuffer, 4> buffers;
    CHECK(scene.machine->prepare_write(buffers, scene.machine.now()) == 0);
    CHECK(scene.machine.expect_event<LinkFlowed>().link == link);
    CHECK(scene.machine->status(link)->draining);
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
    scene.peer.expect_flow().with(&codec::Flow::delivery_count, std::optional<std::uint32_t>(2));
}

TEST_CASE("a link's flow request is answered with the state of both", "[2.6.7-p][2.6.7-q][2.7.4-f][2.6.7-d]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.sender(session, "out");
    scene.receiver(session, 5, "in");
    scene.grant(0, 3);
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
    scene.machine->set_available(link, 9).value();
    scene.peer.send(peer::flow().next_incoming_id(1).handle(0).delivery_count(1).link_credit(2).echo());
    auto sent = scene.peer.expect_flow();
    CHECK(sent->handle == 0U);
    CHECK(sent->delivery_count == 1U);
    CHECK(sent->link_credit == 2U);
    CHECK(sent->available == 9U);
    CHECK_FALSE(sent->echo);
    scene.peer.send(peer::flow().handle(1).delivery_count(0).available(3).echo());
    auto received = scene.peer.expect_flow();
    CHECK(received->handle == 1U);
    CHECK(received->delivery_count == 0U);
    CHECK(received->link_credit == 5U);
    scene.peer.expect_nothing();
}

TEST_CASE("a flow for a link opens the session's window too", "[2.7.4-g]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(0)));
    scene.machine->send(link, octets("m")).value();
    scene.peer.send(peer::flow().incoming_window(1).handle(0).delivery_count(0).link_credit(1));
    scene.peer.expect_transfer();
}

TEST_CASE("credit that is taken back stops the sender", "[2.6.7-f][2.6.10-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 100);
    scene.grant(0, 0);
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_nothing();
    CHECK(scene.machine->status(link)->credit == 0);
}

TEST_CASE("what the receiver gives is credit from now on", "[2.6.7-o][2.7.4-f]") {
    Scene scene;
    const LinkId link = scene.machine->attach(scene.begin(), receiving()).value();
    scene.machine->set_credit(link, 5).value();
    scene.peer.expect_attach();
    CHECK_FALSE(
        scene.peer.expect_flow().with(&codec::Flow::link_credit, std::optional<std::uint32_t>(5))->delivery_count);
    scene.peer.send(peer::attach(codec::Role::sender, 0, "link").initial_delivery_count(0xffff'ffff));
    scene.machine.expect_event<LinkOpened>();
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").settled().payload("m"));
    CHECK(scene.machine->status(link)->credit == 4);
    scene.machine->set_credit(link, 7).value();
    scene.peer.expect_flow()
        .with(&codec::Flow::delivery_count, std::optional<std::uint32_t>(0))  // wrapped [2.6.7-e]
        .with(&codec::Flow::link_credit, std::optional<std::uint32_t>(7));
    CHECK_FALSE(scene.machine->send(link, octets("x")));
    CHECK_FALSE(scene.machine->set_available(link, 1));
}

TEST_CASE("our drain ends when the sender has given the credit back", "[2.6.7-h][2.6.8-a]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 10);
    scene.machine->drain(link).value();
    scene.peer.expect_flow().with(&codec::Flow::drain, true);
    CHECK(scene.machine->status(link)->draining);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").settled().payload("last"));
    scene.receive();
    scene.machine.expect_no_event();
    scene.peer.send(peer::flow().next_outgoing_id(1).handle(0).delivery_count(10).link_credit(0).drain());
    CHECK(scene.machine.expect_event<LinkFlowed>().link == link);
    CHECK_FALSE(scene.machine->status(link)->draining);
    CHECK(scene.machine->status(link)->credit == 0);
    scene.machine->drain(link).value();  // nothing to take back
    scene.machine.expect_event<LinkFlowed>();
    scene.peer.expect_nothing();
}

TEST_CASE("a drain that is used up by messages ends with the last", "[2.6.7-i]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 1);
    scene.machine->drain(link).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").settled().payload("last"));
    scene.receive();
    CHECK(scene.machine.expect_event<LinkFlowed>().link == link);
}

TEST_CASE("a message is put together from frames of any size", "[2.6.14-e][2.7.5-c][3.2.16-b]") {
    Scene scene;
    scene.receiver(scene.begin(), 10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(7).more().payload("a"));
    scene.peer.send(peer::transfer(0).more());
    scene.peer.send(peer::transfer(0).delivery_id(0).more().payload("b"));
    scene.peer.send(peer::transfer(0).delivery_tag("t").message_format(7).more().payload("cd"));
    scene.machine.expect_no_event();
    scene.peer.send(peer::transfer(0).payload("e"));
    const auto received = scene.machine.expect_event<DeliveryReceived>();
    const auto delivery = scene.machine->take(received.delivery).value();
    CHECK(octets_of(delivery) == "abcde");
    CHECK(delivery.message_format == 7);
    CHECK(delivery.tag == codec::DeliveryTag("t"));
    CHECK_FALSE(delivery.settled);
    CHECK_FALSE(scene.machine->take(received.delivery));  // once
}

TEST_CASE("a delivery without a message format has format 0", "[2.7.5-f]") {
    Scene scene;
    scene.receiver(scene.begin(), 10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("").settled().payload("a"));
    const auto delivery = scene.receive();
    CHECK(delivery.message_format == 0);
    CHECK(delivery.tag.empty());  // [2.7.5-g]
}

TEST_CASE("settled on any frame settles the delivery", "[2.7.5-h]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("a"));
    scene.peer.send(peer::transfer(0).settled().payload("b"));
    CHECK(scene.receive().settled);
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("deliveries of different links may come interleaved", "[2.6.14-b]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId first = scene.receiver(session, 10, "a");
    const LinkId second = scene.receiver(session, 10, "b");
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("1"));
    scene.peer.send(peer::transfer(1).delivery_id(1).delivery_tag("t").more().payload("x"));
    scene.peer.send(peer::transfer(0).more().payload("2"));
    scene.peer.send(peer::transfer(1).payload("y"));
    scene.peer.send(peer::transfer(0).payload("3"));
    auto received = scene.machine.expect_event<DeliveryReceived>();
    CHECK(received.link == second);
    CHECK(octets_of(scene.machine->take(received.delivery).value()) == "xy");
    received = scene.machine.expect_event<DeliveryReceived>();
    CHECK(received.link == first);
    CHECK(octets_of(scene.machine->take(received.delivery).value()) == "123");
}

TEST_CASE("an aborted delivery leaves nothing behind", "[2.6.14-f][2.7.5-k][2.7.5-t]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 10);
    for (std::uint32_t id = 0; id < 3; ++id) {
        scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag("t").more().payload("half"));
        scene.peer.send(peer::transfer(0).aborted().more(id == 1).payload("ignored"));
        // The application never hears of it, so the credit it used is given again.
        scene.peer.expect_flow().with(&codec::Flow::delivery_count, id + 1).with(&codec::Flow::link_credit, 10U);
    }
    scene.machine.expect_no_event();
    CHECK(scene.machine->status(link)->credit == 10);
    CHECK(scene.machine->status(link)->unsettled == 0);
    scene.peer.expect_nothing();
    scene.peer.send(peer::transfer(0).delivery_id(3).delivery_tag("t").payload("whole"));
    CHECK(octets_of(scene.receive()) == "whole");
}

TEST_CASE("a drain takes the credit of an aborted delivery back", "[2.6.7-h][2.7.5-t]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 1);
    scene.machine->drain(link).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("half"));
    scene.machine.expect_no_event();
    scene.peer.send(peer::transfer(0).aborted());
    scene.machine.expect_event<LinkFlowed>();
    CHECK(scene.machine->status(link)->credit == 0);
    CHECK_FALSE(scene.machine->status(link)->draining);
    scene.peer.expect_nothing();
}

TEST_CASE("an unfinished delivery dies with its link or session", "[2.6.14-g]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.receiver(session, 10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("half"));
    SECTION("detach") {
        scene.peer.send(peer::detach(0).closed());
        scene.machine.expect_event<LinkDetaching>();
        scene.machine->detach(link).value();
        scene.peer.expect_detach();
    }
    SECTION("end") {
        scene.peer.send(peer::end());
        scene.peer.expect_end();
    }
    SECTION("close") {
        scene.peer.send(peer::close());
        scene.machine.expect_event<ConnectionClosedByPeer>();
        scene.peer.expect_close();
    }
    scene.machine.expect_event<LinkDetached>();
}

TEST_CASE("a message that came before the end of its link can still be taken", "[2.6.14-g]") {
    Scene scene;
    scene.receiver(scene.begin(), 10);
    // All in one write, before any event is polled.
    std::string stream;
    stream += peer::transfer(0).delivery_id(0).delivery_tag("t").payload("in time").encode(0).text();
    stream += peer::end().encode(0).text();
    const auto room = scene.machine->prepare_read();
    std::copy_n(codec::as_bytes(stream).begin(), stream.size(), room.begin());
    scene.machine->commit_read(stream.size(), scene.machine.now());
    const auto received = std::get<DeliveryReceived>(scene.machine->poll_event().value());
    CHECK(octets_of(scene.machine->take(received.delivery).value()) == "in time");
    CHECK_FALSE(scene.machine->settle(received.delivery, codec::Accepted{}));
    scene.machine.expect_event<LinkDetached>();
}

TEST_CASE("a resumed delivery that we do not know passes by", "[2.6.13-b][2.7.5-s]") {
    Scene scene;
    scene.receiver(scene.begin(), 10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("old").resume().more().payload("a"));
    // Its credit is given again: the application does not hear of it.
    scene.peer.expect_flow().with(&codec::Flow::delivery_count, 1U).with(&codec::Flow::link_credit, 10U);
    scene.peer.send(peer::transfer(0).more().payload("b"));
    scene.peer.send(peer::transfer(0).payload("c"));
    scene.machine.expect_no_event();
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("new").payload("d"));
    CHECK(octets_of(scene.receive()) == "d");
}

TEST_CASE("a state on a transfer comes with the delivery", "[2.7.5-q]") {
    Scene scene;
    scene.receiver(scene.begin(), 10);
    const codec::TransactionalState state{codec::Binary("txn"), {}};
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").state(state).payload("m"));
    CHECK(scene.receive().state == codec::DeliveryState(state));
}

TEST_CASE("a drain waits for the messages that a closed window holds back", "[2.6.7-i]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(1)));
    scene.machine->send(link, octets("first")).value();
    scene.machine->send(link, octets("second")).value();
    scene.peer.send(peer::flow().incoming_window(1).handle(0).delivery_count(0).link_credit(5).drain());
    scene.machine.expect_event<LinkFlowed>();
    scene.peer.expect_transfer();
    scene.peer.expect_nothing();
    scene.peer.send(peer::flow().next_incoming_id(1).incoming_window(1));
    scene.peer.expect_transfer();
    scene.peer.expect_flow()
        .with(&codec::Flow::delivery_count, std::optional(5U))
        .with(&codec::Flow::link_credit, std::optional(0U));
    scene.peer.expect_nothing();
}
