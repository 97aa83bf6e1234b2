#include <algorithm>

#include "conform/clock.hpp"
#include "conform/context.hpp"
#include "conform/suite.hpp"

/// How long a connection may be silent. [2.4.5]
namespace aprotic::conform {
namespace {

using namespace codec::condition;

/// The longest pause in seconds between frames of the peer within `watch` seconds.
double longest_pause(Line& line, double watch) {
    double last = seconds_now();
    const double end = last + watch;
    double longest = 0;
    while (seconds_now() < end) {
        line.keep_alive();
        const Heard heard = line.hear(std::chrono::milliseconds(100));
        if (heard.kind == Heard::Kind::end || heard.is(codec::descriptor::close))
            line.fail("the peer keeps the connection up", heard);
        const double now = seconds_now();
        longest = std::max(longest, now - last);
        if (heard.kind == Heard::Kind::frame) last = now;
    }
    return longest;
}

std::string milliseconds(double seconds) { return std::to_string(static_cast<long>(seconds * 1000)) + " ms"; }

}  // namespace

Cases idle_time_out() {
    return {
        {.id = "2.4.5-d",
         .rule = "A peer keeps its partner's idle-time-out satisfied by sending frames.",
         .sends = "open with an idle-time-out of 2000 ms, then for five seconds nothing that asks for an answer",
         .accepts = "no pause above 2000 ms between frames; close with an error for a value that cannot be had",
         .needs = {"idle-time-out"},
         .clauses = {"2.4.5-h"},
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Line& line = t.opened(t.open().idle_time_out(2000));
                 const double pause = longest_pause(line, 5);
                 t.note("longest pause " + milliseconds(pause));
                 // What is announced should be half of what is really waited for, and a clock is not exact.
                 line.require(pause <= 4.0, "no pause above 2000 ms between frames",
                              "a pause of " + milliseconds(pause));
                 if (pause > 2.2) t.took("pauses too long, but not twice as long", Grade::lenient);
             }},
        {.id = "2.4.5-e",
         .level = Level::should,
         .rule = "An idle-time-out that cannot be supported is refused with close and error, not ignored.",
         .sends = "open with an idle-time-out of 1 ms",
         .accepts = "close with an error, or frames without pause",
         .negative = true,
         .tags = {"idle"},
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.header();
                 line.send(t.open().idle_time_out(1));
                 line.expect_header();
                 line.expect<codec::Open>();
                 unsigned frames = 0;
                 for (const double end = seconds_now() + 0.25; seconds_now() < end;) {
                     const Heard heard = line.hear(std::chrono::milliseconds(50));
                     if (heard.is(codec::descriptor::close)) return t.took("refuses it: " + heard.condition());
                     if (heard.kind == Heard::Kind::end) return t.took(drops().name, Grade::lenient);
                     if (heard.kind == Heard::Kind::frame) ++frames;
                 }
                 t.note(std::to_string(frames) + " frames in 250 ms");
                 line.require(frames > 0, "close with an error, or frames", "nothing in 250 ms");
                 t.took("keeps up as it can");
             }},
        {.id = "2.4.5-f",
         .rule = "An idle-time-out of 0 is none.",
         .sends = "open with an idle-time-out of 0, nothing for 300 ms, then begin",
         .accepts = "begin",
         .tags = {"idle"},
         .run =
             [](Context& t) {
                 Line& line = t.opened(t.open().idle_time_out(0));
                 line.expect_nothing(std::chrono::milliseconds(300), "nothing is due without an idle-time-out");
                 line.send(peer::begin());
                 line.expect<codec::Begin>();
             }},
        {.id = "2.4.5-h",
         .level = Level::should,
         .rule = "Empty frames are sent on channel 0.",
         .sends = "open with an idle-time-out of 1000 ms, then nothing for 1200 ms",
         .accepts = "empty frames on channel 0",
         .needs = {"idle-time-out"},
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Line& line = t.opened(t.open().idle_time_out(1000));
                 for (const double end = seconds_now() + 1.2; seconds_now() < end;) {
                     const Heard heard = line.hear(std::chrono::milliseconds(200));
                     if (heard.kind == Heard::Kind::end || heard.is(codec::descriptor::close))
                         t.skip("the peer does not take an idle-time-out of 1000 ms");
                     if (heard.kind != Heard::Kind::frame || !heard.view.empty()) continue;
                     line.require(heard.view.channel == 0, "empty frames on channel 0",
                                  "one on channel " + std::to_string(heard.view.channel));
                     return;
                 }
                 t.skip("no empty frame came");
             }},
        {.id = "2.4.5-j",
         .rule = "No empty frame comes before the peer's open.",
         .sends = "the AMQP header, then nothing for 300 ms",
         .accepts = "the AMQP header, and perhaps open",
         .tags = {"idle"},
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.header();
                 line.expect_header();
                 const Heard heard = line.hear(std::chrono::milliseconds(300));
                 const bool fine = heard.kind == Heard::Kind::nothing || heard.is(codec::descriptor::open);
                 if (!fine) line.fail("open is the first frame", heard);
             }},
        {.id = "2.4.5-c",
         .level = Level::should,
         .rule = "The idle-time-out that is announced is half of what is really waited for.",
         .sends = "nothing, for one and a half of the peer's idle-time-out",
         .accepts = "the connection is still there",
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const std::uint32_t wanted = line.their_open->idle_time_out.value_or(0);
                 if (wanted == 0 || wanted > 4000) t.skip("the peer has no idle-time-out, or one above 4 s");
                 line.expect_nothing(std::chrono::milliseconds(wanted * 3 / 2), "the connection stays open");
             }},
        {.id = "2.4.5-a",
         .rule = "Any frame, an empty one too, is a sign of life.",
         .sends = "an empty frame every third of the peer's idle-time-out, for three of them",
         .accepts = "the connection stays open",
         .tags = {"slow", "idle"},
         .run =
             [](Context& t) {
                 Line& line = t.opened();
                 const auto wanted = line.their_open->idle_time_out;
                 if (!wanted || *wanted == 0) t.skip("the peer has no idle-time-out");
                 if (*wanted > 4000) t.skip("the peer's idle-time-out is " + std::to_string(*wanted) + " ms");
                 const auto third = std::chrono::milliseconds(*wanted / 3);
                 for (int i = 0; i < 9; ++i) {
                     line.raw(codec::empty_frame());
                     line.expect_nothing(third, "the connection stays open");
                 }
                 line.send(peer::begin());
                 line.expect<codec::Begin>();
             }},
    };
}

}  // namespace aprotic::conform
