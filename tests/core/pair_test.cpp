#include "core/pair.hpp"
#include "support/prng.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <string>

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// A sender at the client, a receiver at the server.
struct Line {
    explicit Line(Pair& both, std::string name = "line") : pair(both) {
        session = pair.client.begin().value();
        out = pair.client.attach(session, sending(name)).value();
        pair.settle_down();
        in = pair.next<LinkRequested>(pair.server_events)->link;
        pair.server.accept(in, receiving(name)).value();
        pair.settle_down();
        REQUIRE(pair.next<LinkOpened>(pair.client_events));
    }
    Pair& pair;
    SessionId session;
    LinkId out, in;
};

}  // namespace

TEST_CASE("messages of all sizes cross, are settled and forgotten", "[2.6.14-a][2.6.12-f][2.5.6-i]") {
    ConnectionOptions small = options("server");
    small.limits.frame_size_max = GENERATE(512u, 4096u, 65'536u);
    small.limits.incoming_window = 8;
    Pair pair(options("client"), small);
    pair.chunk = GENERATE(as<std::size_t>(), 100, SIZE_MAX);
    Line line(pair);
    pair.server.set_credit(line.in, 10).value();
    Prng prng(5);
    std::uint32_t accepted = 0;
    for (int round = 0; round < 40; ++round) {
        std::map<std::string, bool> sent;
        for (int i = 0; i < 5; ++i) {
            std::string text = prng.text(prng.below(prng.one_in(10) ? 100'000 : 2000));
            sent[text] = true;
            pair.client.send(line.out, octets(text)).value();
        }
        pair.settle_down();
        for (int i = 0; i < 5; ++i) {
            const auto received = pair.next<DeliveryReceived>(pair.server_events);
            REQUIRE(received);
            REQUIRE(sent.count(octets_of(pair.server.take(received->delivery).value())) == 1);
            pair.server.settle(received->delivery, codec::Accepted{}).value();
        }
        pair.server.set_credit(line.in, 10).value();
        pair.settle_down();
        while (const auto updated = pair.next<DeliveryUpdated>(pair.client_events))
            accepted += updated->settled ? 1 : 0;
    }
    CHECK(accepted == 200);
    CHECK(pair.client.status(line.out)->unsettled == 0);
    CHECK(pair.server.status(line.in)->unsettled == 0);
    CHECK(pair.client.status(line.out)->credit == 10);
}

TEST_CASE("two connections keep each other alive", "[2.4.5-d]") {
    ConnectionOptions ours = options();
    ours.idle_timeout = 2s;
    Pair pair(ours, ours);
    pair.advance(1min);
    CHECK_FALSE(pair.client.ended());
    CHECK_FALSE(pair.server.ended());
}

TEST_CASE("a drain across the wire gives a definite answer", "[2.6.8-a]") {
    Pair pair;
    Line line(pair);
    pair.server.set_credit(line.in, 100).value();
    for (int i = 0; i < 3; ++i) pair.client.send(line.out, octets("m")).value();
    pair.server.drain(line.in).value();
    pair.settle_down();
    for (int i = 0; i < 3; ++i) REQUIRE(pair.next<DeliveryReceived>(pair.server_events));
    REQUIRE(pair.next<LinkFlowed>(pair.server_events));
    CHECK(pair.server.status(line.in)->credit == 0);
    CHECK_FALSE(pair.server.status(line.in)->draining);
    CHECK(pair.client.status(line.out)->credit == 0);
}

TEST_CASE("either side may close, and both hear of everything once", "[2.4.3-h][2.4.3-d]") {
    const bool client_closes = GENERATE(true, false);
    Pair pair;
    Line line(pair);
    (client_closes ? pair.client : pair.server).close();
    pair.settle_down();
    for (auto* events : {&pair.client_events, &pair.server_events}) {
        int links = 0;
        int sessions = 0;
        for (const Event& event : *events) {
            if (std::holds_alternative<LinkDetached>(event)) ++links;
            if (std::holds_alternative<SessionEnded>(event)) ++sessions;
        }
        CHECK(links == 1);
        CHECK(sessions == 1);
        REQUIRE_FALSE(events->empty());
        CHECK(std::holds_alternative<ConnectionEnded>(events->back()));
    }
    CHECK(pair.client.wants_close());
    CHECK(pair.server.wants_close());
}

TEST_CASE("random traffic on many links ends with both sides agreeing", "[2.6.7-b][2.5.6-c]") {
    const std::uint64_t seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u);
    Prng prng(seed);
    ConnectionOptions ours = options();
    ours.limits.frame_size_max = 600;
    ours.limits.incoming_window = 5;
    Pair pair(ours, ours);
    pair.chunk = 1 + prng.below(2000);
    std::vector<std::unique_ptr<Line>> lines;
    for (int i = 0; i < 6; ++i) lines.push_back(std::make_unique<Line>(pair, "line" + std::to_string(i)));
    std::map<LinkId, std::deque<std::string>> expected;
    std::vector<DeliveryId> held;
    std::size_t sent = 0, received = 0, settled = 0;
    const auto react = [&] {
        while (!pair.server_events.empty()) {
            const Event event = std::move(pair.server_events.front());
            pair.server_events.pop_front();
            if (const auto* const got = std::get_if<DeliveryReceived>(&event)) {
                auto delivery = pair.server.take(got->delivery).value();
                auto& queue = expected[got->link];
                REQUIRE_FALSE(queue.empty());
                REQUIRE((octets_of(delivery) == queue.front()));
                queue.pop_front();
                ++received;
                if (!delivery.settled) held.push_back(got->delivery);
            }
        }
        while (const auto updated = pair.next<DeliveryUpdated>(pair.client_events))
            settled += updated->settled ? 1U : 0U;
    };
    for (int step = 0; step < 2000; ++step) {
        const Line& line = *lines[prng.below(lines.size())];
        switch (prng.below(4)) {
            case 0: pair.server.set_credit(line.in, static_cast<std::uint32_t>(prng.below(20))).value(); break;
            case 1: {
                const bool presettled = prng.one_in(3);
                std::string text = prng.text(prng.below(1500));
                pair.client.send(line.out, octets(text), {.settled = presettled}).value();
                expected[line.in].push_back(std::move(text));
                ++sent;
                break;
            }
            case 2:
                if (!held.empty()) {
                    const std::size_t i = prng.below(held.size());
                    pair.server.settle(held[i], codec::Accepted{}).value();
                    held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
                }
                break;
            default: pair.settle_down(); react();
        }
    }
    for (const auto& line : lines) pair.server.set_credit(line->in, 10'000).value();
    pair.settle_down();
    react();
    for (const DeliveryId delivery : held) pair.server.settle(delivery, codec::Released{}).value();
    pair.settle_down();
    react();
    CHECK(received == sent);
    CHECK(settled == sent);
    for (const auto& line : lines) {
        CHECK(pair.client.status(line->out)->unsettled == 0);
        CHECK(pair.client.status(line->out)->queued == 0);
        CHECK(pair.server.status(line->in)->unsettled == 0);
        CHECK(pair.client.status(line->out)->credit == pair.server.status(line->in)->credit);
    }
    CHECK_FALSE(pair.client.ended());
    CHECK_FALSE(pair.server.ended());
}

TEST_CASE("bytes received are forwarded without being copied", "[core]") {
    Pair pair;
    Line line(pair);
    pair.server.set_credit(line.in, 1).value();
    pair.client.send(line.out, octets(std::string(10'000, 'x'))).value();
    codec::reset_copy_count();
    pair.settle_down();
    const auto delivery = pair.server.take(pair.next<DeliveryReceived>(pair.server_events)->delivery).value();
    CHECK(codec::copy_count().bytes < 100);
    CHECK(delivery.payload.segments().size() == 1);
    CHECK(delivery.payload.segments()[0].use_count() > 1);
}
