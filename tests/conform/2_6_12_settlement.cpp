#include <set>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

/// Deliveries and how they are settled and resumed. [2.6.12] [2.6.13]
namespace aprotic::conform {
namespace {

using codec::Role;

}  // namespace

Cases settlement() {
    return {
        {.id = "2.6.12-a",
         .rule = "Unsettled deliveries of a link have different tags of at most 32 octets, and delivery-ids that rise "
                 "by one.",
         .sends = "credit 60 with 50 messages to come, none settled",
         .accepts = "50 deliveries of different tags",
         .needs = {"queue"},
         .clauses = {"2.7.5-a", "2.7.5-e", "2.8.7-a"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 50);
                 Receiver receiver(t, t.queue());
                 receiver.grant(60);
                 std::set<std::string> tags;
                 std::optional<std::uint32_t> last;
                 for (int i = 0; i < 50; ++i) {
                     const Arrived delivery = receiver.take("50 messages, credit 60");
                     const std::string text = text_of(delivery.first);
                     receiver.line.require(delivery.first.delivery_id && delivery.first.delivery_tag,
                                           "delivery-id and delivery-tag in the first frame", text);
                     receiver.line.require(delivery.settled || tags.insert(delivery.tag()).second,
                                           "a tag that no other unsettled delivery has", text);
                     receiver.line.require(!last || delivery.id() == *last + 1, "the next delivery-id", text);
                     last = delivery.id();
                 }
             }},
        {.id = "2.6.12-b",
         .rule = "A tag may be used again when its delivery is settled.",
         .sends = "3 settled deliveries and 2 unsettled ones, each after the other was settled, all with one tag",
         .accepts = "5 messages in the queue",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 for (std::uint32_t i = 0; i < 5; ++i) {
                     line.send(Context::delivery(line).delivery_tag("same").settled(i < 3));
                     if (i >= 3) expect_accepted(line, i, "the tag is free");
                 }
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(10);
                 receiver.expect_deliveries(5, "5 messages were sent");
             }},
        {.id = "2.6.12-c",
         .level = Level::informative,
         .rule = "A tag that is in use by an unsettled delivery is not free.",
         .sends = "two unsettled deliveries with one tag in one write",
         .accepts = "an error, or both are accepted: the first may have been settled in between",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const auto first = Context::delivery(line).delivery_tag("same");
                 const auto second = Context::delivery(line).delivery_tag("same");
                 line.send(first, second);
                 const auto both = [](const codec::Disposition& d) { return d.last.value_or(d.first) == 1; };
                 answer_to_delivery(
                     line, {detaches(), ends(), closes(), drops(), answers<codec::Disposition>("takes both", both)});
             }},
        {.id = "2.6.12-d",
         .rule = "What is settled stays settled: another disposition changes nothing.",
         .sends = "a delivery is accepted and settled, and then released and settled",
         .accepts = "the queue is empty, and the session stands",
         .negative = true,
         .needs = {"queue"},
         .clauses = {"2.7.5-r", "2.7.6-d"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("one message, credit 1");
                 receiver.settle(delivery, codec::Accepted{});
                 receiver.settle(delivery, codec::Released{});
                 receiver.line.accept_one_of({ignores(), ends().recorded(), closes().recorded()});
                 Receiver other(t, t.queue());
                 other.grant(1);
                 other.expect_deliveries(0, "the message was accepted");
             }},
        {.id = "2.6.12-e",
         .rule = "A delivery that is sent settled needs no disposition.",
         .sends = "a settled delivery",
         .accepts = "nothing, and the message is in the queue; a disposition, which is meaningless, is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(Context::delivery(line).settled());
                 expect_unanswered(t, line);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 receiver.take("the settled message");
             }},
        {.id = "2.6.12-e/last-frame",
         .rule = "A delivery whose last frame says settled is a settled one, and needs no disposition.",
         .sends = "a message in two frames, of which only the second says settled",
         .accepts = "nothing, and the message is in the queue; a disposition, which is meaningless, is not strict",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-h"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const std::string message(Context::message("in two parts").text());
                 line.send(delivery_of(line, message.substr(0, 5)).more(),
                           peer::transfer(0).settled().payload(message.substr(5)));
                 expect_unanswered(t, line);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 receiver.take("the settled message");
             }},
        {.id = "2.6.12-f",
         .rule = "In receiver settle mode first the receiver settles together with its outcome.",
         .sends = "an unsettled delivery",
         .accepts = "disposition of role receiver with settled and accepted",
         .needs = {"queue"},
         .clauses = {"2.7.5-m"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(Context::delivery(line));
                 const auto outcome = outcome_of(line, 0);
                 line.require(is_accepted(outcome.state), "accepted", text_of(outcome));
                 if (!outcome.settled) {
                     // It may tell the outcome first and settle on its own behind it.
                     const auto more = line.expect<codec::Disposition>("it settles without waiting for us");
                     line.require(more->settled, "settled", text_of(*more));
                 }
             }},
        {.id = "2.6.12-g",
         .rule = "In receiver settle mode second the receiver tells its outcome and waits for the sender to settle.",
         .sends = "a sender with rcv-settle-mode second, and a delivery; then disposition with settled",
         .accepts = "disposition with accepted and without settled; another mode in the attach is recorded",
         .needs = {"queue", "rcv-second"},
         .clauses = {"2.7.3-c", "2.7.5-n"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 const auto attach =
                     line.attach_sender(t.sender(t.queue()).rcv_settle_mode(codec::ReceiverSettleMode::second));
                 if (attach->rcv_settle_mode != codec::ReceiverSettleMode::second)
                     t.skip("the peer answers with rcv-settle-mode first");
                 line.send(Context::delivery(line));
                 const auto outcome = outcome_of(line, 0);
                 line.require(is_accepted(outcome.state) && !outcome.settled, "accepted, and not settled",
                              text_of(outcome));
                 line.send(peer::disposition(Role::sender, 0).settled().accepted());
                 line.send(Context::delivery(line));
                 expect_accepted(line, 1, "the link goes on");
             }},
        {.id = "2.6.12-h",
         .rule = "A sender may settle by itself at any time.",
         .sends = "an unsettled delivery and, in the same write, a disposition that settles it; then another delivery",
         .accepts = "the second is accepted",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const auto first = Context::delivery(line);
                 line.send(first, peer::disposition(Role::sender, 0).settled());
                 line.send(Context::delivery(line));
                 expect_accepted(line, 1, "the link goes on");
             }},
        {.id = "2.6.12-j",
         .rule = "States that are no outcomes may come any number of times before the outcome.",
         .sends = "for one delivery twice received, without settled, and then accepted",
         .accepts = "the queue is empty",
         .needs = {"queue"},
         .clauses = {"3.4-a"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("one message, credit 1");
                 const auto received = peer::disposition(Role::receiver, delivery.id()).state(codec::Received{0, 1});
                 receiver.line.send(received, received);
                 receiver.settle(delivery, codec::Accepted{});
                 receiver.line.accept_one_of({ignores()});
                 Receiver other(t, t.queue());
                 other.grant(1);
                 other.expect_deliveries(0, "the message was accepted");
             }},
        {.id = "2.6.12-k",
         .rule = "delivery-ids are the session's, so one disposition may settle deliveries of several links.",
         .sends = "two receivers with credit, messages for both, and one disposition over all delivery-ids",
         .accepts = "both queues are empty",
         .needs = {"queue"},
         .clauses = {"2.7.6-b", "2.7.6-g"},
         .run =
             [](Context& t) {
                 for (const char* which : {"a", "b"}) t.fill(t.queue(which), 2);
                 Receiver receiver(t, t.queue("a"));
                 Line& line = receiver.line;
                 const auto second = line.attach_receiver(t.receiver(t.queue("b"), 1, "second"));
                 line.send(receiver.flow(2),
                           receiver.flow(2).handle(1).delivery_count(second->initial_delivery_count.value_or(0)));
                 std::set<std::uint32_t> ids;
                 while (ids.size() < 4) {
                     const auto transfer = line.expect<codec::Transfer>("4 deliveries on two links");
                     line.require(transfer->delivery_id && ids.insert(*transfer->delivery_id).second,
                                  "a delivery-id that no other delivery of the session has", text_of(*transfer));
                 }
                 const std::uint32_t first = *ids.begin();
                 line.require(*ids.rbegin() - first == 3, "delivery-ids that rise by one over both links",
                              std::to_string(first) + " to " + std::to_string(*ids.rbegin()));
                 line.send(peer::disposition(Role::receiver, first).last(first + 3).settled().accepted());
                 line.accept_one_of({ignores()});
                 line.finish();
                 for (const char* which : {"a", "b"}) {
                     Receiver other(t, t.queue(which));
                     other.grant(5);
                     other.expect_deliveries(0, "all were accepted");
                 }
             }},
        {.id = "2.6.13-a",
         .rule = "The unsettled deliveries of a link are told when it is attached again.",
         .sends = "a receiver with an unsettled delivery, detach without closed, and the receiver with it in unsettled",
         .accepts = "attach with the delivery's tag in unsettled; one without is recorded",
         .needs = {"queue", "link-recovery"},
         .clauses = {"2.6.3-g"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 codec::Source source;
                 source.address = t.queue();
                 source.expiry_policy = codec::TerminusExpiryPolicy::never;
                 source.durable = codec::TerminusDurability::unsettled_state;
                 Receiver receiver(t, receiver_from(source));
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("one message, credit 1");
                 receiver.line.send(peer::detach(0));
                 receiver.line.ordinary([&] { receiver.line.expect<codec::Detach>(); });
                 auto again = receiver_from(source);
                 again.performative.unsettled =
                     codec::Map{{codec::Value(codec::Binary(delivery.tag())), codec::Value()}};
                 receiver.line.send(again);
                 const auto attach = receiver.line.expect<codec::Attach>();
                 const bool told =
                     attach->unsettled && attach->unsettled->find(codec::Value(codec::Binary(delivery.tag())));
                 t.took(told ? "tells the delivery" : "keeps nothing", told ? Grade::strict : Grade::recorded);
             }},
        {.id = "2.6.13-b",
         .rule = "A delivery that is resumed and is not known is ignored.",
         .sends = "a transfer with resume and a tag that the peer does not know, settled; then an ordinary delivery",
         .accepts = "the second is accepted, and it is the only message in the queue; an error is recorded",
         .negative = true,
         .needs = {"queue"},
         .clauses = {"2.7.5-s"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const auto resumed = Context::delivery(line, "resumed").resume().settled();
                 line.send(resumed, Context::delivery(line, "new"));
                 const auto second = [](const codec::Disposition& d) {
                     return d.last.value_or(d.first) == 1 && is_accepted(d.state);
                 };
                 const Heard heard =
                     answer_to_delivery(line, {answers<codec::Disposition>("accepts the second", second),
                                               detaches().recorded(), ends().recorded(), closes().recorded()});
                 if (!heard.is(codec::descriptor::disposition)) return;
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(5);
                 const auto all = receiver.take_all();
                 receiver.line.require(all.size() == 1 && text_in(receiver, all.front()) == "new",
                                       "the new message alone", std::to_string(all.size()) + " messages");
             }},
    };
}

}  // namespace aprotic::conform
