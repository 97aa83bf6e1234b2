// Deliveries in parts, both ways. [2.6.14]
#include "core/endpoint.hpp"
#include "core/pair.hpp"

#include "support/alloc_counter.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace aprotic;
using namespace aprotic::test;

namespace {

codec::ByteChain part(std::string text) { return codec::ByteChain(codec::Bytes::from_string(std::move(text))); }

LinkOptions streaming(std::size_t window = 1 << 20, std::string name = "link") {
    LinkOptions made = receiving(std::move(name));
    made.stream_window = window;
    return made;
}

LinkId stream_receiver(Scene& scene, SessionId session, std::size_t window = 1 << 20) {
    const LinkId link = scene.attach(session, streaming(window));
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    return link;
}

/// A client's sender and a server's receiver, attached.
struct Links {
    explicit Links(Pair& pair, const LinkOptions& theirs, const LinkOptions& ours = sending()) {
        session = pair.client.begin().value();
        out = pair.client.attach(session, ours).value();
        pair.settle_down();
        in = pair.next<LinkRequested>(pair.server_events)->link;
        pair.server.accept(in, theirs).value();
        pair.server.set_credit(in, 10).value();
        pair.settle_down();
        pair.client_events.clear();
        pair.server_events.clear();
    }
    SessionId session;
    LinkId out;
    LinkId in;
};

}  // namespace

TEST_CASE("a message goes out in parts as they are handed over", "[2.6.14-a][2.7.5-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 10);
    const DeliveryId delivery = scene.machine->begin_send(link, {.message_format = 3}).value();
    scene.peer.expect_nothing();
    CHECK(scene.machine->append(delivery, part("one")).value() == 3);
    auto first = scene.peer.expect_transfer();
    first.with_payload("one");
    CHECK(first->more);
    CHECK(first->message_format == 3U);
    CHECK(first->delivery_tag);
    CHECK(scene.machine.expect_event<DeliveryUpdated>().wants_more);
    scene.machine->append(delivery, part("two")).value();
    CHECK(scene.machine->append(delivery, part("three")).value() == 8);
    auto second = scene.peer.expect_transfer();
    second.with_payload("twothree");
    CHECK(second->more);
    scene.machine->finish_send(delivery).value();
    auto last = scene.peer.expect_transfer();
    CHECK_FALSE(last->more);
    CHECK_FALSE(last->aborted);
    last.with_payload("");
    CHECK_FALSE(scene.machine->append(delivery, part("late")));
    CHECK_FALSE(scene.machine->finish_send(delivery));
    CHECK_FALSE(scene.machine->abort_send(delivery));
    CHECK(scene.machine->status(link)->unsettled == 1);
    scene.machine.skip_to_event<DeliveryUpdated>();
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).settled().accepted());
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.settled);
    CHECK_FALSE(updated.wants_more);
    scene.machine.expect_no_event();
}

TEST_CASE("parts wait for credit, and the end may come before them", "[2.6.7-a][2.6.14-a]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const LinkId link = scene.sender(scene.begin());
    const DeliveryId delivery = scene.machine->begin_send(link).value();
    scene.machine->append(delivery, part(std::string(1000, 'x'))).value();
    scene.machine->finish_send(delivery).value();
    scene.peer.expect_nothing();
    scene.grant(0, 1);
    std::size_t size = 0;
    for (;;) {
        const auto frame = scene.peer.expect_transfer();
        size += frame.payload().size();
        if (!frame->more) break;
    }
    CHECK(size == 1000);
}

TEST_CASE("a delivery in parts keeps those of its link behind it and no other", "[2.6.14-b][2.6.14-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.sender(session, "a");
    const LinkId other = scene.sender(session, "b");
    scene.grant(0, 10);
    scene.grant(1, 10);
    const DeliveryId delivery = scene.machine->begin_send(link).value();
    scene.machine->append(delivery, part("1")).value();
    scene.machine->send(link, octets("behind")).value();
    scene.machine->send(other, octets("beside")).value();
    scene.peer.expect_transfer().with_payload("1");
    scene.peer.expect_transfer().with_payload("beside");
    scene.peer.expect_nothing();
    scene.machine->append(delivery, part("2")).value();
    scene.machine->finish_send(delivery).value();
    scene.peer.expect_transfer().with_payload("2");
    scene.peer.expect_transfer().with_payload("behind");
}

TEST_CASE("a delivery is taken back in the middle", "[2.6.14-f][2.7.5-l][2.7.5-t]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(1)));
    scene.peer.send(peer::flow().incoming_window(1).handle(0).delivery_count(0).link_credit(10));
    scene.machine.expect_event<LinkFlowed>();
    DeliveryId delivery;
    SECTION("in parts") {
        delivery = scene.machine->begin_send(link).value();
        scene.machine->append(delivery, part("half")).value();
    }
    SECTION("whole") { delivery = scene.machine->send(link, octets(std::string(2000, 'x'))).value(); }
    CHECK(scene.peer.expect_transfer()->more);
    scene.machine->send(link, octets("next")).value();
    CHECK_FALSE(scene.machine->retract(delivery));
    scene.machine->abort_send(delivery).value();
    CHECK_FALSE(scene.machine->abort_send(delivery));
    scene.peer.expect_nothing();  // the window is closed
    scene.peer.send(peer::flow().next_incoming_id(1).incoming_window(100));
    const auto aborted = scene.peer.expect_transfer();
    CHECK(aborted->aborted);
    CHECK_FALSE(aborted->more);
    CHECK(aborted.payload().empty());
    scene.peer.expect_transfer().with_payload("next");
    CHECK(scene.machine->status(link)->unsettled == 1);
    CHECK_FALSE(scene.machine->settle(delivery));
    // A word about what is gone does nothing.
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).settled().accepted());
    if (const auto id = scene.machine->find_delivery(link, codec::DeliveryTag("?"))) FAIL("no such tag");
}

TEST_CASE("a delivery in parts that has not begun is taken back without a word", "[core]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    const DeliveryId first = scene.machine->begin_send(link).value();
    scene.machine->append(first, part("never")).value();
    scene.machine->abort_send(first).value();
    const DeliveryId second = scene.machine->begin_send(link).value();
    CHECK(scene.machine->retract(second));
    scene.grant(0, 10);
    scene.peer.expect_nothing();
    CHECK(scene.machine->status(link)->queued == 0);
}

TEST_CASE("the receiver's settlement ends what is still being sent", "[2.6.12-f][2.6.14-f]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 10);
    const DeliveryId delivery = scene.machine->begin_send(link).value();
    scene.machine->append(delivery, part("half")).value();
    scene.peer.expect_transfer();
    scene.machine.expect_event<DeliveryUpdated>();
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).settled().rejected("amqp:not-allowed"));
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.settled);
    REQUIRE(updated.state);
    CHECK(std::holds_alternative<codec::Rejected>(*updated.state));
    CHECK(scene.peer.expect_transfer()->aborted);
    CHECK_FALSE(scene.machine->append(delivery, part("more")));
    CHECK(scene.machine->status(link)->queued == 0);
    scene.machine->send(link, octets("next")).value();
    scene.peer.expect_transfer().with_payload("next");
}

TEST_CASE("parts above the peer's max-message-size are refused here", "[2.7.3-m]") {
    Scene scene;
    const LinkId link = scene.machine->attach(scene.begin(), sending()).value();
    scene.peer.expect_attach();
    scene.peer.send(peer::attach(codec::Role::receiver, 0, "link").max_message_size(5));
    scene.machine.expect_event<LinkOpened>();
    const DeliveryId delivery = scene.machine->begin_send(link).value();
    scene.machine->append(delivery, part("1234")).value();
    CHECK(scene.machine->append(delivery, part("56")).error() == Errc::message_too_large);
    scene.machine->append(delivery, part("5")).value();
    scene.machine->finish_send(delivery).value();
    scene.grant(0, 1);
    scene.peer.expect_transfer().with_payload("12345");
}

TEST_CASE("a message sent settled in parts is over when its last octet is written", "[2.6.12-e]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 10);
    const DeliveryId delivery = scene.machine->begin_send(link, {.settled = true}).value();
    scene.machine->append(delivery, part("1")).value();
    scene.peer.expect_transfer();
    CHECK_FALSE(scene.machine.expect_event<DeliveryUpdated>().settled);
    scene.machine->finish_send(delivery).value();
    scene.peer.expect_transfer();
    CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
    CHECK(scene.machine->status(link)->queued == 0);
}

TEST_CASE("a message is taken in parts as they come", "[2.6.14-e][2.6.14-b]") {
    Scene scene;
    const LinkId link = stream_receiver(scene, scene.begin());
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(7).more().payload("ab"));
    const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
    auto taken = scene.machine->take(delivery).value();
    CHECK(octets_of(taken) == "ab");
    CHECK_FALSE(taken.complete);
    CHECK(taken.message_format == 7);
    CHECK(octets_of(scene.machine->take(delivery).value()).empty());
    scene.peer.send(peer::transfer(0).more());
    scene.machine.expect_no_event();
    scene.peer.send(peer::transfer(0).more().payload("cd"));
    scene.peer.send(peer::transfer(0).more().payload("ef"));
    CHECK(scene.machine.expect_event<DeliveryReceived>().delivery == delivery);
    taken = scene.machine->take(delivery).value();
    CHECK(octets_of(taken) == "cdef");
    CHECK_FALSE(taken.complete);
    scene.peer.send(peer::transfer(0).settled());
    scene.machine.expect_event<DeliveryReceived>();
    taken = scene.machine->take(delivery).value();
    CHECK(taken.complete);
    CHECK(taken.settled);
    CHECK(taken.payload.empty());
    CHECK_FALSE(scene.machine->take(delivery));
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("whole messages on a link that takes parts are as ever", "[2.6.14-e]") {
    Scene scene;
    const LinkId link = stream_receiver(scene, scene.begin());
    for (std::uint32_t id = 0; id < 3; ++id) {
        scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag("t").payload("whole"));
        const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
        const auto taken = scene.machine->take(delivery).value();
        CHECK(taken.complete);
        CHECK(octets_of(taken) == "whole");
        scene.machine->settle(delivery, codec::Accepted{}).value();
        scene.peer.expect(peer::disposition(codec::Role::receiver, id).settled().accepted());
    }
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("the sender takes back a delivery whose parts were told", "[2.6.14-f][2.7.5-k][2.7.5-t]") {
    Scene scene;
    const LinkId link = stream_receiver(scene, scene.begin());
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("half"));
    const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
    scene.peer.send(peer::transfer(0).aborted().more().payload("ignored"));
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.delivery == delivery);
    CHECK(updated.aborted);
    CHECK(updated.settled);
    CHECK_FALSE(scene.machine->take(delivery));
    CHECK(scene.machine->status(link)->unsettled == 0);
    CHECK(scene.machine->status(link)->credit == 9);
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("t").payload("whole"));
    CHECK(octets_of(scene.receive()) == "whole");
    scene.peer.expect_nothing();
}

TEST_CASE("a link that ends takes its unfinished delivery back", "[2.6.14-g]") {
    Scene scene;
    stream_receiver(scene, scene.begin());
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("half"));
    scene.machine.expect_event<DeliveryReceived>();
    SECTION("detach") { scene.peer.send(peer::detach(0).closed()); }
    SECTION("end") { scene.peer.send(peer::end()); }
    CHECK(scene.machine.expect_event<DeliveryUpdated>().aborted);
}

TEST_CASE("the receiver ends a delivery of which it has seen enough", "[2.6.12-f][2.6.14-f]") {
    Scene scene;
    const LinkId link = stream_receiver(scene, scene.begin());
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("enough"));
    const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
    scene.machine->settle(delivery, codec::Released{}).value();
    scene.peer.expect(peer::disposition(codec::Role::receiver, 0).settled().released());
    scene.peer.send(peer::transfer(0).more().payload("more"));
    SECTION("the sender goes on to the end") { scene.peer.send(peer::transfer(0).payload("end")); }
    SECTION("the sender takes it back") { scene.peer.send(peer::transfer(0).aborted()); }
    scene.machine.expect_no_event();
    CHECK_FALSE(scene.machine->take(delivery));
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("t").payload("whole"));
    CHECK(octets_of(scene.receive()) == "whole");
    CHECK(scene.machine->status(link)->unsettled == 1);
}

TEST_CASE("a receiver that settles second ends a delivery and waits", "[2.6.12-g]") {
    Scene scene;
    LinkOptions ours = streaming();
    ours.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const LinkId link = scene.attach(scene.begin(), ours);
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("enough"));
    const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
    scene.machine->settle(delivery, codec::Released{}).value();
    scene.peer.expect(peer::disposition(codec::Role::receiver, 0).released());
    scene.peer.send(peer::transfer(0).aborted());
    CHECK(scene.machine->status(link)->unsettled == 1);
    scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
    CHECK(scene.machine->status(link)->unsettled == 0);
    scene.machine.expect_no_event();
}

TEST_CASE("a message of endless parts ends at max-message-size", "[2.7.3-l]") {
    Scene scene;
    LinkOptions ours = streaming();
    ours.message_size_max = 100;
    const LinkId link = scene.attach(scene.begin(), ours);
    scene.machine->set_credit(link, 1).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload(std::string(100, 'x')));
    scene.machine->take(scene.machine.expect_event<DeliveryReceived>().delivery).value();
    scene.peer.send(peer::transfer(0).more().payload("x"));
    CHECK(scene.peer.expect_detach()->error->condition == codec::Symbol("amqp:link:message-size-exceeded"));
}

TEST_CASE("the window is as large as the parts that may wait, and shut while they do", "[2.5.6-e][2.5.6-i]") {
    ConnectionOptions ours = options();
    ours.limits.frame_size_max = 1000;
    Scene scene(ours);
    const SessionId session = scene.begin();
    const LinkId link = scene.attach(session, streaming(8000));
    scene.machine->set_credit(link, 10).value();
    CHECK(scene.peer.expect_flow()->incoming_window == 8);  // nothing of it can come before this is told
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload(std::string(900, 'x')));
    const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
    for (int i = 0; i < 7; ++i) scene.peer.send(peer::transfer(0).more().payload(std::string(900, 'x')));
    scene.peer.expect_nothing();
    CHECK(scene.machine->take(delivery)->payload.size() == 8 * 900);
    CHECK(scene.peer.expect_flow()->incoming_window == 8);
    // Everything is open again once the link has gone.
    scene.machine->detach(link).value();
    scene.peer.expect_detach().respond();
    scene.peer.expect_flow().with(&codec::Flow::incoming_window, ours.limits.incoming_window);
}

TEST_CASE("a stream that nobody takes holds up its session and nothing else", "[2.5.6-e][2.6.14-b][2.6.14-h]") {
    ConnectionOptions server_options = options("server");
    server_options.limits.frame_size_max = 4096;
    server_options.limits.message_size_max = 0;
    Pair pair(options("client"), server_options);
    constexpr std::size_t window = 64 * 1024;
    Links stream(pair, streaming(window));
    Links other(pair, receiving("other"), sending("other"));
    const DeliveryId out = pair.client.begin_send(stream.out).value();
    std::size_t sent = 0;
    std::size_t received = 0;
    std::optional<DeliveryId> in;
    const std::string piece(10'000, 'x');
    pair.client.append(out, part(piece)).value();
    for (int round = 0; round < 200; ++round) {
        pair.settle_down();
        while (auto updated = pair.next<DeliveryUpdated>(pair.client_events)) {
            if (!updated->wants_more) continue;
            sent += piece.size();
            pair.client.append(out, part(piece)).value();
        }
        if (auto event = pair.next<DeliveryReceived>(pair.server_events)) in = event->delivery;
        pair.server_events.clear();
        if (round < 100) {
            // Nobody takes: what was sent stops at the window, the other session goes on.
            CHECK(sent <= 2 * window);
            pair.client.send(other.out, octets("beside")).value();
            pair.server.set_credit(other.in, 10).value();
            pair.settle_down();
            auto beside = pair.next<DeliveryReceived>(pair.server_events);
            while (beside && beside->link != other.in) beside = pair.next<DeliveryReceived>(pair.server_events);
            REQUIRE(beside);
            CHECK(octets_of(pair.server.take(beside->delivery).value()) == "beside");
            pair.server.settle(beside->delivery, codec::Accepted{}).value();
        } else {
            received += pair.server.take(*in)->payload.size();
        }
    }
    CHECK(received >= 900'000);
}

TEST_CASE("a stream of any size passes between two endpoints with little memory", "[2.6.14-h]") {
    ConnectionOptions server_options = options("server");
    server_options.limits.message_size_max = 0;
    server_options.limits.buffered_bytes_max = 2 << 20;  // less than the message
    Pair pair(options("client"), server_options);
    Links links(pair, streaming(256 * 1024));
    const DeliveryId out = pair.client.begin_send(links.out).value();
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    bool complete = false;
    constexpr std::uint64_t size = 20 << 20;
    const codec::ByteChain piece = part(std::string(64 * 1024, 'x'));
    while (!complete) {
        if (sent < size) {
            pair.client.append(out, piece).value();
            sent += piece.size();
            if (sent == size) pair.client.finish_send(out).value();
        }
        pair.settle_down();
        while (auto event = pair.next<DeliveryReceived>(pair.server_events)) {
            const auto taken = pair.server.take(event->delivery).value();
            received += taken.payload.size();
            complete = taken.complete;
            if (complete) pair.server.settle(event->delivery, codec::Accepted{}).value();
        }
        pair.client_events.clear();
    }
    CHECK(received == size);
    pair.settle_down();
    const auto updated = pair.next<DeliveryUpdated>(pair.client_events);
    REQUIRE(updated);
    CHECK(updated->settled);
    CHECK(pair.client.status(links.out)->unsettled == 0);
}
