#include "engine/pair.hpp"
#include "peer/peer.hpp"
#include "testkit/stream_channel.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

// What Pyngus gets wrong or cannot do, each as it is here.

namespace {

/// A client of ours and a peer that is written frame by frame, with a sender and a receiver between them.
struct Scene {
    Scene() {
        auto [near, far] = make_memory_streams(reactor);
        channel.emplace(reactor, std::move(far));
        peer.emplace(*channel);
        peer->skip_flows = true;
        client = container.adopt(std::move(near), false, {}, log);
        reactor.settle();
        peer->answer_open();
    }
    ~Scene() {
        client.close();
        channel->close();
        reactor.settle();
    }
    void attach() {
        sender = client.open_sender("to", {}, sender_log);
        receiver = client.open_receiver("from", {}, receiver_log);
        reactor.settle();
        peer->expect_begin().respond();
        for (int i = 0; i < 2; ++i) {
            const auto frame = peer->expect_attach();
            peer->send(peer->reply_to(*frame, frame.channel()));
        }
        peer->send(peer::flow().handle(0).delivery_count(0).link_credit(1));
        on_wire = sender.send("on the wire");
        waiting = sender.send("waiting");
        reactor.settle();
        peer->expect_transfer();
    }
    /// Everything that hung on the links has been told, once.
    void check_links_over(Errc code) {
        CHECK(sender_log->events.back() == "close");
        CHECK(count(sender_log->events, "close") == 1);
        CHECK(receiver_log->events.back() == "close");
        CHECK(count(receiver_log->events, "close") == 1);
        REQUIRE(sender_log->failure);
        CHECK(sender_log->failure->code == code);
        CHECK(receiver_log->failure->code == code);
        CHECK_FALSE(sender.is_open());
        CHECK_FALSE(receiver.is_open());
        CHECK(on_wire.outcome()->kind == Outcome::Kind::in_doubt);
        CHECK(waiting.outcome()->kind == Outcome::Kind::not_sent);
    }

    sim::SimReactor reactor;
    Container container{reactor, "client"};
    std::optional<testing::StreamChannel> channel;
    std::optional<peer::Peer> peer;
    std::shared_ptr<ConnectionLog> log = std::make_shared<ConnectionLog>();
    std::shared_ptr<SenderLog> sender_log = std::make_shared<SenderLog>();
    std::shared_ptr<ReceiverLog> receiver_log = std::make_shared<ReceiverLog>();
    Connection client;
    Sender sender;
    Receiver receiver;
    Tracker on_wire, waiting;
};

}  // namespace

TEST_CASE("pyngus fault 1 - a session that the peer ends is told to its links", "[2.5.2]") {
    Scene scene;
    scene.attach();
    scene.peer->send(peer::end());
    scene.peer->expect_end();
    scene.check_links_over(Errc::ended_by_peer);
    CHECK(scene.client.is_open());
}

TEST_CASE("pyngus fault 2 - a detach that does not close is told and answered", "[2.6.4]") {
    Scene scene;
    scene.attach();
    scene.peer->send(peer::detach(0).closed(false));
    scene.peer->expect_detach().with(&codec::Detach::closed, false);
    scene.peer->send(peer::detach(1).closed(false));
    scene.peer->expect_detach().with(&codec::Detach::closed, false);
    CHECK(count(scene.sender_log->events, "remote close") == 1);
    scene.check_links_over(Errc::suspended_by_peer);
}

TEST_CASE("pyngus fault 3 - a connection that the peer closes is told to its links", "[2.4.3-h]") {
    Scene scene;
    scene.attach();
    scene.peer->send(peer::close());
    scene.peer->expect_close();
    scene.check_links_over(Errc::closed_by_peer);
}

TEST_CASE("pyngus fault 4 - links and pending deliveries end with a lost stream", "[2.4.6]") {
    Scene scene;
    scene.attach();
    int called = 0;
    scene.on_wire.on_done([&](const Outcome&) { ++called; });
    scene.waiting.on_done([&](const Outcome&) { ++called; });
    scene.channel->close();
    scene.reactor.settle();
    scene.check_links_over(Errc::connection_lost);
    CHECK(called == 2);
}

TEST_CASE("pyngus fault 5 - a failure is told once, and nothing is told after the last call") {
    Scene scene;
    scene.attach();
    scene.channel->close();
    scene.reactor.run_for(1h);
    CHECK(scene.log->events == Events{"open", "close"});
    CHECK(count(scene.sender_log->events, "close") == 1);
}

TEST_CASE("pyngus fault 6 - a refused link is never open, however far its detach is behind", "[2.6.3-b]") {
    Scene scene;
    const bool sends = GENERATE(true, false);
    sends ? void(scene.sender = scene.client.open_sender("to", {}, scene.sender_log))
          : void(scene.receiver = scene.client.open_receiver("from", {}, scene.receiver_log));
    scene.reactor.settle();
    scene.peer->expect_begin().respond();
    const auto attach = scene.peer->expect_attach();
    auto reply = scene.peer->reply_to(*attach, attach.channel());
    scene.peer->send(sends ? reply.no_target() : reply.no_source());
    scene.reactor.run_for(1s);
    CHECK(scene.sender_log->events.empty());
    CHECK(scene.receiver_log->events.empty());
    scene.peer->send(peer::detach(attach->handle).closed().error("app:no", "no"));
    scene.peer->expect_detach();
    CHECK((sends ? scene.sender_log->events : scene.receiver_log->events) == Events{"close"});
}

TEST_CASE("pyngus fault 7 - link capabilities, properties, filters, durability and expiry reach the peer", "[2.7.3]") {
    Pair pair;
    ReceiverOptions options;
    options.link.offered_capabilities = {"offered"};
    options.link.desired_capabilities = {"desired"};
    options.link.properties = {{codec::Symbol("key"), codec::Value("value")}};
    options.link.source = codec::Source{.durable = codec::TerminusDurability::unsettled_state,
                                        .expiry_policy = codec::TerminusExpiryPolicy::never,
                                        .timeout = 60};
    options.link.source->filter = {
        {codec::Symbol("f"), codec::Value(codec::Described(codec::Symbol("x:filter"), codec::Value("a > 1")))}};
    options.link.source->capabilities = {"queue"};
    const codec::Source source = *options.link.source;
    const codec::Map properties = options.link.properties;
    const Receiver receiver = pair.client.open_receiver("from", options);
    pair.settle();
    const codec::Attach& attach = pair.server_log->requests.at(0).attach();
    CHECK(attach.offered_capabilities == std::vector<codec::Symbol>{"offered"});
    CHECK(attach.desired_capabilities == std::vector<codec::Symbol>{"desired"});
    CHECK(attach.properties == properties);
    CHECK(attach.source->durable == source.durable);
    CHECK(attach.source->expiry_policy == source.expiry_policy);
    CHECK(attach.source->timeout == source.timeout);
    CHECK(attach.source->filter == source.filter);
    CHECK(attach.source->capabilities == source.capabilities);
}

TEST_CASE("pyngus fault 7 - several links share a session, and a link can have one of its own") {
    Scene scene;
    const Session session = scene.client.open_session();
    const Sender one = scene.client.open_sender("1"), two = scene.client.open_sender("2");
    const Sender apart = session.open_sender("3");
    scene.reactor.settle();
    scene.peer->expect_begin().on_channel(0);
    scene.peer->expect_attach().on_channel(0);
    scene.peer->expect_begin().on_channel(1);
}

TEST_CASE("pyngus fault 7 - delivery tags can be chosen", "[2.6.12]") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    sender.send("m", {.tag = codec::DeliveryTag("mine")});
    pair.settle();
    CHECK(pair.server_receiver_log->kept.at(0).tag() == codec::DeliveryTag("mine"));
}

TEST_CASE("pyngus fault 7 - a flow that asks for an echo is answered, and a drain is told", "[2.6.7-p]") {
    Scene scene;
    scene.attach();
    scene.peer->send(peer::flow().handle(0).delivery_count(2).link_credit(5).echo());
    scene.peer->expect_transfer();  // the one that waited
    scene.peer->expect_flow().with([](const codec::Flow& flow) { return flow.handle == 0u; }, "a flow of the sender");
    scene.peer->send(peer::flow().handle(0).delivery_count(2).link_credit(5).drain());
    CHECK(count(scene.sender_log->events, "drain") == 1);
}
