// What our links, transfers and dispositions look like to a peer, held against what Python's were captured to be.
#include <aprotic/engine/connection.hpp>

#include "driver/captures.hpp"
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// A peer that takes every link and writes down what it sees. The dynamic node is called "reply-here".
struct Watcher final : engine::ConnectionHandler, std::enable_shared_from_this<Watcher> {
    struct Incoming final : engine::ReceiverHandler {
        explicit Incoming(Watcher& all) : watcher(all) {}
        void on_message(engine::Receiver&, engine::Delivery& delivery) override {
            watcher.messages.push_back(*delivery.message().to_message());
            watcher.settled.push_back(delivery.is_settled());
            delivery.accept();
        }
        Watcher& watcher;
    };

    void on_sender_requested(engine::Connection&, engine::LinkRequest request) override {
        attaches.push_back(request.attach());
        engine::SenderOptions options;
        options.link.source = request.attach().source;
        if (request.wants_dynamic()) options.link.source->address = "reply-here";
        const std::string address = options.link.source->address.value_or("");
        senders[address] = request.accept_sender(std::move(options), std::make_shared<engine::SenderHandler>());
    }
    void on_receiver_requested(engine::Connection&, engine::LinkRequest request) override {
        attaches.push_back(request.attach());
        receivers.push_back(request.accept_receiver({}, std::make_shared<Incoming>(*this)));
    }
    const codec::Attach& attach(const std::string& part) const {
        for (const auto& each : attaches)
            if (each.name.find(part) != std::string::npos) return each;
        FAIL("no attach for " << part);
        return attaches.front();
    }

    std::vector<codec::Attach> attaches;
    std::map<std::string, engine::Sender> senders;
    std::vector<engine::Receiver> receivers;
    std::vector<codec::Message> messages;
    std::vector<bool> settled;
};

struct Scene {
    sim::SimReactor reactor{3};
    engine::Container container{reactor, "peer"};
    std::shared_ptr<Watcher> peer = std::make_shared<Watcher>();
    engine::Listener listener;
    Transport transport;

    explicit Scene(const char* url = "amqp://peer") : transport(reactor, url) {
        auto listening = container.listen({.host = "peer", .port = 5672}, {}, [this] { return peer; });
        REQUIRE(listening);
        listener = *listening;
    }
    /// A message from the peer, and its outcome as our driver told it.
    engine::Outcome send(const std::string& address, const codec::Message& message) {
        const auto tracker = peer->senders.at(address).send(message);
        REQUIRE(reactor.run_until([&] { return tracker.outcome().has_value(); }));
        return *tracker.outcome();
    }
};

/// A captured attach with what each side is free to choose set to ours.
codec::Attach expected(const char* kind, const codec::Attach& ours) {
    auto attach = Captured(kind).performative<codec::Attach>();
    const auto stem = [](const std::string& name) { return name.substr(0, name.rfind('/') + 1); };
    CHECK(stem(ours.name).find("openstack.org/om/") == 0);
    CHECK(ours.name.size() - stem(ours.name).size() == 32);
    attach.name = ours.name;
    attach.handle = ours.handle;
    attach.max_message_size = ours.max_message_size;  // ours is bounded
    attach.initial_delivery_count = ours.initial_delivery_count;
    return attach;
}

}  // namespace

TEST_CASE("our links are the captured ones", "[oslo-2]") {
    Scene scene;
    RpcServer server(scene.transport, Target{.topic = "t1", .server = "s1"});
    server.start();
    const RpcClient client(scene.transport, Target{.topic = "t1"});
    client.async_call("echo", Json(), 5s, [](std::error_code, Json) {});
    scene.reactor.run_for(1s);

    const auto& reply = scene.peer->attach("receiver/[rpc-response]/");
    CHECK(reply == expected("attach-reply-link", reply));
    auto sender = expected("attach-sender", scene.peer->attach("sender/[unicast.openstack.t1]/"));
    const auto& ours = scene.peer->attach("sender/[unicast.openstack.t1]/");
    sender.source->address = "unicast.openstack.t1";
    std::get<codec::Target>(*sender.target).address = "unicast.openstack.t1";
    CHECK(ours == sender);
    for (const char* address : {"exclusive.openstack.t1.s1", "broadcast.openstack.t1.all", "unicast.openstack.t1"}) {
        const auto& link = scene.peer->attach("receiver/[" + std::string(address) + "]/");
        auto captured = expected("attach-server-receivers", link);
        captured.source->address = address;
        std::get<codec::Target>(*captured.target).address = address;
        CHECK(link == captured);
        CHECK(scene.peer->senders.at(address).credit() == 100);
    }
    CHECK(scene.peer->senders.at("reply-here").credit() == 200);
    // unicast, multicast, anycast in this order
    CHECK(scene.peer->attaches[0].source->address == "exclusive.openstack.t1.s1");
    CHECK(scene.peer->attaches[1].source->address == "broadcast.openstack.t1.all");
    CHECK(scene.peer->attaches[2].source->address == "unicast.openstack.t1");
}

TEST_CASE("calls are unsettled with a time to live, casts settled without", "[oslo-3]") {
    Scene scene;
    const RpcClient client(scene.transport, Target{.topic = "t1"});
    client.async_call("echo", Json(), 8s, [](std::error_code, Json) {});
    client.async_cast("echo", Json(), std::nullopt, [](std::error_code) {});
    client.prepare({.fanout = true}).async_cast("echo", Json(), std::nullopt, [](std::error_code) {});
    scene.reactor.run_for(1s);
    REQUIRE(scene.peer->messages.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& message = scene.peer->messages[i];
        const auto& properties = *message.properties;
        if (properties.reply_to) {
            CHECK_FALSE(scene.peer->settled[i]);
            CHECK(message.header == codec::Header{.ttl = 8000});
            CHECK(std::get<std::string>(*properties.message_id).size() == 32);
            CHECK(properties == codec::Properties{.message_id = properties.message_id,
                                                  .to = "unicast.openstack.t1",
                                                  .reply_to = "reply-here"});
        } else {
            CHECK(scene.peer->settled[i]);
            CHECK(message.header == codec::Header{});
            CHECK(properties == codec::Properties{.to = properties.to});
        }
        CHECK(message.message_annotations.empty());
        CHECK(message.application_properties.empty());
        CHECK(message.message_format == 0);
        CHECK(std::get<codec::Value>(message.body) ==
              codec::Value(R"({"request": {"method": "echo", "args": {}}, "context": {}})"));
    }
}

TEST_CASE("durable and auto-deleted nodes are asked for in the termini, and requests are durable") {
    using codec::TerminusDurability;
    using codec::TerminusExpiryPolicy;
    const auto serve = [](const char* url, TerminusDurability durable, TerminusExpiryPolicy expiry) {
        Scene scene(url);
        RpcServer server(scene.transport, Target{.topic = "t1", .server = "s1"});
        server.start();
        RpcClient(scene.transport, Target{.topic = "t2"}).async_cast("m", Json(), std::nullopt, [](std::error_code) {});
        scene.reactor.run_for(1s);
        const auto& link = scene.peer->attach("receiver/[unicast.openstack.t1]/");
        CHECK(link.source->durable == durable);
        CHECK(link.source->expiry_policy == expiry);
        CHECK(std::get<codec::Target>(*link.target).durable == durable);
        CHECK(std::get<codec::Target>(*link.target).expiry_policy == expiry);
        REQUIRE(scene.peer->messages.size() == 1);
        CHECK(scene.peer->messages[0].header->durable == (durable != TerminusDurability::none));
    };
    serve("amqp://peer", TerminusDurability::none, TerminusExpiryPolicy::session_end);
    serve("amqp://peer/?amqp_durable_queues=true", TerminusDurability::unsettled_state, TerminusExpiryPolicy::never);
    serve("amqp://peer/?amqp_auto_delete=true", TerminusDurability::none, TerminusExpiryPolicy::link_detach);
    serve("amqp://peer/?amqp_auto_delete=true&amqp_durable_queues=true", TerminusDurability::unsettled_state,
          TerminusExpiryPolicy::link_detach);
}

TEST_CASE("replies are accepted, late ones given back as undeliverable", "[oslo-6]") {
    Scene scene;
    const RpcClient client(scene.transport, Target{.topic = "t1"});
    std::optional<Result<Json>> result;
    client.async_call("echo", Json(), 8s, [&](Result<Json> reply) { result = std::move(reply); });
    REQUIRE(scene.reactor.run_until([&] { return scene.peer->messages.size() == 1; }));
    const auto id = scene.peer->messages[0].properties->message_id;
    codec::Message heartbeat;
    heartbeat.ensure_properties().correlation_id = id;
    CHECK(scene.send("reply-here", heartbeat).accepted());
    CHECK_FALSE(result);
    codec::Message reply(R"({"response": 5})");
    reply.ensure_properties().correlation_id = id;
    CHECK(scene.send("reply-here", reply).accepted());
    REQUIRE(result);
    CHECK(**result == 5);

    for (const auto& late : {reply, heartbeat, codec::Message("no id")}) {
        const auto outcome = scene.send("reply-here", late);
        CHECK(outcome.kind == engine::Outcome::Kind::modified);
        CHECK(outcome.delivery_failed);
        CHECK(outcome.undeliverable_here);
    }
}

TEST_CASE("a reply that is none fails its call and is rejected") {
    Scene scene;
    std::optional<Result<Json>> result;
    RpcClient(scene.transport, Target{.topic = "t1"}).async_call("echo", Json(), 8s, [&](Result<Json> reply) {
        result = std::move(reply);
    });
    REQUIRE(scene.reactor.run_until([&] { return scene.peer->messages.size() == 1; }));
    codec::Message reply("not json");
    reply.ensure_properties().correlation_id = scene.peer->messages[0].properties->message_id;
    CHECK(scene.send("reply-here", reply).kind == engine::Outcome::Kind::rejected);
    REQUIRE(result);
    CHECK(result->error().is(Errc::bad_reply));
}

TEST_CASE("a server accepts before the method runs, echoes any id type and rejects what is no request",
          "[oslo-5][oslo-8]") {
    Scene scene;
    RpcServer server(scene.transport, Target{.topic = "t1", .server = "s1"});
    std::vector<Responder> waiting;
    server.handle_async("slow", [&](Request, Responder respond) { waiting.push_back(std::move(respond)); });
    server.start();
    scene.reactor.run_for(1s);
    const codec::MessageId ids[] = {std::string("id"), std::uint64_t{7}, codec::Uuid{}, codec::Binary("b")};
    for (const auto& id : ids) {
        codec::Message request(R"({"request": {"method": "slow"}})");
        request.ensure_properties().message_id = id;
        request.properties->reply_to = "somewhere/[odd]";
        CHECK(scene.send("unicast.openstack.t1", request).accepted());
    }
    REQUIRE(waiting.size() == 4);
    CHECK(scene.peer->messages.empty());
    for (auto& respond : waiting) respond.reply({{"x", nullptr}});
    scene.reactor.run_for(1s);
    REQUIRE(scene.peer->messages.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        const auto& reply = scene.peer->messages[i];
        CHECK(scene.peer->settled[i]);
        CHECK(reply.header == codec::Header{});
        CHECK(*reply.properties == codec::Properties{.to = "somewhere/[odd]", .correlation_id = ids[i]});
        CHECK(std::get<codec::Value>(reply.body) == codec::Value(R"({"response": {"x": null}})"));
    }
    const auto rejected = scene.send("unicast.openstack.t1", codec::Message("no request"));
    CHECK(rejected.kind == engine::Outcome::Kind::rejected);
    CHECK(rejected.condition->condition == codec::condition::decode_error);
}

TEST_CASE("a monitored call gets heartbeats that look like the captured one", "[oslo-3][oslo-4]") {
    Scene scene;
    RpcServer server(scene.transport, Target{.topic = "t1", .server = "s1"});
    std::vector<Responder> waiting;
    server.handle_async("slow", [&](Request, Responder respond) { waiting.push_back(std::move(respond)); });
    server.start();
    scene.reactor.run_for(1s);
    auto request = Captured("call-monitored").message();
    request.body =
        codec::Value(R"({"request": {"method": "slow", "args": {}}, "context": {}, "call_monitor_timeout": 4})");
    CHECK(scene.send("unicast.openstack.t1", request).accepted());
    scene.reactor.run_for(7s);
    REQUIRE(scene.peer->messages.size() == 3);
    const auto captured = Captured("heartbeat").message();
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(scene.peer->settled[i]);
        CHECK(scene.peer->messages[i] == captured);
    }
    waiting.clear();
    scene.reactor.run_for(20s);
    CHECK(scene.peer->messages.size() == 4);
}
