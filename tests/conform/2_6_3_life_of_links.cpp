#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

/// How links are attached, refused, detached and closed. [2.6.3] to [2.6.6]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

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

/// The peer's detach that answers ours. Nobody says that it has to come where ours does not close the link. [2.6.4]
std::optional<codec::Detach> detached(Line& line) {
    const auto stays = [](const Heard& heard) { return heard.kind == Heard::Kind::nothing; };
    line.may_probe = false;
    const Heard heard = line.accept_one_of(
        {answers<codec::Detach>("detaches its half"), {"leaves the link half attached", stays, Grade::lenient}});
    line.may_probe = true;
    return heard.as<codec::Detach>();
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

}  // namespace

Cases life_of_links() {
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
         .rule = "A detach is answered by a detach, or the link stays half attached.",
         .sends = "detach without closed",
         .accepts = "detach, with closed or without; none, which leaves the peer's half attached, is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(peer::detach(0));
                 const auto detach = detached(line);
                 if (!detach) return;
                 line.require(!detach->error, "detach without error", text_of(*detach));
                 t.took(detach->closed ? "closes the link" : "detaches without closing it", Grade::recorded);
             }},
        {.id = "2.6.4-c",
         .rule = "A link that was detached can be attached again.",
         .sends = "a receiver, detach without closed, and the receiver again; three times",
         .accepts = "attach with source each time; a peer that does not detach its half is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 for (int i = 0; i < 3; ++i) {
                     line.send(t.receiver(t.queue()));
                     const auto attach = line.expect<codec::Attach>();
                     line.require(attach->source.has_value(), "an attach with source", text_of(*attach));
                     line.send(peer::detach(0));
                     const auto detach = detached(line);
                     if (!detach) return;
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
         .accepts = "detach with closed, and the session stands; to go for it, by close, is not strict",
         .needs = {"queue"},
         .clauses = {"2.8.14-c"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(peer::detach(0).closed().error("com.example:conform", "told to"));
                 line.expect<codec::Detach>();
                 line.send(t.sender(t.queue()));
                 line.accept_one_of({answers<codec::Attach>("attaches another"), closes_in_order().lenient()});
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

}  // namespace aprotic::conform
