#include "printing.hpp"

#include <aprotic/codec/message.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

std::string hex_of_message(const Message& message) { return to_hex(encode(message).octets().contiguous().span()); }

Message full_message() {
    Message message{Map{{"answer", 42}}};
    message.header = Header{.durable = true, .ttl = 1000};
    message.delivery_annotations = {{Symbol("x-opt-d"), 1}};
    message.message_annotations = {{Symbol("x-opt-m"), "m"}};
    message.properties = Properties{.message_id = "id", .to = "queue", .creation_time = Timestamp{5}};
    message.application_properties = {{"a", "b"}, {"n", Value()}};
    message.footer = {{Symbol("x-opt-f"), true}};
    return message;
}

}  // namespace

TEST_CASE("sections are written in the order of the specification",
          "[3.2-c][3.2.1][3.2.2][3.2.3][3.2.4][3.2.5][3.2.8][3.2.9]") {
    CHECK(hex_of_message(full_message()) ==
          to_hex(from_hex("00 53 70 c0 08 03 41 40 70 000003e8"
                          "00 53 71 c1 0c 02 a3 07 'x-opt-d' 54 01"
                          "00 53 72 c1 0d 02 a3 07 'x-opt-m' a1 01 'm'"
                          "00 53 73 c0 1c 0a a1 02 'id' 40 a1 05 'queue' 40 40 40 40 40 40 83 0000000000000005"
                          "00 53 74 c1 0b 04 a1 01 'a' a1 01 'b' a1 01 'n' 40"
                          "00 53 77 c1 0b 02 a1 06 'answer' 54 2a"
                          "00 53 78 c1 0b 02 a3 07 'x-opt-f' 41")));
}

TEST_CASE("every kind of body", "[3.2.6][3.2.7][3.2.8][3.2.6-a][3.2.6-b][3.2.6-c]") {
    CHECK(hex_of_message(Message{"text"}) == to_hex(from_hex("00 53 77 a1 04 'text'")));
    CHECK(hex_of_message(Message{Value()}) == to_hex(from_hex("00 53 77 40")));
    CHECK(hex_of_message(Message::data("abc")) == to_hex(from_hex("00 53 75 a0 03 'abc'")));
    CHECK(hex_of_message(Message::sequence({1, 2})) == to_hex(from_hex("00 53 76 c0 05 02 54 01 54 02")));
    CHECK(hex_of_message(Message()) == "");
    Message two;
    two.body = Message::Data{Bytes::copy_of("a"), Bytes::copy_of("b")};
    CHECK(hex_of_message(two) == to_hex(from_hex("00 53 75 a0 01 'a' 00 53 75 a0 01 'b'")));
    Message none;
    none.body = Message::Data{};
    CHECK(hex_of_message(none) == to_hex(from_hex("00 53 75 a0 00")));
}

TEST_CASE("a message comes back as it was", "[3.2]") {
    Message sequences;
    sequences.body = Message::Sequences{{1, "x"}, {}, {Value()}};
    Message data = full_message();
    data.body = Message::Data{Bytes::copy_of(std::string(1000, 'x')), Bytes(), Bytes::copy_of("y")};
    for (const Message& message : {full_message(), sequences, data, Message{"text"}, Message()}) {
        const EncodedMessage encoded = encode(message);
        const Result<Message> read = decode_message(encoded.octets());
        REQUIRE(read);
        CHECK(*read == message);
        CHECK(*decode_message(encoded.octets().contiguous().span()) == message);
    }
}

TEST_CASE("large data are in the encoded message by reference", "[3.2.6-a]") {
    const Bytes payload = Bytes::from_string(std::string(100'000, 'x'));
    Message message = full_message();
    message.body = Message::Data{payload, Bytes::copy_of("small"), payload};
    reset_copy_count();
    const EncodedMessage encoded = encode(message);
    CHECK(copy_count().bytes < 1000);
    CHECK(encoded.segments().size() == 5);
    CHECK(encoded.segments()[1].data() == payload.data());
    CHECK(encoded.segments()[3].data() == payload.data());
    CHECK(*decode_message(encoded.octets()) == message);
}

TEST_CASE("the header is replaced without touching the bare message", "[3.2-a][3.2-b]") {
    // Wide and symbolic encodings, as nobody here would write them.
    const auto bare = from_hex(
        "00 80 0000000000000073 d0 00000009 00000001 b1 00000000"
        "00 a3 11 'amqp:amqp-value:*' 70 00000001");
    for (const char* prefix :
         {"", "00 53 70 45", "00 53 71 c1 01 00", "00 a3 10 'amqp:header:list' c0 02 01 41 00 53 71 c1 01 00"}) {
        auto octets = from_hex(prefix);
        octets.insert(octets.end(), bare.begin(), bare.end());
        for (const std::size_t cut : {std::size_t{0}, octets.size() / 3, octets.size() - 2}) {
            const Bytes whole = Bytes::copy_of(octets);
            ByteChain chain(whole.slice(0, cut));
            chain.append(whole.slice(cut));
            const EncodedMessage message(chain);
            const auto changed = message.with_header(Header{.delivery_count = 3});
            REQUIRE(changed);
            const std::string hex = to_hex(changed->octets().contiguous().span());
            const bool annotated = std::string_view(prefix).find("53 71") != std::string_view::npos;
            CHECK(hex ==
                  "005370c0070540404040"
                  "5203" +
                      std::string(annotated ? "005371c10100" : "") + to_hex(bare));
            const auto plain = message.with_delivery_annotations({});
            CHECK(plain->octets().slice(plain->size() - bare.size()) == ByteChain(Bytes::copy_of(bare)));
            const auto noted = changed->with_delivery_annotations({{Symbol("k"), 1}});
            CHECK(to_hex(noted->octets().contiguous().span()) ==
                  "005370c00705404040405203"
                  "005371c10602a3016b5401" +
                      to_hex(bare));
        }
    }
    CHECK_FALSE(EncodedMessage(ByteChain(Bytes::copy_of("garbage"))).with_header({}));
    CHECK(encode(Message{"x"}).with_header({})->size() == 4 + encode(Message{"x"}).size());
}

TEST_CASE("keys of annotations and application properties are of the right type", "[3.2.5-a][3.2.10-c]") {
    CHECK(decode_message(from_hex("00 53 72 c1 05 02 a1 01 'k' 41")).error() == Errc::wrong_key_type);
    CHECK(decode_message(from_hex("00 53 72 c1 04 02 53 01 41")));
    CHECK(decode_message(from_hex("00 53 74 c1 05 02 a3 01 'k' 41")).error() == Errc::wrong_key_type);
    CHECK(decode_message(from_hex("00 53 74 c1 03 02 40 41")).error() == Errc::wrong_key_type);
}

TEST_CASE("what has no wire form is an error of the caller") {
    Message message{Value(Array({1, "x"}))};
    CHECK(try_encode(message).error() == Errc::mixed_array);
}
