#include "conform/served.hpp"

/// What clients do with credit. [2.6.7] [2.7.4]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

/// Waits for the flow of a client that sends that tells that drain has used up all credit; how many deliveries came.
unsigned drained(Served& s, std::uint32_t due) {
    for (unsigned count = 0;;) {
        const Heard heard = s.line.hear();
        const auto flow = heard.as<codec::Flow>();
        if (heard.is(codec::descriptor::transfer)) ++count;
        if (flow && flow->handle == s.their_attach.handle && flow->link_credit == 0U) {
            s.line.require(flow->delivery_count == due, "delivery-count " + std::to_string(due), text_of(*flow));
            return count;
        }
        if (heard.kind != Heard::Kind::frame || !heard.condition().empty())
            s.line.fail("a flow with link-credit 0 that tells of the drain", heard);
    }
}

Cases credit_of_senders() {
    return {
        {.id = "2.6.7-a/client",
         .rule = "No more deliveries are started than there is credit for, and none without.",
         .sends = "no credit to a client with 10 messages, then 3, then 1, then 2",
         .accepts = "no delivery, then 3, 1 and 2",
         .clauses = {"2.6.7-r", "2.6.7-d"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(10));
                 s.receiver().expect_deliveries(0, "no credit was given");
                 for (const std::uint32_t credit : {3U, 1U, 2U}) {
                     s.receiver().grant(credit);
                     s.receiver().expect_deliveries(credit, "the credit is " + std::to_string(credit));
                 }
             }},
        {.id = "2.6.7-b/client",
         .rule = "Credit counts from the delivery-count of the flow, not from when it comes.",
         .sends = "credit 3; after 3 deliveries a flow with the delivery-count of the beginning and credit 5, then 2",
         .accepts = "3 deliveries, then 2, then none",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(10));
                 const std::uint32_t start = s.receiver().delivery_count;
                 s.receiver().grant(3);
                 s.receiver().expect_deliveries(3, "the credit is 3");
                 s.line.send(s.flow(5).delivery_count(start));
                 s.receiver().expect_deliveries(2, "5 from the beginning, of which 3 were sent");
                 s.line.send(s.flow(2).delivery_count(start));
                 s.receiver().expect_deliveries(0, "2 from the beginning, and 5 were sent");
             }},
        {.id = "2.6.7-c/client",
         .rule = "A flow without delivery-count counts from the initial-delivery-count.",
         .sends = "credit 2 without delivery-count, twice",
         .accepts = "2 deliveries, and no more",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(10));
                 auto flow = s.flow(2);
                 flow.performative.delivery_count.reset();
                 s.line.send(flow);
                 s.receiver().expect_deliveries(2, "the credit is 2");
                 s.line.send(flow);
                 s.receiver().expect_deliveries(0, "the same flow again gives nothing more");
             }},
        {.id = "2.6.7-f/client",
         .rule = "Credit may be taken back.",
         .sends = "credit 2 and, behind the deliveries, credit 5 and credit 0 in one write; then credit 1",
         .accepts = "2 deliveries, then at most 5 and none behind them, then 1 more if there is one",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(10));
                 s.receiver().grant(2);
                 s.receiver().expect_deliveries(2, "the credit is 2");
                 s.line.send(s.flow(5), s.flow(0));
                 const auto between = s.receiver().take_all().size();
                 s.line.require(between <= 5, "at most 5 deliveries", std::to_string(between));
                 s.receiver().expect_deliveries(0, "the credit was taken back");
                 s.receiver().grant(1);
                 s.receiver().expect_deliveries(1, "the credit is 1");
             }},
        {.id = "2.6.7-g/client",
         .rule = "Every credit up to 2^32 - 1 is legal.",
         .sends = "credit 2^32 - 1 to a client with 5 messages",
         .accepts = "5 deliveries; none is not strict",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(5));
                 s.receiver().grant(0xffff'ffff);
                 expect_all_or_none(t, s.receiver());
             }},
        {.id = "2.6.7-h/client",
         .rule = "With drain what there is is sent, and the rest of the credit used up.",
         .sends = "credit 10 with drain to a client with 3 messages, of which none is settled until it has answered",
         .accepts = "at most 3 deliveries, and a flow with link-credit 0 and delivery-count 10 ahead",
         .needs = {"drain"},
         .clauses = {"2.6.7-i"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(3));
                 const std::uint32_t start = s.receiver().delivery_count;
                 s.line.send(s.flow(10).drain());
                 const unsigned count = drained(s, start + 10);
                 s.line.require(count <= 3, "at most 3 deliveries", std::to_string(count));
                 t.note(std::to_string(count) + " of 3 messages were sent before the credit was used up");
             }},
        {.id = "2.6.7-l/client",
         .rule = "Without drain the link goes on as before.",
         .sends = "credit 2 with drain to a client with 10 messages, then credit 3 without drain",
         .accepts = "at most 2 deliveries and the flow, then 3 more",
         .needs = {"drain"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(10));
                 const std::uint32_t start = s.receiver().delivery_count;
                 s.line.send(s.flow(2).drain());
                 // Where all the credit was used by deliveries there need be no flow. [2.6.7]
                 unsigned used = 0;
                 while (used < 2) {
                     const Heard heard = s.line.hear();
                     const auto flow = heard.as<codec::Flow>();
                     if (heard.is(codec::descriptor::transfer)) ++used;
                     if (flow && flow->handle == s.their_attach.handle && flow->link_credit == 0U) break;
                     if (heard.kind != Heard::Kind::frame)
                         s.line.fail("deliveries, or a flow with link-credit 0", heard);
                 }
                 s.receiver().next_incoming_id += used;
                 s.receiver().delivery_count = start + 2;
                 s.receiver().grant(3);
                 s.receiver().expect_deliveries(3, "the credit is 3");
             }},
        {.id = "2.6.7-p/client",
         .level = Level::should,
         .rule = "A flow with echo is answered by a flow.",
         .sends = "credit 7 with echo to a client with 1 message",
         .accepts = "a flow for the link, which does not ask for echo itself",
         .clauses = {"2.6.7-q", "2.7.4-f"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.line.send(s.flow(7).echo());
                 for (;;) {
                     const Heard heard = s.line.hear();
                     const auto flow = heard.as<codec::Flow>();
                     if (heard.is(codec::descriptor::transfer)) continue;
                     if (heard.kind != Heard::Kind::frame) s.line.fail("a flow for the link: echo asks for it", heard);
                     if (!flow || flow->handle != s.their_attach.handle) continue;
                     s.line.require(flow->delivery_count.has_value() && !flow->echo,
                                    "the sender's delivery-count, and no echo", text_of(*flow));
                     return;
                 }
             }},
    };
}

Cases credit_of_receivers() {
    return {
        {.id = "2.6.7-o/client",
         .rule = "A receiver's flow carries the delivery-count that it knows of.",
         .sends = "attach with initial-delivery-count 77",
         .accepts = "credit with delivery-count 77",
         .run =
             [](Context& t) {
                 Served s(t, Served::receives());
                 s.attaching = [](peer::AttachFrame& ours) { ours.initial_delivery_count(77); };
                 s.attach();
                 for (;;) {
                     const auto flow = s.line.expect<codec::Flow>("it gives credit");
                     if (flow->handle != s.their_attach.handle || !flow->link_credit) continue;
                     // A client may give credit before it has seen the attach, and then knows of none.
                     if (!flow->delivery_count) return t.took("gives credit before it has seen our attach");
                     s.line.require(flow->delivery_count == 77U, "delivery-count 77", text_of(*flow));
                     return;
                 }
             }},
        {.id = "2.6.7-e/client",
         .rule = "delivery-count is a serial number: it may start anywhere, and it wraps.",
         .sends = "initial-delivery-count 2^32 - 2, and 100 settled messages as there is credit for them",
         .accepts = "credit for all of them",
         .run =
             [](Context& t) {
                 Served s(t, Served::receives(100));
                 std::uint32_t ours = 0xffff'fffe, credit = 0;
                 s.attaching = [ours](peer::AttachFrame& attach) { attach.initial_delivery_count(ours); };
                 s.attach();
                 for (int sent = 0; sent < 100; ++sent, ++ours, --credit) {
                     while (credit == 0) {
                         const Heard heard = s.line.hear();
                         if (heard.kind != Heard::Kind::frame)
                             s.line.fail("credit for 100 deliveries, of which " + std::to_string(sent) + " were sent",
                                         heard);
                         const auto flow = heard.as<codec::Flow>();
                         if (!flow || flow->handle != s.their_attach.handle) continue;
                         credit = flow->delivery_count.value_or(0xffff'fffe) + flow->link_credit.value_or(0) - ours;
                         s.line.require(credit < 0x8000'0000, "credit", text_of(*flow));
                     }
                     s.line.send(Context::delivery(s.line).settled());
                 }
             }},
        {.id = "2.6.7-n/client",
         .level = Level::informative,
         .rule = "What comes without credit is taken, or the link is detached with transfer-limit-exceeded.",
         .sends = "three more messages than there is credit for, in one write",
         .accepts = "detach with transfer-limit-exceeded, or the client goes on; other errors are not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, Served::receives(2));
                 const std::uint32_t credit = s.await_credit();
                 if (credit > 1000) t.skip("credit " + std::to_string(credit) + " is too much to exceed");
                 std::string octets;
                 for (std::uint32_t i = 0; i < credit + 3; ++i)
                     octets += codec::as_text(Context::delivery(s.line).encode(0).span());
                 s.line.raw(octets);
                 const auto last = [credit](const codec::Disposition& d) {
                     return d.role == Role::receiver && d.last.value_or(d.first) >= credit - 1;
                 };
                 answer_to_delivery(s.line,
                                    {detaches({transfer_limit_exceeded}), detaches().lenient(), ends().lenient(),
                                     closes().lenient(), drops(), answers<codec::Disposition>("goes on", last)});
             }},
        {.id = "2.6.7-p/client-receiver",
         .level = Level::should,
         .rule = "A flow with echo is answered by a flow.",
         .sends = "a sender's flow with echo",
         .accepts = "a flow for the link, with credit and without echo",
         .clauses = {"2.6.7-m"},
         .run =
             [](Context& t) {
                 Served s(t, Served::receives());
                 s.await_credit();
                 s.line.send(peer::flow()
                                 .next_incoming_id(s.their_begin.next_outgoing_id)
                                 .handle(0)
                                 .delivery_count(0)
                                 .link_credit(1)
                                 .available(0)
                                 .echo());
                 for (;;) {
                     const auto flow = s.line.expect<codec::Flow>("echo asks for it");
                     if (flow->handle != s.their_attach.handle) continue;
                     s.line.require(!flow->echo, "a flow without echo", text_of(*flow));
                     return;
                 }
             }},
    };
}

}  // namespace

Cases client_flow_control() {
    Cases cases = credit_of_senders();
    for (auto& one : credit_of_receivers()) cases.push_back(std::move(one));
    return of_clients(std::move(cases));
}

}  // namespace aprotic::conform
