#include <aprotic/codec/types.hpp>

#include <catch2/catch.hpp>

#include <map>
#include <unordered_set>

using namespace aprotic::codec;

TEST_CASE("symbols compare with text but are not strings", "[1.6.21-c]") {
    const Symbol symbol("amqp:not-found");
    CHECK(symbol == "amqp:not-found");
    CHECK(symbol == std::string_view("amqp:not-found"));
    CHECK(symbol == std::string("amqp:not-found"));
    CHECK(symbol != Symbol("x"));
    CHECK(Symbol("a") < Symbol("b"));
    CHECK(std::unordered_set<Symbol>{"a", "b", "a"}.size() == 2);
}

TEST_CASE("uuids have the text form of RFC 4122", "[1.6.18-a]") {
    const auto uuid = Uuid::parse("00112233-4455-6677-8899-AABBccddeeff");
    REQUIRE(uuid);
    CHECK(uuid->octets[1] == std::byte{0x11});
    CHECK(uuid->to_string() == "00112233-4455-6677-8899-aabbccddeeff");
    for (const char* bad : {"", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeef",
                            "0011223g-4455-6677-8899-aabbccddeeff", "00112233+4455-6677-8899-aabbccddeeff"}) {
        CHECK_FALSE(Uuid::parse(bad));
    }
}

TEST_CASE("serial numbers wrap", "[2.8.10]") {
    const SerialNumber last(0xffff'ffff);
    CHECK(last + 1 == SerialNumber(0));
    CHECK((last + 3).distance_from(last) == 3);
    CHECK(last.is_before(SerialNumber(5)));
    CHECK_FALSE(SerialNumber(5).is_before(last));
    SerialNumber n(7);
    CHECK(n++ == SerialNumber(7));
    CHECK(++n == SerialNumber(9));
    CHECK(n - 10 == last);
}

TEST_CASE("delivery tags are compared by content") {
    CHECK(DeliveryTag("a") == DeliveryTag("a"));
    CHECK(DeliveryTag("a") < DeliveryTag("b"));
    CHECK(DeliveryTag("a") < DeliveryTag("aa"));
    CHECK(DeliveryTag::from_number(0).size() == 1);
    CHECK(DeliveryTag::from_number(256).text() == std::string_view("\x01\x00", 2));
    CHECK(DeliveryTag::from_number(~std::uint64_t{0}).size() == 8);
    CHECK(std::map<DeliveryTag, int>{{DeliveryTag("x"), 1}}.contains(DeliveryTag("x")));
}

TEST_CASE("message ids show as text") {
    CHECK(to_string(MessageId(std::uint64_t{7})) == "7");
    CHECK(to_string(MessageId(std::string("id"))) == "id");
    CHECK(to_string(MessageId(Binary("\x01\xff"))) == "01ff");
    CHECK(to_owned(MessageIdView(std::string_view("v"))) == MessageId(std::string("v")));
}
