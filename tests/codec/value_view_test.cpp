#include "printing.hpp"

#include <aprotic/codec/value_view.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

TEST_CASE("a raw value is read only as what it is") {
    const Bytes text = encode_value("hello");
    const RawValue raw(text.span());
    CHECK(raw.type() == Type::string);
    CHECK(raw.string() == "hello");
    CHECK(raw.text() == "hello");
    CHECK_FALSE(raw.symbol());
    CHECK_FALSE(raw.binary());
    CHECK_FALSE(raw.integer());
    CHECK(*raw.value() == Value("hello"));
    CHECK(raw.check());
    CHECK(std::get<std::string_view>(*raw.message_id()) == "hello");
    CHECK(RawValue(encode_value(-5).span()).integer() == -5);
    CHECK_FALSE(RawValue(encode_value(~std::uint64_t{0}).span()).integer());
    CHECK(RawValue(encode_value(7U).span()).uint() == 7U);
    CHECK(RawValue(encode_value(true).span()).boolean() == true);
    CHECK_FALSE(RawValue().type());
    CHECK_FALSE(RawValue().string());
    CHECK_FALSE(RawValue(from_hex("a1 02 c341")).string());
    CHECK(RawValue(from_hex("a1 02 c341")).check().error() == Errc::bad_utf8);
    CHECK(std::get<std::uint64_t>(*RawValue(encode_value(std::uint64_t{9}).span()).message_id()) == 9);
    CHECK_FALSE(RawValue(encode_value(Symbol("s")).span()).message_id());
}

TEST_CASE("lists are walked any number of times") {
    const Bytes octets = encode_value(List{1, "two", List{3}, Value()});
    const ListView list(octets.span());
    REQUIRE(list.ok());
    CHECK(list.size() == 4);
    for (int round = 0; round < 2; ++round) {
        std::size_t n = 0;
        for (const RawValue item : list) {
            CHECK(item.value());
            ++n;
        }
        CHECK(n == 4);
    }
    CHECK(list[1].string() == "two");
    CHECK(list[3].is_null());
    CHECK_FALSE(list[4].type());
    CHECK_FALSE(ListView(encode_value(1).span()).ok());
    CHECK(ListView(from_hex("45")).size() == 0);
}

TEST_CASE("a malformed item ends the walk") {
    const auto octets = from_hex("c0 06 03 41 a1 09 41 41");
    const ListView list(octets);
    std::size_t n = 0;
    for ([[maybe_unused]] const RawValue item : list) ++n;
    CHECK(n == 1);
}

TEST_CASE("maps are searched by the text of the key") {
    const Bytes octets = encode_value(Map{{"a", 1}, {Symbol("b"), "x"}, {3, 4}});
    const MapView map(octets.span());
    REQUIRE(map.ok());
    CHECK(map.size() == 3);
    CHECK(map.find("a")->integer() == 1);
    CHECK(map.find("b")->string() == "x");
    CHECK_FALSE(map.find("c"));
    std::size_t n = 0;
    map.for_each([&](const MapView::Entry& entry) {
        CHECK(entry.key.value());
        CHECK(entry.value.value());
        ++n;
    });
    CHECK(n == 3);
    CHECK_FALSE(MapView(encode_value(List{1, 2}).span()).ok());
    CHECK_FALSE(MapView().find("a"));
}
