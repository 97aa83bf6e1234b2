#include "printing.hpp"

#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/json.hpp>

#include <algorithm>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

std::string text_of(DumpAs as, std::span<const std::byte> octets) { return dump(as, octets).text; }

}  // namespace

TEST_CASE("values show their types where they are not obvious") {
    CHECK(to_string(Value()) == "null");
    CHECK(to_string(
              Value(List{true, 1, 1U, std::uint64_t{2}, "s", Symbol("y"), Binary("\x01z"), Timestamp{5}, U'A', 1.5})) ==
          R"([true, int:1, uint:1, ulong:2, "s", :y, b"\x01z", timestamp:5, char:U+0041, double:1.5])");
    CHECK(to_string(Value(Map{{"k", List{}}, {Symbol("m"), Map{}}})) == R"({"k"=[], :m={}})");
    CHECK(to_string(Value(Array({1, 2}))) == "int[int:1, int:2]");
    CHECK(to_string(Value(Array(Type::uint, {1U}, {Symbol("d")}))) == "@:d uint[uint:1]");
    CHECK(to_string(Value(Described(Symbol("x"), 1))) == "@:x int:1");
    CHECK(to_string(Value(*Uuid::parse("00112233-4455-6677-8899-aabbccddeeff"))) ==
          "uuid:00112233-4455-6677-8899-aabbccddeeff");
    CHECK(to_string(Value(std::string(500, 'x'))).ends_with("\"...(500 octets)"));
}

TEST_CASE("nothing a peer sends can break a line or move the cursor") {
    CHECK(to_string(Value("a\n\x1b[2J\"\\\xc3\xa9")) == "\"a\\x0a\\x1b[2J\\\"\\\\\xc3\xa9\"");
}

TEST_CASE("performatives show their fields by name") {
    CHECK(
        to_string(
            Performative(Attach{.name = "l",
                                .handle = 0,
                                .role = Role::sender,
                                .snd_settle_mode = SenderSettleMode::settled,
                                .source = Source{.address = "q", .durable = TerminusDurability::configuration}})) ==
        R"(attach{name="l" handle=0 role=sender snd-settle-mode=settled source=source{address="q" durable=configuration}})");
    CHECK(to_string(Performative(End{})) == "end");
    CHECK(to_string(Performative(Close{.error = ErrorCondition{.condition = "amqp:x", .description = "why"}})) ==
          R"(close{error=error{condition=:amqp:x description="why"}})");
    CHECK(to_string(DeliveryState(Accepted{})) == "accepted");
    CHECK(to_string(SaslFrame(SaslOutcome{.code = SaslCode::auth})) == "sasl-outcome{code=auth}");
}

TEST_CASE("a password is not shown") {
    const std::string text = to_string(SaslFrame(SaslInit{.mechanism = "PLAIN", .initial_response = Binary("secret")}));
    CHECK(text == "sasl-init{mechanism=:PLAIN initial-response=(6 octets)}");
    CHECK(to_string(SaslFrame(SaslResponse{.response = Binary("secret")})).find("secret") == std::string::npos);
}

TEST_CASE("a message shows section by section") {
    Message message{"hi"};
    message.header = Header{.durable = true};
    message.application_properties = {{"a", 1}};
    CHECK(to_string(message) == R"(header{durable=true} application-properties {"a"=int:1} amqp-value "hi")");
    CHECK(text_of(DumpAs::message, encode(message).octets().contiguous().span()) ==
          "00000000  header{durable=true}\n00000007  application-properties {\"a\"=int:1}\n00000012  amqp-value "
          "\"hi\"\n");
}

TEST_CASE("malformed input shows what was understood and where it ended", "[1.2-f]") {
    CHECK(text_of(DumpAs::value, from_hex("c0 07 03 41 54 05 56 02 40")) ==
          "00000000  [true, int:5, \n00000006  ! a boolean octet other than 0 and 1 [1.6.2-c]\n");
    CHECK(text_of(DumpAs::value, from_hex("40 3f")) ==
          "00000000  null\n00000001  ! format code with an extension type; none is assigned [1.2-d]\n");
    const std::string twice = text_of(DumpAs::value, from_hex("c1 09 04 a1 01 6b 40 a1 01 6b 40"));
    CHECK(twice.starts_with("00000000  {\"k\"=null, \"k\"=null}\n"));
    CHECK(twice.ends_with("  ! a map with two equal keys [1.6.23-b]\n"));
    const std::string frame =
        text_of(DumpAs::frames, from_hex("00000015 02 00 0000 00 53 16 c0 08 03 52 05 41 a1 02 c341"));
    CHECK(frame.find("channel 0 detach{handle=5 closed=true error=") != std::string::npos);
    CHECK(frame.find("00000011  ! a string that is not UTF-8 [1.6.20-b]") != std::string::npos);
    const std::string missing = text_of(DumpAs::frames, from_hex("0000000c 02 00 0000 00 53 10 45"));
    CHECK(missing.find("! a mandatory field is null or missing [1.3-c]") != std::string::npos);
    CHECK(text_of(DumpAs::frames, from_hex("00000007 02 00 0000")).find("! a frame size below 8 [2.3-b]") !=
          std::string::npos);
    CHECK(text_of(DumpAs::message, from_hex("00 53 77 40 00 53 70 45"))
              .find("00000004  ! message sections out of order [3.2-c]") != std::string::npos);
    // Where in a section the fault is.
    CHECK(text_of(DumpAs::message, from_hex("00 53 70 c0 04 02 41 50 04 00 53 70 c0 02 01 40 00 53 77 40"))
              .find("00000009  ! a message section twice [3.2-d]") != std::string::npos);
    CHECK(text_of(DumpAs::message, from_hex("00 53 70 c0 03 02 41 a1 00 00 53 77 40")).find("  ! ") !=
          std::string::npos);
    CHECK(text_of(DumpAs::message, from_hex("00 53 74 c1 05 02 a3 01 6b 40 00 53 77 40")).find("! ") !=
          std::string::npos);
}

TEST_CASE("whether all is well is said apart from the text") {
    const auto ok = [](DumpAs as, std::string_view hex) { return dump(as, from_hex(hex)).ok; };
    CHECK(ok(DumpAs::value, "40 41 43"));
    CHECK_FALSE(ok(DumpAs::value, "40 56 02"));
    CHECK_FALSE(ok(DumpAs::value, ""));
    CHECK_FALSE(ok(DumpAs::value, "c1 09 04 a1 01 6b 40 a1 01 6b 40"));
    CHECK(ok(DumpAs::message, "00 53 70 45 00 53 77 40"));
    CHECK_FALSE(ok(DumpAs::message, "00 53 77 40 00 53 70 45"));
    CHECK_FALSE(ok(DumpAs::message, "00 53 74 c1 05 02 a3 01 6b 40 00 53 77 40"));  // a symbol as key [3.2.5-a]
    CHECK_FALSE(ok(DumpAs::message, "00 53 70 c0 03 02 56 05 40 00 53 77 40"));
    CHECK(ok(DumpAs::frames, ""));
    CHECK(ok(DumpAs::frames, "41 4d 51 50 00 01 00 00 00000008 02000000"));
    CHECK_FALSE(ok(DumpAs::frames, "41 4d 51 50 00"));
    CHECK_FALSE(ok(DumpAs::frames, "00000008 020000"));
    CHECK_FALSE(ok(DumpAs::frames, "00000007 02000000"));
}

TEST_CASE("nesting without end ends in an error", "[1.2-h]") {
    std::vector<std::byte> sections, lists, arrays;
    for (int i = 0; i < 100'000; ++i) {
        for (const int octet : {0x00, 0x53, 0x77}) sections.push_back(static_cast<std::byte>(octet));
        for (const int octet : {0x00, 0x40}) arrays.push_back(static_cast<std::byte>(octet));
        for (const int octet : {0xd0, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01})
            lists.push_back(static_cast<std::byte>(octet));
    }
    for (const auto& octets : {sections, lists, arrays}) {
        for (const DumpForm form : {DumpForm::text, DumpForm::json}) {
            for (const DumpAs as : {DumpAs::value, DumpAs::message, DumpAs::frames}) {
                CHECK_FALSE(dump(as, octets, {.form = form}).ok);
            }
        }
    }
}

TEST_CASE("what octets are is guessed from their beginning") {
    CHECK(guess_dump(from_hex("41 4d 51 50 00 01 00 00")) == DumpAs::frames);
    CHECK(guess_dump(from_hex("41 4d 51")) == DumpAs::frames);
    CHECK(guess_dump(from_hex("00000008 02 00 0000")) == DumpAs::frames);
    CHECK(guess_dump(from_hex("00000015 02 00 0000 00 53 16 c0 08 03 52 05 41")) == DumpAs::frames);
    CHECK(guess_dump(from_hex("00 53 77 40")) == DumpAs::message);
    CHECK(guess_dump(from_hex("00 80 0000000000000070 45")) == DumpAs::message);
    CHECK(guess_dump(from_hex("41")) == DumpAs::value);
    CHECK(guess_dump(from_hex("00 53 10 45")) == DumpAs::value);
    CHECK(guess_dump(from_hex("c0 01 00")) == DumpAs::value);
}

namespace {

std::vector<std::byte> a_stream() {
    std::vector<std::byte> stream;
    const auto append = [&](std::span<const std::byte> octets) {
        stream.insert(stream.end(), octets.begin(), octets.end());
    };
    const Bytes message = encode(Message{"a message"}).octets().contiguous();
    append(ProtocolHeader(ProtocolId::sasl).serialise());
    append(encode_frame(0, SaslMechanisms{.sasl_server_mechanisms = {"ANONYMOUS"}}).span());
    append(ProtocolHeader(ProtocolId::amqp).serialise());
    append(encode_frame(0, Open{.container_id = "c"}).span());
    append(empty_frame());
    append(encode_frame(1, Transfer{.handle = 0, .delivery_id = 0}, message.span()).span());
    append(encode_frame(1, Transfer{.handle = 0, .delivery_id = 1, .more = true}, message.span().first(4)).span());
    append(encode_frame(1, Transfer{.handle = 0}, message.span().subspan(4)).span());
    return stream;
}

}  // namespace

TEST_CASE("a stream shows headers frames and the messages in them") {
    const std::vector<std::byte> stream = a_stream();
    const Dump shown = dump(DumpAs::frames, stream);
    INFO(shown.text);
    CHECK(shown.ok);
    CHECK(shown.frames == 6);
    for (const char* text :
         {"AMQP header id=3 version=1.0.0", "sasl sasl-mechanisms{sasl-server-mechanisms=symbol[:ANONYMOUS]}",
          "AMQP header id=0 version=1.0.0", "channel 0 open{container-id=\"c\"}", "empty frame", "payload=14",
          "  amqp-value \"a message\"", "message of 14 octets"}) {
        CHECK(shown.text.find(text) != std::string::npos);
    }
}

TEST_CASE("a stream that is cut or damaged is told from a whole one") {
    const std::vector<std::byte> stream = a_stream();
    std::vector<std::size_t> ends{0};
    for (std::size_t at = 0; at < stream.size();) {
        const auto rest = std::span(stream).subspan(at);
        at += ProtocolHeader::parse(rest) ? ProtocolHeader::size : FrameParser().next(rest).size;
        ends.push_back(at);
    }
    for (std::size_t cut = 0; cut < stream.size(); ++cut) {
        const Dump part = dump(DumpAs::frames, std::span(stream).first(cut));
        CHECK(part.ok == (std::count(ends.begin(), ends.end(), cut) == 1));
        CHECK((part.ok || part.text.find("! incomplete ") != std::string::npos));
        auto damaged = stream;
        damaged[cut] ^= std::byte{0x15};
        CHECK_FALSE(dump(DumpAs::frames, damaged).text.empty());
    }
}

TEST_CASE("a stream is shown the same however it is cut into pieces") {
    const std::vector<std::byte> stream = a_stream();
    const Dump whole = dump(DumpAs::frames, stream);
    for (const std::size_t piece : {1U, 3U, 7U, 50U}) {
        StreamDumper dumper;
        std::string text;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            text += dumper.feed(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
        }
        text += dumper.finish();
        CHECK(text == whole.text);
        CHECK(dumper.ok());
        CHECK(dumper.frames() == whole.frames);
    }
}

TEST_CASE("a stream with octets missing goes on at the next frame") {
    const std::vector<std::byte> stream = a_stream();
    const std::size_t open_at =
        2 * ProtocolHeader::size + encode_frame(0, SaslMechanisms{.sasl_server_mechanisms = {"ANONYMOUS"}}).size();
    StreamDumper dumper;
    std::string text = dumper.feed(std::span(stream).first(open_at + 4));
    text += dumper.skip(3);
    text += dumper.feed(std::span(stream).subspan(open_at + 7));
    text += dumper.finish();
    INFO(text);
    CHECK_FALSE(dumper.ok());
    CHECK(dumper.frames() == 5);
    CHECK(text.find("! incomplete frame: 4 of ") != std::string::npos);
    CHECK(text.find("! 3 octets are missing") != std::string::npos);
    CHECK(text.find("octets skipped in search of a frame") != std::string::npos);
    CHECK(text.find("amqp-value \"a message\"") != std::string::npos);
    // Into the middle of a stream, but to the start of a frame: nothing is lost.
    StreamDumper within;
    std::string rest = within.skip(0);
    rest += within.feed(std::span(stream).subspan(open_at));
    rest += within.finish();
    CHECK(within.ok());
    CHECK(rest.starts_with("00000000  channel 0 open"));
}

TEST_CASE("a dump as JSON is one object per line with the same content") {
    const auto json = [](DumpAs as, std::span<const std::byte> input) {
        return dump(as, input, {.form = DumpForm::json}).text;
    };
    const std::string stream = json(DumpAs::frames, a_stream());
    INFO(stream);
    CHECK(std::count(stream.begin(), stream.end(), '\n') == 11);
    for (const char* text :
         {R"({"offset":0,"kind":"header","id":3,"protocol":"sasl","version":"1.0.0"})", R"("type":"sasl","size":)",
          R"("performative":"sasl-mechanisms","fields":{"sasl-server-mechanisms":["ANONYMOUS"]}})",
          R"("channel":0,"size":)", R"("performative":"open","fields":{"container-id":"c"}})",
          R"("performative":"transfer","fields":{"handle":0,"delivery-id":0},"payload":14})",
          R"("kind":"section","in-frame":true,"section":"amqp-value","value":"a message"})",
          R"("kind":"delivery","octets":14})"}) {
        CHECK(stream.find(text) != std::string::npos);
    }
    CHECK(json(DumpAs::message, encode(Message::data("x")).octets().contiguous().span()).find(R"("section":"data")") !=
          std::string::npos);
    CHECK(json(DumpAs::value, from_hex("41")) == "{\"offset\":0,\"kind\":\"value\",\"value\":true}\n");

    const Attach attach{.name = "l",
                        .handle = 7,
                        .role = Role::receiver,
                        .source = Source{.address = "q"},
                        .target = Target{.address = "t"}};
    CHECK(
        json(DumpAs::frames, encode_frame(0, attach).span())
            .find(
                R"("fields":{"name":"l","handle":7,"role":"receiver","source":{"address":"q"},"target":{"target":{"address":"t"}}}})") !=
        std::string::npos);
    const SaslInit init{.mechanism = "PLAIN", .initial_response = Binary("secret")};
    CHECK(json(DumpAs::frames, encode_frame(0, init).span()).find(R"("initial-response":{"hidden-octets":6})") !=
          std::string::npos);
}

TEST_CASE("a dump as JSON of malformed input is well-formed and has what was understood") {
    const auto json = [](DumpAs as, std::string_view hex) {
        return dump(as, from_hex(hex), {.form = DumpForm::json}).text;
    };
    CHECK(
        json(DumpAs::value, "c0 07 03 41 54 05 56 02 40") ==
        "{\"offset\":0,\"kind\":\"value\",\"value\":null,\"understood\":\"[true, int:5, \"}\n"
        "{\"offset\":6,\"kind\":\"error\",\"error\":\"a boolean octet other than 0 and 1\",\"clause\":\"1.6.2-c\"}\n");
    const std::string frame = json(DumpAs::frames, "00000015 02 00 0000 00 53 16 c0 08 03 52 05 41 a1 02 c341");
    CHECK(frame.find(R"("performative":"detach","fields":{"handle":5,"closed":true},"understood":"detach{)") !=
          std::string::npos);
    CHECK(frame.find(R"("clause":"1.6.20-b")") != std::string::npos);
    // Whatever is damaged, each line is an object.
    const std::vector<std::byte> stream = a_stream();
    for (std::size_t i = 0; i < stream.size(); ++i) {
        auto damaged = stream;
        damaged[i] ^= std::byte{0x81};
        const std::string text = dump(DumpAs::frames, damaged, {.form = DumpForm::json}).text;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = text.find('\n', at);
            const auto line = parse_json(std::string_view(text).substr(at, end - at));
            INFO(text);
            REQUIRE(line);
            at = end + 1;
        }
    }
}

TEST_CASE("a frame for the log is one line") {
    const Bytes octets =
        encode_frame(4, Transfer{.handle = 1, .delivery_id = 2, .delivery_tag = DeliveryTag("t")}, as_bytes("body"));
    const auto step = FrameParser(512).next(octets.span());
    REQUIRE(step.status == FrameParser::Status::frame);
    CHECK(to_string(step.frame) == "channel 4 transfer{handle=1 delivery-id=2 delivery-tag=b\"t\"} payload=4");
}
