#include "core/endpoint.hpp"
#include "core/pair.hpp"
#include "support/alloc_counter.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace aprotic;
using namespace aprotic::test;

// What a peer can make us keep, and what a message costs.

TEST_CASE("reading stops while the application holds too much, and goes on when it has taken it", "[core]") {
    ConnectionOptions ours = options();
    ours.limits.buffered_bytes_max = 20'000;
    ours.idle_timeout = 10s;
    Scene scene(ours);
    const LinkId link = scene.receiver(scene.begin(), 100);
    std::vector<DeliveryId> waiting;
    std::uint32_t sent = 0;
    while (!scene.machine->prepare_read().empty() && sent < 50) {
        scene.peer.send(
            peer::transfer(0).delivery_id(sent).delivery_tag(std::to_string(sent)).payload(std::string(1000, 'x')));
        waiting.push_back(scene.machine.expect_event<DeliveryReceived>().delivery);
        ++sent;
    }
    CHECK(sent > 5);
    CHECK(sent < 25);
    scene.machine.pass(30s);  // a peer that we do not read from is not silent
    CHECK_FALSE(scene.machine.has_ended());
    for (const DeliveryId delivery : waiting) scene.machine->take(delivery).value();
    CHECK_FALSE(scene.machine->prepare_read().empty());
    CHECK(scene.machine->status(link)->unsettled == sent);
}

TEST_CASE("unfinished deliveries cannot fill the memory", "[2.6.14-h]") {
    ConnectionOptions ours = options();
    ours.limits.buffered_bytes_max = 50'000;
    Scene scene(ours);
    const SessionId session = scene.begin();
    scene.receiver(session, 100, "a");
    scene.receiver(session, 100, "b");
    scene.peer.send(peer::transfer(1).delivery_id(0).delivery_tag("t").more().payload("x"));
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("t").more().payload(std::string(40'000, 'x')));
    scene.peer.send(peer::transfer(0).more().payload(std::string(20'000, 'x')));
    scene.peer.expect_detach(condition::resource_limit_exceeded).respond();
    scene.peer.send(peer::transfer(1).payload("y"));
    scene.machine.expect_event<LinkDetached>();
    CHECK(octets_of(scene.receive()) == "xy");
}

TEST_CASE("a state told of thousands of deliveries is kept once", "[2.7.6-b]") {
    ConnectionOptions ours = options();
    ours.limits.buffered_bytes_max = 8 * 1024 * 1024;
    Scene scene(ours, peer::open().max_frame_size(65'536));
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(10'000)));
    scene.peer.send(peer::flow().incoming_window(10'000).handle(0).delivery_count(0).link_credit(5000));
    scene.machine.expect_event<LinkFlowed>();
    for (int i = 0; i < 2000; ++i) scene.machine->send(link, octets("m")).value();
    scene.peer.frame_size_max = 65'536;
    for (int i = 0; i < 2000; ++i) scene.peer.expect_transfer();
    codec::List many(30'000, codec::Value(true));
    codec::Modified modified;
    modified.message_annotations.set(codec::Symbol("x-opt-many"), std::move(many));
    const auto frame = peer::disposition(codec::Role::receiver, 0).last(1999).state(modified).encode(0);
    const AllocationScope scope;
    for (std::size_t at = 0; at < frame.size();) {
        const auto room = scene.machine->prepare_read();
        const std::size_t n = std::min(room.size(), frame.size() - at);
        std::copy_n(frame.data() + at, n, room.begin());
        scene.machine->commit_read(n, scene.machine.now());
        at += n;
    }
    CHECK(scope.count() < 200);
    CHECK(scene.machine->poll_event());
}

TEST_CASE("attaches that nobody answers stop us reading before they fill the memory", "[2.6.1-e]") {
    ConnectionOptions ours = options();
    ours.limits.buffered_bytes_max = 8 * 1024 * 1024;
    Scene scene(ours);
    scene.begin();
    std::uint32_t handle = 0;
    auto attach = peer::attach(codec::Role::sender, 0);
    attach.property("p", codec::Value(std::string(5000, 'x')));
    while (handle < 1000 && !scene.machine->prepare_read().empty()) {
        attach.handle(handle).name(std::to_string(handle));
        scene.peer.send(attach);
        scene.machine.expect_event<LinkRequested>();
        ++handle;
    }
    CHECK(handle > 10);
    CHECK(handle < 100);
}

TEST_CASE("links and sessions that come and go leave nothing behind", "[2.5.1-g][2.6.2-d]") {
    Pair pair;
    const auto turn = [&pair] {
        const SessionId session = pair.client.begin().value();
        const LinkId link = pair.client.attach(session, sending()).value();
        pair.settle_down();
        pair.server.accept(pair.next<LinkRequested>(pair.server_events)->link, receiving()).value();
        pair.settle_down();
        pair.client.detach(link).value();
        pair.settle_down();
        pair.server.detach(pair.next<LinkDetaching>(pair.server_events)->link).value();
        pair.client.end(session).value();
        pair.settle_down();
        pair.client_events.clear();
        pair.server_events.clear();
    };
    for (int i = 0; i < 500; ++i) turn();
    CHECK(pair.client.begin()->index == 0);
    CHECK_FALSE(pair.client.ended());
    CHECK_FALSE(pair.server.prepare_read().empty());
}

TEST_CASE("a message in steady state costs no allocation, and no copy but what the wire needs", "[core]") {
    for (const std::size_t size : {std::size_t{100}, std::size_t{64 * 1024}}) {
        for (const bool settled : {false, true}) {
            CAPTURE(size, settled);
            Pair pair;
            const SessionId session = pair.client.begin().value();
            const LinkId out = pair.client.attach(session, sending()).value();
            pair.settle_down();
            const LinkId in = pair.next<LinkRequested>(pair.server_events)->link;
            pair.server.accept(in, receiving()).value();
            pair.settle_down();
            pair.client_events.clear();
            const codec::EncodedMessage message = octets(std::string(size, 'x'));
            std::uint64_t allocated = 0;
            std::uint64_t copied = 0;
            std::uint64_t received = 0;
            for (int round = 0; round < 300; ++round) {
                const AllocationScope scope;
                const auto copies = codec::copy_count().bytes;
                pair.server.set_credit(in, 10).value();
                for (int i = 0; i < 5; ++i) pair.client.send(out, message, {.settled = settled}).value();
                // Events are taken by hand: a deque of the test's would allocate.
                for (int turns = 0; turns < 20; ++turns) {
                    pair.move(pair.client, pair.server, [&] {
                        while (const auto event = pair.server.poll_event()) {
                            const auto* const news = std::get_if<DeliveryReceived>(&*event);
                            if (news == nullptr) continue;
                            const auto delivery = pair.server.take(news->delivery);
                            if (round >= 200) received += delivery->payload.size();
                            if (!settled) pair.server.settle(news->delivery, codec::Accepted{}).value();
                        }
                    });
                    pair.move(pair.server, pair.client);
                    while (pair.client.poll_event()) {
                    }
                }
                if (round < 200) continue;
                allocated += scope.count();
                copied += codec::copy_count().bytes - copies;
            }
            CHECK(pair.client.status(out)->unsettled == 0);
            CHECK(received == 500 * size);
            CHECK(allocated == 0);
            // A small payload is copied beside its header, a large one is not; and what of a frame has come when a slab
            // is full moves on.
            CHECK(copied <= (size < 256 ? received : received / 100));
        }
    }
}
