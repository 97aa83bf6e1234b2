// What a notifier sends, and what it says came of it. In virtual time, over the embedded broker.
#include <aprotic/driver/notifier.hpp>

#include <algorithm>

#include <aprotic/driver/bus/notice.hpp>

#include "driver/captures.hpp"
#include "driver/notification_world.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

engine::BrokerOptions only(std::vector<std::string> patterns) {
    engine::BrokerOptions options;
    options.queue_patterns = std::move(patterns);
    return options;
}

/// A peer at amqp://peer that takes every link, keeps what comes and answers it as it is told to.
struct Watcher final : engine::ConnectionHandler {
    struct Incoming final : engine::ReceiverHandler {
        explicit Incoming(Watcher& all) : watcher(all) {}
        void on_message(engine::Receiver&, engine::Delivery& delivery) override {
            watcher.messages.push_back(*delivery.message().to_message());
            watcher.settled.push_back(delivery.is_settled());
            watcher.answer(delivery);
        }
        Watcher& watcher;
    };
    void on_receiver_requested(engine::Connection&, engine::LinkRequest request) override {
        attaches.push_back(request.attach());
        receivers.push_back(request.accept_receiver({}, std::make_shared<Incoming>(*this)));
    }

    std::function<void(engine::Delivery&)> answer = [](engine::Delivery& delivery) { delivery.accept(); };
    std::vector<codec::Attach> attaches;
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

    explicit Scene(const char* url = "amqp://peer", TransportOptions options = {})
        : transport(reactor, url, std::move(options)) {
        auto listening = container.listen({.host = "peer", .port = 5672}, {}, [this] { return peer; });
        REQUIRE(listening);
        listener = *listening;
    }
    Result<void> notify(const Notifier& notifier, std::string event = "e") {
        return aprotic::test::notify(reactor, notifier, Priority::info, std::move(event));
    }
};

}  // namespace

TEST_CASE("a notification is the captured one, in both forms", "[oslo-3][oslo-4]") {
    const auto same = [](const char* kind, NotifierDriver driver) {
        const Captured captured(kind);
        const auto theirs = captured.message();
        Scene scene;
        NotifierOptions options;
        options.publisher_id = "pub.host1";
        options.topics = {"nt"};
        options.drivers = {driver};
        options.context = {{"user", "bob"}};
        const Notifier notifier(scene.transport, options);
        REQUIRE(notify(scene.reactor, notifier, Priority::info, "ev.start", {{"x", 1}, {"drv", name_of(driver)}}));
        REQUIRE(scene.peer->messages.size() == 1);
        const auto& ours = scene.peer->messages[0];
        CHECK_FALSE(scene.peer->settled[0]);
        CHECK(ours.header == theirs.header);
        CHECK(ours.properties == theirs.properties);
        CHECK(ours.application_properties.empty());
        // The id and the time are each sender's own, and of the same length.
        const std::string text = *std::get<codec::Value>(ours.body).get_if<std::string>();
        std::string expected = captured.text();
        REQUIRE(text.size() == expected.size());
        const auto take_over = [&](const std::string& key, std::size_t length) {
            const auto at = expected.find(key) + key.size();
            const std::string value = text.substr(at, length);
            expected.replace(at, length, value);
            return value;
        };
        const std::string quote = driver == NotifierDriver::messagingv2 ? "\\\"" : "\"";
        const auto id = take_over("message_id" + quote + ": " + quote, 36);
        const auto time = take_over("timestamp" + quote + ": " + quote, 26);
        CHECK(text == expected);
        CHECK(id[14] == '4');
        CHECK(std::string("89ab").find(id[19]) != std::string::npos);
        CHECK(time.substr(0, 2) == "20");

        auto sender = Captured("attach-sender").performative<codec::Attach>();
        const auto& link = scene.peer->attaches.at(0);
        CHECK(link.name.starts_with("openstack.org/om/sender/[unicast.openstack.nt.info]/"));
        CHECK(link.snd_settle_mode == sender.snd_settle_mode);
        CHECK(link.rcv_settle_mode == sender.rcv_settle_mode);
        CHECK(std::get<codec::Target>(*link.target).address == "unicast.openstack.nt.info");
        CHECK(link.source->address == "unicast.openstack.nt.info");
    };
    same("notify-v1", NotifierDriver::messaging);
    same("notify-v2-envelope", NotifierDriver::messagingv2);
}

TEST_CASE("identifiers of notifications are random UUIDs, their times UTC with microseconds") {
    using namespace std::chrono;
    CHECK(bus::uuid_text(0x0123456789abcdef, 0xffffffffffffffff) == "01234567-89ab-4def-bfff-ffffffffffff");
    CHECK(bus::uuid_text(0, 0) == "00000000-0000-4000-8000-000000000000");
    const engine::WallTime day = sys_days(year(2026) / 2 / 9);
    CHECK(bus::timestamp_text(day + 1h + 2min + 3s + 4567ns) == "2026-02-09 01:02:03.000004");
    CHECK(bus::timestamp_text(day - 1ns) == "2026-02-08 23:59:59.999999");
}

TEST_CASE("a notification goes to every topic under its priority, and is one") {
    World world;
    const auto transport = world.transport();
    const Notifier notifier(*transport, {.topics = {"one", "two"}});
    for (const auto priority : all_priorities) {
        REQUIRE(notify(world.reactor, notifier, priority, "e"));
        for (const std::string topic : {"one", "two"})
            CHECK(world.node("unicast.openstack." + topic + "." + std::string(name_of(priority)))->messages == 1);
    }
    Received received(*transport, {{.topic = "one"}, {.topic = "two"}});
    world.reactor.run_for(1s);
    REQUIRE(received.all.size() == 2 * all_priorities.size());
    std::map<std::string, int> ids;
    for (const auto& each : received.all) ++ids[each.message_id];
    CHECK(ids.size() == all_priorities.size());
    for (const auto& [id, count] : ids) CHECK(count == 2);
}

TEST_CASE("prepare changes the publisher, the retries and the context, and nothing of the first") {
    Scene scene;
    const Notifier notifier(scene.transport, {.publisher_id = "one", .context = {{"user", "a"}}});
    const auto other = notifier.prepare({.publisher_id = "two", .retry = 3});
    CHECK(notifier.options().publisher_id == "one");
    CHECK(other.options().retry == 3);
    REQUIRE(scene.notify(other));
    REQUIRE(scene.notify(notifier.prepare({.durable = true, .context = Json{{"user", "b"}}})));
    const auto text = [&](std::size_t i) {
        return *std::get<codec::Value>(scene.peer->messages[i].body).get_if<std::string>();
    };
    CHECK_THAT(text(0),
               Catch::Contains("\"publisher_id\": \"two\"") && Catch::EndsWith("\"context\": {\"user\": \"a\"}}"));
    CHECK_THAT(text(1),
               Catch::Contains("\"publisher_id\": \"one\"") && Catch::EndsWith("\"context\": {\"user\": \"b\"}}"));
    CHECK_FALSE(scene.peer->messages[0].header->durable);
    CHECK(scene.peer->messages[1].header->durable);
}

TEST_CASE("durable nodes make notifications durable too") {
    Scene scene("amqp://peer/?amqp_durable_queues=true");
    REQUIRE(scene.notify(Notifier(scene.transport)));
    CHECK(scene.peer->messages[0].header->durable);
}

TEST_CASE("without a retry a notification that is given back, or has no host, fails at once") {
    Scene scene;
    scene.peer->answer = [](engine::Delivery& delivery) { delivery.release(); };
    const Notifier notifier(scene.transport, {.retry = 0});
    const auto released = scene.notify(notifier);
    REQUIRE_FALSE(released);
    CHECK(released.error().is(Errc::undeliverable));
    CHECK(released.error().address == "unicast.openstack.notifications.info");
    CHECK(scene.peer->messages.size() == 1);

    World world;
    const auto nowhere = world.transport("amqp://nohost.invalid");
    const auto failed = notify(world.reactor, Notifier(*nowhere, {.retry = 0}));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().is(Errc::unreachable));
    CHECK(world.reactor.elapsed() < 1s);
}

TEST_CASE("a notification is tried as often as asked, then until its deadline") {
    const auto attempts = [](int retry) {
        Scene scene("amqp://peer/?link_retry_delay=1&default_notify_timeout=10");
        scene.peer->answer = [](engine::Delivery& delivery) { delivery.release(); };
        const auto result = scene.notify(Notifier(scene.transport, {.retry = retry}));
        REQUIRE_FALSE(result);
        CHECK(result.error().is(Errc::undeliverable));
        return scene.peer->messages.size();
    };
    CHECK(attempts(0) == 1);
    CHECK(attempts(2) == 3);
    CHECK(attempts(-1) == 10);
}

TEST_CASE("a peer that modifies without a failure gets it again, one that failed or rejects does not") {
    const auto outcome = [](std::function<void(engine::Delivery&)> first) {
        Scene scene("amqp://peer/?link_retry_delay=1");
        int count = 0;
        scene.peer->answer = [&](engine::Delivery& delivery) { count++ == 0 ? first(delivery) : delivery.accept(); };
        auto result = scene.notify(Notifier(scene.transport, {.retry = 2}));
        return std::pair(result ? std::error_code() : result.error().code, count);
    };
    CHECK(outcome([](auto& d) { d.release(); }) == std::pair(std::error_code(), 2));
    CHECK(outcome([](auto& d) { d.modify(false); }) == std::pair(std::error_code(), 2));
    CHECK(outcome([](auto& d) { d.modify(true); }) == std::pair(make_error_code(Errc::in_doubt), 1));
    CHECK(outcome([](auto& d) { d.reject(); }) == std::pair(make_error_code(Errc::rejected), 1));
}

TEST_CASE("what is not answered is in doubt at its deadline, and not a success") {
    Scene scene("amqp://peer/?default_notify_timeout=2");
    std::vector<engine::Delivery> kept;
    scene.peer->answer = [&](engine::Delivery& delivery) { kept.push_back(std::move(delivery)); };
    const auto result = scene.notify(Notifier(scene.transport));
    REQUIRE_FALSE(result);
    CHECK(result.error().is(Errc::in_doubt));
    CHECK(result.error().elapsed == 2s);
    CHECK(scene.peer->messages.size() == 1);
}

TEST_CASE("with pre-settled notifications nobody has to answer") {
    Scene scene("amqp://peer/?pre_settled=notify");
    scene.peer->answer = [](engine::Delivery&) {};
    CHECK(scene.notify(Notifier(scene.transport)));
    scene.reactor.run_for(1s);
    REQUIRE(scene.peer->settled.size() == 1);
    CHECK(scene.peer->settled[0]);
}

TEST_CASE("some topics have it and another refuses: that is in doubt, and says which") {
    World world(only({"unicast.openstack.known"}));
    const auto transport = world.transport();
    const auto result = notify(world.reactor, Notifier(*transport, {.topics = {"known", "strange"}}));
    REQUIRE_FALSE(result);
    CHECK(result.error().is(Errc::in_doubt));
    CHECK_THAT(result.error().text, Catch::StartsWith("'unicast.openstack.known.info' had taken it; for "
                                                      "'unicast.openstack.strange.info': refused"));
    CHECK(world.node("unicast.openstack.known.info")->messages == 1);

    const auto none = notify(world.reactor, Notifier(*transport, {.topics = {"odd", "strange"}}));
    REQUIRE_FALSE(none);
    CHECK(none.error().is(Errc::refused));
    CHECK(none.error().condition->condition == codec::condition::not_found);
}

TEST_CASE("a notifier without a topic says so, one without a driver does nothing") {
    World world;
    const auto transport = world.transport();
    const auto result = notify(world.reactor, Notifier(*transport, {.topics = {}}));
    REQUIRE_FALSE(result);
    CHECK(result.error().is(Errc::invalid_target));
    const Notifier none(*transport, {.drivers = {}});
    CHECK_FALSE(none.is_enabled());
    CHECK(notify(world.reactor, none));
    CHECK(world.broker->nodes().empty());
}

TEST_CASE("notifications can be collected, logged without secrets, or dropped") {
    World world;
    std::vector<LogRecord> records;
    TransportOptions options;
    options.log = [&](const LogRecord& record) { records.push_back(record); };
    const auto transport = world.transport("amqp://broker", options);
    const Notifier notifier(*transport, {.publisher_id = "p",
                                         .drivers = {NotifierDriver::test, NotifierDriver::log, NotifierDriver::noop}});
    const Json payload = {{"name", "n"}, {"adminPassword", "geheim"}, {"list", {{{"auth_token", 5}}}}};
    REQUIRE(notify(world.reactor, notifier.prepare({.publisher_id = "q"}), Priority::warn, "ev", payload));
    REQUIRE(notifier.collected().size() == 1);
    const auto kept = notifier.collected()[0];
    CHECK(kept.publisher_id == "q");
    CHECK(kept.event_type == "ev");
    CHECK(kept.priority == Priority::warn);
    CHECK(kept.payload == payload);
    CHECK(kept.message_id.size() == 36);
    notifier.clear_collected();
    CHECK(notifier.collected().empty());

    REQUIRE(records.size() == 1);
    CHECK(records[0].event == "notification");
    CHECK(records[0].level == LogLevel::warning);
    CHECK_THAT(records[0].text, Catch::Contains("\"payload\": {\"name\": \"n\", \"adminPassword\": \"***\", \"list\": "
                                                "[{\"auth_token\": \"***\"}]}"));
    CHECK(world.broker->nodes().empty());
}

TEST_CASE("rules choose the drivers by event and priority") {
    const auto parsed = NotificationRouting::parse(R"(# as a service has it
group_1:
    messaging:
        accepted_priorities: ['info', "ERROR"]
    log:
        accepted_events:
          - compute.*.start
          - image.[a-c]?
        accepted_priorities:
          - warn
group_2:
  test:
)");
    INFO(parsed.error());
    REQUIRE(parsed);
    const auto drivers = [&](const char* event, Priority priority) {
        std::string names;
        for (const auto driver : parsed->drivers_for({.event_type = event, .priority = priority}))
            names += std::string(name_of(driver)) + " ";
        return names;
    };
    CHECK(drivers("x", Priority::info) == "messaging test ");
    CHECK(drivers("x", Priority::error) == "messaging test ");
    CHECK(drivers("x", Priority::warn) == "test ");
    CHECK(drivers("compute.instance.create.start", Priority::warn) == "log test ");
    CHECK(drivers("compute.instance.create.end", Priority::warn) == "test ");
    CHECK(drivers("image.b1", Priority::warn) == "log test ");
    CHECK(drivers("image.d1", Priority::warn) == "test ");

    World world;
    const auto transport = world.transport();
    const Notifier notifier(*transport, {.drivers = {NotifierDriver::routing}, .routing = *parsed});
    REQUIRE(notify(world.reactor, notifier, Priority::info, "x"));
    REQUIRE(notify(world.reactor, notifier, Priority::warn, "y"));
    CHECK(notifier.collected().size() == 2);
    CHECK(world.node("unicast.openstack.notifications.info")->messages == 1);
    CHECK_FALSE(world.node("unicast.openstack.notifications.warn"));
}

TEST_CASE("rules that make no sense are refused with what was expected") {
    const auto refusal = [](const char* text) {
        const auto parsed = NotificationRouting::parse(text);
        INFO(text);
        REQUIRE_FALSE(parsed);
        return parsed.error();
    };
    using Catch::Contains;
    CHECK_THAT(refusal("- a\n"), Contains("groups"));
    CHECK_THAT(refusal("g: driver\n"), Contains("g: drivers were expected"));
    CHECK_THAT(refusal("g:\n  rabbit:\n"), Contains("g: rabbit: messaging, messagingv2, log, test or noop"));
    CHECK_THAT(refusal("g:\n  routing:\n"), Contains("messaging"));
    CHECK_THAT(refusal("g:\n  log:\n    accepted: [x]\n"), Contains("accepted_events or accepted_priorities"));
    CHECK_THAT(refusal("g:\n  log:\n    accepted_events: x\n"), Contains("a list of patterns"));
    CHECK_THAT(refusal("g:\n\tlog:\n"), Contains("line 2") && Contains("tab"));
    CHECK_THAT(refusal("g:\n  log\n"), Contains("line 2") && Contains("key:"));
    CHECK_THAT(refusal("g:\n  log:\n    accepted_events: [a\n"), Contains("line 3"));
    CHECK_THAT(refusal("g:\n  log: {accepted_events: [a]}\n"), Contains("line 2"));
    CHECK_THAT(refusal("g:\n  log:\n   noop:\n  test:\n x:\n"),
               Contains("line 3") || Contains("line 5") || Contains("log"));
    CHECK_THAT(refusal("g:\n  log:\n  log:\n"), Contains("only once"));
    CHECK_THAT(refusal("g: &a\n"), Contains("line 1"));
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    CHECK_THAT(refusal(deep.c_str()), Contains("levels"));
    CHECK(NotificationRouting::parse("{\"g\": {\"log\": {\"accepted_events\": [\"a\"]}}}")->groups.size() == 1);
    CHECK(NotificationRouting::parse("")->groups.empty());
}

TEST_CASE("a notification can be cancelled, and does not block its own reactor") {
    Scene scene;
    scene.peer->answer = [](engine::Delivery&) {};
    std::vector<engine::Delivery> kept;
    scene.peer->answer = [&](engine::Delivery& delivery) { kept.push_back(std::move(delivery)); };
    std::optional<Result<void>> result;
    const auto handle = Notifier(scene.transport, {.topics = {"a", "b"}})
                            .async_notify(Priority::info, "e", Json(), std::nullopt,
                                          [&](Result<void> ended) { result = std::move(ended); });
    REQUIRE(scene.reactor.run_until([&] { return kept.size() == 2; }));
    handle.cancel();
    scene.reactor.run_for(1s);
    REQUIRE(result);
    CHECK(result->error().is(Errc::cancelled));
    CHECK(Notifier(scene.transport).try_notify(Priority::info, "e").error().is(Errc::would_deadlock));
    scene.transport.close();
    std::optional<Result<void>> closed;
    Notifier(scene.transport).async_notify(Priority::info, "e", Json(), std::nullopt, [&](Result<void> ended) {
        closed = std::move(ended);
    });
    scene.reactor.run_for(1s);
    REQUIRE(closed);
    CHECK(closed->error().is(Errc::closed));
}

TEST_CASE("every notification reported as delivered is there, whatever happens to the connection") {
    // The broker goes after each step of the world, so between any two things that happen.
    World world;
    std::size_t delivered = 0;
    for (int cut = 0; cut < 80; ++cut) {
        const auto transport = world.transport("amqp://broker/?default_notify_timeout=5&connection_retry_interval=0.1");
        const Notifier notifier(*transport, {.topics = {"t" + std::to_string(cut)}});
        std::vector<std::optional<Result<void>>> results(5);
        for (auto& result : results)
            notifier.async_notify(Priority::info, "e", Json(), std::nullopt,
                                  [&result](Result<void> ended) { result = std::move(ended); });
        // So many steps of the world, then the broker is gone for a moment with what it had. What it took is counted.
        for (int i = 0; i < cut; ++i) world.reactor.step();
        const std::string address = "unicast.openstack.t" + std::to_string(cut) + ".info";
        const auto before = world.node(address);
        const std::size_t kept = before ? before->messages : 0;
        const auto told = [&] {
            return static_cast<std::size_t>(
                std::ranges::count_if(results, [](const auto& each) { return each && each->has_value(); }));
        };
        REQUIRE(told() <= kept);
        world.stop_broker();
        world.reactor.run_for(100ms);
        // What it had said last may still have come.
        const std::size_t told_before = told();
        REQUIRE(told_before <= kept);
        world.start_broker();
        world.reactor.run_for(10s);
        const auto after = world.node(address);
        const std::size_t again = after ? after->messages : 0;
        for (const auto& result : results) {
            REQUIRE(result);
            if (*result) ++delivered;
        }
        // Nothing that had left is sent again, and nothing is told that is not there.
        CHECK(told() == told_before + again);
    }
    CHECK(delivered > 0);
}
