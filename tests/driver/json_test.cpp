#include <aprotic/driver/json.hpp>

#include <cmath>
#include <limits>
#include <random>

#include <catch2/catch.hpp>

using namespace aprotic::driver;

// Expected texts are what CPython 3.11's json.dumps printed for the same values.
TEST_CASE("texts are those of json.dumps") {
    CHECK(to_json_text({{"b", 1}, {"a", {1, 2, 3}}, {"c", Json::object()}, {"d", Json::array()}}) ==
          R"({"b": 1, "a": [1, 2, 3], "c": {}, "d": []})");
    CHECK(to_json_text(nullptr) == "null");
    CHECK(to_json_text(true) == "true");
    CHECK(to_json_text(Json::array({nullptr, false, "x"})) == R"([null, false, "x"])");
    CHECK(to_json_text(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
    CHECK(to_json_text(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
}

TEST_CASE("strings are ASCII with escapes") {
    CHECK(to_json_text("h\xc3\xa9llo") == R"("h\u00e9llo")");
    CHECK(to_json_text("\xf0\x9f\x98\x80") == R"("\ud83d\ude00")");
    CHECK(to_json_text("\"\\/\b\f\n\r\t\x01\x7f") == R"("\"\\/\b\f\n\r\t\u0001\u007f")");
    CHECK(to_json_text(std::string("a\0b", 3)) == R"("a\u0000b")");
    CHECK(to_json_text("bad \xff octet") == R"("bad \ufffd octet")");
    CHECK(to_json_text({{"k\xc3\xa9y", 1}}) == R"({"k\u00e9y": 1})");
}

TEST_CASE("floats have the digits and the layout of repr") {
    const std::pair<double, const char*> cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {1.5, "1.5"},
        {0.1, "0.1"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {1.5e16, "1.5e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1.5e-7, "1.5e-07"},
        {1e100, "1e+100"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {9007199254740993.0, "9007199254740992.0"},
        {2.5, "2.5"},
    };
    for (const auto& [value, text] : cases) CHECK(to_json_text(value) == text);
    CHECK(to_json_text(std::numeric_limits<double>::quiet_NaN()) == "NaN");
    CHECK(to_json_text(std::numeric_limits<double>::infinity()) == "Infinity");
    CHECK(to_json_text(-std::numeric_limits<double>::infinity()) == "-Infinity");
}

TEST_CASE("what is written reads back as it was") {
    const Json value = {
        {"z", 1}, {"a", {nullptr, true, -3, 2.5, "h\xc3\xa9\xf0\x9f\x98\x80"}}, {"m", {{"n", Json::array()}}}};
    const auto back = parse_json(to_json_text(value));
    REQUIRE(back);
    CHECK(*back == value);
    CHECK(back->begin().key() == "z");
}

TEST_CASE("the numbers JSON has no word for are read") {
    const auto value = parse_json(R"({"a": NaN, "b": [Infinity, -Infinity], "c": "NaN Infinity", "NaN": "\u0000NaN"})");
    INFO(value.error());
    REQUIRE(value);
    CHECK(std::isnan((*value)["a"].get<double>()));
    CHECK((*value)["b"][0].get<double>() == std::numeric_limits<double>::infinity());
    CHECK((*value)["b"][1].get<double>() == -std::numeric_limits<double>::infinity());
    CHECK((*value)["c"] == "NaN Infinity");
    CHECK((*value)["NaN"] == std::string("\0NaN", 4));
    CHECK(std::isnan(parse_json("NaN")->get<double>()));
    CHECK_THAT(parse_json(R"({"a\"": [NaN, "NaN", -Infinity], "b": x})").error(), Catch::Contains("at octet 39 of 40"));
}

TEST_CASE("a text of nothing but such numbers and of NULs takes no more room than its octets allow") {
    std::string text = "[\"";
    for (int i = 0; i < 50'000; ++i) text += "\\u0000";
    text += '"';
    for (int i = 0; i < 50'000; ++i) text += ",NaN";
    const auto value = parse_json(text + "]");
    REQUIRE(value);
    CHECK(value->size() == 50'001);
    CHECK(value->front() == std::string(50'000, '\0'));
    CHECK(std::isnan(value->back().get<double>()));
}

TEST_CASE("raw UTF-8 and equal keys are read as Python does") {
    CHECK(*parse_json("\"h\xc3\xa9\"") == "h\xc3\xa9");
    CHECK(*parse_json(R"({"a": 1, "a": 2})") == Json{{"a", 2}});
    CHECK(*parse_json(" [1 , 2 ] \n") == Json{1, 2});
}

TEST_CASE("what is no JSON text is refused") {
    for (const char* text :
         {"",         " ",   "{",        "[1,]", "{\"a\"}", "nan",       "NaNN",  "-NaN", "xNaN", "[Infinityx]",
          "{NaN: 1}", "'a'", "\"\xff\"", "1 2",  "\"a",     "\"\\u12\"", "[1] x", "+1",   "01",   "{1: 2}"}) {
        INFO(text);
        const auto value = parse_json(text);
        REQUIRE_FALSE(value);
        CHECK_THAT(value.error(), Catch::Contains("JSON text"));
    }
}

TEST_CASE("of many equal keys the last one's value is at the first one's place") {
    std::string text = "{";
    Json expected = Json::object();
    for (int i = 0; i < 5000; ++i) {
        const std::string key = "k" + std::to_string(i * 7919 % 1500);
        text += "\"" + key + "\": " + std::to_string(i) + (i < 4999 ? ", " : "}");
        expected[key] = i;
    }
    const auto value = parse_json(text);
    REQUIRE(value);
    CHECK(value->size() == 1500);
    CHECK(*value == expected);
    CHECK(to_json_text(*value) == to_json_text(expected));
}

TEST_CASE("what is read is what nlohmann-json reads, whatever the text") {
    const std::string seeds[] = {
        R"({"request": {"method": "echo", "args": {"n": 5, "text": "xxxxxxxxxxxxxxxx\u00e9\ud83d\ude00"}}, "context": {}})",
        R"([1,-2,3.5,1e5,-0,0.0,18446744073709551616,-9223372036854775809,1e400,1e-400,null,true,false])",
        "{\"a\":{\"b\":[{},[],\"\\n\\\"\"]},\"a\":\"h\xc3\xa9\xf0\x9f\x98\x80\x7f\",\"c\":{\"d\":1,\"d\":2}}"};
    const std::string_view octets = "{}[]\",:0123456789eE+-.\\u\"tfn abcd\x01\x7f\xc3\xa9\xed\xa0\xf0\x9f";
    std::mt19937 chance(1);
    std::size_t valid = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = seeds[chance() % 3];
        for (auto changes = chance() % 4; changes > 0 && !text.empty(); --changes) {
            const std::size_t at = chance() % text.size();
            switch (chance() % 3) {
                case 0: text[at] = octets[chance() % octets.size()]; break;
                case 1: text.erase(at, 1 + chance() % 3); break;
                default: text.insert(at, 1, octets[chance() % octets.size()]);
            }
        }
        const auto ours = parse_json(text);
        const Json theirs = Json::parse(text, nullptr, false);
        INFO(text);
        REQUIRE(ours.has_value() == !theirs.is_discarded());
        if (!ours) continue;
        ++valid;
        REQUIRE(*ours == theirs);
        REQUIRE(*parse_json(to_json_text(*ours)) == theirs);
    }
    CHECK(valid > 4000);
}

TEST_CASE("depth and size have limits that their message names") {
    const std::string deep = std::string(256, '[') + std::string(256, ']');
    CHECK(parse_json(deep));
    CHECK_THAT(parse_json("[" + deep + "]").error(), Catch::Contains("257") && Catch::Contains("json_depth_max"));
    CHECK(parse_json(std::string(300, '[').insert(0, "\"").append("\"")));
    CHECK_THAT(parse_json(std::string(1'000'000, '[')).error(), Catch::Contains("json_depth_max"));
    CHECK_THAT(parse_json("[1, 2]", {.bytes_max = 5}).error(), Catch::Contains("json_bytes_max"));
}
