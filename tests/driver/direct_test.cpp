// Clients and servers with no broker between them, in virtual time.
#include <array>
#include <map>

#include "driver/world.hpp"
#include "sim/fault_network.hpp"
#include "support/certificates.hpp"

using namespace aprotic;
using namespace aprotic::test;
using namespace std::chrono_literals;

namespace {

struct DirectWorld : World {
    /// A server's own process: its transport, and what it was asked.
    struct Service {
        Service(DirectWorld& world, const std::string& host, RpcServerOptions options = {},
                const std::string& query = "", TransportOptions transport_options = {})
            : transport(world.transport("amqp+direct://" + host + ":5700/" + query, std::move(transport_options))),
              server(*transport, Target{.topic = "math", .server = host}, options) {
            server.handle("add", [this](int a, int b) { return ++calls, a + b; }, {"a", "b"});
            server.handle("who", [this, host] { return ++calls, host; });
            server.handle("note", [this](const Json& args) { notes.push_back(args); });
            server.handle_async("slow", [this](Request, Responder respond) { waiting.push_back(std::move(respond)); });
            server.start();
            world.settle();
        }
        std::unique_ptr<Transport> transport;
        RpcServer server;
        int calls = 0;
        std::vector<Json> notes;
        std::vector<Responder> waiting;
    };

    std::map<std::string, int> ask_who(const RpcClient& client, int times) {
        std::map<std::string, int> answers;
        for (int i = 0; i < times; ++i) ++answers[call(client, "who", {}, 5s).value().get<std::string>()];
        return answers;
    }
};

struct Deaf : sim::WireTap {
    void written(std::size_t, std::span<const std::byte>) override {}
    void read(std::size_t, std::size_t) override {}
};

using Service = DirectWorld::Service;
constexpr std::string_view all_three = "amqp+direct://one:5700,two:5700,three:5700/";
const Target math{.topic = "math"};

}  // namespace

TEST_CASE("direct - a call reaches a server that listens itself, and comes back") {
    DirectWorld world;
    Service service(world, "one");
    CHECK(service.server.is_ready());
    const auto transport = world.transport("amqp+direct://one:5700");
    const RpcClient client(*transport, math);
    CHECK(world.call(client, "add", {{"a", 2}, {"b", 3}}, 5s).value() == 5);
    CHECK(world.call(client.prepare({.server = "one"}), "who").value() == "one");
    CHECK(world.call(client, "nonsense").failure().is(Errc::no_such_method));
    CHECK(world.reactor.elapsed() < 1s);
    // The broker of this world has seen nothing of it.
    CHECK(world.broker->nodes().empty());
}

TEST_CASE("direct - calls are shared fairly, a named server gets its own, a fanout reaches all") {
    DirectWorld world;
    Service one(world, "one");
    Service two(world, "two");
    Service three(world, "three");
    const auto transport = world.transport(all_three);
    const RpcClient client(*transport, math);
    const auto answers = world.ask_who(client, 30);
    REQUIRE(answers.size() == 3);
    for (const auto& [name, count] : answers) CHECK((count >= 9 && count <= 11));
    for (int i = 0; i < 3; ++i) CHECK(world.call(client.prepare({.server = "two"}), "who").value() == "two");

    // All at once: each has its share of what is under way.
    std::vector<World::Pending> calls;
    for (int i = 0; i < 60; ++i) calls.push_back(world.begin_call(client, "slow", {}, 20s));
    world.settle();
    for (auto* const service : {&one, &two, &three}) {
        CHECK(service->waiting.size() == 20);
        for (auto& respond : service->waiting) respond.reply(1);
    }
    for (const auto& call : calls) world.finish(call);

    world.cast(client.prepare({.fanout = true}), "note", {{"text", "all"}}).value();
    for (int i = 0; i < 6; ++i) world.cast(client, "note", {{"text", "one of you"}}).value();
    world.settle();
    for (const auto* const service : {&one, &two, &three}) CHECK(service->notes.size() == 3);
}

TEST_CASE("direct - a fanout reaches those who are there, and fails when nobody is") {
    DirectWorld world;
    Service one(world, "one");
    const auto transport = world.transport(all_three);
    const RpcClient everybody = RpcClient(*transport, math).prepare({.fanout = true});
    CHECK(world.cast(everybody, "note", {{"n", 1}}, 5s).value().is_null());
    CHECK(world.reactor.elapsed() < 1s);
    world.settle();
    CHECK(one.notes.size() == 1);
    CHECK(world.cast(everybody.prepare({.topic = "none"}), "note", {}, 5s).failure().is(Errc::refused));
    const auto nobody = world.transport("amqp+direct://four:5700,five:5700");
    const RpcClient lost = RpcClient(*nobody, math).prepare({.fanout = true});
    CHECK(world.cast(lost, "note", {}, 5s).failure().is(Errc::unreachable));
}

TEST_CASE("direct - who does not serve an address is not asked, and when nobody does it is said at once") {
    DirectWorld world;
    Service one(world, "one");
    auto other_transport = world.transport("amqp+direct://two:5700");
    RpcServer other(*other_transport, Target{.topic = "physics", .server = "two"});
    other.handle("who", [] { return "physics"; }).start();
    world.settle();
    const auto transport = world.transport("amqp+direct://one:5700,two:5700");
    const RpcClient client(*transport, math);
    CHECK(world.ask_who(client, 4) == std::map<std::string, int>{{"one", 4}});
    CHECK(world.ask_who(client.prepare({.topic = "physics"}), 2) == std::map<std::string, int>{{"physics", 2}});
    const auto failure = world.call(client.prepare({.topic = "maths"}), "who", {}, 5s).failure();
    CHECK(failure.is(Errc::refused));
    REQUIRE(failure.condition);
    CHECK(failure.condition->condition == codec::Symbol("amqp:not-found"));
    CHECK_THAT(failure.message(), Catch::Contains("unicast.openstack.maths"));
    CHECK(failure.elapsed < 1s);

    // A server that comes later is found by the next call.
    auto late_transport = world.transport("amqp+direct://two:5701");
    RpcServer late(*other_transport, Target{.topic = "maths", .server = "two"});
    late.handle("who", [] { return "late"; }).start();
    world.settle();
    CHECK(world.call(client.prepare({.topic = "maths"}), "who", {}, 5s).value() == "late");
}

TEST_CASE("direct - what a dead server had is in doubt, the rest goes to another") {
    DirectWorld world;
    auto one = std::make_unique<Service>(world, "one");
    Service two(world, "two");
    const auto transport = world.transport("amqp+direct://one:5700,two:5700");
    const RpcClient client(*transport, math);
    world.ask_who(client, 2);
    std::vector<World::Pending> calls;
    for (int i = 0; i < 10; ++i) calls.push_back(world.begin_call(client, "slow", {}, 60s));
    world.settle();
    REQUIRE(one->waiting.size() == 5);
    REQUIRE(two.waiting.size() == 5);
    one->transport->close();
    world.settle();
    std::size_t doubtful = 0;
    for (const auto& call : calls)
        if (call.ended()) {
            ++doubtful;
            CHECK(call.failure().is(Errc::in_doubt));
            CHECK(call.failure().host == "one:5700");
        }
    CHECK(doubtful == 5);
    one.reset();
    CHECK(world.ask_who(client, 10) == std::map<std::string, int>{{"two", 10}});
    for (auto& respond : two.waiting) respond.reply(2);
    for (const auto& call : calls) world.finish(call);

    // It comes back, and is found by itself.
    Service again(world, "one");
    world.reactor.run_for(35s);
    const auto answers = world.ask_who(client, 10);
    CHECK(answers.size() == 2);
    CHECK(answers.at("one") >= 4);
}

TEST_CASE("direct - a call waits for a server within its deadline") {
    DirectWorld world;
    const auto transport = world.transport("amqp+direct://one:5700,two:5700");
    const RpcClient client(*transport, math);
    const auto failure = world.call(client, "who", {}, 3s).failure();
    CHECK(failure.is(Errc::unreachable));
    CHECK(failure.elapsed == 3s);
    CHECK_THAT(failure.message(), Catch::Contains("nothing was sent to 'unicast.openstack.math'"));
    CHECK(world.call(client.prepare({.retry = 0}), "who", {}, 30s).failure().is(Errc::unreachable));
    auto call = world.begin_call(client, "who", {}, 60s);
    world.reactor.run_for(1s);
    Service two(world, "two");
    world.finish(call);
    CHECK(call.value() == "two");
}

TEST_CASE("direct - a server without credit holds nothing, others get the work") {
    DirectWorld world;
    Service slow(world, "one", {.acknowledge = Acknowledge::after}, "?rpc_server_credit=3");
    Service quick(world, "two", {.acknowledge = Acknowledge::after}, "?rpc_server_credit=3");
    const auto transport = world.transport("amqp+direct://one:5700,two:5700");
    const RpcClient client(*transport, math);
    std::vector<World::Pending> calls;
    for (int i = 0; i < 40; ++i) calls.push_back(world.begin_call(client, "slow", {}, 20s));
    world.settle();
    for (std::size_t answered = 0; answered < quick.waiting.size(); ++answered) {
        quick.waiting[answered].reply("quick");
        world.settle();
    }
    CHECK(slow.waiting.size() == 3);
    CHECK(quick.waiting.size() == 37);
    for (auto& respond : slow.waiting) respond.reply("slow");
    for (const auto& call : calls) world.finish(call);

    // Without any credit they wait here, and the deadline says why.
    calls.clear();
    for (int i = 0; i < 7; ++i) calls.push_back(world.begin_call(client, "slow", {}, 2s));
    world.reactor.run_for(3s);
    std::size_t not_sent = 0;
    for (const auto& call : calls)
        if (call.failure().is(Errc::not_sent)) {
            ++not_sent;
            CHECK_THAT(call.failure().message(), Catch::Contains("one:5700: the peer gives no credit"));
        }
    CHECK(not_sent == 1);
}

TEST_CASE("direct - the credit of a server is shared among its clients") {
    DirectWorld world;
    Service service(world, "one", {.acknowledge = Acknowledge::after}, "?rpc_server_credit=12");
    std::vector<std::unique_ptr<Transport>> transports;
    std::vector<World::Pending> calls;
    for (int i = 0; i < 4; ++i) {
        transports.push_back(world.transport("amqp+direct://one:5700"));
        // So that every one has its link before there is work.
        world.call(RpcClient(*transports.back(), math), "who").value();
    }
    for (const auto& transport : transports)
        for (int i = 0; i < 12; ++i) calls.push_back(world.begin_call(RpcClient(*transport, math), "slow", {}, 20s));
    world.settle();
    CHECK(service.waiting.size() == 12);
    // One goes: what was its part is for the others.
    transports.pop_back();
    world.settle();
    CHECK(service.waiting.size() == 15);
    for (std::size_t answered = 0; answered < service.waiting.size(); ++answered) {
        service.waiting[answered].reply(1);
        world.settle();
    }
    std::size_t replied = 0;
    for (const auto& call : calls) replied += call.ended() && call.result->value().has_value() ? 1 : 0;
    CHECK(replied == 36);
}

TEST_CASE("direct - a server that stops finishes what runs, gives the rest back, and others take it") {
    DirectWorld world;
    Service one(world, "one", {.acknowledge = Acknowledge::after});
    Service two(world, "two", {.acknowledge = Acknowledge::after});
    const auto transport = world.transport("amqp+direct://one:5700,two:5700");
    const RpcClient client(*transport, math);
    world.ask_who(client, 2);
    std::vector<World::Pending> calls;
    for (int i = 0; i < 4; ++i) calls.push_back(world.begin_call(client, "slow", {}, 20s));
    world.settle();
    REQUIRE(one.waiting.size() == 2);
    CHECK(one.server.stop().error().is(Errc::would_deadlock));  // they need this thread
    // These were on their way when it stopped.
    for (int i = 0; i < 6; ++i) calls.push_back(world.begin_call(client, "slow", {}, 20s));
    world.settle();
    CHECK(one.waiting.size() == 2);
    CHECK(two.waiting.size() == 8);
    for (auto* const service : {&one, &two})
        for (auto& respond : service->waiting) respond.reply(1);
    for (const auto& call : calls) {
        world.finish(call);
        CHECK(call.value() == 1);
    }
    CHECK(world.ask_who(client, 4) == std::map<std::string, int>{{"two", 4}});
    CHECK(one.server.stop());
    one.server.start();
    world.reactor.run_for(11s);  // link_retry_delay
    CHECK(world.ask_who(client, 4).size() == 2);
}

TEST_CASE("direct - a server stopped with requests on their way loses none") {
    // Wherever they are: some steps further they have come, and their answers are on their way.
    const int steps = GENERATE(range(1, 12));
    DirectWorld world;
    Service one(world, "one");
    Service two(world, "two");
    const auto transport = world.transport("amqp+direct://one:5700,two:5700");
    const RpcClient client(*transport, math);
    world.ask_who(client, 2);
    std::vector<World::Pending> calls;
    for (int i = 0; i < 20; ++i) calls.push_back(world.begin_call(client, "who", {}, 20s));
    for (int i = 0; i < steps; ++i) world.reactor.step();
    // Here the answers need this thread to go.
    if (const auto stopped = one.server.stop(); !stopped) CHECK(stopped.error().is(Errc::would_deadlock));
    for (const auto& call : calls) {
        world.finish(call);
        CHECK_NOTHROW(call.value());
    }
}

TEST_CASE("direct - casts and monitored calls are as with a broker") {
    DirectWorld world;
    Service service(world, "one");
    const auto transport = world.transport("amqp+direct://one:5700");
    const RpcClient client(*transport, math);
    CHECK(world.cast(client, "note", {{"n", 1}}).value().is_null());
    world.settle();
    CHECK(service.notes.size() == 1);
    auto call = world.begin_call(client.prepare({.call_monitor_timeout = 1s}), "slow", {}, 60s);
    world.reactor.run_for(10s);
    CHECK_FALSE(call.ended());
    service.waiting.at(0).reply("done");
    world.finish(call);
    CHECK(call.value() == "done");
    const auto failure = world.call(client.prepare({.call_monitor_timeout = 1s}), "slow", {}, 5s).failure();
    CHECK(failure.is(Errc::executing));
}

TEST_CASE("direct - a client that is gone is not answered, and the server lives on") {
    DirectWorld world;
    Service service(world, "one");
    auto transport = world.transport("amqp+direct://one:5700");
    auto call = world.begin_call(RpcClient(*transport, math), "slow", {}, 20s);
    world.settle();
    transport.reset();
    world.settle();
    REQUIRE(service.waiting.size() == 1);
    service.waiting[0].reply(1);
    world.settle();
    const auto other = world.transport("amqp+direct://one:5700");
    CHECK(world.call(RpcClient(*other, math), "who").value() == "one");
    CHECK(service.server.stop());
}

TEST_CASE("direct - a server that says nothing any more is given up after the idle time-out") {
    DirectWorld world;
    sim::FaultNetwork network(world.reactor, 3, {}, [] { return std::make_shared<Deaf>(); });
    world.reactor.set_network([&](const engine::Address& to) { return network.connect(to); });
    Service one(world, "one", {}, "?idle_timeout=4");
    Service two(world, "two", {}, "?idle_timeout=4");
    const auto transport = world.transport("amqp+direct://one:5700,two:5700/?idle_timeout=4");
    const RpcClient client(*transport, math);
    REQUIRE(world.ask_who(client, 4).size() == 2);
    network.stall_one(1h);
    std::vector<World::Pending> calls;
    for (int i = 0; i < 8; ++i) calls.push_back(world.begin_call(client, "who", {}, 30s));
    std::size_t doubtful = 0;
    for (const auto& call : calls) {
        world.finish(call);
        if (!call.result->value().has_value()) {
            ++doubtful;
            CHECK(call.failure().is(Errc::in_doubt));
            CHECK(call.failure().elapsed < 6s);
        }
    }
    CHECK(doubtful == 4);
    network.heal();
    world.reactor.run_for(60s);
    CHECK(world.ask_who(client, 4).size() == 2);
    world.reactor.set_network({});
}

TEST_CASE("direct - whom the URL names may come in, others may not") {
    DirectWorld world;
    const auto server_transport = world.transport("amqp+direct://svc:secret@one:5700");
    RpcServer server(*server_transport, Target{.topic = "math", .server = "one"});
    server.handle("who", [] { return "one"; }).start();
    world.settle();
    const auto right = world.transport("amqp+direct://svc:secret@one:5700");
    CHECK(world.call(RpcClient(*right, math), "who", {}, 5s).value() == "one");
    const auto wrong = world.transport("amqp+direct://svc:guess@one:5700");
    const auto failure = world.call(RpcClient(*wrong, math), "who", {}, 5s).failure();
    CHECK(failure.is(Errc::authentication_failed));
    CHECK(failure.elapsed < 1s);
    const auto without = world.transport("amqp+direct://one:5700");
    CHECK_FALSE(world.call(RpcClient(*without, math), "who", {}, 5s).result->value().has_value());

    // Or as the application says.
    TransportOptions own;
    own.direct_accept = [](engine::ConnectionOptions& accepted) {
        accepted.sasl_server.required = true;
        accepted.sasl_server.allow_anonymous = false;
        accepted.sasl_server.verify_password = [](std::string_view user, std::string_view) { return user == "eve"; };
    };
    const auto picky = world.transport("amqp+direct://two:5700", own);
    RpcServer second(*picky, Target{.topic = "math", .server = "two"});
    second.handle("who", [] { return "two"; }).start();
    world.settle();
    const auto eve = world.transport("amqp+direct://eve:x@two:5700");
    CHECK(world.call(RpcClient(*eve, math), "who", {}, 5s).value() == "two");
    CHECK(world.call(RpcClient(*world.transport("amqp+direct://bob:x@two:5700"), math), "who", {}, 5s)
              .failure()
              .is(Errc::authentication_failed));
}

TEST_CASE("direct - over TLS, with the certificate of the options") {
    DirectWorld world;
    const Authority authority;
    const auto identity = authority.issue({.common_name = "one", .hosts = {"one"}});
    const TemporaryFile ca(authority.certificate());
    const TemporaryFile certificate(identity.certificate);
    const TemporaryFile key(identity.key);
    TransportOptions options;
    options.ssl_cert_file = certificate.path();
    options.ssl_key_file = key.path();
    const auto server_transport = world.transport("amqps+direct://one", options);
    RpcServer server(*server_transport, Target{.topic = "math", .server = "one"});
    server.handle("who", [] { return "one"; }).start();
    world.settle();
    REQUIRE(server.is_ready());
    TransportOptions trusting;
    trusting.ssl_ca_file = ca.path();
    const auto transport = world.transport("amqps+direct://one", trusting);
    CHECK(transport->url().hosts[0].port == 5671);
    CHECK(world.call(RpcClient(*transport, math), "who", {}, 5s).value() == "one");
    const auto in_clear = world.transport("amqp+direct://one:5671");
    CHECK_FALSE(world.call(RpcClient(*in_clear, math), "who", {}, 5s).result->value().has_value());
}

TEST_CASE("direct - a server says where it listens, and what keeps it from that") {
    DirectWorld world;
    CHECK_THROWS_WITH(RpcServer(*world.transport(all_three), Target{.topic = "math", .server = "x"}),
                      Catch::Contains("direct_listen"));
    CHECK_THROWS_WITH(world.transport("amqp+direct://one/?direct_listen=one:port"), Catch::Contains("direct_listen"));

    // One configuration for client and server: a list of all, and where this one is.
    const auto both = world.transport("amqp+direct://one:5700,two:5700/?direct_listen=two:5700");
    RpcServer server(*both, Target{.topic = "math", .server = "two"});
    server.handle("who", [] { return "two"; }).start();
    world.settle();
    CHECK(server.is_ready());
    CHECK(world.call(RpcClient(*both, math), "who", {}, 5s).value() == "two");

    std::vector<std::string> events;
    TransportOptions logged;
    logged.log = [&](const LogRecord& record) { events.emplace_back(record.event); };
    const auto taken = world.transport("amqp+direct://two:5700", logged);
    RpcServer blocked(*taken, Target{.topic = "math", .server = "other"});
    blocked.start();
    world.settle();
    CHECK_FALSE(blocked.is_ready());
    CHECK(events == std::vector<std::string>{"listen_failed"});
    both->close();
    world.reactor.run_for(11s);
    CHECK(blocked.is_ready());

    // A second server of a topic needs a place of its own.
    RpcServer twin(*taken, Target{.topic = "math", .server = "twin"});
    twin.start();
    world.settle();
    CHECK_FALSE(twin.is_ready());
}
