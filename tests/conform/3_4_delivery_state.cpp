#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;

std::uint32_t delivery_count_in(Receiver& receiver, const Arrived& delivery) {
    const codec::Message message = message_in(receiver, delivery);
    return message.header ? message.header->delivery_count : 0;
}

/// One message is received and answered with `state`; what a receiver on another connection then finds.
Case outcome(const std::string& id, const std::string& rule, codec::DeliveryState state, bool comes_again,
             std::optional<std::uint32_t> delivery_count = {}, std::vector<std::string> clauses = {}) {
    return {.id = id,
            .rule = rule,
            .sends = "one message is received and settled as " + std::string(codec::name_of(state)),
            .accepts = comes_again ? "the message comes to another receiver, its body the same" +
                                         (delivery_count ? ", with delivery-count " + std::to_string(*delivery_count)
                                                         : std::string())
                                   : "the message does not come to another receiver",
            .needs = {"queue"},
            .clauses = std::move(clauses),
            .run = [state, comes_again, delivery_count](Context& t) {
                t.fill(t.queue(), 1);
                Receiver receiver(t, t.queue());
                receiver.grant(1);
                const Arrived first = receiver.take("one message, credit 1");
                receiver.line.require(delivery_count_in(receiver, first) == 0, "delivery-count 0 at first",
                                      "another delivery-count");
                receiver.settle(first, state);
                receiver.line.accept_one_of({ignores()});
                receiver.line.finish();
                Receiver other(t, t.queue());
                other.grant(1);
                if (!comes_again) return other.expect_deliveries(0, "the message has its outcome");
                const Arrived again = other.take("the message is available again");
                other.line.require(text_in(other, again) == "message 0", "the same body", text_in(other, again));
                if (!delivery_count) return;
                const std::uint32_t count = delivery_count_in(other, again);
                other.line.require(count == *delivery_count, "delivery-count " + std::to_string(*delivery_count),
                                   "delivery-count " + std::to_string(count));
            }};
}

codec::Modified modified(std::optional<bool> failed, std::optional<bool> undeliverable_here = {}) {
    codec::Modified state;
    state.delivery_failed = failed;
    state.undeliverable_here = undeliverable_here;
    return state;
}

Cases nodes() {
    return {
        {.id = "3.3-a",
         .rule = "A message that is acquired for one link goes to no other.",
         .sends = "two receivers with credit on one queue with one message, which is not settled",
         .accepts = "one delivery in all",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Receiver one(t, t.receiver(t.queue(), 0, "one")), two(t, t.receiver(t.queue(), 0, "two"));
                 one.grant(5);
                 two.grant(5);
                 one.line.accept_one_of({ignores()});
                 two.line.accept_one_of({ignores()});
                 t.fill(t.queue(), 1);
                 const std::size_t came = one.take_all().size() + two.take_all().size();
                 t.require(came == 1, "one delivery in all", std::to_string(came) + " deliveries");
             }},
        {.id = "3.3-b/order",
         .rule = "Messages from one sender come out in the order in which they were sent.",
         .sends = "20 messages to one queue, one receiver",
         .accepts = "20 deliveries in the order of the messages",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 20);
                 Receiver receiver(t, t.queue());
                 receiver.grant(20);
                 for (int i = 0; i < 20; ++i) {
                     const std::string body = text_in(receiver, receiver.take("20 messages, credit 20"));
                     const std::string due = "message " + std::to_string(i);
                     if (body != due) t.took(body + " in the place of " + due, Grade::lenient);
                 }
             }},
        {.id = "3.3-c/lost",
         .level = Level::should,
         .rule = "What was not settled on a connection that is lost has the default outcome of its source.",
         .sends = "a receiver without default-outcome takes a message, and the stream ends",
         .accepts = "the message comes to another receiver; one that does not is recorded",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 receiver.take("one message, credit 1");
                 receiver.line.half_close();
                 receiver.line.finish();
                 Receiver other(t, t.queue());
                 other.grant(1);
                 const bool again = !other.take_all().empty();
                 t.took(again ? "the message is available again" : "the message is gone",
                        again ? Grade::strict : Grade::recorded);
             }},
    };
}

Cases outcomes() {
    codec::Rejected rejected;
    rejected.error = peer::error_condition("com.example:conform", "told to");
    return {
        {.id = "3.4-b",
         .level = Level::informative,
         .rule = "Only the outcomes that the source names may be chosen.",
         .sends = "a receiver whose source has the outcomes accepted alone, and the outcome released",
         .accepts = "an error, or the peer goes on",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 codec::Source source;
                 source.address = t.queue();
                 source.outcomes = {codec::Symbol("amqp:accepted:list")};
                 Receiver receiver(t, receiver_from(source));
                 receiver.grant(1);
                 const Arrived arrived = receiver.take("one message, credit 1");
                 receiver.line.send(
                     peer::disposition(codec::Role::receiver, arrived.id()).settled().state(codec::Released{}));
                 receiver.line.accept_one_of(
                     {ignores(), answers<codec::Transfer>("sends it again"), detaches(), ends(), closes(), drops()});
             }},
        outcome("3.4.2-a", "accepted retires a message at its node.", codec::Accepted{}, false, {}, {"3.3-b"}),
        outcome("3.4.3-a", "rejected retires a message at its node.", rejected, false, {}, {"3.3-b"}),
        outcome("3.4.3-a/without-error", "The error of rejected is optional.", codec::Rejected{}, false),
        outcome("3.4.4-a", "A released message is available again, and its delivery-count as before.",
                codec::Released{}, true, 0, {"3.3-b"}),
        outcome("3.4.5-a", "modified with delivery-failed adds one to delivery-count.", modified(true), true, 1),
        outcome("3.4.5-b/false", "modified without delivery-failed leaves delivery-count as it is.", modified(false),
                true, 0),
        outcome("3.4.5-b/unset", "delivery-failed is false where it is not set.", modified({}), true, 0),
        {.id = "3.4.5-c",
         .rule = "A message that is undeliverable here does not come to the same link again.",
         .sends = "modified with undeliverable-here, and more credit on the same link",
         .accepts = "nothing comes on this link; whether another receiver gets the message is recorded",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 receiver.settle(receiver.take("one message, credit 1"), modified(true, true));
                 receiver.grant(5);
                 receiver.expect_deliveries(0, "the message is undeliverable here");
                 Receiver other(t, t.queue());
                 other.grant(1);
                 t.note(other.take_all().empty() ? "another receiver does not get it" : "another receiver gets it");
             }},
        {.id = "3.4.5-d",
         .rule = "The message-annotations of modified are merged into the message's.",
         .sends = "modified with message-annotations x-opt-conform = 1",
         .accepts = "the message comes again with the annotation; without it is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 auto state = modified(false);
                 state.message_annotations.set(codec::Symbol("x-opt-conform"), 1U);
                 receiver.settle(receiver.take("one message, credit 1"), state);
                 receiver.line.accept_one_of({ignores()});
                 receiver.line.finish();
                 Receiver other(t, t.queue());
                 other.grant(1);
                 const codec::Message message = message_in(other, other.take("the message is available again"));
                 const bool merged = message.message_annotations.contains("x-opt-conform");
                 t.took(merged ? "merges the annotations" : "does not merge the annotations",
                        merged ? Grade::strict : Grade::lenient);
             }},
        {.id = "3.4.4-a/order",
         .level = Level::informative,
         .rule = "A released message is where it was.",
         .sends = "the first of 3 messages is released",
         .accepts = "any order",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 3);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 receiver.settle(receiver.take("credit 1"), codec::Released{});
                 receiver.line.accept_one_of({ignores()});
                 receiver.line.finish();
                 Receiver other(t, t.queue());
                 other.grant(3);
                 std::string order;
                 for (int i = 0; i < 3; ++i) order += " " + text_in(other, other.take("3 messages"));
                 t.note("they come as:" + order);
             }},
        {.id = "3.4-a",
         .level = Level::informative,
         .rule = "received is no outcome: a delivery is not settled with it.",
         .sends = "a delivery is settled with the state received",
         .accepts = "the default outcome is used, or an error",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 receiver.settle(receiver.take("one message, credit 1"), codec::Received{0, 0});
                 receiver.line.accept_one_of({ignores(), detaches(), ends(), closes(), drops()});
             }},
        {.id = "3.4.1-a",
         .rule = "section-number and section-offset of received are mandatory.",
         .sends = "a disposition with received without fields",
         .accepts = "close, end or detach with decode-error or invalid-field; other errors and taking no notice are "
                    "not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.raw(wire::frame(wire::described(
                     codec::descriptor::disposition,
                     wire::list({wire::value(true), wire::value(0U), wire::value(nullptr), wire::value(true),
                                 wire::described(codec::descriptor::received, wire::hex("45"))}))));
                 line.accept_one_of(refuses_malformed() + Reactions{ignores().lenient()});
             }},
        {.id = "2.7.6-e/no-effect",
         .rule = "A disposition without state that settles nothing has no effect.",
         .sends = "a disposition without state and settled; then accepted",
         .accepts = "the queue is empty",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("one message, credit 1");
                 receiver.line.send(peer::disposition(codec::Role::receiver, delivery.id()));
                 receiver.settle(delivery, codec::Accepted{});
                 receiver.line.accept_one_of({ignores()});
                 Receiver other(t, t.queue());
                 other.grant(1);
                 other.expect_deliveries(0, "the message was accepted");
             }},
        {.id = "3.4.2-a/not-settled",
         .level = Level::informative,
         .rule = "Behind an outcome without settled it is the sender's application that settles, typically.",
         .sends = "accepted without settled",
         .accepts = "disposition of role sender with settled; and the queue is empty",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("one message, credit 1");
                 receiver.line.send(peer::disposition(codec::Role::receiver, delivery.id()).accepted());
                 const auto answer = receiver.line.expect<codec::Disposition>("it settles");
                 receiver.line.require(answer->role == codec::Role::sender && answer->settled,
                                       "a disposition of role sender with settled", text_of(*answer));
                 Receiver other(t, t.queue());
                 other.grant(1);
                 other.expect_deliveries(0, "the message was accepted");
             }},
    };
}

/// A source with a default outcome: what it makes of a delivery when its link closes.
Case default_outcome(codec::Outcome wanted, bool comes_again) {
    const std::string name(
        std::visit([](const auto& o) { return codec::Table<std::decay_t<decltype(o)>>::name; }, wanted));
    return {.id = "3.5.3-j/" + name,
            .rule = "The default-outcome of a source is what its unsettled deliveries get when it is destroyed.",
            .sends = "a receiver with the default-outcome " + name + " takes a message and closes the link",
            .accepts = comes_again ? "the message comes to another receiver" : "the message does not come again",
            .needs = {"queue"},
            .run = [wanted, comes_again, name](Context& t) {
                t.fill(t.queue(), 1);
                codec::Source source;
                source.address = t.queue();
                source.default_outcome = wanted;
                source.outcomes = {codec::Symbol("amqp:" + name + ":list")};
                Receiver receiver(t, receiver_from(source));
                const auto& told = receiver.attach.source;
                if (!told->default_outcome || told->default_outcome->index() != wanted.index())
                    t.skip("the peer's attach does not have this default-outcome: " + text_of(receiver.attach));
                receiver.grant(1);
                receiver.take("one message, credit 1");
                receiver.line.send(peer::detach(0).closed());
                receiver.line.expect<codec::Detach>();
                Receiver other(t, t.queue());
                other.grant(1);
                other.expect_deliveries(comes_again ? 1 : 0, "the default-outcome is " + name);
            }};
}

}  // namespace

Cases delivery_state() {
    Cases cases = nodes();
    for (auto& one : outcomes()) cases.push_back(std::move(one));
    cases.push_back(default_outcome(codec::Accepted{}, false));
    cases.push_back(default_outcome(codec::Released{}, true));
    cases.push_back(default_outcome(codec::Rejected{}, false));
    return cases;
}

}  // namespace aprotic::conform
