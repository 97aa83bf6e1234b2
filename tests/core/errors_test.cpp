#include "core/endpoint.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// The peer broke a rule of the connection: close with the condition, which names the clause; the rest of what comes is
/// dropped until the peer's close; the application hears of every endpoint.
void check_close(Scene& scene, std::string_view condition, std::string_view rule, bool peer_can_answer = true) {
    const auto close = scene.peer.expect_close(condition);
    CHECK(close->error->description.value().find("[" + std::string(rule) + "]") != std::string::npos);
    if (peer_can_answer) {
        scene.peer.send(peer::begin().on_channel(9));  // [2.4.3-i]
        scene.peer.send(peer::close().on_channel(0));
    } else {
        scene.machine.pass(3s);
    }
    scene.peer.expect_end_of_stream();
    const auto ended = scene.machine.skip_to_event<ConnectionEnded>();
    REQUIRE(ended.failure);
    CHECK(ended.failure->code == Errc::protocol_violation);
    CHECK(ended.failure->initiator == Initiator::peer);
    CHECK(ended.failure->condition->condition == condition);
}

/// The peer broke a rule of the session on channel 0: end with the condition; another session lives on.
void check_end(Scene& scene, std::string_view condition, std::string_view rule) {
    const auto end = scene.peer.expect_end(condition);
    CHECK(end->error->description.value().find("[" + std::string(rule) + "]") != std::string::npos);
    scene.peer.send(peer::flow().echo().on_channel(1));
    scene.peer.expect_flow().on_channel(1);  // [2.5.4-c]
    scene.peer.send(peer::end().on_channel(0));
    const auto ended = scene.machine.skip_to_event<SessionEnded>();
    CHECK(ended.error->condition == condition);
    scene.begin();
}

/// The peer broke a rule of the link on handle 0: detach with the condition; what comes for it is dropped, the link on
/// handle 1 of the same session takes messages.
void check_detach(Scene& scene, std::string_view condition, std::string_view rule, std::uint32_t next_id) {
    const auto detach = scene.peer.expect_detach(condition);
    CHECK(detach->handle == 0);
    CHECK(detach->closed);
    CHECK(detach->error->description.value().find("[" + std::string(rule) + "]") != std::string::npos);
    scene.peer.send(
        peer::transfer(0).delivery_id(next_id).delivery_tag("in flight").settled().payload("dropped"));  // [2.6.5-b]
    scene.peer.send(peer::detach(0).closed());
    CHECK(scene.machine.expect_event<LinkDetached>().error->condition == condition);
    scene.peer.send(
        peer::transfer(1).delivery_id(next_id + 1).delivery_tag("t").settled().payload("fine"));  // [2.6.5-d]
    CHECK(octets_of(scene.receive()) == "fine");
}

struct TwoLinks : Scene {
    explicit TwoLinks(std::uint32_t credit, LinkOptions first = receiving("first")) {
        session = begin();
        link = attach(session, first);
        machine->set_credit(link, credit).value();
        if (credit > 0) peer.expect_flow();
        if (credit == 0) peer.expect_flow();
        receiver(session, 10, "second");
    }
    SessionId session;
    LinkId link;
};

}  // namespace

// --- the connection ------------------------------------------------------------------------------------------------

TEST_CASE("a frame before open closes the connection", "[2.4.1-a]") {
    Scene scene(options(), peer::open(), false, EngineRole::server);
    scene.peer.send_header();
    scene.peer.send(peer::begin());
    scene.peer.expect_header();
    scene.peer.expect_open();
    scene.peer.expect_close(condition::illegal_state);
}

TEST_CASE("a second open closes the connection", "[2.4.1-g]") {
    Scene scene;
    scene.peer.send(peer::open());
    check_close(scene, condition::illegal_state, "2.4.1-g");
}

TEST_CASE("open belongs on channel 0", "[2.4.1-b]") {
    Scene scene(options(), peer::open(), false, EngineRole::server);
    scene.peer.send_header();
    scene.peer.send(peer::open().on_channel(1));
    scene.peer.expect_header();
    scene.peer.expect_open();
    scene.peer.expect_close(condition::not_allowed);
}

TEST_CASE("a max-frame-size below 512 is illegal", "[2.7.1-f]") {
    const std::uint32_t size = GENERATE(0u, 511u);
    Scene scene(options(), peer::open(), false, EngineRole::server);
    scene.peer.send_header();
    scene.peer.send(peer::open().max_frame_size(size));
    scene.peer.frame_size_max = 512;  // what we hear is judged by what is legal
    scene.peer.expect_header();
    scene.peer.expect_open();
    scene.peer.expect_close(condition::invalid_field);
}

TEST_CASE("a frame above our limit is refused on sight of its size", "[2.7.1-i]") {
    ConnectionOptions ours = options();
    ours.limits.frame_size_max = 1024;
    Scene scene(ours);
    scene.receiver(scene.begin(), 10);
    SECTION("one octet more, of which only the header came") {
        scene.peer.send_raw(std::string_view("\x00\x00\x04\x01\x02\x00\x00\x00", 8));
        check_close(scene, condition::framing_error, "2.7.1-i", false);
    }
    SECTION("exactly the limit is fine") {  // [2.7.1-j]
        const auto probe = peer::transfer(0).delivery_id(0).delivery_tag("t").settled();
        const std::size_t head = probe.encode(0).size();
        auto full = probe;
        full.payload(std::string(1024 - head, 'x'));
        scene.peer.send(full);
        CHECK(scene.receive().payload.size() == 1024 - head);
    }
}

TEST_CASE("malformed frame headers close the connection", "[2.3-b][2.3-c][2.3-d][2.3-f][2.3-g]") {
    const std::string_view octets = GENERATE(std::string_view("\x00\x00\x00\x00\x02\x00\x00\x00", 8),
                                             std::string_view("\x00\x00\x00\x07\x02\x00\x00\x00", 8),
                                             std::string_view("\x00\x00\x00\x08\x01\x00\x00\x00", 8),
                                             std::string_view("\x00\x00\x00\x08\x00\x00\x00\x00", 8),
                                             std::string_view("\x00\x00\x00\x08\x03\x00\x00\x00", 8),
                                             std::string_view("\x00\x00\x00\x08\x02\x02\x00\x00", 8),
                                             std::string_view("\x00\x00\x00\x0c\x02\x01\x00\x00\x00\x53\x40\x45", 12));
    Scene scene;
    scene.peer.send_raw(octets);
    scene.peer.expect_close(condition::framing_error);
    scene.machine.pass(3s);
    scene.peer.expect_end_of_stream();
    CHECK(scene.machine.failure()->code == Errc::protocol_violation);
}

TEST_CASE("an extended header is ignored", "[2.3-e]") {
    Scene scene;
    const auto begin = peer::begin().on_channel(0).encode(0);
    std::string octets(begin.text());
    octets.insert(8, "junk");
    octets[3] = static_cast<char>(octets.size());
    octets[4] = 3;
    scene.peer.send_raw(octets);
    scene.machine.expect_event<SessionOpened>();
}

TEST_CASE("a body that is no performative closes the connection", "[2.3.2-a]") {
    const std::string_view body = GENERATE(
        std::string_view("\x40", 1), std::string_view("\x45", 1), std::string_view("\x00\x53\x70\x45", 4),
        std::string_view("\x00\x53\x99\x45", 4), std::string_view("\x00\x53\x11\x45", 4),
        std::string_view("\x00\x53\x11\xd0\xff", 5), std::string_view("\x00", 1), std::string_view("\xff\xff\xff", 3));
    Scene scene;
    std::string frame("\x00\x00\x00\x00\x02\x00\x00\x00", 8);
    frame += body;
    frame[3] = static_cast<char>(frame.size());
    scene.peer.send_raw(frame);
    const auto close = scene.peer.expect_close();
    REQUIRE(close->error);
    CHECK_FALSE(close->error->description->empty());
    scene.peer.send(peer::close());
    scene.peer.expect_end_of_stream();
}

TEST_CASE("a channel above our limit closes the connection", "[2.7.1-l]") {
    ConnectionOptions ours = options();
    ours.limits.channel_max = 3;
    Scene scene(ours);
    scene.peer.send(peer::begin().on_channel(3));
    scene.machine.expect_event<SessionOpened>();
    scene.peer.expect_begin();
    scene.peer.send(peer::begin().on_channel(4));
    check_close(scene, condition::framing_error, "2.7.1-l");
}

TEST_CASE("a frame on a channel without a session closes the connection", "[2.5.1-f]") {
    Scene scene;
    SECTION("attach") { scene.peer.send(peer::attach(codec::Role::sender, 0).on_channel(5)); }
    SECTION("flow") { scene.peer.send(peer::flow().on_channel(5)); }
    SECTION("transfer") { scene.peer.send(peer::transfer(0).on_channel(5)); }
    SECTION("disposition") { scene.peer.send(peer::disposition(codec::Role::receiver, 0).on_channel(5)); }
    SECTION("detach") { scene.peer.send(peer::detach(0).on_channel(5)); }
    SECTION("end") { scene.peer.send(peer::end().on_channel(5)); }
    check_close(scene, condition::not_allowed, "2.5.1-f");
}

TEST_CASE("a begin that answers nobody closes the connection", "[2.5.1-d]") {
    Scene scene;
    scene.begin();
    scene.peer.send(peer::begin().remote_channel(GENERATE(as<std::uint16_t>(), 0, 77)).on_channel(3));
    check_close(scene, condition::not_allowed, "2.5.1-d");
}

TEST_CASE("a begin on a channel in use closes the connection", "[2.5.1-e]") {
    Scene scene;
    scene.begin();
    scene.peer.send(peer::begin().on_channel(0));
    check_close(scene, condition::illegal_state, "2.5.1-e");
}

TEST_CASE("a handle above our limit closes the connection", "[2.7.2-c]") {
    ConnectionOptions ours = options();
    ours.limits.handle_max = 5;
    Scene scene(ours);
    scene.begin();
    scene.peer.send(peer::attach(codec::Role::sender, 5, "a"));
    scene.machine.expect_event<LinkRequested>();
    scene.peer.send(peer::attach(codec::Role::sender, 6, "b"));
    check_close(scene, condition::framing_error, "2.7.2-c");
}

TEST_CASE("an error closes every link and session in our application once", "[2.4.3-h][2.4.3-i]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId first = scene.sender(session, "a");
    const LinkId second = scene.receiver(session, 0, "b");
    scene.peer.send(peer::open());
    scene.peer.expect_close(condition::illegal_state);
    scene.peer.send(peer::detach(0).closed());  // dropped
    scene.peer.send(peer::close());
    for (const LinkId link : {first, second}) {
        const auto detached = scene.machine.expect_event<LinkDetached>();
        CHECK(detached.link == link);
        CHECK(detached.error->condition == condition::illegal_state);
    }
    CHECK(scene.machine.expect_event<SessionEnded>().session == session);
    scene.machine.expect_event<ConnectionEnded>();
}

TEST_CASE("a peer that does not answer an erroring close is left", "[2.4.3-c][2.4.3-i]") {
    Scene scene;
    scene.peer.send(peer::open());
    scene.peer.expect_close();
    for (int i = 0; i < 10; ++i) {
        scene.peer.send(peer::flow());
        scene.machine.pass(300ms);
    }
    CHECK(scene.machine.has_ended());
    scene.peer.expect_end_of_stream();
}

// --- the session ---------------------------------------------------------------------------------------------------

TEST_CASE("an unattached handle ends the session", "[2.6.2-e][2.7.4-c]") {
    Scene scene;
    scene.begin();
    scene.begin();
    SECTION("transfer") { scene.peer.send(peer::transfer(3).delivery_id(0).delivery_tag("t").on_channel(0)); }
    SECTION("flow") { scene.peer.send(peer::flow().handle(3).on_channel(0)); }
    SECTION("detach") { scene.peer.send(peer::detach(3).on_channel(0)); }
    check_end(scene, condition::unattached_handle, "2.6.2-e");
}

TEST_CASE("a handle in use ends the session", "[2.6.2-c]") {
    Scene scene;
    scene.sender(scene.begin());
    scene.begin();
    scene.peer.send(peer::attach(codec::Role::receiver, 0, "other").on_channel(0));
    check_end(scene, condition::handle_in_use, "2.6.2-c");
}

TEST_CASE("a transfer outside of our window ends the session", "[2.5.6-f]") {
    ConnectionOptions ours = options();
    ours.limits.incoming_window = 4;
    Scene scene(ours);
    scene.receiver(scene.begin(), 100);
    scene.begin();
    // In one write, so that no flow of ours can have opened the window again.
    std::string stream;
    for (std::uint32_t id = 0; id < 5; ++id) {
        stream += peer::transfer(0).delivery_id(id).delivery_tag("t").settled().payload("m").encode(0).text();
    }
    scene.peer.skip_flows = true;
    scene.peer.send_raw(stream);
    const auto end = scene.peer.expect_end(condition::window_violation);
    CHECK(end.channel() == 0);
}

TEST_CASE("delivery-ids that do not rise one by one end the session", "[2.7.5-e]") {
    Scene scene;
    scene.receiver(scene.begin(), 100);
    scene.begin();
    scene.peer.send(peer::transfer(0).delivery_id(7).delivery_tag("a").settled().payload("m").on_channel(0));
    scene.receive();
    scene.peer.send(peer::transfer(0).delivery_id(GENERATE(7U, 9U, 0U)).delivery_tag("b").settled().payload("m"));
    check_end(scene, condition::invalid_field, "2.7.5-e");
}

TEST_CASE("the links of a session that ends by error are told at once", "[2.5.4-a][2.5.2-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.sender(session);
    scene.peer.send(peer::detach(9));
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.link == link);
    CHECK(detached.error->condition == condition::unattached_handle);
    scene.machine.expect_no_event();  // the session's own end waits for the peer
    CHECK_FALSE(scene.machine->attach(session, sending("new")));
    scene.peer.expect_end();
}

// --- the link ------------------------------------------------------------------------------------------------------

TEST_CASE("a transfer without credit detaches the link", "[2.6.7-n]") {
    TwoLinks scene(2);
    for (std::uint32_t id = 0; id < 2; ++id) {
        scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag("t").settled().payload("m"));
        scene.receive();
    }
    scene.peer.send(peer::transfer(0).delivery_id(2).delivery_tag("t").settled().payload("m"));
    check_detach(scene, condition::transfer_limit_exceeded, "2.6.7-n", 3);
}

TEST_CASE("a first transfer without id or tag detaches the link", "[2.7.5-b]") {
    TwoLinks scene(10);
    SECTION("id") { scene.peer.send(peer::transfer(0).delivery_tag("t")); }
    SECTION("tag") { scene.peer.send(peer::transfer(0).delivery_id(0)); }
    check_detach(scene, condition::invalid_field, "2.7.5-b", 0);
}

TEST_CASE("a delivery inside another detaches the link", "[2.6.14-d]") {
    TwoLinks scene(10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").more().payload("1"));
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("b").payload("2"));
    check_detach(scene, condition::not_allowed, "2.6.14-d", 1);
}

TEST_CASE("a transfer that differs from its first detaches the link", "[2.7.5-d]") {
    TwoLinks scene(10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").message_format(0).more().payload("1"));
    SECTION("tag") { scene.peer.send(peer::transfer(0).delivery_tag("b")); }
    SECTION("format") { scene.peer.send(peer::transfer(0).message_format(1)); }
    check_detach(scene, condition::invalid_field, "2.7.5-d", 1);
}

TEST_CASE("a transfer that asks to settle second on a link that settles first detaches it", "[2.7.5-o]") {
    TwoLinks scene(10);
    scene.peer.send(
        peer::transfer(0).delivery_id(0).delivery_tag("a").rcv_settle_mode(codec::ReceiverSettleMode::second));
    check_detach(scene, condition::invalid_field, "2.7.5-o", 1);
}

TEST_CASE("a message above our limit detaches the link before it is whole", "[2.7.3-l]") {
    LinkOptions first = receiving("first");
    first.message_size_max = 100;
    TwoLinks scene(10, first);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").settled().payload(std::string(100, 'x')));
    CHECK(scene.receive().payload.size() == 100);
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("b").settled().more().payload(std::string(60, 'x')));
    scene.peer.send(peer::transfer(0).more().payload(std::string(41, 'x')));
    check_detach(scene, condition::message_size_exceeded, "2.7.3-l", 2);
}

TEST_CASE("a transfer on a link of which the peer is the receiver detaches it", "[2.6.1-a]") {
    Scene scene;
    scene.sender(scene.begin());
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").payload("1"));
    scene.peer.expect_detach(condition::not_allowed);
}

TEST_CASE("a sender that does not say where it starts to count is detached", "[2.7.3-j]") {
    Scene scene;
    const SessionId session = scene.begin();
    SECTION("in answer to us") {
        const LinkId link = scene.machine->attach(session, receiving()).value();
        scene.peer.expect_attach();
        auto answer = peer::attach(codec::Role::sender, 0, "link");
        answer.performative.initial_delivery_count.reset();
        scene.peer.send(answer);
        scene.peer.expect_detach(condition::invalid_field);
        scene.peer.send(peer::detach(0).closed());
        CHECK(scene.machine.expect_event<LinkDetached>().link == link);
    }
    SECTION("by itself, of which the application hears nothing") {
        auto request = peer::attach(codec::Role::sender, 0, "theirs");
        request.performative.initial_delivery_count.reset();
        scene.peer.send(request);
        CHECK_FALSE(scene.peer.expect_attach()->target);
        scene.peer.expect_detach(condition::invalid_field);
        scene.peer.send(peer::detach(0).closed());
    }
    scene.machine.expect_no_event();
    scene.sender(session, "another");
}

// --- our caller ----------------------------------------------------------------------------------------------------

TEST_CASE("commands that the state forbids change nothing", "[core]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId out = scene.sender(session, "out");
    const LinkId in = scene.receiver(session, 1, "in");
    CHECK(scene.machine->set_credit(out, 1).error() == Errc::wrong_state);
    CHECK(scene.machine->drain(out).error() == Errc::wrong_state);
    CHECK(scene.machine->send(in, octets("x")).error() == Errc::wrong_state);
    CHECK(scene.machine->accept(out, sending()).error() == Errc::wrong_state);
    CHECK(scene.machine->refuse(out, {}).error() == Errc::wrong_state);
    const DeliveryId delivery = scene.machine->send(out, octets("x")).value();
    CHECK(scene.machine->settle(delivery).error() == Errc::wrong_state);  // nothing of it is out
    CHECK(scene.machine->update(delivery, codec::Accepted{}).error() == Errc::wrong_state);
    CHECK(scene.machine->take(delivery).error() == Errc::wrong_state);
    const LinkId nobody{99, 1};
    CHECK(scene.machine->detach(nobody).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->status(nobody).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->set_credit(nobody, 1).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->drain(nobody).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->set_available(nobody, 1).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->accept(nobody, {}).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->refuse(nobody, {}).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->end(SessionId{99, 1}).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->update(DeliveryId{99, 1}, codec::Accepted{}).error() == Errc::no_such_endpoint);
    scene.peer.expect_nothing();
}
