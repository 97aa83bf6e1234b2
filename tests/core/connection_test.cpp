#include "core/endpoint.hpp"

#include <catch2/catch.hpp>

using namespace aprotic;
using namespace aprotic::test;

TEST_CASE("header and open are pipelined and say who we are", "[2.4.1-a][2.4.2-a]") {
    ConnectionOptions ours = options("me");
    ours.hostname = "host";
    ours.limits.frame_size_max = 4096;
    ours.limits.channel_max = 7;
    ours.idle_timeout = 3s;
    ours.desired_capabilities = {"ANONYMOUS-RELAY"};
    ours.properties.set(codec::Symbol("product"), "aprotic");
    Scene scene(ours, peer::open(), false);
    scene.machine->open().value();
    scene.peer.expect_header();
    auto open = scene.peer.expect_open();
    open.on_channel(0);
    CHECK(open->container_id == "me");
    CHECK(open->hostname == "host");
    CHECK(open->max_frame_size == 4096);
    CHECK(open->channel_max == 7);
    CHECK(open->idle_time_out == 1500);  // [2.4.5-c]
    CHECK(open->desired_capabilities == ours.desired_capabilities);
    CHECK(open->properties == ours.properties);
    CHECK_FALSE(scene.machine->open());
}

TEST_CASE("nothing but the header goes out before we open", "[2.4.5-j]") {
    Scene scene(options(), peer::open().idle_time_out(100), false);
    scene.peer.send_header();
    scene.peer.send(peer::open().idle_time_out(100));
    scene.peer.expect_header();
    scene.peer.expect_nothing(5s);
    const auto opened = scene.machine.expect_event<ConnectionOpened>();
    CHECK(opened.remote.idle_time_out == 100);
    CHECK(scene.machine->remote_open() != nullptr);
    scene.machine->open().value();
    scene.peer.expect_open();
}

TEST_CASE("close is sent last, answered and final", "[2.4.3-a][2.4.3-b][2.4.3-c][2.4.3-f]") {
    Scene scene;
    scene.machine->close();
    scene.peer.expect_close().on_channel(0).with(&codec::Close::error, std::nullopt);
    scene.peer.expect_nothing(1s);
    scene.peer.send(peer::close());
    scene.peer.expect_end_of_stream();
    CHECK_FALSE(scene.machine.expect_event<ConnectionEnded>().failure);
    CHECK_FALSE(scene.machine->begin());
    CHECK_FALSE(scene.machine->open());
    CHECK_FALSE(scene.machine->poll_timeout());
}

TEST_CASE("close carries the application's error", "[2.7.7-b]") {
    Scene scene;
    scene.machine->close(peer::error_condition(condition::connection_forced, "going down"));
    const auto close = scene.peer.expect_close(condition::connection_forced);
    CHECK(close->error->description == "going down");
    scene.peer.send(peer::close());
    CHECK_FALSE(scene.machine.expect_event<ConnectionEnded>().failure);
}

TEST_CASE("the peer's close is answered once the application has heard of it", "[2.4.3-d][2.4.3-e]") {
    const std::uint16_t channel = GENERATE(as<std::uint16_t>(), 0, 1, 255);
    Scene scene;
    scene.peer.send(peer::close().error(condition::connection_forced, "bye").on_channel(channel));
    CHECK(scene.machine.expect_event<ConnectionClosedByPeer>().error->description == "bye");
    scene.peer.expect_close().with(&codec::Close::error, std::nullopt);
    scene.peer.expect_end_of_stream();
    const auto ended = scene.machine.expect_event<ConnectionEnded>();
    REQUIRE(ended.failure);
    CHECK(ended.failure->code == Errc::closed_by_peer);
    CHECK(ended.failure->initiator == Initiator::peer);
    CHECK(ended.failure->condition->condition == condition::connection_forced);
}

TEST_CASE("crossing closes end the connection once", "[2.4.4-a]") {
    Scene scene;
    scene.machine->close();
    scene.peer.send(peer::close());
    scene.peer.expect_close();
    scene.peer.expect_end_of_stream();
    CHECK_FALSE(scene.machine.skip_to_event<ConnectionEnded>().failure);
}

TEST_CASE("a crossing close with an error is worth more than ours", "[2.4.4-a]") {
    Scene scene;
    scene.machine->close();
    scene.peer.expect_close();
    scene.peer.send(peer::close().error(condition::internal_error));
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->condition->condition == condition::internal_error);
}

TEST_CASE("header, open and close in one write are answered in full", "[2.4.2-b]") {
    Scene scene(options(), peer::open(), false, EngineRole::server);
    scene.peer.send_header();
    scene.peer.send_together(peer::open(), peer::close());
    scene.peer.expect_header();
    scene.machine.expect_event<ConnectionOpened>();
    scene.machine.expect_event<ConnectionClosedByPeer>();
    scene.peer.expect_open();  // [2.4.1-h]
    scene.peer.expect_close();
    scene.peer.expect_end_of_stream();
    scene.machine.expect_event<ConnectionEnded>();
}

TEST_CASE("we may open and close before the peer has said a word", "[2.4.3-g]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    scene.machine->close();
    scene.peer.expect_header();
    scene.peer.expect_open();
    scene.peer.expect_close().on_channel(0);
    scene.peer.send_header();
    scene.peer.send_together(peer::open(), peer::close());
    scene.peer.expect_end_of_stream();
    CHECK_FALSE(scene.machine.skip_to_event<ConnectionEnded>().failure);
}

TEST_CASE("a peer that closes without having opened is heard", "[2.4.1-h]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    scene.peer.expect_header();
    scene.peer.send_header();
    scene.peer.expect_open();
    scene.peer.send(peer::close().error(condition::not_found, "no such vhost"));
    CHECK(scene.machine.expect_event<ConnectionClosedByPeer>().error->condition == condition::not_found);
    scene.peer.expect_close();
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->condition->description == "no such vhost");
}

TEST_CASE("a peer that never answers our close is left after close_timeout", "[2.4.3-c]") {
    Scene scene;
    scene.machine->close();
    scene.peer.expect_close();
    scene.machine.pass(1900ms);
    scene.machine.expect_no_event();
    scene.machine.pass(200ms);
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->code == Errc::timed_out);
    scene.peer.expect_end_of_stream();
}

TEST_CASE("a peer that drops the stream instead of answering our close has ended it", "[2.4.3-c]") {
    Scene scene;
    scene.machine->close();
    scene.peer.expect_close();
    scene.peer.end_of_stream();
    CHECK_FALSE(scene.machine.expect_event<ConnectionEnded>().failure);
}

TEST_CASE("the end of the stream without a close is a failure of the connection", "[2.4.6-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.sender(session);
    scene.peer.end_of_stream();
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.link == link);
    CHECK(detached.initiator == Initiator::transport);
    CHECK_FALSE(detached.closed);  // [2.4.6-c] suspended
    CHECK(scene.machine.expect_event<SessionEnded>().session == session);
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->code == Errc::connection_lost);
    scene.machine.expect_no_event();
    scene.peer.expect_end_of_stream();
}

TEST_CASE("a stream that ends before the peer's open is told as such", "[2.4.6-c]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    scene.peer.expect_header();
    scene.peer.end_of_stream();
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->text.find("before its open") != std::string::npos);
}

TEST_CASE("what the peer said before the stream broke is read when writing fails first", "[2.4.6-b]") {
    Scene scene;
    scene.machine->close_write(std::make_error_code(std::errc::broken_pipe), scene.machine.now());
    scene.machine.expect_no_event();
    scene.peer.send(peer::close().error(condition::unauthorized_access));
    scene.machine.expect_event<ConnectionClosedByPeer>();
    const auto ended = scene.machine.expect_event<ConnectionEnded>();
    CHECK(ended.failure->code == Errc::closed_by_peer);
    CHECK(ended.failure->condition->condition == condition::unauthorized_access);
    CHECK(scene.machine.closed());
}

TEST_CASE("a peer that can no longer be written to and says nothing is lost", "[2.4.6-c]") {
    Scene scene;
    scene.machine->close_write(std::make_error_code(std::errc::broken_pipe), scene.machine.now());
    scene.machine.pass(3s);
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->code == Errc::connection_lost);
    CHECK(scene.machine.closed());
}

TEST_CASE("after close everything is torn down with one event per endpoint", "[2.4.3-h]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId first = scene.sender(session, "a");
    const LinkId second = scene.receiver(session, 0, "b");
    scene.machine->close();
    scene.peer.expect_close().respond();
    CHECK(scene.machine.expect_event<LinkDetached>().link == first);
    CHECK(scene.machine.expect_event<LinkDetached>().link == second);
    CHECK(scene.machine.expect_event<SessionEnded>().session == session);
    scene.machine.expect_event<ConnectionEnded>();
    scene.machine.expect_no_event();
    CHECK(scene.machine->send(first, octets("x")).error() == Errc::no_such_endpoint);
    CHECK(scene.machine->attach(session, sending()).error() == Errc::no_such_endpoint);
}

TEST_CASE("messages that have credit leave before close", "[2.4.3-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 2);
    for (int i = 0; i < 3; ++i) scene.machine->send(link, octets("m"), {.settled = true}).value();
    scene.machine->close();
    scene.peer.expect_transfer();
    scene.peer.expect_transfer();
    scene.peer.expect_close();
}

TEST_CASE("the layer below can end the connection for its own reasons", "[core]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->abort(Failure{make_error_code(Errc::authentication_failed), Initiator::peer, {}, "no"},
                         scene.machine.now());
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->code == Errc::authentication_failed);
    scene.peer.expect_header();  // what is in the outbox still goes out
    scene.peer.expect_end_of_stream();
}

TEST_CASE("a peer that never opens is given up after connect_timeout", "[2.4.1-a]") {
    Scene scene(options(), peer::open(), false, EngineRole::server);
    scene.peer.send_header();
    scene.machine.pass(9s);
    scene.machine.expect_no_event();
    scene.machine.pass(2s);
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->code == Errc::connect_timed_out);
    scene.peer.expect_header();
    scene.peer.expect_open();
    scene.peer.expect_close(condition::resource_limit_exceeded);
    scene.peer.expect_end_of_stream();
}

TEST_CASE("a peer that takes nothing cannot keep a finished connection alive", "[2.4.3-c]") {
    Scene scene;
    scene.machine->close();
    scene.machine.pass(10s);  // nobody reads our close
    CHECK(scene.machine.expect_event<ConnectionEnded>().failure->code == Errc::timed_out);
    CHECK(scene.machine.closed());
}
