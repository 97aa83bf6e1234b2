// What hostile bytes may ask for is bounded, and asking for more is an orderly error.
#include "printing.hpp"

#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/value.hpp>
#include <support/alloc_counter.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

/// Lists of one list each, from the outside in; built as octets because an owned tree of this depth is nobody's business.
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
    for (int i = 0; i < 100; ++i) hex = "f0" + to_hex(std::array{std::byte{0}, std::byte{0}, static_cast<std::byte>((hex.size() / 2 + 4) >> 8), static_cast<std::byte>(hex.size() / 2 + 4)}) + "00000001" + hex;
    CHECK_FALSE(decode_value(from_hex(hex)));
    std::string described(2 * 200, '0');
    CHECK_FALSE(decode_value(from_hex("e0 ca 01" + described + "40")));
}

TEST_CASE("announced counts and sizes cost nothing", "[1.2-i]") {
    for (const char* hex : {"d0 7fffffff 7fffffff", "d0 00000004 ffffffff", "d1 00000004 fffffffe", "f0 00000005 ffffffff 71",
                            "f0 00000005 7fffffff a1", "b0 ffffffff", "b1 7fffffff 41", "d0 00000006 7fffffff 4040",
                            "f0 00000009 3fffffff d0 00000000"}) {
        INFO(hex);
        const auto octets = from_hex(hex);
        const AllocationScope scope;
        Decoder from(octets);
        Value value;
        CHECK_FALSE(decode(from, value));
        CHECK(scope.count() <= 2);
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
