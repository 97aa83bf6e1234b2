// Whom a peer says to be, and what follows: addresses and termini on each connection. docs/intermediaries
#include <aprotic/driver/profile.hpp>

#include <algorithm>

#include <aprotic/driver/addressing.hpp>

#include "driver/scripted_peer.hpp"
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

codec::Open open_of(const char* product, const char* version = nullptr, const char* capability = nullptr) {
    codec::Open open;
    if (product != nullptr) open.properties.set(codec::Symbol("product"), product);
    if (version != nullptr) open.properties.set(codec::Symbol("version"), version);
    if (capability != nullptr) open.offered_capabilities.emplace_back(capability);
    return open;
}

/// A peer that says to be this, a server and a client at it that have called, cast and fanned out once.
struct ProfileScene {
    sim::SimReactor reactor{11};
    std::shared_ptr<ScriptedPeer> peer = std::make_shared<ScriptedPeer>(reactor);
    std::unique_ptr<Transport> transport;
    std::optional<RpcServer> server;

    explicit ProfileScene(const codec::Open& open, const std::string& query = "") {
        peer->open = open;
        peer->start();
        transport = std::make_unique<Transport>(reactor, "amqp://peer/" + query);
        server.emplace(*transport, Target{.topic = "t", .server = "s"});
        server->start();
        const RpcClient client(*transport, Target{.topic = "t"});
        client.async_call("m", Json(), 5s, [](std::error_code, Json) {});
        client.prepare({.fanout = true}).async_cast("m", Json(), std::nullopt, [](std::error_code) {});
        client.prepare({.server = "s"}).async_cast("m", Json(), std::nullopt, [](std::error_code) {});
        reactor.run_for(1s);
    }
    const codec::Attach* find(const std::string& part) const {
        for (const auto& attach : peer->attaches)
            if (attach.name.find(part) != std::string::npos) return &attach;
        return nullptr;
    }
    codec::Source source_of(const std::string& address) const {
        const auto* const attach = find("receiver/[" + address + "]/");
        REQUIRE(attach != nullptr);
        CHECK(attach->source->address == address);
        return *attach->source;
    }
    codec::Target target_of(const std::string& address) const {
        const auto* const attach = find("sender/[" + address + "]/");
        REQUIRE(attach != nullptr);
        auto target = std::get<codec::Target>(*attach->target);
        CHECK(target.address == address);
        return target;
    }
    /// Of the call.
    std::string reply_to() const {
        for (const auto& each : peer->received)
            if (each->message.properties->reply_to) return *each->message.properties->reply_to;
        return "none";
    }
    const codec::Attach& reply() const {
        const auto* const attach = find("receiver/[rpc-response]/");
        REQUIRE(attach != nullptr);
        return *attach;
    }
};

using Symbols = std::vector<codec::Symbol>;

}  // namespace

TEST_CASE("whom a peer says to be chooses the profile, and an option another") {
    struct Case {
        codec::Open open;
        std::string host;
        Intermediary expected;
    };
    const Case cases[] = {
        {open_of(nullptr), "h", Intermediary::other},
        {open_of("qpid-cpp", "1.40.0"), "h", Intermediary::qpidd},
        {open_of("qpid-dispatch-router"), "h", Intermediary::router},
        {open_of("skupper-router"), "h", Intermediary::router},
        {open_of("never heard of"), "h", Intermediary::router},
        {open_of("RabbitMQ", "3.10.8"), "h", Intermediary::rabbitmq_3},
        {open_of("RabbitMQ", "4.0.1"), "h", Intermediary::rabbitmq_4},
        {open_of("RabbitMQ", "14.2"), "h", Intermediary::rabbitmq_4},
        {open_of("RabbitMQ"), "h", Intermediary::rabbitmq_3},
        {open_of("RabbitMQ", nullptr, "LINK_PAIR_V1_0"), "h", Intermediary::rabbitmq_4},
        {open_of("apache-activemq-artemis", "2.33.0"), "h", Intermediary::artemis},
        {open_of("ActiveMQ", "5.17.2"), "h", Intermediary::activemq},
        {open_of("Apache Qpid Broker-J Core", "9.2.0"), "h", Intermediary::broker_j},
        {open_of(nullptr), "mine.servicebus.windows.net", Intermediary::service_bus},
    };
    for (const auto& each : cases) {
        INFO(name_of(each.expected));
        const Profile profile = choose_profile({}, each.open, each.host);
        CHECK(profile.intermediary == each.expected);
        CHECK(profile.routable == (each.expected == Intermediary::router));
        const TransportOptions other{.intermediary = Intermediary::artemis};
        CHECK(choose_profile(other, each.open, each.host).queue_capabilities == Symbols{"queue"});
    }
    CHECK(choose_profile({.addressing_mode = AddressingMode::legacy}, open_of("skupper-router")).routable == false);
    CHECK(choose_profile({.addressing_mode = AddressingMode::routable}, open_of("qpid-cpp")).routable);
}

TEST_CASE("what the options say of addresses, capabilities and replies wins, and code has the last word") {
    TransportOptions options;
    options.queue_address = "q:{name}";
    options.topic_address = "t:{name}";
    options.subscription_address = "t:{name}:{server}";
    options.queue_capabilities = {"a", "b"};
    options.topic_capabilities = {"c"};
    options.reply_address = "r:{id}";
    options.reply_to_address = "R:{id}";
    options.adjust_profile = [](Profile& profile, const codec::Open& peer) {
        CHECK(peer.properties.find("product") != nullptr);
        CHECK(profile.intermediary == Intermediary::artemis);
        profile.modified = false;
    };
    const Profile profile = choose_profile(options, open_of("apache-activemq-artemis", "2.33.0"));
    CHECK(profile.queue_address == "q:{name}");
    CHECK(profile.topic_address == "t:{name}");
    CHECK(profile.subscription_address == "t:{name}:{server}");
    CHECK(profile.queue_capabilities == Symbols{"a", "b"});
    CHECK(profile.topic_capabilities == Symbols{"c"});
    CHECK(profile.reply_node == ReplyNode::queue);
    CHECK(profile.reply_address == "r:{id}");
    CHECK(profile.reply_to_address == "R:{id}");
    CHECK_FALSE(profile.modified);
    CHECK(profile.product == "apache-activemq-artemis");
    CHECK(profile.version == "2.33.0");
}

TEST_CASE("an unknown intermediary is refused with those there are") {
    sim::SimReactor reactor;
    CHECK_THROWS_WITH(Transport(reactor, "amqp://peer/?intermediary=rabbit"),
                      Catch::Contains("rabbitmq-3") && Catch::Contains("service-bus"));
}

TEST_CASE("addresses are formed as each intermediary has them", "[profile]") {
    const auto addresses = [](const TransportOptions& options, const codec::Open& open) {
        const auto addresser = make_addresser(options, "", &open);
        const auto [own, all, any] = addresser->server_addresses({.topic = "t", .server = "a/b%"});
        return std::vector<std::string>{own, all, any, addresser->rpc_address({.topic = "t", .fanout = true}),
                                        addresser->notification_address({.topic = "t"}, "info")};
    };
    using Texts = std::vector<std::string>;
    CHECK(addresses({}, open_of("RabbitMQ", "3.10.8")) ==
          Texts{"/queue/exclusive.openstack.t.a%2Fb%", "/exchange/amq.direct/broadcast.openstack.t.all",
                "/queue/unicast.openstack.t", "/exchange/amq.direct/broadcast.openstack.t.all",
                "/queue/unicast.openstack.t.info"});
    CHECK(addresses({}, open_of("RabbitMQ", "4.2.0")) ==
          Texts{"/queues/exclusive.openstack.t.a%2Fb%25", "/queues/broadcast.openstack.t.all.a%2Fb%25.",
                "/queues/unicast.openstack.t", "/exchanges/amq.direct/broadcast.openstack.t.all",
                "/queues/unicast.openstack.t.info"});
    CHECK(addresses({.addressing_mode = AddressingMode::routable}, open_of("RabbitMQ", "3.10.8"))[2] ==
          "/queue/openstack.org%2Fom%2Frpc%2Fanycast%2Fopenstack%2Ft");
    // Whoever has configured whole addresses as prefixes keeps them.
    CHECK(addresses({.group_request_prefix = "/queue/mine"}, open_of("RabbitMQ", "3.10.8"))[2] ==
          "/queue/mine.openstack.t");
    CHECK(addresses({}, open_of("ActiveMQ", "5.17"))[1] == "topic://broadcast.openstack.t.all");
    CHECK(addresses({}, open_of("ActiveMQ", "5.17"))[0] == "queue://exclusive.openstack.t.a/b%");
    CHECK(addresses({.intermediary = Intermediary::service_bus}, open_of(nullptr))[1] ==
          "broadcast.openstack.t.all/Subscriptions/a/b%");
    CHECK(addresses({}, open_of("Apache Qpid Broker-J Core"))[1] == "amq.direct/broadcast.openstack.t.all");
    for (const auto* same : {"apache-activemq-artemis", "qpid-cpp"})
        CHECK(addresses({}, open_of(same)) == Texts{"exclusive.openstack.t.a/b%", "broadcast.openstack.t.all",
                                                    "unicast.openstack.t", "broadcast.openstack.t.all",
                                                    "unicast.openstack.t.info"});
}

TEST_CASE("at Artemis queues and topics are asked for by capability, given addresses without", "[profile]") {
    const ProfileScene scene(open_of("apache-activemq-artemis", "2.33.0"));
    CHECK(scene.source_of("exclusive.openstack.t.s").capabilities == Symbols{"queue"});
    CHECK(scene.source_of("unicast.openstack.t").capabilities == Symbols{"queue"});
    CHECK(scene.source_of("broadcast.openstack.t.all").capabilities == Symbols{"topic"});
    CHECK(scene.target_of("unicast.openstack.t").capabilities == Symbols{"queue"});
    CHECK(scene.target_of("broadcast.openstack.t.all").capabilities == Symbols{"topic"});
    CHECK(scene.reply().source->dynamic);
    CHECK(scene.reply().source->capabilities.empty());
}

TEST_CASE("at RabbitMQ 3 replies come by a queue of ours, which answers to it do not make", "[profile]") {
    ProfileScene scene(open_of("RabbitMQ", "3.10.8"), "?amqp_durable_queues=true");
    const std::string source = scene.reply().source->address.value_or("");
    CHECK(source.starts_with("/queue/aprotic.reply."));
    CHECK(source.size() == std::string("/queue/aprotic.reply.").size() + 32);
    CHECK_FALSE(scene.reply().source->dynamic);
    CHECK(scene.reply().source->durable == codec::TerminusDurability::none);
    // Both sides declare it, so both say the same of it.
    CHECK(scene.source_of("/queue/unicast.openstack.t").durable == codec::TerminusDurability::unsettled_state);
    CHECK(scene.target_of("/queue/unicast.openstack.t").durable == codec::TerminusDurability::unsettled_state);
    CHECK(scene.source_of("/exchange/amq.direct/broadcast.openstack.t.all").durable == codec::TerminusDurability::none);
    CHECK(scene.reply_to() == "/amq/queue" + source.substr(std::string("/queue").size()));

    // `modified` would end the session there.
    codec::Message late("late");
    late.ensure_properties().correlation_id = std::string("gone");
    const auto tracker = scene.peer->send(source, late);
    scene.reactor.run_for(1s);
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->kind == engine::Outcome::Kind::accepted);
}

TEST_CASE("at Broker-J durable requests do not come settled, and durable links are not asked for", "[profile]") {
    const auto settled = [](const ProfileScene& scene) {
        REQUIRE(scene.peer->received.size() == 3);
        return std::ranges::count_if(scene.peer->received, [](const auto& each) {
            CHECK(each->message.header->durable);
            return each->delivery.is_settled();
        });
    };
    const ProfileScene scene(open_of("Apache Qpid Broker-J Core", "9.2.0"), "?amqp_durable_queues=true");
    CHECK(scene.source_of("unicast.openstack.t").durable == codec::TerminusDurability::none);
    CHECK(scene.source_of("amq.direct/broadcast.openstack.t.all").durable == codec::TerminusDurability::none);
    CHECK(settled(scene) == 0);
    const ProfileScene other(open_of("qpid-cpp", "1.40.0"), "?amqp_durable_queues=true");
    CHECK(other.source_of("unicast.openstack.t").durable == codec::TerminusDurability::unsettled_state);
    CHECK(settled(other) == 2);
}

TEST_CASE("through a router replies do not come settled, because it drops those that wait", "[profile]") {
    const auto reply_is_settled = [](const char* product, const std::string& topic) {
        ProfileScene scene(open_of(product));
        scene.server->handle("m", [] { return 1; });
        const auto call = std::ranges::find_if(
            scene.peer->received, [](const auto& each) { return each->message.properties->reply_to.has_value(); });
        REQUIRE(call != scene.peer->received.end());
        codec::Message request = (*call)->message;
        request.properties->reply_to = "answers";
        scene.peer->send(topic, request);
        scene.reactor.run_for(1s);
        REQUIRE(scene.peer->received.back()->address == "answers");
        return scene.peer->received.back()->delivery.is_settled();
    };
    CHECK_FALSE(reply_is_settled("qpid-dispatch-router", "openstack.org/om/rpc/anycast/openstack/t"));
    CHECK(reply_is_settled("qpid-cpp", "unicast.openstack.t"));
}

TEST_CASE("a reply queue of the configuration is used where there are no dynamic nodes", "[profile]") {
    ProfileScene scene(open_of(nullptr), "?reply_address=replies-1");
    CHECK(scene.reply().source->address == "replies-1");
    CHECK(scene.reply_to() == "replies-1");
}

TEST_CASE("what is known of no peer is what oslo.messaging sends", "[profile]") {
    const ProfileScene scene(open_of(nullptr));
    CHECK(scene.source_of("broadcast.openstack.t.all") == [] {
        codec::Source source;
        source.address = "broadcast.openstack.t.all";
        return source;
    }());
    CHECK(scene.reply().snd_settle_mode == codec::SenderSettleMode::mixed);
}
