#include <algorithm>
#include <set>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

// --- 2.6.1, 2.6.2: names and handles ------------------------------------------------------------------------------

Case link_name(const std::string& which, const std::string& name) {
    return {.id = "2.6.1-e/" + which,
            .level = Level::informative,
            .rule = "A link's name may be long and of any characters.",
            .sends = "attach with a name of " + std::to_string(name.size()) + " octets (" + which + ")",
            .accepts = "attach with the same name; a refusal with an error is recorded",
            .needs = {"queue"},
            .clauses = {"2.6.3-a"},
            .run = [name](Context& t) {
                Line& line = t.mapped();
                line.send(t.sender(t.queue(), 0, name));
                const auto same = [&](const codec::Attach& attach) { return attach.name == name; };
                line.accept_one_of({answers<codec::Attach>("attaches a link of this name", same), detaches().recorded(),
                                    ends().recorded(), closes().recorded(), drops()});
            }};
}

Cases names_and_handles() {
    return {
        {.id = "2.6.1-a",
         .rule = "Links of opposite directions may have the same name.",
         .sends = "a sender and a receiver, both with the name both-ways",
         .accepts = "an attach for each, with this name",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(t.sender(t.queue(), 0, "both-ways"), t.receiver(t.queue(), 1, "both-ways"));
                 std::set<Role> roles;
                 for (int i = 0; i < 2; ++i) {
                     const auto attach = line.expect<codec::Attach>("for each link");
                     line.require(attach->name == "both-ways", "the name both-ways", text_of(*attach));
                     roles.insert(attach->role);
                 }
                 line.require(roles.size() == 2, "one attach of each role", "two of the same role");
             }},
        {.id = "2.6.1-c",
         .level = Level::should,
         .rule = "A link that is attached elsewhere again goes there, and is closed with stolen where it was.",
         .sends = "a receiver on one connection, and the same name on another with the same container-id",
         .accepts = "attach on the second and detach with stolen on the first; a refusal of the second, and both "
                    "side by side, are not strict",
         .needs = {"queue", "link-stealing"},
         .clauses = {"2.6.1-b", "2.6.1-d"},
         .run =
             [](Context& t) {
                 Line& first = t.receiving(t.queue());
                 Line& second = t.mapped();
                 second.send(t.receiver(t.queue()));
                 const Heard answer =
                     second.accept_one_of({answers<codec::Attach>("attaches the link again"), detaches().lenient(),
                                           ends().lenient(), closes().lenient(), drops()});
                 const auto attach = answer.as<codec::Attach>();
                 if (!attach || !attach->source) return t.took("refuses the second", Grade::lenient);
                 first.accept_one_of({detaches({stolen}), detaches().lenient(), ends().lenient(), closes().lenient(),
                                      drops(), ignores().lenient()});
             }},
        {.id = "2.6.1-f",
         .rule = "Links of different containers have nothing to do with each other, whatever their names.",
         .sends = "receivers of the same name from two container-ids",
         .accepts = "attach for both, and the first stays",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& first = t.receiving(t.queue());
                 auto open = t.open();
                 open.container_id(open.performative.container_id + "-other");
                 Line& second = t.opened(open);
                 second.begin();
                 second.send(t.receiver(t.queue()));
                 const auto attach = second.expect<codec::Attach>("for the other container's link");
                 second.require(attach->source.has_value(), "an attach with source", text_of(*attach));
                 first.expect_nothing(t.timing().quiet * 3, "the first link stays as it is");
             }},
        link_name("empty", ""),
        link_name("1-KiB", std::string(1024, 'n')),
        link_name("30-KiB", std::string(30 * 1024, 'n')),
        link_name("null-character", std::string("a\0b", 3)),
        link_name("beyond-ASCII", "l\xC3\xAFnk-\xF0\x9F\x90\xB0"),
        {.id = "2.6.2-a",
         .rule = "Each side chooses its handle for itself.",
         .sends = "a sender on handle 42, a message and detach on it",
         .accepts = "attach, accepted and detach, the last on the handle of the peer's attach",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 const auto attach = line.attach_sender(t.sender(t.queue(), 42));
                 line.send(Context::delivery(line).handle(42));
                 expect_accepted(line, 0, "a message on handle 42");
                 line.send(peer::detach(42).closed());
                 const auto detach = line.expect<codec::Detach>("of the link on our handle 42");
                 line.require(detach->handle == attach->handle,
                              "detach of the peer's handle " + std::to_string(attach->handle), text_of(*detach));
             }},
        {.id = "2.6.2-b",
         .rule = "Links that are up at once have handles of their own.",
         .sends = "20 senders on one session",
         .accepts = "20 attaches, every one with another handle",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const auto begin = line.begin();
                 const std::uint32_t count = std::min<std::uint32_t>(19, begin.handle_max) + 1;
                 std::set<std::uint32_t> theirs;
                 for (std::uint32_t i = 0; i < count; ++i) {
                     line.send(t.sender(t.queue(), i, "sender-" + std::to_string(i)));
                     const auto attach = line.expect<codec::Attach>("for each of our links");
                     line.require(theirs.insert(attach->handle).second, "a handle that no other link has",
                                  text_of(*attach));
                 }
             }},
        {.id = "2.6.2-c",
         .rule = "An attach on a handle that is in use is an error: handle-in-use.",
         .sends = "two senders of different names on handle 0",
         .accepts = "close or end with handle-in-use; other errors are not strict",
         .negative = true,
         .needs = {"queue"},
         .clauses = {"2.7.3-a"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(t.sender(t.queue(), 0, "another"));
                 line.accept_one_of({ends({handle_in_use}), closes({handle_in_use}), ends().lenient(),
                                     closes().lenient(), detaches().lenient(), drops()});
             }},
        {.id = "2.6.2-d",
         .rule = "A handle may be used again when both sides have detached.",
         .sends = "attach and detach on handle 0, 200 times",
         .accepts = "attach and detach, 200 times",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 for (int i = 0; i < 200; ++i) {
                     line.send(t.sender(t.queue(), 0, "sender-" + std::to_string(i)));
                     line.expect<codec::Attach>();
                     line.send(peer::detach(0).closed());
                     line.expect<codec::Detach>();
                 }
             }},
        {.id = "2.6.2-e/after-detach",
         .rule = "A handle has no link once it was detached.",
         .sends = "a sender, detach, and when the answer has come a transfer",
         .accepts = "end with unattached-handle; close and other errors are not strict",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(peer::detach(0).closed());
                 line.ordinary([&] { line.expect<codec::Detach>(); });
                 line.send(Context::delivery(line));
                 line.accept_one_of({ends({unattached_handle}), ends().lenient(), closes().lenient(), drops()});
             }},
        {.id = "2.6.2-f",
         .level = Level::should,
         .rule = "The lowest free handle is used for a link.",
         .sends = "senders on handles 5 and 9",
         .accepts = "attach on handles 0 and 1",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 if (line.begin().handle_max < 9) t.skip("the peer has fewer than ten handles");
                 std::uint32_t due = 0;
                 for (const std::uint32_t ours : {5U, 9U}) {
                     line.send(t.sender(t.queue(), ours, "sender-" + std::to_string(ours)));
                     const auto attach = line.expect<codec::Attach>();
                     line.require(attach->handle == due, "handle " + std::to_string(due), text_of(*attach));
                     ++due;
                 }
             }},
    };
}

// --- 2.6.3 to 2.6.6: the life of a link ---------------------------------------------------------------------------

/// Attach to a node that is not there. The answer has no terminus of the peer's, and a closing detach behind it.
Case refused(Role role) {
    const bool sends = role == Role::sender;
    return {.id = sends ? "2.6.3-b/target" : "2.6.3-b/source",
            .rule = "A link is refused by an attach without terminus and a closing detach right behind it.",
            .sends = sends ? "a sender to a node that does not exist" : "a receiver from a node that does not exist",
            .accepts =
                "attach without the peer's terminus, then detach with closed and an error; detach alone, end "
                "and close with an error are not strict",
            .negative = true,
            .needs = {"refuses-unknown"},
            .run = [role, sends](Context& t) {
                Line& line = t.mapped();
                line.send(sends ? t.sender(t.missing()) : t.receiver(t.missing()));
                const auto without = [sends](const codec::Attach& a) { return sends ? !a.target : !a.source; };
                const Heard answer =
                    line.accept_one_of({answers<codec::Attach>("attaches without terminus", without),
                                        answers<codec::Attach>("attaches with a terminus"), detaches().lenient(),
                                        ends().lenient(), closes().lenient(), drops()});
                const auto attach = answer.as<codec::Attach>();
                if (!attach) return;
                if (!without(*attach)) t.skip("the peer has a node at " + t.missing());
                line.require(attach->role == codec::opposite(role), "an attach of the opposite role", text_of(*attach));
                const auto closed = [](const codec::Detach& d) { return d.closed && d.error; };
                const auto open = [](const codec::Detach& d) { return d.closed || d.error; };
                line.accept_one_of({answers<codec::Detach>("closes the link with an error", closed),
                                    answers<codec::Detach>("detaches it otherwise", open).lenient(), ends().lenient(),
                                    closes().lenient(), drops()});
            }};
}

Case answered(Role role) {
    const bool sends = role == Role::sender;
    return {.id = sends ? "2.6.3-a/sender" : "2.6.3-a/receiver",
            .rule = "An attach is answered by an attach of the same name and the opposite role, with the terminus.",
            .sends = sends ? "a sender" : "a receiver",
            .accepts = "attach with the name, the opposite role, source and target",
            .needs = {"queue"},
            .clauses = {"2.6.3-d"},
            .tags = {"control"},
            .run = [sends](Context& t) {
                Line& line = t.mapped();
                line.send(sends ? t.sender(t.queue(), 0, "by-name") : t.receiver(t.queue(), 0, "by-name"));
                const auto attach = line.expect<codec::Attach>();
                line.require(attach->name == "by-name", "an attach with our name", text_of(*attach));
                line.require(attach->role == (sends ? Role::receiver : Role::sender), "the opposite role",
                             text_of(*attach));
                line.require(sends ? attach->target.has_value() : attach->source.has_value(), "the peer's terminus",
                             text_of(*attach));
                if (!sends) {
                    line.require(attach->initial_delivery_count.has_value(),
                                 "initial-delivery-count, since the peer is the sender", text_of(*attach));
                    line.require(attach->source->address.has_value(), "a source with an address", text_of(*attach));
                    if (*attach->source->address != t.queue()) t.note("the address is " + *attach->source->address);
                }
            }};
}

/// A link to a missing node, for the error that it is detached with. Skips where the peer answers in another way.
void refused_with_error(Context& t, Line& line, std::uint32_t handle) {
    line.send(t.sender(t.missing(), handle, "refused"));
    line.ordinary([&] {
        Heard heard = line.hear();
        while (heard.kind == Heard::Kind::frame && !heard.is(codec::descriptor::detach) &&
               !heard.is(codec::descriptor::end) && !heard.is(codec::descriptor::close))
            heard = line.hear();
        if (heard.condition().empty() || !heard.is(codec::descriptor::detach))
            t.skip("the peer does not refuse the link with a detach that has an error: " + heard.text());
    });
}

Cases life() {
    return {
        answered(Role::sender),
        answered(Role::receiver),
        refused(Role::sender),
        refused(Role::receiver),
        {.id = "2.6.3-c",
         .rule = "The refusal of a link leaves the session as it was.",
         .sends = "a sender to a node that does not exist; then one to a queue, and a message",
         .accepts = "the second link is attached and the message accepted",
         .negative = true,
         .needs = {"queue", "refuses-unknown"},
         .clauses = {"2.6.5-d"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 refused_with_error(t, line, 5);
                 line.send(peer::detach(5).closed(), t.sender(t.queue()));
                 const auto attach = line.expect<codec::Attach>("for the second link");
                 line.require(attach->target.has_value(), "an attach with target", text_of(*attach));
                 const auto flow = line.expect<codec::Flow>("it gives credit");
                 line.require(flow->link_credit.value_or(0) > 0, "credit", text_of(*flow));
                 line.send(Context::delivery(line));
                 expect_accepted(line, 0, "a message on the second link");
             }},
        {.id = "2.6.3-c/name-is-free",
         .rule = "A refused link does not exist: its name and handle may be used again.",
         .sends = "a refused sender, detach, and a sender of the same name and handle to a queue",
         .accepts = "attach with a target",
         .negative = true,
         .needs = {"queue", "refuses-unknown"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 refused_with_error(t, line, 0);
                 line.send(peer::detach(0).closed(), t.sender(t.queue(), 0, "refused"));
                 const auto attach = line.expect<codec::Attach>();
                 line.require(attach->target.has_value(), "an attach with target", text_of(*attach));
             }},
        {.id = "2.6.3-d/settle-modes",
         .rule = "The answer tells the settle modes in force.",
         .sends = "receivers that ask for each snd-settle-mode",
         .accepts = "attach; the mode it tells is kept to by the first delivery",
         .needs = {"queue"},
         .clauses = {"2.7.3-b", "2.7.5-i", "2.7.5-j"},
         .run =
             [](Context& t) {
                 for (const auto mode : {codec::SenderSettleMode::unsettled, codec::SenderSettleMode::settled,
                                         codec::SenderSettleMode::mixed}) {
                     const std::string address = t.queue(codec::name_of(mode));
                     t.fill(address, 1);
                     Receiver receiver(t, t.receiver(address).snd_settle_mode(mode));
                     const auto told = receiver.attach.snd_settle_mode;
                     receiver.grant(1);
                     const Arrived delivery = receiver.take("one message, credit 1");
                     if (told != codec::SenderSettleMode::mixed) {
                         const bool settled = told == codec::SenderSettleMode::settled;
                         receiver.line.require(delivery.settled == settled,
                                               settled ? "a settled delivery, as its attach says"
                                                       : "an unsettled delivery, as its attach says",
                                               text_of(delivery.first));
                     }
                     if (told != mode) t.took("answers the wish for another mode with its own", Grade::recorded);
                     if (!delivery.settled) receiver.settle(delivery, codec::Accepted{});
                     receiver.line.finish();
                 }
             }},
        {.id = "2.6.4-a",
         .rule = "A detach is answered by a detach.",
         .sends = "detach without closed",
         .accepts = "detach, with closed or without",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(peer::detach(0));
                 const auto detach = line.expect<codec::Detach>();
                 line.require(!detach->error, "detach without error", text_of(*detach));
                 t.took(detach->closed ? "closes the link" : "detaches without closing it", Grade::recorded);
             }},
        {.id = "2.6.4-c",
         .rule = "A link that was detached can be attached again.",
         .sends = "a receiver, detach without closed, and the receiver again; three times",
         .accepts = "attach with source each time",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 for (int i = 0; i < 3; ++i) {
                     line.send(t.receiver(t.queue()));
                     const auto attach = line.expect<codec::Attach>();
                     line.require(attach->source.has_value(), "an attach with source", text_of(*attach));
                     line.send(peer::detach(0));
                     const auto detach = line.expect<codec::Detach>();
                     if (!detach->closed) continue;
                     // The peer re-attaches to close what only we had detached. [2.6.6]
                     t.took("closes what was only detached", Grade::recorded);
                 }
             }},
        {.id = "2.6.5-b",
         .rule = "What comes for a link that was detached with an error ends the session with errant-link.",
         .sends = "a refused sender, and behind the peer's detach a transfer on its handle",
         .accepts = "end with errant-link; other errors and dropping the transfer are not strict",
         .negative = true,
         .needs = {"refuses-unknown"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 refused_with_error(t, line, 0);
                 line.send(Context::delivery(line));
                 line.accept_one_of(
                     {ends({errant_link}), ends().lenient(), closes().lenient(), drops(), ignores().lenient()});
             }},
        {.id = "2.6.6-a",
         .rule = "A closing detach is answered by a closing detach.",
         .sends = "detach with closed, for a sender and a receiver",
         .accepts = "detach with closed, without error, on the handle of the peer's attach",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 for (const bool sends : {true, false}) {
                     line.send(sends ? t.sender(t.queue()) : t.receiver(t.queue()));
                     const auto attach = line.expect<codec::Attach>();
                     line.send(peer::detach(0).closed());
                     const auto detach = line.expect<codec::Detach>();
                     line.require(detach->closed && !detach->error, "detach with closed and without error",
                                  text_of(*detach));
                     line.require(detach->handle == attach->handle, "the handle of the peer's attach",
                                  text_of(*detach));
                 }
             }},
        {.id = "2.6.6-a/with-error",
         .rule = "A detach that carries an error is answered like any other.",
         .sends = "detach with closed and the error com.example:conform",
         .accepts = "detach with closed, and the session stands",
         .needs = {"queue"},
         .clauses = {"2.8.14-c"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(peer::detach(0).closed().error("com.example:conform", "told to"));
                 line.expect<codec::Detach>();
                 line.send(t.sender(t.queue()));
                 line.expect<codec::Attach>("the session stands");
             }},
        {.id = "2.6.6-a/pipelined",
         .rule = "Attach and detach may come before anything was answered.",
         .sends = "begin, attach and detach with closed in one write",
         .accepts = "begin, attach, detach with closed",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::begin(), t.sender(t.queue()), peer::detach(0).closed());
                 line.expect<codec::Begin>();
                 line.expect<codec::Attach>();
                 const auto detach = line.expect<codec::Detach>();
                 line.require(detach->closed, "detach with closed", text_of(*detach));
             }},
        {.id = "2.6.6-c",
         .rule = "Nothing is left of a link that was closed: another of its name is new.",
         .sends = "a receiver with an unsettled delivery, detach with closed, and the receiver again",
         .accepts = "attach without anything unsettled",
         .needs = {"queue"},
         .clauses = {"2.6.3-g"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 1);
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 receiver.take("one message, credit 1");
                 receiver.line.send(peer::detach(0).closed());
                 receiver.line.expect<codec::Detach>();
                 receiver.line.send(t.receiver(t.queue()));
                 const auto attach = receiver.line.expect<codec::Attach>();
                 receiver.line.require(!attach->unsettled || attach->unsettled->empty(), "nothing unsettled",
                                       text_of(*attach));
             }},
    };
}

// --- 2.6.7 to 2.6.10: credit --------------------------------------------------------------------------------------

Case large_credit(const std::string& which, std::uint32_t credit) {
    return {.id = "2.6.7-g/" + which,
            .rule = "Every credit up to 2^32 - 1 is legal.",
            .sends = "credit " + std::to_string(credit) + " with 5 messages to come",
            .accepts = "5 deliveries",
            .needs = {"queue"},
            .run = [credit](Context& t) {
                t.fill(t.queue(), 5);
                Receiver receiver(t, t.queue());
                receiver.grant(credit);
                receiver.expect_deliveries(5, "there is credit for all");
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

Cases credit() {
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
         .sends = "a flow without delivery-count and with credit 5, and the same again",
         .accepts = "5 deliveries, and no more",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 10);
                 Receiver receiver(t, t.queue());
                 auto flow = receiver.flow(5);
                 flow.performative.delivery_count.reset();
                 receiver.line.send(flow);
                 receiver.expect_deliveries(5, "the credit is 5");
                 receiver.line.send(flow);
                 receiver.expect_deliveries(0, "the same flow again gives nothing more");
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

// --- 2.6.12, 2.6.13: deliveries and their settlement --------------------------------------------------------------

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
                     receiver.line.require(tags.insert(delivery.tag()).second, "a tag that no other delivery has",
                                           text);
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
         .rule = "A delivery that is sent settled has no disposition.",
         .sends = "a settled delivery",
         .accepts = "nothing; the message is in the queue",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(Context::delivery(line).settled());
                 line.expect_nothing(t.timing().quiet * 4, "no disposition for what is settled");
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
                 line.send(Context::delivery(line, "resumed").resume().settled(), Context::delivery(line, "new"));
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

// --- 2.6.14: messages of several frames ---------------------------------------------------------------------------

/// The transfers of one message, cut at every `step` octets.
std::vector<peer::TransferFrame> pieces(Line& line, const std::string& body, std::size_t step,
                                        std::uint32_t handle = 0) {
    const peer::TransferFrame whole = Context::delivery(line, body);
    const std::string octets(codec::as_text(Context::message(body).span()));
    std::vector<peer::TransferFrame> frames;
    for (std::size_t at = 0; at < octets.size(); at += step) {
        auto frame = peer::transfer(handle);
        if (at == 0) frame.performative = whole.performative;
        frame.handle(handle).more(at + step < octets.size()).payload(octets.substr(at, step));
        frames.push_back(std::move(frame));
    }
    return frames;
}

std::string octets_of(const std::vector<peer::TransferFrame>& frames) {
    std::string octets;
    for (const auto& frame : frames) octets += codec::as_text(frame.encode(0).span());
    return octets;
}

void expect_body(Context& t, const std::string& address, const std::string& body) {
    Receiver receiver(t, address);
    receiver.grant(1);
    const Arrived delivery = receiver.take("the message");
    receiver.line.require(text_in(receiver, delivery) == body, "the message as it was sent",
                          std::to_string(delivery.octets.size()) + " other octets");
    receiver.settle(delivery, codec::Accepted{});
    receiver.line.finish();
}

/// An unfinished delivery, then this, then a message on a connection of its own: only that is in the queue.
Case unfinished(const std::string& which, const std::string& what, std::function<void(Line&)> leave) {
    return {.id = "2.6.14-g/" + which,
            .rule = "An unfinished delivery goes with its link.",
            .sends = "half a message, and then " + what,
            .accepts = "nothing of it is in the queue",
            .needs = {"queue", "multiple-frames"},
            .run = [leave = std::move(leave)](Context& t) {
                Line& line = t.sending(t.queue());
                line.send(pieces(line, std::string(200, 'x'), 100).front());
                leave(line);
                line.finish();
                t.fill(t.queue(), 1);
                Receiver receiver(t, t.queue());
                receiver.grant(5);
                const auto all = receiver.take_all();
                receiver.line.require(all.size() == 1 && text_in(receiver, all.front()) == "message 0",
                                      "the whole message alone", std::to_string(all.size()) + " messages");
            }};
}

Cases large_messages() {
    return {
        {.id = "2.6.14-a",
         .rule = "A message that does not fit a frame is split, with more on all but the last.",
         .sends = "max-frame-size 512 and a message of 100 KiB in the queue",
         .accepts = "frames of at most 512 octets, the message whole",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.1-h"},
         .run =
             [](Context& t) {
                 std::string body;
                 while (body.size() < 100 * 1024) body += "line " + std::to_string(body.size()) + "\n";
                 Line& line = t.sending(t.queue());
                 line.raw(octets_of(pieces(line, body, 400)));
                 line.ordinary([&] { expect_accepted(line, 0, "a message in many frames"); });
                 line.finish();
                 Line& small = t.opened(t.open().max_frame_size(512));
                 Receiver receiver(small, t.receiver(t.queue()));
                 receiver.grant(1);
                 const Arrived delivery = receiver.take("in many frames");
                 small.require(text_in(receiver, delivery) == body, "the message as it was sent",
                               std::to_string(delivery.octets.size()) + " other octets");
                 t.note(std::to_string(delivery.frames) + " frames");
             }},
        {.id = "2.6.14-b",
         .rule = "Deliveries of different links may come in turns, frame by frame.",
         .sends = "messages of 10 frames on two links, one frame of each in turn",
         .accepts = "both accepted, and both whole",
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue("a"));
                 line.attach_sender(t.sender(t.queue("b"), 1, "second"));
                 const std::string body_a(1000, 'a'), body_b(1000, 'b');
                 const auto a = pieces(line, body_a, 102), b = pieces(line, body_b, 102, 1);
                 std::string octets;
                 for (std::size_t i = 0; i < a.size(); ++i) octets += octets_of({a[i], b[i]});
                 line.raw(octets);
                 std::set<std::uint32_t> accepted;
                 while (accepted.size() < 2) {
                     const auto d = line.expect<codec::Disposition>("both are accepted");
                     line.require(is_accepted(d->state), "accepted", text_of(*d));
                     for (std::uint32_t id = d->first; id <= d->last.value_or(d->first) && id < 2; ++id)
                         accepted.insert(id);
                 }
                 line.finish();
                 expect_body(t, t.queue("a"), body_a);
                 expect_body(t, t.queue("b"), body_b);
             }},
        {.id = "2.6.14-c",
         .rule = "A sender does not begin a delivery on a link before the one before it is whole.",
         .sends = "max-frame-size 512 and 5 messages of 3 KB in the queue",
         .accepts = "5 whole messages, one after the other",
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 for (int i = 0; i < 5; ++i)
                     line.send(Context::delivery(line, std::string(3000, static_cast<char>('a' + i))).settled());
                 line.finish();
                 Line& small = t.opened(t.open().max_frame_size(512));
                 Receiver receiver(small, t.receiver(t.queue()));
                 receiver.grant(5);
                 for (int i = 0; i < 5; ++i) {
                     const Arrived delivery = receiver.take("5 messages, credit 5");
                     const std::string body = text_in(receiver, delivery);
                     small.require(body == std::string(3000, static_cast<char>('a' + i)),
                                   "the messages in order, whole", body.substr(0, 10) + "…");
                 }
             }},
        {.id = "2.6.14-d",
         .rule = "A sender does not mix deliveries of one link.",
         .sends = "the first frame of a delivery, then a whole other delivery, then the rest of the first",
         .accepts = "detach, end or close with an error; taking both whole is not strict",
         .negative = true,
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const auto first = pieces(line, std::string(200, 'a'), 150);
                 const auto second = Context::delivery(line, "whole");
                 auto rest = first.back();
                 rest.delivery_id(0);
                 line.send(first.front(), second, rest);
                 const auto both = [](const codec::Disposition& d) { return is_accepted(d.state); };
                 answer_to_delivery(line,
                                    refuses() + Reactions{answers<codec::Disposition>("takes it", both).lenient()});
             }},
        {.id = "2.6.14-e/one-octet-each",
         .rule = "A frame may have as little payload as it likes.",
         .sends = "a message in frames of one octet each",
         .accepts = "accepted, and the message whole",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"3.2-i"},
         .run =
             [](Context& t) {
                 const std::string body = "cut into octets";
                 Line& line = t.sending(t.queue());
                 line.raw(octets_of(pieces(line, body, 1)));
                 expect_accepted(line, 0, "a message in frames of one octet");
                 expect_body(t, t.queue(), body);
             }},
        {.id = "2.6.14-e/empty-frames",
         .rule = "A frame of a delivery may have no payload.",
         .sends = "a message in three frames, with an empty one in front, between and behind",
         .accepts = "accepted, and the message whole",
         .needs = {"queue", "multiple-frames"},
         .run =
             [](Context& t) {
                 const std::string body(150, 'e');
                 Line& line = t.sending(t.queue());
                 auto frames = pieces(line, body, 60);
                 auto empty_first = peer::transfer(0);
                 empty_first.performative = frames.front().performative;
                 frames.front().performative = peer::transfer(0).more().performative;
                 frames.back().more();
                 frames.insert(frames.begin(), empty_first.more());
                 frames.insert(frames.begin() + 2, peer::transfer(0).more());
                 frames.push_back(peer::transfer(0));
                 line.raw(octets_of(frames));
                 expect_accepted(line, 0, "empty frames are legal");
                 expect_body(t, t.queue(), body);
             }},
        {.id = "2.6.14-e/repeated-fields",
         .rule = "Later frames may repeat delivery-id, delivery-tag and message-format.",
         .sends = "a message in three frames, every one with all three fields",
         .accepts = "accepted, and the message whole",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-c"},
         .run =
             [](Context& t) {
                 const std::string body(150, 'r');
                 Line& line = t.sending(t.queue());
                 auto frames = pieces(line, body, 60);
                 for (auto& frame : frames)
                     frame.delivery_id(0)
                         .delivery_tag(frames.front().performative.delivery_tag->text())
                         .message_format(0);
                 line.raw(octets_of(frames));
                 expect_accepted(line, 0, "later frames may repeat these fields");
                 expect_body(t, t.queue(), body);
             }},
        {.id = "2.6.14-f",
         .rule = "Nothing of an aborted delivery is kept, and it is settled.",
         .sends = "three frames of a message, then aborted; then a whole message",
         .accepts = "the second is accepted and alone in the queue",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-t"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 auto frames = pieces(line, std::string(200, 'x'), 60);
                 frames.pop_back();
                 frames.push_back(peer::transfer(0).aborted());
                 line.raw(octets_of(frames));
                 line.send(Context::delivery(line, "whole"));
                 expect_accepted(line, 1, "the link goes on behind an aborted delivery");
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(5);
                 const auto all = receiver.take_all();
                 receiver.line.require(all.size() == 1 && text_in(receiver, all.front()) == "whole",
                                       "the whole message alone", std::to_string(all.size()) + " messages");
             }},
        {.id = "2.6.14-f/with-more-and-payload",
         .rule = "aborted wins over more, and what the aborted frame carries is ignored.",
         .sends = "a frame of a message, then one with aborted, more and payload; then a whole message",
         .accepts = "the second is accepted and alone in the queue",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.5-k", "2.7.5-t"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const auto frames = pieces(line, std::string(200, 'x'), 100);
                 line.send(frames[0], peer::transfer(0).aborted().more().payload("ignored"));
                 line.send(Context::delivery(line, "whole"));
                 expect_accepted(line, 1, "the link goes on behind an aborted delivery");
                 expect_body(t, t.queue(), "whole");
             }},
        unfinished("detach", "detach with closed", [](Line& line) { line.send(peer::detach(0).closed()); }),
        unfinished("end", "end", [](Line& line) { line.send(peer::end()); }),
        unfinished("close", "close", [](Line& line) { line.send(peer::close()); }),
        unfinished("end-of-stream", "the end of the stream", [](Line& line) { line.half_close(); }),
        {.id = "2.6.14-h",
         .level = Level::informative,
         .rule = "The specification has no bound for the size of a message.",
         .sends = "a message of 4 MiB in frames of at most what the peer takes",
         .accepts = "accepted, or refused with message-size-exceeded or resource-limit-exceeded",
         .needs = {"queue", "multiple-frames"},
         .clauses = {"2.7.3-l"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 const std::size_t step = std::min<std::size_t>(line.their_open->max_frame_size, 32 * 1024) - 100;
                 for (const auto& frame : pieces(line, std::string(4 << 20, 'l'), step)) line.send(frame);
                 const Conditions limits = {message_size_exceeded, resource_limit_exceeded};
                 answer_to_delivery(line, {accepts_delivery(), detaches(limits), rejects_delivery(limits),
                                           ends().lenient(), closes().lenient(), detaches().lenient(), drops()});
             }},
    };
}

}  // namespace

Cases links() {
    Cases cases = names_and_handles();
    for (auto* more : {life, credit, settlement, large_messages})
        for (auto& one : more()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
