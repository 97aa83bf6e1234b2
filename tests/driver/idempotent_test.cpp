// Requests that may be repeated: sent again when in doubt, run once.
#include <aprotic/driver/bus/reply_window.hpp>

#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;
using aprotic::driver::bus::ReplyWindow;
using Kind = ReplyWindow::Verdict::Kind;

namespace {

constexpr std::string_view url = "amqp://broker/?connection_retry_interval_max=1";

ReplyWindow::Text text(std::string of) { return std::make_shared<const std::string>(std::move(of)); }

struct Shop {
    explicit Shop(World& world, RpcServerOptions options = {})
        : transport(world.transport(url)), server(*transport, Target{.topic = "t", .server = "one"}, options) {
        server.handle("buy", [this](int n) { return Json{{"bought", n}, {"run", ++runs}}; }, {"n"});
        server.handle("fail", [this] {
            ++runs;
            throw MethodError("ValueError", "no " + std::to_string(runs));
        });
        server.handle_async("slow", [this](Request request, Responder respond) {
            ++runs;
            keys.push_back(request.idempotency_key.value_or(""));
            requests.push_back(std::move(request));
            waiting.push_back(std::move(respond));
        });
        server.start();
    }
    std::unique_ptr<Transport> transport;
    RpcServer server;
    int runs = 0;
    std::vector<std::string> keys;
    std::vector<Request> requests;
    std::vector<Responder> waiting;
};

}  // namespace

TEST_CASE("a call with the key of an earlier one gets that one's reply") {
    World world;
    Shop shop(world);
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"});
    const RpcClient order = client.prepare({.idempotency_key = "order-17"});
    const Json first = world.call(order, "buy", {{"n", 2}}).value();
    CHECK(first == Json{{"bought", 2}, {"run", 1}});
    CHECK(world.call(order, "buy", {{"n", 2}}).value() == first);
    CHECK(shop.runs == 1);
    const auto misused = world.call(order, "buy", {{"n", 3}}).failure();
    CHECK(misused.is(Errc::remote_error));
    CHECK(misused.remote->type == "ValueError");
    CHECK_THAT(misused.text, Catch::Contains("idempotency key"));
    CHECK(world.call(client.prepare({.idempotency_key = "order-18"}), "buy", {{"n", 2}}).value()["run"] == 2);
    CHECK(world.call(client, "buy", {{"n", 2}}).value()["run"] == 3);
    CHECK(world.call(client.prepare({.idempotent = true}), "buy", {{"n", 2}}).value()["run"] == 4);

    // A failure is an answer too.
    const RpcClient failing = client.prepare({.idempotency_key = "f"});
    CHECK(world.call(failing, "fail").failure().remote->message == "no 5");
    CHECK(world.call(failing, "fail").failure().remote->message == "no 5");
    for (const std::string& key : {std::string(), std::string(129, 'k')})
        CHECK(world.call(client.prepare({.idempotency_key = key}), "buy").failure().is(Errc::invalid_target));
}

TEST_CASE("a repeat while the first runs waits for the same answer") {
    World world;
    Shop shop(world);
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"}, {.idempotency_key = "k"});
    const auto first = world.begin_call(client, "slow", {}, 60s);
    const auto second = world.begin_call(client, "slow", {}, 60s);
    world.reactor.run_for(1s);
    REQUIRE(shop.waiting.size() == 1);
    CHECK(shop.keys == std::vector<std::string>{"k"});
    shop.waiting[0].reply("done");
    world.finish(first);
    world.finish(second);
    CHECK(first.value() == "done");
    CHECK(second.value() == "done");
    CHECK(shop.runs == 1);
}

TEST_CASE("an idempotent call is sent again when its connection is lost, and runs once") {
    World world;
    Shop shop(world);
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"}, {.idempotent = true});
    const auto call = world.begin_call(client, "slow", {}, 60s);
    REQUIRE(world.reactor.run_until([&] { return shop.waiting.size() == 1; }));
    world.stop_broker();
    SECTION("it still runs when the repeat comes") {
        world.reactor.run_for(100ms);
        world.start_broker();
        world.reactor.run_for(10s);
        CHECK_FALSE(call.ended());
        CHECK(shop.waiting.size() == 1);
        shop.waiting[0].reply("done");
        world.finish(call);
        CHECK(call.value() == "done");
    }
    SECTION("it was answered, and the reply lost") {
        shop.waiting[0].reply("done");
        world.reactor.run_for(40s);  // the reply's own deadline
        CHECK_FALSE(call.ended());
        world.start_broker();
        world.finish(call);
        CHECK(call.value() == "done");
    }
    SECTION("the deadline passes: it is in doubt, not unsent") {
        world.finish(call);
        CHECK(call.failure().is(Errc::in_doubt));
        CHECK(call.failure().elapsed == 60s);
        CHECK_THAT(call.failure().text, Catch::Contains("it had been sent before"));
    }
    CHECK(shop.runs == 1);
    CHECK(shop.keys.at(0).size() == 32);
}

TEST_CASE("without retries, or unmarked, what is in doubt is told at once") {
    World world;
    Shop shop(world);
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"});
    const auto no_retries = world.begin_call(client.prepare({.retry = 0, .idempotent = true}), "slow", {}, 60s);
    const auto unmarked = world.begin_call(client, "slow", {}, 60s);
    REQUIRE(world.reactor.run_until([&] { return shop.waiting.size() == 2; }));
    world.stop_broker();
    world.settle();
    CHECK(no_retries.failure().is(Errc::in_doubt));
    CHECK(unmarked.failure().is(Errc::in_doubt));
}

TEST_CASE("a call whose server falls silent is given to another when it is idempotent") {
    World world;
    auto first = std::make_unique<Shop>(world);
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"}, {.call_monitor_timeout = 4s, .idempotent = true});
    const auto call = world.begin_call(client, "slow", {}, 60s);
    world.reactor.run_for(5s);
    REQUIRE(first->waiting.size() == 1);
    first->transport->close();
    Shop second(world);
    REQUIRE(world.reactor.run_until([&] { return second.waiting.size() == 1; }));
    CHECK(second.keys == first->keys);
    second.waiting[0].reply(2);
    world.finish(call);
    CHECK(call.value() == 2);
    first->waiting.clear();
}

TEST_CASE("an idempotent cast is accepted or sent again") {
    World world;
    Shop shop(world);
    world.settle();
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"}, {.idempotency_key = "c"});
    world.cast(client, "buy", {{"n", 1}}).value();
    world.cast(client, "buy", {{"n", 1}}).value();
    world.settle();
    CHECK(shop.runs == 1);
    // The broker goes before it has said anything.
    const auto cast = world.begin_cast(client.prepare({.idempotency_key = "d"}), "buy", {{"n", 2}}, 60s);
    world.stop_broker();
    world.reactor.run_for(1s);
    CHECK_FALSE(cast.ended());
    world.start_broker();
    world.finish(cast);
    CHECK(cast.value().is_null());
    world.reactor.run_for(10s);
    CHECK(shop.runs == 2);
}

TEST_CASE("what was given up is not kept, and giving a repeat up gives up what runs") {
    World world;
    Shop shop(world);
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"}, {.cancellable = true, .idempotency_key = "k"});
    const auto first = world.begin_call(client, "slow", {}, 60s);
    const auto repeat = world.begin_call(client, "slow", {}, 60s);
    world.settle();
    REQUIRE(shop.waiting.size() == 1);
    repeat.handle.cancel();
    world.settle();
    CHECK(repeat.failure().is(Errc::cancelled));
    CHECK(shop.requests[0].cancelled.stop_requested());
    shop.waiting[0].fail(MethodError("RuntimeError", "stopped").error());
    world.finish(first);
    CHECK(first.failure().remote->message == "stopped");
    const auto again = world.begin_call(client, "slow", {}, 60s);
    world.settle();
    REQUIRE(shop.waiting.size() == 2);
    shop.waiting[1].reply("second");
    world.finish(again);
    CHECK(again.value() == "second");
}

TEST_CASE("a server without a window runs every request") {
    World world;
    Shop shop(world, {.idempotency = {.count_max = 0}});
    const auto transport = world.transport(url);
    const RpcClient client(*transport, Target{.topic = "t"}, {.idempotency_key = "k"});
    CHECK(world.call(client, "buy", {{"n", 1}}).value()["run"] == 1);
    CHECK(world.call(client, "buy", {{"n", 1}}).value()["run"] == 2);
}

TEST_CASE("the window of replies is bounded by number, octets and time") {
    const engine::Instant start{};
    const std::stop_source none(std::nostopstate);
    const auto ask = [&](ReplyWindow& window, const std::string& key, engine::Instant now) {
        return window.begin(key, 1, now, none, [](const ReplyWindow::Text&) {}).kind;
    };
    SECTION("number") {
        ReplyWindow window({.count_max = 3});
        for (int i = 0; i < 10; ++i) {
            CHECK(ask(window, std::to_string(i), start) == Kind::run);
            window.finish(std::to_string(i), text("r"), start, true);
        }
        CHECK(window.size() == 3);
        CHECK(ask(window, "7", start) == Kind::answer);
        CHECK(ask(window, "6", start) == Kind::run);
    }
    SECTION("octets") {
        ReplyWindow window({.count_max = 100, .bytes_max = 100});
        for (int i = 0; i < 10; ++i) {
            ask(window, std::to_string(i), start);
            window.finish(std::to_string(i), text(std::string(29, 'r')), start, true);
            CHECK(window.bytes() <= 100);
        }
        CHECK(window.size() == 3);
    }
    SECTION("a reply larger than the window still keeps its request from running again") {
        ReplyWindow window({.count_max = 100, .bytes_max = 300});
        ask(window, "big", start);
        window.finish("big", text(std::string(1000, 'r')), start, true);
        const auto repeat = window.begin("big", 1, start, none, nullptr);
        REQUIRE(repeat.kind == Kind::answer);
        CHECK_THAT(*repeat.reply, Catch::Contains("too large to be kept"));
        CHECK(window.bytes() <= 300);
    }
    SECTION("time") {
        ReplyWindow window({.count_max = 100, .time_max = 10s});
        ask(window, "k", start);
        window.finish("k", text("r"), start + 5s, true);
        CHECK(ask(window, "k", start + 15s) == Kind::answer);
        CHECK(ask(window, "k", start + 16s) == Kind::run);
    }
    SECTION("what runs is not forgotten") {
        ReplyWindow window({.count_max = 1, .time_max = 1s});
        ask(window, "running", start);
        for (int i = 0; i < 5; ++i) {
            ask(window, std::to_string(i), start + 60s);
            window.finish(std::to_string(i), text("r"), start + 60s, true);
        }
        CHECK(ask(window, "running", start + 120s) == Kind::wait);
    }
    SECTION("those who wait are bounded") {
        ReplyWindow window({});
        int told = 0;
        ask(window, "k", start);
        for (int i = 0; i < 16; ++i)
            CHECK(window.begin("k", 1, start, none, [&](const ReplyWindow::Text&) { ++told; }).kind == Kind::wait);
        CHECK(ask(window, "k", start) == Kind::answer);
        window.finish("k", text("r"), start, true);
        CHECK(told == 16);
        window.finish("unknown", text("r"), start, true);
    }
}
