// Every operation ends once, by its deadline, and its code says what may have happened: fault by fault. The table is in
// docs/rpc.md.
#include "driver/scripted_peer.hpp"
#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

constexpr Duration deadline = 20s;

struct FaultScene {
    sim::SimReactor reactor{5};
    std::shared_ptr<ScriptedPeer> peer = std::make_shared<ScriptedPeer>(reactor);
    std::unique_ptr<Transport> transport = std::make_unique<Transport>(reactor, "amqp://peer/?link_retry_delay=1");
};

using Received = ScriptedPeer::Received;
/// Prepares the peer, and what else a fault needs.
using Fault = std::function<void(FaultScene&)>;
constexpr std::optional<Errc> success = std::nullopt;

struct Case {
    const char* what;
    Fault fault;
    std::optional<Errc> expected;
    Duration at_least{};
    Duration at_most = deadline;
    CallOptions options = {};
    std::size_t requests = 1;  ///< that reach the peer, where it does not crash
};

/// The fault when a request comes.
Fault when_it_comes(std::function<void(ScriptedPeer&, Received&)> then) {
    return [then = std::move(then)](FaultScene& scene) {
        scene.peer->on_message = [then, &peer = *scene.peer](Received& received) { then(peer, received); };
        scene.peer->start();
    };
}

codec::ErrorCondition condition(std::string_view symbol) {
    return codec::ErrorCondition{codec::Symbol(std::string(symbol)), "the peer's words", {}};
}

std::vector<Case> faults_of_calls() {
    const auto monitored = CallOptions{.call_monitor_timeout = 4s};
    const auto once = CallOptions{.retry = 0};
    return {
        {"nobody is there", [](FaultScene&) {}, Errc::unreachable, deadline},
        {"the connection is refused for good, without retries", [](FaultScene&) {}, Errc::unreachable, 0s, 1s, once},
        {"a peer that says nothing", [](FaultScene& scene) { scene.reactor.silence("peer"); }, Errc::unreachable,
         deadline},
        {"the peer crashes when the reply link is asked for",
         [](FaultScene& scene) {
             scene.peer->on_attach = [&peer = *scene.peer](const std::string&) {
                 peer.crash_soon();
                 return std::nullopt;
             };
             scene.peer->start();
         },
         Errc::unreachable, deadline},
        {"the peer crashes before it gives credit",
         [](FaultScene& scene) {
             scene.peer->credit = 0;
             scene.peer->start();
             scene.reactor.start_timer(scene.reactor.now() + 1s, [&scene] { scene.peer->crash(); });
         },
         Errc::unreachable, deadline},
        {"no credit",
         [](FaultScene& scene) { scene.peer->credit = 0, scene.peer->start(); },
         Errc::not_sent,
         deadline,
         deadline,
         {},
         0},
        {"the address is refused",
         [](FaultScene& scene) {
             scene.peer->on_attach = [](const std::string& address) -> std::optional<codec::ErrorCondition> {
                 if (address == "reply-here") return std::nullopt;
                 return condition("amqp:not-found");
             };
             scene.peer->start();
         },
         Errc::refused,
         0s,
         1s,
         {},
         0},
        {"the link for replies is refused",
         [](FaultScene& scene) {
             scene.peer->on_attach = [](const std::string& address) -> std::optional<codec::ErrorCondition> {
                 if (address != "reply-here") return std::nullopt;
                 return condition("amqp:not-allowed");
             };
             scene.peer->start();
         },
         Errc::refused,
         0s,
         1s,
         {},
         0},
        {"larger than the peer takes",
         [](FaultScene& scene) { scene.peer->message_size_max = 60, scene.peer->start(); },
         Errc::too_large,
         0s,
         1s,
         {},
         0},
        {"the peer crashes with the request, before it says anything",
         when_it_comes([](ScriptedPeer& peer, Received&) { peer.crash_soon(); }), Errc::in_doubt, 0s, 1s},
        {"the peer never says anything", when_it_comes([](ScriptedPeer&, Received&) {}), Errc::in_doubt, deadline},
        {"the link is closed before an outcome", when_it_comes([](ScriptedPeer& peer, Received& received) {
             peer.receivers[received.address].close(condition("amqp:resource-deleted"));
         }),
         Errc::in_doubt, 0s, 1s},
        {"the request is rejected", when_it_comes([](ScriptedPeer&, Received& received) {
             received.delivery.reject(condition("amqp:invalid-field"));
         }),
         Errc::rejected, 0s, 1s},
        {"the request is released, again and again",
         when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.release(); }),
         Errc::undeliverable,
         deadline,
         deadline,
         {},
         20},
        {"the request is released, without retries",
         when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.release(); }), Errc::undeliverable, 0s,
         1s, once},
        {"the request is undeliverable",
         when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.modify(false, true); }),
         Errc::undeliverable, 0s, 1s},
        {"the delivery failed, somewhere",
         when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.modify(true, false); }),
         Errc::in_doubt, 0s, 1s},
        {"accepted, and no reply", when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.accept(); }),
         Errc::no_reply, deadline},
        {"accepted, then the peer crashes", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reactor.start_timer(peer.reactor.now() + 1s, [&peer] { peer.crash(); });
         }),
         Errc::in_doubt, 1s, 2s},
        {"accepted, then the link for replies is closed", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reactor.start_timer(peer.reactor.now() + 1s, [&peer] {
                 peer.senders["reply-here"].close(condition("amqp:resource-deleted"));
             });
         }),
         Errc::in_doubt, 1s, 2s},
        {"a heartbeat, then the peer crashes", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.heartbeat(received);
             peer.reactor.start_timer(peer.reactor.now() + 1s, [&peer] { peer.crash(); });
         }),
         Errc::executing, 1s, 2s, monitored},
        {"a heartbeat, and no outcome",
         when_it_comes([](ScriptedPeer& peer, Received& received) { peer.heartbeat(received); }), Errc::executing, 4s,
         4100ms, monitored},
        {"a heartbeat, then silence", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reactor.start_timer(peer.reactor.now() + 2s, [&peer, &received] { peer.heartbeat(received); });
         }),
         Errc::executing, 6s, 6100ms, monitored},
        {"no heartbeat", when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.accept(); }),
         Errc::no_reply, 4s, 4100ms, monitored},
        {"a reply that comes late", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reactor.start_timer(peer.reactor.now() + deadline + 1s,
                                      [&peer, &received] { peer.reply(received, R"({"response": 1})"); });
         }),
         Errc::no_reply, deadline},
        {"a reply under another name", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             codec::Message reply(R"({"response": 1})");
             reply.ensure_properties().correlation_id = std::string(32, '0');
             peer.send("reply-here", reply);
             peer.send("reply-here", codec::Message(R"({"response": 1})"));
         }),
         Errc::no_reply, deadline},
        {"a reply that is none", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reply(received, "{\"response\": ");
         }),
         Errc::bad_reply, 0s, 1s},
        {"a reply whose failure is none", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reply(received, R"({"failure": "5"})");
         }),
         Errc::bad_reply, 0s, 1s},
        {"an exception", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reply(received, R"({"failure": "{\"class\": \"KeyError\", \"module\": \"builtins\"}"})");
         }),
         Errc::remote_error, 0s, 1s},
        {"a reply before the outcome, which never comes",
         when_it_comes([](ScriptedPeer& peer, Received& received) { peer.reply(received, R"({"response": 1})"); }),
         success, 0s, 1s},
        {"a reply twice", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reply(received, R"({"response": 1})");
             peer.reply(received, R"({"response": 2})");
         }),
         success, 0s, 1s},
        {"a reply, then the peer crashes", when_it_comes([](ScriptedPeer& peer, Received& received) {
             received.delivery.accept();
             peer.reply(received, R"({"response": 1})");
             peer.reactor.start_timer(peer.reactor.now() + 1s, [&peer] { peer.crash(); });
         }),
         success, 0s, 1s},
    };
}

std::vector<Case> faults_of_casts() {
    const auto unsettled = CallOptions{.at_least_once = true};
    return {
        {"nobody is there", [](FaultScene&) {}, Errc::unreachable, deadline},
        {"no credit",
         [](FaultScene& scene) { scene.peer->credit = 0, scene.peer->start(); },
         Errc::not_sent,
         deadline,
         deadline,
         {},
         0},
        {"the address is refused",
         [](FaultScene& scene) {
             scene.peer->on_attach = [](const std::string&) { return condition("amqp:not-found"); };
             scene.peer->start();
         },
         Errc::refused,
         0s,
         1s,
         {},
         0},
        {"settled: written is all there is to know",
         when_it_comes([](ScriptedPeer& peer, Received&) { peer.crash_soon(); }), success, 0s, 1s},
        {"unsettled and accepted", when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.accept(); }),
         success, 0s, 1s, unsettled},
        {"unsettled and rejected",
         when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.reject(condition("amqp:no")); }),
         Errc::rejected, 0s, 1s, unsettled},
        {"unsettled and released",
         when_it_comes([](ScriptedPeer&, Received& received) { received.delivery.release(); }), Errc::undeliverable,
         deadline, deadline, unsettled, 20},
        {"unsettled, and the peer crashes", when_it_comes([](ScriptedPeer& peer, Received&) { peer.crash_soon(); }),
         Errc::in_doubt, 0s, 1s, unsettled},
        {"unsettled, and no outcome", when_it_comes([](ScriptedPeer&, Received&) {}), Errc::in_doubt, deadline,
         deadline, unsettled},
    };
}

/// Runs one fault and sees what came of it.
void check(const Case& each, bool is_call) {
    INFO((is_call ? "call: " : "cast: ") << each.what);
    FaultScene scene;
    each.fault(scene);
    const RpcClient client(*scene.transport, Target{.topic = "t"}, each.options);
    int ends = 0;
    std::optional<CallFailure> failure;
    Duration took{};
    const auto begun = scene.reactor.now();
    const auto ended = [&](bool worked, const auto& result) {
        ++ends;
        took = scene.reactor.now() - begun;
        if (!worked) failure = result.error();
    };
    if (is_call)
        client.async_call("m", {{"a", 1}}, deadline, [&](Result<Json> result) {
            if (result) CHECK(*result == 1);
            ended(result.has_value(), result);
        });
    else
        client.async_cast("m", {{"a", 1}}, deadline, [&](Result<void> result) { ended(result.has_value(), result); });
    scene.reactor.run_for(3 * deadline);
    CHECK(ends == 1);
    CHECK(took >= each.at_least);
    CHECK(took <= each.at_most);
    if (each.expected) {
        REQUIRE(failure);
        INFO(failure->message());
        CHECK(failure->code == make_error_code(*each.expected));
        CHECK(failure->elapsed == took);
        CHECK(failure->host == "peer:5672");
        CHECK(failure->address == "unicast.openstack.t");
    } else {
        INFO((failure ? failure->message() : std::string()));
        CHECK_FALSE(failure);
    }
    // What is in doubt is not sent again.
    if (scene.peer->container) CHECK(scene.peer->count("unicast.openstack.t") == each.requests);
}

}  // namespace

TEST_CASE("whatever happens to a call, it ends once, in time, with the code that the table has for it") {
    for (const auto& each : faults_of_calls()) check(each, true);
}

TEST_CASE("whatever happens to a cast, it ends once, in time, with the code that the table has for it") {
    for (const auto& each : faults_of_casts()) check(each, false);
}
