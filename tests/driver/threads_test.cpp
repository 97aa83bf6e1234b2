// Blocking calls from many threads over `embedded:`, on a reactor with a thread of its own.
#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include <aprotic/driver/notification_listener.hpp>
#include <aprotic/driver/notifier.hpp>
#include <aprotic/driver/rpc.hpp>
#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/container.hpp>

using namespace aprotic::driver;

TEST_CASE("the first program of the README runs") {
    Transport transport("embedded:");

    RpcServer server(transport, Target{.topic = "math", .server = "one"});
    std::promise<std::string> logged;
    std::promise<void> refreshed;
    server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"});
    server.handle("log", [&](const std::string& text) { logged.set_value(text); }, {"text"});
    server.handle("refresh", [&] { refreshed.set_value(); });
    server.start();

    RpcClient client(transport, Target{.topic = "math"});
    int sum = client.call<int>("add", {{"a", 2}, {"b", 3}}, 5s);
    client.cast("log", {{"text", "five"}});
    client.prepare({.fanout = true}).cast("refresh");
    CHECK(sum == 5);
    CHECK(logged.get_future().get() == "five");
    CHECK(refreshed.get_future().wait_for(5s) == std::future_status::ready);
}

TEST_CASE("many threads call at once") {
    Transport transport;
    RpcServer server(transport, Target{.topic = "math", .server = "one"});
    server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"}).start();
    REQUIRE(server.wait_ready(5s));
    const RpcClient client(transport, Target{.topic = "math"});
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) right += client.call<int>("add", {{"a", t}, {"b", i}}, 30s) == t + i;
        });
    for (auto& thread : threads) thread.join();
    CHECK(right == 400);
}

TEST_CASE("a method may itself call, and slow methods do not hold up others") {
    Transport transport;
    RpcServer server(transport, Target{.topic = "math", .server = "one"});
    const RpcClient client(transport, Target{.topic = "math"});
    std::promise<void> release;
    auto released = release.get_future().share();
    server.handle("outer", [&](int n) { return client.call<int>("inner", {{"n", n}}, 10s) + 1; }, {"n"});
    server.handle("inner", [](int n) { return n * 2; }, {"n"});
    server.handle("wait", [released] {
        released.wait();
        return 1;
    });
    server.start();
    CHECK(client.call<int>("outer", {{"n", 5}}, 10s) == 11);
    std::vector<std::future<int>> slow;
    for (int i = 0; i < 5; ++i)
        slow.push_back(std::async(std::launch::async, [&] { return client.call<int>("wait", {}, 30s); }));
    CHECK(client.call<int>("inner", {{"n", 2}}, 10s) == 4);
    release.set_value();
    for (auto& each : slow) CHECK(each.get() == 1);
}

TEST_CASE("errors are thrown with all that is known") {
    Transport transport;
    RpcServer server(transport, Target{.topic = "math", .server = "one"});
    server.handle("fail", []() -> int { throw MethodError("KeyError", "x"); });
    server.handle("text", [] { return "text"; });
    server.start();
    const RpcClient client(transport, Target{.topic = "math"});
    try {
        client.call("fail", {}, 5s);
        FAIL("did not throw");
    } catch (const RpcError& error) {
        CHECK(error.code() == Errc::remote_error);
        REQUIRE(error.failure().remote);
        CHECK(error.failure().remote->type == "KeyError");
        CHECK(std::string(error.what()) == "remote error: KeyError: x");
    }
    CHECK_THROWS_WITH(client.call<int>("text", {}, 5s),
                      Catch::StartsWith("bad reply: the reply \"text\" is not of the type asked for"));
    const auto nobody = client.prepare({.topic = "maths"}).try_call("add", {}, 200ms);
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().is(Errc::no_reply));
    CHECK(nobody.error().elapsed >= 200ms);
}

TEST_CASE("a server that is not there is told within the deadline on real sockets") {
    // Port 1 of the loopback: nobody listens there.
    Transport transport("amqp://127.0.0.1:1");
    const RpcClient client(transport, Target{.topic = "math"});
    const auto result = client.try_call("add", {}, 300ms);
    REQUIRE_FALSE(result);
    CHECK(result.error().is(Errc::unreachable));
    CHECK_THAT(result.error().message(), Catch::Contains("127.0.0.1:1") && Catch::Contains("'unicast.openstack.math'"));
    const auto connected = transport.connect(200ms);
    REQUIRE_FALSE(connected);
    CHECK(connected.error().is(Errc::unreachable));
}

TEST_CASE("connect waits for the connection") {
    Transport transport;
    CHECK(transport.connect(5s));
}

TEST_CASE("stop waits for running methods and their replies") {
    Transport transport;
    RpcServer server(transport, Target{.topic = "math", .server = "one"});
    std::promise<void> begun;
    std::promise<void> release;
    auto released = release.get_future().share();
    server.handle("wait", [&] {
        begun.set_value();
        released.wait();
        return 7;
    });
    server.start();
    const RpcClient client(transport, Target{.topic = "math"});
    std::promise<Json> answer;
    client.async_call("wait", {}, 10s, [&](std::error_code, Json reply) { answer.set_value(std::move(reply)); });
    begun.get_future().wait();
    const auto early = server.stop(10ms);
    REQUIRE_FALSE(early);
    CHECK(early.error().is(Errc::timed_out));
    release.set_value();
    CHECK(server.stop(10s));
    CHECK(answer.get_future().get() == 7);
}

TEST_CASE("a listener that stops settles what it handles before its links go") {
    aprotic::engine::Container container;
    aprotic::engine::Broker broker(container);
    Transport transport(container.reactor(), broker);
    NotificationListener listener(transport, {{.topic = "t"}}, {.threads = 1});
    std::promise<void> begun;
    std::promise<void> release;
    listener.on(Priority::info, [&](const Notification&) {
        begun.set_value();
        release.get_future().wait();
    });
    listener.start();
    REQUIRE(listener.wait_ready(5s));
    Notifier(transport, {.topics = {"t"}}).info("e");
    begun.get_future().wait();

    auto stopped = std::async(std::launch::async, [&] { return listener.stop(30s).has_value(); });
    const auto pass_the_reactor = [&] {
        std::promise<void> passed;
        container.reactor().post([&] { passed.set_value(); });
        passed.get_future().wait();
    };
    while (listener.is_ready()) pass_the_reactor();
    for (int i = 0; i < 10; ++i) pass_the_reactor();
    release.set_value();
    CHECK(stopped.get());
    const auto node = [&] {
        for (const auto& each : broker.nodes())
            if (each.address == "unicast.openstack.t.info") return each;
        return aprotic::engine::NodeStatus{};
    };
    while (node().consumers > 0) pass_the_reactor();
    CHECK(node().messages == 0);
}

TEST_CASE("callers that wait are told when the transport is closed") {
    auto transport = std::make_unique<Transport>();
    const RpcClient client(*transport, Target{.topic = "math"});
    auto waiting = std::async(std::launch::async, [&] { return client.try_call("add", {}, 60s); });
    while (waiting.wait_for(20ms) != std::future_status::ready) transport->close();
    const auto result = waiting.get();
    REQUIRE_FALSE(result);
    CHECK(result.error().is(Errc::closed));
    transport.reset();
    CHECK(client.try_call("add", {}, 60s).error().is(Errc::closed));
    CHECK(client.try_cast("add").error().is(Errc::closed));
}

TEST_CASE("a server and its clients may outlive the transport") {
    auto transport = std::make_unique<Transport>();
    RpcServer server(*transport, Target{.topic = "math", .server = "one"});
    server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"}).start();
    const RpcClient client(*transport, Target{.topic = "math"});
    CHECK(client.call<int>("add", {{"a", 2}, {"b", 3}}, 5s) == 5);
    transport.reset();
    CHECK(client.try_call("add").error().is(Errc::closed));
    CHECK(server.stop());
}
