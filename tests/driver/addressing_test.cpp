// Addresses as the peer of each connection wants them.
#include <aprotic/driver/addressing.hpp>

#include <aprotic/codec/performatives.hpp>

#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

codec::Open open_of(const char* product) {
    codec::Open open;
    if (product != nullptr) open.properties.set(codec::Symbol("product"), product);
    return open;
}

/// A broker that says it is a router, at amqp://router, and has a router's addresses only.
struct Router {
    engine::Container container;
    engine::Broker broker;

    explicit Router(World& world) : container(world.reactor, "router"), broker(container, options()) {
        REQUIRE(broker.listen({.host = "router", .port = 5672}));
    }
    static engine::BrokerOptions options() {
        engine::BrokerOptions options;
        options.queue_patterns = {"openstack.org/om/rpc/unicast", "openstack.org/om/rpc/anycast"};
        options.topic_patterns = {"openstack.org/om/rpc/multicast"};
        options.connection.properties.set(codec::Symbol("product"), "qpid-dispatch-router");
        return options;
    }
    bool has(const std::string& address) const {
        for (const auto& status : broker.nodes())
            if (status.address == address) return true;
        return false;
    }
};

}  // namespace

TEST_CASE("routable addresses are prefix, kind, exchange, topic and server") {
    const RoutableAddresser addresser({}, "");
    CHECK(addresser.rpc_address({.topic = "math"}) == "openstack.org/om/rpc/anycast/openstack/math");
    CHECK(addresser.rpc_address({.exchange = "nova", .topic = "math"}) == "openstack.org/om/rpc/anycast/nova/math");
    CHECK(addresser.rpc_address({.topic = "math", .server = "one"}) ==
          "openstack.org/om/rpc/unicast/openstack/math/one");
    CHECK(addresser.rpc_address({.topic = "math", .server = "one", .fanout = true}) ==
          "openstack.org/om/rpc/multicast/openstack/math");
    CHECK(addresser.server_addresses({.topic = "math", .server = "one"}) ==
          std::array<std::string, 3>{"openstack.org/om/rpc/unicast/openstack/math/one",
                                     "openstack.org/om/rpc/multicast/openstack/math",
                                     "openstack.org/om/rpc/anycast/openstack/math"});
}

TEST_CASE("all parts of routable addresses can be chosen") {
    TransportOptions options;
    options.rpc_address_prefix = "p";
    options.unicast_address = "u";
    options.multicast_address = "m";
    options.anycast_address = "a";
    options.default_rpc_exchange = "E";
    const RoutableAddresser addresser(options, "v");
    CHECK(addresser.server_addresses({.topic = "t", .server = "s"}) ==
          std::array<std::string, 3>{"p/u/v/E/t/s", "p/m/v/E/t", "p/a/v/E/t"});
    options.default_rpc_exchange.clear();
    options.control_exchange = "c";
    CHECK(RoutableAddresser(options, "").rpc_address({.topic = "t"}) == "p/a/c/t");
    options.control_exchange.clear();
    CHECK(RoutableAddresser(options, "").rpc_address({.topic = "t"}) == "p/a/openstack/t");
}

TEST_CASE("the addressing mode decides, and in dynamic mode the peer's product") {
    const Target target{.topic = "t"};
    const auto address = [&](const TransportOptions& options, const codec::Open& peer) {
        return make_addresser(options, "v", &peer)->rpc_address(target);
    };
    const std::string legacy = "unicast.v.openstack.t";
    const std::string routable = "openstack.org/om/rpc/anycast/v/openstack/t";
    CHECK(address({}, open_of(nullptr)) == legacy);
    CHECK(address({}, open_of("qpid-cpp")) == legacy);
    CHECK(address({}, open_of("qpid-dispatch-router")) == routable);
    CHECK(address({.addressing_mode = AddressingMode::routable}, open_of("qpid-cpp")) == routable);
    CHECK(address({.addressing_mode = AddressingMode::legacy}, open_of("qpid-dispatch-router")) == legacy);
    CHECK(address({.pseudo_vhost = false}, open_of(nullptr)) == "unicast.openstack.t");
    CHECK(make_addresser({}, "", nullptr)->rpc_address(target) == "unicast.openstack.t");
}

TEST_CASE("after each failover the addresses are those of the peer there is") {
    World world;
    std::optional<Router> router;
    TransportOptions options;
    options.connection_retry_interval = 100ms;
    const auto transport = world.transport("amqp://broker,router/v", options);
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    CHECK(world.call(client, "m", {}, 10s).value() == 1);
    CHECK(world.node("unicast.v.openstack.t"));

    world.stop_broker();
    world.settle();
    router.emplace(world);
    CHECK(world.call(client, "m", {}, 10s).value() == 1);
    CHECK(world.call(client.prepare({.server = "s"}), "m", {}, 10s).value() == 1);
    CHECK(router->has("openstack.org/om/rpc/anycast/v/openstack/t"));
    CHECK(router->has("openstack.org/om/rpc/unicast/v/openstack/t/s"));
    CHECK(router->has("openstack.org/om/rpc/multicast/v/openstack/t"));

    router.reset();
    world.settle();
    world.start_broker();
    CHECK(world.call(client, "m", {}, 10s).value() == 1);
    CHECK(world.node("exclusive.v.openstack.t.s"));
}

TEST_CASE("the broker in this process takes routable addresses where they are asked for") {
    World world;
    const auto transport = world.transport("embedded:?addressing_mode=routable");
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    CHECK(world.call(RpcClient(*transport, Target{.topic = "t"}), "m", {}, 10s).value() == 1);
}

TEST_CASE("an application may have addresses of its own") {
    struct Own final : Addresser {
        std::string rpc_address(const Target& target) const override { return "own/" + target.topic; }
        std::array<std::string, 3> server_addresses(const Target& target) const override {
            return {"own/" + target.server, "own-all/" + target.topic, "own/" + target.topic};
        }
        std::string notification_address(const Target& target, std::string_view priority) const override {
            return "own/" + target.topic + "/" + std::string(priority);
        }
    };
    engine::BrokerOptions broker;
    broker.queue_patterns = {"own"};
    broker.topic_patterns = {"own-all"};
    World world(broker);
    std::string container;
    TransportOptions options;
    options.make_addresser = [&](const codec::Open& peer) {
        container = peer.container_id;
        return std::make_shared<Own>();
    };
    const auto transport = world.transport("amqp://broker", options);
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    CHECK(world.call(RpcClient(*transport, Target{.topic = "t"}), "m", {}, 10s).value() == 1);
    CHECK(world.node("own/t"));
    CHECK(container == "aprotic-broker");
}

TEST_CASE("an application may have URLs of its own") {
    World world;
    std::vector<std::string> hosts;
    TransportOptions options;
    options.schemes.add(
        {.name = "pipe",
         .port = 99,
         .connect = [&](engine::Container& container, const TransportHost& host, engine::ConnectionOptions connection,
                        std::shared_ptr<engine::ConnectionHandler> handler) {
             hosts.push_back(host.to_string());
             return container.adopt(world.broker->connect_in_process(), false, std::move(connection),
                                    std::move(handler));
         }});
    const auto transport = world.transport("PIPE://somewhere/?idle_timeout=4", options);
    CHECK(transport->url().scheme == "pipe");
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    CHECK(world.call(RpcClient(*transport, Target{.topic = "t"}), "m", {}, 10s).value() == 1);
    CHECK(hosts == std::vector<std::string>{"somewhere:99"});

    CHECK_THROWS_WITH(world.transport("pipe://somewhere"),
                      Catch::Contains("amqp://, amqps:// or embedded: was expected"));
    CHECK_THROWS_WITH(world.transport("tube://somewhere", options), Catch::Contains("pipe://"));
    CHECK(world.transport("amqp+x://broker")->url().hosts[0].port == 5672);
}
