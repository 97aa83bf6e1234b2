// Figures: what is counted, what it costs, and the text that Prometheus reads.
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <aprotic/driver/metrics.hpp>
#include <aprotic/driver/prometheus.hpp>

#include "driver/world.hpp"
#include "support/alloc_counter.hpp"

using namespace aprotic;
using namespace aprotic::test;

namespace {

/// Reads the text format by its grammar, line by line; fails the test at the first that is none.
class Exposition {
public:
    explicit Exposition(const std::string& text) {
        REQUIRE(!text.empty());
        REQUIRE(text.back() == '\n');
        std::size_t at = 0;
        while (at < text.size()) {
            const std::size_t end = text.find('\n', at);
            line_ = text.substr(at, end - at);
            INFO(line_);
            read();
            at = end + 1;
        }
    }
    /// The value of a sample, written as in the text: `name{label="value"}`.
    double at(const std::string& sample) const {
        INFO(sample);
        REQUIRE(samples_.count(sample) == 1);
        return samples_.at(sample);
    }
    bool has(const std::string& sample) const { return samples_.count(sample) == 1; }
    const std::map<std::string, std::string>& types() const { return types_; }
    const std::map<std::string, double>& samples() const { return samples_; }

private:
    static bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':'; }
    std::string name() {
        const std::size_t start = pos_;
        REQUIRE(pos_ < line_.size());
        REQUIRE(starts_name(line_[pos_]));
        while (pos_ < line_.size() && (starts_name(line_[pos_]) || (line_[pos_] >= '0' && line_[pos_] <= '9'))) ++pos_;
        return line_.substr(start, pos_ - start);
    }
    void expect(char c) {
        REQUIRE(pos_ < line_.size());
        REQUIRE(line_[pos_] == c);
        ++pos_;
    }
    void read() {
        pos_ = 0;
        if (line_.starts_with("# HELP ")) {
            pos_ = 7;
            family_ = name();
            REQUIRE(families_.insert(family_).second);  // its samples are together
            for (std::size_t i = pos_; i < line_.size(); ++i)
                if (line_[i] == '\\') {
                    ++i;
                    REQUIRE((line_.at(i) == '\\' || line_.at(i) == 'n'));
                }
            return;
        }
        if (line_.starts_with("# TYPE ")) {
            pos_ = 7;
            REQUIRE(name() == family_);
            expect(' ');
            types_[family_] = line_.substr(pos_);
            return;
        }
        const std::string sample = name();
        const std::string suffix = sample.substr(std::min(sample.size(), family_.size()));
        REQUIRE(sample.starts_with(family_));
        REQUIRE(std::set<std::string>({"", "_bucket", "_sum", "_count"}).count(suffix) == 1);
        REQUIRE((types_[family_] == "histogram") == !suffix.empty());
        if (pos_ < line_.size() && line_[pos_] == '{') {
            std::set<std::string> labels;
            do {
                ++pos_;
                const std::string label = name();
                REQUIRE(label.find(':') == std::string::npos);
                REQUIRE(labels.insert(label).second);
                expect('=');
                expect('"');
                for (; line_.at(pos_) != '"'; ++pos_)
                    if (line_[pos_] == '\\') {
                        ++pos_;
                        REQUIRE((line_.at(pos_) == '\\' || line_.at(pos_) == '"' || line_.at(pos_) == 'n'));
                    }
                ++pos_;
            } while (line_.at(pos_) == ',');
            expect('}');
        }
        const std::string key = line_.substr(0, pos_);
        expect(' ');
        const std::string value = line_.substr(pos_);
        std::size_t used = 0;
        const double number = value == "+Inf" ? INFINITY : std::stod(value, &used);
        REQUIRE((value == "+Inf" || used == value.size()));
        REQUIRE(samples_.emplace(key, number).second);
    }

    std::string line_;
    std::size_t pos_ = 0;
    std::string family_;
    std::set<std::string> families_;
    std::map<std::string, std::string> types_;
    std::map<std::string, double> samples_;
};

TransportOptions counted(std::shared_ptr<MetricsSink> sink) {
    TransportOptions options;
    options.metrics = std::move(sink);
    return options;
}

}  // namespace

TEST_CASE("a text for Prometheus escapes what its format wants escaped") {
    PrometheusText out;
    out.begin("9 odd:name", PrometheusText::Type::gauge, "back\\slash, \"quotes\" and\na line");
    out.add({{"le:vel", "a\\b\"c\nd\xc3\xa9"}, {"empty", ""}}, std::uint64_t(18446744073709551615u));
    out.add({}, 0.25);
    CHECK(out.text() ==
          "# HELP _9_odd:name back\\\\slash, \"quotes\" and\\na line\n"
          "# TYPE _9_odd:name gauge\n"
          "_9_odd:name{le_vel=\"a\\\\b\\\"c\\nd\xc3\xa9\",empty=\"\"} 18446744073709551615\n"
          "_9_odd:name 0.25\n");
    const Exposition read(out.text());
    CHECK(read.at("_9_odd:name") == 0.25);
    CHECK(PrometheusText::number(NAN) == "NaN");
    CHECK(PrometheusText::number(INFINITY) == "+Inf");
    CHECK(PrometheusText::number(-INFINITY) == "-Inf");
    CHECK(std::stod(PrometheusText::number(1e-5)) == 1e-5);
    CHECK(std::stod(PrometheusText::number(0.1)) == 0.1);
}

TEST_CASE("times are counted exactly at the bounds shown, and quantiles are within five percent") {
    Metrics metrics;
    const auto call = [&](Duration time) { metrics.message_ended(MessageKind::call, {}, time); };
    CHECK(metrics.quantile(Metrics::Times::call, 0.5) == Duration::zero());
    call(Duration(0));
    call(Duration(10'000));     // at a bound: within it
    call(Duration(10'001));     // above it
    call(Duration(2'500'000));  // 2.5 ms
    call(Duration(2'500'001));
    call(std::chrono::hours(10));
    const Exposition read(metrics.prometheus_text());
    const auto bucket = [&](const std::string& le) {
        return read.at("aprotic_message_duration_seconds_bucket{kind=\"call\",le=\"" + le + "\"}");
    };
    CHECK(bucket("1e-06") == 1);
    CHECK(bucket("1e-05") == 2);
    CHECK(bucket("2.5e-05") == 3);
    CHECK(bucket("0.001") == 3);
    CHECK(bucket("0.0025") == 4);
    CHECK(bucket("0.005") == 5);
    CHECK(bucket("500") == 5);
    CHECK(bucket("+Inf") == 6);
    CHECK(read.at("aprotic_message_duration_seconds_count{kind=\"call\"}") == 6);
    CHECK(read.at("aprotic_message_duration_seconds_sum{kind=\"call\"}") == Approx(36000.005020001));

    for (Duration::rep time = 1'500; time < 900'000'000'000; time = time * 21 / 20) {
        Metrics one;
        one.message_ended(MessageKind::cast, {}, Duration(time));
        const auto shown = one.quantile(Metrics::Times::cast, 0.99).count();
        INFO(time << " is shown as " << shown);
        CHECK(std::abs(static_cast<double>(shown - time)) <= 0.05 * static_cast<double>(time) + 1);
    }
    Metrics many;
    for (int i = 1; i <= 1000; ++i) many.credit_awaited(std::chrono::milliseconds(i));
    CHECK(many.count(Metrics::Times::credit) == 1000);
    CHECK(many.quantile(Metrics::Times::credit, 0.5) / 1ms == Approx(500).epsilon(0.06));
    CHECK(many.quantile(Metrics::Times::credit, 0.99) / 1ms == Approx(990).epsilon(0.06));
    CHECK(many.quantile(Metrics::Times::credit, 7) / 1ms == Approx(1000).epsilon(0.06));
}

TEST_CASE("buckets never fall, and every family has a type") {
    Metrics metrics;
    for (int i = 0; i < 40; ++i) metrics.request_ended(MessageKind::cast, ServeOutcome::failed, Duration(1ll << i));
    const Exposition read(metrics.prometheus_text());
    for (const auto& [name, type] : read.types()) {
        CHECK((type == "counter" || type == "gauge" || type == "histogram"));
        CHECK(name.starts_with("aprotic_"));
        if (type == "counter") CHECK(name.ends_with("_total"));
    }
    double before = 0;
    std::size_t buckets = 0;
    for (int decade = -6; decade <= 2; ++decade)
        for (const double tenth : {1.0, 2.5, 5.0}) {
            const std::string le =
                PrometheusText::number(std::stod(std::to_string(tenth) + "e" + std::to_string(decade)));
            const double here = read.at("aprotic_server_handler_seconds_bucket{le=\"" + le + "\"}");
            CHECK(here >= before);
            before = here;
            ++buckets;
        }
    CHECK(buckets == 27);
    CHECK(read.at("aprotic_server_handler_seconds_bucket{le=\"+Inf\"}") == 40);
    CHECK(read.at("aprotic_server_requests_total{kind=\"cast\",outcome=\"failed\"}") == 40);
}

TEST_CASE("being told costs no allocation") {
    Metrics metrics;
    const AllocationScope scope;
    for (int i = 0; i < 100; ++i) {
        metrics.message_begun(MessageKind::call, 200);
        metrics.message_ended(MessageKind::call, make_error_code(driver::Errc::in_doubt), 3ms);
        metrics.request_received(MessageKind::call, 300);
        metrics.request_begun(MessageKind::call, Duration(2'000));
        metrics.request_ended(MessageKind::call, ServeOutcome::replied, Duration(10'000));
        metrics.credit_awaited(1s);
        metrics.connected(2ms);
    }
    CHECK(scope.count() == 0);
    CHECK(metrics.count(Metrics::Times::handler) == 100);
}

TEST_CASE("calls, casts and what their servers made of them are counted") {
    World world;
    const auto at_client = std::make_shared<Metrics>();
    const auto at_server = std::make_shared<Metrics>();
    const auto serving = world.transport("amqp://broker", counted(at_server));
    RpcServer server(*serving, Target{.topic = "math", .server = "one"});
    std::vector<Responder> waiting;
    server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"});
    server.handle("fail", []() -> int { throw MethodError("KeyError", "x"); });
    server.handle_async("slow", [&](Request, Responder respond) { waiting.push_back(std::move(respond)); });
    server.start();
    const auto calling = world.transport("amqp://broker", counted(at_client));
    const RpcClient client(*calling, Target{.topic = "math"});

    for (int i = 0; i < 3; ++i) CHECK(world.call(client, "add", {{"a", i}, {"b", 1}}).value() == i + 1);
    CHECK(world.call(client, "fail").failure().is(driver::Errc::remote_error));
    CHECK(world.call(client, "missing").failure().is(driver::Errc::no_such_method));
    CHECK(world.call(client.prepare({.version = "7.0"}), "add").failure().is(driver::Errc::unsupported_version));
    CHECK(world.call(client.prepare({.topic = ""}), "add").failure().is(driver::Errc::invalid_target));
    CHECK(world.cast(client, "add", {{"a", 1}, {"b", 1}}).value().is_null());
    const auto late = world.begin_call(client, "slow", {}, 2s);
    world.reactor.run_for(1s);
    CHECK(at_client->in_flight(MessageKind::call) == 1);
    {
        const Exposition read(at_server->prometheus_text());
        CHECK(read.at("aprotic_server_requests_running{kind=\"call\"}") == 1);
    }
    world.finish(late);
    CHECK(late.failure().is(driver::Errc::no_reply));
    CHECK(at_client->in_flight(MessageKind::call) == 0);
    waiting.at(0).reply(1);
    world.settle();

    const Exposition sent(at_client->prometheus_text());
    const auto ended = [&](const std::string& kind, const std::string& outcome) {
        return sent.at("aprotic_messages_total{kind=\"" + kind + "\",outcome=\"" + outcome + "\"}");
    };
    CHECK(sent.at("aprotic_messages_begun_total{kind=\"call\"}") == 8);
    CHECK(ended("call", "ok") == 3);
    CHECK(ended("call", "remote_error") == 1);
    CHECK(ended("call", "no_such_method") == 1);
    CHECK(ended("call", "unsupported_version") == 1);
    CHECK(ended("call", "invalid_target") == 1);
    CHECK(ended("call", "no_reply") == 1);
    CHECK(ended("cast", "ok") == 1);
    CHECK(sent.at("aprotic_replies_unmatched_total") == 1);
    CHECK(sent.at("aprotic_message_octets_total{kind=\"cast\"}") > 20);
    CHECK(sent.at("aprotic_reply_octets_total") > 100);
    CHECK(sent.at("aprotic_connects_total{outcome=\"opened\"}") == 1);
    CHECK(sent.at("aprotic_connections_open") == 1);
    CHECK(at_client->count(Metrics::Times::call) == 8);
    CHECK(at_client->quantile(Metrics::Times::call, 1) / 1ms == Approx(2000).epsilon(0.05));

    const Exposition served(at_server->prometheus_text());
    const auto came = [&](const std::string& kind, const std::string& outcome) {
        return served.at("aprotic_server_requests_total{kind=\"" + kind + "\",outcome=\"" + outcome + "\"}");
    };
    CHECK(served.at("aprotic_server_requests_received_total{kind=\"call\"}") == 7);
    CHECK(came("call", "replied") == 4);
    CHECK(came("call", "failed") == 1);
    CHECK(came("call", "no_such_method") == 1);
    CHECK(came("call", "unsupported_version") == 1);
    CHECK(came("cast", "replied") == 1);
    CHECK(served.at("aprotic_server_requests_running{kind=\"call\"}") == 0);
    CHECK(served.at("aprotic_server_handler_seconds_count") == 8);
    CHECK(at_server->quantile(Metrics::Times::handler, 1) / 1ms == Approx(2000).epsilon(0.05));
    CHECK(served.at("aprotic_messages_total{kind=\"reply\",outcome=\"ok\"}") == 7);

    calling->close();
    world.settle();
    const Exposition closed(at_client->prometheus_text());
    CHECK(closed.at("aprotic_connections_open") == 0);
    CHECK(closed.at("aprotic_connections_lost_total") == 0);
}

TEST_CASE("what is no request is counted as malformed") {
    World world;
    const auto metrics = std::make_shared<Metrics>();
    const auto transport = world.transport("amqp://broker", counted(metrics));
    RpcServer server(*transport, Target{.topic = "math", .server = "one"});
    server.handle("ping", [] { return "pong"; }).start();
    world.settle();
    engine::Container container(world.reactor, "raw");
    auto sender = container.connect("amqp://broker").open_sender("unicast.openstack.math");
    codec::Message message;
    message.body = codec::Value(codec::Map{{"not", "json"}});
    sender.send(message);
    world.settle();
    const Exposition read(metrics->prometheus_text());
    CHECK(read.at("aprotic_server_requests_unserved_total{kind=\"cast\",reason=\"malformed\"}") == 1);
    CHECK(read.at("aprotic_server_requests_running{kind=\"cast\"}") == 0);
    CHECK(read.at("aprotic_server_handler_seconds_count") == 0);
}

TEST_CASE("losing the broker and finding it again are counted, with the time between") {
    World world;
    const auto metrics = std::make_shared<Metrics>();
    const auto transport = world.transport("amqp://broker", counted(metrics));
    RpcServer server(*transport, Target{.topic = "math", .server = "one"});
    server.handle("ping", [] { return "pong"; }).start();
    world.settle();
    REQUIRE(server.is_ready());
    world.stop_broker();
    world.reactor.run_for(20s);
    world.start_broker();
    REQUIRE(world.reactor.run_until([&] { return server.is_ready(); }));
    const Exposition read(metrics->prometheus_text());
    CHECK(read.at("aprotic_connects_total{outcome=\"opened\"}") == 2);
    CHECK(read.at("aprotic_connects_total{outcome=\"failed\"}") >= 3);
    CHECK(read.at("aprotic_connections_lost_total") == 1);
    CHECK(read.at("aprotic_connections_open") == 1);
    CHECK(read.at("aprotic_reconnect_seconds_count") == 1);
    CHECK(metrics->quantile(Metrics::Times::reconnect, 0.5) >= 19s);
}

TEST_CASE("waiting for credit is counted") {
    engine::BrokerOptions options;
    options.node_messages_max = 2;
    options.sender_credit = 1;
    World world(options);
    const auto metrics = std::make_shared<Metrics>();
    const auto transport = world.transport("amqp://broker", counted(metrics));
    const RpcClient client(*transport, Target{.topic = "math"});
    for (int i = 0; i < 2; ++i) world.cast(client, "note");
    const auto waiting = world.begin_cast(client, "note", {}, 60s);
    const auto behind = world.begin_cast(client, "note", {}, 60s);
    world.reactor.run_for(5s);
    CHECK(metrics->in_flight(MessageKind::cast) >= 1);
    const auto serving = world.transport();
    RpcServer server(*serving, Target{.topic = "math", .server = "one"});
    server.handle("note", [] {}).start();
    world.finish(waiting);
    world.finish(behind);
    CHECK(metrics->count(Metrics::Times::credit) >= 1);
    CHECK(metrics->quantile(Metrics::Times::credit, 1) >= 4s);
}

TEST_CASE("thousands of calls of every kind leave nothing behind") {
    World world;
    const auto metrics = std::make_shared<Metrics>();
    const auto serving = world.transport();
    RpcServer server(*serving, Target{.topic = "math", .server = "one"});
    std::vector<Responder> late;
    server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"});
    server.handle("fail", []() -> int { throw MethodError("KeyError", "x"); });
    server.handle_async("late", [&](Request, Responder respond) { late.push_back(std::move(respond)); });
    server.start();
    const auto calling = world.transport("amqp://broker", counted(metrics));
    const RpcClient client(*calling, Target{.topic = "math"});
    int ended = 0;
    const auto run = [&](int count) {
        ended = 0;
        const auto done = [&](const auto&) { ++ended; };
        for (int i = 0; i < count; ++i) {
            const auto took = [done](Result<Json> result) { done(result); };
            switch (i % 8) {
                case 0: client.async_call("late", {}, 5ms, took); break;
                case 1: client.async_call("late", {}, 30s, took).cancel(); break;
                case 2: client.async_call("fail", {}, 30s, took); break;
                case 3: client.async_call("nothing", {}, 30s, took); break;
                case 4: client.async_cast("add", {{"a", 1}}, 30s, [done](Result<void> result) { done(result); }); break;
                default: client.async_call("add", {{"a", i}, {"b", 1}}, 30s, took);
            }
            if (i % 32 == 31) {
                world.reactor.run_for(10ms);
                late.clear();
            }
        }
        world.reactor.run_for(1s);
        late.clear();
        world.reactor.run_for(1s);
        CHECK(ended == count);
    };
    run(640);
    const std::uint64_t octets = live_octets();
    run(3200);
    CHECK(metrics->in_flight(MessageKind::call) == 0);
    CHECK(metrics->in_flight(MessageKind::cast) == 0);
    CHECK(metrics->count(Metrics::Times::call) == 3360);
    CHECK(live_octets() < octets + 16 * 1024);
    for (const auto& node : world.broker->nodes()) CHECK(node.messages == 0);  // late replies neither
}
