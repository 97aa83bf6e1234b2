#include "core/endpoint.hpp"

#include <catch2/catch.hpp>

using namespace aprotic;
using namespace aprotic::test;

namespace {

ConnectionOptions with_idle(Duration timeout) {
    ConnectionOptions made = options();
    made.idle_timeout = timeout;
    return made;
}

}  // namespace

TEST_CASE("a peer that says nothing is closed with an error and left", "[2.4.5-b][2.4.5-c]") {
    Scene scene(with_idle(10s));
    scene.machine.pass(9900ms);
    scene.peer.expect_nothing();
    scene.machine.pass(200ms);
    const auto close = scene.peer.expect_close(condition::resource_limit_exceeded);
    CHECK(close->error->description->find("idle_timeout") != std::string::npos);
    scene.peer.expect_end_of_stream();
    const auto ended = scene.machine.expect_event<ConnectionEnded>();
    CHECK(ended.failure->code == Errc::idle_timed_out);
    CHECK(ended.failure->initiator == Initiator::transport);
}

TEST_CASE("any frame is a sign of life, also an empty one on any channel", "[2.4.5-a][2.4.5-g][2.3.2-c]") {
    Scene scene(with_idle(10s));
    for (int i = 0; i < 10; ++i) {
        scene.machine.pass(9s);
        scene.peer.send_empty_frame(static_cast<std::uint16_t>(i * 28));
    }
    scene.peer.expect_nothing();
    scene.machine.pass(9s);
    CHECK_FALSE(scene.machine.has_ended());
}

TEST_CASE("the peer's time-out is kept with empty frames on channel 0 at half its value", "[2.4.5-d][2.4.5-h]") {
    Scene scene(options(), peer::open().idle_time_out(2000));
    for (int i = 0; i < 20; ++i) {
        scene.machine.pass(999ms);
        scene.peer.expect_nothing();
        scene.machine.pass(1ms);
        scene.peer.expect_empty_frame();
    }
}

TEST_CASE("no empty frame goes where others do", "[2.4.5-k]") {
    Scene scene(options(), peer::open().idle_time_out(2000));
    scene.begin();
    for (int i = 0; i < 10; ++i) {
        scene.machine.pass(600ms);
        scene.peer.send(peer::flow().echo());
        scene.peer.expect_flow();
    }
    scene.peer.expect_nothing();
}

TEST_CASE("an idle time-out of 0 is none", "[2.4.5-f]") {
    Scene scene(options(), peer::open().idle_time_out(0));
    scene.machine.pass(1h);
    scene.peer.expect_nothing();
    CHECK_FALSE(scene.machine->poll_timeout());
}

TEST_CASE("no time-out of ours is no announcement", "[2.4.5-f]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    scene.peer.expect_header();
    CHECK_FALSE(scene.peer.expect_open()->idle_time_out);
}

TEST_CASE("the shortest time-out is kept", "[2.4.5-e]") {
    Scene scene(options(), peer::open().idle_time_out(1));
    for (int i = 0; i < 4; ++i) {
        scene.machine.pass(499us);
        scene.peer.expect_nothing();
        scene.machine.pass(1us);
        scene.peer.expect_empty_frame();
        scene.peer.expect_nothing();
    }
}

TEST_CASE("after close nothing is sent to keep the connection alive", "[2.4.5-j]") {
    Scene scene(options(), peer::open().idle_time_out(100));
    scene.machine->close();
    scene.peer.expect_close();
    scene.machine.pass(1s);
    scene.peer.expect_nothing();
}

TEST_CASE("the deadline is the earliest of what is due", "[core]") {
    Scene scene(with_idle(10s), peer::open().idle_time_out(4000));
    REQUIRE(scene.machine->poll_timeout());
    CHECK(*scene.machine->poll_timeout() == scene.machine.now() + 2s);
    scene.machine->handle_timeout(scene.machine.now());  // too early does nothing
    scene.peer.expect_nothing();
}
