#include <aprotic/driver/addressing.hpp>
#include <aprotic/driver/target.hpp>

#include <catch2/catch.hpp>

using namespace aprotic::driver;

TEST_CASE("legacy addresses are prefix, exchange, topic and server") {
    const LegacyAddresser addresser({}, "");
    CHECK(addresser.rpc_address({.topic = "math"}) == "unicast.openstack.math");
    CHECK(addresser.rpc_address({.exchange = "nova", .topic = "math"}) == "unicast.nova.math");
    CHECK(addresser.rpc_address({.topic = "math", .server = "one"}) == "exclusive.openstack.math.one");
    CHECK(addresser.rpc_address({.topic = "math", .fanout = true}) == "broadcast.openstack.math.all");
    CHECK(addresser.rpc_address({.topic = "math", .server = "one", .fanout = true}) == "broadcast.openstack.math.all");
    CHECK(addresser.server_addresses({.topic = "math", .server = "one"}) ==
          std::array<std::string, 3>{"exclusive.openstack.math.one", "broadcast.openstack.math.all",
                                     "unicast.openstack.math"});
    CHECK(addresser.server_addresses({.topic = "math"})[0] == "exclusive.openstack.math");
}

TEST_CASE("a virtual host and other prefixes go into addresses, empty parts do not") {
    const LegacyAddresser addresser(
        {.control_exchange = "", .server_request_prefix = "x", .broadcast_prefix = "", .group_request_prefix = "g"},
        "v");
    CHECK(addresser.rpc_address({.topic = "t"}) == "g.v.t");
    CHECK(addresser.rpc_address({.topic = "t", .server = "s"}) == "x.v.t.s");
    CHECK(addresser.rpc_address({.exchange = "e", .topic = "t", .fanout = true}) == "v.e.t.all");
}

TEST_CASE("versions are compatible within a major up to the minor and its revision") {
    CHECK(version_is_compatible("1.0", "1.0"));
    CHECK(version_is_compatible("1.3", "1.0"));
    CHECK(version_is_compatible("1.3", "1.3"));
    CHECK_FALSE(version_is_compatible("1.3", "1.4"));
    CHECK_FALSE(version_is_compatible("1.3", "2.0"));
    CHECK_FALSE(version_is_compatible("2.0", "1.0"));
    CHECK(version_is_compatible("1.10", "1.9"));
    CHECK(version_is_compatible("1.3.2", "1.3.1"));
    CHECK_FALSE(version_is_compatible("1.3.2", "1.3.3"));
    CHECK(version_is_compatible("1.3.2", "1.2.9"));
    for (const char* text : {"", "x", "1", "1.", "1.x", ".1", "1.2.3.4", "-1.0", "1 .0", "99999999999.0"}) {
        INFO(text);
        CHECK_FALSE(version_is_compatible(text, "1.0"));
        CHECK_FALSE(version_is_compatible("1.0", text));
    }
}
