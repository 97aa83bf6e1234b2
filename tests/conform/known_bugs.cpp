#include <algorithm>

#include "conform/clock.hpp"
#include "conform/served.hpp"
#include "conform/wire.hpp"

/// Faults that libraries and brokers in use have had, each at the clause that it breaks. Their tag is known-bug.
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Role;
using wire::hex;

/// Puts this many small messages into a queue, settled, as fast as credit and window allow.
void fill_settled(Context& t, const std::string& address, std::uint32_t count) {
    Line& line = t.opened();
    const std::uint32_t window = line.begin().incoming_window;
    line.attach_sender(t.sender(address));
    line.ordinary([&] {
        send_settled(line, window, count);
        line.finish();
    });
}

/// The transfers of one message of this size in frames of at most 512 octets, its payload cut at `step`.
Case at_the_border(std::size_t from, std::size_t to) {
    return {.id = "2.6.14-a/known-border-" + std::to_string(from),
            .rule = "Where a message just fits a frame, or just does not, it comes out whole.",
            .sends = "max-frame-size 512, and messages of every size from " + std::to_string(from) + " to " +
                     std::to_string(to) + " octets",
            .accepts = "frames of at most 512 octets, and every message whole",
            .needs = {"queue", "multiple-frames"},
            .clauses = {"2.7.1-h"},
            .run = [from, to](Context& t) {
                Line& line = t.sending(t.queue());
                line.ordinary([&] {
                    for (std::size_t size = from; size <= to; ++size) {
                        line.send(Context::delivery(line, std::string(size, 'b')));
                        expect_accepted(line, line.next_delivery_id - 1, "a small message");
                    }
                    line.finish();
                });
                Line& small = t.opened(t.open().max_frame_size(512));
                Receiver receiver(small, t.receiver(t.queue()));
                for (std::size_t size = from; size <= to; ++size) {
                    receiver.grant(1);
                    const Arrived arrived = receiver.take("a message of " + std::to_string(size) + " octets");
                    small.require(text_in(receiver, arrived) == std::string(size, 'b'),
                                  "the message of " + std::to_string(size) + " octets as it was sent",
                                  std::to_string(arrived.octets.size()) + " other octets");
                    receiver.settle(arrived, codec::Accepted{});
                }
            }};
}

/// A receiver's attach whose source has this in its outcomes.
Case outcomes_as(const std::string& name, const std::string& sends, std::string outcomes, bool is_legal) {
    return {
        .id = "3.5.3-l/known-" + name,
        .rule = is_legal ? "A receiver names the outcomes that it may use."
                         : "A field of several symbols is a symbol or an array of them.",
        .sends = sends,
        .accepts = is_legal ? "attach with a source" : "an error, or attach; the end of the stream alone is not strict",
        .negative = !is_legal,
        .needs = {"queue"},
        .run = [outcomes = std::move(outcomes), is_legal](Context& t) {
            Line& line = t.mapped();
            auto fields = wire::fields_of(t.receiver(t.queue()).performative);
            auto source = wire::fields_of(*t.receiver(t.queue()).performative.source);
            std::ranges::find(source, "outcomes", &wire::Field::name)->octets = outcomes;
            std::ranges::find(fields, "source", &wire::Field::name)->octets =
                wire::composite(codec::descriptor::source, source);
            line.raw(wire::frame(wire::composite(codec::descriptor::attach, fields)));
            const auto works = answers<codec::Attach>("attaches the link",
                                                      [](const codec::Attach& a) { return a.source.has_value(); });
            line.accept_one_of(is_legal ? Reactions{works} : Reactions{closes(), ends(), detaches(), works, drops()});
        }};
}

Cases of_servers() {
    return {
        {.id = "2.5.6-i/known-unsettled",
         .rule = "What is not settled on one link need not hold up the other links of the session.",
         .sends = "a receiver with a delivery that it never settles, and beside it one for 2200 settled messages",
         .accepts =
             "2200 deliveries on the second link; a sender that stops, by what it has for its outgoing-window, is "
             "not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 constexpr std::uint32_t count = 2200;
                 t.fill(t.queue("held"), 1);
                 fill_settled(t, t.queue("other"), count);
                 Receiver held(t, t.queue("held"));
                 held.grant(1);
                 held.take("one message, credit 1");
                 Line& line = held.line;
                 const auto theirs = line.attach_receiver(
                     t.receiver(t.queue("other"), 1, "other").snd_settle_mode(codec::SenderSettleMode::settled));
                 std::uint32_t come = 0;
                 for (std::uint32_t granted = 0; come < count;) {
                     if (granted == come) {
                         granted += 200;
                         line.send(peer::flow()
                                       .next_incoming_id(held.next_incoming_id + come)
                                       .handle(1)
                                       .delivery_count(theirs->initial_delivery_count.value_or(0) + come)
                                       .link_credit(200));
                     }
                     const Heard heard = line.hear();
                     const auto transfer = heard.as<codec::Transfer>();
                     if (heard.kind == Heard::Kind::frame && !transfer && heard.condition().empty()) continue;
                     // Unsettled deliveries may make a sender's window smaller, and nothing says by how much. [2.5.6]
                     if (heard.kind == Heard::Kind::nothing)
                         return t.took("stops behind " + std::to_string(come) + " deliveries", Grade::lenient);
                     if (!transfer) line.fail("deliveries: there is credit and window for more", heard);
                     if (!transfer->settled.value_or(false))
                         line.send(
                             peer::disposition(Role::receiver, transfer->delivery_id.value_or(0)).settled().accepted());
                     ++come;
                 }
             }},
        {.id = "2.5.6-c/known-underflow",
         .rule = "A window that comes out below nothing is none, and not a very large one.",
         .sends = "credit for 10 messages, and a flow whose next-incoming-id lies 5 before the first transfer-id, with "
                  "window 3; then one in order",
         .accepts = "no transfer, then 10; an error is recorded, and to send all the same not strict, since no "
                    "next-incoming-id can be what this one is",
         .negative = true,
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 10);
                 Receiver receiver(t, t.queue());
                 const std::uint32_t start = receiver.next_incoming_id;
                 receiver.line.send(receiver.flow(10).next_incoming_id(start - 5).incoming_window(3));
                 const Heard heard =
                     receiver.line.accept_one_of({ignores(), answers<codec::Transfer>("sends all the same").lenient(),
                                                  closes().recorded(), ends().recorded(), detaches().recorded()});
                 if (heard.is(codec::descriptor::transfer) || !heard.condition().empty()) return;
                 expect_transfers(receiver.line, 0, "3 from 5 before the beginning");
                 receiver.line.send(receiver.flow(10).next_incoming_id(start).incoming_window(100));
                 expect_transfers(receiver.line, 10, "the window holds all");
             }},
        {.id = "2.6.7-a/known-head-of-line",
         .rule = "A link without credit holds up no other link of the session.",
         .sends = "two receivers on one session with 20 messages each, of which the second has credit",
         .accepts = "20 deliveries on the second",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue("a"), 20);
                 t.fill(t.queue("b"), 20);
                 Line& line = t.mapped();
                 line.attach_receiver(t.receiver(t.queue("a"), 0, "a"));
                 const auto theirs = line.attach_receiver(t.receiver(t.queue("b"), 1, "b"));
                 line.send(peer::flow()
                               .no_next_incoming_id()
                               .handle(1)
                               .delivery_count(theirs->initial_delivery_count.value_or(0))
                               .link_credit(20));
                 for (int i = 0; i < 20; ++i) {
                     const auto transfer = line.expect<codec::Transfer>("the second link has credit 20");
                     line.require(transfer->handle == theirs->handle, "deliveries of the second link",
                                  text_of(*transfer));
                 }
             }},
        {.id = "2.6.7-b/known-granted-again",
         .rule = "Credit that is granted again is not added to what there is.",
         .sends = "the same flow with credit 5 six times in one write, with 20 messages to come",
         .accepts = "5 deliveries",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 t.fill(t.queue(), 20);
                 Receiver receiver(t, t.queue());
                 const auto flow = receiver.flow(5);
                 receiver.line.send(flow, flow, flow, flow, flow, flow);
                 receiver.expect_deliveries(5, "the credit is 5");
             }},
        {.id = "2.6.3-b/known-transfers-behind",
         .rule = "A link that is refused takes nothing, whatever is on its way.",
         .sends = "a sender to a node that does not exist, and a message behind it in one write; then another session",
         .accepts = "the refusal or an error, and never accepted",
         .negative = true,
         .needs = {"refuses-unknown"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(t.sender(t.missing()), Context::delivery(line));
                 const auto accepted =
                     answers<codec::Disposition>("", [](const codec::Disposition& d) { return is_accepted(d.state); });
                 const auto has_node =
                     answers<codec::Attach>("", [](const codec::Attach& a) { return a.target.has_value(); });
                 const Heard heard = line.accept_one_of({detaches(), ends(), closes(), drops(), accepted, has_node});
                 if (has_node.matches(heard)) t.skip("the peer has a node at " + t.missing());
                 if (accepted.matches(heard)) line.fail("nothing is accepted on a link that is refused", heard);
             }},
        {.id = "2.4.5-d/known-while-receiving",
         .rule = "Who only receives sends empty frames all the same.",
         .sends = "open with an idle-time-out of 1000 ms, and settled messages all the time for three seconds",
         .accepts = "no pause above 1000 ms between frames",
         .needs = {"queue", "idle-time-out"},
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Line& line = t.opened(t.open().idle_time_out(1000));
                 line.begin();
                 line.attach_sender(t.sender(t.queue()));
                 const std::uint32_t most = std::min<std::uint32_t>(line.credit, 60);
                 constexpr double step = 0.05;
                 double last = seconds_now(), longest = 0, due = last;
                 std::uint32_t sent = 0;
                 for (const double end = last + 3; seconds_now() < end;) {
                     if (sent < most && seconds_now() >= due) {
                         line.send(Context::delivery(line).settled());
                         ++sent;
                         due += step;
                     }
                     line.keep_alive();
                     const Heard heard = line.hear(std::chrono::milliseconds(50));
                     if (heard.kind == Heard::Kind::end || heard.kind == Heard::Kind::bad) line.fail("frames", heard);
                     const double now = seconds_now();
                     longest = std::max(longest, now - last);
                     if (heard.kind == Heard::Kind::frame) last = now;
                 }
                 t.note("longest pause " + std::to_string(static_cast<int>(longest * 1000)) + " ms");
                 line.require(longest <= 2.0, "no pause above 1000 ms", std::to_string(longest) + " s");
                 if (longest > 1.2) t.took("pauses too long, but not twice as long", Grade::lenient);
             }},
        at_the_border(440, 520),
        {.id = "2.7.1-i/known-4-GiB",
         .rule = "A frame is refused by what its header says, before room is made for it.",
         .sends = "the header of a frame of 2^32 - 1 octets, on a session",
         .accepts =
             "close with framing-error; other errors, the end of the stream alone and waiting for the rest are not "
             "strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 if (line.their_open->max_frame_size == 0xffff'ffff) t.skip("the peer takes frames of any size");
                 line.may_probe = false;
                 line.raw(hex("ffffffff 02 00 0000") + std::string(64, '\0'));
                 line.accept_one_of(refuses_announced());
             }},
        outcomes_as("outcomes-as-list", "a source whose outcomes are a list of symbols",
                    hex("c0 15 01 a3 12") + "amqp:accepted:list", false),
        outcomes_as("modified-among-outcomes", "a source whose outcomes are accepted and modified",
                    hex("e0 28 02 a3 12") + "amqp:accepted:list" + hex("12") + "amqp:modified:list", true),
        outcomes_as("one-outcome", "a source whose outcomes are one symbol", hex("a3 12") + "amqp:accepted:list", true),
    };
}

/// A client's message of a size that just fits a frame, or just does not.
Case client_at_the_border(std::size_t size) {
    return {.id = "2.6.14-a/client-border-" + std::to_string(size),
            .rule = "Where a message just fits a frame, or just does not, it is sent whole.",
            .sends = "max-frame-size 512 to a client with a message of " + std::to_string(size) + " octets",
            .accepts = "frames of at most 512 octets, and a whole message",
            .clauses = {"2.7.1-h"},
            .run = [size](Context& t) {
                Served s(t, Served::sends(2, size));
                s.open_frame.max_frame_size(512);
                s.receiver().grant(2);
                for (int i = 0; i < 2; ++i) {
                    const Arrived arrived = s.receiver().take("there is credit");
                    message_in(s.receiver(), arrived);
                    if (arrived.octets.size() < size) t.skip("the client's messages are smaller than {size}");
                }
            }};
}

Cases of_the_clients() {
    return {
        {.id = "2.5.6-c/client-underflow",
         .rule = "A window that comes out below nothing is none, and not a very large one.",
         .sends = "incoming-window 3; after 3 transfers a flow that knows of none of them, with window 1; then one in "
                  "order",
         .accepts = "3 transfers, then none, then 7",
         .run =
             [](Context& t) {
                 Window w(t, Served::sends(10), 3);
                 w.expect(3, "the window is 3");
                 w.move(0, 1);
                 w.expect(0, "1 from the beginning, and 3 were sent");
                 w.move(3, 100);
                 w.expect(7, "the window holds the rest");
             }},
        {.id = "2.5.6-i/client-unsettled",
         .rule = "Windows count frames that are on their way, not deliveries that are not settled.",
         .sends = "2200 unsettled messages, as credit and window allow",
         .accepts = "credit and window for all of them, and all are answered",
         .run =
             [](Context& t) {
                 constexpr std::uint32_t count = 2200;
                 Served s(t, Served::receives(count));
                 s.attach();
                 std::uint32_t credit = 0, window = s.their_begin.incoming_window, sent = 0, answered = 0;
                 while (answered < count) {
                     for (; credit > 0 && window > 0 && sent < count; --credit, --window, ++sent)
                         s.line.send(Context::delivery(s.line));
                     const Heard heard = s.line.hear();
                     if (const auto disposition = heard.as<codec::Disposition>())
                         answered += disposition->last.value_or(disposition->first) - disposition->first + 1;
                     if (const auto flow = heard.as<codec::Flow>()) {
                         window = flow->next_incoming_id.value_or(0) + flow->incoming_window - sent;
                         credit = s.credit_in(heard, sent).value_or(credit);
                     }
                     const bool due = heard.kind == Heard::Kind::frame && heard.condition().empty();
                     if (!due)
                         s.line.fail("all of 2200 are answered; " + std::to_string(sent) + " were sent and " +
                                         std::to_string(answered) + " answered",
                                     heard);
                 }
             }},
        {.id = "2.6.7-b/client-granted-again",
         .rule = "Credit that is granted again is not added to what there is.",
         .sends = "the same flow with credit 3 six times in one write, to a client with 20 messages",
         .accepts = "3 deliveries",
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(20));
                 const auto flow = s.flow(3);
                 s.line.send(flow, flow, flow, flow, flow, flow);
                 s.receiver().expect_deliveries(3, "the credit is 3");
             }},
        {.id = "2.7.1-i/client-4-GiB",
         .rule = "A frame is refused by what its header says, before room is made for it.",
         .sends = "the header of a frame of 2^32 - 1 octets where open is due",
         .accepts =
             "close with framing-error; other errors, the end of the stream alone and waiting for the rest are not "
             "strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_open().line.raw(hex("ffffffff 02 00 0000") + std::string(64, '\0'));
                 s.line.may_probe = false;
                 if (s.their_open.max_frame_size == 0xffff'ffff) t.skip("the client takes frames of any size");
                 s.line.accept_one_of(refuses_announced());
             }},
        client_at_the_border(440),
        client_at_the_border(470),
        client_at_the_border(490),
    };
}

}  // namespace

Cases known_bugs() {
    Cases cases = of_servers();
    for (auto& one : of_clients(of_the_clients())) cases.push_back(std::move(one));
    for (auto& one : cases) one.tags.emplace_back("known-bug");
    return cases;
}

}  // namespace aprotic::conform
