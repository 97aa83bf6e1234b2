#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

/// Credit and drain. [2.6.7] to [2.6.10]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

Case large_credit(const std::string& which, std::uint32_t credit) {
    return {.id = "2.6.7-g/" + which,
            .rule = "Every credit up to 2^32 - 1 is legal.",
            .sends = "credit " + std::to_string(credit) + " with 5 messages to come",
            .accepts = "5 deliveries; none is not strict",
            .needs = {"queue"},
            .run = [credit](Context& t) {
                t.fill(t.queue(), 5);
                Receiver receiver(t, t.queue());
                receiver.grant(credit);
                expect_all_or_none(t, receiver);
            }};
}

/// Waits for the flow that tells that drain has used up all credit.
void expect_drained(Receiver& receiver, std::uint32_t count) {
    for (;;) {
        const auto flow = receiver.expect_flow("it has drained the credit");
        if (flow.link_credit == 0U && flow.delivery_count == count) return;
        // One that tells the state from before the drain may cross.
        const std::uint32_t ahead = count - flow.delivery_count.value_or(count);
        receiver.line.require(ahead != 0 && ahead < 0x8000'0000,
                              "a flow with link-credit 0 and delivery-count " + std::to_string(count), text_of(flow));
    }
}

}  // namespace

Cases flow_control() {
    return {
        {.id = "2.6.7-a/none",
         .rule = "No delivery is started without credit.",
         .sends = "a receiver without credit on a queue with messages; then credit 0",
         .accepts = "no delivery",
         .needs = {"queue"},
         .clauses = {"2.6.7-r"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 3);
                 Receiver receiver(t, t.queue());
                 receiver.expect_deliveries(0, "no credit was given");
                 receiver.grant(0);
                 receiver.expect_deliveries(0, "credit 0 was given");
             }},
        {.id = "2.6.7-a",
         .rule = "No more deliveries are started than there is credit for.",
         .sends = "credit 3 with 10 messages to come, and then 1 more, and then 2 more",
         .accepts = "3, 1 and 2 deliveries",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 10);
                 Receiver receiver(t, t.queue());
                 for (const std::uint32_t credit : {3U, 1U, 2U}) {
                     receiver.grant(credit);
                     receiver.expect_deliveries(credit, "the credit is " + std::to_string(credit));
                 }
             }},
        {.id = "2.6.7-b",
         .rule = "Credit counts from the delivery-count of the flow, not from when it comes.",
         .sends = "credit 3; after 3 deliveries a flow with the delivery-count of the beginning and credit 5",
         .accepts = "3 deliveries, then 2",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 10);
                 Receiver receiver(t, t.queue());
                 const std::uint32_t start = receiver.delivery_count;
                 receiver.grant(3);
                 receiver.expect_deliveries(3, "the credit is 3");
                 receiver.line.send(receiver.flow(5).delivery_count(start));
                 receiver.expect_deliveries(2, "5 from the beginning, of which 3 were sent");
             }},
        {.id = "2.6.7-b/below-what-was-sent",
         .rule = "Credit that comes out below nothing is none.",
         .sends = "credit 5; after 5 deliveries a flow with the delivery-count of the beginning and credit 2",
         .accepts = "5 deliveries and no more; with credit 6 from the beginning one more",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 10);
                 Receiver receiver(t, t.queue());
                 const std::uint32_t start = receiver.delivery_count;
                 receiver.grant(5);
                 receiver.expect_deliveries(5, "the credit is 5");
                 receiver.line.send(receiver.flow(2).delivery_count(start));
                 receiver.expect_deliveries(0, "2 from the beginning, and 5 were sent");
                 receiver.line.send(receiver.flow(6).delivery_count(start));
                 receiver.expect_deliveries(1, "6 from the beginning, of which 5 were sent");
             }},
        {.id = "2.6.7-c",
         .rule = "A flow without delivery-count counts from the initial-delivery-count.",
         .sends = "in one write begin, a receiver, and twice a flow with credit 5 and without delivery-count, which we "
                  "cannot know yet",
         .accepts = "5 deliveries, and no more",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 10);
                 Line& line = t.opened();
                 const auto flow = peer::flow().no_next_incoming_id().handle(0).link_credit(5);
                 line.send(peer::begin(), t.receiver(t.queue()), flow, flow);
                 line.expect<codec::Begin>();
                 line.expect<codec::Attach>();
                 expect_transfers(line, 5, "the same flow again gives nothing more");
             }},
        {.id = "2.6.7-d",
         .rule = "Every delivery moves delivery-count by one, whatever its number of frames.",
         .sends = "credit 10 and 3 messages, one of them of several frames; then flow with echo",
         .accepts = "a flow with delivery-count 3 ahead and link-credit 7; no flow is not judged",
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& filler = t.sending(t.queue());
                 for (const std::size_t size : {10U, 3000U, 10U})
                     filler.send(Context::delivery(filler, std::string(size, 'x')).settled());
                 filler.finish();
                 Line& line = t.opened(t.open().max_frame_size(512));
                 Receiver receiver(line, t.receiver(t.queue()));
                 const std::uint32_t start = receiver.delivery_count;
                 receiver.grant(10);
                 receiver.expect_deliveries(3, "there are 3 messages");
                 receiver.line.send(receiver.flow(7).echo());
                 const Heard heard = receiver.line.hear(t.timing().quiet * 8);
                 const auto flow = heard.as<codec::Flow>();
                 if (!flow || flow->handle != receiver.attach.handle) return;
                 receiver.line.require(flow->delivery_count == start + 3 && flow->link_credit == 7U,
                                       "delivery-count " + std::to_string(start + 3) + " and link-credit 7",
                                       text_of(*flow));
             }},
        {.id = "2.6.7-e",
         .rule = "delivery-count is a serial number: it may start anywhere, and it wraps.",
         .sends = "a sender with initial-delivery-count 2^32 - 2, and 5 messages",
         .accepts = "credit that counts from there; 5 times accepted",
         .needs = {"queue"},
         .clauses = {"2.6.7-o"},
         .run =
             [](Context& t) {
                 constexpr std::uint32_t start = 0xffff'fffe;
                 Line& line = t.mapped();
                 line.send(t.sender(t.queue()).initial_delivery_count(start));
                 line.expect<codec::Attach>();
                 const auto flow = line.expect<codec::Flow>("it gives credit");
                 line.require(!flow->handle || flow->delivery_count == start,
                              "a flow with delivery-count " + std::to_string(start), text_of(*flow));
                 if (flow->link_credit.value_or(0) < 5) t.skip("the peer gives credit for fewer than 5 deliveries");
                 for (std::uint32_t i = 0; i < 5; ++i) {
                     line.send(Context::delivery(line));
                     expect_accepted(line, i, "delivery-count wraps");
                 }
             }},
        {.id = "2.6.7-f",
         .rule = "Credit may be taken back.",
         .sends = "credit 5 without messages, then credit 0, then 3 messages; then credit 2",
         .accepts = "no delivery until credit 2, then 2",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Receiver receiver(t, t.queue());
                 receiver.grant(5);
                 receiver.grant(0);
                 receiver.expect_deliveries(0, "there is nothing to send");
                 t.fill(t.queue(), 3);
                 receiver.expect_deliveries(0, "the credit was taken back");
                 receiver.grant(2);
                 receiver.expect_deliveries(2, "the credit is 2");
             }},
        large_credit("half", 0x8000'0000),
        large_credit("all", 0xffff'ffff),
        {.id = "2.6.7-h",
         .rule = "With drain and nothing to send, the credit is used up and a flow says so.",
         .sends = "credit 10 with drain on an empty queue",
         .accepts = "a flow with link-credit 0 and delivery-count 10 ahead",
         .needs = {"queue", "drain"},
         .run =
             [](Context& t) {
                 Receiver receiver(t, t.queue());
                 const std::uint32_t start = receiver.delivery_count;
                 receiver.line.send(receiver.flow(10).drain());
                 expect_drained(receiver, start + 10);
             }},
        {.id = "2.6.7-i",
         .rule = "With drain what there is is sent first.",
         .sends = "credit 10 with drain on a queue with 3 messages",
         .accepts = "3 deliveries, then a flow with link-credit 0 and delivery-count 10 ahead",
         .needs = {"queue", "drain"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 3);
                 Receiver receiver(t, t.queue());
                 const std::uint32_t start = receiver.delivery_count;
                 receiver.line.send(receiver.flow(10).drain());
                 for (int i = 0; i < 3; ++i) receiver.take("what there is comes before the credit is used up");
                 expect_drained(receiver, start + 10);
             }},
        {.id = "2.6.7-j",
         .rule = "drain stays until the receiver turns it off.",
         .sends = "drain of 10 on an empty queue, and behind the answer drain of 5 more",
         .accepts = "a flow with link-credit 0 each time",
         .needs = {"queue", "drain"},
         .run =
             [](Context& t) {
                 Receiver receiver(t, t.queue());
                 for (const std::uint32_t credit : {10U, 5U}) {
                     receiver.line.send(receiver.flow(credit).drain());
                     expect_drained(receiver, receiver.delivery_count + credit);
                     receiver.delivery_count += credit;
                 }
             }},
        {.id = "2.6.7-k",
         .level = Level::informative,
         .rule = "drain without credit has nothing to use up.",
         .sends = "credit 0 with drain",
         .accepts = "a flow or nothing; the link lives",
         .needs = {"queue", "drain"},
         .run =
             [](Context& t) {
                 Receiver receiver(t, t.queue());
                 receiver.line.send(receiver.flow(0).drain());
                 receiver.line.accept_one_of({answers<codec::Flow>("answers with a flow"), ignores()});
             }},
        {.id = "2.6.7-l",
         .rule = "Without drain the link waits for messages again.",
         .sends = "drain of 10 on an empty queue; then credit 2 without drain, and 3 messages",
         .accepts = "2 deliveries",
         .needs = {"queue", "drain"},
         .run =
             [](Context& t) {
                 Receiver receiver(t, t.queue());
                 receiver.line.send(receiver.flow(10).drain());
                 expect_drained(receiver, receiver.delivery_count + 10);
                 receiver.delivery_count += 10;
                 receiver.grant(2);
                 t.fill(t.queue(), 3);
                 receiver.expect_deliveries(2, "the credit is 2");
             }},
        {.id = "2.6.7-m",
         .rule = "A sender may send more than it called available.",
         .sends = "flow with available 0, then 5 messages",
         .accepts = "5 times accepted",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(peer::flow().handle(0).delivery_count(0).link_credit(line.credit).available(0));
                 for (std::uint32_t i = 0; i < 5; ++i) {
                     line.send(Context::delivery(line));
                     expect_accepted(line, i, "available is no limit");
                 }
             }},
        {.id = "2.6.7-n",
         .level = Level::informative,
         .rule = "What comes without credit is taken, or the link is detached with transfer-limit-exceeded.",
         .sends = "three times as many messages in one write as there is credit for",
         .accepts = "detach with transfer-limit-exceeded, or all of them are answered; other errors are not strict",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 if (line.credit > 600) t.skip("credit " + std::to_string(line.credit) + " is too much to exceed");
                 const std::uint32_t count = 3 * line.credit;
                 std::string octets;
                 for (std::uint32_t i = 0; i < count; ++i)
                     octets += codec::as_text(Context::delivery(line, "x").encode(0).span());
                 line.raw(octets);
                 const auto last = [count](const codec::Disposition& d) {
                     return d.role == Role::receiver && d.last.value_or(d.first) >= count - 1;
                 };
                 answer_to_delivery(
                     line, {detaches({transfer_limit_exceeded}), detaches().lenient(), ends().lenient(),
                            closes().lenient(), drops(), answers<codec::Disposition>("takes all of them", last)});
             }},
        {.id = "2.6.7-p",
         .level = Level::should,
         .rule = "A flow with echo is answered by a flow.",
         .sends = "a link's flow with echo",
         .accepts = "a flow for the link, which does not ask for echo itself",
         .needs = {"queue"},
         .clauses = {"2.6.7-q", "2.7.4-f"},
         .run =
             [](Context& t) {
                 Receiver receiver(t, t.queue());
                 receiver.line.send(receiver.flow(7).echo());
                 const auto flow = receiver.expect_flow("echo asks for it");
                 receiver.line.require(flow.delivery_count.has_value(), "the sender's delivery-count", text_of(flow));
                 receiver.line.require(flow.link_credit == 7U, "link-credit 7", text_of(flow));
                 receiver.line.require(!flow.echo, "a flow without echo", text_of(flow));
             }},
        {.id = "2.6.8-a",
         .rule = "Credit 1 gets one message, and drain tells that there is none.",
         .sends = "credit 1, twice, with one message; then drain",
         .accepts = "one delivery, and for the second a flow with link-credit 0",
         .needs = {"queue", "drain"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("credit 1, one message");
                 receiver.settle(delivery, codec::Accepted{});
                 receiver.grant(1);
                 receiver.expect_deliveries(0, "there is no second message");
                 receiver.line.send(receiver.flow(1).drain());
                 expect_drained(receiver, receiver.delivery_count + 1);
             }},
        {.id = "2.6.10-a",
         .rule = "Behind the answer to credit 0 nothing is sent.",
         .sends = "credit 500 with 300 messages to come, and right behind it credit 0 with echo",
         .accepts = "any number of deliveries before the flow that says link-credit 0, none behind it",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& filler = t.sending(t.queue());
                 filler.ordinary([&] {
                     for (std::uint32_t i = 0; i < 300; ++i) {
                         filler.send(Context::delivery(filler));
                         expect_accepted(filler, i, "an ordinary message");
                     }
                     filler.finish();
                 });
                 Receiver receiver(t, t.queue());
                 Line& line = receiver.line;
                 line.send(receiver.flow(500), receiver.flow(0).echo());
                 std::uint32_t before = 0;
                 for (;;) {
                     const Heard heard = line.hear();
                     // That echo is answered is only to be wished for. [2.6.7-p]
                     if (heard.kind == Heard::Kind::nothing) t.skip("the peer does not answer echo");
                     if (heard.kind != Heard::Kind::frame) line.fail("transfers and a flow", heard);
                     if (heard.is(codec::descriptor::transfer)) ++before;
                     const auto flow = heard.as<codec::Flow>();
                     if (flow && flow->handle == receiver.attach.handle && flow->link_credit == 0U) break;
                 }
                 t.note(std::to_string(before) + " deliveries before the stop");
                 line.expect_nothing(t.timing().quiet * 4, "the link has stopped");
             }},
    };
}

}  // namespace aprotic::conform
