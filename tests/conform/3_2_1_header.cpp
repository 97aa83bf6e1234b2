#include <algorithm>
#include <chrono>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

/// The header of a message, and what of properties goes by time. [3.2.1] [3.2.4]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using wire::hex;

codec::Header header_in(Receiver& receiver, const Arrived& arrived) {
    return message_in(receiver, arrived).header.value_or(codec::Header{});
}

std::string with_header(const std::string& fields) {
    return wire::described(codec::descriptor::header, fields) + wire::plain_body();
}

Case after_a_while(const std::string& id, const std::string& rule, std::uint32_t ttl, std::chrono::milliseconds pause,
                   std::function<void(Context&, Receiver&)> judge, const std::string& accepts,
                   Level level = Level::must) {
    return {.id = id,
            .level = level,
            .rule = rule,
            .sends = "a message with ttl " + std::to_string(ttl) + ", and a receiver " + std::to_string(pause.count()) +
                     " ms later",
            .accepts = accepts,
            .needs = {"queue"},
            .tags = {"slow"},
            .run = [ttl, pause, judge = std::move(judge)](Context& t) {
                put(t, with_header(wire::list({hex("40"), hex("40"), hex("70") + wire::be(ttl, 4)})));
                t.opened().hear(pause);
                Receiver receiver(t, t.queue());
                receiver.grant(5);
                judge(t, receiver);
            }};
}

}  // namespace

Cases message_header() {
    return {
        {.id = "3.2.1-a",
         .rule = "What a header does not say has its default: not durable, priority 4, no ttl, delivery-count 0.",
         .sends = "a message without header, and one with an empty one",
         .accepts = "no header, or one with these values; defaults of the node's own are not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, wire::plain_body());
                 put(t, with_header(hex("45")));
                 Receiver receiver(t, t.queue());
                 receiver.grant(2);
                 for (int i = 0; i < 2; ++i) {
                     const codec::Header header = header_in(receiver, receiver.take("two messages, credit 2"));
                     receiver.line.require(header.delivery_count == 0, "delivery-count 0",
                                           std::to_string(header.delivery_count));
                     // A target or node may have defaults of its own.
                     if (header.durable || header.priority != 4 || header.ttl)
                         t.took("has other defaults", Grade::lenient);
                 }
             }},
        {.id = "3.2.1-b",
         .rule = "What is durable and what its priority is says the sender.",
         .sends = "a durable message with priority 7",
         .accepts = "accepted and durable with priority 7 at the receiver; rejected with precondition-failed; another "
                    "priority is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(delivery_of(line, with_header(wire::list({hex("41"), hex("50 07")}))));
                 const Heard answer = answer_to_delivery(
                     line,
                     {accepts_delivery(), rejects_delivery({precondition_failed}), detaches({precondition_failed})});
                 const auto disposition = answer.as<codec::Disposition>();
                 if (!disposition || !is_accepted(disposition->state)) return;
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const codec::Header header = header_in(receiver, receiver.take("the message that was accepted"));
                 receiver.line.require(header.durable, "a durable message", "one that is not");
                 if (header.priority != 7)
                     t.took("changes the priority to " + std::to_string(header.priority), Grade::lenient);
             }},
        {.id = "3.2.1-d",
         .rule = "A priority is any number of an octet.",
         .sends = "messages with priority 0 and 255",
         .accepts = "both accepted",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, with_header(wire::list({hex("42"), hex("50 00")})));
                 put(t, with_header(wire::list({hex("42"), hex("50 ff")})));
             }},
        {.id = "3.2.1-c",
         .level = Level::informative,
         .rule = "A node may have any number of priorities; those that it has it tells apart.",
         .sends = "messages with the priorities 0 to 9, and then a receiver",
         .accepts = "any order in which no higher priority of those told apart comes behind a lower one; recorded",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 for (unsigned i = 0; i < 10; ++i)
                     put(t, with_header(wire::list({hex("42"), hex("50") + wire::be(i, 1)})));
                 Receiver receiver(t, t.queue());
                 receiver.grant(10);
                 std::string order;
                 for (int i = 0; i < 10; ++i)
                     order +=
                         " " + std::to_string(header_in(receiver, receiver.take("ten messages, credit 10")).priority);
                 t.note("they came in the order" + order);
             }},
        after_a_while(
            "3.2.1-e", "What has outlived its ttl is not delivered.", 200, std::chrono::milliseconds(600),
            [](Context&, Receiver& receiver) { receiver.expect_deliveries(0, "its ttl has passed"); }, "no delivery"),
        after_a_while(
            "3.2.1-f", "A ttl that is handed on is less by the time that has passed.", 60'000,
            std::chrono::milliseconds(1200),
            [](Context& t, Receiver& receiver) {
                const auto ttl = header_in(receiver, receiver.take("its ttl has not passed")).ttl;
                if (!ttl) return t.took("hands no ttl on", Grade::lenient);
                receiver.line.require(*ttl <= 59'000, "a ttl of less than 59 s", std::to_string(*ttl) + " ms");
            },
            "a delivery with a ttl that is smaller; without any is not strict", Level::should),
        after_a_while(
            "3.2.1-g", "Every ttl is legal, and the longest does not pass at once.", 0xffff'ffff,
            std::chrono::milliseconds(50),
            [](Context&, Receiver& receiver) { receiver.expect_deliveries(1, "its ttl is 49 days"); }, "a delivery"),
        {.id = "3.2.1-i",
         .rule = "delivery-count tells how many deliveries have failed.",
         .sends = "a message that is modified with delivery-failed twice",
         .accepts = "delivery-count 0, 1 and 2",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, wire::plain_body());
                 Receiver receiver(t, t.queue());
                 codec::Modified failed;
                 failed.delivery_failed = true;
                 for (std::uint32_t i = 0; i < 3; ++i) {
                     receiver.grant(1);
                     const Arrived arrived = receiver.take("it is there again");
                     const auto count = header_in(receiver, arrived).delivery_count;
                     receiver.line.require(count == i, "delivery-count " + std::to_string(i), std::to_string(count));
                     receiver.settle(arrived, failed);
                 }
             }},
        {.id = "3.2.1-h",
         .level = Level::should,
         .rule = "first-acquirer is true for who gets a message first, and false for all others.",
         .sends = "a message that is released by one link and taken by another",
         .accepts = "first-acquirer, and then not; never first-acquirer is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, wire::plain_body());
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const Arrived first = receiver.take("there is a message");
                 if (!header_in(receiver, first).first_acquirer)
                     t.took("does not tell who gets a message first", Grade::lenient);
                 receiver.settle(first, codec::Released{});
                 receiver.line.accept_one_of({ignores()});
                 Receiver other(t, t.receiver(t.queue(), 0, "other"));
                 other.grant(1);
                 const codec::Header second = header_in(other, other.take("it was released"));
                 other.line.require(!second.first_acquirer, "not first-acquirer", "first-acquirer");
             }},
        {.id = "3.2.4-i",
         .rule = "Two messages with the same message-id are two messages.",
         .sends = "two messages with the message-id twin",
         .accepts = "two deliveries",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string twin =
                     wire::described(codec::descriptor::properties, wire::list({wire::str("twin")})) +
                     wire::plain_body();
                 put(t, twin);
                 put(t, twin);
                 Receiver receiver(t, t.queue());
                 receiver.grant(5);
                 receiver.expect_deliveries(2, "nobody has asked for duplicates to be found");
             }},
        {.id = "3.2.4-h",
         .level = Level::informative,
         .rule = "A message whose absolute-expiry-time has passed counts as expired.",
         .sends = "a message that has expired in 1970",
         .accepts = "no delivery; a delivery is recorded",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 std::vector<std::string> fields(8, hex("40"));
                 fields.push_back(hex("83 0000000000000001"));
                 Line& line = t.sending(t.queue());
                 line.send(delivery_of(
                     line, wire::described(codec::descriptor::properties, wire::list(fields)) + wire::plain_body()));
                 outcome_of(line, 0);
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 t.took(receiver.take_all().empty() ? "does not deliver it" : "delivers it", Grade::recorded);
             }},
    };
}

}  // namespace aprotic::conform
