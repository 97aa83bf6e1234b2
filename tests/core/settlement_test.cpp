#include "core/endpoint.hpp"

#include <array>

#include <catch2/catch.hpp>

using namespace aprotic;
using namespace aprotic::test;

namespace {

const codec::Role ours_receiving = codec::Role::receiver;

std::vector<codec::DeliveryState> outcomes() {
    return {codec::Accepted{}, codec::Rejected{peer::error_condition("amqp:decode-error", "bad")}, codec::Released{},
            codec::Modified{true, false, codec::Map{{codec::Value(codec::Symbol("x-opt")), codec::Value(1)}}}};
}

/// What the peer says at once, before anybody polls an event of it.
void feed(Scene& scene, std::string_view stream) {
    while (!stream.empty()) {
        const auto room = scene.machine->prepare_read();
        const std::size_t n = std::min(room.size(), stream.size());
        std::copy_n(codec::as_bytes(stream).begin(), n, room.begin());
        scene.machine->commit_read(n, scene.machine.now());
        stream.remove_prefix(n);
    }
}

std::string text(const peer::DispositionFrame& frame) { return std::string(frame.encode(0).text()); }

DeliveryId deliver(Scene& scene, std::uint32_t id, bool settled = false) {
    scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag(std::to_string(id)).settled(settled).payload("m"));
    const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
    scene.machine->take(delivery).value();
    return delivery;
}

}  // namespace

TEST_CASE("every outcome reaches the sender as it was given", "[3.4-a][3.4.3-a][3.4.5-d][2.6.12-f]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 100);
    for (const codec::DeliveryState& outcome : outcomes()) {
        const DeliveryId delivery = scene.machine->send(link, octets("m")).value();
        const auto id = *scene.peer.expect_transfer()->delivery_id;
        scene.peer.send(peer::disposition(codec::Role::receiver, id).settled().state(outcome));
        const auto updated = scene.machine.expect_event<DeliveryUpdated>();
        CHECK(updated.delivery == delivery);
        CHECK(updated.link == link);
        CHECK(updated.settled);
        CHECK((updated.state == outcome));
        scene.peer.expect_nothing();
        CHECK(scene.machine->settle(delivery).error() == Errc::no_such_endpoint);
    }
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("deliveries whose sender gives them one tag are told apart by id", "[2.6.12-c]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 100);
    std::vector<DeliveryId> deliveries;
    for (std::uint32_t id = 0; id < 3; ++id) {
        scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag("same").payload("m"));
        deliveries.push_back(scene.machine.expect_event<DeliveryReceived>().delivery);
        scene.machine->take(deliveries.back()).value();
    }
    CHECK(scene.machine->status(link)->unsettled == 3);
    scene.machine->settle(deliveries[1], codec::Accepted{}).value();
    scene.peer.expect(peer::disposition(ours_receiving, 1).settled().state(codec::Accepted{}));
    scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().delivery == deliveries[0]);
    scene.machine->settle(deliveries[2], codec::Released{}).value();
    scene.peer.expect(peer::disposition(ours_receiving, 2).settled().state(codec::Released{}));
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("every outcome of ours leaves as it was given", "[2.7.5-m][3.4-a]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 100);
    std::uint32_t id = 0;
    for (const codec::DeliveryState& outcome : outcomes()) {
        const DeliveryId delivery = deliver(scene, id);
        scene.machine->settle(delivery, outcome).value();
        CHECK_FALSE(scene.machine->settle(delivery, outcome));
        scene.peer.expect(peer::disposition(ours_receiving, id).settled().state(outcome));
        ++id;
    }
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("outcomes of what has come can wait for more, and nothing else can", "[2.6.12]") {
    ConnectionOptions ours = options();
    Scene scene(ours, peer::open(), false);
    CHECK_FALSE(scene.machine->output_can_wait());  // the header is on its way
    scene.machine->open().value();
    CHECK_FALSE(scene.machine->output_can_wait());
    scene.peer.answer_open(peer::open());
    scene.machine.expect_event<ConnectionOpened>();
    const SessionId session = scene.begin();
    const LinkId receiver = scene.receiver(session, 100);
    const LinkId sender = scene.sender(session, "other");
    scene.grant(1, 100);
    CHECK(scene.machine->output_can_wait());  // nothing is due

    const auto settle = [&](std::uint32_t id) {
        scene.machine->settle(deliver(scene, id), codec::Accepted{}).value();
        CHECK(scene.machine->output_can_wait());
    };
    const auto expect_told = [&](std::uint32_t id) {
        scene.peer.expect(peer::disposition(ours_receiving, id).settled().state(codec::Accepted{}));
    };
    settle(0);
    scene.machine->set_credit(receiver, 200).value();
    CHECK_FALSE(scene.machine->output_can_wait());
    scene.peer.expect_flow();
    expect_told(0);

    settle(1);
    scene.machine->send(sender, octets("m")).value();
    CHECK_FALSE(scene.machine->output_can_wait());
    expect_told(1);
    scene.peer.expect_transfer();

    settle(2);
    scene.machine->detach(sender).value();
    CHECK_FALSE(scene.machine->output_can_wait());
    expect_told(2);
    scene.peer.expect_detach();

    settle(3);
    scene.machine->end(session).value();
    CHECK_FALSE(scene.machine->output_can_wait());
    expect_told(3);
    scene.peer.expect_end();
    scene.machine->begin().value();
    CHECK_FALSE(scene.machine->output_can_wait());
    scene.peer.expect_begin();
    scene.machine->close();
    CHECK_FALSE(scene.machine->output_can_wait());
}

TEST_CASE("neighbours that were settled alike leave in one frame, over all links", "[2.6.12-k][2.7.6-g]") {
    Scene scene;
    const SessionId session = scene.begin();
    scene.receiver(session, 100, "a");
    scene.receiver(session, 100, "b");
    std::vector<DeliveryId> deliveries;
    for (std::uint32_t id = 0; id < 6; ++id) {
        scene.peer.send(peer::transfer(id % 2).delivery_id(id).delivery_tag(std::to_string(id)).payload("m"));
        deliveries.push_back(scene.machine.expect_event<DeliveryReceived>().delivery);
    }
    for (const int i : {3, 1, 0, 2, 5})
        scene.machine->settle(deliveries[static_cast<std::size_t>(i)], codec::Accepted{}).value();
    scene.peer.expect(peer::disposition(ours_receiving, 0).last(3).settled().accepted());
    scene.peer.expect(peer::disposition(ours_receiving, 5).settled().accepted());
    scene.peer.expect_nothing();
}

TEST_CASE("a range settles what it names and skips what it does not", "[2.7.6-b][2.7.6-g]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId first = scene.sender(session, "a");
    const LinkId second = scene.sender(session, "b");
    scene.grant(0, 100);
    scene.grant(1, 100);
    std::vector<DeliveryId> deliveries;
    for (int i = 0; i < 6; ++i) {
        deliveries.push_back(
            scene.machine->send(i % 2 == 0 ? first : second, octets("m"), {.settled = i == 2}).value());
        scene.peer.expect_transfer();
    }
    CHECK(scene.machine.expect_event<DeliveryUpdated>().delivery == deliveries[2]);
    scene.peer.send(peer::disposition(codec::Role::receiver, 1).last(4).settled().accepted());
    for (const std::size_t i : {1U, 3U, 4U})
        CHECK(scene.machine.expect_event<DeliveryUpdated>().delivery == deliveries[i]);
    scene.machine.expect_no_event();
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).last(0xffff'ffff));  // runs backwards [2.7.6-d]
    scene.peer.send(
        peer::disposition(codec::Role::receiver, 1).last(4).settled().released());   // known no more [2.6.12-d]
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).last(100));          // says nothing [2.7.6-e]
    scene.peer.send(peer::disposition(codec::Role::sender, 0).last(100).settled());  // the other direction [2.7.6-c]
    scene.machine.expect_no_event();
    CHECK(scene.machine->status(first)->unsettled == 1);
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).last(0x7fff'ffff).settled().accepted());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().delivery == deliveries[0]);
    CHECK(scene.machine.expect_event<DeliveryUpdated>().delivery == deliveries[5]);
}

TEST_CASE("what a range accepts comes together where that is asked for, and is forgotten", "[2.7.6-b][2.6.12-b]") {
    Scene scene;
    scene.machine->tell_settled_together();
    const SessionId session = scene.begin();
    const LinkId first = scene.sender(session, "a");
    const LinkId second = scene.sender(session, "b");
    scene.grant(0, 100);
    scene.grant(1, 100);
    const auto send = [&](LinkId link, int& context) {
        const auto delivery = scene.machine->send(link, octets("m"), {.context = &context}).value();
        scene.peer.expect_transfer();
        return delivery;
    };
    std::array<int, 40> contexts{};
    std::vector<DeliveryId> deliveries;
    for (std::size_t i = 0; i < contexts.size(); ++i) deliveries.push_back(send(i < 37 ? first : second, contexts[i]));
    scene.machine->set_context(deliveries[1], nullptr);
    const auto expect = [&](LinkId link, std::size_t from, std::size_t count) {
        const auto told = scene.machine.expect_event<DeliveriesSettled>();
        CHECK(told.link == link);
        CHECK(told.accepted);
        REQUIRE(told.deliveries().size() == count);
        for (std::size_t i = 0; i < count; ++i) {
            CHECK(told.deliveries()[i].delivery == deliveries[from + i]);
            CHECK(told.deliveries()[i].context == (from + i == 1 ? nullptr : &contexts[from + i]));
        }
    };

    SECTION("as many as one event holds, link by link") {
        scene.peer.send(peer::disposition(codec::Role::receiver, 0).last(39).settled().accepted());
        CHECK(scene.machine->status(first)->unsettled == 0);
        expect(first, 0, DeliveriesSettled::count_max);
        expect(first, DeliveriesSettled::count_max, 5);
        expect(second, 37, 3);
        scene.machine.expect_no_event();
        CHECK(scene.machine->settle(deliveries[0]).error() == Errc::no_such_endpoint);
    }
    SECTION("several frames that nobody has polled") {
        feed(scene, text(peer::disposition(codec::Role::receiver, 0).last(1).settled().accepted()) +
                        text(peer::disposition(codec::Role::receiver, 2).settled().accepted()));
        expect(first, 0, 3);
        scene.machine.expect_no_event();
    }
    SECTION("what there is more to say of is told by itself, in its turn") {
        feed(scene, text(peer::disposition(codec::Role::receiver, 0).settled().accepted()) +
                        text(peer::disposition(codec::Role::receiver, 1).settled().released()) +
                        text(peer::disposition(codec::Role::receiver, 2).accepted()) +
                        text(peer::disposition(codec::Role::receiver, 3).last(4).settled().accepted()) +
                        text(peer::disposition(codec::Role::receiver, 2).settled().accepted()));
        expect(first, 0, 1);
        CHECK(scene.machine.expect_event<DeliveryUpdated>().delivery == deliveries[1]);
        const auto unsettled = scene.machine.expect_event<DeliveryUpdated>();
        CHECK(unsettled.delivery == deliveries[2]);
        CHECK(unsettled.settled);  // by the time it was polled
        expect(first, 3, 2);
        scene.machine.expect_no_event();
    }
    SECTION("before the end of their link") {
        scene.peer.send(peer::disposition(codec::Role::receiver, 36).last(37).settled().accepted());
        scene.peer.send(peer::detach(0).closed());
        expect(first, 36, 1);
        expect(second, 37, 1);
        scene.machine.expect_event<LinkDetaching>();
    }
    SECTION("those that have gone before are left out") {
        feed(scene, text(peer::disposition(codec::Role::receiver, 3).last(4).settled().accepted()));
        scene.machine->settle(deliveries[3]).value();
        expect(first, 4, 1);
        feed(scene, text(peer::disposition(codec::Role::receiver, 5).settled().accepted()));
        scene.machine->settle(deliveries[5]).value();
        scene.machine.expect_no_event();
    }
}

TEST_CASE("messages sent settled are over together when they are written", "[2.6.12-e]") {
    Scene scene;
    scene.machine->tell_settled_together();
    const LinkId link = scene.sender(scene.begin());
    std::vector<DeliveryId> deliveries;
    for (int i = 0; i < 3; ++i) {
        const bool unsettled = i == 1;
        deliveries.push_back(scene.machine->send(link, octets("m"), {.settled = !unsettled}).value());
    }
    scene.grant(0, 3);
    for (int i = 0; i < 3; ++i) scene.peer.expect_transfer();
    std::vector<DeliveryId> sent;
    while (sent.size() < 2) {
        const auto told = scene.machine.expect_event<DeliveriesSettled>();
        CHECK_FALSE(told.accepted);
        for (const auto& one : told.deliveries()) sent.push_back(one.delivery);
    }
    CHECK(sent == std::vector{deliveries[0], deliveries[2]});
    scene.machine.expect_no_event();
    scene.peer.send(peer::disposition(codec::Role::receiver, 1).settled().accepted());
    const auto told = scene.machine.expect_event<DeliveriesSettled>();
    CHECK(told.accepted);
    CHECK(told.deliveries()[0].delivery == deliveries[1]);
}

TEST_CASE("a message in parts that is accepted is told by itself", "[2.6.12-b]") {
    Scene scene;
    scene.machine->tell_settled_together();
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 100);
    const DeliveryId delivery = scene.machine->begin_send(link).value();
    scene.machine->append(delivery, codec::Bytes::copy_of("m")).value();
    scene.machine->finish_send(delivery).value();
    scene.peer.expect_transfer();
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).settled().accepted());
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.delivery == delivery);
    CHECK(updated.settled);
    CHECK((updated.state == codec::DeliveryState(codec::Accepted{})));
    scene.machine.expect_no_event();
}

TEST_CASE("a message sent settled is over when its last octet is written", "[2.6.12-e][2.7.5-i]") {
    Scene scene;
    LinkOptions ours = sending();
    ours.snd_settle_mode = GENERATE(codec::SenderSettleMode::settled, codec::SenderSettleMode::mixed);
    const LinkId link = scene.attach(scene.begin(), ours);
    const bool by_mode = ours.snd_settle_mode == codec::SenderSettleMode::settled;
    const DeliveryId delivery = scene.machine->send(link, octets("m"), {.settled = !by_mode}).value();
    scene.machine.expect_no_event();
    scene.grant(0, 1);
    scene.peer.expect_transfer().with(&codec::Transfer::settled, std::optional(true));
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.delivery == delivery);
    CHECK(updated.settled);
    CHECK_FALSE(updated.state);
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("a link in mode unsettled never sends settled", "[2.7.5-j]") {
    Scene scene;
    LinkOptions ours = sending();
    ours.snd_settle_mode = codec::SenderSettleMode::unsettled;
    const LinkId link = scene.attach(scene.begin(), ours);
    scene.grant(0, 1);
    scene.machine->send(link, octets("m"), {.settled = true}).value();
    scene.peer.expect_transfer().with(&codec::Transfer::settled, std::optional(false));
}

TEST_CASE("what the sender has settled gets no answer", "[2.6.12-e]") {
    Scene scene;
    scene.receiver(scene.begin(), 100);
    const DeliveryId delivery = deliver(scene, 0, true);
    CHECK_FALSE(scene.machine->settle(delivery, codec::Accepted{}));
    scene.peer.expect_nothing();
}

TEST_CASE("a sender that settles first ends the delivery", "[2.6.12-h]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 100);
    const DeliveryId delivery = deliver(scene, 0);
    scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.delivery == delivery);
    CHECK(updated.settled);
    CHECK_FALSE(scene.machine->settle(delivery, codec::Accepted{}));
    scene.peer.expect_nothing();
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("a delivery that is settled before it is taken can still be taken", "[2.6.12-h]") {
    Scene scene;
    scene.receiver(scene.begin(), 100);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").payload("m"));
    scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
    const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
    CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
    CHECK(octets_of(scene.machine->take(delivery).value()) == "m");
    CHECK(scene.machine->take(delivery).error() == Errc::no_such_endpoint);
}

TEST_CASE("a sender that settles in the middle of a delivery has settled it", "[2.6.12-h]") {
    Scene scene;
    scene.receiver(scene.begin(), 100);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").more().payload("a"));
    scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
    scene.machine.expect_no_event();
    scene.peer.send(peer::transfer(0).payload("b"));
    CHECK(scene.receive().settled);
}

TEST_CASE("a receiver that settles second tells its outcome and waits", "[2.6.12-g][2.7.5-n]") {
    Scene scene;
    LinkOptions ours = receiving();
    ours.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const LinkId link = scene.attach(scene.begin(), ours);
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    const DeliveryId delivery = deliver(scene, 0);
    scene.machine->settle(delivery, codec::Accepted{}).value();
    CHECK_FALSE(scene.machine->settle(delivery, codec::Accepted{}));
    scene.peer.expect(peer::disposition(ours_receiving, 0).accepted());
    CHECK(scene.machine->status(link)->unsettled == 1);
    scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
    scene.peer.expect_nothing();
    scene.machine.expect_no_event();
    CHECK(scene.machine->status(link)->unsettled == 0);
    CHECK(scene.machine->settle(delivery).error() == Errc::no_such_endpoint);
}

TEST_CASE("a receiver may watch the second settlement", "[2.6.12-g][2.7.5-n]") {
    Scene scene;
    LinkOptions ours = receiving();
    ours.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const LinkId link = scene.attach(scene.begin(), ours);
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    const DeliveryId delivery = deliver(scene, 0);
    scene.machine->update(delivery, codec::Accepted{}).value();
    scene.peer.expect(peer::disposition(ours_receiving, 0).accepted());
    scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
}

TEST_CASE("one transfer may settle first on a link that settles second", "[2.7.5-m]") {
    Scene scene;
    LinkOptions ours = receiving();
    ours.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const LinkId link = scene.attach(scene.begin(), ours);
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0)
                        .delivery_id(0)
                        .delivery_tag("t")
                        .rcv_settle_mode(codec::ReceiverSettleMode::first)
                        .payload("m"));
    scene.machine->settle(scene.machine.expect_event<DeliveryReceived>().delivery, codec::Accepted{}).value();
    scene.peer.expect(peer::disposition(ours_receiving, 0).settled().accepted());
}

TEST_CASE("an outcome that the receiver has not settled is for the sender to settle", "[2.6.12-g]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 10);
    const DeliveryId delivery = scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).accepted());
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK_FALSE(updated.settled);
    CHECK(updated.state == codec::DeliveryState(codec::Accepted{}));
    scene.machine->settle(delivery).value();
    scene.peer.expect(peer::disposition(codec::Role::sender, 0).settled());
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("an outcome is final, other states are not", "[2.7.5-r][2.6.12-j][3.4-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 10);
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
    for (std::uint32_t i = 0; i < 3; ++i) {
        scene.peer.send(peer::disposition(codec::Role::receiver, 0).state(codec::Received{i, 0}));
        CHECK(scene.machine.expect_event<DeliveryUpdated>().state == codec::DeliveryState(codec::Received{i, 0}));
    }
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).accepted());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().state == codec::DeliveryState(codec::Accepted{}));
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).released());
    scene.machine.expect_no_event();
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).released().settled());
    const auto last = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(last.settled);
    CHECK(last.state == codec::DeliveryState(codec::Accepted{}));
}

TEST_CASE("many words about one delivery are one event until it is polled", "[core]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 10);
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
    std::string stream;
    for (std::uint32_t i = 0; i < 50; ++i) {
        stream += peer::disposition(codec::Role::receiver, 0).state(codec::Received{i, 0}).encode(0).text();
    }
    stream += peer::disposition(codec::Role::receiver, 0).accepted().settled().encode(0).text();
    feed(scene, stream);
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.settled);
    CHECK(updated.state == codec::DeliveryState(codec::Accepted{}));
    scene.machine.expect_no_event();
}

TEST_CASE("a receiver may settle while the message is still on its way", "[2.6.12-f]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const LinkId link = scene.sender(scene.begin(peer::begin().incoming_window(1)));
    scene.peer.send(peer::flow().incoming_window(1).handle(0).delivery_count(0).link_credit(10));
    scene.machine.expect_event<LinkFlowed>();
    scene.machine->send(link, octets(std::string(1000, 'x'))).value();
    scene.peer.expect_transfer();
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).settled().rejected("amqp:not-allowed"));
    CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
    scene.peer.send(peer::flow().next_incoming_id(1).incoming_window(100));
    while (scene.peer.expect_transfer()->more) {
    }
    scene.machine.expect_no_event();
    CHECK(scene.machine->status(link)->queued == 0);
}

TEST_CASE("a tag is free again once its delivery is settled", "[2.6.12-b]") {
    Scene scene;
    scene.receiver(scene.begin(), 100);
    for (std::uint32_t id = 0; id < 5; ++id) {
        scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag("same").settled(id < 3).payload("m"));
        const DeliveryId delivery = scene.machine.expect_event<DeliveryReceived>().delivery;
        if (id >= 3) scene.machine->settle(delivery, codec::Accepted{}).value();
    }
    scene.machine.expect_no_event();
}

TEST_CASE("an outcome too long for the peer's frames keeps its kind and condition", "[2.7.1-h]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    scene.receiver(scene.begin(), 100);
    scene.machine
        ->settle(deliver(scene, 0), codec::Rejected{peer::error_condition("amqp:decode-error", std::string(1000, 'x'))})
        .value();
    scene.peer.expect(peer::disposition(ours_receiving, 0).settled().rejected("amqp:decode-error"));
}

TEST_CASE("deliveries can be settled while their link waits for our detach", "[2.6.4-b]") {
    Scene scene;
    const LinkId link = scene.receiver(scene.begin(), 100);
    const DeliveryId delivery = deliver(scene, 0);
    scene.peer.send(peer::detach(0).closed());
    scene.machine.expect_event<LinkDetaching>();
    scene.machine->settle(delivery, codec::Accepted{}).value();
    scene.machine->detach(link).value();
    scene.peer.expect_disposition();
    scene.peer.expect_detach();
}

TEST_CASE("what the sender settles before us gets no answer", "[2.6.12-e]") {
    for (const bool second : {false, true}) {
        INFO(second);
        Scene scene;
        auto ours = receiving();
        if (second) ours.rcv_settle_mode = codec::ReceiverSettleMode::second;
        const LinkId link = scene.attach(scene.begin(), ours);
        scene.machine->set_credit(link, 10).value();
        scene.peer.expect_flow();
        const DeliveryId delivery = deliver(scene, 0);
        // The application decides before it has heard of it.
        scene.machine.events_held = true;
        scene.peer.send(peer::disposition(codec::Role::sender, 0).settled());
        scene.machine->settle(delivery, codec::Accepted{}).value();
        scene.machine.events_held = false;
        scene.peer.expect_nothing();
        CHECK(scene.machine->status(link)->unsettled == 0);
        CHECK(scene.machine->settle(delivery).error() == Errc::no_such_endpoint);
    }
}
