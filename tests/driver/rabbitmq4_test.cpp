// RabbitMQ 4 as its documentation has it, played by the embedded broker: docs/intermediaries/rabbitmq-4.md
#include <algorithm>

#include <aprotic/driver/profile.hpp>

#include "driver/scripted_peer.hpp"
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

struct RabbitWorld : World {
    RabbitWorld() : World(options()) {}
    static engine::BrokerOptions options() {
        engine::BrokerOptions options;
        options.personality = engine::BrokerPersonality::rabbitmq_4;
        return options;
    }
    std::unique_ptr<Transport> rabbit(const std::string& query = "") {
        return transport("amqp://broker/?sasl_mechanisms=ANONYMOUS&link_retry_delay=1" + query);
    }
};

std::size_t count(const std::vector<engine::NodeStatus>& nodes, std::string_view part) {
    return static_cast<std::size_t>(
        std::ranges::count_if(nodes, [&](const auto& node) { return node.address.find(part) != std::string::npos; }));
}

}  // namespace

TEST_CASE("at RabbitMQ 4 queues are declared, fanouts bound, and replies come directly", "[rabbitmq-4]") {
    RabbitWorld world;
    const auto transport = world.rabbit();
    RpcServer one(*transport, Target{.topic = "t/x", .server = "one"});
    RpcServer two(*transport, Target{.topic = "t/x", .server = "two"});
    int fanouts = 0;
    for (auto* server : {&one, &two}) {
        server->handle("add", [](int a, int b) { return a + b; }, {"a", "b"});
        server->handle("note", [&] { ++fanouts; });
        server->start();
    }
    const RpcClient client(*transport, Target{.topic = "t/x"});
    CHECK(world.call(client, "add", {{"a", 2}, {"b", 3}}, 5s).value() == 5);
    CHECK(world.call(client.prepare({.server = "two"}), "add", {{"a", 2}, {"b", 2}}, 5s).value() == 4);
    world.cast(client.prepare({.fanout = true}), "note", {}, 5s);
    world.reactor.run_for(1s);
    CHECK(fanouts == 2);

    const auto nodes = world.broker->nodes();
    CHECK(count(nodes, "/queues/unicast.openstack.t%2Fx") == 1);
    CHECK(count(nodes, "/queues/exclusive.openstack.t%2Fx.two") == 1);
    CHECK(count(nodes, "/queues/broadcast.openstack.t%2Fx.all.one.") == 1);
    CHECK(count(nodes, "/queues/broadcast.openstack.t%2Fx.all.two.") == 1);
    CHECK(count(nodes, "/queues/amq.rabbitmq.reply-to.") == 1);
}

TEST_CASE("at RabbitMQ 4 a client may come first, and its request waits in the queue it declared", "[rabbitmq-4]") {
    RabbitWorld world;
    const auto transport = world.rabbit();
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto pending = world.begin_call(client, "m", {}, 30s);
    world.reactor.run_for(5s);
    CHECK_FALSE(pending.ended());
    CHECK(world.node("/queues/unicast.openstack.t")->messages == 1);
    const auto other = world.rabbit();
    RpcServer server(*other, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 7; }).start();
    world.finish(pending);
    CHECK(pending.value() == 7);
}

TEST_CASE("at RabbitMQ 4 what is exclusive goes with its connection, and comes again with the next", "[rabbitmq-4]") {
    RabbitWorld world;
    const auto transport = world.rabbit();
    int fanouts = 0;
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("note", [&] { ++fanouts; }).handle("m", [] { return 1; }).start();
    world.reactor.run_for(1s);
    CHECK(count(world.broker->nodes(), "/queues/broadcast.") == 1);
    world.stop_broker();
    world.settle();
    world.start_broker();
    const RpcClient client(*transport, Target{.topic = "t"});
    CHECK(world.call(client, "m", {}, 30s).value() == 1);
    world.cast(client.prepare({.fanout = true}), "note", {}, 5s);
    world.reactor.run_for(1s);
    CHECK(fanouts == 1);
    {
        const auto other = world.rabbit();
        RpcServer second(*other, Target{.topic = "t", .server = "s2"});
        second.start();
        world.reactor.run_for(1s);
        CHECK(count(world.broker->nodes(), "/queues/broadcast.") == 2);
    }
    world.reactor.run_for(1s);
    CHECK(count(world.broker->nodes(), "/queues/broadcast.") == 1);
}

TEST_CASE("a cast to nobody waits in a durable queue of RabbitMQ 4", "[rabbitmq-4]") {
    RabbitWorld world;
    const auto transport = world.rabbit("&amqp_durable_queues=true");
    const RpcClient client(*transport, Target{.topic = "t"});
    world.cast(client, "m", {}, 5s);
    world.settle();
    CHECK(world.node("/queues/unicast.openstack.t")->messages == 1);
}

TEST_CASE("RabbitMQ before 4.2 has no direct reply-to: replies come by an exclusive queue", "[rabbitmq-4]") {
    auto options = RabbitWorld::options();
    RabbitWorld world;
    TransportOptions older;
    older.sasl_mechanisms = {"ANONYMOUS"};
    older.adjust_profile = [](Profile& profile, const codec::Open& peer) {
        codec::Open before = peer;
        before.properties.set(codec::Symbol("version"), "4.1.3");
        profile = choose_profile({}, before);
    };
    const auto transport = world.transport("amqp://broker", older);
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    CHECK(world.call(client, "m", {}, 5s).value() == 1);
    CHECK(count(world.broker->nodes(), "/queues/aprotic.reply.") == 1);
    CHECK(count(world.broker->nodes(), "reply-to") == 0);
}

TEST_CASE("what an operator has declared otherwise is used as it is", "[rabbitmq-4]") {
    auto options = RabbitWorld::options();
    options.queues = {"unicast.openstack.t"};
    World world(options);
    const auto transport = world.transport("amqp://broker/?sasl_mechanisms=ANONYMOUS");
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    CHECK(world.call(RpcClient(*transport, Target{.topic = "t"}), "m", {}, 5s).value() == 1);
}

TEST_CASE("a queue that may not be declared is refused with what the management node says", "[rabbitmq-4]") {
    RabbitWorld world;
    const auto transport = world.rabbit("&group_request_prefix=amq.mine");
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto failure = world.call(client, "m", {}, 5s).failure();
    CHECK(failure.is(Errc::refused));
    REQUIRE(failure.condition);
    CHECK(failure.condition->condition == codec::condition::unauthorized_access);
    CHECK(failure.elapsed < 1s);
}

TEST_CASE("a management node that never answers is named when the deadline has come", "[rabbitmq-4]") {
    sim::SimReactor reactor{5};
    const auto peer = std::make_shared<ScriptedPeer>(reactor);
    peer->open.properties.set(codec::Symbol("product"), "RabbitMQ");
    peer->open.properties.set(codec::Symbol("version"), "4.2.0");
    peer->start();
    Transport transport(reactor, "amqp://peer");
    std::optional<Result<Json>> result;
    RpcClient(transport, Target{.topic = "t"}).async_call("m", Json(), 5s, [&](Result<Json> one) {
        result = std::move(one);
    });
    reactor.run_for(6s);
    REQUIRE(result);
    CHECK(result->error().is(Errc::not_sent));
    CHECK_THAT(result->error().text, Catch::Contains("what is needed before the link"));
    // Paired links, settled requests, "$me": what the node asks for.
    const auto* request = peer->attaches.empty() ? nullptr : &*std::ranges::find_if(peer->attaches, [](const auto& a) {
        return a.role == codec::Role::sender && std::get<codec::Target>(*a.target).address == "/management";
    });
    REQUIRE(request != nullptr);
    CHECK(request->snd_settle_mode == codec::SenderSettleMode::settled);
    CHECK(*request->properties.find("paired")->get_if<bool>());
    REQUIRE(peer->received.size() == 1);
    const auto& properties = *peer->received[0]->message.properties;
    CHECK(properties.to == "/queues/unicast.openstack.t");
    CHECK(properties.subject == "PUT");
    CHECK(properties.reply_to == "$me");
}

TEST_CASE("after a failover each broker is dealt with as what it is", "[rabbitmq-4][profile]") {
    World world;  // itself
    std::optional<engine::Container> container;
    std::optional<engine::Broker> other;
    const auto start_other = [&] {
        container.emplace(world.reactor, "rabbit");
        other.emplace(*container, RabbitWorld::options());
        REQUIRE(other->listen({.host = "rabbit", .port = 5672}));
    };
    const auto transport =
        world.transport("amqp://broker,rabbit/?sasl_mechanisms=ANONYMOUS&connection_retry_interval=0.1");
    int fanouts = 0;
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).handle("note", [&] { ++fanouts; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto everybody = client.prepare({.fanout = true});
    for (int round = 1; round <= 3; ++round) {
        CHECK(world.call(client, "m", {}, 30s).value() == 1);
        CHECK(world.node("unicast.openstack.t"));
        world.cast(everybody, "note", {}, 5s);
        world.reactor.run_for(1s);
        CHECK(fanouts == 2 * round - 1);

        world.stop_broker();
        world.settle();  // the loss is noticed before the next call
        start_other();
        CHECK(world.call(client, "m", {}, 30s).value() == 1);
        CHECK(count(other->nodes(), "/queues/unicast.openstack.t") == 1);
        world.cast(everybody, "note", {}, 5s);
        world.reactor.run_for(1s);
        CHECK(fanouts == 2 * round);

        other.reset();
        container.reset();
        world.settle();
        world.start_broker();
    }
}
