#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {
namespace {

using namespace codec::condition;

/// A frame on a channel on which no session was begun. The specification names no reaction, only that there is none in
/// order.
template <class Frame>
Case unmapped(const std::string& name, Frame frame) {
    return {.id = "2.5.1-f/" + name,
            .rule = "A frame on a channel without a session is an error; which reaction it has is left open.",
            .sends = name + " on a channel on which nothing was begun",
            .accepts = "close with an error; dropping the frame, and the end of the stream alone, are not strict",
            .negative = true,
            .clauses = {"2.5.5-a"},
            .run = [frame](Context& t) mutable {
                Line& line = t.opened();
                line.send(frame.on_channel(0));
                const auto end = answers<codec::End>("ends a session that is none").lenient();
                line.accept_one_of({closes(), ends(), end, drops(), ignores().lenient()});
            }};
}

/// What makes the peer end a session with an error: a flow for a handle that no link has. [2.7.4-c]
peer::FlowFrame errant_flow(std::uint16_t channel = 0) {
    auto frame = peer::flow();
    frame.handle(77).link_credit(1).on_channel(channel);
    return frame;
}

/// A session that the peer has ended with an error.
Line& ended_by_peer(Context& t, Line& line, std::uint16_t channel = 0) {
    line.send(errant_flow(channel));
    line.ordinary([&] {
        const Heard heard = line.accept_one_of({ends(), closes(), drops(), ignores()});
        if (!heard.is(codec::descriptor::end)) t.skip("the peer ends no session for a flow with a handle of no link");
    });
    t.outcome = {};
    return line;
}

Cases beginning() {
    return {
        {.id = "2.5.1-b",
         .rule = "A begin is answered by a begin that names the channel it answers.",
         .sends = "begin on channel 0",
         .accepts = "begin with remote-channel 0",
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::begin());
                 const auto begin = line.expect<codec::Begin>();
                 line.require(begin->remote_channel == 0, "a begin with remote-channel 0", text_of(*begin));
             }},
        {.id = "2.5.1-b/channel-7",
         .rule = "A begin is answered by a begin that names the channel it answers.",
         .sends = "begin on channel 7",
         .accepts = "begin with remote-channel 7, on a channel that the peer is free to choose",
         .clauses = {"2.1-c"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 if (line.their_open->channel_max < 7) t.skip("the peer has no channel 7");
                 line.send(peer::begin().on_channel(7));
                 const auto begin = line.expect<codec::Begin>();
                 line.require(begin->remote_channel == 7, "a begin with remote-channel 7", text_of(*begin));
                 t.note("the peer's own channel is " + std::to_string(begin.channel));
             }},
        {.id = "2.5.1-b/highest-channel",
         .rule = "Every channel up to the peer's channel-max may be begun on.",
         .sends = "begin on the peer's channel-max",
         .accepts = "begin that names it",
         .clauses = {"2.7.1-l"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint16_t highest = line.their_open->channel_max;
                 line.send(peer::begin().on_channel(highest));
                 const auto begin = line.expect<codec::Begin>();
                 line.require(begin->remote_channel == highest,
                              "a begin with remote-channel " + std::to_string(highest), text_of(*begin));
             }},
        {.id = "2.5.1-c",
         .level = Level::should,
         .rule = "The lowest free channel is used for a session.",
         .sends = "begin on channels 2, 1 and 0, one after the other",
         .accepts = "begins on channels 0, 1 and 2",
         .needs = {"several-sessions"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 if (line.their_open->channel_max < 2) t.skip("the peer has fewer than three channels");
                 for (const unsigned ours : {2U, 1U, 0U}) {
                     line.send(peer::begin().on_channel(static_cast<std::uint16_t>(ours)));
                     const auto begin = line.expect<codec::Begin>();
                     line.require(begin.channel == 2 - ours, "begin on channel " + std::to_string(2 - ours),
                                  "begin on channel " + std::to_string(begin.channel));
                 }
             }},
        {.id = "2.1-b",
         .rule = "Several sessions may be up at once, as many as channel-max allows.",
         .sends = "begin on up to 32 channels",
         .accepts = "a begin for each, every one on another channel",
         .needs = {"several-sessions"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 std::set<std::uint16_t> theirs;
                 const unsigned count = std::min(32U, line.their_open->channel_max + 1U);
                 for (unsigned i = 0; i < count; ++i)
                     line.send(peer::begin().on_channel(static_cast<std::uint16_t>(i)));
                 for (unsigned i = 0; i < count; ++i) {
                     const auto begin = line.expect<codec::Begin>();
                     line.require(theirs.insert(begin.channel).second, "every session has a channel of its own",
                                  "channel " + std::to_string(begin.channel) + " twice");
                 }
             }},
        {.id = "2.5.1-d",
         .rule = "A begin whose remote-channel names no begin of the peer's answers nothing.",
         .sends = "begin with remote-channel 77",
         .accepts = "close or end with an error; anything else but a crash is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::begin().remote_channel(77));
                 const auto begun = answers<codec::Begin>("begins a session").lenient();
                 line.accept_one_of({closes(), ends(), begun, drops(), ignores().lenient()});
             }},
        {.id = "2.5.1-e",
         .rule = "A second begin on a channel that has a session is an error.",
         .sends = "begin on channel 0, twice",
         .accepts = "close or end with an error; the end of the stream alone is not strict",
         .negative = true,
         .clauses = {"2.5.5-a"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(peer::begin());
                 line.accept_one_of({closes(), ends(), drops()});
             }},
        {.id = "2.5.1-h",
         .rule = "A begin may be followed by other frames before the answer comes.",
         .sends = "begin and flow in one write; behind the answer end",
         .accepts = "begin, then end",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::begin(), peer::flow().no_next_incoming_id());
                 const auto begin = line.expect<codec::Begin>();
                 line.require(begin->remote_channel == 0, "a begin that answers channel 0", text_of(*begin));
                 line.send(peer::end());
                 line.expect<codec::End>();
             }},
        {.id = "2.5.1-h/with-end",
         .rule = "A begin that answers another names the channel of that, whatever became of it in between.",
         .sends = "begin and end in one write, which the figure of a session's states does not have",
         .accepts =
             "begin with the remote-channel, then end; close with an error, the end of the stream and nothing at "
             "all are recorded",
         .negative = true,
         .clauses = {"2.5.1-b"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::begin(), peer::end());
                 const Heard heard = line.hear();
                 const auto begin = heard.as<codec::Begin>();
                 if (begin) {
                     line.require(begin->remote_channel == 0, "a begin that answers channel 0", text_of(*begin));
                     line.expect<codec::End>();
                     return;
                 }
                 const bool silent = heard.kind == Heard::Kind::nothing || heard.kind == Heard::Kind::end;
                 if (!silent && !heard.is(codec::descriptor::close)) line.fail("begin, then end", heard);
                 t.took("answers with " + heard.text(), Grade::recorded);
             }},
        {.id = "2.5.1-g",
         .rule = "A channel may be used again when both sides have ended its session.",
         .sends = "begin and end on channel 0, 200 times",
         .accepts = "begin and end, 200 times",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 for (int i = 0; i < 200; ++i) {
                     line.send(peer::begin());
                     line.expect<codec::Begin>();
                     line.send(peer::end());
                     line.expect<codec::End>();
                 }
             }},
    };
}

Cases ending() {
    return {
        {.id = "2.5.2-a",
         .rule = "An end is answered with an end.",
         .sends = "end",
         .accepts = "end without error on the peer's channel of this session",
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 line.send(peer::begin());
                 const auto begin = line.expect<codec::Begin>();
                 line.send(peer::end());
                 const auto end = line.expect<codec::End>();
                 line.require(!end->error, "an end without error", text_of(*end));
                 line.require(end.channel == begin.channel, "end on the channel of the begin", "another channel");
             }},
        {.id = "2.5.2-a/with-error",
         .rule = "An end that carries an error is answered with an end like any other.",
         .sends = "end with the error com.example:conform",
         .accepts = "end, and the connection stands",
         .clauses = {"2.8.14-c"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(peer::end().error("com.example:conform", "told to"));
                 line.expect<codec::End>();
                 line.begin();
             }},
        {.id = "2.5.2-b",
         .rule = "Nothing is sent on a channel behind end.",
         .sends = "end on a session whose receiver has credit and messages to come",
         .accepts = "transfers, end, and nothing behind it",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = receiving_through(t, 2048, 20).line;
                 line.send(peer::end());
                 Heard heard = line.hear();
                 while (heard.kind == Heard::Kind::frame && !heard.is(codec::descriptor::end)) heard = line.hear();
                 if (!heard.is(codec::descriptor::end)) line.fail("end", heard);
                 heard = line.hear(t.timing().quiet * 4);
                 if (heard.kind != Heard::Kind::nothing && !heard.view.empty())
                     line.fail("nothing comes on the channel behind end", heard);
             }},
        {.id = "2.5.2-c",
         .rule = "Links of an ended session are detached, not closed: their names are free for another session.",
         .sends = "a sender, end, begin, and the sender again by the same name",
         .accepts = "attach, end, begin, attach",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string address = t.queue();
                 Line& line = t.sending(address);
                 line.send(peer::end());
                 line.expect<codec::End>();
                 line.begin();
                 line.send(t.sender(address));
                 line.expect<codec::Attach>("the name is free");
             }},
        {.id = "2.5.3-a",
         .rule = "Two ends that cross finish the session once.",
         .sends = "what makes the peer end the session, and end, in one write; then begin on the channel",
         .accepts = "one end, then begin",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(errant_flow(), peer::end());
                 const Heard heard = line.hear();
                 if (!heard.is(codec::descriptor::end)) t.skip("the peer does not end the session: " + heard.text());
                 line.send(peer::begin());
                 line.expect<codec::Begin>("the channel is free, and no second end comes");
             }},
        {.id = "2.5.4-a",
         .rule = "A session that cannot go on is ended with an error.",
         .sends = "flow for a handle that no link has",
         .accepts = "end with unattached-handle; close and other errors are not strict",
         .negative = true,
         .clauses = {"2.7.4-c", "2.6.2-e"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.send(errant_flow());
                 line.accept_one_of({ends({unattached_handle}), ends().lenient(), closes().lenient(), drops()});
             }},
        {.id = "2.5.4-b",
         .rule =
             "Behind an erroring end incoming frames are dropped until the other end, and then the channel is free.",
         .sends = "what makes the peer end the session; flows; end; begin",
         .accepts = "nothing until begin is answered",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = ended_by_peer(t, t.mapped());
                 line.send(peer::flow().echo(), errant_flow());
                 line.expect_nothing(t.timing().quiet * 2, "what comes behind an erroring end is dropped");
                 line.send(peer::end(), peer::begin());
                 line.expect<codec::Begin>("the channel is free");
             }},
        {.id = "2.5.4-c",
         .rule = "An error of one session leaves the others alone.",
         .sends = "two sessions, of which one makes the peer end it; then flow with echo, and end, on the other",
         .accepts = "end without error for the other",
         .negative = true,
         .needs = {"several-sessions"},
         .run =
             [](Context& t) {
                 Line& line = t.mapped();
                 line.begin(1);
                 ended_by_peer(t, line, 0);
                 line.send(peer::end().on_channel(0));
                 line.send(peer::flow().echo().on_channel(1), peer::end().on_channel(1));
                 const auto end = line.expect<codec::End>("the other session is in order");
                 line.require(!end->error, "an end without error", text_of(*end));
             }},
    };
}

}  // namespace

Cases sessions() {
    Cases cases = beginning();
    cases.push_back(unmapped("attach", peer::attach(codec::Role::sender, 0)));
    cases.push_back(unmapped("flow", peer::flow()));
    cases.push_back(unmapped("transfer", peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(0)));
    cases.push_back(unmapped("disposition", peer::disposition(codec::Role::receiver, 0)));
    cases.push_back(unmapped("detach", peer::detach(0)));
    cases.push_back(unmapped("end", peer::end()));
    for (auto& one : ending()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
