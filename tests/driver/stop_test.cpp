// How a server ends, and how much it has under way before that.
#include <set>

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/trace.hpp>

#include "driver/scripted_peer.hpp"
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// Watches the frames of one link on which a peer sends: what it may send, and what it has sent and is not settled.
struct CreditJudge final : engine::TraceSink {
    explicit CreditJudge(std::string of) : link(std::move(of)) {}

    void frame(bool outgoing, std::span<const std::byte> bytes) override {
        const auto step = codec::FrameParser(UINT32_MAX).next(bytes);
        if (step.status != codec::FrameParser::Status::frame) return;
        if (const auto attach = step.frame.as<codec::Attach>(); attach && attach->name.find(link) != std::string::npos)
            (outgoing ? handle_here : handle_there) = attach->handle;
        if (const auto flow = step.frame.as<codec::Flow>(); flow && !outgoing && flow->handle == handle_there) {
            limit = flow->delivery_count.value_or(0) + flow->link_credit.value_or(0);
            drained = flow->drain;
        }
        if (const auto flow = step.frame.as<codec::Flow>(); flow && outgoing && flow->handle == handle_here)
            sent = flow->delivery_count.value_or(sent);
        if (const auto transfer = step.frame.as<codec::Transfer>();
            transfer && outgoing && transfer->handle == handle_here && transfer->delivery_id) {
            ++sent;
            unsettled.insert(*transfer->delivery_id);
        }
        if (const auto said = step.frame.as<codec::Disposition>(); said && !outgoing && said->settled)
            for (std::uint32_t id = said->first; id <= said->last.value_or(said->first); ++id) unsettled.erase(id);
        if (limit < sent) over = true;
        // What it may have under way by what it knows whenever it acts.
        if (outgoing)
            most = std::max(most, limit - std::min(limit, sent) + static_cast<std::uint32_t>(unsettled.size()));
    }

    const std::string link;
    std::optional<std::uint32_t> handle_here;
    std::optional<std::uint32_t> handle_there;
    std::uint32_t limit = 0;
    std::uint32_t sent = 0;
    std::set<std::uint32_t> unsettled;
    std::uint32_t most = 0;
    bool drained = false;
    bool over = false;
};

codec::Message request(const std::string& reply_to = "") {
    codec::Message message(R"({"request": {"method": "m"}})");
    if (reply_to.empty()) return message;
    message.ensure_properties().message_id = std::string("id");
    message.properties->reply_to = reply_to;
    return message;
}

constexpr const char* address = "unicast.openstack.t";

struct StopScene {
    explicit StopScene(RpcServerOptions how = {}, std::string url = "amqp://peer/?rpc_server_credit=10")
        : transport(reactor, url), server(transport, Target{.topic = "t", .server = "s"}, how) {
        peer->trace = judge;
        peer->start();
        server.handle_async("m", [this](Request, Responder respond) { waiting.push_back(std::move(respond)); });
        server.start();
        reactor.run_for(1s);
    }
    sim::SimReactor reactor{4};
    std::shared_ptr<CreditJudge> judge = std::make_shared<CreditJudge>(std::string("[") + address + "]");
    std::shared_ptr<ScriptedPeer> peer = std::make_shared<ScriptedPeer>(reactor);
    std::vector<Responder> waiting;
    Transport transport;
    RpcServer server;
};

}  // namespace

TEST_CASE("credit and what is unsettled never exceed the limit together, frame by frame") {
    StopScene scene({.acknowledge = Acknowledge::after});
    std::vector<engine::Tracker> sent;
    for (int i = 0; i < 200; ++i) sent.push_back(scene.peer->send(address, request(i % 2 == 0 ? "somewhere" : "")));
    scene.reactor.run_for(1s);
    CHECK(scene.waiting.size() == 10);
    std::size_t answered = 0;
    while (answered < sent.size()) {
        REQUIRE_FALSE(scene.waiting.empty());
        // In no order, some alone, some together.
        const std::size_t together = 1 + scene.reactor.random() % scene.waiting.size();
        for (std::size_t i = 0; i < together; ++i, ++answered) {
            const auto which = static_cast<std::ptrdiff_t>(scene.reactor.random() % scene.waiting.size());
            auto respond = std::move(scene.waiting[static_cast<std::size_t>(which)]);
            scene.waiting.erase(scene.waiting.begin() + which);
            respond.reply(1);
        }
        scene.reactor.run_for(100ms);
        CHECK(scene.waiting.size() <= 10);
    }
    for (const auto& each : sent) CHECK(each.outcome()->accepted());
    CHECK(scene.judge->most == 10);
    CHECK_FALSE(scene.judge->over);
    CHECK(scene.judge->unsettled.empty());
}

TEST_CASE("a server that stops withdraws its credit, gives back what still comes, and answers what it has begun") {
    StopScene scene({.acknowledge = Acknowledge::after});
    const auto begun = scene.peer->send(address, request("somewhere"));
    scene.reactor.run_for(1s);
    REQUIRE(scene.waiting.size() == 1);
    CHECK(scene.server.stop().error().is(Errc::would_deadlock));  // it runs, and this thread is its reactor's
    CHECK_FALSE(scene.server.is_ready());
    const auto late = scene.peer->send(address, request("somewhere"));  // the drain has not come here yet
    scene.reactor.run_for(1s);
    CHECK(late.outcome()->kind == engine::Outcome::Kind::released);
    CHECK(scene.judge->drained);
    CHECK(scene.judge->sent == scene.judge->limit);  // no credit is left
    CHECK(scene.waiting.size() == 1);
    CHECK_FALSE(begun.outcome());
    CHECK(scene.peer->senders[address].is_open());

    scene.waiting[0].reply(1);
    scene.reactor.run_for(1s);
    CHECK(begun.outcome()->accepted());
    REQUIRE(scene.peer->count("somewhere") == 1);
    CHECK(scene.peer->received[0]->body() == R"({"response": 1})");
    CHECK_FALSE(scene.peer->senders[address].is_open());
    CHECK(scene.server.stop());
}

TEST_CASE("a stopped server may start again at once, beside what still runs") {
    StopScene scene;
    scene.peer->send(address, request("somewhere"));
    scene.reactor.run_for(1s);
    CHECK(scene.server.stop().error().is(Errc::would_deadlock));
    scene.server.start();
    scene.reactor.run_for(1s);
    CHECK(scene.server.is_ready());
    scene.peer->send(address, request("somewhere"));
    scene.reactor.run_for(1s);
    REQUIRE(scene.waiting.size() == 2);
    for (auto& respond : scene.waiting) respond.reply(1);
    scene.reactor.run_for(1s);
    CHECK(scene.peer->count("somewhere") == 2);
    CHECK(scene.server.is_ready());
    CHECK(scene.server.stop());
    scene.reactor.run_for(1s);
    CHECK_FALSE(scene.peer->senders[address].is_open());
}

TEST_CASE("a server whose connection is lost while it stops has nothing to wait for") {
    StopScene scene;
    scene.peer->send(address, request());
    scene.reactor.run_for(1s);
    REQUIRE(scene.waiting.size() == 1);
    CHECK(scene.server.stop().error().is(Errc::would_deadlock));
    scene.peer->crash();
    scene.reactor.run_for(1s);
    scene.waiting.clear();
    CHECK(scene.server.stop());
    const auto connections = scene.peer->connections;
    scene.peer->start();
    scene.reactor.run_for(60s);
    CHECK(scene.peer->connections == connections);  // nobody wants it any more
}

TEST_CASE("a notice on the wire is a request that others can read") {
    sim::SimReactor reactor{6};
    const auto peer = std::make_shared<ScriptedPeer>(reactor);
    peer->start();
    Transport transport(reactor, "amqp://peer/");
    const RpcClient client(transport, Target{.topic = "t"}, {.call_monitor_timeout = 30s, .cancellable = true});
    const auto begin = [&] { return client.async_call("m", {}, 60s, [](std::error_code, Json) {}); };
    const auto first = begin();
    reactor.run_for(1s);
    REQUIRE(peer->received.size() == 1);
    const auto call = peer->received[0]->message;
    CHECK(call.application_properties == codec::Map{{"aprotic-cancellable", true}});
    const auto id = std::get<std::string>(*call.properties->message_id);
    first.cancel();
    reactor.run_for(1s);
    REQUIRE(peer->received.size() == 2);
    const auto& notice = *peer->received[1];
    CHECK(notice.address == "broadcast.openstack.t.all");
    CHECK(notice.delivery.is_settled());
    CHECK(notice.message.application_properties == codec::Map{{"aprotic-cancels", id}});
    CHECK(notice.message.header->ttl == 30000);
    CHECK_FALSE(notice.message.properties->reply_to);
    CHECK(notice.body() == R"({"request": {"method": "aprotic_cancel_ignore_errors", "args": {"call": ")" + id +
                               R"("}}, "context": {}})");

    // A heartbeat may name the server, which is then told alone.
    const auto second = begin();
    reactor.run_for(1s);
    REQUIRE(peer->received.size() == 3);
    codec::Message heartbeat;
    heartbeat.ensure_properties().correlation_id = peer->received[2]->message.properties->message_id;
    heartbeat.application_properties.set("aprotic-server-address", "exclusive.openstack.t.s");
    peer->send("reply-here", heartbeat);
    reactor.run_for(1s);
    second.cancel();
    reactor.run_for(1s);
    REQUIRE(peer->received.size() == 4);
    CHECK(peer->received[3]->address == "exclusive.openstack.t.s");
}
