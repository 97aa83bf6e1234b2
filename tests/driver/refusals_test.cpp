// Wrong vhost, forbidden address, missing queue, quota, every standard condition, redirects, no credit: the caller
// learns which, within its deadline. By frames, so that the peer may do what no engine of ours would.
#include "driver/scripted_peer.hpp"
#include "driver/world.hpp"
#include "testkit/scripted_broker.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

constexpr Duration deadline = 5s;

struct RefusalScene {
    std::optional<Result<void>> result;  // outlives what writes into it
    sim::SimReactor reactor{13};
    testing::ScriptedBroker broker{reactor, {.host = "peer", .port = 5672}};
    Transport transport;
    RpcClient client;
    engine::Instant began{};

    explicit RefusalScene(const std::string& query = "")
        : transport(reactor, "amqp://peer/?link_retry_delay=1" + query), client(transport, Target{.topic = "t"}) {}

    /// A cast that waits for its outcome.
    void cast() {
        began = reactor.now();
        client.prepare({.at_least_once = true}).async_cast("m", Json(), deadline, [this](Result<void> one) {
            result = std::move(one);
        });
    }
    CallFailure failure() {
        REQUIRE(reactor.run_until([this] { return result.has_value(); }, deadline + 1s));
        REQUIRE_FALSE(result->has_value());
        CHECK(result->error().elapsed <= deadline);
        return result->error();
    }
};

codec::ErrorCondition why(std::string_view condition) { return peer::error_condition(condition, "the peer's words"); }

const char* const conditions[] = {"amqp:internal-error",
                                  "amqp:not-found",
                                  "amqp:unauthorized-access",
                                  "amqp:decode-error",
                                  "amqp:resource-limit-exceeded",
                                  "amqp:not-allowed",
                                  "amqp:invalid-field",
                                  "amqp:not-implemented",
                                  "amqp:resource-locked",
                                  "amqp:precondition-failed",
                                  "amqp:resource-deleted",
                                  "amqp:illegal-state",
                                  "amqp:frame-size-too-small",
                                  "amqp:connection:forced",
                                  "amqp:connection:framing-error",
                                  "amqp:connection:redirect",
                                  "amqp:link:redirect",
                                  "com.example:own"};

}  // namespace

TEST_CASE("a link that is refused fails what wanted it at once, with the peer's condition", "[refusals]") {
    for (const auto* const condition : conditions) {
        INFO(condition);
        RefusalScene scene;
        scene.cast();
        auto line = scene.broker.accept();
        line->answer_open();
        line->expect_begin().respond();
        // [2.6.3] A null target, and the detach behind it.
        const auto attach = line->expect_attach().respond([](auto& reply) { reply.no_target(); });
        auto detach = peer::detach(attach->handle);
        detach.performative.closed = true;
        detach.performative.error = why(condition);
        line->send(detach);
        const auto failure = scene.failure();
        CHECK(failure.is(Errc::refused));
        CHECK(failure.condition == why(condition));
        CHECK(failure.address == "unicast.openstack.t");
        CHECK(failure.elapsed < 100ms);
    }
}

TEST_CASE("a session that is ended instead of the link refused: the next attempt has its own, and tells",
          "[refusals]") {
    for (const auto* const condition : conditions) {
        INFO(condition);
        RefusalScene scene;
        scene.cast();
        auto line = scene.broker.accept();
        line->answer_open();
        for (int attempt = 0; attempt < 2; ++attempt) {
            line->expect_begin().respond();
            line->expect_attach();
            auto end = peer::end();
            end.performative.error = why(condition);
            line->send(end);
            line->expect_end();
        }
        const auto failure = scene.failure();
        CHECK(failure.is(Errc::refused));
        CHECK(failure.condition == why(condition));
        CHECK(failure.elapsed < 100ms);
        // The connection lives.
        scene.result.reset();
        scene.cast();
        line->expect_begin().respond();
        const auto attach = line->expect_attach().respond();
        line->send(peer::flow().handle(attach->handle).delivery_count(0).link_credit(1));
        line->expect_transfer().respond();
        REQUIRE(scene.reactor.run_until([&] { return scene.result.has_value(); }, deadline));
        CHECK(scene.result->has_value());
    }
}

TEST_CASE("a connection that is closed with any condition: the caller learns it by its deadline", "[refusals]") {
    for (const auto* const condition : conditions) {
        INFO(condition);
        RefusalScene scene;
        scene.cast();
        // As brokers do for a virtual host that they do not have: open, close.
        while (!scene.result) {
            std::optional<testing::ScriptedBroker::Line> line;
            try {
                line.emplace(scene.broker.accept(deadline));
            } catch (const peer::ScriptError&) {
                break;
            }
            (*line)->answer_open();
            auto close = peer::close();
            close.performative.error = why(condition);
            (*line)->send(close);
            scene.reactor.run_for(100ms);
        }
        const auto failure = scene.failure();
        CHECK(failure.is(Errc::unreachable));
        CHECK(failure.condition == why(condition));
        CHECK(failure.host == "peer:5672");
    }
}

TEST_CASE("a peer that takes connections and drops them is not asked again by each letter", "[refusals]") {
    sim::SimReactor reactor{5};
    const auto peer = std::make_shared<ScriptedPeer>(reactor);
    peer->on_message = [&](ScriptedPeer::Received&) {
        reactor.post([&] {
            peer->crash();
            peer->start();
        });
    };
    peer->start();
    Transport transport(reactor, "amqp://peer/?connection_retry_interval=1&connection_retry_jitter=0");
    const RpcClient client(transport, Target{.topic = "t"}, {.at_least_once = true});
    std::size_t ended = 0;
    for (int i = 0; i < 100; ++i) {
        client.async_cast("m", Json(), 5s, [&](std::error_code) { ++ended; });
        reactor.run_for(100ms);
    }
    CHECK(peer->connections >= 9);
    CHECK(peer->connections <= 11);
    CHECK(ended >= 90);
}

TEST_CASE("whoever sends us elsewhere is named and not followed", "[refusals]") {
    RefusalScene scene;
    scene.cast();
    auto line = scene.broker.accept();
    line->answer_open();
    line->expect_begin().respond();
    const auto attach = line->expect_attach().respond([](auto& reply) { reply.no_target(); });
    auto detach = peer::detach(attach->handle);
    detach.performative.closed = true;
    detach.performative.error = why("amqp:link:redirect");
    auto& info = detach.performative.error->info;
    info.set(codec::Symbol("hostname"), "virtual");
    info.set(codec::Symbol("network-host"), "other.example");
    info.set(codec::Symbol("port"), std::uint16_t{5673});
    info.set(codec::Symbol("address"), "there");
    line->send(detach);
    const auto failure = scene.failure();
    CHECK(failure.is(Errc::refused));
    CHECK_THAT(failure.text,
               Catch::Contains("other.example:5673") && Catch::Contains("'there'") && Catch::Contains("transport URL"));

    SECTION("what is no name is left out") {
        RefusalScene second;
        second.cast();
        auto again = second.broker.accept();
        again->answer_open();
        auto close = peer::close();
        close.performative.error = why("amqp:connection:redirect");
        close.performative.error->info.set(codec::Symbol("network-host"), "a\nb");
        again->send(close);
        const auto told = second.failure();
        CHECK_THAT(told.text, Catch::Contains("elsewhere") && !Catch::Contains("\n"));
    }
}

TEST_CASE("a peer that never grants credit is named at the deadline", "[refusals]") {
    RefusalScene scene;
    scene.cast();
    auto line = scene.broker.accept();
    line->answer_open();
    line->expect_begin().respond();
    line->expect_attach().respond();
    const auto failure = scene.failure();
    CHECK(failure.is(Errc::not_sent));
    CHECK_THAT(failure.text, Catch::Contains("gives no credit"));
    CHECK(scene.reactor.now() - scene.began >= deadline);
}

TEST_CASE("a queue that is full, or a quota reached, comes back as what the peer says of it", "[refusals]") {
    struct Case {
        codec::DeliveryState state;
        Errc expected;
        bool with_condition;
    };
    const Case cases[] = {
        {codec::Rejected{why("amqp:resource-limit-exceeded")}, Errc::rejected, true},
        {codec::Released{}, Errc::undeliverable, false},
        {codec::Modified{.undeliverable_here = true}, Errc::undeliverable, false},
    };
    for (const auto& each : cases) {
        RefusalScene scene;
        scene.began = scene.reactor.now();
        scene.client.prepare({.retry = 0, .at_least_once = true})
            .async_cast("m", Json(), deadline, [&](Result<void> one) { scene.result = std::move(one); });
        auto line = scene.broker.accept();
        line->answer_open();
        line->expect_begin().respond();
        const auto attach = line->expect_attach().respond();
        line->send(peer::flow().handle(attach->handle).delivery_count(0).link_credit(1));
        line->expect_transfer().respond([&](auto& reply) { reply.performative.state = each.state; });
        const auto failure = scene.failure();
        CHECK(failure.is(each.expected));
        CHECK(failure.condition.has_value() == each.with_condition);
    }
}

TEST_CASE("at RabbitMQ 3 each link has a session of its own, and what is refused harms no other", "[profile]") {
    std::optional<Result<Json>> call;
    std::optional<Result<void>> forbidden;
    sim::SimReactor reactor{17};
    testing::ScriptedBroker broker(reactor, {.host = "peer", .port = 5672});
    Transport transport(reactor, "amqp://peer");
    const RpcClient client(transport, Target{.topic = "t"});
    client.async_call("m", Json(), 5s, [&](Result<Json> one) { call = std::move(one); });
    auto line = broker.accept();
    line->answer_open(
        peer::open().property(codec::Symbol("product"), "RabbitMQ").property(codec::Symbol("version"), "3.10.8"));
    line->skip_flows = true;
    line->expect_begin().respond();
    const auto reply = line->expect_attach().respond();
    CHECK(reply.channel() == 0);
    CHECK(reply->source->address->starts_with("/queue/aprotic.reply."));
    line->expect_begin().respond();
    const auto request = line->expect_attach().respond();
    CHECK(request.channel() == 1);
    line->send(peer::flow().handle(request->handle).delivery_count(0).link_credit(10));
    const auto transfer = line->expect_transfer();

    client.prepare({.topic = "no"}).async_cast("m", Json(), 5s, [&](Result<void> one) { forbidden = std::move(one); });
    line->expect_begin().respond();
    const auto refused = line->expect_attach();
    CHECK(refused.channel() == 2);
    auto end = peer::end().on_channel(2);
    end.performative.error = why("amqp:unauthorized-access");
    line->send(end);
    line->expect_end();
    REQUIRE(reactor.run_until([&] { return forbidden.has_value(); }, 1s));
    REQUIRE_FALSE(forbidden->has_value());
    CHECK(forbidden->error().is(Errc::refused));
    CHECK(forbidden->error().condition == why("amqp:unauthorized-access"));
    CHECK_FALSE(call);
}
