// Structs of an application on the wire: the example of docs/codec.md, word for word, and what else its tables can do.
#include <aprotic/codec/described_codec.hpp>
#include <aprotic/codec/json.hpp>

#include "printing.hpp"

#include <chrono>
#include <fstream>
#include <iterator>

// example: begin
struct Sensor {
    std::uint32_t id = 0;
    std::optional<std::string> place{};
    std::vector<double> samples{};
    bool calibrated = true;

    friend bool operator==(const Sensor&, const Sensor&) = default;
};

template <>
struct aprotic::codec::Table<Sensor> {
    static constexpr std::string_view name = "sensor";
    static constexpr std::uint64_t code = 0x0000'7a7a'0000'0001;  // domain-id of yours << 32 | id
    static constexpr auto fields =
        std::tuple{mandatory("id", &Sensor::id), field("place", &Sensor::place), field("samples", &Sensor::samples),
                   field("calibrated", &Sensor::calibrated, true)};
};

struct Report {
    aprotic::codec::Symbol station{};
    std::vector<Sensor> sensors{};

    friend bool operator==(const Report&, const Report&) = default;
};

template <>
struct aprotic::codec::Table<Report> {
    static constexpr std::string_view name = "report";
    static constexpr std::uint64_t code = 0x0000'7a7a'0000'0002;
    static constexpr auto fields =
        std::tuple{mandatory("station", &Report::station), mandatory("sensors", &Report::sensors)};
};

aprotic::codec::Bytes to_octets(const Report& report) {
    aprotic::codec::Encoder to;
    encode_composite(to, report);
    return to.take();
}

aprotic::codec::Result<Report> from_octets(std::span<const std::byte> octets) {
    aprotic::codec::Decoder from(octets);
    Report report;
    if (!decode_composite(from, report) || !from.expect_end()) return from.error();
    return report;
}
// example: end

using namespace aprotic::codec;
using namespace aprotic::test;

TEST_CASE("a user's composite has the wire form of its table", "[1.4-b][1.5-e][1.2.4-c]") {
    const Report report{
        .station = "roof",
        .sensors = {{.id = 1, .place = "north", .samples = {0.5, 1.5}}, {.id = 2, .calibrated = false}}};
    const Bytes octets = to_octets(report);
    CHECK(*from_octets(octets.span()) == report);
    // The array has one constructor, descriptor included, and both elements are lists without.
    CHECK(to_hex(octets.span()) ==
          to_hex(from_hex("00 80 00007a7a00000002 c0 47 02 a3 04 'roof'"
                          "e0 3e 02 00 80 00007a7a00000001 d0"
                          "00000021 00000003 52 01 a1 05 'north' e0 12 02 82 3fe0000000000000 3ff8000000000000"
                          "00000009 00000004 52 02 40 40 42")));
    for (std::size_t n = 0; n < octets.size(); ++n) CHECK_FALSE(from_octets(octets.span().first(n)));
}

TEST_CASE("arrays of composites are read with any constructor that fits", "[1.4-e][1.4-g][1.4-h][1.2.4-c]") {
    const auto sensors = [](std::string_view hex) {
        const auto field = from_hex(hex);
        auto octets = from_hex("00 80 00007a7a00000002 d0 00000000 00000002 a3 01 's'");
        octets.insert(octets.end(), field.begin(), field.end());
        store_be(octets.data() + 11, static_cast<std::uint32_t>(octets.size() - 15));
        return from_octets(octets);
    };
    const std::string sensor_descriptor = "00 80 00007a7a00000001";
    CHECK(sensors(sensor_descriptor + "c0 03 01 52 05")->sensors == std::vector<Sensor>{{.id = 5}});
    CHECK(sensors("e0 13 02" + sensor_descriptor + "c0 02 01 43 03 01 52 07")->sensors ==
          std::vector<Sensor>{{.id = 0}, {.id = 7}});
    // Elements of no octets: each is the empty list, whose mandatory field is missing.
    CHECK(sensors("e0 0c 02" + sensor_descriptor + "45").error() == Errc::missing_mandatory_field);
    CHECK(sensors("e0 04 02 52 01 02").error() == Errc::multiple_element_type);
    CHECK(sensors("e0 05 01 00 53 24 45").error() == Errc::wrong_archetype);
    CHECK(sensors("e0 06 01 00 a1 01 'x' 45").error() == Errc::multiple_element_type);
    CHECK(sensors("e0 16 01" + sensor_descriptor + sensor_descriptor + "45").error() == Errc::multiple_element_type);
    CHECK(sensors("c0 02 01 43").error() == Errc::multiple_as_list);
    CHECK(sensors("e0 02 00 45").error() == Errc::empty_mandatory_multiple);
    CHECK(sensors("40").error() == Errc::empty_mandatory_multiple);
    // Wide numbers and symbols where a table says otherwise are the wrong type, and told where they are.
    CHECK(sensors(sensor_descriptor + "c0 03 01 53 05").error() == Errc::wrong_type);
    CHECK(sensors(sensor_descriptor + "c0 07 02 52 05 a3 02 'xy'").error() == Errc::wrong_type);
    CHECK(sensors(sensor_descriptor + "c0 0f 03 52 05 40 82 3ff0000000000000 42 41").error() ==
          Errc::compound_size_mismatch);
    CHECK(sensors(sensor_descriptor + "c0 07 05 52 05 40 40 42 41").error() == Errc::too_many_fields);
    CHECK(sensors(sensor_descriptor + "c0 0d 03 52 05 40 82 3ff0000000000000")->sensors.front().samples ==
          std::vector<double>{1.0});
}

TEST_CASE("a user's composite is a value and JSON as well", "[1.5-d]") {
    const Sensor sensor{.id = 3, .place = "door"};
    const Result<Value> value = composite_to_value(sensor);
    REQUIRE(value);
    CHECK(to_json(*value) == R"({"$described":[{"$ulong":134664404598785},[{"$uint":3},"door"]]})");
    CHECK(*composite_from_value<Sensor>(*value) == sensor);
    CHECK(composite_from_value<Report>(*value).error() == Errc::unknown_descriptor);
    CHECK(composite_from_value<Sensor>(Value(1)).error() == Errc::bad_descriptor);
    CHECK(composite_from_value<Sensor>(Value(Array({1, "x"}))).error() == Errc::mixed_array);
    const Result<Value> read = decode_value(to_octets({.station = "s", .sensors = {sensor, sensor}}).span());
    REQUIRE(read);
    const auto& fields = read->as<Described>().value().as<List>();
    CHECK(fields[1].as<Array>().descriptors()[0] == Value(Table<Sensor>::code));
    CHECK(*from_octets(encode_value(*read).span()) == Report{.station = "s", .sensors = {sensor, sensor}});
}

namespace {

struct Everything {
    std::int8_t byte = 0;
    std::int16_t short_ = 0;
    float float_ = 0;
    char32_t char_ = U'\0';
    Decimal32 decimal32{};
    Decimal64 decimal64{};
    Decimal128 decimal128{};
    List list{};
    std::vector<std::string> strings{};
    std::vector<std::uint32_t> numbers{};
    std::optional<Sensor> sensor{};

    friend bool operator==(const Everything&, const Everything&) = default;
};

}  // namespace

template <>
struct aprotic::codec::Table<Everything> {
    static constexpr std::string_view name = "everything";
    static constexpr std::uint64_t code = 0x0000'7a7a'0000'0003;
    static constexpr auto fields = std::tuple{mandatory("byte", &Everything::byte),
                                              mandatory("short", &Everything::short_),
                                              mandatory("float", &Everything::float_),
                                              mandatory("char", &Everything::char_),
                                              mandatory("decimal32", &Everything::decimal32),
                                              mandatory("decimal64", &Everything::decimal64),
                                              mandatory("decimal128", &Everything::decimal128),
                                              mandatory("list", &Everything::list),
                                              field("strings", &Everything::strings),
                                              field("numbers", &Everything::numbers),
                                              field("sensor", &Everything::sensor)};
};

TEST_CASE("every primitive type can be a field of a user's struct", "[1.3-a]") {
    const Everything all{.byte = -1,
                         .short_ = -2,
                         .float_ = 1.5F,
                         .char_ = U'€',
                         .decimal32 = {{std::byte{1}}},
                         .decimal64 = {{std::byte{2}}},
                         .decimal128 = {{std::byte{3}}},
                         .list = {1, "two"},
                         .strings = {"a", std::string(300, 'b')},
                         .numbers = {0, 1, 0x8000'0000},
                         .sensor = Sensor{.id = 9}};
    Encoder to;
    encode_composite(to, all);
    REQUIRE(to.ok());
    Decoder from(to.written());
    Everything read{.byte = 5};
    CHECK(decode_composite(from, read));
    CHECK(read == all);
}

TEST_CASE("times come from and go to the clocks of the standard library", "[1.6.17-a]") {
    using namespace std::chrono;
    CHECK(Timestamp::from(system_clock::time_point(milliseconds(1311704463521))).ms == 1311704463521);
    CHECK(Timestamp::from(sys_time<seconds>(seconds(-2))).ms == -2000);
    CHECK(Timestamp::from(sys_time<nanoseconds>(nanoseconds(1'999'999))).ms == 1);
    CHECK(Timestamp::from(sys_days(year{2012} / October / 29)).ms == 1351468800000);
    CHECK(Timestamp{1311704463521}.to<system_clock>() == system_clock::time_point(milliseconds(1311704463521)));
}

TEST_CASE("the example on the codec's page is the one that is compiled here", "[docs]") {
    const auto read = [](const std::string& path) {
        std::ifstream file(path);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string page = read(APROTIC_TEST_DATA_DIR "/../../docs/codec.md");
    const std::string source = read(APROTIC_TEST_DATA_DIR "/user_types_test.cpp");
    const std::size_t start = page.find("```cpp\nstruct Sensor");
    REQUIRE(start != std::string::npos);
    const std::size_t end = page.find("```", start + 3);
    const std::string example = page.substr(start + 7, end - start - 7);
    CHECK(source.find("// example: begin\n" + example + "// example: end") != std::string::npos);
}
