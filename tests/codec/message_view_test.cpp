#include "printing.hpp"

#include <aprotic/codec/message_view.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

MessageView view_of(std::string_view hex) { return MessageView(ByteChain(Bytes::copy_of(from_hex(hex)))); }

// One section of each kind, by its rank.
const std::vector<std::string> sections{"00 53 70 45",       "00 53 71 c1 01 00", "00 53 72 c1 01 00", "00 53 73 45",
                                        "00 53 74 c1 01 00", "00 53 77 41",       "00 53 78 c1 01 00"};

}  // namespace

TEST_CASE("sections in order are accepted with any of them missing", "[3.2-c][3.2.2-c][3.2.3-b]") {
    for (unsigned present = 0; present < 128; ++present) {
        std::string hex;
        for (std::size_t i = 0; i < 7; ++i) {
            if ((present >> i & 1U) != 0) hex += sections[i];
        }
        const MessageView view = view_of(hex);
        CHECK(view.ok());
        CHECK(view.has_body() == ((present >> 5U & 1U) != 0));
        CHECK(view.check());
        CHECK(view.to_message());
        CHECK(view.mutable_prefix() == (present & 1U) * 4 + (present >> 1U & 1U) * 6);
    }
}

TEST_CASE("sections out of order or twice are refused", "[3.2-c][3.2-d]") {
    for (std::size_t a = 0; a < 7; ++a) {
        for (std::size_t b = 0; b <= a; ++b) {
            const MessageView view = view_of(sections[a] + sections[b]);
            INFO(sections[a] << " before " << sections[b]);
            const Errc expected = a != b   ? Errc::section_out_of_order
                                  : a == 5 ? Errc::mixed_body
                                           : Errc::duplicate_section;
            CHECK(view.error() == expected);
            CHECK(view.error_offset() == from_hex(sections[a]).size());
        }
    }
    CHECK(view_of(sections[5] + sections[6] + sections[5]).error() == Errc::section_out_of_order);
    CHECK(view_of(sections[0] + sections[3] + sections[0]).error() == Errc::duplicate_section);
}

TEST_CASE("a body is of one kind", "[3.2-e]") {
    CHECK(view_of("00 53 75 a0 00 00 53 75 a0 00").body_kind() == MessageView::BodyKind::data);
    CHECK(view_of("00 53 76 45 00 53 76 45").body_kind() == MessageView::BodyKind::sequence);
    CHECK(view_of("00 53 75 a0 00 00 53 77 40").error() == Errc::mixed_body);
    CHECK(view_of("00 53 76 45 00 53 75 a0 00").error() == Errc::mixed_body);
    CHECK(view_of("00 53 77 40 00 53 77 40").error() == Errc::mixed_body);
    CHECK(view_of("").body_text().error() == Errc::missing_body);
}

TEST_CASE("what is not a section is refused", "[3.2-f][3.2-h][1.2-f]") {
    CHECK(view_of("00 53 79 41").error() == Errc::unknown_section);
    CHECK(view_of("00 53 6f 41").error() == Errc::unknown_section);
    CHECK(view_of("00 a3 03 'foo' 41").error() == Errc::unknown_section);
    CHECK(view_of("00 52 77 41").error() == Errc::unknown_section);
    CHECK(view_of("40").error() == Errc::unknown_section);
    CHECK(view_of("00 53 77 41 40").error() == Errc::unknown_section);
    CHECK(view_of("00 53 77").error() == Errc::truncated);
    CHECK(view_of("00 53").error() == Errc::truncated);
    CHECK(view_of("00 53 75 a0 05 41").error() == Errc::length_out_of_bounds);
    CHECK(view_of("00 53 75 b0 ffffffff 41").error() == Errc::length_out_of_bounds);
    CHECK(view_of("00 53 75 b0 ffff").error() == Errc::truncated);
    CHECK(view_of("00 53 77 3f").error() == Errc::reserved_ext_type);
    CHECK(view_of("00 53 75 a1 00").error() == Errc::wrong_section_type);
    CHECK(view_of("00 53 76 a0 00").error() == Errc::wrong_section_type);
    CHECK(view_of("00 53 70 c1 01 00").error() == Errc::wrong_section_type);
    CHECK(view_of("00 53 74 45").error() == Errc::wrong_section_type);
    CHECK(view_of("00 53 77 00 a3 01 'x' 45").ok());
    CHECK(view_of("00 53 77" + std::string(2 * 65, '0')).error() == Errc::nesting_too_deep);
}

TEST_CASE("descriptors of sections may be symbols and wide numbers", "[3.2-g]") {
    const MessageView view =
        view_of("00 a3 14 'amqp:properties:list' c0 08 03 40 40 a1 03 'abc' 00 80 0000000000000075 a0 01 'x'");
    CHECK(view.to() == "abc");
    CHECK(view.body_text().value() == "x");
}

TEST_CASE("a message is the same wherever the frames cut it", "[3.2-i]") {
    Message message = Message::data(std::string(40, 'd'));
    std::get<Message::Data>(message.body).push_back(Bytes::copy_of("more"));
    message.header = Header{.priority = 9};
    message.properties = Properties{.message_id = *Uuid::parse("00112233-4455-6677-8899-aabbccddeeff"),
                                    .user_id = Binary("me"),
                                    .to = "t",
                                    .subject = "s",
                                    .reply_to = "r",
                                    .correlation_id = "c",
                                    .content_type = "text/plain",
                                    .content_encoding = "x",
                                    .absolute_expiry_time = Timestamp{9},
                                    .creation_time = Timestamp{8},
                                    .group_id = "g",
                                    .group_sequence = 4,
                                    .reply_to_group_id = "rg"};
    message.application_properties = {{"key", "value"}};
    message.message_annotations = {{Symbol("x-opt-a"), 1}};
    const Bytes whole = encode(message).octets().contiguous();
    const auto check = [&](const ByteChain& chain) {
        MessageView located(chain);
        const MessageView view = std::move(located);
        REQUIRE(view.ok());
        CHECK(view.header().priority == 9);
        CHECK(std::get<Uuid>(*view.message_id()).octets[1] == std::byte{0x11});
        CHECK(as_text(*view.user_id()) == "me");
        CHECK(view.to() == "t");
        CHECK(view.subject() == "s");
        CHECK(view.reply_to() == "r");
        CHECK(std::get<std::string_view>(*view.correlation_id()) == "c");
        CHECK(view.content_type() == "text/plain");
        CHECK(view.content_encoding() == "x");
        CHECK(view.absolute_expiry_time() == Timestamp{9});
        CHECK(view.creation_time() == Timestamp{8});
        CHECK(view.group_id() == "g");
        CHECK(view.group_sequence() == 4U);
        CHECK(view.reply_to_group_id() == "rg");
        CHECK(view.application_properties().find("key")->string() == "value");
        CHECK(view.message_annotations().find("x-opt-a")->integer() == 1);
        CHECK(view.delivery_annotations().size() == 0);
        CHECK(view.footer().size() == 0);
        CHECK(*view.body_text() == std::string(40, 'd') + "more");
        CHECK(view.body_data()->size() == 44);
        CHECK(view.data_sections()->size() == 2);
        CHECK(view.check());
        CHECK(*view.to_message() == message);
    };
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        ByteChain chain(whole.slice(0, cut));
        chain.append(whole.slice(cut));
        check(chain);
    }
    ByteChain single_octets;
    for (std::size_t i = 0; i < whole.size(); ++i) single_octets.append(whole.slice(i, 1));
    check(single_octets);
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        const MessageView view(ByteChain(whole.slice(0, cut)));
        static_cast<void>(view.check());
        static_cast<void>(view.to_message());
    }
}

TEST_CASE("a body is asked for as what it is", "[3.2.6-c]") {
    const auto view = [](const Message& message) { return MessageView(encode(message)); };
    CHECK(view(Message{"text"}).body<std::string_view>() == "text");
    CHECK(view(Message{"text"}).body<std::string>() == "text");
    CHECK(view(Message{Value(Binary("bin"))}).body<std::string>() == "bin");
    CHECK(view(Message::data("data")).body<std::string_view>() == "data");
    CHECK(view(Message::data("data")).body<ByteChain>().to_string() == "data");
    CHECK(view(Message::data("")).body<std::string_view>() == "");
    CHECK(view(Message{Value(42)}).body<int>() == 42);
    CHECK(view(Message{Map{{"k", 1}}}).body<Map>().at("k") == Value(1));
    CHECK(view(Message{Value(Symbol("s"))}).body<Value>() == Value(Symbol("s")));
    CHECK_THROWS_AS(view(Message{Value(42)}).body<std::string_view>(), std::system_error);
    CHECK_THROWS_AS(view(Message{Value(42)}).body<std::string>(), std::system_error);
    CHECK_THROWS_AS(view(Message{"x"}).body<int>(), std::system_error);
    CHECK_THROWS_AS(view(Message::data("x")).body<Value>(), std::system_error);
    CHECK_THROWS_AS(view(Message::sequence({1})).body<ByteChain>(), std::system_error);
    CHECK(view(Message{Value(42)}).body_data().error() == Errc::body_type_mismatch);
    CHECK(view(Message::sequence({1, 2})).sequences()->front().size() == 2);
    CHECK(view(Message{"x"}).sequences().error() == Errc::body_type_mismatch);
    CHECK(view(Message{"x"}).data_sections().error() == Errc::body_type_mismatch);
    CHECK(view(Message{"x"}).raw_body_value().string() == "x");
    CHECK_FALSE(view(Message::data("x")).raw_body_value().type());
}

TEST_CASE("missing sections have their defaults", "[3.2.1-a]") {
    const MessageView view = view_of("00 53 77 40");
    CHECK(view.header() == Header{.durable = false, .priority = 4, .first_acquirer = false, .delivery_count = 0});
    CHECK(*view.properties() == Properties{});
    CHECK_FALSE(view.to());
    CHECK_FALSE(view.has_header());
}

TEST_CASE("malformed content is found when it is asked for", "[3.2.4-b][3.2.4-c][3.2.4-d]") {
    const MessageView symbol_id = view_of("00 53 73 c0 04 01 a3 01 'x' 00 53 77 40");
    CHECK(symbol_id.ok());
    CHECK_FALSE(symbol_id.message_id());
    CHECK(symbol_id.properties().error() == Errc::wrong_type);
    CHECK(symbol_id.check().error() == Errc::wrong_type);
    const MessageView bad_text = view_of("00 53 77 a1 01 ff");
    CHECK(bad_text.body_text().error() == Errc::body_type_mismatch);
    CHECK(bad_text.body_value().error() == Errc::bad_utf8);
    CHECK(bad_text.check().error() == Errc::bad_utf8);
    CHECK(view_of("00 53 76 c0 03 01 a1 05").check().error() == Errc::length_out_of_bounds);
    CHECK(view_of("00 53 70 c0 03 01 50 01").header() == Header{});
}

TEST_CASE("application properties that are not simple are seen but not approved", "[3.2.5-b][3.2.5-c]") {
    for (const char* value : {"45", "c0 01 00", "c1 01 00", "e0 02 00 40", "00 53 24 45"}) {
        INFO(value);
        const std::string hex =
            "c1 " + to_hex(std::array{static_cast<std::byte>(4 + from_hex(value).size())}) + " 02 a1 01 'k'" + value;
        const MessageView view = view_of("00 53 74 " + hex + "00 53 77 40");
        CHECK(view.ok());
        CHECK(view.application_properties().find("k"));
        CHECK(view.check());
        CHECK(view.check(MessageView::Strictness::strict).error() == Errc::compound_property);
        CHECK(view.to_message());
    }
    CHECK(clause_of(Errc::compound_property) == "3.2.5-b");
    CHECK(view_of("00 53 74 c1 05 02 a1 01 'k' 40 00 53 77 40").check(MessageView::Strictness::strict));
    CHECK(view_of("00 53 77 40").check(MessageView::Strictness::strict));
}

TEST_CASE("annotations go with the message unless they are for the next hop", "[3.2-a][3.2.2-a][3.2.3-a][3.2.9-a]") {
    Message message{"body"};
    message.delivery_annotations = {{Symbol("x-opt-hop"), 1}};
    message.message_annotations = {{Symbol("x-opt-kept"), List{1, Map{{"nested", true}}}},
                                   {Symbol("x-opt-too"), Symbol("s")}};
    message.footer = {{Symbol("x-opt-hash"), Binary("digest")}};
    const EncodedMessage forwarded = *encode(message).with_delivery_annotations({});
    const Message read = *decode_message(forwarded.octets());
    CHECK(read.delivery_annotations.empty());
    CHECK(read.message_annotations == message.message_annotations);
    CHECK(read.footer == message.footer);
    CHECK(read.body == message.body);
}

TEST_CASE("each type is a body", "[3.2.6-c][3.2.16-a]") {
    for (const Value& value : {Value(),
                               Value(true),
                               Value(std::uint8_t{1}),
                               Value(std::uint16_t{2}),
                               Value(3U),
                               Value(4UL),
                               Value(std::int8_t{-1}),
                               Value(std::int16_t{-2}),
                               Value(-3),
                               Value(-4L),
                               Value(1.5F),
                               Value(2.5),
                               Value(Decimal32{}),
                               Value(Decimal64{}),
                               Value(Decimal128{}),
                               Value(U'c'),
                               Value(Timestamp{5}),
                               Value(Uuid{}),
                               Value(Binary("b")),
                               Value("s"),
                               Value(Symbol("y")),
                               Value(List{1}),
                               Value(Map{{1, 2}}),
                               Value(Array({1, 2})),
                               Value(Described(7U, List{}))}) {
        const EncodedMessage encoded = encode(Message{value});
        CHECK(encoded.message_format() == 0);
        CHECK(MessageView(encoded).body<Value>() == value);
        CHECK(MessageView(encoded).raw_body_value().type() == value.type());
    }
}

TEST_CASE("every priority is legal", "[3.2.1-d]") {
    for (unsigned priority = 0; priority < 256; ++priority) {
        Message message{"x"};
        message.header = Header{.priority = static_cast<std::uint8_t>(priority)};
        CHECK(MessageView(encode(message)).header().priority == priority);
    }
}

TEST_CASE("properties go through a hop as they were and nothing is put in for the sender",
          "[3.2.4-a][3.2.4-e][3.2-b]") {
    // All thirteen, widely encoded.
    const auto bare = from_hex(
        "00 80 0000000000000073 d0 00000073 0000000d 98 00112233445566778899aabbccddeeff b0 00000002 'me' b1 00000001 "
        "'t' b1 00000001 's'"
        "b1 00000001 'r' 80 0000000000000007 b3 0000000a 'text/plain' b3 00000004 'gzip' 83 0000000000000009 83 "
        "0000000000000008"
        "b1 00000001 'g' 70 00000004 b1 00000002 'rg' 00 53 75 b0 00000001 'x'");
    const EncodedMessage received(ByteChain(Bytes::copy_of(bare)));
    REQUIRE(MessageView(received).check());
    const EncodedMessage forwarded =
        *(*received.with_header(Header{.delivery_count = 2})).with_delivery_annotations({{Symbol("x-opt-hop"), 1}});
    const Bytes octets = forwarded.octets().contiguous();
    CHECK(to_hex(octets.slice(octets.size() - bare.size()).span()) == to_hex(bare));
    CHECK(*MessageView(forwarded).properties() == *MessageView(received).properties());
    for (const Message& message : {Message{"text"}, Message::data("octets"), Message::sequence({1})}) {
        const MessageView view(encode(message));
        CHECK(*view.properties() == Properties{});
        CHECK(view.octets().size() == view.mutable_prefix() + encode(message).size());
    }
}

TEST_CASE("annotations that nobody knows change nothing else", "[3.2.10-a]") {
    Message message{"body"};
    message.delivery_annotations = message.message_annotations =
        message.footer = {{Symbol("x-opt-9f3a"), List{1, Map{{"k", Value()}}}}};
    const MessageView view(encode(message));
    CHECK(view.check(MessageView::Strictness::strict));
    CHECK(view.body_text().value() == "body");
    CHECK(*view.to_message() == message);
}
