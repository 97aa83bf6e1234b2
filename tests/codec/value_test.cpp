#include "printing.hpp"

#include <aprotic/codec/value.hpp>
#include <support/prng.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

/// Any value, nested up to `depth`.
Value random_value(Prng& random, int depth) {
    const auto text = [&] { return random.text(random.one_in(20) ? 300 : random.below(9)); };
    switch (random.below(depth > 0 ? 25 : 21)) {
        case 0: return {};
        case 1: return random.one_in(2);
        case 2: return static_cast<std::uint8_t>(random.next());
        case 3: return static_cast<std::uint16_t>(random.next());
        case 4: return static_cast<std::uint32_t>(random.next() >> random.below(64));
        case 5: return random.next() >> random.below(64);
        case 6: return static_cast<std::int8_t>(random.next());
        case 7: return static_cast<std::int16_t>(random.next());
        case 8: return static_cast<std::int32_t>(random.next() >> random.below(64));
        case 9: return static_cast<std::int64_t>(random.next() >> random.below(64));
        case 10: return std::bit_cast<float>(static_cast<std::uint32_t>(random.next()));
        case 11: return std::bit_cast<double>(random.next());
        case 12: return Decimal32{{random.octet()}};
        case 13: return Decimal64{{random.octet()}};
        case 14: return Decimal128{{random.octet()}};
        case 15: return static_cast<char32_t>(random.below(0xd800));
        case 16: return Timestamp{static_cast<std::int64_t>(random.next())};
        case 17: return Uuid{{random.octet()}};
        case 18: return Binary(text());
        case 19: return text();
        case 20: return Symbol(text());
        case 21: {
            List list;
            for (std::uint64_t i = random.below(6); i > 0; --i) list.push_back(random_value(random, depth - 1));
            return list;
        }
        case 22: {
            Map map;
            for (std::uint64_t i = random.below(6); i > 0; --i)
                map.set(random_value(random, depth - 1), random_value(random, depth - 1));
            return map;
        }
        case 23: {
            std::vector<Value> elements;
            const Value first = random_value(random, depth - 1);
            if (first.type() == Type::described) return first;
            for (std::uint64_t i = random.below(5); i > 0; --i) elements.push_back(first);
            return Array(first.type(), std::move(elements),
                         random.one_in(4) ? std::vector<Value>{Symbol("d")} : std::vector<Value>());
        }
        default:
            return Described(random.one_in(2) ? Value(random.next()) : Value(Symbol(text())),
                             random_value(random, depth - 1));
    }
}

}  // namespace

TEST_CASE("any value comes back as it was and is damaged without a crash", "[0.2-d][1.2-f]") {
    Prng random(20121029);
    for (int i = 0; i < 3000; ++i) {
        const Value value = random_value(random, 4);
        const Bytes octets = encode_value(value);
        const Result<Value> read = decode_value(octets.span());
        REQUIRE(read);
        REQUIRE(*read == value);
        REQUIRE(encode_value(*read) == octets);
        if (octets.size() > 4000) continue;
        std::vector<std::byte> damaged(octets.span().begin(), octets.span().end());
        damaged[random.below(damaged.size())] = random.octet();
        if (const Result<Value> other = decode_value(damaged)) {
            // What is still legal means the same after another round.
            REQUIRE(decode_value(encode_value(*other).span()));
        }
        Decoder from{std::span(damaged).first(random.below(damaged.size()))};
        from.skip_checked();
    }
}

TEST_CASE("the type of a number is the type it was made from") {
    CHECK(Value(1).type() == Type::int_);
    CHECK(Value(1U).type() == Type::uint);
    CHECK(Value(1L).type() == Type::long_);
    CHECK(Value(1LL).type() == Type::long_);
    CHECK(Value(std::uint8_t{1}).type() == Type::ubyte);
    CHECK(Value(true).type() == Type::boolean);
    CHECK(Value("x").type() == Type::string);
    CHECK(Value(Symbol("x")).type() == Type::symbol);
    CHECK(Value(1) != Value(1U));
    CHECK(Value(5LL).as<long>() == 5);
    CHECK(Value(nullptr).is_null());
    CHECK(Value(U'x').type() == Type::char_);
}

TEST_CASE("values are asked for by type") {
    const Value value = 42;
    CHECK(value.is<int>());
    CHECK(value.as<std::int32_t>() == 42);
    CHECK(value.get_if<std::string>() == nullptr);
    CHECK_THROWS_AS(value.as<bool>(), std::bad_variant_access);
    CHECK(value.to_int64() == 42);
    CHECK(value.to_uint64() == 42);
    CHECK_FALSE(Value(-1).to_uint64());
    CHECK_FALSE(Value("1").to_int64());
    CHECK_FALSE(Value(~std::uint64_t{0}).to_int64());
    CHECK(Value(Symbol("s")).to_text() == "s");
    CHECK(Value(true).to_bool() == true);
}

TEST_CASE("maps are found by text and by exact key", "[1.6.23-c]") {
    Map map{{"a", 1}, {Symbol("b"), 2}, {3U, "three"}};
    CHECK(map.at("a") == Value(1));
    CHECK(map.at("b") == Value(2));
    CHECK(*map.find(Value(3U)) == Value("three"));
    CHECK(map.find(Symbol("a")) == nullptr);
    CHECK(*map.find(Symbol("b")) == Value(2));
    CHECK(map.find("c") == nullptr);
    CHECK_THROWS_AS(map.at("c"), std::out_of_range);
    map["c"] = 4;
    map["a"] = 5;
    CHECK(map.size() == 4);
    CHECK(map.at("a") == Value(5));
    CHECK(map.erase("a"));
    CHECK_FALSE(map.erase("a"));
    CHECK(map.begin()->first == Value(Symbol("b")));
    CHECK((Map{{"x", 1}, {"x", 2}}).at("x") == Value(2));
}

TEST_CASE("a result is a value or a reason") {
    const auto half = [](int n) -> Result<int> {
        if (n % 2 != 0) return Errc::wrong_type;
        return n / 2;
    };
    const auto quarter = [&](int n) -> Result<std::string> {
        APROTIC_TRY_AS(const int h, half(n));
        APROTIC_TRY_AS(const int q, half(h));
        APROTIC_TRY(half(0));
        return std::to_string(q);
    };
    CHECK(*quarter(8) == "2");
    CHECK(quarter(6).error() == Errc::wrong_type);
    CHECK(half(3).value_or(7) == 7);
    CHECK_FALSE(half(4).error());
    CHECK(Result<void>());
    CHECK(Result<void>(Errc::odd_map).error() == Errc::odd_map);
    CHECK(Result<int, std::string>(std::string("why")).error() == "why");
}
