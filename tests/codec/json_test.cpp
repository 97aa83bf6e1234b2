// AMQP values as JSON text and back: the table of docs/codec.md.
#include <aprotic/codec/json.hpp>
#include <aprotic/codec/value_view.hpp>

#include "printing.hpp"

#include <support/prng.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <limits>

namespace aprotic::codec {
namespace {

using namespace test::literals;

Value parsed(std::string_view text) {
    const auto value = parse_json(text);
    INFO(text);
    if (!value) FAIL(value.error().to_string());
    return *value;
}

void check_text(const Value& value, std::string_view text) {
    CHECK(to_json(value) == text);
    CHECK(parsed(text) == value);
    CHECK(parsed(to_json(value, {.indent = 2})) == value);
}

template <class T>
T filled(unsigned first) {
    T v;
    for (std::size_t i = 0; i < v.octets.size(); ++i) v.octets[i] = static_cast<std::byte>(first + i);
    return v;
}

}  // namespace

TEST_CASE("JSON's own types are written as they are", "[1.6.1-a][1.6.2-a][1.6.10-a][1.6.12-a][1.6.20-a][1.6.22-b]") {
    check_text(Value(), "null");
    check_text(true, "true");
    check_text(false, "false");
    check_text(std::int64_t{0}, "0");
    check_text(std::int64_t{-42}, "-42");
    check_text(std::int64_t{9007199254740991}, "9007199254740991");
    check_text(0.0, "0.0");
    check_text(-0.0, "-0.0");
    check_text(0.1, "0.1");
    check_text(1e300, "1e+300");
    check_text(5e-324, "5e-324");
    check_text(std::numeric_limits<double>::max(), "1.7976931348623157e+308");
    check_text("", R"("")");
    check_text("a\"b\\c\n\r\t\x01", R"("a\"b\\c\n\r\t\u0001")");
    check_text(std::string("nul\0nul", 7), R"("nul\u0000nul")");
    check_text("é € 😀", "\"é € 😀\"");
    check_text(List{}, "[]");
    check_text(List{std::int64_t{1}, "two", Value(), List{true}}, R"([1,"two",null,[true]])");
    check_text(Map{}, "{}");
    check_text(Map{{"b", std::int64_t{1}}, {"a", Map{{"", 1.5}}}}, R"({"b":1,"a":{"":1.5}})");
}

TEST_CASE("Types that JSON lacks are named", "[1.6.3-a][1.6.4-a][1.6.5-a][1.6.6-a][1.6.7-a][1.6.8-a][1.6.9-a]") {
    check_text(std::uint8_t{255}, R"({"$ubyte":255})");
    check_text(std::uint16_t{65535}, R"({"$ushort":65535})");
    check_text(std::uint32_t{4294967295}, R"({"$uint":4294967295})");
    check_text(std::uint64_t{0}, R"({"$ulong":0})");
    check_text(std::uint64_t{18446744073709551615U}, R"({"$ulong":"18446744073709551615"})");
    check_text(std::int8_t{-128}, R"({"$byte":-128})");
    check_text(std::int16_t{-32768}, R"({"$short":-32768})");
    check_text(std::int32_t{-2147483647 - 1}, R"({"$int":-2147483648})");
    check_text(std::numeric_limits<std::int64_t>::min(), R"({"$long":"-9223372036854775808"})");
    check_text(std::int64_t{9007199254740992}, R"({"$long":"9007199254740992"})");
    check_text(1.5F, R"({"$float":1.5})");
    check_text(-0.0F, R"({"$float":-0.0})");
    check_text(0.1F, R"({"$float":0.1})");
    check_text(U'A', R"({"$char":"A"})");
    check_text(U'\0', R"({"$char":"\u0000"})");
    check_text(U'\U0010ffff', "{\"$char\":\"\xf4\x8f\xbf\xbf\"}");
    check_text(Value(char32_t{0xd800}), R"({"$char":55296})");
    check_text(Value(char32_t{0xffffffff}), R"({"$char":4294967295})");
    check_text(Timestamp{1311704463521}, R"({"$timestamp":1311704463521})");
    check_text(Timestamp{std::numeric_limits<std::int64_t>::min()}, R"({"$timestamp":"-9223372036854775808"})");
    check_text(filled<Uuid>(0), R"({"$uuid":"00010203-0405-0607-0809-0a0b0c0d0e0f"})");
    check_text(Binary("\xff_"), R"({"$binary":"ff5f"})");
    check_text(Binary(), R"({"$binary":""})");
    check_text(Symbol("a"), R"({"$symbol":"a"})");
    check_text(filled<Decimal32>(0x22), R"({"$decimal32":"0x22232425"})");
    check_text(filled<Decimal64>(0xf8), R"({"$decimal64":"0xf8f9fafbfcfdfeff"})");
    check_text(filled<Decimal128>(0), R"({"$decimal128":"0x000102030405060708090a0b0c0d0e0f"})");
}

TEST_CASE("What a float or double is besides a number survives bit by bit", "[1.6.11-a][1.6.12-a]") {
    check_text(std::numeric_limits<double>::quiet_NaN(), R"({"$double":"NaN"})");
    check_text(std::numeric_limits<double>::infinity(), R"({"$double":"Infinity"})");
    check_text(-std::numeric_limits<float>::infinity(), R"({"$float":"-Infinity"})");
    check_text(std::bit_cast<double>(std::uint64_t{0xfff8'0000'0000'0001}), R"({"$double":"0xfff8000000000001"})");
    check_text(std::bit_cast<float>(std::uint32_t{0xffc0'0001}), R"({"$float":"0xffc00001"})");
    CHECK(parsed(R"({"$float":"0x3f800000"})") == Value(1.0F));
    CHECK(parsed(R"({"$double":7})") == Value(7.0));
}

TEST_CASE("Maps that are no object are pairs", "[1.6.23-c][1.6.23-d][1.6.21-c]") {
    check_text(Map{{Symbol("a"), std::int64_t{1}}, {"a", std::int64_t{2}}},
               R"({"$map":[[{"$symbol":"a"},1],["a",2]]})");
    check_text(Map{{Value(), List{}}, {List{Value()}, Map{}}}, R"({"$map":[[null,[]],[[null],{}]]})");
    check_text(Map{{"$ref", Value()}}, R"({"$map":[["$ref",null]]})");
    Map twice;  // cannot come from the wire, but can be made
    twice.append("k", std::int64_t{1});
    twice.append("k", std::int64_t{2});
    check_text(twice, R"({"$map":[["k",1],["k",2]]})");
}

TEST_CASE("Arrays keep their element type and descriptors", "[1.6.24-b][1.2.4-c][1.2.4-f]") {
    check_text(Array(Type::int_), R"({"$array":["int",[]]})");
    check_text(Array({std::uint32_t{1}, std::uint32_t{2}}), R"({"$array":["uint",[1,2]]})");
    check_text(Array({Symbol("a"), Symbol("b")}), R"({"$array":["symbol",["a","b"]]})");
    check_text(Array({Map{{"k", true}}, Map{}}), R"({"$array":["map",[[["k",true]],[]]]})");
    check_text(Array({Array({true}), Array(Type::null)}), R"({"$array":["array",[["boolean",[true]],["null",[]]]]})");
    check_text(Array(Type::ubyte, {std::uint8_t{1}}, {Symbol("abc"), std::uint64_t{7}}),
               R"({"$array":["ubyte",[1],[{"$symbol":"abc"},{"$ulong":7}]]})");
    check_text(Array(Type::uint, {std::uint32_t{1}, "odd"}), R"({"$array":["uint",[1,{"$string":"odd"}]]})");
    check_text(Array({std::numeric_limits<float>::infinity(), 1.0F}), R"({"$array":["float",["Infinity",1.0]]})");
}

TEST_CASE("Described values are descriptor and value", "[1.5-c][1.2-b]") {
    check_text(Described(std::uint64_t{0x24}, List{}), R"({"$described":[{"$ulong":36},[]]})");
    check_text(Described(Described("d", Value()), Described(Symbol("s"), std::int64_t{1})),
               R"({"$described":[{"$described":["d",null]},{"$described":[{"$symbol":"s"},1]}]})");
}

TEST_CASE("Strings that are not UTF-8 are told as octets", "[1.6.20-b]") {
    check_text(std::string("\xff"), R"({"$string":{"octets":"ff"}})");
    check_text(Symbol("\x80z"), R"({"$symbol":{"octets":"807a"}})");
    check_text(Map{{std::string("\xc0\x80"), Value()}}, R"({"$map":[[{"$string":{"octets":"c080"}},null]]})");
    check_text(Array({std::string("\xff"), "x"}), R"({"$array":["string",[{"octets":"ff"},"x"]]})");
    CHECK(to_json(std::string("a\xff\xe2\x82z"), {.form = JsonForm::plain}) ==
          "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

TEST_CASE("The plain form is for reading", "[json]") {
    const auto plain = [](const Value& value) { return to_json(value, {.form = JsonForm::plain}); };
    CHECK(plain(std::uint64_t{18446744073709551615U}) == "18446744073709551615");
    CHECK(plain(std::uint8_t{7}) == "7");
    CHECK(plain(1.5F) == "1.5");
    CHECK(plain(std::bit_cast<float>(std::uint32_t{0xffc0'0001})) == R"("NaN")");
    CHECK(plain(Symbol("s")) == R"("s")");
    CHECK(plain(U'€') == "\"€\"");
    CHECK(plain(Binary("\x01\x02")) == R"({"hex":"0102"})");
    CHECK(plain(Timestamp{1311704463521}) == R"("2011-07-26T18:21:03.521Z")");
    CHECK(plain(Timestamp{-1}) == R"("1969-12-31T23:59:59.999Z")");
    CHECK(plain(Timestamp{-62167219200000}) == R"("0000-01-01T00:00:00.000Z")");
    CHECK(plain(Timestamp{-62167219200001}) == "-62167219200001");
    CHECK(plain(Timestamp{253402300799999}) == R"("9999-12-31T23:59:59.999Z")");
    CHECK(plain(Timestamp{std::numeric_limits<std::int64_t>::max()}) == "9223372036854775807");
    CHECK(plain(Array({std::uint32_t{1}})) == "[1]");
    CHECK(plain(Described(Symbol("d"), "v")) == R"({"descriptor":"d","value":"v"})");
    CHECK(plain(Map{{Symbol("a"), 1}, {std::uint32_t{5}, 2}, {"$x", 3}}) == R"({"a":1,"5":2,"$x":3})");
    CHECK(plain(Map{{Symbol("a"), 1}, {"a", 2}}) == R"([["a",1],["a",2]])");
}

TEST_CASE("Indented JSON has one item on each line", "[json]") {
    CHECK(to_json(Map{{"a", List{std::int64_t{1}, 2U}}, {"b", Map{}}}, {.indent = 2}) ==
          "{\n  \"a\": [\n    1,\n    {\"$uint\": 2}\n  ],\n  \"b\": {}\n}");
}

TEST_CASE("Encoded values become JSON too", "[json]") {
    std::string text = "x=";
    CHECK(append_json(text, "c1 05 02 a1 01 'k' 43"_hex));
    CHECK(text == R"(x={"k":{"$uint":0}})");
    CHECK(append_json(text, "c1 05 02 a1"_hex).error() == make_error_code(Errc::length_out_of_bounds));
    CHECK(text == R"(x={"k":{"$uint":0}})");
}

TEST_CASE("JSON of others is read", "[json]") {
    CHECK(parsed(" \t\r\n[ 1 , -0 , 1E2 , 18446744073709551615 , \"\\u00e9\\ud83d\\ude00\\/\\b\\f\" ] ") ==
          Value(List{std::int64_t{1}, std::int64_t{0}, 100.0, std::uint64_t{18446744073709551615U}, "é😀/\b\f"}));
    CHECK(parsed(R"({ "a" : { "b" : [ ] } })") == Value(Map{{"a", Map{{"b", List{}}}}}));
    CHECK(parsed(R"({ "$array" : [ "string" , [ "x" , { "$string" : "y" } ] ] })") == Value(Array({"x", "y"})));
}

TEST_CASE("Each fault of a JSON text is told with its place and what was expected", "[json]") {
    struct Case {
        std::string text;
        JsonFault fault;
        std::size_t offset;
        std::string_view expected;
    };
    const auto c = GENERATE(values<Case>({
        {"", JsonFault::syntax, 0, "a value"},
        {"  x", JsonFault::syntax, 2, "a value"},
        {"nul", JsonFault::syntax, 0, "a value"},
        {"[1", JsonFault::syntax, 2, "a comma or a closing bracket"},
        {"[1,]", JsonFault::syntax, 3, "a value"},
        {R"({"a" 1})", JsonFault::syntax, 5, "a colon"},
        {R"({"a":1)", JsonFault::syntax, 6, "a comma or a closing brace"},
        {"{1:2}", JsonFault::syntax, 1, "a member name"},
        {"01", JsonFault::syntax, 1, "no digit after a leading zero"},
        {"-", JsonFault::syntax, 1, "a digit"},
        {"1.", JsonFault::syntax, 2, "a digit"},
        {"1e+", JsonFault::syntax, 3, "a digit"},
        {"\"abc", JsonFault::syntax, 0, "a string that ends"},
        {"\"a\nb\"", JsonFault::syntax, 2, "an escape instead of a control character"},
        {R"("\x")", JsonFault::syntax, 2, "one of \" \\ / b f n r t u"},
        {R"("\u12g4")", JsonFault::syntax, 5, "four hex digits"},
        {R"("\ud800")", JsonFault::bad_utf8, 1, "a surrogate pair"},
        {R"("\udc00\udc00")", JsonFault::bad_utf8, 1, "a surrogate pair"},
        {R"("\ud800\u0041")", JsonFault::bad_utf8, 1, "a surrogate pair"},
        {"[\"\xff\"]", JsonFault::bad_utf8, 1, "UTF-8"},
        {"1 2", JsonFault::trailing_text, 2, "the end of the text"},
        {"18446744073709551616", JsonFault::out_of_range, 0, "a whole number from -2^63 to 2^63 - 1"},
        {"-9223372036854775809", JsonFault::out_of_range, 0, "a whole number from -2^63 to 2^63 - 1"},
        {"1e999", JsonFault::out_of_range, 0, "a number that the type can hold"},
        {R"({"a":1,"b":2,"a":3})", JsonFault::duplicate_name, 13, "a name not used before"},
        {R"({"$nothing":1})", JsonFault::unknown_type, 1, "the name of an AMQP type after \"$\""},
        {R"({"a":1,"$uint":1})", JsonFault::reserved_name, 7, "a name that does not start with \"$\""},
        {R"({"$uint":1,"a":1})", JsonFault::reserved_name, 1, "no other member beside one that names a type"},
        {R"({"$ubyte":256})", JsonFault::out_of_range, 10, "a whole number from 0 to 255"},
        {R"({"$ubyte":-1})", JsonFault::out_of_range, 10, "a whole number from 0 to 255"},
        {R"({"$uint":1.0})", JsonFault::out_of_range, 9, "a whole number from 0 to 2^32 - 1"},
        {R"({"$ulong":"x"})", JsonFault::out_of_range, 10, "a whole number from 0 to 2^64 - 1"},
        {R"({"$byte":null})", JsonFault::wrong_content, 9, "a whole number from -128 to 127"},
        {R"({"$float":"x"})", JsonFault::wrong_content, 10,
         "a number, \"NaN\", \"Infinity\", \"-Infinity\" or the bits as \"0x…\""},
        {R"({"$float":"0x00"})", JsonFault::wrong_content, 10,
         "a number, \"NaN\", \"Infinity\", \"-Infinity\" or the bits as \"0x…\""},
        {R"({"$decimal32":"0x0"})", JsonFault::wrong_content, 14, "the bits of the decimal in full as \"0x…\""},
        {R"({"$decimal32":1})", JsonFault::wrong_content, 14, "the bits of the decimal in full as \"0x…\""},
        {R"({"$char":"ab"})", JsonFault::wrong_content, 9, "a string of one character, or its number"},
        {R"({"$char":""})", JsonFault::wrong_content, 9, "a string of one character, or its number"},
        {R"({"$char":[]})", JsonFault::wrong_content, 9, "a string of one character, or its number"},
        {R"({"$uuid":"x"})", JsonFault::wrong_content, 9, "a uuid such as \"00112233-4455-6677-8899-aabbccddeeff\""},
        {R"({"$uuid":1})", JsonFault::wrong_content, 9, "a uuid such as \"00112233-4455-6677-8899-aabbccddeeff\""},
        {R"({"$binary":"abc"})", JsonFault::wrong_content, 11, "a string of hex digits, two for each octet"},
        {R"({"$binary":7})", JsonFault::wrong_content, 11, "a string of hex digits, two for each octet"},
        {R"({"$symbol":7})", JsonFault::wrong_content, 11, "a string or {\"octets\":\"…\"}"},
        {R"({"$string":{"hex":"00"}})", JsonFault::wrong_content, 12, "a string or {\"octets\":\"…\"}"},
        {R"({"$null":0})", JsonFault::wrong_content, 9, "null"},
        {R"({"$boolean":0})", JsonFault::wrong_content, 12, "true or false"},
        {R"({"$list":{}})", JsonFault::wrong_content, 9, "an array of items"},
        {R"({"$map":{}})", JsonFault::wrong_content, 8, "an array of [key, value] pairs"},
        {R"({"$map":[[1]]})", JsonFault::syntax, 11, "a comma"},
        {R"({"$array":{}})", JsonFault::wrong_content, 10,
         "[type name, [elements]] or [type name, [elements], [descriptors]]"},
        {R"({"$array":["no",[]]})", JsonFault::unknown_type, 11, "the name of an AMQP type"},
        {R"({"$array":["uint",["x"]]})", JsonFault::out_of_range, 19, "a whole number from 0 to 2^32 - 1"},
        {R"({"$described":1})", JsonFault::wrong_content, 14, "[descriptor, value]"},
        {R"({"$described":[1]})", JsonFault::syntax, 16, "a comma"},
        {R"({"$timestamp":true})", JsonFault::wrong_content, 14, "a whole number from -2^63 to 2^63 - 1"},
    }));
    INFO(c.text);
    const auto value = parse_json(c.text);
    REQUIRE_FALSE(value);
    CHECK(name_of(value.error().fault) == name_of(c.fault));
    CHECK(value.error().offset == c.offset);
    CHECK(value.error().expected == c.expected);
}

TEST_CASE("Limits hold for JSON texts", "[1.2-h][1.2-i]") {
    const auto fault = [](std::string_view text, const DecodeLimits& limits = {}) {
        return parse_json(text, limits).error().fault;
    };
    CHECK(fault(std::string(100'000, '[')) == JsonFault::nesting_too_deep);
    std::string nested;
    for (int i = 0; i < 100'000; ++i) nested += R"({"$described":[null,)";
    CHECK(fault(nested) == JsonFault::nesting_too_deep);
    nested.clear();
    for (int i = 0; i < 100'000; ++i) nested += R"({"$array":["array",[["array",[)";
    CHECK(fault(nested) == JsonFault::nesting_too_deep);
    nested.clear();
    for (int i = 0; i < 100'000; ++i) nested += R"({"a":)";
    CHECK(fault(nested) == JsonFault::nesting_too_deep);
    nested.clear();
    for (int i = 0; i < 100'000; ++i) nested += R"({"$map":[[)";
    CHECK(fault(nested) == JsonFault::nesting_too_deep);

    DecodeLimits small;
    small.elements_max = 3;
    CHECK(parse_json("[1,2,3]", small));
    CHECK(fault("[1,2,3,4]", small) == JsonFault::too_many_elements);
    CHECK(fault(R"({"a":1,"b":2})", small) == JsonFault::too_many_elements);
    small.bytes_max = 6;
    CHECK(fault("[1,2,3]", small) == JsonFault::value_too_large);
    small.depth_max = 1;
    CHECK(parse_json("[1]", small));
    CHECK(fault("[[1]]", small) == JsonFault::nesting_too_deep);
}

namespace {

/// Any value, also those that have no wire form.
Value any_value(test::Prng& random, unsigned depth) {
    const auto number = [&] { return random.one_in(3) ? random.below(4) : random.next() >> random.below(64); };
    const auto text = [&] {
        std::string s;
        for (auto n = random.below(6); n > 0; --n)
            s += random.one_in(8) ? static_cast<char>(random.octet()) : static_cast<char>(random.between(0, 126));
        return s;
    };
    switch (static_cast<Type>(random.below(depth == 0 ? 21 : 25))) {
        case Type::null: return {};
        case Type::boolean: return random.one_in(2);
        case Type::ubyte: return static_cast<std::uint8_t>(number());
        case Type::ushort: return static_cast<std::uint16_t>(number());
        case Type::uint: return static_cast<std::uint32_t>(number());
        case Type::ulong: return number();
        case Type::byte: return static_cast<std::int8_t>(number());
        case Type::short_: return static_cast<std::int16_t>(number());
        case Type::int_: return static_cast<std::int32_t>(number());
        case Type::long_: return static_cast<std::int64_t>(number());
        case Type::float_: return std::bit_cast<float>(static_cast<std::uint32_t>(random.next()));
        case Type::double_: return std::bit_cast<double>(random.next());
        case Type::decimal32: return filled<Decimal32>(static_cast<unsigned>(number()));
        case Type::decimal64: return filled<Decimal64>(static_cast<unsigned>(number()));
        case Type::decimal128: return filled<Decimal128>(static_cast<unsigned>(number()));
        case Type::char_: return static_cast<char32_t>(random.below(0x12'0000));
        case Type::timestamp: return Timestamp{static_cast<std::int64_t>(number())};
        case Type::uuid: return filled<Uuid>(static_cast<unsigned>(number()));
        case Type::binary: return Binary(text());
        case Type::string: return text();
        case Type::symbol: return Symbol(text());
        case Type::list: {
            List list;
            for (auto n = random.below(4); n > 0; --n) list.push_back(any_value(random, depth - 1));
            return list;
        }
        case Type::map: {
            Map map;
            for (auto n = random.below(4); n > 0; --n) {
                Value key = random.one_in(3) ? any_value(random, depth - 1) : Value(text());
                map.append(std::move(key), any_value(random, depth - 1));
            }
            return map;
        }
        case Type::array: {
            std::vector<Value> elements, descriptors;
            for (auto n = random.below(4); n > 0; --n) elements.push_back(any_value(random, depth - 1));
            for (auto n = random.below(2); n > 0; --n) descriptors.push_back(any_value(random, depth - 1));
            const Type type = elements.empty() ? Type::null : elements.front().type();
            return Array(type, std::move(elements), std::move(descriptors));
        }
        case Type::described: return Described(any_value(random, depth - 1), any_value(random, depth - 1));
    }
    return {};
}

}  // namespace

TEST_CASE("Generated values come back equal from their JSON text", "[json]") {
    test::Prng random(20120229);
    for (int i = 0; i < 3000; ++i) {
        const Value value = any_value(random, 4);
        const std::string text = to_json(value, {.indent = static_cast<std::uint8_t>(random.below(3))});
        const auto back = parse_json(text);
        INFO(text);
        REQUIRE(back);
        REQUIRE(*back == value);
        // The plain form is JSON as well; what it means may differ.
        const std::string plain = to_json(value, {.form = JsonForm::plain});
        const auto read = parse_json(plain);
        INFO(plain);
        const bool names_only =
            !read && (read.error().fault == JsonFault::reserved_name || read.error().fault == JsonFault::unknown_type ||
                      read.error().fault == JsonFault::wrong_content || read.error().fault == JsonFault::out_of_range);
        REQUIRE((read || names_only));
    }
}

TEST_CASE("A truncated JSON text is an error at every length", "[json]") {
    const std::string text =
        to_json(List{Map{{Symbol("a"), 1.5F}, {"b", Array({true, false})}}, Described(Symbol("d"), Binary("xy")),
                     Map{{"k", U'x'}}, std::uint64_t{18446744073709551615U}, Value(), filled<Uuid>(1)});
    for (std::size_t n = 0; n < text.size(); ++n) {
        INFO(text.substr(0, n));
        CHECK_FALSE(parse_json(std::string_view(text).substr(0, n)));
    }
    test::Prng random(7);
    for (int i = 0; i < 5000; ++i) {
        std::string broken = text;
        for (auto n = random.between(1, 4); n > 0; --n)
            broken[random.below(broken.size())] = static_cast<char>(random.octet());
        const auto value = parse_json(broken);
        if (value) {
            CHECK(parsed(to_json(*value)) == *value);
        } else {
            CHECK(value.error().offset <= broken.size());
        }
    }
}

}  // namespace aprotic::codec
