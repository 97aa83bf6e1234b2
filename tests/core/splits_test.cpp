#include "core/endpoint.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// A whole life in both directions: open, begin, two links, a message each way in several frames, settlement, drain,
/// detach, end, close. Every run makes its own endpoint on `plan`.
void life(peer::Plan& plan) {
    ConnectionOptions ours = options();
    ours.idle_timeout = 60s;
    Machine machine([&](Instant now) { return Endpoint(EngineRole::client, ours, now); });
    peer::MemoryChannel channel(machine, plan);
    peer::Peer peer(channel);
    machine->open().value();
    const SessionId session = machine->begin().value();
    const LinkId out = machine->attach(session, sending("out")).value();
    const LinkId in = machine->attach(session, receiving("in")).value();
    machine->set_credit(in, 2).value();
    peer.answer_open(peer::open().max_frame_size(512));
    peer.expect_begin().respond();
    peer.expect_attach().respond();
    peer.expect_attach().respond();
    peer.expect_flow().with(&codec::Flow::link_credit, std::optional<std::uint32_t>(2));
    machine.skip_to_event<LinkOpened>();
    CHECK(machine.expect_event<LinkOpened>().link == in);

    peer.send(peer::flow().handle(0).delivery_count(0).link_credit(1));
    machine.expect_event<LinkFlowed>();
    const DeliveryId sent = machine->send(out, octets(std::string(500, 'x'))).value();
    std::string got;
    for (bool more = true; more;) {
        const auto transfer = peer.expect_transfer();
        got += transfer.payload().text();
        more = transfer->more;
    }
    CHECK((got == std::string(500, 'x')));
    peer.send(peer::disposition(codec::Role::receiver, 0).settled().accepted());
    CHECK(machine.expect_event<DeliveryUpdated>().delivery == sent);

    peer.send(peer::transfer(1).delivery_id(0).delivery_tag("t").more().payload("a"));
    peer.send(peer::transfer(1).payload("b"));
    const DeliveryId received = machine.expect_event<DeliveryReceived>().delivery;
    CHECK(octets_of(machine->take(received).value()) == "ab");
    machine->settle(received, codec::Accepted{}).value();
    peer.expect_disposition();
    machine->drain(in).value();
    peer.expect_flow();
    peer.send(peer::flow().next_incoming_id(2).next_outgoing_id(2).handle(1).delivery_count(2).link_credit(0).drain());
    machine.expect_event<LinkFlowed>();

    machine->detach(out).value();
    peer.expect_detach().respond();
    machine.expect_event<LinkDetached>();
    machine->end(session).value();
    peer.expect_end().respond();
    machine.expect_event<LinkDetached>();
    machine.expect_event<SessionEnded>();
    machine->close();
    peer.expect_close().respond();
    peer.expect_end_of_stream();
    CHECK_FALSE(machine.expect_event<ConnectionEnded>().failure);
}

}  // namespace

TEST_CASE("a connection's life does not depend on how its bytes are cut", "[2.3-h][2.4.2-d]") {
    peer::check_splits(life);
}

TEST_CASE("a stream may break at any step of a connection's life", "[2.4.6-c]") { peer::check_failures(life); }
