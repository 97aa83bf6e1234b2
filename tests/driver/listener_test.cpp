// What a listener of notifications takes, gives to whom, and answers. In virtual time, over the embedded broker.
#include <aprotic/driver/notification_listener.hpp>

#include <algorithm>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/driver/addressing.hpp>

#include "driver/captures.hpp"
#include "driver/notification_world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// Sends messages of a test's own making to a node, and tells what became of them.
struct Raw {
    engine::Container container;
    engine::Connection connection;
    engine::Sender sender;

    Raw(World& world, const std::string& address)
        : container(world.reactor, "raw"),
          connection(container.connect(engine::Address{.host = "broker", .port = 5672}, {}, nullptr)),
          sender(connection.open_sender(address)) {}
    void send(const std::string& text) { sender.send(codec::Message(text)); }
};

std::vector<std::string> events_of(const std::vector<Notification>& notifications) {
    std::vector<std::string> events;
    for (const auto& each : notifications) events.push_back(each.event_type);
    return events;
}

using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("a listener gets what a notifier sends, in both forms") {
    World world;
    const auto transport = world.transport();
    Received received(*transport);
    const Notifier v1(*transport, {.publisher_id = "p", .context = {{"user", "bob"}}});
    const Notifier v2(*transport, {.publisher_id = "p", .drivers = {NotifierDriver::messagingv2}});
    REQUIRE(notify(world.reactor, v1, Priority::error, "one", {{"x", "h\xc3\xa9"}}));
    REQUIRE(notify(world.reactor, v2, Priority::info, "two", Json::array({1, nullptr})));
    world.reactor.run_for(1s);
    REQUIRE(received.all.size() == 2);
    CHECK(received.all[0].publisher_id == "p");
    CHECK(received.all[0].event_type == "one");
    CHECK(received.all[0].priority == Priority::error);
    CHECK(received.all[0].payload == Json{{"x", "h\xc3\xa9"}});
    CHECK(received.all[0].context == Json{{"user", "bob"}});
    CHECK(received.all[0].message_id.size() == 36);
    CHECK(received.all[0].timestamp.size() == 26);
    CHECK(received.all[1].payload == Json::array({1, nullptr}));
    CHECK(received.listener.is_ready());
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 0);
}

TEST_CASE("a listener's links are the captured ones, for the priorities that somebody wants", "[oslo-2]") {
    struct Peer final : engine::ConnectionHandler {
        void on_sender_requested(engine::Connection&, engine::LinkRequest request) override {
            attaches.push_back(request.attach());
            senders.push_back(request.accept_sender({}, std::make_shared<engine::SenderHandler>()));
        }
        std::vector<codec::Attach> attaches;
        std::vector<engine::Sender> senders;
    };
    sim::SimReactor reactor(3);
    engine::Container container(reactor, "peer");
    const auto peer = std::make_shared<Peer>();
    const auto listening = container.listen({.host = "peer", .port = 5672}, {}, [&] { return peer; });
    REQUIRE(listening);
    Transport transport(reactor, "amqp://peer");
    NotificationListener listener(transport, {{.topic = "nt"}, {.topic = "nt"}});
    listener.on(Priority::error, [](const Notification&) {}).on(Priority::info, [](const Notification&) {});
    listener.on_batch(Priority::info, [](const std::vector<Notification>&) {});
    listener.start();
    reactor.run_for(1s);
    REQUIRE(peer->attaches.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        auto captured = Captured("attach-notify-receivers").performative<codec::Attach>();
        const auto& ours = peer->attaches[i];
        const std::string address = i == 0 ? "unicast.openstack.nt.info" : "unicast.openstack.nt.error";
        CHECK(ours.name.starts_with("openstack.org/om/receiver/[" + address + "]/"));
        captured.name = ours.name;
        captured.handle = ours.handle;
        captured.max_message_size = ours.max_message_size;
        captured.initial_delivery_count = ours.initial_delivery_count;
        captured.source->address = address;
        std::get<codec::Target>(*captured.target).address = address;
        CHECK(ours == captured);
        CHECK(peer->senders[i].credit() == 100);
    }
}

TEST_CASE("notifications go by topic, exchange and priority, and to no other listener") {
    World world;
    const auto transport = world.transport();
    Received one(*transport, {{.topic = "one"}});
    Received two(*transport, {{.topic = "two"}, {.topic = "three"}});
    Received other(*transport, {{.exchange = "nova", .topic = "one"}});
    const auto send = [&](NotifierOptions options, const char* event) {
        REQUIRE(notify(world.reactor, Notifier(*transport, std::move(options)), Priority::info, event));
    };
    send({.topics = {"one"}}, "a");
    send({.topics = {"two"}}, "b");
    send({.topics = {"three"}}, "c");
    send({.topics = {"one"}, .exchange = "nova"}, "d");
    send({.topics = {"four"}}, "e");
    world.reactor.run_for(1s);
    CHECK(events_of(one.all) == Events{"a"});
    CHECK(events_of(two.all) == Events{"b", "c"});
    CHECK(events_of(other.all) == Events{"d"});
    CHECK(world.node("unicast.openstack.four.info")->messages == 1);
}

TEST_CASE("listeners of one topic share its notifications, pools get each") {
    World world;
    const auto transport = world.transport();
    std::vector<std::unique_ptr<Received>> plain, billing, audit;
    for (int i = 0; i < 2; ++i) {
        plain.push_back(std::make_unique<Received>(*transport));
        billing.push_back(std::make_unique<Received>(*transport, std::vector<Target>{{.topic = "notifications"}},
                                                     NotificationListenerOptions{.pool = "billing"}));
    }
    audit.push_back(std::make_unique<Received>(*transport, std::vector<Target>{{.topic = "notifications"}},
                                               NotificationListenerOptions{.pool = "audit"}));
    const Notifier notifier(*transport, {.pools = {"billing", "audit"}});
    for (int i = 0; i < 10; ++i) REQUIRE(notify(world.reactor, notifier));
    world.reactor.run_for(1s);
    CHECK(plain[0]->all.size() == 5);
    CHECK(plain[1]->all.size() == 5);
    CHECK(billing[0]->all.size() == 5);
    CHECK(billing[1]->all.size() == 5);
    CHECK(audit[0]->all.size() == 10);
    // Who knows nothing of pools names their topics.
    REQUIRE(notify(world.reactor, Notifier(*transport, {.topics = {"notifications", "notifications.audit"}})));
    world.reactor.run_for(1s);
    CHECK(audit[0]->all.size() == 11);
}

TEST_CASE("what is asked to come again comes again, where that is allowed") {
    const auto times = [](bool allowed, std::function<NotificationResult()> first) {
        World world;
        const auto transport = world.transport();
        Received received(*transport, {{.topic = "notifications"}}, {.allow_requeue = allowed});
        received.answer = [&](const Notification&) {
            return received.all.size() < 3 ? first() : NotificationResult::handled;
        };
        REQUIRE(notify(world.reactor, Notifier(*transport)));
        world.reactor.run_for(1s);
        CHECK(world.node("unicast.openstack.notifications.info")->messages == 0);
        return received.all.size();
    };
    const auto requeue = [] { return NotificationResult::requeue; };
    const auto fail = []() -> NotificationResult { throw std::runtime_error("no"); };
    CHECK(times(true, requeue) == 3);
    CHECK(times(true, fail) == 3);
    CHECK(times(false, requeue) == 1);
    CHECK(times(false, fail) == 1);
}

TEST_CASE("a failing endpoint is logged") {
    World world;
    std::vector<LogRecord> records;
    TransportOptions options;
    options.log = [&](const LogRecord& record) {
        if (record.level == LogLevel::error) records.push_back(record);
    };
    const auto transport = world.transport("amqp://broker", options);
    Received received(*transport);
    received.answer = [](const Notification&) -> NotificationResult { throw std::runtime_error("no room"); };
    REQUIRE(notify(world.reactor, Notifier(*transport, {.publisher_id = "p"}), Priority::info, "ev"));
    world.reactor.run_for(1s);
    REQUIRE(records.size() == 1);
    CHECK(records[0].event == "notification_failed");
    CHECK(records[0].text ==
          "an endpoint failed with the notification 'ev' of 'p', which is accepted all the same: no room");
}

TEST_CASE("endpoints get what their filters let through, until one asks for it again") {
    World world;
    const auto transport = world.transport();
    NotificationListener listener(*transport, {{.topic = "notifications"}}, {.allow_requeue = true});
    std::map<std::string, Events> got;
    const auto add = [&](const char* name, NotificationFilter filter) {
        listener.endpoint(std::move(filter)).on(Priority::info, [&got, name](const Notification& notification) {
            got[name].push_back(notification.event_type);
        });
    };
    add("publisher", {.publisher_id = "^compute.*"});
    add("event", {.event_type = "compute.instance.(create|delete)$"});
    add("context", {.context = {{"tenant", "a\\d+$"}}});
    add("payload", {.payload = {{"state", "act"}, {"host", ".*"}}});
    add("metadata", {.metadata = {{"timestamp", "2\\d\\d\\d-"}, {"message_id", "[0-9a-f-]{36}$"}}});
    add("none", {.metadata = {{"other", ".*"}}});
    add("all", {});
    bool again = true;
    listener.on(Priority::info, [&](const Notification&) {
        return std::exchange(again, false) ? NotificationResult::requeue : NotificationResult::handled;
    });
    add("last", {});
    listener.start();
    const auto send = [&](NotifierOptions options, const char* event, Json payload) {
        REQUIRE(
            notify(world.reactor, Notifier(*transport, std::move(options)), Priority::info, event, std::move(payload)));
        world.reactor.run_for(1s);
    };
    send({.publisher_id = "compute.h"}, "compute.instance.create", {{"state", "active"}, {"host", "h"}});
    send({.publisher_id = "net.compute", .context = {{"tenant", "a12"}}}, "compute.instance.create.start",
         {{"state", 5}, {"host", "h"}});
    send({.context = {{"tenant", "a12x"}}}, "compute.instance.delete", "text");
    CHECK(got["publisher"] == Events{"compute.instance.create", "compute.instance.create"});
    CHECK(got["event"] == Events{"compute.instance.create", "compute.instance.create", "compute.instance.delete"});
    CHECK(got["context"] == Events{"compute.instance.create.start"});
    CHECK(got["payload"] == Events{"compute.instance.create", "compute.instance.create"});
    CHECK(got["metadata"].size() == 4);
    CHECK(got["none"].empty());
    CHECK(got["all"].size() == 4);
    CHECK(got["last"].size() == 3);
}

TEST_CASE("a filter's pattern that is none is refused at once") {
    World world;
    const auto transport = world.transport();
    NotificationListener listener(*transport, {{.topic = "t"}});
    CHECK_THROWS_WITH(listener.endpoint({.payload = {{"a", "(b"}}}),
                      Catch::Contains("'(b' at character 3 was expected: a ) that closes the group"));
    CHECK_THROWS_AS(listener.start(), std::logic_error);
    CHECK_THROWS_AS(NotificationListener(*transport, {}), std::invalid_argument);
    CHECK_THROWS_AS(NotificationListener(*transport, {{.exchange = "e"}}), std::invalid_argument);
    CHECK_THROWS_AS(NotificationListener(*transport, {{.topic = "t"}}, {.batch_size = 0}), std::invalid_argument);
}

TEST_CASE("batches are of the size asked for, the last one waits no longer than asked for") {
    World world;
    const auto transport = world.transport();
    std::vector<std::size_t> sizes;
    std::size_t next = 0;
    NotificationListener listener(*transport, {{.topic = "notifications"}}, {.batch_size = 100, .batch_timeout = 2s});
    listener.on_batch(Priority::info, [&](const std::vector<Notification>& batch) {
        sizes.push_back(batch.size());
        for (const auto& each : batch) CHECK(each.payload == next++);
    });
    listener.start();
    world.reactor.run_for(1s);
    const Notifier notifier(*transport);
    for (int i = 0; i < 205; ++i)
        notifier.async_notify(Priority::info, "e", i, std::nullopt, [](Result<void> sent) { CHECK(sent); });
    world.reactor.run_for(1900ms);
    CHECK(sizes == std::vector<std::size_t>{100, 100});
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 5);
    world.reactor.run_for(200ms);
    CHECK(sizes == std::vector<std::size_t>{100, 100, 5});
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 0);
}

TEST_CASE("a batch is larger than the credit if it is asked to be, and waits for ever without a time") {
    World world;
    const auto transport = world.transport("amqp://broker/?notify_server_credit=10");
    std::vector<std::size_t> sizes;
    NotificationListener listener(*transport, {{.topic = "notifications"}}, {.batch_size = 30});
    listener.on_batch(Priority::info, [&](const std::vector<Notification>& batch) { sizes.push_back(batch.size()); });
    listener.start();
    for (int i = 0; i < 45; ++i) REQUIRE(notify(world.reactor, Notifier(*transport)));
    world.reactor.run_for(std::chrono::hours(1));
    CHECK(sizes == std::vector<std::size_t>{30});
    CHECK(listener.stop());
    world.reactor.run_for(1s);
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 15);
}

TEST_CASE("of a batch only what was asked for comes again") {
    World world;
    const auto transport = world.transport();
    std::vector<std::pair<std::string, Events>> calls;
    NotificationListener listener(*transport, {{.topic = "notifications"}},
                                  {.allow_requeue = true, .batch_size = 4, .batch_timeout = 1s});
    bool again = true;
    const auto note = [&](const char* what, bool may_ask) {
        return [&calls, &again, what, may_ask](const std::vector<Notification>& batch) {
            calls.emplace_back(what, events_of(batch));
            return may_ask && std::exchange(again, false) ? NotificationResult::requeue : NotificationResult::handled;
        };
    };
    listener.endpoint({.event_type = "a"}).on_batch(Priority::info, note("info", true));
    listener.on_batch(Priority::error, note("error", false));
    listener.start();
    world.reactor.run_for(100ms);
    const Notifier notifier(*transport);
    for (const char* event : {"a1", "b1", "a2"}) REQUIRE(notify(world.reactor, notifier, Priority::info, event));
    REQUIRE(notify(world.reactor, notifier, Priority::error, "e1"));
    world.reactor.run_for(5s);
    REQUIRE(calls.size() == 3);
    CHECK(calls[0] == std::pair<std::string, Events>("info", {"a1", "a2"}));
    CHECK(calls[1] == std::pair<std::string, Events>("error", {"e1"}));
    CHECK(calls[2] == std::pair<std::string, Events>("info", {"a1", "a2"}));
}

TEST_CASE("credit and what is not settled never exceed the limit") {
    World world;
    const auto transport = world.transport("amqp://broker/?notify_server_credit=10");
    NotificationListener listener(*transport, {{.topic = "notifications"}}, {.batch_size = 10});
    std::vector<std::size_t> sizes;
    listener.on_batch(Priority::info, [&](const std::vector<Notification>& batch) { sizes.push_back(batch.size()); });
    listener.start();
    Received waiting(*transport, {{.topic = "other"}}, {.batch_size = 10});
    for (int i = 0; i < 50; ++i) REQUIRE(notify(world.reactor, Notifier(*transport, {.topics = {"other"}})));
    for (int i = 0; i < 9; ++i) REQUIRE(notify(world.reactor, Notifier(*transport)));
    world.reactor.run_for(1s);
    CHECK(sizes.empty());
    CHECK(waiting.all.size() == 50);
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 9);
}

TEST_CASE("what is no notification is rejected, and the listener keeps its credit") {
    World world;
    const auto transport = world.transport("amqp://broker/?notify_server_credit=2&json_depth_max=20");
    Received received(*transport);
    world.reactor.run_for(1s);
    Raw raw(world, "unicast.openstack.notifications.info");
    const std::string wrong[] = {
        "no json",
        "[]",
        "{}",
        R"({"request": 5})",
        R"({"request": {}})",
        R"({"request": {"priority": "urgent"}})",
        R"({"request": {"oslo.version": "3.0", "oslo.message": "{\"priority\": \"INFO\"}"}})",
        R"({"request": {"oslo.version": "2.1", "oslo.message": "{\"priority\": \"INFO\"}"}})",
        R"({"request": {"oslo.version": "2.0", "oslo.message": "[1"}})",
        R"({"request": {"oslo.version": "2.0", "oslo.message": 5}})",
        R"({"request": {"priority": "INFO", "payload": )" + std::string(50, '[') + std::string(50, ']') + "}}",
    };
    for (int round = 0; round < 3; ++round)
        for (const auto& text : wrong) raw.send(text);
    raw.send(R"({"request": {"priority": "info"}})");
    world.reactor.run_for(1s);
    REQUIRE(received.all.size() == 1);
    CHECK(received.all[0].payload.is_null());
    CHECK(received.all[0].publisher_id.empty());
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 0);
}

TEST_CASE("a notification of a priority that nobody wants here is taken all the same") {
    World world;
    const auto transport = world.transport();
    NotificationListener listener(*transport, {{.topic = "notifications"}});
    listener.on(Priority::info, [](const Notification&) { FAIL("it is no info"); });
    listener.start();
    world.reactor.run_for(1s);
    Raw raw(world, "unicast.openstack.notifications.info");
    raw.send(R"({"request": {"priority": "ERROR"}})");
    world.reactor.run_for(1s);
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 0);
}

TEST_CASE("a listener's links come back after a loss, and nothing is lost with them") {
    World world;
    const auto transport = world.transport("amqp://broker/?connection_retry_interval=0.1");
    Received received(*transport);
    const Notifier notifier(*transport);
    REQUIRE(notify(world.reactor, notifier, Priority::info, "before"));
    world.reactor.run_for(1s);
    world.stop_broker();
    world.reactor.run_for(1s);
    CHECK_FALSE(received.listener.is_ready());
    world.start_broker();
    world.reactor.run_for(1s);
    CHECK(received.listener.is_ready());
    REQUIRE(notify(world.reactor, notifier, Priority::info, "after"));
    world.reactor.run_for(1s);
    CHECK(events_of(received.all) == Events{"before", "after"});
}

TEST_CASE("what a listener has not finished when its connection goes is given to another") {
    World world;
    auto first = world.transport();
    NotificationListener listener(*first, {{.topic = "notifications"}}, {.batch_size = 5});
    listener.on_batch(Priority::info, [](const std::vector<Notification>&) { FAIL("the batch is never full"); });
    listener.start();
    world.reactor.run_for(1s);
    const auto second = world.transport();
    for (int i = 0; i < 3; ++i) REQUIRE(notify(world.reactor, Notifier(*second)));
    world.reactor.run_for(1s);
    Received other(*second);
    first.reset();
    world.reactor.run_for(1s);
    CHECK(other.all.size() == 3);
}

TEST_CASE("a stopped listener leaves notifications to others and can start again") {
    World world;
    const auto transport = world.transport();
    Received received(*transport);
    world.reactor.run_for(1s);
    CHECK(received.listener.stop());
    world.reactor.run_for(1s);
    CHECK_FALSE(received.listener.is_ready());
    REQUIRE(notify(world.reactor, Notifier(*transport)));
    world.reactor.run_for(1s);
    CHECK(received.all.empty());
    received.listener.start();
    world.reactor.run_for(1s);
    CHECK(received.all.size() == 1);
    CHECK(received.listener.wait_ready(1s).error().is(Errc::would_deadlock));
}

TEST_CASE("both addressings of notifications, with their prefixes and exchanges") {
    TransportOptions options;
    CHECK(LegacyAddresser(options, "").notification_address({.topic = "t"}, "info") == "unicast.openstack.t.info");
    CHECK(LegacyAddresser(options, "v").notification_address({.exchange = "e", .topic = "t"}, "warn") ==
          "unicast.v.e.t.warn");
    CHECK(RoutableAddresser(options, "").notification_address({.topic = "nt"}, "info") ==
          *Captured("notify-routable").message().properties->to);
    options.notify_address_prefix = "n";
    options.anycast_address = "a";
    options.default_notification_exchange = "NE";
    options.default_rpc_exchange = "RE";
    options.group_request_prefix = "g";
    CHECK(RoutableAddresser(options, "v").notification_address({.topic = "t"}, "info") == "n/a/v/NE/t.info");
    CHECK(RoutableAddresser(options, "").notification_address({.exchange = "e", .topic = "t"}, "info") ==
          "n/a/e/t.info");
    CHECK(LegacyAddresser(options, "").notification_address({.topic = "t"}, "info") == "g.openstack.t.info");

    World world;
    const auto transport = world.transport("embedded:?addressing_mode=routable");
    Received received(*transport);
    REQUIRE(notify(world.reactor, Notifier(*transport)));
    world.reactor.run_for(1s);
    CHECK(received.all.size() == 1);
}

TEST_CASE("priorities have names in any case") {
    for (const auto priority : all_priorities) CHECK(priority_named(name_of(priority)) == priority);
    CHECK(priority_named("INFO") == Priority::info);
    CHECK(priority_named("Warning") == Priority::warn);
    CHECK_FALSE(priority_named(""));
    CHECK_FALSE(priority_named("informal"));
}

TEST_CASE("a serializer has its say about payload and context of notifications") {
    struct Wrapping final : Serializer {
        Json serialize_entity(const Json& context, Json entity) const override {
            if (entity == "no") throw std::runtime_error("not this one");
            return {{"wrapped", entity}, {"by", context.at("user")}};
        }
        Json deserialize_entity(const Json& context, Json entity) const override {
            return {{"was", entity.at("wrapped")}, {"for", context.at("user")}};
        }
        Json serialize_context(Json context) const override {
            context["sent"] = true;
            return context;
        }
    };
    World world;
    const auto transport = world.transport();
    const auto serializer = std::make_shared<Wrapping>();
    Received received(*transport, {{.topic = "notifications"}}, {.serializer = serializer});
    const Notifier notifier(*transport, {.context = {{"user", "bob"}}, .serializer = serializer});
    REQUIRE(notify(world.reactor, notifier, Priority::info, "e", 5));
    world.reactor.run_for(1s);
    REQUIRE(received.all.size() == 1);
    CHECK(received.all[0].payload == Json{{"was", 5}, {"for", "bob"}});
    CHECK(received.all[0].context == Json{{"user", "bob"}, {"sent", true}});

    const auto refused = notify(world.reactor, notifier, Priority::info, "e", "no");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().is(Errc::invalid_target));
    CHECK_THAT(refused.error().text, Catch::Contains("not this one"));
    REQUIRE(notify(world.reactor, Notifier(*transport)));
    world.reactor.run_for(1s);
    CHECK(received.all.size() == 1);
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 0);
}
