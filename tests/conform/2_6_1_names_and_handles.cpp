#include <algorithm>
#include <set>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

/// Names and handles of links. [2.6.1] [2.6.2]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;

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

}  // namespace

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

}  // namespace aprotic::conform
