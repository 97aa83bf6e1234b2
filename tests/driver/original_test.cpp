// Counterparts of the original driver's own tests that no other file has; docs/parity-tests.md has the list.
#include "driver/scripted_peer.hpp"
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

struct PeerScene {
    explicit PeerScene(const std::string& query = "")
        : transport(std::make_unique<Transport>(reactor, "amqp://peer/?link_retry_delay=1" + query)) {}

    World::Pending call(const RpcClient& client, Duration timeout = 20s) {
        World::Pending pending;
        pending.handle = client.async_call("m", {}, timeout, [into = pending.result](Result<Json> result) {
            REQUIRE_FALSE(into->has_value());
            *into = std::move(result);
        });
        return pending;
    }
    sim::SimReactor reactor{11};
    std::shared_ptr<ScriptedPeer> peer = std::make_shared<ScriptedPeer>(reactor);
    std::unique_ptr<Transport> transport;
};

}  // namespace

TEST_CASE("a transport that was never used, and a server that never got anything, go without a word") {
    World world;
    { const auto unused = world.transport(); }
    world.settle();
    const auto transport = world.transport();
    {
        RpcServer server(*transport, Target{.topic = "t", .server = "s"});
        server.start();
        world.settle();
        CHECK(server.is_ready());
    }
    world.settle();
    const auto node = world.node("unicast.openstack.t");
    CHECK((!node || node->consumers == 0));
    { RpcServer never_started(*transport, Target{.topic = "t", .server = "s"}); }
    { RpcServer(*world.transport("amqp://elsewhere"), Target{.topic = "t", .server = "s"}).start(); }
}

TEST_CASE("the same topic on two exchanges is two topics") {
    World world;
    const auto transport = world.transport();
    RpcServer one(*transport, Target{.exchange = "e1", .topic = "t", .server = "s"});
    RpcServer two(*transport, Target{.exchange = "e2", .topic = "t", .server = "s"});
    one.handle("who", [] { return 1; }).start();
    two.handle("who", [] { return 2; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    for (int i = 0; i < 3; ++i) {
        CHECK(world.call(client.prepare({.exchange = "e1"}), "who").value() == 1);
        CHECK(world.call(client.prepare({.exchange = "e2"}), "who").value() == 2);
    }
    CHECK(world.call(client, "who", {}, 1s).failure().is(Errc::no_reply));
}

TEST_CASE("one credit on each link is enough") {
    World world;
    const auto transport = world.transport("amqp://broker/?reply_link_credit=1&rpc_server_credit=1");
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("twice", [](int n) { return 2 * n; }, {"n"}).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    std::vector<World::Pending> calls;
    for (int n = 0; n < 4; ++n) calls.push_back(world.begin_call(client, "twice", {{"n", n}}, 10s));
    for (int n = 0; n < 4; ++n) {
        world.finish(calls[static_cast<std::size_t>(n)]);
        CHECK(calls[static_cast<std::size_t>(n)].value() == 2 * n);
    }
}

TEST_CASE("a reply that nobody takes is given up after its own time-out") {
    PeerScene scene("&default_reply_timeout=1");
    scene.peer->credit = 0;
    scene.peer->start();
    RpcServer server(*scene.transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    scene.reactor.run_for(1s);
    codec::Message request(R"({"request": {"method": "m"}})");
    request.ensure_properties().message_id = std::string("id");
    request.properties->reply_to = "black-hole";
    const auto sent = scene.peer->send("unicast.openstack.t", request);
    scene.reactor.run_for(500ms);
    CHECK(sent.outcome()->accepted());
    // It is still on its way, so the server has something to wait for.
    CHECK(server.stop().error().is(Errc::would_deadlock));
    scene.reactor.run_for(600ms);
    CHECK(server.stop());
    CHECK(scene.peer->received.empty());
}

TEST_CASE("a call outlives links that are closed under it as often as its retries allow") {
    const auto run = [](int retry) {
        PeerScene scene;
        scene.peer->credit = 0;
        scene.peer->on_message = [&](ScriptedPeer::Received& received) {
            received.delivery.accept();
            scene.peer->reply(received, R"({"response": 1})");
        };
        scene.peer->start();
        const RpcClient client(*scene.transport, Target{.topic = "t"}, {.retry = retry});
        const auto call = scene.call(client);
        int closes = 0;
        // Each time that there is a link it is closed before it has credit, three times.
        while (closes < 3 && !call.ended()) {
            const auto link = scene.peer->receivers.find("unicast.openstack.t");
            if (link != scene.peer->receivers.end()) {
                link->second.close(codec::ErrorCondition{codec::Symbol("amqp:resource-deleted"), {}, {}});
                scene.peer->receivers.erase(link);
                if (++closes == 3) scene.peer->credit = 100;
            }
            scene.reactor.run_for(100ms);
        }
        REQUIRE(scene.reactor.run_until([&] { return call.ended(); }));
        return call;
    };
    CHECK(run(3).value() == 1);
    CHECK(run(-1).value() == 1);
    CHECK(run(2).failure().is(Errc::not_sent));
}

TEST_CASE("a server's links that are closed come back one by one") {
    PeerScene scene;
    scene.peer->start();
    RpcServer server(*scene.transport, Target{.topic = "t", .server = "s"});
    int requests = 0;
    server.handle("m", [&] { ++requests; }).start();
    scene.reactor.run_for(1s);
    const std::string addresses[] = {"exclusive.openstack.t.s", "broadcast.openstack.t.all", "unicast.openstack.t"};
    for (int round = 0; round < 2; ++round)
        for (const auto& address : addresses) {
            REQUIRE(scene.peer->senders.contains(address));
            scene.peer->senders[address].close(codec::ErrorCondition{codec::Symbol("amqp:resource-deleted"), {}, {}});
            scene.peer->senders.erase(address);
            scene.reactor.run_for(10ms);
            CHECK_FALSE(server.is_ready());
            scene.reactor.run_for(1s);
            CHECK(server.is_ready());
        }
    for (const auto& address : addresses)
        CHECK(scene.peer->send(address, codec::Message(R"({"request": {"method": "m"}})")).outcome() == std::nullopt);
    scene.reactor.run_for(1s);
    CHECK(requests == 3);
}

TEST_CASE("casts without credit wait, and go when there is some") {
    PeerScene scene;
    scene.peer->credit = 0;
    scene.peer->start();
    const RpcClient client(*scene.transport, Target{.topic = "t", .fanout = true});
    int written = 0;
    for (int i = 0; i < 3; ++i)
        client.async_cast("m", {{"i", i}}, 30s, [&](std::error_code ec) {
            CHECK_FALSE(ec);
            ++written;
        });
    scene.reactor.run_for(5s);
    CHECK(written == 0);
    CHECK(scene.peer->received.empty());
    scene.peer->receivers.at("broadcast.openstack.t.all").add_credit(10);
    scene.reactor.run_for(1s);
    CHECK(written == 3);
    REQUIRE(scene.peer->received.size() == 3);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK_THAT(scene.peer->received[i]->body(), Catch::Contains("\"i\": " + std::to_string(i)));
}

TEST_CASE("what is released or modified twice is sent a third time") {
    for (const bool released : {true, false}) {
        PeerScene scene;
        int came = 0;
        scene.peer->on_message = [&](ScriptedPeer::Received& received) {
            if (++came < 3) return released ? received.delivery.release() : received.delivery.modify(false, false);
            received.delivery.accept();
            scene.peer->reply(received, R"({"response": 1})");
        };
        scene.peer->start();
        const auto call = scene.call(RpcClient(*scene.transport, Target{.topic = "t"}, {.retry = 2}));
        REQUIRE(scene.reactor.run_until([&] { return call.ended(); }));
        CHECK(call.value() == 1);
        CHECK(came == 3);
        // Each time under a name of its own.
        CHECK(scene.peer->received[0]->message.properties->message_id !=
              scene.peer->received[2]->message.properties->message_id);
    }
}

TEST_CASE("two servers hear a fanout before and after the broker was lost") {
    World world;
    const auto transport = world.transport();
    const auto second = world.transport();
    int heard = 0;
    RpcServer one(*transport, Target{.topic = "t", .server = "one"});
    RpcServer two(*second, Target{.topic = "t", .server = "two"});
    one.handle("hear", [&] { heard += 1; }).start();
    two.handle("hear", [&] { heard += 10; }).start();
    world.settle();
    const RpcClient client(*transport, Target{.topic = "t", .fanout = true});
    world.cast(client, "hear").value();
    world.settle();
    CHECK(heard == 11);
    world.stop_broker();
    world.reactor.run_for(1s);
    world.start_broker();
    REQUIRE(world.reactor.run_until([&] { return one.is_ready() && two.is_ready(); }));
    world.cast(client, "hear").value();
    world.settle();
    CHECK(heard == 22);
}

TEST_CASE("what is sent in one virtual host is not heard in another") {
    for (const std::string mode : {"legacy", "routable"}) {
        engine::BrokerOptions options;
        if (mode == "routable") {
            options.queue_patterns = {"openstack.org/om/rpc/unicast", "openstack.org/om/rpc/anycast"};
            options.topic_patterns = {"openstack.org/om/rpc/multicast"};
        }
        World world(options);
        const std::string hosts[] = {"", "A", "B", "C"};
        std::vector<std::unique_ptr<Transport>> transports;
        std::vector<std::unique_ptr<RpcServer>> servers;
        std::map<std::string, int> heard;
        for (const auto& host : hosts) {
            transports.push_back(world.transport("amqp://broker/" + host + "?addressing_mode=" + mode));
            servers.push_back(std::make_unique<RpcServer>(*transports.back(), Target{.topic = "t", .server = "s"}));
            servers.back()->handle("who", [host] { return host; });
            servers.back()->handle("hear", [&heard, host] { ++heard[host]; });
            servers.back()->start();
        }
        world.settle();
        for (std::size_t i = 0; i < 3; ++i) {
            const RpcClient client(*transports[i], Target{.topic = "t"});
            CHECK(world.call(client, "who").value() == hosts[i]);
            world.cast(client.prepare({.fanout = true}), "hear").value();
        }
        world.settle();
        CHECK(heard == std::map<std::string, int>{{"", 1}, {"A", 1}, {"B", 1}});
    }
}

TEST_CASE("short calls run while a long one times out") {
    World world;
    const auto transport = world.transport();
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    std::vector<Responder> waiting;
    server.handle_async("long", [&](Request, Responder respond) { waiting.push_back(std::move(respond)); });
    server.handle("short", [] { return 1; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto slow = world.begin_call(client, "long", {}, 5s);
    for (int i = 0; i < 10; ++i) {
        CHECK(world.call(client, "short", {}, 5s).value() == 1);
        CHECK_FALSE(slow.ended());
        world.reactor.run_for(100ms);
    }
    world.finish(slow);
    CHECK(slow.failure().is(Errc::no_reply));
    CHECK(slow.failure().elapsed == 5s);
    waiting.clear();
}
