// Access tokens, put to $cbs for each entity: docs/intermediaries/service-bus.md
#include "driver/scripted_peer.hpp"
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// A peer that has $cbs, and lets nobody attach who has put no token.
struct CbsScene {
    sim::SimReactor reactor{9};
    std::shared_ptr<ScriptedPeer> peer = std::make_shared<ScriptedPeer>(reactor);
    std::vector<codec::Map> puts;
    std::vector<std::string> tokens;
    std::int64_t status = 202;

    CbsScene() {
        peer->on_message = [this](ScriptedPeer::Received& received) {
            received.delivery.accept();
            if (received.address != "$cbs") return;
            puts.push_back(received.message.application_properties);
            tokens.push_back(received.body());
            codec::Message answer;
            answer.ensure_properties().correlation_id = received.message.properties->message_id;
            answer.application_properties.set("status-code", static_cast<std::int32_t>(status));
            answer.application_properties.set("status-description", "as it is");
            peer->send("$cbs", answer);
        };
        peer->start();
    }
    std::string at(std::size_t index, const char* key) const {
        return std::string(puts.at(index).find(key)->to_text().value_or(""));
    }
    bool attached(const std::string& part) const {
        return std::ranges::any_of(peer->attaches,
                                   [&](const auto& a) { return a.name.find(part) != std::string::npos; });
    }
};

}  // namespace

TEST_CASE("a token is put for each entity before the first link to it", "[cbs]") {
    CbsScene scene;
    Transport transport(scene.reactor, "amqp://peer/?intermediary=service-bus&access_token=secret&reply_address=r");
    RpcServer server(transport, Target{.topic = "t", .server = "s"});
    server.start();
    scene.reactor.run_for(1s);
    REQUIRE(scene.puts.size() == 3);
    CHECK(scene.at(0, "operation") == "put-token");
    CHECK(scene.at(0, "type") == "jwt");
    CHECK(scene.at(0, "name") == "amqps://peer/exclusive.openstack.t.s");
    // A subscription is its topic's.
    CHECK(scene.at(1, "name") == "amqps://peer/broadcast.openstack.t.all");
    CHECK(scene.at(2, "name") == "amqps://peer/unicast.openstack.t");
    CHECK(scene.tokens == std::vector<std::string>(3, "secret"));
    CHECK(scene.attached("[broadcast.openstack.t.all/Subscriptions/s]"));

    RpcClient(transport, Target{.topic = "t"}).async_call("m", Json(), 5s, [](std::error_code, Json) {});
    scene.reactor.run_for(1s);
    // The queue is open already, the one for replies is not.
    REQUIRE(scene.puts.size() == 4);
    CHECK(scene.at(3, "name") == "amqps://peer/r");
    CHECK(transport.url().to_string().find("secret") == std::string::npos);
}

TEST_CASE("a token is renewed before it expires, and asked of the application each time", "[cbs]") {
    CbsScene scene;
    TransportOptions options;
    unsigned asked = 0;
    options.intermediary = Intermediary::service_bus;
    options.make_access_token = [&](const std::string& audience) {
        CHECK(audience == "amqps://peer/unicast.openstack.t");
        return AccessToken{.text = "token " + std::to_string(++asked), .type = "mine", .valid_for = 100s};
    };
    Transport transport(scene.reactor, "amqp://peer", options);
    RpcClient(transport, Target{.topic = "t"}).async_cast("m", Json(), std::nullopt, [](std::error_code) {});
    scene.reactor.run_for(79s);
    CHECK(scene.tokens == std::vector<std::string>{"token 1"});
    scene.reactor.run_for(2s);
    CHECK(scene.tokens == std::vector<std::string>{"token 1", "token 2"});
    CHECK(scene.at(1, "type") == "mine");
}

TEST_CASE("a token that is not taken fails what needs the entity, with the peer's words", "[cbs]") {
    CbsScene scene;
    scene.status = 401;
    Transport transport(scene.reactor, "amqp://peer/?intermediary=service-bus&access_token=wrong");
    std::optional<Result<void>> result;
    RpcClient(transport, Target{.topic = "t"}).async_cast("m", Json(), 5s, [&](Result<void> one) {
        result = std::move(one);
    });
    scene.reactor.run_for(1s);
    REQUIRE(result);
    CHECK(result->error().is(Errc::refused));
    CHECK(result->error().condition->condition == codec::condition::unauthorized_access);
    CHECK(result->error().condition->description == "401 as it is");
}
