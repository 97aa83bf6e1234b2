#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

// The tests of Pyngus by number: docs/pyngus.md has the table.

TEST_CASE("pyngus 50 create destroy - name and address are known before a link opens, the peer's attach only after") {
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

TEST_CASE("pyngus 51 send abort and pyngus 52 receiver abort - a link closed right after it was opened ends once") {
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

TEST_CASE("pyngus 53 sender setup sync - a sender that closes first is a remote close and then a close at the receiver",
          "[2.6.6]") {
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

TEST_CASE("pyngus 54 pipeline close - links closed together with their connection are closed once") {
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

TEST_CASE("pyngus 55 sender close cond sync and pyngus 57 receiver close cond sync - the error reaches the other end",
          "[2.7.7]") {
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

TEST_CASE("pyngus 56 receiver setup sync - a receiver that closes first is a remote close and then a close",
          "[2.6.6]") {
    Pair pair;
    pair.accept_all();
    const auto log = std::make_shared<ReceiverLog>();
    const Receiver receiver = pair.client.open_receiver("from", {}, log);
    pair.settle();
    receiver.close();
    pair.settle();
    CHECK(log->events == Events{"open", "close"});
    CHECK_FALSE(log->failure);
    CHECK(pair.server_sender_log->events == Events{"open", "credit", "remote close", "close"});
    CHECK_FALSE(pair.server_sender_log->remote_error);
}

TEST_CASE("pyngus 58 credit sync - its rise is told when it leaves some over", "[2.6.7]") {
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

TEST_CASE("pyngus 59 send presettled - a message arrives, and answering it does nothing", "[2.6.12]") {
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

TEST_CASE("pyngus 60 pyngus 61 pyngus 62 pyngus 63 send accepted, released, rejected, modified - each comes back",
          "[3.4]") {
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

TEST_CASE("pyngus 64 send expired no credit - the message is taken back at its time-out, and never sent") {
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

TEST_CASE("pyngus 65 send expired late reply - one callback, with the outcome, however late") {
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

TEST_CASE("pyngus 66 send expired no reply - what was sent and never answered ends in doubt, with its link") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    int called = 0;
    const Tracker tracker = sender.send("m", {.timeout = 1s});
    tracker.on_done([&](const Outcome&) { ++called; });
    pair.reactor.run_for(1h);
    CHECK_FALSE(tracker.outcome());
    CHECK(sender.pending() == 1);
    sender.close();
    pair.settle();
    CHECK(tracker.outcome()->kind == Outcome::Kind::in_doubt);
    CHECK(called == 1);
}

TEST_CASE("pyngus 67 send expired no callback - an unsent message without a callback is dropped at its deadline") {
    Pair pair;
    pair.accept_all(0);
    const Sender sender = pair.client.open_sender("to");
    sender.send("late", {.settled = true, .timeout = 1s});
    pair.reactor.run_for(2s);
    CHECK(sender.pending() == 0);
    pair.server_receiver.add_credit(10);
    pair.settle();
    CHECK(pair.server_receiver_log->texts.empty());
}

TEST_CASE("pyngus 68 send deadline idle - time-outs are kept in their order, not in the order of sending") {
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

TEST_CASE("pyngus 69 send close on ack - what was not sent ends before the close of the link") {
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

TEST_CASE("pyngus 70 multi frame message - a message of many frames arrives whole", "[2.6.14]") {
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

TEST_CASE("pyngus 71 dynamic receiver props - properties of dynamic nodes arrive on both kinds of link", "[3.5.9]") {
    Pair pair;
    const codec::Map properties = {
        {codec::Symbol("lifetime-policy"),
         codec::Value(codec::Described(codec::descriptor::delete_on_close, codec::List{}))},
        {codec::Symbol("supported-dist-modes"),
         codec::Value(codec::List{codec::Value(codec::Symbol("move")), codec::Value(codec::Symbol("copy"))})}};
    ReceiverOptions from{.dynamic = true};
    from.link.source = codec::Source{.dynamic_node_properties = properties};
    SenderOptions to;
    to.link.target = codec::Target{.dynamic = true, .dynamic_node_properties = properties};
    const Receiver receiver = pair.client.open_receiver("", from);
    const Sender sender = pair.client.open_sender("", to);
    pair.settle();
    REQUIRE(pair.server_log->requests.size() == 2);
    CHECK(pair.server_log->requests[0].attach().source->dynamic_node_properties == properties);
    CHECK(std::get<codec::Target>(*pair.server_log->requests[1].attach().target).dynamic_node_properties == properties);
}

TEST_CASE("pyngus 72 use after free - the name of a refused sender may be used again, its handle still held") {
    Pair pair;
    SenderOptions options;
    options.link.name = "again";
    pair.server_log->take_receiver = [](LinkRequest request) { request.refuse(some_error()); };
    const Sender first = pair.client.open_sender("to", options);
    pair.settle();
    pair.accept_all();
    const Sender second = pair.client.open_sender("to", options);
    pair.settle();
    CHECK_FALSE(first.is_open());
    CHECK(second.is_open());
    CHECK(first.send("m").outcome()->failure->code == Errc::refused);
}

TEST_CASE("pyngus 73 settle modes - they reach the peer and come back", "[2.8.2]") {
    Pair pair;
    pair.accept_all();
    SenderOptions options;
    options.link.snd_settle_mode = codec::SenderSettleMode::unsettled;
    options.link.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const Sender sender = pair.client.open_sender("to", options);
    pair.settle();
    REQUIRE(sender.remote() != nullptr);
    CHECK(sender.remote()->snd_settle_mode == codec::SenderSettleMode::unsettled);
    CHECK(sender.remote()->rcv_settle_mode == codec::ReceiverSettleMode::second);
    pair.server_receiver_log->when_message = [](Receiver&, Delivery& delivery) { delivery.accept(); };
    const Tracker tracker = sender.send("twice settled");
    pair.settle();
    CHECK(tracker.outcome()->accepted());
    CHECK(sender.pending() == 0);
}

TEST_CASE("pyngus 74 non reentrant callback - everything may be closed and dropped inside a callback") {
    struct Dropping final : SenderHandler {
        void on_credit(Sender& sender) override {
            sender.close();
            *mine = Sender();
            connection->close();
            *connection = Connection();
        }
        void on_close(Sender&, const std::optional<Failure>&) override { ++closes; }
        Sender* mine = nullptr;
        Connection* connection = nullptr;
        int closes = 0;
    };
    Pair pair;
    pair.accept_all();
    const auto dropping = std::make_shared<Dropping>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    Sender sender = pair.client.open_sender("to", {}, dropping);
    Receiver receiver = pair.client.open_receiver("from", {}, receiver_log);
    dropping->mine = &sender;
    dropping->connection = &pair.client;
    pair.settle();
    CHECK(dropping->closes == 1);
    CHECK(count(receiver_log->events, "close") == 1);
    CHECK(pair.client_log->events == Events{"open", "close"});
    CHECK(pair.server_log->events.back() == "close");
}
