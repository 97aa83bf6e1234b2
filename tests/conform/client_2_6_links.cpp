#include "conform/served.hpp"

/// How clients attach and detach links, and what they do with credit. [2.6] [2.7.3] [2.7.4]
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
    return {.id = std::string("2.6.3-b/client-") + (as_one ? "credit-" : "") + (sends ? "target" : "source"),
            .level = as_one ? Level::should : Level::must,
            .rule = "An attach without the partner's terminus is no link: a detach follows, and is answered.",
            .sends = std::string("attach with null for ") + (sends ? "target" : "source") +
                     (as_one ? ", then credit" : "") + ", then detach with closed and amqp:not-found",
            .accepts = "detach with closed and without an error, and nothing sent on the link; close is not strict",
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
                    if (heard.kind != Heard::Kind::frame || heard.is(codec::descriptor::transfer) ||
                        !heard.condition().empty())
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
            .accepts = closed ? "detach with closed" : "detach, with closed or without",
            .clauses = std::move(clauses),
            .run = [detach, closed](Context& t) {
                Served s(t, any_task(t));
                s.attach().line.send(detach);
                const auto fits = [closed](const codec::Detach& d) { return (d.closed || !closed) && !d.error; };
                s.line.accept_one_of({answers<codec::Detach>("detaches the link", fits), ends().lenient(),
                                      closes_in_order().lenient(), drops()});
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
         .accepts = "5 deliveries",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(5));
                 s.receiver().grant(0xffff'ffff);
                 s.receiver().expect_deliveries(5, "there is credit for all");
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

Cases client_links() {
    Cases cases = life_of_clients_links();
    for (auto* more : {credit_of_senders, credit_of_receivers})
        for (auto& one : more()) cases.push_back(std::move(one));
    return of_clients(std::move(cases));
}

}  // namespace aprotic::conform
