#include "broker/world.hpp"

using namespace aprotic;
using namespace aprotic::engine;

namespace {

Message to(const std::string& address, const char* text) {
    Message message(text);
    message.ensure_properties().to = address;
    return message;
}

}  // namespace

TEST_CASE("an unknown address is refused in both directions", "[2.6.3][3.5.4-d]") {
    World world;
    auto watcher = std::make_shared<Watcher>();
    auto tx = world.sender(world.common(), "elsewhere", watcher);
    REQUIRE(watcher->closed);
    REQUIRE(watcher->failure->code == Errc::refused);
    REQUIRE(watcher->failure->condition->condition == codec::condition::not_found);
    REQUIRE(watcher->failure->condition->description->find("'elsewhere'") != std::string::npos);
    REQUIRE(watcher->failure->condition->description->find("queue_patterns") != std::string::npos);
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("elsewhere", inbox);
    REQUIRE(inbox->closed);
    REQUIRE(inbox->failure->condition->condition == codec::condition::not_found);
    world.send_all(world.sender("unicast.t"), {"the connection lives"});
}

TEST_CASE("the open frame offers the anonymous terminus and names no product") {
    World world;
    auto connection = world.connect();
    world.settle();
    const auto* open = connection.remote();
    REQUIRE(open != nullptr);
    REQUIRE(open->container_id == "aprotic-broker");
    REQUIRE(open->offered_capabilities == std::vector{codec::Symbol("ANONYMOUS-RELAY")});
    REQUIRE_FALSE(open->properties.contains("product"));
    REQUIRE(open->properties.at("implementation") == codec::Value("aprotic"));
}

TEST_CASE("the anonymous terminus routes each message by its property to") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    auto rx = world.receiver("unicast.a", inbox);
    auto tx = world.sender("");
    REQUIRE(world.send(tx, to("unicast.a", "1")).accepted());
    REQUIRE(world.send(tx, to("unicast.b", "2")).accepted());
    REQUIRE(inbox->texts == Texts{"1"});
    REQUIRE(world.node("unicast.b")->messages == 1);
    const auto lost = world.send(tx, to("elsewhere", "3"));
    REQUIRE(lost.kind == Outcome::Kind::rejected);
    REQUIRE(lost.condition->condition == codec::condition::not_found);
    REQUIRE(world.send(tx, Message("no to")).condition->condition == codec::condition::precondition_failed);
    REQUIRE(world.send(tx, to("broadcast.nobody", "4")).accepted());
    REQUIRE_FALSE(world.node("broadcast.nobody"));
    for (int i = 0; i < 2000; ++i) REQUIRE(world.send(tx, to("unicast.a", "more")).accepted());
}

TEST_CASE("a full queue releases what comes through the anonymous terminus") {
    BrokerOptions options;
    options.node_messages_max = 2;
    World world(options);
    auto tx = world.sender("");
    REQUIRE(world.send(tx, to("unicast.a", "1")).accepted());
    REQUIRE(world.send(tx, to("unicast.a", "2")).accepted());
    REQUIRE(world.send(tx, to("unicast.a", "3")).kind == Outcome::Kind::released);
}

TEST_CASE("termini without an address are refused") {
    World world;
    auto inbox = std::make_shared<Inbox>();
    ReceiverOptions none;
    none.link.source = codec::Source{};
    auto rx = world.receiver("", inbox, none);
    REQUIRE(inbox->failure->condition->condition == codec::condition::invalid_field);
}

TEST_CASE("the answer grants only what the broker does", "[3.5.3-g][3.5.3-o][3.5.5-a]") {
    World world;
    codec::Source source;
    source.address = "unicast.t";
    source.durable = codec::TerminusDurability::unsettled_state;
    source.expiry_policy = codec::TerminusExpiryPolicy::never;
    source.filter.set(codec::Symbol("f"), codec::Described(codec::Symbol("x:f"), "1"));
    source.capabilities = {codec::Symbol("odd")};
    ReceiverOptions options;
    options.link.source = source;
    auto rx = world.receiver("unicast.t", std::make_shared<Inbox>(), options);
    REQUIRE(rx.remote() != nullptr);
    const auto& granted = *rx.remote()->source;
    REQUIRE(granted.address == "unicast.t");
    REQUIRE(granted.durable == codec::TerminusDurability::none);
    REQUIRE(granted.filter.empty());
    REQUIRE(granted.capabilities.empty());
}

TEST_CASE("users of a broker must come with their password", "[5.3]") {
    BrokerOptions options;
    options.users = {{"me", "secret"}};
    World world(options);
    ConnectionOptions good;
    good.sasl.username = "me";
    good.sasl.password = "secret";
    auto known = world.connect(good);
    world.settle();
    REQUIRE(known.is_open());
    auto attempt = [&](ConnectionOptions with) {
        auto connection = world.connect(std::move(with));
        world.reactor.run_for(1s);
        return connection.is_open();
    };
    ConnectionOptions bad = good;
    bad.sasl.password = "secret2";
    REQUIRE_FALSE(attempt(bad));
    bad.sasl.password = "";
    REQUIRE_FALSE(attempt(bad));
    bad.sasl.username = "you";
    REQUIRE_FALSE(attempt(bad));
    REQUIRE_FALSE(attempt({}));
}

TEST_CASE("a broker that ends closes its connections") {
    World world;
    auto watcher = std::make_shared<Watcher>();
    auto connection = world.connect();
    auto tx = world.sender(connection, "unicast.t", watcher);
    world.broker.reset();
    world.settle();
    REQUIRE(watcher->closed);
    REQUIRE_FALSE(connection.is_open());
}

TEST_CASE("a broker serves an address of the network too") {
    World world;
    const auto address = world.broker->listen(Address{Address::Kind::tcp, "broker", 5672});
    REQUIRE(address);
    auto connection = world.clients.connect("amqp://broker:5672");
    auto inbox = std::make_shared<Inbox>();
    auto rx = connection.open_receiver("unicast.t", {}, inbox);
    auto tx = connection.open_sender("unicast.t");
    const auto tracker = tx.send(Message("over the wire"));
    REQUIRE(world.reactor.run_until([&] { return !inbox->texts.empty() && tracker.outcome(); }, 5s));
    REQUIRE(inbox->texts == Texts{"over the wire"});
}

TEST_CASE("a broker's options are checked") {
    sim::SimReactor reactor;
    Container container(reactor);
    BrokerOptions options;
    options.sender_credit = 0;
    REQUIRE_THROWS_WITH(Broker(container, options), Catch::Contains("sender_credit"));
}

TEST_CASE("a broker counts its connections, links, messages and what came of them") {
    BrokerOptions options;
    options.accept_durable = false;
    World world(options);
    auto inbox = std::make_shared<Inbox>();
    inbox->accepts = false;
    auto doomed = world.connect();
    auto rx = world.receiver(doomed, "unicast.t", inbox);
    const auto tx = world.sender("unicast.t");
    world.send_all(tx, {"kept", "rejected", "released", "lost"});
    Message durable("refused");
    durable.ensure_header().durable = true;
    REQUIRE(world.send(tx, durable).kind == Outcome::Kind::rejected);
    const auto nowhere = std::make_shared<Watcher>();
    world.sender(world.common(), "nowhere", nowhere);
    REQUIRE(inbox->kept.size() == 4);
    inbox->kept[0].accept();
    inbox->kept[1].reject(ErrorCondition{codec::Symbol("x:bad"), "no good", {}});
    inbox->kept[2].release();
    world.settle();
    REQUIRE(inbox->kept.size() == 5);
    inbox->kept.pop_back();  // released again
    world.settle();

    BrokerTotals totals = world.broker->totals();
    CHECK(totals.connections_opened == 2);
    CHECK(totals.links_attached == 2);
    CHECK(totals.links_refused == 1);
    CHECK(totals.accepted == 4);
    CHECK(totals.rejected == 1);
    CHECK(totals.released == 0);
    CHECK(totals.octets_in > 20);
    CHECK(totals.taken == 1);
    CHECK(totals.refused == 1);
    CHECK(totals.given_back >= 2);
    CHECK(totals.delivered == totals.taken + totals.refused + totals.given_back + 2);  // two are out
    doomed.close();
    world.settle();
    totals = world.broker->totals();
    CHECK(totals.connections_closed == 1);
    CHECK(totals.delivered == totals.taken + totals.refused + totals.given_back + totals.without_outcome);
    CHECK(totals.connections_refused == 0);
    CHECK(totals.connection_faults == 0);
}
