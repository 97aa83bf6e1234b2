#include "conform/served.hpp"

/// How clients attach and detach links. [2.6] [2.7.3]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;
using codec::Symbol;

/// A client that can take this part, with `count` messages.
Task task_of(Role role, std::uint32_t count = 1) {
    return role == Role::sender ? Served::sends(count) : Served::receives(count);
}

/// On a session with a link the server writes a frame for a handle that no link has.
template <class Frame>
Case unattached_client(const std::string& name, Frame frame) {
    return {.id = "2.6.2-e/client-" + name,
            .rule = "A frame for a handle without a link ends the session with unattached-handle.",
            .sends = name + " for handle 77, which is not attached",
            .accepts = "end with unattached-handle; other errors are not strict",
            .negative = true,
            .clauses = {"2.7.4-c"},
            .run = [frame](Context& t) {
                Served s(t, any_task(t));
                s.attach().line.send(frame);
                s.line.accept_one_of({ends({unattached_handle}), ends().lenient(), closes().lenient(), drops()});
            }};
}

/// The server has no such node: attach without its terminus, and detach. `as_one` has credit between the two, which
/// nobody may use.
Case refused_client(Role role, bool as_one) {
    const bool sends = role == Role::sender;
    return {
        .id = std::string("2.6.3-b/client-") + (as_one ? "credit-" : "") + (sends ? "target" : "source"),
        .level = as_one ? Level::should : Level::must,
        .rule = "An attach without the partner's terminus is no link: a detach follows, and is answered.",
        .sends = std::string("attach with null for ") + (sends ? "target" : "source") +
                 (as_one ? ", then credit" : "") + ", then detach with closed and amqp:not-found",
        .accepts = std::string("detach with closed and without an error, and nothing sent on the link; close is not "
                               "strict") +
                   (as_one ? ", nor is using credit that nobody may give" : ""),
        .run = [role, sends, as_one](Context& t) {
            Served s(t, task_of(role));
            s.attaching = [sends](peer::AttachFrame& ours) { sends ? ours.no_target() : ours.no_source(); };
            s.attach();
            if (as_one)
                s.line.send(peer::flow()
                                .next_incoming_id(s.their_begin.next_outgoing_id)
                                .handle(0)
                                .delivery_count(s.their_attach.initial_delivery_count.value_or(0))
                                .link_credit(10));
            bool detached = false;
            for (const auto until_quiet = t.timing().quiet * 2; !detached;) {
                const Heard heard = s.line.hear(until_quiet);
                if (heard.kind == Heard::Kind::nothing) break;
                detached = heard.is(codec::descriptor::detach);
                const bool sent = heard.is(codec::descriptor::transfer);
                // The link permits no messages, and still there was credit: it is our fault first. [2.7.3]
                if (sent && as_one) t.took("sends on a link without terminus", Grade::lenient);
                if (heard.kind != Heard::Kind::frame || (sent && !as_one) || !heard.condition().empty())
                    s.line.fail("nothing is sent on a link without terminus", heard);
            }
            s.line.send(peer::detach(0).closed().error(not_found, "no such node"));
            if (detached) {
                t.took("detaches without waiting for the server's detach");
            } else {
                const auto closed = [](const codec::Detach& d) { return d.closed && !d.error; };
                s.line.accept_one_of(
                    {answers<codec::Detach>("detaches with closed", closed), closes_in_order().lenient(), drops()});
            }
            s.note_exit();
        }};
}

Case detached(const std::string& id, const std::string& rule, const std::string& sends, peer::DetachFrame detach,
              std::vector<std::string> clauses = {}) {
    const bool closed = detach.performative.closed;
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = closed ? "detach with closed"
                              : "detach, with closed or without; none, which leaves the client's half attached, is not "
                                "strict",
            .clauses = std::move(clauses),
            .run = [detach, closed](Context& t) {
                Served s(t, any_task(t));
                s.attach().line.send(detach);
                const auto fits = [closed](const codec::Detach& d) { return (d.closed || !closed) && !d.error; };
                Reactions reactions = {answers<codec::Detach>("detaches the link", fits), ends().lenient(),
                                       closes_in_order().lenient(), drops()};
                // Nobody says that it has to come where ours does not close the link. [2.6.4]
                if (!closed) reactions.push_back(ignores().lenient());
                s.line.accept_one_of(reactions);
                s.note_exit();
            }};
}

peer::DetachFrame link_redirect() {
    auto detach = peer::detach(0).closed().error(codec::condition::link_redirect, "over there");
    codec::Map& info = detach.performative.error->info;
    info.set(Symbol("hostname"), "conform.example.com");
    info.set(Symbol("network-host"), "127.0.0.1");
    info.set(Symbol("port"), std::uint16_t{9});
    info.set(Symbol("address"), "elsewhere");
    return detach;
}

Cases life_of_clients_links() {
    Cases cases = {
        {.id = "2.6.3-a/client",
         .rule = "A client attaches with a name, a role and the address it was told.",
         .sends = "begin",
         .accepts = "attach with a name and, by a sender, initial-delivery-count",
         .clauses = {"2.7.3-a", "2.7.3-j", "2.6.2-f"},
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_attach();
                 if (s.their_attach.name.empty()) t.took("has a link with an empty name", Grade::recorded);
                 if (s.their_attach.handle != 0) t.took("does not take the lowest handle", Grade::lenient);
                 if (s.their_attach.role == Role::sender)
                     s.line.require(s.their_attach.initial_delivery_count.has_value(),
                                    "initial-delivery-count from the sender", text_of(s.their_attach));
             }},
        {.id = "2.6.2-a/client",
         .rule = "Each side chooses its handle for itself.",
         .sends = "attach on handle 5, and credit for it",
         .accepts = "a transfer on the handle of the client's own attach",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.attaching = [](peer::AttachFrame& ours) { ours.handle(5); };
                 s.attach().line.send(s.flow(1).handle(5));
                 s.receiver().take("there is credit on handle 5");
             }},
        {.id = "2.6.2-c/client",
         .rule = "An attach on a handle that is in use is an error: handle-in-use.",
         .sends = "a link of the server's own on the handle of the link that is there",
         .accepts = "close or end with handle-in-use; other errors are not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.attach().line.send(t.receiver("conform", 0, "another"));
                 s.line.accept_one_of({ends({handle_in_use}), closes({handle_in_use}), ends().lenient(),
                                       closes().lenient(), detaches().lenient(), drops()});
             }},
        {.id = "2.6.3-a/client-own-link",
         .level = Level::informative,
         .rule = "A server may attach links of its own, which a client takes or refuses.",
         .sends = "attach of a link that the client has not asked for",
         .accepts = "attach, with a terminus or without; errors are recorded, and so is silence",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.attach().line.send(t.receiver("conform", 3, "of-the-server"));
                 s.line.accept_one_of({answers<codec::Attach>("answers it"), detaches().recorded(), ends().recorded(),
                                       closes().recorded(), drops(), ignores().recorded()});
             }},
        {.id = "2.7.3-q/client",
         .rule = "Capabilities and properties of a link that a client does not know are passed over.",
         .sends = "attach with capabilities and a nested property of our own",
         .accepts = "the link works: a transfer, or credit",
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.attaching = [](peer::AttachFrame& ours) {
                     ours.offers(Symbol("com.example:conform")).desires(Symbol("com.example:more"));
                     ours.property(Symbol("com.example:nested"), codec::Map{{Symbol("a"), codec::Map{}}});
                 };
                 s.attach();
                 if (s.task.role == Role::receiver) return static_cast<void>(s.await_credit());
                 s.receiver().grant(1);
                 s.receiver().take("there is credit");
             }},
        unattached_client("flow", peer::flow().handle(77).link_credit(1)),
        unattached_client("transfer",
                          peer::transfer(77).delivery_id(0).delivery_tag("a").message_format(0).payload("x")),
        unattached_client("detach", peer::detach(77).closed()),
        detached("2.6.4-a/client", "A detach is answered by a detach.", "detach without closed", peer::detach(0)),
        detached("2.6.6-a/client", "A closing detach is answered by a closing detach.", "detach with closed",
                 peer::detach(0).closed()),
        detached("2.8.14-e/client-link-redirect", "A redirect of a link is a detach like any other.",
                 "detach with closed and amqp:link:redirect", link_redirect()),
    };
    for (const auto condition : {detach_forced, stolen, resource_deleted, std::string_view("com.example:conform")})
        cases.push_back(detached("2.6.6-a/client-" + std::string(condition.substr(condition.rfind(':') + 1)),
                                 "A detach that carries an error is answered like any other.",
                                 "detach with closed and " + std::string(condition),
                                 peer::detach(0).closed().error(condition, "told to"), {"2.8.14-f", "2.8.14-c"}));
    for (const bool as_one : {false, true})
        for (const Role role : {Role::sender, Role::receiver})
            if (!as_one || role == Role::sender) cases.push_back(refused_client(role, as_one));
    return cases;
}

}  // namespace

Cases client_links() { return of_clients(life_of_clients_links()); }

}  // namespace aprotic::conform
