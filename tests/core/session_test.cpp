#include "core/endpoint.hpp"

#include <catch2/catch.hpp>

using namespace aprotic;
using namespace aprotic::test;

TEST_CASE("a session is begun on the lowest free channel and may be used at once", "[2.5.1-a][2.5.1-c][2.5.1-h]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    const SessionId session = scene.machine->begin().value();
    scene.machine->attach(session, sending()).value();
    scene.peer.expect_header();
    scene.peer.expect_open();
    const auto begin = scene.peer.expect_begin();
    CHECK(begin.channel() == 0);
    CHECK_FALSE(begin->remote_channel);
    CHECK(begin->incoming_window == 2048);
    CHECK(begin->handle_max == 1023);
    scene.peer.expect_attach();  // pipelined
}

TEST_CASE("what not every peer takes waits for the peer's open and begin", "[2.4.1-c][2.7.2-b]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    const SessionId first = scene.machine->begin().value();
    scene.machine->begin().value();
    scene.machine->attach(first, sending("a")).value();
    scene.machine->attach(first, sending("b")).value();
    scene.peer.answer_open();
    scene.peer.expect_begin().on_channel(0).respond();
    scene.peer.expect_attach().with(&codec::Attach::handle, 0U);
    scene.peer.expect_begin().on_channel(1);
    scene.peer.expect_attach().with(&codec::Attach::handle, 1U);
}

TEST_CASE("no frame above 512 octets goes out before the peer's open", "[2.4.1-c]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    LinkOptions large = sending();
    large.properties.set(codec::Symbol("p"), std::string(600, 'x'));
    scene.machine->attach(scene.machine->begin().value(), large).value();
    scene.peer.expect_header();
    scene.peer.expect_open();
    scene.peer.expect_begin();
    scene.peer.expect_nothing();
    scene.peer.send_header();
    scene.peer.send(peer::open());
    scene.peer.expect_attach();
}

TEST_CASE("the peer's begin is answered by itself on a channel of ours", "[2.5.1-b]") {
    Scene scene;
    scene.begin();
    scene.peer.send(peer::begin().on_channel(7));
    const auto opened = scene.machine.expect_event<SessionOpened>();
    CHECK(opened.requested);
    scene.peer.expect_begin().on_channel(1).with(&codec::Begin::remote_channel, std::optional<std::uint16_t>(7));
}

TEST_CASE("a session that the peer has ended before our begin is answered all the same", "[2.5.1-b][2.5.2-a]") {
    Scene scene;
    scene.begin();
    scene.machine.events_held = true;
    scene.peer.send(peer::begin().on_channel(7));
    scene.peer.send(peer::end().on_channel(7));
    scene.machine.events_held = false;
    scene.peer.expect_begin().on_channel(1).with(&codec::Begin::remote_channel, std::optional<std::uint16_t>(7));
    scene.peer.expect_end().on_channel(1);
    scene.peer.expect_nothing();
}

TEST_CASE("more sessions than the peer takes fail here", "[2.7.1-k][2.7.1-m]") {
    Scene scene(options(), peer::open().channel_max(0));
    scene.begin();
    CHECK(scene.machine->begin().error() == Errc::limit_reached);
}

TEST_CASE("sessions begun before anybody knew how many the peer takes end", "[2.7.1-k]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    scene.machine->begin().value();
    const SessionId second = scene.machine->begin().value();
    const LinkId link = scene.machine->attach(second, sending()).value();
    scene.peer.answer_open(peer::open().channel_max(0));
    scene.machine.expect_event<ConnectionOpened>();
    CHECK(scene.machine.expect_event<LinkDetached>().link == link);
    const auto ended = scene.machine.expect_event<SessionEnded>();
    CHECK(ended.session == second);
    CHECK(ended.initiator == Initiator::us);
    CHECK(ended.error->condition == condition::resource_limit_exceeded);
    scene.peer.expect_begin();
    scene.peer.expect_nothing();
}

TEST_CASE("with a session's end it is told which messages had not begun to leave", "[2.5.2-c]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(1)));
    scene.peer.send(peer::flow().incoming_window(1).handle(0).delivery_count(0).link_credit(10));
    scene.machine.expect_event<LinkFlowed>();
    scene.machine->send(link, octets("first")).value();
    const DeliveryId second = scene.machine->send(link, octets("second")).value();
    scene.peer.expect_transfer();
    scene.peer.send(peer::end().on_channel(0));
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.link == link);
    CHECK(detached.unsent == std::vector{second});
}

TEST_CASE("our end is answered and the channel is free again", "[2.5.2-a][2.5.1-g]") {
    Scene scene;
    for (int i = 0; i < 100; ++i) {
        const SessionId session = scene.begin();
        const LinkId link = scene.sender(session);
        scene.machine->end(session).value();
        CHECK_FALSE(scene.machine->end(session));
        scene.peer.expect_end().on_channel(0).with(&codec::End::error, std::nullopt).respond();
        const auto detached = scene.machine.expect_event<LinkDetached>();
        CHECK(detached.link == link);
        CHECK_FALSE(detached.closed);  // [2.5.2-c]
        CHECK(scene.machine.expect_event<SessionEnded>().initiator == Initiator::us);
        CHECK(scene.machine->end(session).error() == Errc::no_such_endpoint);
    }
    scene.machine.expect_no_event();
}

TEST_CASE("the peer's end is answered by itself, links first", "[2.5.2-a][2.5.2-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.sender(session);
    scene.peer.send(peer::end().error(condition::internal_error));
    CHECK(scene.machine.expect_event<LinkDetached>().link == link);
    const auto ended = scene.machine.expect_event<SessionEnded>();
    CHECK(ended.initiator == Initiator::peer);
    CHECK(ended.error->condition == condition::internal_error);
    scene.peer.expect_end().with(&codec::End::error, std::nullopt);
    scene.peer.expect_nothing();
    CHECK_FALSE(scene.machine->attach(session, sending()));
    scene.begin();  // on channel 0 again
}

TEST_CASE("crossing ends finish the session once", "[2.5.3-a]") {
    Scene scene;
    const SessionId session = scene.begin();
    scene.machine->end(session).value();
    scene.peer.send(peer::end());
    scene.peer.expect_end();
    scene.peer.expect_nothing();
    scene.machine.expect_event<SessionEnded>();
    scene.machine.expect_no_event();
}

TEST_CASE("a session that was never on the wire ends without a word", "[2.5.2-a]") {
    Scene scene;
    const SessionId session = scene.machine->begin().value();
    const LinkId link = scene.machine->attach(session, sending()).value();
    scene.machine->end(session).value();
    CHECK(scene.machine.expect_event<LinkDetached>().link == link);
    CHECK(scene.machine.expect_event<SessionEnded>().session == session);
    scene.peer.expect_nothing();
}

TEST_CASE("after our end nothing more is written on the channel, and what comes is dropped", "[2.5.2-b][2.5.4-b]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.receiver(session, 10);
    scene.machine->end(session, peer::error_condition(condition::internal_error)).value();
    scene.peer.expect_end(condition::internal_error);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").payload("late"));
    scene.peer.send(peer::attach(codec::Role::sender, 5, "late"));
    scene.peer.send(peer::flow().echo());
    scene.peer.expect_nothing();
    CHECK(scene.machine.expect_event<LinkDetached>().link == link);
    scene.machine.expect_no_event();
    scene.peer.send(peer::end());
    CHECK(scene.machine.expect_event<SessionEnded>().error->condition == condition::internal_error);
    scene.begin();
}

TEST_CASE("one session's end leaves the others alone", "[2.5.4-c]") {
    Scene scene;
    const SessionId first = scene.begin();
    const SessionId second = scene.begin();
    const LinkId link = scene.sender(second);
    scene.peer.send(peer::end().on_channel(0));
    CHECK(scene.machine.expect_event<SessionEnded>().session == first);
    scene.peer.expect_end();
    scene.peer.send(peer::flow().handle(0).link_credit(1).delivery_count(0).on_channel(1));
    scene.machine->send(link, octets("x")).value();
    scene.peer.expect_transfer().on_channel(1);
}

TEST_CASE("a session's flow request is answered without a request", "[2.6.7-p][2.6.7-q][2.7.4-a][2.7.4-d]") {
    Scene scene;
    scene.begin(peer::begin().next_outgoing_id(40));
    scene.peer.send(peer::flow().next_outgoing_id(40).echo());
    const auto flow = scene.peer.expect_flow();
    CHECK(flow->next_incoming_id == 40U);
    CHECK(flow->incoming_window == 2048);
    CHECK_FALSE(flow->handle);
    CHECK_FALSE(flow->link_credit);
    CHECK_FALSE(flow->delivery_count);
    CHECK_FALSE(flow->echo);
    scene.peer.expect_nothing();
}

TEST_CASE("many flow requests at once may have one answer", "[2.6.7-p]") {
    Scene scene;
    scene.begin();
    scene.peer.send_together(peer::flow().echo(), peer::flow().echo(), peer::flow().echo());
    scene.peer.expect_flow();
    scene.peer.expect_nothing();
}

TEST_CASE("no more transfers are written than the partner's window", "[2.5.6-b][2.5.6-e]") {
    Scene scene;
    const SessionId session = scene.begin(peer::begin().incoming_window(3));
    const LinkId link = scene.sender(session);
    scene.peer.send(peer::flow().incoming_window(3).handle(0).delivery_count(0).link_credit(100));
    for (int i = 0; i < 10; ++i) scene.machine->send(link, octets("m")).value();
    for (int i = 0; i < 3; ++i) scene.peer.expect_transfer();
    scene.peer.expect_nothing();
    scene.machine->attach(session, sending("other")).value();
    scene.peer.expect_attach();  // only transfers are held up

    scene.peer.send(peer::flow().next_incoming_id(2).incoming_window(3));  // has seen two
    for (int i = 0; i < 2; ++i) scene.peer.expect_transfer();
    scene.peer.expect_nothing();
    scene.peer.send(peer::flow().next_incoming_id(5).incoming_window(100));
    for (int i = 0; i < 5; ++i) scene.peer.expect_transfer();
    scene.peer.expect_nothing();
}

TEST_CASE("a window counts frames, so a message of n frames takes n", "[2.5.6-j]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(2)));
    scene.peer.send(peer::flow().incoming_window(2).handle(0).delivery_count(0).link_credit(100));
    scene.machine->send(link, octets(std::string(2000, 'x'))).value();
    scene.peer.expect_transfer();
    scene.peer.expect_transfer();
    scene.peer.expect_nothing();
    scene.peer.send(peer::flow().next_incoming_id(2).incoming_window(100));
    while (scene.peer.expect_transfer()->more) {
    }
}

TEST_CASE("our window is given again before it dries up", "[2.5.6-i]") {
    ConnectionOptions ours = options();
    ours.limits.incoming_window = 10;
    Scene scene(ours);
    scene.receiver(scene.begin(), 1000);
    std::uint32_t given = 10;  // the peer's view
    std::uint32_t id = 0;
    for (int round = 0; round < 50; ++round) {
        scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag("t").settled().payload("m"));
        scene.receive();
        ++id;
        --given;
        if (given == 5) {
            const auto flow = scene.peer.expect_flow();
            CHECK(flow->next_incoming_id == id);
            given = flow->incoming_window;
            CHECK(given == 10);
        }
    }
    CHECK_FALSE(scene.machine.has_ended());
}

TEST_CASE("transfer ids of the peer may wrap", "[2.5.6-a]") {
    Scene scene;
    scene.receiver(scene.begin(peer::begin().next_outgoing_id(0xffff'fffe)), 100);
    for (std::uint32_t i = 0; i < 5; ++i) {
        scene.peer.send(peer::transfer(0).delivery_id(0xffff'fffe + i).delivery_tag("t").settled().payload("m"));
        scene.receive();
    }
    scene.peer.send(peer::flow().next_outgoing_id(3).echo());
    scene.peer.expect_flow().with(&codec::Flow::next_incoming_id, std::optional<std::uint32_t>(3));
}

TEST_CASE("a session's own window is announced", "[2.7.2-a]") {
    Scene scene;
    scene.machine->begin({.incoming_window = 17}).value();
    scene.peer.expect_begin().with(&codec::Begin::incoming_window, 17U);
}

TEST_CASE("what comes for a link that we have detached does not use our window up", "[2.5.6-f][2.7.5-v]") {
    auto ours = options();
    ours.limits.incoming_window = 4;
    Scene scene(std::move(ours));
    const LinkId link = scene.receiver(scene.begin(), 100);
    scene.machine->detach(link, true).value();
    scene.peer.expect_detach();
    // They crossed our detach on the wire.
    for (std::uint32_t id = 0; id < 2; ++id)
        scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag(std::to_string(id)).payload("m"));
    scene.peer.expect_flow()
        .with(&codec::Flow::handle, std::nullopt)
        .with(&codec::Flow::next_incoming_id, std::optional(2U))
        .with(&codec::Flow::incoming_window, 4U);
}
