// Client and server over the embedded broker, in virtual time.
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

struct Service {
    explicit Service(World& world, std::string name = "one", std::string_view url = "amqp://broker")
        : transport(world.transport(url)), server(*transport, Target{.topic = "math", .server = std::move(name)}) {
        server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"});
        server.handle("echo", [](const Json& args) { return args; });
        server.handle("fail", [](const std::string& text) { throw MethodError("ValueError", text); }, {"text"});
        server.handle("note", [this](const Json& args) { notes.push_back(args); });
        server.handle_async("slow", [this](Request, Responder respond) { waiting.push_back(std::move(respond)); });
        server.start();
    }
    std::unique_ptr<Transport> transport;
    RpcServer server;
    std::vector<Json> notes;
    std::vector<Responder> waiting;
};

engine::BrokerOptions only_queues(std::vector<std::string> patterns) {
    engine::BrokerOptions options;
    options.queue_patterns = std::move(patterns);
    return options;
}

}  // namespace

TEST_CASE("a call comes back with its reply") {
    World world;
    Service service(world);
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    CHECK(world.call(client, "add", {{"a", 2}, {"b", 3}}, 5s).value() == 5);
    CHECK(world.call(client.prepare({.server = "one"}), "echo", {{"x", "h\xc3\xa9"}}).value() ==
          Json{{"x", "h\xc3\xa9"}});
    CHECK(service.server.is_ready());
    CHECK(world.reactor.elapsed() < 1s);
}

TEST_CASE("calls are shared among the servers of a topic, and one is reached by its name") {
    World world;
    const auto transport = world.transport();
    RpcServer one(*transport, Target{.topic = "t", .server = "one"});
    RpcServer two(*transport, Target{.topic = "t", .server = "two"});
    one.handle("who", [] { return 1; }).start();
    two.handle("who", [] { return 2; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    std::map<int, int> answers;
    for (int i = 0; i < 10; ++i) ++answers[world.call(client, "who").value().get<int>()];
    CHECK(answers == std::map<int, int>{{1, 5}, {2, 5}});
    for (int i = 0; i < 3; ++i) CHECK(world.call(client.prepare({.server = "two"}), "who").value() == 2);
}

TEST_CASE("a cast is written, a fanout reaches every server") {
    World world;
    Service one(world, "one");
    Service two(world, "two");
    world.settle();
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    CHECK(world.cast(client, "note", {{"text", "five"}}).value().is_null());
    CHECK(world.cast(client.prepare({.fanout = true}), "note", {{"text", "all"}}).value().is_null());
    world.settle();
    REQUIRE(one.notes.size() + two.notes.size() == 3);
    CHECK(one.notes.back() == Json{{"text", "all"}});
    CHECK(two.notes.back() == Json{{"text", "all"}});
}

TEST_CASE("a cast does not wait for the reply link and makes none") {
    World world;
    Service service(world);
    world.settle();
    const auto before = world.broker->nodes().size();
    const auto transport = world.transport();
    world.cast(RpcClient(*transport, Target{.topic = "math"}), "note", {{"n", 1}}).value();
    world.settle();
    CHECK(service.notes.size() == 1);
    CHECK(world.broker->nodes().size() == before);
}

TEST_CASE("a failing method is an error with the server's exception") {
    World world;
    Service service(world);
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    const auto failure = world.call(client, "fail", {{"text", "b must not be 0"}}).failure();
    CHECK(failure.is(Errc::remote_error));
    REQUIRE(failure.remote);
    CHECK(failure.remote->type == "ValueError");
    CHECK(failure.message() == "remote error: ValueError: b must not be 0");
    CHECK(failure.address == "unicast.openstack.math");
    CHECK(failure.host == "broker:5672");
    CHECK(world.call(client, "nonsense").failure().is(Errc::no_such_method));
    CHECK(world.call(client.prepare({.version = "9.0"}), "add").failure().is(Errc::unsupported_version));
    CHECK(world.call(client.prepare({.namespace_ = "x"}), "add").failure().is(Errc::unsupported_version));
    CHECK_THAT(world.call(client, "add", {{"a", 1}}).failure().text, Catch::Contains("missing required argument: 'b'"));
}

TEST_CASE("nobody listening is said with address, host and time") {
    World world;
    const auto transport = world.transport();
    const auto failure = world.call(RpcClient(*transport, Target{.topic = "maths"}), "add", {}, 2s).failure();
    CHECK(failure.is(Errc::no_reply));
    CHECK_THAT(failure.message(),
               Catch::StartsWith("no reply: nobody is listening on 'unicast.openstack.maths' at broker:5672 "
                                 "(accepted by the broker, 2.0 s)"));
    CHECK(failure.elapsed == 2s);
    CHECK(world.reactor.elapsed() < 2100ms);
}

TEST_CASE("an address the broker does not know fails at once with its condition") {
    World world(only_queues({"exclusive"}));
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    for (const auto& failure : {world.call(client, "add").failure(), world.cast(client, "add").failure()}) {
        CHECK(failure.is(Errc::refused));
        REQUIRE(failure.condition);
        CHECK(failure.condition->condition == codec::condition::not_found);
        CHECK(failure.address == "unicast.openstack.math");
        CHECK(failure.host == "broker:5672");
        CHECK_THAT(failure.message(), Catch::Contains("broker:5672 refuses the address 'unicast.openstack.math'") &&
                                          Catch::Contains("amqp:not-found"));
    }
    CHECK(world.reactor.elapsed() < 1s);
}

TEST_CASE("a host that does not resolve is named within the deadline") {
    World world;
    const auto transport = world.transport("amqp://nohost.invalid");
    const auto failure = world.call(RpcClient(*transport, Target{.topic = "math"}), "add", {}, 3s).failure();
    CHECK(failure.is(Errc::unreachable));
    CHECK(failure.elapsed == 3s);
    CHECK(failure.host == "nohost.invalid:5672");
    CHECK_THAT(failure.message(), Catch::Contains("nohost.invalid") && Catch::Contains("'unicast.openstack.math'") &&
                                      Catch::Contains("transport URL"));
}

TEST_CASE("a server that is not there is named within the deadline") {
    World world;
    const auto transport = world.transport("amqp://elsewhere:1234");
    const RpcClient client(*transport, Target{.topic = "math"});
    const auto failure = world.call(client, "add", {}, 3s).failure();
    CHECK(failure.is(Errc::unreachable));
    CHECK_THAT(failure.message(),
               Catch::Contains("elsewhere:1234") && Catch::Contains("host and port in the transport URL"));
    const auto cast = world.cast(client, "add", {}, 3s).failure();
    CHECK(cast.is(Errc::unreachable));
    SECTION("without retries at once") {
        const auto before = world.reactor.now();
        CHECK(world.call(client.prepare({.retry = 0}), "add", {}, 60s).failure().is(Errc::unreachable));
        CHECK(world.reactor.now() - before < 10s);
    }
}

TEST_CASE("a host that does not answer is named within the deadline") {
    World world;
    world.reactor.silence("quiet");
    const auto transport = world.transport("amqp://quiet");
    const auto failure = world.call(RpcClient(*transport, Target{.topic = "math"}), "add", {}, 3s).failure();
    CHECK(failure.is(Errc::unreachable));
    CHECK(failure.elapsed == 3s);
    CHECK_THAT(failure.message(), Catch::Contains("quiet:5672 has not answered within 3.0 s"));
}

TEST_CASE("wrong credentials fail at once when every host refuses them") {
    engine::BrokerOptions options;
    options.connection.sasl_server.required = true;
    options.connection.sasl_server.allow_anonymous = false;
    options.connection.sasl_server.verify_password = [](std::string_view user, std::string_view password) {
        return user == "me" && password == "secret";
    };
    World world(options);
    SECTION("right") {
        const auto transport = world.transport("amqp://me:secret@broker");
        RpcServer server(*transport, Target{.topic = "t", .server = "s"});
        server.handle("m", [] { return 1; }).start();
        CHECK(world.call(RpcClient(*transport, Target{.topic = "t"}), "m").value() == 1);
    }
    SECTION("wrong") {
        const auto transport = world.transport("amqp://me:wrong@broker");
        const auto failure = world.call(RpcClient(*transport, Target{.topic = "t"}), "m", {}, 20s).failure();
        CHECK(failure.is(Errc::authentication_failed));
        CHECK(failure.elapsed < 1s);
        CHECK_THAT(failure.message(), Catch::Contains("broker:5672") && Catch::Contains("user and password") &&
                                          Catch::Contains("'unicast.openstack.t'") && !Catch::Contains("wrong"));
    }
    SECTION("none") {
        const auto transport = world.transport("amqp://broker");
        const auto failure = world.call(RpcClient(*transport, Target{.topic = "t"}), "m", {}, 3s).failure();
        INFO(failure.message());
        CHECK((failure.is(Errc::unreachable) || failure.is(Errc::authentication_failed)));
    }
}

TEST_CASE("what TLS cannot do is told at once, and not tried again and again") {
    World world;
    const auto transport = world.transport("amqps://broker:5672/?ssl_insecure_skip_verification=true");
    const auto failure = world.call(RpcClient(*transport, Target{.topic = "t"}), "m", {}, 20s).failure();
    CHECK(failure.is(Errc::unreachable));
    CHECK(failure.elapsed < 1s);
    CHECK_THAT(failure.message(), Catch::Contains("does not speak TLS") && Catch::Contains("ssl_ca_file"));
    // Another host may have what this one has not.
    const auto two = world.transport("amqps://broker:5672,nohost.invalid/?ssl_insecure_skip_verification=true");
    CHECK(world.call(RpcClient(*two, Target{.topic = "t"}), "m", {}, 5s).failure().elapsed == 5s);
}

TEST_CASE("the next host is used when one is not there, and again when it is lost") {
    World world;
    Service service(world);
    const auto transport = world.transport("amqp://elsewhere,broker,nohost.invalid");
    const RpcClient client(*transport, Target{.topic = "math"});
    CHECK(world.call(client, "add", {{"a", 2}, {"b", 3}}, 5s).value() == 5);
    world.stop_broker();
    world.reactor.run_for(100ms);
    world.start_broker();
    CHECK(world.call(client, "add", {{"a", 1}, {"b", 1}}, 30s).value() == 2);
}

TEST_CASE("a lost broker is reported within the deadline as in doubt") {
    World world;
    auto service = std::make_unique<Service>(world);
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    const auto pending = world.begin_call(client, "slow", {}, 30s);
    REQUIRE(world.reactor.run_until([&] { return service->waiting.size() == 1; }));
    const auto before = world.reactor.now();
    world.stop_broker();
    world.finish(pending);
    CHECK(pending.failure().is(Errc::in_doubt));
    CHECK(world.reactor.now() - before < 5s);
    CHECK_THAT(pending.failure().message(),
               Catch::Contains("may have been processed") && Catch::Contains("broker:5672"));
}

TEST_CASE("what was not sent waits for the connection and goes then") {
    World world;
    world.stop_broker();
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    const auto call = world.begin_call(client, "add", {{"a", 2}, {"b", 3}}, 20s);
    const auto cast = world.begin_cast(client, "note", {{"n", 1}}, 20s);
    world.reactor.run_for(5s);
    CHECK_FALSE(call.ended());
    world.start_broker();
    Service service(world);
    world.finish(call);
    CHECK(call.value() == 5);
    CHECK(cast.value().is_null());
    world.settle();
    CHECK(service.notes.size() == 1);
}

TEST_CASE("a server's links come back after a loss") {
    World world;
    Service service(world);
    world.settle();
    CHECK(service.server.is_ready());
    world.stop_broker();
    world.settle();
    CHECK_FALSE(service.server.is_ready());
    world.start_broker();
    REQUIRE(world.reactor.run_until([&] { return service.server.is_ready(); }));
    const auto transport = world.transport();
    CHECK(world.call(RpcClient(*transport, Target{.topic = "math"}), "add", {{"a", 2}, {"b", 3}}).value() == 5);
}

TEST_CASE("a late reply is given back as undeliverable, and the client lives on", "[oslo-6]") {
    World world;
    Service service(world);
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    const auto pending = world.call(client, "slow", {}, 1s);
    CHECK(pending.failure().is(Errc::no_reply));
    REQUIRE(service.waiting.size() == 1);
    service.waiting[0].reply(1);
    world.settle();
    CHECK(world.call(client, "add", {{"a", 2}, {"b", 3}}).value() == 5);
}

TEST_CASE("a monitored call is told that it is executing, and lives as long as it has heartbeats", "[oslo-4]") {
    World world;
    Service service(world);
    const auto transport = world.transport();
    const auto client = RpcClient(*transport, Target{.topic = "math"}).prepare({.call_monitor_timeout = 4s});
    SECTION("the reply comes") {
        const auto pending = world.begin_call(client, "slow", {}, 60s);
        world.reactor.run_for(20s);
        CHECK_FALSE(pending.ended());
        service.waiting.at(0).reply("done");
        world.finish(pending);
        CHECK(pending.value() == "done");
    }
    SECTION("the deadline passes") {
        const auto pending = world.call(client, "slow", {}, 10s);
        CHECK(pending.failure().is(Errc::executing));
        CHECK(pending.failure().elapsed == 10s);
        CHECK_THAT(pending.failure().message(), Catch::Contains("heartbeats"));
        service.waiting.clear();
    }
    SECTION("the server goes away without a word") {
        const auto pending = world.begin_call(client, "slow", {}, 60s);
        world.reactor.run_for(5s);
        service.transport->close();
        service.waiting.clear();
        world.finish(pending);
        CHECK(pending.failure().is(Errc::executing));
        CHECK(pending.failure().elapsed < 10s);
    }
    SECTION("nobody is there") {
        const auto pending = world.call(client.prepare({.topic = "other"}), "slow", {}, 60s);
        CHECK(pending.failure().is(Errc::no_reply));
        CHECK(pending.failure().elapsed == 4s);
        CHECK_THAT(pending.failure().message(), Catch::Contains("call_monitor_timeout"));
    }
}

TEST_CASE("heartbeats end with the answer, whatever it is", "[oslo-14]") {
    World world;
    Service service(world);
    const auto transport = world.transport();
    const auto client = RpcClient(*transport, Target{.topic = "math"}).prepare({.call_monitor_timeout = 4s});
    CHECK(world.call(client, "missing", {}, 60s).failure().is(Errc::no_such_method));
    const auto before = world.reactor.now();
    world.reactor.run_for(100s);
    // A pulse that beats on would open the link to the reply address again and again.
    CHECK(world.call(client, "add", {{"a", 1}, {"b", 1}}).value() == 2);
    CHECK(world.reactor.now() - before < 101s);
}

TEST_CASE("a call can be cancelled") {
    World world;
    Service service(world);
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    const auto pending = world.begin_call(client, "slow", {}, 60s);
    world.settle();
    CHECK_FALSE(pending.ended());
    pending.handle.cancel();
    world.settle();
    CHECK(pending.failure().is(Errc::cancelled));
    CHECK(pending.failure().code == std::errc::operation_canceled);
    pending.handle.cancel();
    service.waiting.clear();
    world.settle();
}

TEST_CASE("closing a transport ends what is under way and refuses what comes") {
    World world;
    Service service(world);
    auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    const auto pending = world.begin_call(client, "slow", {}, 60s);
    world.settle();
    transport->close();
    CHECK_FALSE(pending.ended());
    world.settle();
    CHECK(pending.failure().is(Errc::closed));
    CHECK(world.call(client, "add").failure().is(Errc::closed));
    transport.reset();
    CHECK(world.call(client, "add").failure().is(Errc::closed));
    service.waiting.clear();
    world.settle();
}

TEST_CASE("a callback may drop the transport it came from") {
    World world;
    Service service(world);
    auto transport = world.transport();
    bool called = false;
    RpcClient(*transport, Target{.topic = "math"})
        .async_call("add", {{"a", 1}, {"b", 2}}, 5s, [&](std::error_code ec, Json reply) {
            CHECK_FALSE(ec);
            CHECK(reply == 3);
            transport.reset();
            called = true;
        });
    REQUIRE(world.reactor.run_until([&] { return called; }));
    world.settle();
}

TEST_CASE("what cannot be sent fails without being sent") {
    World world;
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    CHECK(world.call(client.prepare({.fanout = true}), "m").failure().is(Errc::invalid_target));
    CHECK(world.call(client.prepare({.topic = ""}), "m").failure().is(Errc::invalid_target));
    CHECK(world.call(client, "m", Json::array({1})).failure().is(Errc::invalid_target));
    const auto capped = client.prepare({.version_cap = "1.2"});
    CHECK(world.call(capped.prepare({.version = "1.3"}), "m").failure().is(Errc::version_capped));
    CHECK(world.cast(capped.prepare({.version = "2.0"}), "m").failure().is(Errc::version_capped));
    CHECK(capped.can_send_version("1.1"));
    CHECK_FALSE(capped.can_send_version("1.3"));
    CHECK(world.cast(capped.prepare({.version = "1.2"}), "m").value().is_null());
    const auto small = world.transport("amqp://broker/?send_queue_bytes_max=100");
    CHECK(world.cast(RpcClient(*small, Target{.topic = "math"}), "m", {{"x", std::string(100, 'x')}})
              .failure()
              .is(Errc::not_sent));
}

TEST_CASE("blocking forms refuse to run on the reactor's thread") {
    World world;
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    CHECK(client.try_call("m").error().is(Errc::would_deadlock));
    CHECK(client.try_cast("m").error().is(Errc::would_deadlock));
    CHECK_THROWS_AS(client.call("m"), RpcError);
    CHECK(transport->connect(1s).error().is(Errc::would_deadlock));
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.start();
    CHECK(server.wait_ready(1s).error().is(Errc::would_deadlock));
}

TEST_CASE("a request that is none is rejected, and the server keeps its credit", "[oslo-14]") {
    World world;
    const auto transport = world.transport("amqp://broker/?rpc_server_credit=2");
    RpcServer server(*transport, Target{.topic = "math", .server = "one"});
    server.handle("ping", [] { return "pong"; }).start();
    world.settle();
    engine::Container container(world.reactor, "raw");
    auto sender = container.connect("amqp://broker").open_sender("unicast.openstack.math");
    for (int i = 0; i < 10; ++i) {
        codec::Message message;
        message.body = codec::Value(codec::Map{{"not", "json"}});
        sender.send(message);
    }
    world.settle();
    CHECK(world.call(RpcClient(*transport, Target{.topic = "math"}), "ping").value() == "pong");
    CHECK(world.node("unicast.openstack.math")->messages == 0);
}

TEST_CASE("a stopped server leaves requests to others and can start again") {
    World world;
    Service one(world, "one");
    Service two(world, "two");
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "math"});
    world.settle();
    CHECK(one.server.stop());
    CHECK_FALSE(one.server.is_ready());
    world.settle();
    for (int i = 0; i < 4; ++i) world.cast(client, "note", {{"n", i}});
    world.settle();
    CHECK(one.notes.empty());
    CHECK(two.notes.size() == 4);
    CHECK(two.server.stop());
    const auto pending = world.begin_call(client, "add", {{"a", 1}, {"b", 2}}, 60s);
    world.reactor.run_for(5s);
    CHECK_FALSE(pending.ended());
    one.server.start();
    world.finish(pending);
    CHECK(pending.value() == 3);
}

TEST_CASE("a server whose addresses are refused says so and tries again") {
    World world(only_queues({"unicast"}));
    const auto transport = world.transport();
    RpcServer server(*transport, Target{.topic = "math", .server = "one"});
    server.start();
    world.reactor.run_for(25s);
    CHECK_FALSE(server.is_ready());
}

TEST_CASE("links nobody uses are closed after a while") {
    World world;
    const auto transport = world.transport("amqp://broker/?default_sender_link_timeout=60");
    const RpcClient client(*transport, Target{.topic = "math"});
    world.cast(client, "note").value();
    CHECK(world.node("unicast.openstack.math")->producers == 1);
    world.reactor.run_for(130s);
    CHECK(world.node("unicast.openstack.math")->producers == 0);
    world.cast(client, "note").value();
    CHECK(world.node("unicast.openstack.math")->producers == 1);
}

TEST_CASE("many calls at once each get their own reply") {
    World world;
    Service service(world);
    const auto transport = world.transport("amqp://broker/?reply_link_credit=3&rpc_server_credit=3");
    const RpcClient client(*transport, Target{.topic = "math"});
    std::vector<World::Pending> calls;
    for (int i = 0; i < 500; ++i) calls.push_back(world.begin_call(client, "add", {{"a", i}, {"b", 1}}, 30s));
    for (int i = 0; i < 500; ++i) {
        world.finish(calls[static_cast<std::size_t>(i)]);
        CHECK(calls[static_cast<std::size_t>(i)].value() == i + 1);
    }
}

TEST_CASE("a transport in process needs no address") {
    World world;
    Transport transport(world.reactor, *world.broker);
    RpcServer server(transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    CHECK(world.call(RpcClient(transport, Target{.topic = "t"}), "m").value() == 1);
}

TEST_CASE("a target without topic or server is no server's") {
    World world;
    const auto transport = world.transport();
    CHECK_THROWS_AS(RpcServer(*transport, Target{.topic = "t"}), std::invalid_argument);
    CHECK_THROWS_AS(RpcServer(*transport, Target{.server = "s"}), std::invalid_argument);
}

TEST_CASE("servers answer a ping where the option says so") {
    World world;
    const auto transport = world.transport("amqp://broker/?rpc_ping_enabled=true");
    RpcServer server(*transport, Target{.topic = "t", .namespace_ = "n", .version = "2.0", .server = "s"});
    server.start();
    const RpcClient client(*transport, Target{.topic = "t"});
    CHECK(world.call(client, "oslo_rpc_server_ping").value() == "pong");
    const auto silent = world.transport();
    RpcServer other(*silent, Target{.topic = "u", .server = "s"});
    other.handle("m", [] { return 1; }).start();
    CHECK(world.call(client.prepare({.topic = "u"}), "oslo_rpc_server_ping").failure().is(Errc::no_such_method));
}

TEST_CASE("a request acknowledged after its method is given to another server when the first goes") {
    World world;
    const auto first = world.transport();
    const auto second = world.transport();
    RpcServer slow(*first, Target{.topic = "t", .server = "one"}, {.acknowledge = Acknowledge::after});
    std::vector<Responder> waiting;
    slow.handle_async("m", [&](Request, Responder respond) { waiting.push_back(std::move(respond)); }).start();
    world.settle();
    const auto client_transport = world.transport();
    const RpcClient client(*client_transport, Target{.topic = "t"});
    auto call = world.begin_call(client, "m", {}, 20s);
    REQUIRE(world.reactor.run_until([&] { return waiting.size() == 1; }));
    CHECK(world.node("unicast.openstack.t")->messages == 1);

    RpcServer other(*second, Target{.topic = "t", .server = "two"});
    other.handle("m", [] { return 2; }).start();
    world.settle();
    CHECK_FALSE(call.ended());
    first->close();
    world.finish(call);
    CHECK(call.value() == 2);
}

TEST_CASE("a request acknowledged after its method is the peer's until the answer") {
    World world;
    const auto transport = world.transport("amqp://broker/?rpc_server_credit=2");
    RpcServer server(*transport, Target{.topic = "t", .server = "s"}, {.acknowledge = Acknowledge::after});
    std::vector<Responder> waiting;
    server.handle_async("m", [&](Request, Responder respond) { waiting.push_back(std::move(respond)); }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    std::vector<World::Pending> calls;
    for (int i = 0; i < 5; ++i) calls.push_back(world.begin_call(client, "m", {}, 20s));
    world.cast(client, "m");
    world.reactor.run_for(1s);
    CHECK(waiting.size() == 2);  // no more than the credit, however many there are
    for (std::size_t answered = 0; answered < 6; ++answered) {
        REQUIRE(waiting.size() > answered);
        waiting[answered].reply(answered);
        world.reactor.run_for(1s);
    }
    for (const auto& call : calls) CHECK(call.ended());
    CHECK(world.node("unicast.openstack.t")->messages == 0);
}
