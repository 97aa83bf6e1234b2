// What hostile bytes may ask for is bounded, and asking for more is an orderly error.
#include "printing.hpp"

#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/codec/value_view.hpp>
#include <support/alloc_counter.hpp>

#include <chrono>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

/// Lists of one list each, from the outside in; built as octets because an owned tree of this depth is nobody's
/// business.
Bytes nested_lists(std::size_t depth) {
    constexpr std::size_t head = 9;
    std::vector<std::byte> octets((depth - 1) * head + 1, std::byte{code::list0});
    for (std::size_t i = 0; i + 1 < depth; ++i) {
        std::byte* const at = octets.data() + i * head;
        at[0] = std::byte{code::list32};
        store_be(at + 1, static_cast<std::uint32_t>(octets.size() - i * head - 5));
        store_be(at + 5, std::uint32_t{1});
    }
    return Bytes::from_vector(std::move(octets));
}

std::vector<std::byte> nested_descriptors(std::size_t depth) {
    std::vector<std::byte> octets(depth, std::byte{0});
    octets.resize(2 * depth + 1, std::byte{0x40});
    return octets;
}

}  // namespace

TEST_CASE("nesting stops at the stated depth", "[1.2-h]") {
    CHECK(decode_value(nested_lists(64).span()));
    CHECK(decode_value(nested_lists(65).span()).error() == Errc::nesting_too_deep);
    CHECK(decode_value(nested_lists(5000).span()).error() == Errc::nesting_too_deep);
    const Bytes hostile = nested_lists(100'000);
    CHECK(decode_value(hostile.span()).error() == Errc::nesting_too_deep);
    Decoder checking(hostile.span());
    checking.skip_checked();
    CHECK(checking.error() == Errc::nesting_too_deep);
    CHECK(RawValue(hostile.span()).check().error() == Errc::nesting_too_deep);
    CHECK(decode_value(nested_lists(100).span(), {.depth_max = 100}));
    for (const std::size_t depth : {65U, 1000U, 100000U}) {
        const auto octets = nested_descriptors(depth);
        CHECK(decode_value(octets).error() == Errc::nesting_too_deep);
        Decoder skipping(octets);
        skipping.skip();
        CHECK(skipping.error() == Errc::nesting_too_deep);
    }
    // Arrays of arrays, and descriptors of descriptors of an array's elements.
    std::string hex = "40";
    for (int i = 0; i < 100; ++i)
        hex = "f0" +
              to_hex(std::array{std::byte{0}, std::byte{0}, static_cast<std::byte>((hex.size() / 2 + 4) >> 8),
                                static_cast<std::byte>(hex.size() / 2 + 4)}) +
              "00000001" + hex;
    CHECK_FALSE(decode_value(from_hex(hex)));
    std::string described(2 * 200, '0');
    CHECK_FALSE(decode_value(from_hex("e0 ca 01" + described + "40")));
}

TEST_CASE("announced counts and sizes cost nothing", "[1.2-i]") {
    for (const char* hex :
         {"d0 7fffffff 7fffffff", "d0 00000004 ffffffff", "d1 00000004 fffffffe", "f0 00000005 ffffffff 71",
          "f0 00000005 7fffffff a1", "b0 ffffffff", "b1 7fffffff 41", "d0 00000006 7fffffff 4040",
          "f0 00000009 3fffffff d0 00000000", "d1 ffffffff ffffffff", "f0 ffffffff ffffffff 40", "a3 ff",
          "00 d0 ffffffff ffffffff", "d0 ffffffff 00000001 d0 ffffffff ffffffff"}) {
        INFO(hex);
        const auto octets = from_hex(hex);
        const auto start = std::chrono::steady_clock::now();
        const AllocationScope scope;
        Decoder from(octets);
        Value value;
        const bool read = decode(from, value);
        const auto asked = scope.octets();
        const auto took = std::chrono::steady_clock::now() - start;
        CHECK_FALSE(read);
        CHECK(asked < 4096);
        CHECK(took < std::chrono::milliseconds(10));
    }
}

TEST_CASE("elements without octets are bounded over the whole value", "[1.2.4-e]") {
    const auto zero_width = [](std::uint32_t count) {
        auto octets = from_hex("f0 00000005 00000000 40");
        store_be(octets.data() + 5, count);
        return octets;
    };
    CHECK(decode_value(zero_width(4096)));
    for (const std::uint32_t count : {4097U, 65535U, 65536U, 0x7fffffffU, 0xffffffffU}) {
        CHECK(decode_value(zero_width(count)).error() == Errc::too_many_elements);
    }
    CHECK(decode_value(zero_width(65536), {.zero_width_max = 65536})->as<Array>().size() == 65536);
    // 50 arrays of 4000 in one list.
    Encoder to;
    const auto scope = to.begin_list();
    for (int i = 0; i < 50; ++i) to.append_raw(zero_width(4000));
    to.end(scope, 50);
    CHECK(decode_value(to.written()).error() == Errc::too_many_elements);
    Decoder checking(to.written());
    checking.skip_checked();
    CHECK(checking.error() == Errc::too_many_elements);
}

TEST_CASE("elements and octets are bounded by the options") {
    const Bytes list = encode_value(List(1000));
    CHECK(decode_value(list.span(), {.elements_max = 1000}));
    CHECK(decode_value(list.span(), {.elements_max = 999}).error() == Errc::too_many_elements);
    CHECK(decode_value(list.span(), {.bytes_max = list.size()}));
    CHECK(decode_value(list.span(), {.bytes_max = list.size() - 1}).error() == Errc::value_too_large);
    CHECK(MessageView(encode(Message{"text"}).octets(), {.bytes_max = 3}).error() == Errc::value_too_large);
}

TEST_CASE("texts and binaries are bounded by the options", "[1.2-i]") {
    const DecodeLimits limits{.string_max = 3};
    for (const char* hex : {"a0 04 'four'", "a1 04 'four'", "a3 04 'four'", "b0 00000004 'four'",
                            "c0 07 01 a1 04 'four'", "e0 07 01 a3 04 'four'", "00 a3 04 'four' 40"}) {
        INFO(hex);
        const auto octets = from_hex(hex);
        CHECK(decode_value(octets, limits).error() == Errc::string_too_long);
        CHECK(RawValue(octets).check(limits).error() == Errc::string_too_long);
        CHECK(decode_value(octets));
    }
    CHECK(decode_value(from_hex("a1 03 'two'"), limits));
    // Stepping over is no reading.
    const auto octets = from_hex("a1 04 'four'");
    Decoder skipping(octets, limits);
    skipping.skip();
    CHECK(skipping.ok());
    CHECK(clause_of(Errc::string_too_long) == "1.2-i");
}

TEST_CASE("memory for owned values is bounded by the options and by what is received", "[1.2-i]") {
    const auto refused = [](const Value& value, std::size_t allocation_max) {
        const Bytes octets = encode_value(value);
        const AllocationScope scope;
        const auto read = decode_value(octets.span(), {.allocation_max = allocation_max});
        const auto asked = scope.octets();
        CHECK(asked <= 3 * allocation_max + 1024);  // a vector that grows holds its old memory for a moment
        return !read && read.error() == Errc::allocation_too_large;
    };
    const std::size_t items = 1000;
    CHECK(refused(List(items), items * sizeof(Value) - 1));
    CHECK_FALSE(refused(List(items), items * sizeof(Value)));
    CHECK(refused(std::string(5000, 'x'), 4999));
    CHECK(refused(Binary(std::string(5000, 'x')), 4999));
    CHECK(refused(Symbol(std::string(5000, 'x')), 4999));
    CHECK(refused(Array(std::vector<Value>(items, Value(7U))), items * sizeof(Value) - 1));
    Map map;
    for (std::uint32_t i = 0; i < items; ++i) map.append(i, Value());
    CHECK(refused(map, 2 * items * sizeof(Value) - 1));
    CHECK(refused(Described(1U, Value()), sizeof(Value)));
    CHECK(refused(List(3, List(items)), 2 * items * sizeof(Value)));
}
