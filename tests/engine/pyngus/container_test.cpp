#include "engine/pair.hpp"

#include <aprotic/engine/engine.hpp>

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

// The tests of Pyngus by number: docs/pyngus.md has the table.

TEST_CASE("pyngus 01 create destroy - a container keeps its name, and makes one from chance") {
    sim::SimReactor one(1), two(2);
    CHECK(Container(one, "me").id() == "me");
    const std::string made = Container(one).id();
    CHECK_FALSE(made.empty());
    CHECK(Container(two).id() != made);
}

TEST_CASE("pyngus 02 create connection - a container makes several connections that do not mix") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    std::vector<std::shared_ptr<ConnectionLog>> accepted;
    auto listener = server.listen(*Address::parse("broker:5672"), {},
                                  [&] { return accepted.emplace_back(std::make_shared<ConnectionLog>()); });
    REQUIRE(listener);
    const Connection first = client.connect("amqp://broker");
    const Connection second = client.connect("amqp://broker:5672/");
    CHECK_FALSE(first == second);
    CHECK(reactor.run_until([&] { return first.is_open() && second.is_open(); }));
    CHECK(accepted.size() == 2);
    CHECK(first.remote()->container_id == "server");
    CHECK(first.peer_name() == "broker:5672");
    first.close();
    reactor.run_for(1s);
    CHECK_FALSE(first.is_open());
    CHECK(second.is_open());
}

TEST_CASE("pyngus 03 cleanup - destroying a container closes its connections and their links, each handler once") {
    sim::SimReactor reactor;
    Container server(reactor, "server");
    const auto server_log = std::make_shared<ConnectionLog>();
    const auto taken = std::make_shared<ReceiverLog>();
    server_log->take_receiver = [&](LinkRequest request) { request.accept_receiver({}, taken); };
    auto listener = server.listen(*Address::parse("broker:5672"), {}, [&] { return server_log; });
    const auto log = std::make_shared<ConnectionLog>();
    const auto sender_log = std::make_shared<SenderLog>();
    Connection connection;
    Tracker waiting;
    {
        Container client(reactor, "client");
        connection = client.connect("amqp://broker", {}, log);
        const Sender sender = connection.open_sender("a", {}, sender_log);
        CHECK(reactor.run_until([&] { return sender.is_open(); }));
        waiting = sender.send("never settled");
        reactor.settle();
    }
    reactor.run_for(5s);
    CHECK(log->events == Events{"open", "close"});
    CHECK_FALSE(log->failure);
    CHECK(sender_log->events.back() == "close");
    CHECK(count(sender_log->events, "close") == 1);
    CHECK(server_log->events == Events{"open", "receiver requested", "remote close", "close"});
    CHECK(taken->events.back() == "close");
    REQUIRE(waiting.outcome());
    CHECK(waiting.outcome()->kind == Outcome::Kind::in_doubt);
    CHECK(connection.wait_closed(0s));
}

TEST_CASE("pyngus 03 cleanup - a container keeps connections with handlers alive without outside references") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    auto listener =
        server.listen(*Address::parse("broker:5672"), {}, [&] { return std::make_shared<ConnectionLog>(); });
    const auto log = std::make_shared<ConnectionLog>();
    client.connect("amqp://broker", {}, log);
    reactor.run_for(10s);
    CHECK(log->events == Events{"open"});
}

TEST_CASE("pyngus 04 need processing - who wants to read, who has something to write, who has a deadline") {
    const Instant start{};
    const auto make = [&](EngineRole role, std::optional<Duration> idle) {
        ConnectionOptions options;
        options.container_id = "c";
        options.idle_timeout = idle;
        return Engine(role, options, start, 1);
    };
    std::vector<Engine> engines;
    engines.push_back(make(EngineRole::client, std::nullopt));
    engines.push_back(make(EngineRole::server, std::nullopt));
    engines.push_back(make(EngineRole::client, 10s));
    engines.push_back(make(EngineRole::server, 20s));
    const auto output = [&](Engine& engine) {
        codec::ConstBuffer buffers[8];
        std::string octets;
        for (;;) {
            const std::size_t n = engine.prepare_write(buffers, start);
            if (n == 0) return octets;
            std::size_t size = 0;
            for (std::size_t i = 0; i < n; ++i) {
                octets.append(reinterpret_cast<const char*>(buffers[i].data), buffers[i].size);
                size += buffers[i].size;
            }
            engine.commit_write(size, start);
        }
    };
    const auto input = [&](Engine& engine, const std::string& octets) {
        const auto room = engine.prepare_read();
        REQUIRE(room.size() >= octets.size());
        codec::copy_bytes(room, codec::as_bytes(octets));
        engine.commit_read(octets.size(), start);
    };
    for (auto& engine : engines) {
        CHECK(engine.open());
        CHECK_FALSE(engine.prepare_read().empty());
    }
    for (int round = 0; round < 4; ++round) {
        for (std::size_t i = 0; i < engines.size(); i += 2) {
            const std::string there = output(engines[i]), back = output(engines[i + 1]);
            if (round == 0) CHECK_FALSE(there.empty());
            if (!there.empty()) input(engines[i + 1], there);
            if (!back.empty()) input(engines[i], back);
        }
    }
    for (auto& engine : engines) {
        CHECK(output(engine).empty());
        CHECK_FALSE(engine.prepare_read().empty());
    }
    CHECK_FALSE(engines[0].poll_timeout());
    CHECK_FALSE(engines[1].poll_timeout());
    REQUIRE(engines[2].poll_timeout());
    REQUIRE(engines[3].poll_timeout());
    CHECK(*engines[2].poll_timeout() <= start + 10s);
    CHECK(*engines[3].poll_timeout() <= start + 20s);
}
