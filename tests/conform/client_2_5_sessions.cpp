#include <algorithm>

#include "conform/served.hpp"
#include "conform/wire.hpp"

/// How clients begin and end sessions and keep to their windows. [2.5] [2.7.2]
namespace aprotic::conform {
namespace {

using namespace codec::condition;

/// On a connection with a session the server writes a frame that has no place there.
template <class... Frames>
Case misplaced(const std::string& id, const std::string& rule, const std::string& sends, Reactions reactions,
               Frames... frames) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "an error; what is not strict is told",
            .negative = true,
            .run = [=](Context& t) {
                Served s(t, any_task(t));
                s.begin();
                s.line.send(frames...);
                s.line.accept_one_of(reactions);
            }};
}

Reactions refuses_channel() { return {closes(), ends(), drops(), ignores().lenient()}; }

Case ended(const std::string& id, const std::string& rule, const std::string& sends, peer::EndFrame end) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "end, and then nothing on its channel",
            .clauses = {"2.5.2-b"},
            .run = [end = std::move(end)](Context& t) {
                Served s(t, any_task(t));
                s.attach().line.send(end);
                s.line.accept_one_of({answers<codec::End>("ends the session")});
                s.note_exit();
                // It may have begun another one by now, or go. [2.5.1-g]
                for (;;) {
                    const Heard heard = s.line.hear(t.timing().quiet);
                    if (heard.kind != Heard::Kind::frame || heard.is(codec::descriptor::begin) ||
                        heard.is(codec::descriptor::close))
                        return;
                    if (!heard.view.empty() && heard.view.channel == s.channel)
                        s.line.fail("nothing on the channel behind end", heard);
                }
            }};
}

Cases beginning_of_clients() {
    return {
        {.id = "2.5.1-a/client",
         .rule = "A session is begun without remote-channel.",
         .sends = "open",
         .accepts = "begin without remote-channel",
         .clauses = {"2.5.1-c"},
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_begin();
                 s.line.require(!s.their_begin.remote_channel, "begin without remote-channel", text_of(s.their_begin));
                 if (s.channel != 0) t.took("does not take the lowest channel", Grade::lenient);
             }},
        {.id = "2.5.1-b/client",
         .rule = "The two ends of a session have channels of their own.",
         .sends = "begin, attach and credit on channel 7",
         .accepts = "a transfer on the client's channel, and its close in the end",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.hear_begin();
                 s.line.send(peer::begin().remote_channel(s.channel).on_channel(7));
                 const auto attach = s.line.expect<codec::Attach>();
                 auto ours = peer::attach(codec::Role::receiver, 0, attach->name);
                 ours.performative.target = attach->target;
                 s.line.send(ours.on_channel(7), peer::flow()
                                                     .next_incoming_id(s.their_begin.next_outgoing_id)
                                                     .handle(0)
                                                     .delivery_count(attach->initial_delivery_count.value_or(0))
                                                     .link_credit(1)
                                                     .on_channel(7));
                 const auto transfer = s.line.expect<codec::Transfer>("there is credit");
                 s.line.require(transfer.channel == s.channel, "a transfer on channel " + std::to_string(s.channel),
                                "one on channel " + std::to_string(transfer.channel));
             }},
        misplaced("2.5.1-d/client", "A begin whose remote-channel names no session is an error.",
                  "begin with remote-channel 77", {closes(), drops(), ends().lenient(), ignores().lenient()},
                  peer::begin().remote_channel(77).on_channel(5)),
        {.id = "2.5.1-e/client",
         .rule = "A begin on a channel that has a session is an error.",
         .sends = "the answer to the client's begin, twice",
         .accepts = "an error; the end of the stream alone is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.begin().line.send(peer::begin().remote_channel(s.channel));
                 s.line.accept_one_of({closes(), ends(), drops()});
             }},
        misplaced("2.5.1-f/client-flow", "A frame on a channel without a session is an error.",
                  "flow on a channel on which nothing was begun", refuses_channel(), peer::flow().on_channel(9)),
        misplaced("2.5.1-f/client-transfer", "A frame on a channel without a session is an error.",
                  "transfer on a channel on which nothing was begun", refuses_channel(),
                  peer::transfer(0).delivery_id(0).delivery_tag("a").payload("x").on_channel(9)),
        misplaced("2.5.1-f/client-end", "A frame on a channel without a session is an error.",
                  "end on a channel on which nothing was begun", refuses_channel(), peer::end().on_channel(9)),
        {.id = "2.7.2-a/client",
         .rule = "next-outgoing-id, incoming-window and outgoing-window are mandatory.",
         .sends = "begin with null for incoming-window",
         .accepts = "close or end with decode-error or invalid-field; other errors are not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_begin();
                 s.line.raw(wire::frame(wire::described(
                     codec::descriptor::begin, wire::list({wire::hex("60") + wire::be(s.channel, 2), wire::hex("43"),
                                                           wire::hex("40"), wire::hex("43")}))));
                 s.line.claim(0);
                 s.line.accept_one_of(refuses_malformed());
             }},
        {.id = "2.7.2-b/client",
         .rule = "No handle above the partner's handle-max is used.",
         .sends = "begin with handle-max 0",
         .accepts = "attach on handle 0",
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.begin_frame.handle_max(0);
                 s.hear_attach();
                 s.line.require(s.their_attach.handle == 0, "attach on handle 0", text_of(s.their_attach));
             }},
        {.id = "2.7.2-f/client",
         .rule = "Capabilities and properties of a session that a client does not know are passed over.",
         .sends = "begin with a nested property of our own",
         .accepts = "attach",
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.begin_frame.property(codec::Symbol("com.example:conform"), codec::Map{{codec::Symbol("a"), 1}});
                 s.begin().line.accept_one_of({answers<codec::Attach>("attaches its link")});
             }},
        ended("2.5.2-a/client", "An end is answered by an end.", "end on a session with a link", peer::end()),
        ended("2.5.2-a/client-with-error", "An end that carries an error is answered by an end like any other.",
              "end with amqp:resource-limit-exceeded", peer::end().error(resource_limit_exceeded, "too much")),
    };
}

Cases windows_of_clients() {
    return {
        {.id = "2.5.6-b/client",
         .rule = "No transfer is sent beyond the partner's incoming-window.",
         .sends = "credit 100 and incoming-window 3 to a client with 10 messages, then 4 more, then the rest",
         .accepts = "3 transfers, then 4, then 3",
         .run =
             [](Context& t) {
                 Window w(t, Served::sends(10), 3);
                 w.expect(3, "the window is 3");
                 w.move(3, 4);
                 w.expect(4, "the window is 4");
                 w.move(7, 100);
                 w.expect(3, "the window holds them all");
             }},
        {.id = "2.5.6-e/client",
         .rule = "A window of 0 stops transfers, and nothing else.",
         .sends = "credit 100 and incoming-window 0 to a client with 3 messages; then window 1; then 100",
         .accepts = "attach and no transfer; then 1, then 2",
         .run =
             [](Context& t) {
                 Window w(t, Served::sends(3), 0);
                 w.expect(0, "the window is 0");
                 w.move(0, 1);
                 w.expect(1, "the window is 1");
                 w.move(1, 100);
                 w.expect(2, "the window holds the rest");
             }},
        {.id = "2.5.6-j/client",
         .rule = "Windows count frames, not messages.",
         .sends =
             "credit 100 and incoming-window 2 to a client with a message of 2000 octets, of which 512 fit a frame",
         .accepts = "2 transfers, then 1, then the rest of the message",
         .run =
             [](Context& t) {
                 Window w(t, Served::sends(1, 2000), 2);
                 const unsigned first = transfers_until_quiet(w.s.line);
                 if (first == 1) t.skip("the client's message is smaller than {size}");
                 w.s.line.require(first == 2, "2 transfers: the window is 2", std::to_string(first) + " transfers");
                 w.move(2, 1);
                 w.expect(1, "the window is 1");
                 w.move(3, 100);
                 const unsigned rest = transfers_until_quiet(w.s.line);
                 w.s.line.require(rest > 0, "the rest of the message", "no transfer");
             }},
        {.id = "2.5.6-c/client-stale",
         .rule = "A window counts from the next-incoming-id of its flow, not from when that comes.",
         .sends = "incoming-window 3; after 3 transfers a flow that knows of none of them, with window 5",
         .accepts = "3 transfers, then 2",
         .run =
             [](Context& t) {
                 Window w(t, Served::sends(10), 3);
                 w.expect(3, "the window is 3");
                 w.move(0, 5);
                 w.expect(2, "5 from the beginning, of which 3 were sent");
             }},
        {.id = "2.5.6-i/client",
         .rule = "A client opens its incoming window again before it dries up.",
         .sends = "3000 settled messages, as credit and window of the client's allow",
         .accepts = "credit and window for all of them, without a pause",
         .run =
             [](Context& t) {
                 Served s(t, Served::receives(3000));
                 s.attach();
                 std::uint32_t credit = 0, window = s.their_begin.incoming_window, sent = 0;
                 while (sent < 3000) {
                     std::string octets;
                     for (; credit > 0 && window > 0 && sent < 3000; --credit, --window, ++sent)
                         octets += codec::as_text(Context::delivery(s.line).settled().encode(0).span());
                     if (!octets.empty()) s.line.raw(octets);
                     if (sent == 3000) break;
                     const Heard heard = s.line.hear();
                     const auto flow = heard.as<codec::Flow>();
                     if (!flow && (heard.kind != Heard::Kind::frame || !heard.view.empty()))
                         s.line.fail(
                             "credit and window for 3000 deliveries, of which " + std::to_string(sent) + " were sent",
                             heard);
                     if (!flow) continue;
                     window = flow->next_incoming_id.value_or(0) + flow->incoming_window - sent;
                     credit = s.credit_in(heard, sent).value_or(credit);
                 }
             }},
        {.id = "2.5.6-a/client",
         .rule = "Transfer ids are serial numbers: they may start anywhere, and they wrap.",
         .sends = "begin with next-outgoing-id 2^32 - 3, and 8 messages; then flow with echo",
         .accepts = "8 messages are answered, and a flow, if one comes, has next-incoming-id 5",
         .clauses = {"2.8.7-b"},
         .run =
             [](Context& t) {
                 constexpr std::uint32_t start = 0xffff'fffd;
                 Served s(t, Served::receives(100));
                 s.begin_frame.next_outgoing_id(start);
                 if (s.await_credit() < 8) t.skip("the client gives credit for fewer than 8 deliveries");
                 s.line.next_delivery_id = start;
                 for (int i = 0; i < 8; ++i) s.line.send(Context::delivery(s.line));
                 outcome_of(s.line, start + 7);
                 s.line.send(peer::flow().next_incoming_id(s.their_begin.next_outgoing_id).next_outgoing_id(5).echo());
                 for (Heard heard; (heard = s.line.hear(t.timing().quiet * 8)).kind == Heard::Kind::frame;) {
                     const auto flow = heard.as<codec::Flow>();
                     if (!flow) continue;
                     if (flow->next_incoming_id == 5U) return;
                     const std::uint32_t ahead = 5 - flow->next_incoming_id.value_or(4);
                     s.line.require(ahead < 9, "next-incoming-id 5, or an earlier one first", text_of(*flow));
                 }
                 t.note("echo was not answered");
             }},
        {.id = "2.6.7-p/client-session",
         .level = Level::should,
         .rule = "A flow with echo is answered by a flow.",
         .sends = "a session's flow with echo",
         .accepts = "a flow that does not ask for echo itself",
         .clauses = {"2.6.7-q", "2.7.4-a", "2.7.4-d"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.attach().line.send(peer::flow().next_incoming_id(s.their_begin.next_outgoing_id).echo());
                 const auto flow = s.line.expect<codec::Flow>("echo asks for it");
                 s.line.require(!flow->echo, "a flow without echo", text_of(*flow));
                 s.line.require(flow->next_incoming_id.has_value(), "next-incoming-id, since the begin has come",
                                text_of(*flow));
             }},
    };
}

}  // namespace

Cases client_sessions() {
    Cases cases = beginning_of_clients();
    for (auto& one : windows_of_clients()) cases.push_back(std::move(one));
    return of_clients(std::move(cases));
}

}  // namespace aprotic::conform
