#include "conform/clock.hpp"
#include "conform/served.hpp"
#include "conform/wire.hpp"

/// How clients open, keep and close connections. [2.4] [2.7.1]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using codec::Symbol;
using wire::hex;

/// The answer to the client's open is legal and unusual: it goes on.
Case odd_open(const std::string& id, const std::string& rule, const std::string& sends,
              std::function<void(peer::OpenFrame&)> change) {
    return {
        .id = id, .rule = rule, .sends = sends, .accepts = "begin", .run = [change = std::move(change)](Context& t) {
            Served s(t, any_task(t));
            change(s.open_frame);
            s.open().line.accept_one_of({answers<codec::Begin>("begins a session")});
        }};
}

/// The server answers the client's open with this.
Case answered_by(const std::string& id, const std::string& rule, const std::string& sends, std::string octets,
                 Reactions reactions) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "close with an error; the end of the stream alone is not strict",
            .negative = true,
            .run = [octets = std::move(octets), reactions = std::move(reactions)](Context& t) {
                Served s(t, any_task(t));
                s.hear_open().line.raw_open(octets);
                s.line.accept_one_of(reactions);
            }};
}

std::string written(const auto& built) { return std::string(codec::as_text(built.encode(0).span())); }

/// How a close of the server's is answered, on a connection with a link.
Case closed(const std::string& id, const std::string& rule, const std::string& sends, peer::CloseFrame close,
            std::vector<std::string> clauses = {}) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "close without an error of its own, and nothing behind it",
            .clauses = std::move(clauses),
            .run = [close = std::move(close)](Context& t) {
                Served s(t, any_task(t));
                s.attach().line.send(close);
                s.line.accept_one_of({closes_in_order()});
                s.line.expect_finished();
                s.note_exit();
                if (t.called_again(t.timing().quiet) != nullptr) t.note("it connects again");
            }};
}

peer::CloseFrame redirect() {
    peer::CloseFrame close;
    close.error(connection_redirect, "over there");
    codec::Map& info = close.performative.error->info;
    info.set(Symbol("hostname"), "conform.example.com");
    info.set(Symbol("network-host"), "127.0.0.1");
    info.set(Symbol("port"), std::uint16_t{9});
    return close;
}

double longest_pause_of(Line& line, double seconds) {
    double longest = 0, last = seconds_now();
    for (const double end = last + seconds; seconds_now() < end;) {
        const Heard heard = line.hear(std::chrono::milliseconds(50));
        if (heard.kind == Heard::Kind::end || heard.kind == Heard::Kind::bad) line.fail("frames", heard);
        const double now = seconds_now();
        longest = std::max(longest, now - last);
        if (heard.kind == Heard::Kind::frame) last = now;
    }
    return longest;
}

Cases opening_of_clients() {
    Cases cases = {
        {.id = "2.4.1-a/client",
         .rule = "open is the first frame, on channel 0, of at most 512 octets.",
         .sends = "the header, and nothing more",
         .accepts = "open with a container-id",
         .clauses = {"2.4.1-b", "2.4.1-c"},
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.greet();
                 const auto open = s.line.expect<codec::Open>();
                 s.line.require(open.channel == 0, "open on channel 0", "channel " + std::to_string(open.channel));
                 t.note("max-frame-size " + std::to_string(open->max_frame_size) + ", channel-max " +
                        std::to_string(open->channel_max) +
                        (open->idle_time_out ? ", idle-time-out " + std::to_string(*open->idle_time_out) : ""));
             }},
        {.id = "2.4.1-g/client",
         .rule = "open is sent once.",
         .sends = "open twice",
         .accepts = "close with an error; the end of the stream alone is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_open().line.send(s.open_frame, s.open_frame);
                 s.line.accept_one_of({closes(), drops()});
             }},
        {.id = "2.4.1-a/client-begin-first",
         .rule = "Nothing comes before open.",
         .sends = "begin where open is due, and open behind it",
         .accepts = "close with an error; the end of the stream alone is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_open().line.send(peer::begin(), s.open_frame);
                 s.line.accept_one_of({closes(), drops()});
             }},
        {.id = "2.4.1-b/client",
         .rule = "open is sent on channel 0.",
         .sends = "open on channel 1",
         .accepts = "close with an error; the end of the stream alone, and taking it, are not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_open().line.send(s.open_frame.on_channel(1));
                 s.line.accept_one_of({closes(), drops(), answers<codec::Begin>("begins a session").lenient()});
             }},
        {.id = "2.2-n/client",
         .level = Level::informative,
         .rule = "Where a frame is due there is no header.",
         .sends = "the AMQP header again, behind open",
         .accepts = "close with an error; waiting for the rest of what it takes for a frame is recorded",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.open().line.header();
                 s.line.accept_one_of({closes(), drops(), ignores().recorded()});
             }},
        odd_open("2.7.1-q/client", "Capabilities and properties that a client does not know are passed over.",
                 "open with capabilities and a nested property of our own",
                 [](peer::OpenFrame& open) {
                     open.offers(Symbol("com.example:conform")).desires(Symbol("com.example:more"));
                     open.property(Symbol("com.example:nested"), codec::Map{{Symbol("a"), codec::Map{}}});
                 }),
        odd_open("2.7.1-n/client", "Locales that a client does not know are passed over.",
                 "open with outgoing-locales and incoming-locales de-CH and tlh",
                 [](peer::OpenFrame& open) {
                     open.performative.outgoing_locales =
                         open.performative.incoming_locales = {Symbol("de-CH"), Symbol("tlh")};
                 }),
        odd_open("2.7.1-b/client", "A container-id may be any string.", "open with an empty container-id",
                 [](peer::OpenFrame& open) { open.container_id(""); }),
        odd_open("2.7.1-b/client-long", "A container-id may be any string.",
                 "open with a container-id of 300 octets beyond ASCII",
                 [](peer::OpenFrame& open) {
                     std::string id;
                     while (id.size() < 300) id += "\xC3\xAF";
                     open.container_id(id);
                 }),
        answered_by("2.7.1-a/client", "container-id is mandatory.", "open with null for container-id",
                    wire::frame(wire::described(codec::descriptor::open, wire::list({hex("40")}))),
                    refuses_malformed()),
        answered_by("2.7.1-f/client", "A max-frame-size below 512 is not legal.", "open with max-frame-size 100",
                    written(peer::open().max_frame_size(100)),
                    {closes(), drops(), answers<codec::Begin>("begins a session").lenient()}),
        {.id = "2.7.1-h/client",
         .rule = "No frame is larger than the partner's max-frame-size.",
         .sends = "max-frame-size 512 to a client that sends a message of 20 000 octets",
         .accepts = "the message whole, in frames of at most 512 octets",
         .clauses = {"2.6.14-a"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends(1, 20'000));
                 s.open_frame.max_frame_size(512);
                 s.receiver().grant(1);
                 const Arrived delivery = s.receiver().take("there is credit");
                 message_in(s.receiver(), delivery);
                 if (delivery.octets.size() < 20'000) t.skip("the client's messages are smaller than {size}");
                 t.note(std::to_string(delivery.frames) + " frames");
             }},
        {.id = "2.7.1-k/client",
         .rule = "No channel above the partner's channel-max is used.",
         .sends = "channel-max 0 to a client that sends a message",
         .accepts = "everything on channel 0",
         .clauses = {"2.7.1-m"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.open_frame.performative.channel_max = 0;
                 s.hear_begin();
                 s.line.require(s.channel == 0, "begin on channel 0", "channel " + std::to_string(s.channel));
                 s.receiver().grant(1);
                 s.receiver().take("there is credit");
             }},
        {.id = "2.7.1-l/client",
         .rule = "A frame on a channel above the own channel-max ends the connection with framing-error.",
         .sends = "flow on a channel above the client's channel-max",
         .accepts = "close with framing-error; other errors and the end of the stream alone are not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.begin();
                 if (s.their_open.channel_max == 0xffff) t.skip("the client's channel-max is the highest there is");
                 s.line.send(peer::flow().on_channel(static_cast<std::uint16_t>(s.their_open.channel_max + 1)));
                 s.line.accept_one_of(refuses_framing() + Reactions{ignores().lenient()});
             }},
    };
    return cases;
}

Cases closing_of_clients() {
    return {
        closed("2.4.3-d/client", "A close is answered by a close.", "close on a connection with a link", peer::close(),
               {"2.4.3-b", "2.4.3-h"}),
        closed("2.4.3-d/client-with-error", "A close that carries an error is answered by a close like any other.",
               "close with amqp:connection:forced", peer::close().error(connection_forced, "going down"), {"2.8.14-e"}),
        closed("2.8.14-c/client", "A condition that nobody knows is no error itself.",
               "close with the condition com.example:conform", peer::close().error("com.example:conform", "told to")),
        closed("2.8.14-e/client-redirect", "A redirect is a close like any other to the connection that it ends.",
               "close with amqp:connection:redirect to a port where nobody is", redirect()),
        {.id = "2.4.3-d/client-before-begin",
         .rule = "A server that takes nobody opens and closes at once.",
         .sends = "open and close with amqp:not-allowed in one write",
         .accepts = "close, and nothing behind it",
         .clauses = {"2.4.2-b"},
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.hear_open().line.send(s.open_frame, peer::close().error(not_allowed, "nobody is let in"));
                 s.line.accept_one_of({closes_in_order()});
                 s.line.expect_finished();
                 s.note_exit();
             }},
        {.id = "2.4.6-c/client",
         .rule = "The end of the stream without a close is the end of the connection.",
         .sends = "the end of the stream, on a connection with a link",
         .accepts = "the end of the stream; a close before it is fine",
         .run =
             [](Context& t) {
                 Served s(t, any_task(t));
                 s.attach().line.half_close();
                 s.line.may_probe = false;
                 s.line.expect_end("the server says nothing more");
                 s.note_exit();
                 if (t.called_again(t.timing().quiet) != nullptr) t.note("it connects again");
             }},
        {.id = "2.4.3-a/client",
         .rule = "A client that is done closes the connection before it ends the stream.",
         .sends = "accepted, for the only message of a client that sends",
         .accepts = "close without an error; the end of the stream alone is not strict",
         .clauses = {"2.4.3-f"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.receiver().grant(1);
                 s.receiver().settle(s.receiver().take("there is credit"), codec::Accepted{});
                 s.leaves_in_order();
             }},
    };
}

Cases idling_of_clients() {
    return {
        {.id = "2.4.5-d/client",
         .rule = "A client keeps its partner's idle-time-out satisfied by sending frames.",
         .sends = "open with an idle-time-out of 1000 ms, then no credit for three seconds",
         .accepts = "no pause above 1000 ms between frames",
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.open_frame.idle_time_out(1000);
                 s.attach();
                 const double pause = longest_pause_of(s.line, 3);
                 t.note("longest pause " + std::to_string(static_cast<int>(pause * 1000)) + " ms");
                 // The value that is announced is half of what is waited for, and a clock is not exact. [2.4.5-c]
                 s.line.require(pause <= 2.0, "no pause above 1000 ms between frames",
                                "a pause of " + std::to_string(pause) + " s");
                 if (pause > 1.2) t.took("pauses too long, but not twice as long", Grade::lenient);
             }},
        {.id = "2.4.5-e/client",
         .level = Level::should,
         .rule = "An idle-time-out that cannot be kept is refused with close and error, not ignored.",
         .sends = "open with an idle-time-out of 1 ms",
         .accepts = "close with an error, or frames without pause",
         .negative = true,
         .tags = {"idle"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.open_frame.idle_time_out(1);
                 s.open();
                 unsigned frames = 0;
                 for (const double end = seconds_now() + 0.3; seconds_now() < end;) {
                     const Heard heard = s.line.hear(std::chrono::milliseconds(50));
                     if (heard.is(codec::descriptor::close)) return t.took("refuses it: " + heard.condition());
                     if (heard.kind == Heard::Kind::end) return t.took(drops().name, Grade::lenient);
                     if (heard.kind == Heard::Kind::frame) frames += heard.view.empty() ? 1U : 0U;
                 }
                 t.note(std::to_string(frames) + " empty frames in 300 ms");
                 s.line.require(frames > 0, "close with an error, or frames", "no empty frame in 300 ms");
                 t.took("keeps up as it can");
             }},
        {.id = "2.4.5-f/client",
         .rule = "An idle-time-out of 0 is none.",
         .sends = "open with an idle-time-out of 0",
         .accepts = "the client goes on as if there were none: begin, and no flood of empty frames",
         .tags = {"idle"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.open_frame.idle_time_out(0);
                 s.attach();
                 unsigned empty = 0;
                 for (const double end = seconds_now() + 0.3; seconds_now() < end;) {
                     const Heard heard = s.line.hear(std::chrono::milliseconds(50));
                     if (heard.kind == Heard::Kind::end || heard.kind == Heard::Kind::bad)
                         s.line.fail("the client goes on", heard);
                     if (heard.kind == Heard::Kind::frame && heard.view.empty()) ++empty;
                 }
                 s.line.require(empty < 10, "no flood of empty frames", std::to_string(empty) + " in 300 ms");
             }},
        {.id = "2.4.5-c/client",
         .level = Level::should,
         .rule = "The idle-time-out that is announced is half of what is really waited for.",
         .sends = "nothing, for one and a half of the client's idle-time-out",
         .accepts = "the connection is still there",
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.attach();
                 const std::uint32_t wanted = s.their_open.idle_time_out.value_or(0);
                 if (wanted == 0 || wanted > 4000) t.skip("the client has no idle-time-out, or one above 4 s");
                 s.line.expect_nothing(std::chrono::milliseconds(wanted * 3 / 2), "the connection stays open");
             }},
        {.id = "2.4.5-b/client",
         .level = Level::should,
         .rule = "A client whose idle-time-out passes closes with an error.",
         .sends = "nothing, for twice the client's idle-time-out and a second",
         .accepts = "close with an error, not before the time-out; the end of the stream alone is not strict",
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Served s(t, Served::sends());
                 s.attach();
                 const std::uint32_t most = s.their_open.idle_time_out.value_or(0);
                 if (most == 0 || most > 5000) t.skip("the client has no idle-time-out, or one above 5 s");
                 const double began = seconds_now();
                 s.line.may_probe = false;
                 s.line.timing.answer = std::chrono::milliseconds(2 * most + 1000);
                 s.line.accept_one_of({closes(), drops()});
                 const double took = seconds_now() - began;
                 t.note("after " + std::to_string(static_cast<int>(took * 1000)) + " ms");
                 s.line.require(took >= most / 1000.0 * 0.9, "not before the time-out", "too early");
             }},
    };
}

}  // namespace

Cases client_connections() {
    Cases cases = opening_of_clients();
    for (auto* more : {closing_of_clients, idling_of_clients})
        for (auto& one : more()) cases.push_back(std::move(one));
    return of_clients(std::move(cases));
}

}  // namespace aprotic::conform
