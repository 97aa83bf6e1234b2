// Frames that pass by the thousand are read and written without allocating.
#include "printing.hpp"

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message_view.hpp>
#include <support/alloc_counter.hpp>

#include <memory>

using namespace aprotic::codec;
using namespace aprotic::test;

TEST_CASE("the counter counts") {
    const AllocationScope scope;
    CHECK(std::make_unique<int>(1));
    CHECK(scope.count() >= 1);
}

TEST_CASE("transfer flow and disposition are read and written without allocating") {
    const Transfer transfer{.handle = 1,
                            .delivery_id = 2,
                            .delivery_tag = DeliveryTag("0123456789abcdef0123456789abcdef"),
                            .message_format = 0,
                            .settled = false,
                            .state = Accepted{},
                            .batchable = true};
    const Flow flow{.next_incoming_id = 1,
                    .incoming_window = 2,
                    .next_outgoing_id = 3,
                    .outgoing_window = 4,
                    .handle = 5,
                    .delivery_count = 6,
                    .link_credit = 7};
    const Disposition disposition{
        .role = Role::receiver, .first = 1, .last = 1000, .settled = true, .state = Released{}};
    std::array<std::byte, 128> out{};
    const FrameParser parser(512);
    bool sound = true;
    const auto round = [&](const auto& performative) {
        const auto size = write_frame(out, 3, performative);
        sound = sound && size;
        const auto step = parser.next(std::span(out).first(*size));
        sound = sound && step.status == FrameParser::Status::frame;
        const auto read = step.frame.template as<std::remove_cvref_t<decltype(performative)>>();
        sound = sound && read && *read == performative;
    };
    const AllocationScope scope;
    for (int i = 0; i < 100; ++i) {
        round(transfer);
        round(flow);
        round(disposition);
    }
    const auto count = scope.count();
    CHECK(sound);
    CHECK(count == 0);
}

TEST_CASE("a message is looked at without allocating or copying") {
    Message message{"a body that is longer than any string is held in place"};
    message.ensure_properties().to = "an address that is longer than fits into a string";
    message.properties->correlation_id = "a correlation id of more than sixteen characters";
    message.application_properties["key"] = "value";
    const EncodedMessage encoded = encode(message);
    reset_copy_count();
    const AllocationScope scope;
    const MessageView view(encoded);
    const bool sound =
        view.to() && view.correlation_id() && view.body_text() && view.application_properties().find("key");
    const auto count = scope.count();
    CHECK(sound);
    CHECK(count == 0);
    CHECK(copy_count().bytes == 0);
}

namespace {

Message usual_message(Message message) {
    message.header = Header{.durable = true, .ttl = 60'000};
    message.properties = Properties{.message_id = "an id of more than sixteen characters",
                                    .user_id = Binary("guest"),
                                    .to = "an address that is longer than fits into a string",
                                    .subject = "subject",
                                    .reply_to = "reply-to",
                                    .correlation_id = std::uint64_t{7}};
    message.application_properties = {{"a", 1}, {"b", "two"}, {"c", true}, {"d", Value()}};
    return message;
}

}  // namespace

TEST_CASE("a message is encoded into a buffer that is used again without allocating") {
    for (const Message& message :
         {usual_message(Message{"a body that is longer than any string is held in place"}),
          usual_message(Message::data(std::string(1024, 'x'))), usual_message(Message::sequence({1, "two", List{}}))}) {
        Encoder to(4096);
        encode_into(to, message);
        const std::string first = to_hex(to.written());
        const AllocationScope scope;
        for (int i = 0; i < 100; ++i) {
            to.truncate(0);
            encode_into(to, message);
        }
        const auto count = scope.count();
        CHECK(to.ok());
        CHECK(count == 0);
        CHECK(to_hex(to.written()) == first);
        CHECK(first == to_hex(encode(message).octets().contiguous().span()));
        CHECK(*decode_message(to.written()) == message);
    }
}

TEST_CASE("a body of one mebibyte is never copied", "[3.2.6-a][3.2-a]") {
    constexpr std::size_t mebibyte = 1U << 20U;
    const Bytes body = Bytes::from_string(std::string(mebibyte, 'x'));
    const Message message = usual_message(Message::data(body));
    const AllocationScope scope;
    reset_copy_count();
    const EncodedMessage encoded = encode(message);
    const EncodedMessage forwarded = *encoded.with_header(Header{.delivery_count = 1});
    const EncodedMessage annotated = *forwarded.with_delivery_annotations({{Symbol("x-opt-hop"), 1}});
    const MessageView view(annotated);
    const bool found = view.to() && view.application_properties().find("a");
    const ByteChain octets = *view.body_data();
    const Message::Data sections = *view.data_sections();
    const Message read = *view.to_message();
    const bool checked = view.check().has_value();
    const auto asked = scope.octets();
    CHECK(found);
    CHECK(checked);
    CHECK(copy_count().bytes < 4096);
    CHECK(asked < 16'384);
    CHECK(octets.segments().front().data() == body.data());
    CHECK(sections.front().data() == body.data());
    CHECK(std::get<Message::Data>(read.body).front().data() == body.data());
    CHECK(view.body_text()->data() == body.text().data());
    // Received in frames: each section is put together once only when it is asked for as one.
    ByteChain frames;
    const Bytes whole = encoded.octets().contiguous();
    for (std::size_t at = 0; at < whole.size(); at += 65'536) frames.append(whole.slice(at, 65'536));
    reset_copy_count();
    const MessageView received(frames);
    CHECK(received.to());
    CHECK(received.body_data()->size() == mebibyte);
    CHECK(copy_count().bytes == 0);
}
