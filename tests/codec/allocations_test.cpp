// Frames that pass by the thousand are read and written without allocating.
#include "printing.hpp"

#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message_view.hpp>
#include <support/alloc_counter.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;

TEST_CASE("the counter counts") {
    const AllocationScope scope;
    CHECK(std::make_unique<int>(1));
    CHECK(scope.count() >= 1);
}

TEST_CASE("transfer flow and disposition are read and written without allocating") {
    const Transfer transfer{.handle = 1, .delivery_id = 2, .delivery_tag = DeliveryTag("0123456789abcdef0123456789abcdef"),
                            .message_format = 0, .settled = false, .state = Accepted{}, .batchable = true};
    const Flow flow{.next_incoming_id = 1, .incoming_window = 2, .next_outgoing_id = 3, .outgoing_window = 4, .handle = 5,
                    .delivery_count = 6, .link_credit = 7};
    const Disposition disposition{.role = Role::receiver, .first = 1, .last = 1000, .settled = true, .state = Released{}};
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
    const bool sound = view.to() && view.correlation_id() && view.body_text() && view.application_properties().find("key");
    const auto count = scope.count();
    CHECK(sound);
    CHECK(count == 0);
    CHECK(copy_count().bytes == 0);
}
