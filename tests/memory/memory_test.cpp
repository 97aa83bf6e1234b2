#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <aprotic/engine/container.hpp>
#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/memory_stream.hpp>

#include "sim/sim_reactor.hpp"
#include "support/alloc_counter.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t engine_max = 3 * 1024;
constexpr std::size_t connection_max = 5 * 1024;
constexpr std::size_t engine_link_max = 256;
constexpr std::size_t link_max = 512;

ConnectionOptions options() {
    ConnectionOptions made;
    made.container_id = "container";
    made.limits.handle_max = 100'000;
    return made;
}

/// Two engines with nothing but the wire between them.
struct Two {
    Two() : client(EngineRole::client, options(), now, 1, true), server(EngineRole::server, options(), now, 2, true) {
        static_cast<void>(client.open());
        settle();
    }
    void settle() {
        while (move(client, server) + move(server, client) > 0) {
        }
    }
    std::size_t move(Engine& from, Engine& to) {
        std::size_t moved = 0;
        std::array<codec::ConstBuffer, 16> buffers;
        while (const std::size_t count = from.prepare_write(buffers, now)) {
            std::size_t written = 0;
            for (const auto& buffer : std::span(buffers).first(count)) {
                for (std::size_t at = 0; at < buffer.size;) {
                    const auto room = to.prepare_read();
                    REQUIRE_FALSE(room.empty());
                    const std::size_t n = std::min(room.size(), buffer.size - at);
                    std::copy_n(buffer.data + at, n, room.begin());
                    to.commit_read(n, now);
                    answer(to);
                    at += n;
                    written += n;
                }
            }
            from.commit_write(written, now);
            answer(from);
            moved += written;
        }
        return moved;
    }
    void answer(Engine& engine) {
        while (auto event = engine.poll_event()) {
            if (std::holds_alternative<ConnectionOpened>(*event)) static_cast<void>(engine.open());
            if (auto* const asked = std::get_if<LinkRequested>(&*event)) {
                LinkOptions ours;
                ours.source = asked->remote.source;
                ours.target = asked->remote.target;
                static_cast<void>(engine.accept(asked->link, ours));
                ++accepted;
            }
        }
    }

    Instant now{1h};
    int accepted = 0;
    Engine client;
    Engine server;
};

LinkOptions link(int number) {
    LinkOptions made;
    made.name = "link " + std::to_string(number);
    made.role = number % 2 == 0 ? codec::Role::sender : codec::Role::receiver;
    made.source.emplace().address = "node";
    codec::Target target;
    target.address = "node";
    made.target = codec::AttachTarget(std::move(target));
    return made;
}

}  // namespace

TEST_CASE("an idle connection takes at most 3 KiB in its engine") {
    { const Two once; }
    const std::uint64_t before = test::live_octets();
    const auto pair = std::make_unique<Two>();
    const std::uint64_t each = (test::live_octets() - before) / 2;
    UNSCOPED_INFO("an engine takes " << each << " octets");
    CHECK(each <= engine_max);
    REQUIRE(pair->client.remote_open() != nullptr);
}

TEST_CASE("a link takes at most 256 octets in its engine") {
    Two pair;
    const SessionId session = pair.client.begin().value();
    pair.settle();
    constexpr int links = 1000;
    const std::uint64_t before = test::live_octets();
    for (int i = 0; i < links; ++i) static_cast<void>(pair.client.attach(session, link(i)).value());
    pair.settle();
    REQUIRE(pair.accepted == links);
    const std::uint64_t each = (test::live_octets() - before) / (2 * links);
    UNSCOPED_INFO("a link takes " << each << " octets at each end");
    CHECK(each <= engine_link_max);
}

TEST_CASE("an idle connection takes at most 5 KiB with all that is above the engine") {
    sim::SimReactor reactor;
    Container container(reactor, "container");
    const auto connect = [&] {
        auto [near, far] = make_memory_streams(reactor);
        auto server = container.adopt(std::move(far), true, options(), std::make_shared<ConnectionHandler>());
        auto client = container.adopt(std::move(near), false, options(), std::make_shared<ConnectionHandler>());
        return std::pair(std::move(client), std::move(server));
    };
    const auto first = connect();
    reactor.settle();
    const std::uint64_t before = test::live_octets();
    std::vector<std::pair<Connection, Connection>> connections;
    for (int i = 0; i < 50; ++i) connections.push_back(connect());
    reactor.settle();
    REQUIRE(connections.back().first.is_open());
    const std::uint64_t each = (test::live_octets() - before) / 100;
    UNSCOPED_INFO("a connection takes " << each << " octets");
    // Its stream in memory is counted too, with some 800 octets.
    CHECK(each <= connection_max);
}

TEST_CASE("a link takes at most 512 octets with all that is above the engine") {
    struct Taker final : ReceiverHandler {
        void on_message(Receiver&, Delivery& delivery) override { delivery.accept(); }
    };
    struct Taking final : ConnectionHandler {
        void on_receiver_requested(Connection&, LinkRequest request) override {
            static_cast<void>(request.accept_receiver({.credit = 10}, taker));
            ++accepted;
        }
        std::shared_ptr<ReceiverHandler> taker = std::make_shared<Taker>();
        int accepted = 0;
    };
    sim::SimReactor reactor;
    Container container(reactor, "container");
    auto [near, far] = make_memory_streams(reactor);
    const auto taking = std::make_shared<Taking>();
    const auto server = container.adopt(std::move(far), true, options(), taking);
    const auto client = container.adopt(std::move(near), false, options());
    constexpr int links = 1000;
    std::vector<Sender> senders;
    senders.reserve(links + 10);
    const auto open = [&](int count) {
        for (int i = 0; i < count; ++i) senders.push_back(client.open_sender("node"));
        reactor.settle();
    };
    open(10);
    const std::uint64_t before = test::live_octets();
    // Not all at once: what a burst leaves in queues belongs to no link.
    for (int i = 0; i < links; i += 10) open(10);
    REQUIRE(taking->accepted == links + 10);
    REQUIRE(senders.back().is_open());
    const std::uint64_t each = (test::live_octets() - before) / (2 * links);
    UNSCOPED_INFO("a link takes " << each << " octets at each end");
    CHECK(each <= link_max);
}
