// Every illegal encoding with its own error, at the octet where it is.
#include "printing.hpp"

#include <aprotic/codec/value.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

struct Row {
    const char* hex;
    Errc error;
    std::size_t offset = 0;
};

void refuse(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        INFO(row.hex);
        const auto octets = from_hex(row.hex);
        Decoder from(octets);
        Value value;
        const bool sound = decode(from, value) && from.expect_end();
        CHECK_FALSE(sound);
        CHECK(from.error() == row.error);
        CHECK(from.error_offset() == row.offset);
        if (row.error == Errc::duplicate_key) continue;  // the one thing that only an owned map looks for
        Decoder checking(octets);
        checking.skip_checked();
        checking.expect_end();
        CHECK(checking.error() == row.error);
        CHECK(checking.error_offset() == row.offset);
    }
}

}  // namespace

TEST_CASE("format codes without a definition are refused", "[1.2-c][1.2-d]") {
    int assigned = 0;
    for (unsigned code = 1; code < 256; ++code) {
        std::vector<std::byte> octets(33);
        octets[0] = static_cast<std::byte>(code);
        Decoder from(octets);
        from.skip_checked();
        if (type_of_code(static_cast<std::uint8_t>(code))) {
            ++assigned;
            CHECK(from.error() != Errc::unknown_format_code);
            continue;
        }
        INFO(code);
        CHECK(from.error() == ((code & 0xfU) == 0xf ? Errc::reserved_ext_type : Errc::unknown_format_code));
        CHECK(from.error_offset() == 0);
        CHECK_FALSE(decode_value(octets));
    }
    CHECK(assigned == 39);
    refuse({{"4f 00", Errc::reserved_ext_type},
            {"5f 00 00", Errc::reserved_ext_type},
            {"ff 00", Errc::reserved_ext_type},
            {"c0 03 02 40 3f", Errc::reserved_ext_type, 4},
            {"00 53 10 57", Errc::unknown_format_code, 3}});
}

TEST_CASE("lengths that lead outside are refused", "[1.2.2-b][1.2.3-d]") {
    refuse({{"b0 ffffffff", Errc::length_out_of_bounds},
            {"b0 fffffffb 00", Errc::length_out_of_bounds},
            {"b1 7fffffff", Errc::length_out_of_bounds},
            {"a1 ff 41", Errc::length_out_of_bounds},
            {"d0 ffffffff 00000001 40", Errc::length_out_of_bounds},
            {"e0 ff 01 40", Errc::length_out_of_bounds},
            {"c0 04 01 a1 03 61 6262", Errc::length_out_of_bounds, 3},
            {"c1 05 02 40 a0 04 00 00000000", Errc::length_out_of_bounds, 4}});
}

TEST_CASE("sizes and counts of compounds must agree", "[1.2.3-b][1.2.3-c]") {
    refuse({{"c0 00", Errc::compound_size_too_small},
            {"d0 00000003 000000", Errc::compound_size_too_small},
            {"c0 03 01 4040", Errc::compound_size_mismatch, 4},
            {"c0 02 02 40", Errc::compound_size_mismatch},
            {"c0 03 01 40 41", Errc::compound_size_mismatch, 4},
            {"c0 04 03 a10040", Errc::compound_size_mismatch, 6},
            {"c0 01 01", Errc::compound_size_mismatch},
            {"d0 00000005 00000002 40", Errc::compound_size_mismatch}});
}

TEST_CASE("arrays need a constructor and exactly their elements", "[1.2.4-b][1.2.4-g]") {
    refuse({{"f0 00000004 00000000", Errc::array_without_constructor},
            {"e0 01 00", Errc::array_without_constructor},
            {"e0 04 01 50 07 08", Errc::array_size_mismatch},
            {"e0 03 02 50 07", Errc::array_size_mismatch},
            {"e0 04 00 50 07 08", Errc::array_size_mismatch},
            {"e0 05 01 a1 01 61 62", Errc::array_size_mismatch, 6},
            {"e0 04 01 00 5310", Errc::array_without_constructor},
            {"e0 02 01 3e", Errc::unknown_format_code, 3},
            {"e0 03 01 56 02", Errc::bad_boolean, 4}});
}

TEST_CASE("values outside their type are refused", "[1.6.2-c][1.6.16-b]") {
    refuse({{"56 02", Errc::bad_boolean},
            {"56 ff", Errc::bad_boolean},
            {"73 00110000", Errc::bad_char},
            {"73 0000d800", Errc::bad_char},
            {"73 0000dfff", Errc::bad_char},
            {"73 ffffffff", Errc::bad_char}});
}

TEST_CASE("strings that are not UTF-8 are refused", "[1.6.20-b]") {
    refuse({{"a1 01 80", Errc::bad_utf8},
            {"a1 02 c080", Errc::bad_utf8},
            {"a1 02 c1bf", Errc::bad_utf8},
            {"a1 03 e08080", Errc::bad_utf8},
            {"a1 03 eda080", Errc::bad_utf8},
            {"a1 04 f0808080", Errc::bad_utf8},
            {"a1 04 f4908080", Errc::bad_utf8},
            {"a1 04 f5808080", Errc::bad_utf8},
            {"a1 01 c3", Errc::bad_utf8},
            {"a1 02 e282", Errc::bad_utf8},
            {"a1 09 'abcdefgh' ff", Errc::bad_utf8},
            {"a1 02 c341", Errc::bad_utf8},
            {"c0 05 01 a1 02 c328", Errc::bad_utf8, 3}});
}

TEST_CASE("symbols that are not ASCII are refused", "[1.6.21-b]") {
    refuse({{"a3 01 e9", Errc::bad_symbol}, {"b3 00000001 80", Errc::bad_symbol}});
}

TEST_CASE("maps with half a pair or a key twice are refused", "[1.6.23-a][1.6.23-b]") {
    refuse({{"c1 02 01 40", Errc::odd_map},
            {"c1 04 03 404040", Errc::odd_map},
            {"d1 00000005 00000001 40", Errc::odd_map}});
    const auto twice = [](const char* hex) {
        INFO(hex);
        CHECK(decode_value(from_hex(hex)).error() == Errc::duplicate_key);
    };
    twice("c1 05 04 40404040");
    twice("c1 09 04 a1 01 61 41 a1 01 61 42");
    twice("c1 0c 04 a1 01 61 41 b1 00000001 61 42");
    twice("c1 0a 04 52 01 40 70 00000001 40");
}

TEST_CASE("a key that comes twice among many is found", "[1.6.23-b]") {
    Map map;
    for (int i = 0; i < 1000; ++i) map.append(i * 7919 % 1000, i);
    CHECK(decode_value(encode_value(map).span()));
    map.append(500, 0);
    CHECK(decode_value(encode_value(map).span()).error() == Errc::duplicate_key);
}

TEST_CASE("typed reads refuse another type and stay failed", "[1.3-a]") {
    const auto octets = from_hex("a1 01 'x' 43");
    Decoder from(octets);
    CHECK(from.read_uint() == 0);
    CHECK(from.error() == Errc::wrong_type);
    CHECK(from.read_string().empty());
    CHECK(from.error_offset() == 0);
    CHECK_FALSE(from.peek());
}

TEST_CASE("each error has a text a clause and a condition") {
    for (int e = static_cast<int>(Errc::incomplete); e <= static_cast<int>(Errc::mixed_array); ++e) {
        const std::error_code ec = make_error_code(static_cast<Errc>(e));
        CHECK(ec.message() != "unknown error");
        CHECK(condition_of(ec).substr(0, 5) == "amqp:");
    }
    CHECK(clause_of(Errc::bad_utf8) == "1.6.20-b");
    CHECK(condition_of(Errc::frame_doff_too_small) == "amqp:connection:framing-error");
    CHECK(condition_of(std::make_error_code(std::errc::broken_pipe)) == "amqp:internal-error");
}

TEST_CASE("UTF-8 is checked the same at every position and length", "[1.6.20-b]") {
    for (std::size_t before = 0; before < 20; ++before) {
        const std::string text(before, 'a');
        CHECK(is_utf8(as_bytes(text + "\xc3\xa9" + text)));
        CHECK_FALSE(is_utf8(as_bytes(text + "\xc3" + text)));
        CHECK_FALSE(is_utf8(as_bytes(text + "\xff" + text)));
    }
}
