#include "printing.hpp"

#include <aprotic/codec/dump.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

TEST_CASE("values show their types where they are not obvious") {
    CHECK(to_string(Value()) == "null");
    CHECK(to_string(Value(List{true, 1, 1U, std::uint64_t{2}, "s", Symbol("y"), Binary("\x01z"), Timestamp{5}, U'A', 1.5})) ==
          R"([true, int:1, uint:1, ulong:2, "s", :y, b"\x01z", timestamp:5, char:U+0041, double:1.5])");
    CHECK(to_string(Value(Map{{"k", List{}}, {Symbol("m"), Map{}}})) == R"({"k"=[], :m={}})");
    CHECK(to_string(Value(Array({1, 2}))) == "int[int:1, int:2]");
    CHECK(to_string(Value(Array(Type::uint, {1U}, {Symbol("d")}))) == "@:d uint[uint:1]");
    CHECK(to_string(Value(Described(Symbol("x"), 1))) == "@:x int:1");
    CHECK(to_string(Value(*Uuid::parse("00112233-4455-6677-8899-aabbccddeeff"))) == "uuid:00112233-4455-6677-8899-aabbccddeeff");
    CHECK(to_string(Value(std::string(500, 'x'))).ends_with("\"...(500 octets)"));
}

TEST_CASE("nothing a peer sends can break a line or move the cursor") {
    CHECK(to_string(Value("a\n\x1b[2J\"\\\xc3\xa9")) == "\"a\\x0a\\x1b[2J\\\"\\\\\xc3\xa9\"");
}

TEST_CASE("performatives show their fields by name") {
    CHECK(to_string(Performative(Attach{.name = "l", .handle = 0, .role = Role::sender, .snd_settle_mode = SenderSettleMode::settled,
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
    CHECK(dump_message(encode(message).octets().contiguous().span()) ==
          "00000000  header{durable=true}\n00000007  application-properties {\"a\"=int:1}\n00000012  amqp-value \"hi\"\n");
}

TEST_CASE("malformed input shows what was understood and where it ended") {
    CHECK(dump_value(from_hex("c0 07 03 41 54 05 56 02 40")) ==
          "00000000  [true, int:5, false\n00000006  ! a boolean octet other than 0 and 1 [1.6.2-c]\n");
    CHECK(dump_value(from_hex("40 3f")) == "00000000  null\n00000001  \n00000001  ! format code with an extension type; none is assigned [1.2-d]\n");
    const std::string frame = dump_frame(from_hex("00000015 02 00 0000 00 53 16 c0 08 03 52 05 41 a1 02 c341"));
    CHECK(frame.find("channel 0 detach{handle=5 closed=true error=") != std::string::npos);
    CHECK(frame.find("00000011  ! a string that is not UTF-8 [1.6.20-b]") != std::string::npos);
    const std::string missing = dump_frame(from_hex("0000000c 02 00 0000 00 53 10 45"));
    CHECK(missing.find("! a mandatory field is null or missing [1.3-c]") != std::string::npos);
    CHECK(dump_frame(from_hex("00000007 02 00 0000")).find("! a frame size below 8 [2.3-b]") != std::string::npos);
    CHECK(dump_message(from_hex("00 53 77 40 00 53 70 45")).find("00000004  ! message sections out of order [3.2-c]") != std::string::npos);
}

TEST_CASE("a stream shows headers frames and the messages in them") {
    std::vector<std::byte> stream;
    const auto append = [&](std::span<const std::byte> octets) { stream.insert(stream.end(), octets.begin(), octets.end()); };
    const Bytes message = encode(Message{"a message"}).octets().contiguous();
    append(ProtocolHeader(ProtocolId::sasl).serialise());
    append(encode_frame(0, SaslMechanisms{.sasl_server_mechanisms = {"ANONYMOUS"}}).span());
    append(ProtocolHeader(ProtocolId::amqp).serialise());
    append(encode_frame(0, Open{.container_id = "c"}).span());
    append(empty_frame());
    append(encode_frame(1, Transfer{.handle = 0, .delivery_id = 0}, message.span()).span());
    append(encode_frame(1, Transfer{.handle = 0, .delivery_id = 1, .more = true}, message.span().first(4)).span());
    append(encode_frame(1, Transfer{.handle = 0}, message.span().subspan(4)).span());
    const StreamDump dump = dump_stream(stream);
    INFO(dump.text);
    CHECK(dump.ok);
    CHECK(dump.frames == 6);
    CHECK(dump.left == 0);
    for (const char* text : {"AMQP header id=3 version=1.0.0", "sasl sasl-mechanisms{sasl-server-mechanisms=symbol[:ANONYMOUS]}",
                             "AMQP header id=0 version=1.0.0", "channel 0 open{container-id=\"c\"}", "empty frame", "payload=14",
                             "  amqp-value \"a message\"", "message of 14 octets"}) {
        CHECK(dump.text.find(text) != std::string::npos);
    }
    // Whatever is missing or damaged: an answer, and no crash.
    for (std::size_t cut = 0; cut < stream.size(); ++cut) {
        const StreamDump part = dump_stream(std::span(stream).first(cut));
        CHECK(part.ok);
        auto damaged = stream;
        damaged[cut] ^= std::byte{0x15};
        CHECK_FALSE(dump_stream(damaged).text.empty());
    }
}

TEST_CASE("a frame for the log is one line") {
    const Bytes octets = encode_frame(4, Transfer{.handle = 1, .delivery_id = 2, .delivery_tag = DeliveryTag("t")}, as_bytes("body"));
    const auto step = FrameParser(512).next(octets.span());
    REQUIRE(step.status == FrameParser::Status::frame);
    CHECK(to_string(step.frame) == "channel 4 transfer{handle=1 delivery-id=2 delivery-tag=b\"t\"} payload=4");
}
