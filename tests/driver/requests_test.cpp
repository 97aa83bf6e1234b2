// What goes with a request beside its method and arguments: serializers, deadlines, traces; who may be called, and what
// becomes of exceptions.
#include <chrono>
#include <future>
#include <thread>

#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// Says of each value whose it was on which way.
struct Marking final : Serializer {
    explicit Marking(std::string name) : by(std::move(name)) {}
    Json serialize_entity(const Json& context, Json entity) const override {
        if (entity == "unfit") throw std::runtime_error("unfit value");
        return Json{{by, std::move(entity)}, {"user", context.value("user", "")}};
    }
    Json deserialize_entity(const Json&, Json entity) const override {
        if (!entity.is_object()) throw std::runtime_error("no marked value");
        return entity.at(by);
    }
    Json serialize_context(Json context) const override { return Json{{"packed", std::move(context)}}; }
    Json deserialize_context(Json context) const override { return context.at("packed"); }
    const std::string by;
};

struct Records {
    std::vector<LogRecord> all;
    LogHook hook() {
        return [this](const LogRecord& record) { all.push_back(record); };
    }
    std::size_t count(std::string_view event) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(all, [&](const auto& record) { return record.event == event; }));
    }
};

}  // namespace

TEST_CASE("a serializer turns arguments, replies and the context into their form on the wire and back") {
    World world;
    const auto transport = world.transport();
    const auto marking = std::make_shared<Marking>("value");
    RpcServer server(*transport, Target{.topic = "t", .server = "s"}, {.serializer = marking});
    Json seen;
    server.handle("m", [&](const Request& request, const Json& args) {
        seen = Json{{"args", args}, {"context", request.context}};
        return args["a"];
    });
    server.handle("bad", [] { return "unfit"; }).start();
    const Json context = {{"user", "alice"}};
    const RpcClient plain(*transport, Target{.topic = "t"}, {.context = context});
    const RpcClient client = plain.prepare({.serializer = marking});
    CHECK(world.call(client, "m", {{"a", 5}, {"b", nullptr}}).value() == 5);
    CHECK(seen == Json{{"args", {{"a", 5}, {"b", nullptr}}}, {"context", context}});

    // What it throws ends the request, on either side.
    const auto unsent = world.call(client, "m", {{"a", "unfit"}}).failure();
    CHECK(unsent.is(Errc::invalid_target));
    CHECK_THAT(unsent.text, Catch::Contains("unfit value"));
    CHECK(world.cast(client, "m", {{"a", "unfit"}}).failure().is(Errc::invalid_target));
    const auto unread = world.call(plain.prepare({.context = Json{{"packed", context}}}), "m", {{"a", 1}}).failure();
    CHECK(unread.is(Errc::remote_error));
    CHECK_THAT(unread.text, Catch::Contains("the serializer refuses the request: no marked value"));
    CHECK_THAT(world.call(client, "bad").failure().text, Catch::Contains("the serializer refuses the reply"));

    // Only one side has it: the wire's form shows.
    RpcServer open(*transport, Target{.topic = "u", .server = "s"});
    open.handle("m", [](const Json& args) { return args; }).start();
    const auto on_wire = world.call(plain.prepare({.topic = "u"}), "m", {{"a", 1}});
    CHECK(on_wire.value() == Json{{"a", 1}});
    const auto undone = world.call(client.prepare({.topic = "u"}), "m", {{"a", 1}}).failure();
    CHECK(undone.is(Errc::bad_reply));
    CHECK_THAT(undone.text, Catch::Contains("the serializer refuses the reply"));
    // And a client goes back to plain JSON by a null one.
    CHECK(world.call(client.prepare({.topic = "u", .serializer = nullptr}), "m", {{"a", 1}}).value() == Json{{"a", 1}});
}

TEST_CASE("a request is not run when its time was over before its turn came") {
    // One worker, on threads: the second request waits for it longer than its caller does.
    Records records;
    TransportOptions options;
    options.log = records.hook();
    Transport transport("embedded:", options);
    RpcServer server(transport, Target{.topic = "t", .server = "s"}, {.threads = 1});
    std::promise<void> release;
    auto released = release.get_future().share();
    std::atomic<int> runs = 0;
    std::promise<std::optional<engine::Instant>> deadline;
    server.handle("hold", [&, released](const Request& request) {
        deadline.set_value(request.deadline);
        released.wait();
    });
    server.handle("m", [&] { return ++runs; });
    server.start();
    REQUIRE(server.wait_ready(5s));
    const RpcClient client(transport, Target{.topic = "t"});
    const auto before = std::chrono::steady_clock::now();
    client.async_call("hold", {}, 30s, [](std::error_code, Json) {});
    const auto until = deadline.get_future().get();
    REQUIRE(until);
    CHECK(*until > before + 25s);
    CHECK(*until < std::chrono::steady_clock::now() + 31s);
    CHECK(client.try_call("m", {}, 50ms).error().is(Errc::no_reply));
    // The server counts from the receipt, so a little longer.
    CHECK(client.prepare({.topic = "nobody"}).try_call("m", {}, 100ms).error().is(Errc::no_reply));
    release.set_value();
    CHECK(client.call<int>("m", {}, 30s) == 1);  // the one of before was not run
    CHECK(server.stop());
    std::promise<std::size_t> dropped;
    transport.reactor().post([&] { dropped.set_value(records.count("request_dropped")); });
    CHECK(dropped.get_future().get() == 1);
}

TEST_CASE("the time to live is what is left when a call goes out, and a method sees its deadline") {
    World world;
    world.stop_broker();
    const auto transport = world.transport();
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    std::optional<engine::Instant> deadline;
    server.handle("m", [&](const Request& request) { deadline = request.deadline; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto begun = world.reactor.now();
    const auto call = world.begin_call(client, "m", {}, 20s);
    world.reactor.run_for(5s);
    world.start_broker();
    world.finish(call);
    CHECK(call.value().is_null());
    REQUIRE(deadline);
    // Not twenty seconds from the receipt: the peer was told what was left.
    CHECK(*deadline <= begun + 20s + 10ms);
    CHECK(*deadline > begun + 19s);
    world.cast(client, "m");
    world.settle();
    CHECK_FALSE(deadline);
}

TEST_CASE("a trace goes with requests that are given one, or with all by the hook") {
    World world;
    const auto transport = world.transport();
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    std::vector<std::optional<TraceContext>> seen;
    server.handle("m", [&](const Request& request) { seen.push_back(request.trace); }).start();
    const TraceContext given{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=value"};
    const RpcClient client(*transport, Target{.topic = "t"});
    world.call(client, "m").value();
    world.call(client.prepare({.trace = given}), "m").value();
    world.cast(client.prepare({.trace = TraceContext{given.traceparent}}), "m").value();
    world.call(client.prepare({.trace = TraceContext{std::string(600, 'x')}}), "m").value();
    int made = 0;
    TransportOptions options;
    options.make_trace = [&made] { return TraceContext{"00-made-" + std::to_string(++made)}; };
    const auto traced = world.transport("amqp://broker", options);
    const RpcClient all(*traced, Target{.topic = "t"});
    world.call(all, "m").value();
    world.call(all.prepare({.trace = given}), "m").value();
    world.settle();
    REQUIRE(seen.size() == 6);
    CHECK_FALSE(seen[0]);
    CHECK(seen[1] == given);
    CHECK(seen[2] == TraceContext{given.traceparent});
    CHECK_FALSE(seen[3]);  // nobody's trace is that long
    CHECK(seen[4] == TraceContext{"00-made-1"});
    CHECK(seen[5] == given);
}

TEST_CASE("what a method throws is told to the log unless it is a MethodError or expected") {
    World world;
    Records records;
    TransportOptions options;
    options.log = records.hook();
    const auto transport = world.transport("amqp://broker", options);
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("chosen", [] { throw MethodError("ValueError", "no"); });
    server.handle("expected", [] { throw std::out_of_range("beyond"); });
    server.handle("surprise", [] { throw std::runtime_error("oops"); });
    server.handle("odd", [] { throw 1; });
    server.handle_async("later", [](Request, Responder) { throw std::runtime_error("not to be sent"); });
    server.dispatcher().endpoint().expect<std::out_of_range, std::domain_error>();
    server.start();
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto message = [&](const char* method) { return world.call(client, method).failure().remote->message; };
    CHECK(message("chosen") == "no");
    CHECK(message("expected") == "beyond");
    CHECK(world.call(client, "nonsense").failure().is(Errc::no_such_method));
    CHECK(world.call(client, "chosen", {{"x", 1}}).failure().is(Errc::remote_error));
    world.settle();
    CHECK(records.count("method_failed") == 0);
    CHECK(message("surprise") == "oops");
    CHECK_THAT(message("odd"), Catch::Contains("no std::exception"));
    CHECK_THAT(message("later"), Catch::Contains("dropped"));
    world.settle();
    CHECK(records.count("method_failed") == 3);
    const auto& record = records.all.back();
    CHECK(record.level == LogLevel::warning);
    CHECK_THAT(record.text, Catch::Contains("'later'") && Catch::Contains("not to be sent"));
}

TEST_CASE("versions are checked against the cap of a prepared client") {
    World world;
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "t"});
    struct Case {
        const char* cap;
        const char* version;
        bool may;
    };
    const Case cases[] = {{nullptr, nullptr, true}, {nullptr, "1.1", true},   {"1.1", nullptr, true},
                          {"1.1", "1.1", true},     {"1.1", "1.0", true},     {"1.1", "1.2", false},
                          {"2.0", "1.0", false},    {"1.5.2", "1.5.2", true}, {"1.5.2", "1.5.3", false}};
    for (const auto& each : cases) {
        CallOptions asked;
        if (each.cap != nullptr) asked.version_cap = each.cap;
        if (each.version != nullptr) asked.version = each.version;
        const RpcClient prepared = client.prepare(asked);
        INFO((each.cap ? each.cap : "none") << " for " << (each.version ? each.version : "none"));
        CHECK(prepared.can_send_version() == each.may);
        if (each.version != nullptr) {
            CallOptions only_cap;
            only_cap.version_cap = asked.version_cap;
            CHECK(client.prepare(only_cap).can_send_version(each.version) == each.may);
        }
        const auto cast = world.cast(prepared, "m");
        CHECK(cast.result->value().has_value() == each.may);
        if (!each.may) CHECK(cast.failure().is(Errc::version_capped));
    }
    for (const char* none : {"1", "abc", "1.x", ""}) {
        const auto failure = world.cast(client.prepare({.version = none}), "m").failure();
        CHECK(failure.is(Errc::invalid_target));
        CHECK_THAT(failure.text, Catch::Contains("major.minor was expected"));
    }
}

TEST_CASE("a cast at least once is the peer's when it has ended") {
    World world;
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "t"}, {.at_least_once = true});
    world.cast(client, "m").value();
    CHECK(world.node("unicast.openstack.t")->messages == 1);
}
