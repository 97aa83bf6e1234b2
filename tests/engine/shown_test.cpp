#include "engine/pair.hpp"

#include <stdexcept>

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

// What a handler is shown, and what it may do with it.

TEST_CASE("a handler may answer a message, keep it, give it back or leave it, and the next one is another") {
    Pair pair;
    pair.accept_all(100);
    std::vector<Delivery> kept;
    int shown = 0;
    pair.server_receiver_log->when_message = [&](Receiver&, Delivery& delivery) {
        switch (shown++ % 5) {
            case 0: return delivery.accept();
            case 1: return kept.push_back(std::move(delivery));
            case 2: {
                Delivery moved = std::move(delivery);
                moved.reject();
                delivery = std::move(moved);
                return;
            }
            case 3: delivery.accept(); return kept.push_back(std::move(delivery));  // for what is in it
            default: return;  // released, since it was not answered
        }
    };
    const Sender sender = pair.client.open_sender("to");
    std::vector<Tracker> trackers;
    for (int i = 0; i < 50; ++i) {
        codec::Message message("text " + std::to_string(i));
        if (i % 2 == 0) message.ensure_properties().subject = "subject " + std::to_string(i);
        trackers.push_back(sender.send(message));
    }
    pair.settle();
    using Kind = Outcome::Kind;
    constexpr std::optional<Kind> expected[] = {Kind::accepted, std::nullopt, Kind::rejected, Kind::accepted,
                                                Kind::released};
    for (std::size_t i = 0; i < trackers.size(); ++i) {
        const auto outcome = trackers[i].outcome();
        CHECK((outcome ? std::optional(outcome->kind) : std::nullopt) == expected[i % 5]);
    }
    REQUIRE(kept.size() == 20);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const std::size_t number = i / 2 * 5 + (i % 2 == 0 ? 1 : 3);
        CHECK(kept[i].message().body_text().value() == "text " + std::to_string(number));
        const auto subject = kept[i].message().subject();
        CHECK(subject.value_or("none") == (number % 2 == 0 ? "subject " + std::to_string(number) : "none"));
        kept[i].accept();
    }
    pair.settle();
    for (std::size_t i = 1; i < trackers.size(); i += 5) CHECK(trackers[i].outcome()->accepted());
    pair.client.close();
    pair.settle();
}

TEST_CASE("messages of several links that come together go to each in order") {
    Pair pair;
    std::vector<std::shared_ptr<ReceiverLog>> logs;
    pair.server_log->take_receiver = [&](LinkRequest request) {
        logs.push_back(std::make_shared<ReceiverLog>());
        logs.back()->when_message = [](Receiver& receiver, Delivery& delivery) {
            const Receiver moved = std::move(receiver);  // its own business
            delivery.accept();
        };
        request.accept_receiver({}, logs.back());
    };
    const Sender senders[] = {pair.client.open_sender("a"), pair.client.open_sender("b")};
    std::vector<Tracker> trackers;
    std::vector<std::string> sent[2];
    for (int i = 0; i < 60; ++i) {
        const std::size_t link = i % 7 < 4 ? 0 : 1;
        sent[link].push_back(std::to_string(i));
        trackers.push_back(senders[link].send(sent[link].back()));
    }
    pair.settle();
    REQUIRE(logs.size() == 2);
    for (std::size_t link = 0; link < 2; ++link) CHECK(logs[link]->texts == sent[link]);
    for (const Tracker& tracker : trackers) CHECK(tracker.outcome()->accepted());
}

TEST_CASE("a handler may end its link or connection while more has come") {
    const int which = GENERATE(0, 1, 2);
    Pair pair;
    pair.accept_all(100);
    std::shared_ptr<ReceiverLog> log = pair.server_receiver_log;
    log->when_message = [&](Receiver& receiver, Delivery& delivery) {
        delivery.accept();
        if (log->texts.size() < 3) return;
        if (which == 0) receiver.close();
        if (which == 1) pair.server.close();
        if (which == 2) throw std::runtime_error("it had enough");
    };
    const Sender sender = pair.client.open_sender("to");
    std::vector<Tracker> trackers;
    for (int i = 0; i < 12; ++i) trackers.push_back(sender.send(std::to_string(i)));
    pair.settle();
    // What had come may still be shown, as before a close; nothing is accepted that was not.
    CHECK(log->texts.size() >= 3);
    for (std::size_t i = 0; i < trackers.size(); ++i) {
        REQUIRE(trackers[i].outcome());
        CHECK((i < log->texts.size() || !trackers[i].outcome()->accepted()));
    }
    CHECK(count(log->events, "close") == 1);
}
