#include <catch2/catch.hpp>

#include <aprotic/engine/reactor.hpp>

using aprotic::engine::Address;

TEST_CASE("an address is a host and a port, and prints as it is written") {
    const auto address = Address::parse("broker.example:1234");
    REQUIRE(address);
    CHECK(address->kind == Address::Kind::tcp);
    CHECK(address->host == "broker.example");
    CHECK(address->port == 1234);
    CHECK(address->to_string() == "broker.example:1234");
}

TEST_CASE("an address without a port takes the default one") {
    CHECK(Address::parse("localhost")->port == 5672);
    CHECK(Address::parse("localhost", 5671)->port == 5671);
    CHECK(Address::parse("[::1]")->port == 5672);
}

TEST_CASE("an IPv6 address stands in brackets") {
    const auto address = Address::parse("[fe80::1]:99");
    REQUIRE(address);
    CHECK(address->host == "fe80::1");
    CHECK(address->port == 99);
    CHECK(address->to_string() == "[fe80::1]:99");
    CHECK(Address::parse("fe80::1").error().find("brackets") != std::string::npos);
}

TEST_CASE("an address without a host is every interface") {
    const auto address = Address::parse(":0");
    REQUIRE(address);
    CHECK(address->host.empty());
    CHECK(address->port == 0);
}

TEST_CASE("a Unix socket is named by its path") {
    const auto address = Address::parse("unix:/run/a b:c");
    REQUIRE(address);
    CHECK(address->kind == Address::Kind::unix_socket);
    CHECK(address->host == "/run/a b:c");
    CHECK(address->to_string() == "unix:/run/a b:c");
}

TEST_CASE("what is no address is refused with what was expected") {
    for (const char* text :
         {"", "unix:", "host:", "host:port", "host:70000", "host:-1", "host:1x", "[::1", "[::1]x", "[]:1"}) {
        INFO(text);
        const auto address = Address::parse(text);
        REQUIRE_FALSE(address);
        CHECK(address.error().find("expected HOST:PORT") != std::string::npos);
    }
}
