#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

/// The fields of transfer. [2.7.5]
namespace aprotic::conform {
namespace {

using namespace codec::condition;

/// Transfers that break one rule; what a peer may make of it is an error in the link's scope or above.
Case bad_transfers(const std::string& id, std::string rule, std::string sends,
                   std::function<void(Context&, Line&)> transfers, bool ignoring_is_lenient = true) {
    const std::string tail = ignoring_is_lenient ? "; taking it is not strict" : "";
    return {.id = id,
            .rule = std::move(rule),
            .sends = std::move(sends),
            .accepts = "detach, end or close with an error" + tail,
            .negative = true,
            .needs = {"queue"},
            .run = [transfers = std::move(transfers), ignoring_is_lenient](Context& t) {
                Line& line = t.sending(t.queue());
                transfers(t, line);
                Reactions reactions = refuses();
                if (ignoring_is_lenient) reactions.push_back(ignores().lenient());
                line.accept_one_of(reactions);
            }};
}

peer::TransferFrame part(std::string_view payload, bool more) { return peer::transfer(0).payload(payload).more(more); }

/// A delivery of two frames, the second of which `change` makes repeat, leave out or contradict something.
Case continued(const std::string& id, std::string what, std::function<void(peer::TransferFrame&)> change) {
    return {.id = id,
            .rule =
                "Frames behind a delivery's first may repeat delivery-id, delivery-tag and message-format or leave "
                "them out.",
            .sends = "a message in two frames, of which the second " + what,
            .accepts = "the delivery is accepted",
            .needs = {"queue", "multiple-frames"},
            .run = [change = std::move(change)](Context& t) {
                Line& line = t.sending(t.queue());
                const codec::Bytes message = Context::message("in two parts");
                auto second = part(message.text().substr(5), false);
                change(second);
                line.send(peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(0).more().payload(
                              message.text().substr(0, 5)),
                          second);
                expect_accepted(line, 0, "both frames are in order");
            }};
}
}  // namespace

Cases transfers() {
    const std::string first = "The first frame of a delivery has a delivery-id and a delivery-tag.";
    const std::string same = "Later frames of a delivery do not contradict its first.";
    const auto two_frames = [](std::function<void(peer::TransferFrame&)> change) {
        return [change = std::move(change)](Context&, Line& line) {
            const codec::Bytes message = Context::message("in two parts");
            auto second = part(message.text().substr(5), false);
            change(second);
            line.send(peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(0).more().payload(
                          message.text().substr(0, 5)),
                      second);
        };
    };
    const auto one_frame = [](std::function<void(peer::TransferFrame&)> change) {
        return [change = std::move(change)](Context&, Line& line) {
            auto frame = Context::delivery(line);
            change(frame);
            line.send(frame);
        };
    };
    Cases cases = {
        bad_transfers("2.7.5-b/no-delivery-id", first, "a transfer without delivery-id",
                      one_frame([](peer::TransferFrame& frame) { frame.performative.delivery_id.reset(); })),
        bad_transfers("2.7.5-b/no-delivery-tag", first, "a transfer without delivery-tag",
                      one_frame([](peer::TransferFrame& frame) { frame.performative.delivery_tag.reset(); })),
        bad_transfers(
            "2.7.5-g/33-octets", "A delivery-tag has at most 32 octets.", "a transfer with a tag of 33 octets",
            [](Context&, Line& line) {
                const auto frame = Context::delivery(line);
                auto fields = wire::fields_of(frame.performative);
                fields[2].octets = wire::hex("a0 21") + std::string(33, 'x');
                line.raw(wire::frame(wire::composite(codec::descriptor::transfer, fields) + frame.octets.to_string()));
            }),
        bad_transfers("2.7.5-d/delivery-id", same, "two frames of a delivery with other delivery-ids",
                      two_frames([](peer::TransferFrame& frame) { frame.delivery_id(9); })),
        bad_transfers("2.7.5-d/delivery-tag", same, "two frames of a delivery with other tags",
                      two_frames([](peer::TransferFrame& frame) { frame.delivery_tag("other"); })),
        bad_transfers("2.7.5-d/message-format", same, "two frames of a delivery with other message formats",
                      two_frames([](peer::TransferFrame& frame) { frame.message_format(7); })),
        bad_transfers("2.7.5-e/repeated-id", "delivery-ids of a session go up by one.",
                      "two deliveries with the same delivery-id",
                      [](Context&, Line& line) {
                          line.send(Context::delivery(line));
                          --line.next_delivery_id;
                          line.send(Context::delivery(line).delivery_tag("another"));
                      }),
        bad_transfers("2.7.5-e/skipped-id", "delivery-ids of a session go up by one.",
                      "two deliveries whose delivery-ids are 0 and 5",
                      [](Context&, Line& line) {
                          line.send(Context::delivery(line));
                          line.next_delivery_id = 5;
                          line.send(Context::delivery(line));
                      }),
        bad_transfers(
            "2.7.5-o", "On a link of receiver settle mode first no transfer asks for second.",
            "a transfer with rcv-settle-mode second on a link of mode first",
            one_frame([](peer::TransferFrame& frame) { frame.rcv_settle_mode(codec::ReceiverSettleMode::second); })),
        continued("2.7.5-c/left-out", "has none of them", [](peer::TransferFrame&) {}),
        continued("2.7.5-c/repeated", "repeats all of them",
                  [](peer::TransferFrame& frame) { frame.delivery_id(0).delivery_tag("t").message_format(0); }),
        continued("2.7.5-c/id-repeated", "repeats the delivery-id",
                  [](peer::TransferFrame& frame) { frame.delivery_id(0); }),
        continued("2.7.5-c/tag-repeated", "repeats the delivery-tag",
                  [](peer::TransferFrame& frame) { frame.delivery_tag("t"); }),
        {.id = "2.7.5-g/32-octets",
         .rule = "A delivery-tag may have up to 32 octets, also none.",
         .sends = "two deliveries, with tags of 32 octets and of none",
         .accepts = "both are accepted",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(Context::delivery(line).delivery_tag(std::string(32, 'x')));
                 expect_accepted(line, 0, "32 octets are allowed");
                 line.send(Context::delivery(line).delivery_tag(""));
                 expect_accepted(line, 1, "none are allowed");
             }},
        {.id = "2.7.5-f",
         .level = Level::informative,
         .rule = "message-format is set on a delivery's first frame; many peers take none for 0.",
         .sends = "a transfer without message-format",
         .accepts = "any outcome, or an error",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 auto frame = Context::delivery(line);
                 frame.performative.message_format.reset();
                 line.send(frame);
                 const auto settled = answers<codec::Disposition>("takes it for 0");
                 line.accept_one_of(Reactions{settled} + refuses() + Reactions{ignores()});
             }},
        {.id = "2.7.5-h",
         .rule = "settled may become true on a later frame of a delivery.",
         .sends = "a message in two frames, settled on the second only; then another, unsettled",
         .accepts = "accepted for the other; a disposition for the first too, which is meaningless, is not strict",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.6.12-e"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const codec::Bytes message = Context::message("in two parts");
                 line.send(Context::delivery(line).more(), peer::transfer(0).settled());
                 line.send(Context::delivery(line));
                 expect_second_answered(t, line);
             }},
        {.id = "2.7.5-k",
         .rule = "aborted wins over more.",
         .sends = "a frame with more, then one with aborted and more; then another delivery",
         .accepts = "accepted for the other delivery",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-t", "2.6.14-f"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(Context::delivery(line).more(), peer::transfer(0).aborted().more());
                 line.send(Context::delivery(line));
                 const auto outcome = line.expect<codec::Disposition>("of the second delivery alone");
                 line.require(outcome->first == 1, "a disposition for delivery 1", text_of(*outcome));
             }},
        {.id = "2.7.5-a",
         .rule = "A peer sets delivery-id and delivery-tag on the first frame of each of its deliveries.",
         .sends = "credit for five messages",
         .accepts =
             "five transfers with tags of at most 32 octets, none twice where they are not settled, and ids that "
             "go up by one",
         .needs = {"queue"},
         .clauses = {"2.8.7-a", "2.6.12-a", "2.6.7-a"},
         .run =
             [](Context& t) {
                 const std::string address = t.queue();
                 t.fill(address, 6);
                 Line& line = t.receiving(address);
                 line.send(peer::flow().handle(0).delivery_count(0).link_credit(5));
                 std::set<std::string> tags;
                 std::optional<std::uint32_t> last;
                 for (int i = 0; i < 5; ++i) {
                     const auto transfer = line.expect<codec::Transfer>();
                     line.require(transfer->delivery_id && transfer->delivery_tag, "a delivery-id and a delivery-tag",
                                  text_of(*transfer));
                     const std::string tag(transfer->delivery_tag->text());
                     // Tags differ as long as somebody could think a delivery unsettled. [2.6.12-a]
                     const bool is_new = transfer->settled.value_or(false) || tags.insert(tag).second;
                     line.require(is_new, "a tag of its own", text_of(*transfer));
                     line.require(!last || *transfer->delivery_id == *last + 1, "the next delivery-id",
                                  text_of(*transfer));
                     last = *transfer->delivery_id;
                 }
                 line.expect_nothing(t.timing().quiet * 3, "the credit is used up");
             }},
        {.id = "2.7.5-m",
         .rule = "On a link of receiver settle mode first the receiver settles without waiting.",
         .sends = "an unsettled delivery",
         .accepts = "a settled disposition",
         .needs = {"queue"},
         .clauses = {"2.6.12-f"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(Context::delivery(line));
                 const auto outcome = line.expect<codec::Disposition>();
                 line.require(outcome->settled, "a settled disposition", text_of(*outcome));
             }},
    };
    return cases;
}

}  // namespace aprotic::conform
