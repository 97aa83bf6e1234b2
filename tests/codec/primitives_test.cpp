// Every primitive type in every encoding, against octets written by hand.
#include "printing.hpp"

#include <aprotic/codec/value.hpp>

#include <algorithm>
#include <limits>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

struct Row {
    const char* hex;
    Value value;
    bool smallest = true;  ///< what we write; the others only need to be understood
};

template <class T>
T octets_of(std::string_view hex) {
    T v;
    const auto octets = from_hex(hex);
    std::copy(octets.begin(), octets.end(), v.octets.begin());
    return v;
}

void check(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        INFO(row.hex);
        const auto octets = from_hex(row.hex);
        const Result<Value> read = decode_value(octets);
        REQUIRE(read);
        CHECK(*read == row.value);
        if (row.smallest) CHECK(hex_of(row.value) == to_hex(octets));

        Decoder skipping(octets);
        skipping.skip();
        CHECK(skipping.at_end());
        Decoder checking(octets);
        checking.skip_checked();
        CHECK(checking.expect_end());

        for (std::size_t cut = 0; cut < octets.size(); ++cut) {
            INFO("cut at octet " << cut);
            const std::vector<std::byte> part(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(cut));
            CHECK_FALSE(decode_value(part));
            Decoder skip(part);
            skip.skip();
            CHECK_FALSE(skip.ok());
        }

        // What follows a value is not part of it.
        auto followed = octets;
        followed.push_back(std::byte{0x40});
        Decoder from(followed);
        Value first;
        CHECK(decode(from, first));
        CHECK(from.try_null());
        CHECK(decode_value(followed).error() == Errc::trailing_bytes);
    }
}

}  // namespace

TEST_CASE("null is one octet", "[1.6.1-a]") { check({{"40", Value()}}); }

TEST_CASE("booleans are one octet or two", "[1.6.2-a][1.6.2-b]") {
    check({{"41", true}, {"42", false}, {"5601", true, false}, {"5600", false, false}});
}

TEST_CASE("unsigned integers of all widths", "[1.6.3-a][1.6.4-a][1.6.5-a][1.6.5-b][1.6.5-c][1.6.6-a][1.6.6-b][1.2-e][1.2.1-a]") {
    check({
        {"50 00", std::uint8_t{0}}, {"50 7f", std::uint8_t{127}}, {"50 80", std::uint8_t{128}}, {"50 ff", std::uint8_t{255}},
        {"60 0000", std::uint16_t{0}}, {"60 00ff", std::uint16_t{255}}, {"60 0100", std::uint16_t{256}},
        {"60 7fff", std::uint16_t{32767}}, {"60 8000", std::uint16_t{32768}}, {"60 ffff", std::uint16_t{65535}},
        {"43", 0U}, {"52 01", 1U}, {"52 ff", 255U}, {"70 00000100", 256U}, {"70 01020304", 0x01020304U},
        {"70 7fffffff", 0x7fffffffU}, {"70 80000000", 0x80000000U}, {"70 ffffffff", 0xffffffffU},
        {"52 00", 0U, false}, {"70 00000000", 0U, false}, {"70 00000001", 1U, false},
        {"44", std::uint64_t{0}}, {"53 01", std::uint64_t{1}}, {"53 ff", std::uint64_t{255}},
        {"80 0000000000000100", std::uint64_t{256}}, {"80 0000000100000000", std::uint64_t{1} << 32},
        {"80 0020000000000001", (std::uint64_t{1} << 53) + 1}, {"80 7fffffffffffffff", std::uint64_t{0x7fffffffffffffff}},
        {"80 8000000000000000", std::uint64_t{1} << 63}, {"80 ffffffffffffffff", std::uint64_t{0xffffffffffffffff}},
        {"53 00", std::uint64_t{0}, false}, {"80 0000000000000001", std::uint64_t{1}, false},
    });
}

TEST_CASE("signed integers of all widths", "[1.6.7-a][1.6.8-a][1.6.9-a][1.6.10-a]") {
    check({
        {"51 80", std::int8_t{-128}}, {"51 ff", std::int8_t{-1}}, {"51 00", std::int8_t{0}}, {"51 7f", std::int8_t{127}},
        {"61 8000", std::int16_t{-32768}}, {"61 ffff", std::int16_t{-1}}, {"61 0000", std::int16_t{0}},
        {"61 7fff", std::int16_t{32767}},
        {"54 00", 0}, {"54 80", -128}, {"54 ff", -1}, {"54 7f", 127}, {"71 ffffff7f", -129}, {"71 00000080", 128},
        {"71 80000000", std::numeric_limits<std::int32_t>::min()}, {"71 7fffffff", std::numeric_limits<std::int32_t>::max()},
        {"71 00000001", 1, false},
        {"55 00", std::int64_t{0}}, {"55 80", std::int64_t{-128}}, {"55 ff", std::int64_t{-1}}, {"55 7f", std::int64_t{127}},
        {"81 ffffffffffffff7f", std::int64_t{-129}}, {"81 0000000000000080", std::int64_t{128}},
        {"81 8000000000000000", std::numeric_limits<std::int64_t>::min()},
        {"81 7fffffffffffffff", std::numeric_limits<std::int64_t>::max()}, {"81 ffffffffffffffff", std::int64_t{-1}, false},
    });
}

TEST_CASE("floats keep every bit", "[1.6.11-a][1.6.12-a]") {
    check({
        {"72 00000000", 0.0F}, {"72 80000000", -0.0F}, {"72 3f800000", 1.0F}, {"72 bf800000", -1.0F},
        {"72 00000001", std::numeric_limits<float>::denorm_min()}, {"72 7f7fffff", std::numeric_limits<float>::max()},
        {"72 7f800000", std::numeric_limits<float>::infinity()}, {"72 7fc00001", std::bit_cast<float>(0x7fc00001U)},
        {"82 0000000000000000", 0.0}, {"82 8000000000000000", -0.0}, {"82 3ff0000000000000", 1.0},
        {"82 400921fb54442d18", 3.141592653589793}, {"82 fff0000000000000", -std::numeric_limits<double>::infinity()},
        {"82 7ff8000000000123", std::bit_cast<double>(std::uint64_t{0x7ff8000000000123})},
    });
    CHECK(Value(0.0) != Value(-0.0));
}

TEST_CASE("decimals are carried bit by bit", "[1.6.13-a][1.6.14-a][1.6.15-a]") {
    check({
        {"74 01020304", octets_of<Decimal32>("01020304")},
        {"84 0102030405060708", octets_of<Decimal64>("0102030405060708")},
        {"94 000102030405060708090a0b0c0d0e0f", octets_of<Decimal128>("000102030405060708090a0b0c0d0e0f")},
    });
}

TEST_CASE("characters timestamps and uuids", "[1.6.16-a][1.6.17-a][1.6.18-a]") {
    check({
        {"73 00000000", U'\0'}, {"73 00000041", U'A'}, {"73 0000ffff", U'\uffff'}, {"73 00010000", U'\U00010000'},
        {"73 0010ffff", U'\U0010ffff'},
        {"83 0000000000000000", Timestamp{0}}, {"83 ffffffffffffffff", Timestamp{-1}},
        {"83 0000013167adb8a1", Timestamp{1311704463521}},
        {"83 8000000000000000", Timestamp{std::numeric_limits<std::int64_t>::min()}},
        {"83 7fffffffffffffff", Timestamp{std::numeric_limits<std::int64_t>::max()}},
        {"98 00112233445566778899aabbccddeeff", *Uuid::parse("00112233-4455-6677-8899-aabbccddeeff")},
    });
}

TEST_CASE("binary string and symbol with one octet of length", "[1.6.19-a][1.6.20-a][1.6.21-a][1.2.2-a]") {
    check({
        {"a0 00", Binary()}, {"a0 02 00ff", Binary(std::string("\0\xff", 2))}, {"b0 00000002 00ff", Binary(std::string("\0\xff", 2)), false},
        {"a1 00", ""}, {"a1 05 'hello'", "hello"}, {"b1 00000005 'hello'", "hello", false}, {"b1 00000000", "", false},
        {"a1 02 c3a9", "\xc3\xa9"}, {"a1 03 e282ac", "\xe2\x82\xac"}, {"a1 04 f09f9880", "\xf0\x9f\x98\x80"},
        {"a1 03 610062", std::string("a\0b", 3)}, {"a1 03 efbbbf", "\xef\xbb\xbf"},
        {"a3 00", Symbol()}, {"a3 04 'amqp'", Symbol("amqp")}, {"b3 00000004 'amqp'", Symbol("amqp"), false},
    });
}

TEST_CASE("lengths at the borders of the encodings", "[1.2.2-a][1.6.19-a][1.6.20-a][1.6.21-a]") {
    for (const std::size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 65535U, 65536U, 1U << 20U}) {
        INFO(size);
        const std::string text(size, 'x');
        const std::size_t head = size <= 255 ? 2 : 5;
        const std::array<std::pair<Value, int>, 3> values{{{Binary(text), 0xa0}, {text, 0xa1}, {Symbol(text), 0xa3}}};
        for (const auto& [value, narrow] : values) {
            const Bytes octets = encode_value(value);
            CHECK(octets.size() == head + size);
            CHECK(std::to_integer<int>(octets.span()[0]) == (size <= 255 ? narrow : narrow + 0x10));
            CHECK(*decode_value(octets.span()) == value);
        }
    }
}

TEST_CASE("lists in all three encodings", "[1.6.22-a][1.6.22-b][1.2.3-a][1.2.3-e]") {
    check({
        {"45", List{}}, {"c0 01 00", List{}, false}, {"d0 00000004 00000000", List{}, false},
        {"c0 03 02 4040", List{Value(), Value()}}, {"d0 00000006 00000002 4040", List{Value(), Value()}, false},
        {"c0 0a 04 54 01 a1 01 'x' 45 c0 01 00", List{1, "x", List{}, List{}}, false},
        {"c0 0b 02 a3 01 'k' c1 05 02 a1 01 'a' 41", List{Symbol("k"), Map{{"a", true}}}, false},
    });
}

TEST_CASE("maps keep the order of their pairs", "[1.6.23-c][1.6.23-d][1.6.23-e]") {
    check({
        {"c1 01 00", Map{}}, {"d1 00000004 00000000", Map{}, false},
        {"c1 09 04 a1 01 'b' 41 a1 01 'a' 42", Map{{"b", true}, {"a", false}}},
        {"d1 0000000c 00000004 a1 01 'b' 41 a1 01 'a' 42", Map{{"b", true}, {"a", false}}, false},
        {"c1 0d 08 40 41 45 42 c1 01 00 40 a3 01 'a' 43", Map{{Value(), true}, {List{}, false}, {Map{}, Value()}, {Symbol("a"), 0U}}},
    });
    CHECK(Value(Map{{"a", 1}, {"b", 2}}) != Value(Map{{"b", 2}, {"a", 1}}));
}

TEST_CASE("a string key and a symbol key are two keys", "[1.6.21-c]") {
    check({{"c1 09 04 a1 01 'a' 41 a3 01 'a' 42", Map{{"a", true}, {Symbol("a"), false}}}});
}

TEST_CASE("arrays of every kind of element", "[1.6.24-a][1.6.24-b][1.2.4-a][1.2.4-d][1.2.4-f][1.2.4-h][1.6.2-d]") {
    check({
        {"e0 03 01 50 07", Array({std::uint8_t{7}})}, {"f0 00000006 00000001 50 07", Array({std::uint8_t{7}}), false},
        {"e0 02 00 71", Array(Type::int_), false}, {"f0 00000005 00000000 71", Array(Type::int_), false},
        {"e0 02 00 54", Array(Type::int_)},
        {"e0 05 03 56 01 00 01", Array({true, false, true})}, {"e0 02 03 41", Array({true, true, true}), false},
        {"e0 02 0a 40", Array(std::vector<Value>(10))}, {"e0 02 02 45", Array({List{}, List{}}), false},
        {"e0 04 02 52 0001", Array({0U, 1U})},
        {"e0 0e 03 70 00000000 00000001 80000000", Array({0U, 1U, 0x80000000U})},
        {"e0 06 02 a3 01 'a' 01 'b'", Array({Symbol("a"), Symbol("b")})},
        {"e0 0c 02 b3 00000001 'a' 00000001 'b'", Array({Symbol("a"), Symbol("b")}), false},
        {"e0 08 02 a1 00 04 c3a9c3a9", Array({"", "\xc3\xa9\xc3\xa9"})},
        {"e0 07 02 c0 01 00 02 01 41", Array({List{}, List{true}}), false},
        {"e0 13 02 d0 00000004 00000000 00000005 00000001 41", Array({List{}, List{true}})},
        {"e0 13 01 d1 0000000d 00000002 a1 05 'color' 5005", Array({Map{{"color", std::uint8_t{5}}}}), false},
        {"e0 09 02 e0 03 01 50 01 02 00 50", Array({Array({std::uint8_t{1}}), Array(Type::ubyte)}), false},
        {"e0 12 02 83 0000000000000001 ffffffffffffffff", Array({Timestamp{1}, Timestamp{-1}})},
    });
}

TEST_CASE("one descriptor of an array describes every element", "[1.2.4-c]") {
    const Value array = Array(Type::uint, {1U, 2U}, {Symbol("abc")});
    check({{"e0 0a 02 00 a3 03 'abc' 52 01 02", array}});
    CHECK(Value(Array({Described(Symbol("abc"), 1U), Described(Symbol("abc"), 2U)})) == array);
}

TEST_CASE("described values pass through whatever describes them", "[1.5-c][1.5-d][1.2-b]") {
    check({
        {"00 80 1234567800000001 41", Described(std::uint64_t{0x1234567800000001}, true)},
        {"00 a3 03 'x:y' a1 01 'v'", Described(Symbol("x:y"), "v")}, {"00 a1 01 'd' 43", Described("d", 0U)},
        {"00 00 43 40 40", Described(Described(0U, Value()), Value())}, {"00 53 24 45", Described(std::uint64_t{0x24}, List{})},
    });
}

TEST_CASE("a compound of 255 octets or items and more is wide", "[1.2.3-f]") {
    for (const std::size_t content : {250U, 251U, 252U, 253U, 254U, 255U, 256U, 300U, 70000U}) {
        const std::size_t text = content <= 257 ? content - 2 : content - 5;
        const Value value = List{std::string(text, 'x')};
        const Bytes octets = encode_value(value);
        INFO(content);
        CHECK(std::to_integer<int>(octets.span()[0]) == (content + 1 <= 255 ? 0xc0 : 0xd0));
        CHECK(*decode_value(octets.span()) == value);
    }
    for (const std::size_t items : {254U, 255U, 256U, 1000U}) {
        const Value value = List(items);
        CHECK(*decode_value(encode_value(value).span()) == value);
        const Value array = Array(std::vector<Value>(items, true));
        CHECK(*decode_value(encode_value(array).span()) == array);
    }
}

TEST_CASE("an array of mixed types has no wire form", "[1.2.4-h]") {
    Encoder to;
    encode(to, Value(Array({1, "x"})));
    CHECK(to.error() == Errc::mixed_array);
    Encoder described;
    encode(described, Value(Array({Described(Symbol("a"), 1), Described(Symbol("b"), 1)})));
    CHECK(described.error() == Errc::mixed_array);
}

TEST_CASE("a fixed buffer that is full is an error and never written beyond") {
    std::array<std::byte, 16> memory{};
    for (std::size_t size = 0; size < 12; ++size) {
        Encoder to{std::span(memory).first(size)};
        encode(to, Value("eleven..."));  // 11 octets
        CHECK(to.ok() == (size >= 11));
        if (!to.ok()) CHECK(to.error() == Errc::buffer_too_small);
        for (std::size_t i = size; i < memory.size(); ++i) CHECK(memory[i] == std::byte{0});
        memory.fill(std::byte{0});
    }
}

TEST_CASE("a value starts with a constructor", "[1.2-a][1.2-b]") {
    CHECK(decode_value({}).error() == Errc::truncated);
    CHECK(decode_value(from_hex("00")).error() == Errc::truncated);
    CHECK(decode_value(from_hex("00 53 10")).error() == Errc::truncated);
    // The descriptor is described itself, and so is what it describes.
    const auto nested = decode_value(from_hex("00 00 43 40 00 a1 01 'd' 41"));
    REQUIRE(nested);
    CHECK(*nested == Value(Described(Described(0U, Value()), Described("d", true))));
}

TEST_CASE("values are equal whatever the encodings they came in", "[1.2.3-e][1.6.22-a][1.6.23-e][1.6.24-a][1.6.5-c]") {
    for (const auto& [a, b] : std::initializer_list<std::pair<const char*, const char*>>{
             {"41", "56 01"}, {"42", "56 00"}, {"43", "70 00000000"}, {"52 05", "70 00000005"}, {"44", "80 0000000000000000"},
             {"53 ff", "80 00000000000000ff"}, {"54 80", "71 ffffff80"}, {"55 ff", "81 ffffffffffffffff"}, {"a0 01 41", "b0 00000001 41"},
             {"a1 01 41", "b1 00000001 41"}, {"a3 01 41", "b3 00000001 41"}, {"45", "c0 01 00"}, {"45", "d0 00000004 00000000"},
             {"c1 01 00", "d1 00000004 00000000"}, {"c1 04 02 43 52 01", "d1 0000000e 00000002 70 00000000 70 00000001"},
             {"e0 04 02 52 01 02", "f0 0000000d 00000002 70 00000001 00000002"}, {"e0 03 02 56 01 ", "e0 03 02 56 01 "},
             {"e0 04 02 56 01 01", "e0 02 02 41"}, {"e0 02 01 45", "f0 00000007 00000001 c0 01 00"}, {"e0 02 02 43", "e0 04 02 52 00 00"},
             {"00 53 24 45", "00 80 0000000000000024 c0 01 00"}, {"e0 06 01 00 53 05 52 07", "f0 00000013 00000001 00 80 0000000000000005 70 00000007"},
             {"e0 05 01 a1 02 'ab'", "f0 0000000b 00000001 b1 00000002 'ab'"}}) {
        INFO(a << " and " << b);
        const auto x = decode_value(from_hex(a)), y = decode_value(from_hex(b));
        if (!x || !y) {
            CHECK(x.error() == y.error());
            continue;
        }
        CHECK(*x == *y);
        CHECK(encode_value(*x) == encode_value(*y));
    }
    CHECK(*decode_value(from_hex("43")) != *decode_value(from_hex("44")));
    CHECK(*decode_value(from_hex("a1 01 41")) != *decode_value(from_hex("a3 01 41")));
    CHECK(*decode_value(from_hex("45")) != *decode_value(from_hex("e0 02 00 40")));
}

TEST_CASE("a string has no byte order mark that nobody wrote and keeps one that somebody did", "[1.6.20-c]") {
    CHECK(hex_of(Value("x")) == "a10178");
    const auto marked = from_hex("a1 04 efbbbf 78");
    CHECK(*decode_value(marked) == Value("\xef\xbb\xbfx"));
    CHECK(hex_of(*decode_value(marked)) == to_hex(marked));
}

TEST_CASE("arrays of compounds of described values and of nothing", "[1.2.4-c][1.2.4-d][1.2.4-f]") {
    check({{"f0 00000017 00000002 d0 00000004 00000000 00000006 00000002 4041", Value(Array(Type::list, {List{}, List{Value(), true}})), false},
           {"e0 08 02 c0 01 00 03 02 40 41", Value(Array(Type::list, {List{}, List{Value(), true}})), false},
           {"e0 08 02 c1 01 00 03 02 43 41", Value(Array(Type::map, {Map{}, Map{{0U, true}}})), false},
           {"e0 09 02 e0 02 00 50 03 01 50 07", Value(Array(Type::array, {Array(Type::ubyte), Array({std::uint8_t{7}})})), false},
           {"e0 0a 02 00 a3 03 'abc' 52 01 02", Value(Array(Type::uint, {1U, 2U}, {Symbol("abc")}))},
           {"e0 09 01 00 53 01 00 53 02 a1 00", Value(Array(Type::string, {""}, {1UL, 2UL}))},
           {"e0 02 0a 40", Value(Array(Type::null, std::vector<Value>(10)))},
           {"e0 02 03 41", Value(Array({true, true, true})), false},
           {"e0 02 02 42", Value(Array({false, false})), false},
           {"e0 02 02 45", Value(Array({List{}, List{}})), false},
           {"e0 05 02 00 53 24 45", Value(Array(Type::list, {List{}, List{}}, {0x24UL})), false}});
}
