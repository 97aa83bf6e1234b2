#include <catch2/catch.hpp>

#include <aprotic/engine/broker/address_table.hpp>

#include "sim/sim_reactor.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::broker;

namespace {

struct Fixture {
    explicit Fixture(BrokerOptions given = {}) : options(std::move(given)) {}

    std::string kind(std::string_view address) {
        const auto node = table.resolve(address);
        if (!node) return std::string(node.error().condition.view());
        return (*node)->is_topic() ? "topic" : "queue";
    }

    sim::SimReactor reactor;
    BrokerOptions options;
    AddressTable table{reactor, options};
};

}  // namespace

TEST_CASE("a pattern covers a prefix or whole parts of an address") {
    REQUIRE(match("unicast", "unicast"));
    REQUIRE(match("unicast", "unicast.openstack.topic"));
    REQUIRE(match("unicast", "unicast/x"));
    REQUIRE(match("unicast", "unicasting"));
    REQUIRE(match("unicast", "openstack.org/om/rpc/unicast/openstack/topic"));
    REQUIRE(match("unicast", "a.unicast"));
    REQUIRE(match("b/c", "a/b/c/d"));
    REQUIRE(match("", "anything"));
    REQUIRE_FALSE(match("unicast", "multiunicast.x"));
    REQUIRE_FALSE(match("unicast", "a.unicasting"));
    REQUIRE_FALSE(match("unicast", "uni"));
    REQUIRE_FALSE(match("unicast", ""));
    // An occurrence that does not count does not hide a later one that does.
    REQUIRE(match("b", "a.bb.b").value().position == 5);
}

TEST_CASE("the longest pattern decides between queue and topic and among equals the one in front") {
    Fixture at;
    REQUIRE(at.kind("unicast.openstack.t") == "queue");
    REQUIRE(at.kind("exclusive.openstack.t.s") == "queue");
    REQUIRE(at.kind("broadcast.openstack.t.all") == "topic");
    REQUIRE(at.kind("broadcast.unicast") == "topic");
    REQUIRE(at.kind("unicast.broadcast") == "topic");
    REQUIRE(at.kind("exclusive.broadcast") == "queue");  // equally long
    REQUIRE(at.kind("broadcast.exclusive") == "topic");
}

TEST_CASE("configured nodes need no pattern") {
    BrokerOptions options;
    options.queues = {"orders"};
    options.topics = {"news", "unicast.news"};
    Fixture at(options);
    REQUIRE(at.kind("orders") == "queue");
    REQUIRE(at.kind("news") == "topic");
    REQUIRE(at.kind("unicast.news") == "topic");
}

TEST_CASE("an address that nothing covers is refused by name and with the option to change", "[3.5.4-d]") {
    Fixture at;
    const auto refused = at.table.resolve("elsewhere").error();
    REQUIRE(refused.condition == codec::condition::not_found);
    REQUIRE(refused.description ==
            "there is no node 'elsewhere', and neither queue_patterns (exclusive, unicast) nor "
            "topic_patterns (broadcast) covers it");
    // Cut between characters: the answer must be legal UTF-8 and fit into a frame.
    std::string longer(255, 'x');
    for (int i = 0; i < 10'000; ++i) longer += "\xe2\x82\xac";
    const auto shortened = at.table.resolve(longer).error().description.value();
    REQUIRE(shortened.size() < 500);
    REQUIRE(shortened.find("'" + std::string(255, 'x') + "'") != std::string::npos);
}

TEST_CASE("the number of nodes is bounded") {
    BrokerOptions options;
    options.nodes_max = 2;
    Fixture at(options);
    REQUIRE(at.kind("unicast.a") == "queue");
    REQUIRE(at.kind("unicast.b") == "queue");
    REQUIRE(at.kind("unicast.c") == "amqp:resource-limit-exceeded");
    REQUIRE(at.table.make_dynamic("c", "l", Lifetime::link).error().condition == "amqp:resource-limit-exceeded");
    REQUIRE(at.kind("unicast.a") == "queue");
}

TEST_CASE("dynamic addresses are unique and name container and link and no pattern brings them back", "[3.5.3-c]") {
    Fixture at;
    auto one = at.table.make_dynamic("unicast", "link", Lifetime::link).value();
    auto two = at.table.make_dynamic("unicast", "link", Lifetime::link).value();
    const std::string address = one->identity().address;
    REQUIRE(address != two->identity().address);
    REQUIRE(address.find("unicast/link/") != std::string::npos);
    REQUIRE(at.table.resolve(address).value() == one);
    one->creator_gone();
    REQUIRE(at.kind(address) == "amqp:not-found");
}
