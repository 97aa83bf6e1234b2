// Calls that are given up, and servers that hear of it.
#include <atomic>
#include <future>

#include <aprotic/driver/bus/cancellations.hpp>

#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;
using aprotic::driver::bus::Cancellations;

namespace {

/// A server whose method waits, and what it was asked.
struct Waiting {
    explicit Waiting(World& world, std::string name = "one", RpcServerOptions options = {})
        : transport(world.transport()), server(*transport, Target{.topic = "t", .server = std::move(name)}, options) {
        server.handle_async("m", [this](Request request, Responder respond) {
            requests.push_back(std::move(request));
            responders.push_back(std::move(respond));
        });
        server.start();
        world.settle();
    }
    bool stopped(std::size_t i = 0) const { return requests.at(i).cancelled.stop_requested(); }

    std::unique_ptr<Transport> transport;
    RpcServer server;
    std::vector<Request> requests;
    std::vector<Responder> responders;
};

}  // namespace

TEST_CASE("cancelling a cancellable call stops the token of its method") {
    World world;
    Waiting one(world, "one");
    Waiting two(world, "two");
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "t"}, {.cancellable = true});
    const auto call = world.begin_call(client, "m", {}, 60s);
    const auto other = world.begin_call(client, "m", {}, 60s);
    world.settle();
    REQUIRE(one.requests.size() == 1);
    REQUIRE(two.requests.size() == 1);
    Waiting& asked = one;
    bool called_back = false;
    const std::stop_callback callback(asked.requests[0].cancelled, [&] { called_back = true; });
    CHECK(asked.responders[0].cancelled().stop_possible());
    CHECK_FALSE(asked.stopped());

    call.handle.cancel();
    world.settle();
    CHECK(call.failure().is(Errc::cancelled));
    // Which of the two has it is the broker's choice.
    CHECK(one.stopped() != two.stopped());
    CHECK(called_back == one.stopped());
    CHECK(one.responders[0].cancelled().stop_requested() == one.stopped());
    CHECK_FALSE(other.ended());
    (one.stopped() ? two : one).responders[0].reply(7);
    world.finish(other);
    CHECK(other.value() == 7);
}

TEST_CASE("a call that is not cancellable tells nobody") {
    World world;
    Waiting one(world);
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto call = world.begin_call(client, "m", {}, 60s);
    world.settle();
    CHECK_FALSE(one.requests.at(0).cancelled.stop_possible());
    call.handle.cancel();
    world.settle();
    CHECK(call.failure().is(Errc::cancelled));
    CHECK_FALSE(one.stopped());
    CHECK(world.node("broadcast.openstack.t.all")->producers == 0);
}

TEST_CASE("the deadline of a cancellable call stops its token, at the server itself") {
    World world;
    Waiting one(world);
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "t"}, {.cancellable = true});
    SECTION("the client is there") {
        const auto call = world.call(client, "m", {}, 5s);
        CHECK(call.failure().is(Errc::no_reply));
        world.settle();
        CHECK(one.stopped());
    }
    SECTION("the client has gone") {
        world.begin_call(client, "m", {}, 5s);
        world.settle();
        transport->close();
        world.reactor.run_for(4900ms);
        CHECK_FALSE(one.stopped());
        world.reactor.run_for(200ms);
        CHECK(one.stopped());
    }
    SECTION("an answer in time comes before it") {
        const auto call = world.begin_call(client, "m", {}, 5s);
        world.settle();
        one.responders[0].reply(1);
        world.finish(call);
        world.reactor.run_for(10s);
        CHECK_FALSE(one.stopped());
    }
}

TEST_CASE("a named server is told at its own address") {
    World world;
    Waiting one(world, "one");
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "t", .server = "one"}, {.cancellable = true});
    const auto call = world.begin_call(client, "m", {}, 60s);
    world.settle();
    call.handle.cancel();
    world.settle();
    CHECK(one.stopped());
    CHECK(world.node("broadcast.openstack.t.all")->producers == 0);
}

TEST_CASE("a server that has told that it works on a call is told alone that it is given up") {
    World world;
    Waiting one(world, "one");
    const auto transport = world.transport();
    const RpcClient client(*transport, Target{.topic = "t"}, {.call_monitor_timeout = 2s, .cancellable = true});
    const auto call = world.begin_call(client, "m", {}, 60s);
    world.reactor.run_for(3s);
    call.handle.cancel();
    world.settle();
    CHECK(one.stopped());
    CHECK(world.node("exclusive.openstack.t.one")->producers == 1);
    CHECK(world.node("broadcast.openstack.t.all")->producers == 0);
}

TEST_CASE("a call given up while it waits for a worker is not run") {
    Transport transport("embedded:");
    RpcServer server(transport, Target{.topic = "t", .server = "s"}, {.threads = 1});
    std::promise<void> begun;
    std::promise<void> release;
    auto released = release.get_future().share();
    std::atomic<int> runs = 0;
    server.handle("hold", [&, released] {
        begun.set_value();
        released.wait();
    });
    server.handle("m", [&] { return ++runs; });
    server.start();
    REQUIRE(server.wait_ready(5s));
    const RpcClient client(transport, Target{.topic = "t"}, {.cancellable = true});
    client.async_call("hold", {}, 30s, [](std::error_code, Json) {});
    begun.get_future().wait();
    std::promise<std::error_code> ended;
    // Accepted by the broker, and by a server whose only worker is busy.
    const CallHandle call = client.async_call("m", {}, 30s, [&](std::error_code ec, Json) { ended.set_value(ec); });
    CHECK(client.prepare({.topic = "nobody"}).try_call("m", {}, 100ms).error().is(Errc::no_reply));
    call.cancel();
    CHECK(ended.get_future().get() == Errc::cancelled);
    CHECK(client.prepare({.topic = "nobody"}).try_call("m", {}, 100ms).error().is(Errc::no_reply));
    release.set_value();
    CHECK(client.call<int>("m", {}, 30s) == 1);
}

TEST_CASE("a call that never left is given up without a word") {
    World world;
    engine::BrokerOptions only_unicast;
    const auto transport = world.transport("amqp://elsewhere");
    const RpcClient client(*transport, Target{.topic = "t"}, {.cancellable = true});
    const auto call = world.begin_call(client, "m", {}, 60s);
    world.settle();
    call.handle.cancel();
    world.settle();
    CHECK(call.failure().is(Errc::cancelled));
}

TEST_CASE("a notice may come before its request, and what nobody asked for is bounded") {
    sim::SimReactor reactor;
    Cancellations cancellations(reactor);
    cancellations.notice("early");
    CHECK(cancellations.expect("early", {}).stop_requested());
    CHECK_FALSE(cancellations.expect("other", {}).stop_requested());
    cancellations.notice("other");
    CHECK(cancellations.expect("other", {}).stop_requested());  // a second delivery of the same
    cancellations.forget("other");
    CHECK(cancellations.size() == 2);
    cancellations.forget("other");
    cancellations.forget("early");
    cancellations.forget("nothing");
    CHECK(cancellations.size() == 0);

    for (int i = 0; i < 1500; ++i) cancellations.notice("n" + std::to_string(i));
    CHECK_FALSE(cancellations.expect("n0", {}).stop_requested());
    CHECK_FALSE(cancellations.expect("n499", {}).stop_requested());
    CHECK(cancellations.expect("n500", {}).stop_requested());
    CHECK(cancellations.expect("n1499", {}).stop_requested());

    auto late = cancellations.expect("late", reactor.now() + 5s);
    auto answered = cancellations.expect("answered", reactor.now() + 5s);
    cancellations.forget("answered");
    reactor.run_for(5s);
    CHECK(late.stop_requested());
    CHECK_FALSE(answered.stop_requested());
}
