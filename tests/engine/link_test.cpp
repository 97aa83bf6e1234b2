#include "engine/pair.hpp"
#include "peer/peer.hpp"
#include "testkit/stream_channel.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

void accept(Receiver&, Delivery& delivery) { delivery.accept(); }

}  // namespace

TEST_CASE("credit and unsettled messages together never exceed the receiver's option", "[2.6.7]") {
    Pair pair;
    pair.accept_all(10);
    const Sender sender = pair.client.open_sender("to");
    for (int i = 0; i < 40; ++i) sender.send("m");
    pair.settle();
    auto& kept = pair.server_receiver_log->kept;
    CHECK(kept.size() == 10);
    CHECK(sender.credit() == 0);
    for (int i = 0; i < 10; ++i) kept[static_cast<std::size_t>(i)].accept();
    pair.settle();
    CHECK(kept.size() == 20);
    kept.clear();  // released
    pair.settle();
    CHECK(kept.size() == 10);
    CHECK(pair.server_receiver_log->texts.size() == 30);
}

TEST_CASE("credit is topped up when at or below half") {
    Pair pair;
    pair.accept_all(10);
    pair.server_receiver_log->when_message = accept;
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.settle();
    for (int i = 0; i < 4; ++i) {
        sender.send("m");
        pair.settle();
    }
    CHECK(sender.credit() == 6);
    sender.send("m");
    pair.settle();
    CHECK(sender.credit() == 10);
}

TEST_CASE("a delivery is settled at most once") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    const Tracker tracker = sender.send("m");
    pair.settle();
    auto& kept = pair.server_receiver_log->kept;
    REQUIRE(kept.size() == 1);
    Delivery moved = std::move(kept[0]);
    kept.clear();
    moved.accept();
    moved.release();
    pair.settle();
    CHECK(tracker.outcome()->accepted());
}

TEST_CASE("a callback asked for after the outcome is known comes too, later") {
    Pair pair;
    pair.accept_all();
    pair.server_receiver_log->when_message = accept;
    const Sender sender = pair.client.open_sender("to");
    const Tracker tracker = sender.send("m");
    pair.settle();
    bool called = false;
    tracker.on_done([&](const Outcome& outcome) { called = outcome.accepted(); });
    CHECK_FALSE(called);
    pair.settle();
    CHECK(called);
}

TEST_CASE("outcomes that come together are all known before the first of them is told", "[2.7.6-b]") {
    Pair pair;
    pair.accept_all();
    pair.server_receiver_log->when_message = accept;
    Sender sender = pair.client.open_sender("to", {}, std::make_shared<SenderLog>());
    pair.settle();
    std::vector<Tracker> kept;
    std::vector<int> told;
    for (int i = 0; i < 50; ++i) {
        const Tracker tracker = sender.send("m");
        tracker.on_done([&, i](const Outcome& outcome) {
            told.push_back(i);
            CHECK(outcome.accepted());
            if (i != 3) return;
            for (const Tracker& other : kept) other.cancel();
            CHECK(kept[1].outcome()->accepted());  // of a message that comes after this one
            kept.clear();
        });
        if (i % 4 == 0) kept.push_back(tracker);
    }
    pair.settle();
    REQUIRE(told.size() == 50);
    CHECK(std::is_sorted(told.begin(), told.end()));
    CHECK(sender.pending() == 0);
    // Trackers outlive what sent them.
    const Tracker last = sender.send("m");
    pair.settle();
    sender.close();
    pair.settle();
    sender = {};
    CHECK(last.outcome()->accepted());
    last.cancel();
}

TEST_CASE("a callback may end the connection while others wait for theirs") {
    Pair pair;
    pair.accept_all();
    pair.server_receiver_log->when_message = accept;
    const Sender sender = pair.client.open_sender("to", {}, std::make_shared<SenderLog>());
    pair.settle();
    int told = 0;
    for (int i = 0; i < 10; ++i) {
        sender.send("m").on_done([&](const Outcome& outcome) {
            CHECK(outcome.accepted());
            if (++told == 2) throw std::runtime_error("no more");
        });
    }
    pair.settle();
    CHECK(told == 10);
    CHECK(pair.client_log->failure);
}

TEST_CASE("a message sent settled is over once it is written, though nothing comes after it", "[2.6.12-e]") {
    Pair pair;
    pair.accept_all();
    pair.server_receiver_log->when_message = [](Receiver&, Delivery&) {};
    const Sender sender = pair.client.open_sender("to");
    pair.settle();
    const Tracker tracker = sender.send("m", {.settled = true});
    bool told = false;
    tracker.on_done([&](const Outcome& outcome) { told = outcome.kind == Outcome::Kind::sent; });
    pair.settle();
    CHECK(told);
    CHECK(sender.pending() == 0);
}

TEST_CASE("a waiting message can be cancelled") {
    Pair pair;
    pair.accept_all(0);
    const Sender sender = pair.client.open_sender("to");
    pair.settle();
    const Tracker tracker = sender.send("m");
    bool called = false;
    tracker.on_done([&](const Outcome&) { called = true; });
    tracker.cancel();
    CHECK_FALSE(called);
    pair.settle();
    CHECK(called);
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::closed);
    CHECK(sender.pending() == 0);
    pair.server_receiver.add_credit(5);
    pair.settle();
    CHECK(pair.server_receiver_log->texts.empty());
}

TEST_CASE("when the peer closes a link, what waited is not sent and what was on the wire is in doubt") {
    Pair pair;
    pair.accept_all(1);
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    const Tracker on_wire = sender.send("m"), waiting = sender.send("m");
    pair.settle();
    pair.server_receiver.close(some_error());
    pair.settle();
    REQUIRE(on_wire.outcome());
    CHECK(on_wire.outcome()->kind == Outcome::Kind::in_doubt);
    CHECK(on_wire.outcome()->failure->condition == some_error());
    CHECK(waiting.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(waiting.outcome()->failure->code == Errc::detached_by_peer);
    CHECK(log->events.back() == "close");
    CHECK(pair.server_receiver_log->kept.size() == 1);
    pair.server_receiver_log->kept[0].accept();  // too late, and harmless
    pair.settle();
}

TEST_CASE("when the peer ends a session, what its window held back is not sent", "[2.5.2-c]") {
    sim::SimReactor reactor;
    Container container(reactor, "client");
    auto [near, far] = make_memory_streams(reactor);
    testing::StreamChannel channel(reactor, std::move(far));
    peer::Peer peer(channel);
    const Connection client = container.adopt(std::move(near), false);
    peer.answer_open();
    const Sender sender = client.open_sender("to");
    reactor.settle();
    peer.expect_begin().respond([](auto& begin) { begin.performative.incoming_window = 1; });
    peer.expect_attach().respond();
    peer.send(peer::flow().incoming_window(1).handle(0).delivery_count(0).link_credit(10));
    const Tracker on_wire = sender.send("m"), held_back = sender.send("m");
    reactor.settle();
    peer.expect_transfer();
    peer.send(peer::end().error("amqp:session:errant-link", "no"));
    REQUIRE(on_wire.outcome());
    CHECK(on_wire.outcome()->kind == Outcome::Kind::in_doubt);
    REQUIRE(held_back.outcome());
    CHECK(held_back.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(held_back.outcome()->failure->code == Errc::ended_by_peer);
    client.close();
    reactor.settle();
    channel.close();
}

TEST_CASE("a full queue refuses on the reactor's thread, and takes again when there is room") {
    Pair pair;
    pair.accept_all(0);
    const Sender sender = pair.client.open_sender("to", {.queue_bytes_max = 100});
    const std::string text(60, 'x');
    const Tracker first = sender.send(text);
    const Tracker second = sender.send(text);
    REQUIRE(second.outcome());
    CHECK(second.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(second.outcome()->failure->code == Errc::queue_full);
    CHECK(second.outcome()->failure->text.find("queue_bytes_max") != std::string::npos);
    pair.settle();
    pair.server_receiver_log->when_message = accept;
    pair.server_receiver.add_credit(10);
    pair.settle();
    CHECK(first.outcome()->accepted());
    CHECK_FALSE(sender.send(text).outcome());
}

TEST_CASE("a message larger than the peer takes is not sent", "[2.7.3]") {
    Pair pair;
    pair.server_log->take_receiver = [&](LinkRequest request) {
        ReceiverOptions options;
        options.link.message_size_max = 1000;
        pair.server_receiver = request.accept_receiver(options, pair.server_receiver_log);
    };
    const Sender sender = pair.client.open_sender("to");
    const Tracker tracker = sender.send(Message(std::string(2000, 'z')));
    const Tracker next = sender.send("fits");
    pair.settle();
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::message_too_large);
    CHECK(pair.server_receiver_log->texts == Events{"fits"});
}

TEST_CASE("a drain gets what there is and takes the rest of the credit back", "[2.6.7]") {
    Pair pair;
    pair.accept_all(0);
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    log->when_drain = [](Sender& asked) { asked.send("made for the drain"); };
    pair.settle();
    pair.server_receiver.add_credit(10);
    pair.server_receiver.drain();
    pair.settle();
    CHECK(log->events == Events{"open", "drain", "credit"});
    CHECK(pair.server_receiver_log->texts == Events{"made for the drain"});
    CHECK(pair.server_receiver_log->events == Events{"open", "drained"});
    CHECK(sender.credit() == 0);
    CHECK(pair.server_receiver.credit() == 0);

    pair.server_receiver.add_credit(2);
    pair.settle();
    CHECK(sender.credit() == 2);
}

TEST_CASE("a drain stops a receiver that grants by itself, until it asks for more") {
    Pair pair;
    pair.accept_all(10);
    const Sender sender = pair.client.open_sender("to");
    pair.settle();
    pair.server_receiver.drain();
    pair.settle();
    CHECK(pair.server_receiver_log->events == Events{"open", "drained"});
    CHECK(sender.credit() == 0);
    sender.send("waits");
    pair.settle();
    CHECK(pair.server_receiver_log->texts.empty());
    pair.server_receiver.add_credit(10);
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"waits"});
}

TEST_CASE("messages for receive wait in order, and end with the link's reason") {
    Pair pair;
    pair.accept_all();
    const Receiver receiver = pair.client.open_receiver("from");
    pair.settle();
    const Tracker first = pair.server_sender.send("first");
    const Tracker second = pair.server_sender.send("second");
    const Tracker third = pair.server_sender.send("third");
    pair.settle();
    {
        auto delivery = receiver.try_receive(0s);
        REQUIRE(delivery);
        CHECK(delivery->message().body<std::string_view>() == "first");
        delivery->accept();
        CHECK(receiver.receive(0s).message().body_text().value() == "second");  // dropped: released
    }
    pair.settle();
    CHECK(first.outcome()->accepted());
    CHECK(second.outcome()->kind == Outcome::Kind::released);
    CHECK_FALSE(third.outcome());
    receiver.close();
    CHECK(receiver.try_receive(0s).error().code == Errc::closed);
    pair.settle();
    CHECK(third.outcome()->kind == Outcome::Kind::released);
    CHECK_THROWS_AS(receiver.receive(0s), std::system_error);
}

TEST_CASE("the same encoded message goes to several senders") {
    Pair pair;
    pair.accept_all();
    const codec::EncodedMessage message = codec::encode(Message("shared"));
    const Sender one = pair.client.open_sender("one"), two = pair.client.open_sender("two");
    one.send(message);
    two.send(message);
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"shared", "shared"});
}

TEST_CASE("a kept delivery lives longer than its connection") {
    auto pair = std::make_unique<Pair>();
    pair->accept_all();
    const Sender sender = pair->client.open_sender("to");
    sender.send("kept");
    pair->settle();
    std::vector<Delivery> kept = std::move(pair->server_receiver_log->kept);
    REQUIRE(kept.size() == 1);
    pair->client.close();
    pair->settle();
    CHECK(kept[0].message().body_text().value() == "kept");
    kept[0].accept();
    kept.clear();
    pair->settle();
}

TEST_CASE("ten thousand messages come in order and each is accepted", "[2.6.12]") {
    Pair pair;
    pair.accept_all(100);
    int wrong = 0, next = 0;
    pair.server_receiver_log->when_message = [&](Receiver&, Delivery& delivery) {
        wrong += delivery.message().body<std::int32_t>() != next++;
        delivery.accept();
    };
    const Sender sender = pair.client.open_sender("to");
    int accepted = 0;
    for (std::int32_t i = 0; i < 10'000; ++i) {
        sender.send(Message(codec::Value(i))).on_done([&](const Outcome& outcome) { accepted += outcome.accepted(); });
    }
    pair.settle();
    CHECK(next == 10'000);
    CHECK(wrong == 0);
    CHECK(accepted == 10'000);
    CHECK(sender.pending() == 0);
}
