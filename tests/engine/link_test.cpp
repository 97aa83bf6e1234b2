#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

void accept(Receiver&, Delivery& delivery) { delivery.accept(); }

}  // namespace

TEST_CASE("names and addresses are known before a link opens, the peer's attach only after") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    const Receiver receiver = pair.client.open_receiver("from");
    CHECK(sender.address() == "to");
    CHECK(receiver.address() == "from");
    CHECK_FALSE(sender.name().empty());
    CHECK(sender.name() != receiver.name());
    CHECK(sender.remote() == nullptr);
    CHECK_FALSE(sender.is_open());
    pair.settle();
    CHECK(sender.remote() != nullptr);
    CHECK(sender.is_open());
    CHECK(receiver.is_open());
    CHECK(sender.wait_open(0s));
}

TEST_CASE("a link closed right after it was opened ends once, its message not sent") {
    Pair pair;
    const auto log = std::make_shared<SenderLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    const Tracker tracker = sender.send("never");
    sender.close();
    const Receiver receiver = pair.client.open_receiver("from", {}, receiver_log);
    receiver.close();
    CHECK(log->events.empty());
    pair.settle();
    pair.server_log->requests.clear();
    pair.settle();
    CHECK(log->events == Events{"close"});
    CHECK_FALSE(log->failure);
    CHECK(receiver_log->events == Events{"close"});
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::closed);
    CHECK(pair.client.is_open());
    CHECK(pair.server.is_open());
}

TEST_CASE("a sender that closes first is a remote close and then a close at the receiver", "[2.6.6]") {
    Pair pair;
    pair.accept_all();
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.settle();
    sender.close();
    sender.close();
    pair.settle();
    CHECK(log->events == Events{"open", "credit", "close"});
    CHECK_FALSE(log->failure);
    CHECK(pair.server_receiver_log->events == Events{"open", "remote close", "close"});
    CHECK_FALSE(pair.server_receiver_log->remote_error);
    REQUIRE(pair.server_receiver_log->failure);
    CHECK(pair.server_receiver_log->failure->code == Errc::detached_by_peer);
    CHECK_FALSE(sender.is_open());
    CHECK(sender.wait_open(0s).error().code == Errc::closed);
}

TEST_CASE("the error of a closing sender or receiver reaches the other end", "[2.7.7]") {
    Pair pair;
    pair.accept_all();
    const auto sender_log = std::make_shared<SenderLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    const Sender sender = pair.client.open_sender("to", {}, sender_log);
    const Receiver receiver = pair.client.open_receiver("from", {}, receiver_log);
    pair.settle();
    sender.close(some_error());
    receiver.close(some_error("app:receiver"));
    pair.settle();
    CHECK(pair.server_receiver_log->remote_error == some_error());
    CHECK(pair.server_receiver_log->failure->condition == some_error());
    CHECK(pair.server_sender_log->remote_error == some_error("app:receiver"));
    CHECK(pair.server_sender_log->events == Events{"open", "credit", "remote close", "close"});
    CHECK(receiver_log->events == Events{"open", "close"});
}

TEST_CASE("links closed together with their connection are closed once") {
    Pair pair;
    pair.accept_all();
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.settle();
    sender.close();
    pair.client.close();
    pair.settle();
    CHECK(count(log->events, "close") == 1);
    CHECK(count(pair.server_receiver_log->events, "close") == 1);
}

TEST_CASE("credit is what the receiver grants less what was sent, and its rise is told when it leaves some over",
          "[2.6.7]") {
    Pair pair;
    pair.accept_all(0);
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.settle();
    CHECK(sender.credit() == 0);
    CHECK(log->events == Events{"open"});

    pair.server_receiver.add_credit(1);
    pair.settle();
    CHECK(sender.credit() == 1);
    CHECK(count(log->events, "credit") == 1);
    std::vector<Tracker> trackers;
    for (int i = 0; i < 3; ++i) trackers.push_back(sender.send("m" + std::to_string(i)));
    CHECK(sender.pending() == 3);
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"m0"});
    CHECK(sender.credit() == 0);
    CHECK(pair.server_receiver.credit() == 0);

    pair.server_receiver.add_credit(1);  // used up at once by what waits: nothing is left to tell
    pair.settle();
    CHECK(count(log->events, "credit") == 1);
    CHECK(pair.server_receiver_log->texts == Events{"m0", "m1"});

    pair.server_receiver.add_credit(4);
    pair.settle();
    CHECK(count(log->events, "credit") == 2);
    CHECK(pair.server_receiver_log->texts == Events{"m0", "m1", "m2"});
    CHECK(sender.credit() == 3);
    CHECK(sender.pending() == 3);
    for (auto& delivery : pair.server_receiver_log->kept) delivery.accept();
    pair.settle();
    CHECK(sender.pending() == 0);
    for (const auto& tracker : trackers) CHECK(tracker.outcome()->accepted());
}

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

TEST_CASE("a message sent settled arrives, and answering it does nothing", "[2.6.12]") {
    Pair pair;
    pair.accept_all(4);
    pair.server_receiver_log->when_message = [](Receiver&, Delivery& delivery) {
        CHECK(delivery.is_settled());
        delivery.accept();
        delivery.reject();
    };
    const Sender sender = pair.client.open_sender("to");
    std::vector<Tracker> trackers;
    for (int i = 0; i < 20; ++i) trackers.push_back(sender.send("m", {.settled = true}));
    pair.settle();
    CHECK(pair.server_receiver_log->texts.size() == 20);
    for (const auto& tracker : trackers) CHECK(tracker.outcome()->kind == Outcome::Kind::sent);
    CHECK(sender.pending() == 0);
}

TEST_CASE("every outcome comes back as it was given, with a callback each", "[3.4]") {
    Pair pair;
    pair.accept_all();
    int next = 0;
    pair.server_receiver_log->when_message = [&](Receiver&, Delivery& delivery) {
        switch (next++) {
            case 0: return delivery.accept();
            case 1: return delivery.reject(some_error());
            case 2: return delivery.release();
            case 3: return delivery.modify(true, true);
            case 4: return delivery.reject();
            default: return;  // dropped
        }
    };
    const Sender sender = pair.client.open_sender("to");
    std::vector<Outcome> outcomes;
    for (int i = 0; i < 6; ++i) {
        sender.send("m").on_done([&](const Outcome& outcome) { outcomes.push_back(outcome); });
    }
    CHECK(outcomes.empty());
    pair.settle();
    REQUIRE(outcomes.size() == 6);
    CHECK(outcomes[0].accepted());
    CHECK(outcomes[1].kind == Outcome::Kind::rejected);
    CHECK(outcomes[1].condition == some_error());
    CHECK(outcomes[2].kind == Outcome::Kind::released);
    CHECK(outcomes[3].kind == Outcome::Kind::modified);
    CHECK(outcomes[3].delivery_failed);
    CHECK(outcomes[3].undeliverable_here);
    CHECK(outcomes[4].kind == Outcome::Kind::rejected);
    CHECK_FALSE(outcomes[4].condition);
    CHECK(outcomes[5].kind == Outcome::Kind::released);
    CHECK(outcomes[1].message() == "rejected: app:no \"because\"");
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

TEST_CASE("a message without credit is taken back at its time-out, and never sent") {
    Pair pair;
    pair.accept_all(0);
    const Sender sender = pair.client.open_sender("to");
    const auto start = pair.reactor.elapsed();
    Duration after{};
    const Tracker tracker = sender.send("late", {.timeout = 10s});
    tracker.on_done([&](const Outcome&) { after = pair.reactor.elapsed() - start; });
    const Tracker patient = sender.send("patient");
    pair.reactor.run_for(9s);
    CHECK_FALSE(tracker.outcome());
    pair.reactor.run_for(5s);
    REQUIRE(tracker.outcome());
    CHECK(after == 10s);
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::timed_out);
    CHECK(tracker.outcome()->failure->text.find("'to'") != std::string::npos);
    CHECK(sender.pending() == 1);
    pair.server_receiver.add_credit(10);
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"patient"});
}

TEST_CASE("time-outs are kept in their order, not in the order of sending") {
    Pair pair;
    const Sender sender = pair.client.open_sender("to");
    Events ended;
    const auto note = [&](const char* name) { return [&ended, name](const Outcome&) { ended.push_back(name); }; };
    sender.send("a", {.timeout = 100s}).on_done(note("100"));
    sender.send("b", {.timeout = 11s}).on_done(note("11"));
    sender.send("c", {.timeout = 7s}).on_done(note("7"));
    sender.send("d", {.timeout = 101s}).on_done(note("101"));
    pair.reactor.run_for(8s);
    CHECK(ended == Events{"7"});
    pair.reactor.run_for(200s);
    CHECK(ended == Events{"7", "11", "100", "101"});
}

TEST_CASE("a message on the wire is not taken back: its outcome comes, however late") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    int called = 0;
    const Tracker tracker = sender.send("m", {.timeout = 1s});
    tracker.on_done([&](const Outcome&) { ++called; });
    pair.reactor.run_for(5s);
    CHECK_FALSE(tracker.outcome());
    tracker.cancel();
    pair.settle();
    CHECK_FALSE(tracker.outcome());
    pair.server_receiver_log->kept.at(0).accept();
    pair.settle();
    CHECK(tracker.outcome()->accepted());
    CHECK(called == 1);
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

TEST_CASE("closing in a delivery callback ends what was not sent before the link's close") {
    Pair pair;
    pair.accept_all(1);
    pair.server_receiver_log->when_message = [](Receiver& receiver, Delivery& delivery) {
        receiver.drain();
        delivery.accept();
    };
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    sender.send("first").on_done([&](const Outcome& outcome) {
        log->events.push_back(outcome.message().substr(0, 8));
        sender.close();
    });
    sender.send("second").on_done(
        [&](const Outcome& outcome) { log->events.push_back(outcome.message().substr(0, 8)); });
    pair.settle();
    const Events tail(log->events.end() - 3, log->events.end());
    CHECK(tail == Events{"accepted", "not sent", "close"});
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

TEST_CASE("a message of many frames arrives whole", "[2.6.14]") {
    ConnectionOptions options;
    options.limits.frame_size_max = 512;
    Pair pair(options, options);
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    const std::string text(100'000, 'y');
    const Tracker tracker = sender.send(Message(text));
    const Tracker after = sender.send("small");
    pair.settle();
    REQUIRE(pair.server_receiver_log->texts.size() == 2);
    CHECK(pair.server_receiver_log->texts[0] == text);
    CHECK(pair.server_receiver_log->texts[1] == "small");
    pair.server_receiver_log->kept.clear();
    pair.settle();
    CHECK(tracker.outcome()->kind == Outcome::Kind::released);
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
