// What a transport tells its application's log.
#include <algorithm>

#include "driver/world.hpp"

using namespace aprotic;
using namespace aprotic::test;
using Catch::Contains;

namespace {

engine::BrokerOptions with_password() {
    engine::BrokerOptions options;
    options.users = {{"me", "secret"}};
    return options;
}

struct Log {
    std::vector<LogRecord> records;

    TransportOptions options() {
        TransportOptions options;
        options.connection_retry_interval = std::chrono::milliseconds(100);
        options.log = [this](const LogRecord& record) { records.push_back(record); };
        return options;
    }
    std::vector<LogRecord> of(std::string_view event) const {
        std::vector<LogRecord> found;
        std::ranges::copy_if(records, std::back_inserter(found),
                             [&](const LogRecord& each) { return each.event == event; });
        return found;
    }
};

}  // namespace

TEST_CASE("credentials in clear are sent as the original did, with one warning for a transport") {
    Log log;
    World world(with_password());
    auto options = log.options();
    options.sasl_mechanisms = {"PLAIN"};
    const auto transport = world.transport("amqp://me:secret@broker", options);
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.handle("m", [] { return 1; }).start();
    const RpcClient client(*transport, Target{.topic = "t"});
    CHECK(world.call(client, "m").value() == 1);
    world.stop_broker();
    world.settle();
    world.start_broker();
    CHECK(world.call(client, "m").value() == 1);

    CHECK(log.of("connected").size() == 2);
    CHECK(log.of("connection_lost").size() == 1);
    const auto warnings = log.of("credentials_in_clear");
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].level == LogLevel::warning);
    CHECK_THAT(warnings[0].text, Contains("amqps") && Contains("allow_cleartext_password=false") &&
                                     Contains("broker:5672") && !Contains("secret"));
    CHECK(warnings[0].fields.at(0) == std::pair<std::string_view, std::string>("host", "broker:5672"));
    CHECK(warnings[0].fields.at(1) == std::pair<std::string_view, std::string>("mechanism", "PLAIN"));
}

TEST_CASE("without the option no credentials leave unencrypted, and the failure says what to do") {
    Log log;
    World world(with_password());
    auto options = log.options();
    options.sasl_mechanisms = {"PLAIN"};
    const auto transport = world.transport("amqp://me:secret@broker/?allow_cleartext_password=false", options);
    const auto failure = world.call(RpcClient(*transport, Target{.topic = "t"}), "m").failure();
    CHECK(failure.is(Errc::authentication_failed));
    CHECK_THAT(failure.message(), Contains("amqps://") && Contains("allow_cleartext_password") && !Contains("secret"));
    CHECK(log.of("credentials_in_clear").empty());
    CHECK(log.of("connect_failed").size() == 1);
}

TEST_CASE("nothing is warned of where nobody can listen, or nothing is readable") {
    Log log;
    SECTION("this machine") {
        World world(with_password());
        engine::Broker local(*world.container, with_password());
        REQUIRE(local.listen({.host = "127.0.0.1", .port = 5672}));
        const auto transport = world.transport("amqp://me:secret@127.0.0.1/?sasl_mechanisms=PLAIN", log.options());
        CHECK(world.cast(RpcClient(*transport, Target{.topic = "t"}), "m").ended());
        CHECK(log.of("connected").size() == 1);
    }
    SECTION("no credentials") {
        World world;
        const auto transport = world.transport("amqp://broker", log.options());
        CHECK(world.cast(RpcClient(*transport, Target{.topic = "t"}), "m").ended());
        CHECK(log.of("connected").size() == 1);
    }
    CHECK(log.of("credentials_in_clear").empty());
}

TEST_CASE("the option trace logs every frame and no password") {
    Log log;
    World world(with_password());
    auto options = log.options();
    options.trace = true;
    options.sasl_mechanisms = {"PLAIN"};
    const auto transport = world.transport("amqp://me:secret@broker", options);
    CHECK(world.cast(RpcClient(*transport, Target{.topic = "t"}), "m", {{"a", "hidden"}}).ended());
    world.settle();
    std::string all;
    for (const auto& record : log.of("frame")) {
        CHECK(record.level == LogLevel::debug);
        all += record.text + '\n';
    }
    CHECK_THAT(all, Contains("sent protocol header 3\n") && Contains("received protocol header 0\n") &&
                        Contains("sasl-init") && Contains("sent ") && Contains("attach") && Contains("transfer"));
    CHECK_THAT(all, !Contains("secret") && !Contains("hidden"));
    for (const auto& record : log.records) CHECK_THAT(record.text, !Contains("secret"));
}

TEST_CASE("a server's link that is refused is told") {
    engine::BrokerOptions options;
    options.topic_patterns = {"nothing"};
    Log log;
    World world(options);
    const auto transport = world.transport("amqp://broker", log.options());
    RpcServer server(*transport, Target{.topic = "t", .server = "s"});
    server.start();
    world.settle();
    const auto lost = log.of("server_link_lost");
    REQUIRE(lost.size() == 1);
    CHECK_THAT(lost[0].text, Contains("broadcast.openstack.t.all") && Contains("amqp:not-found"));
}
