// Every performative in every state a peer can meet us in: what we answer, as one table per kind of endpoint. The
// tables of states_test.cpp say what is legal; here it is what the endpoints make of it.
#include "core/endpoint.hpp"

#include <aprotic/engine/core/states.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace aprotic;
using namespace aprotic::test;
using codec::Role;

namespace {

/// What the endpoint wrote, shortly: names, and the conditions of errors.
std::string reaction(Scene& scene) {
    std::string text;
    const auto add = [&](std::string_view name, const auto& frame) {
        text += text.empty() ? "" : " ";
        text += name;
        if (frame && frame->error) text += "(" + frame->error->condition.str() + ")";
    };
    const auto octets = scene.channel.read({});
    std::span<const std::byte> rest(octets);
    codec::FrameParser parser(UINT32_MAX);
    while (!rest.empty()) {
        if (std::to_integer<char>(rest[0]) == 'A') {
            rest = rest.subspan(codec::ProtocolHeader::size);
            continue;
        }
        const auto step = parser.next(rest);
        REQUIRE(step.status == codec::FrameParser::Status::frame);
        rest = rest.subspan(step.size);
        namespace d = codec::descriptor;
        switch (step.frame.code) {
            case d::close: add("close", step.frame.as<codec::Close>()); break;
            case d::end: add("end", step.frame.as<codec::End>()); break;
            case d::detach: add("detach", step.frame.as<codec::Detach>()); break;
            default: {
                text += text.empty() ? "" : " ";
                const std::vector<std::string_view> names = {"open", "begin",    "attach",
                                                             "flow", "transfer", "disposition"};
                text += names.at(step.frame.code - d::open);
            }
        }
    }
    return text.empty() ? "-" : text;
}

using Step = std::function<void(Scene&)>;
using Named = std::pair<std::string_view, Step>;

template <class Frame>
Step says(Frame frame) {
    return [frame = std::move(frame)](Scene& scene) { scene.peer.send(frame); };
}

/// A row per state, a reaction per input.
std::string table(const std::vector<Named>& states, const std::vector<Named>& inputs, bool opened) {
    std::string text;
    for (const auto& [state, reach] : states) {
        text += std::string(state) + ":\n";
        for (const auto& [input, say] : inputs) {
            Scene scene(options(), peer::open(), opened);
            reach(scene);
            static_cast<void>(scene.channel.read({}));
            say(scene);
            text += "  " + std::string(input) + ": " + reaction(scene) + "\n";
        }
    }
    return text;
}

using Octets = std::pair<std::string_view, std::string>;

template <class... Frames>
std::string octets_of_frames(const Frames&... frames) {
    return (std::string(frames.encode(0).text()) + ...);
}

/// The same for states that only last until we have answered: what leads to them and the input come in one piece.
std::string table_in_one_piece(const Step& reach, bool opened, const std::vector<Octets>& states,
                               const std::vector<Octets>& inputs) {
    std::string text;
    for (const auto& [state, before] : states) {
        text += std::string(state) + ":\n";
        for (const auto& [input, octets] : inputs) {
            Scene scene(options(), peer::open(), opened);
            reach(scene);
            static_cast<void>(scene.channel.read({}));
            scene.peer.send_raw(before + octets);
            text += "  " + std::string(input) + ": " + reaction(scene) + "\n";
        }
    }
    return text;
}

void check(const std::string& got, const std::string& wanted) {
    if (got != wanted) FAIL("the table is now\n" << got);
    SUCCEED();
}

}  // namespace

TEST_CASE("every frame in every state of a connection has its answer", "[2.4.6-a][2.4.1-a][2.4.1-g]") {
    const auto header = [](Scene& scene) { scene.peer.send_header(); };
    const auto open = [](Scene& scene) { scene.machine->open().value(); };
    const auto flush = [](Scene& scene) { static_cast<void>(scene.channel.read({})); };
    const std::vector<Named> states = {
        {"start", header},
        {"open_sent", [&](Scene& s) { header(s), open(s), flush(s); }},
        {"open_received", [&](Scene& s) { header(s), s.peer.send(peer::open()); }},
        {"opened", [&](Scene& s) { header(s), open(s), flush(s), s.peer.send(peer::open()); }},
        {"close_piped", [&](Scene& s) { header(s), open(s), flush(s), s.machine->close(); }},
        {"close_sent", [&](Scene& s) { header(s), open(s), flush(s), s.peer.send(peer::open()), s.machine->close(); }},
        {"discarding",
         [&](Scene& s) {
             header(s), open(s), flush(s), s.peer.send(peer::open());
             s.machine->close(peer::error_condition("com.example:x"));
         }},
    };
    const std::vector<Named> inputs = {
        {"open", says(peer::open().on_channel(0))},   {"begin", says(peer::begin().on_channel(0))},
        {"flow", says(peer::flow().on_channel(0))},   {"end", says(peer::end().on_channel(0))},
        {"close", says(peer::close().on_channel(0))},
    };
    check(table(states, inputs, false),
          "start:\n"
          "  open: -\n"
          "  begin: open close(amqp:illegal-state)\n"
          "  flow: open close(amqp:illegal-state)\n"
          "  end: open close(amqp:illegal-state)\n"
          "  close: open close(amqp:illegal-state)\n"
          "open_sent:\n"
          "  open: -\n"
          "  begin: close(amqp:illegal-state)\n"
          "  flow: close(amqp:illegal-state)\n"
          "  end: close(amqp:illegal-state)\n"
          "  close: close\n"
          "open_received:\n"
          "  open: open close(amqp:illegal-state)\n"
          "  begin: -\n"
          "  flow: open close(amqp:not-allowed)\n"
          "  end: open close(amqp:not-allowed)\n"
          "  close: open close\n"
          "opened:\n"
          "  open: close(amqp:illegal-state)\n"
          "  begin: begin\n"
          "  flow: close(amqp:not-allowed)\n"
          "  end: close(amqp:not-allowed)\n"
          "  close: close\n"
          "close_piped:\n"
          "  open: -\n"
          "  begin: -\n"
          "  flow: -\n"
          "  end: -\n"
          "  close: -\n"
          "close_sent:\n"
          "  open: -\n"
          "  begin: -\n"
          "  flow: -\n"
          "  end: -\n"
          "  close: -\n"
          "discarding:\n"
          "  open: -\n"
          "  begin: -\n"
          "  flow: -\n"
          "  end: -\n"
          "  close: -\n");
}

TEST_CASE("every frame in every state of a session has its answer", "[2.5.5-a][2.5.4-b]") {
    const auto begin = [](Scene& s) {
        const SessionId session = s.machine->begin().value();
        s.peer.expect_begin();
        return session;
    };
    const std::vector<Named> states = {
        {"unmapped", [](Scene&) {}},
        {"begin_sent", [&](Scene& s) { begin(s); }},
        {"mapped", [](Scene& s) { s.begin(); }},
        {"end_sent", [](Scene& s) { s.machine->end(s.begin()).value(); }},
        {"discarding", [](Scene& s) { s.machine->end(s.begin(), peer::error_condition("com.example:x")).value(); }},
        {"ended", [](Scene& s) { s.begin(), s.peer.send(peer::end()); }},
    };
    const std::vector<Named> inputs = {
        {"begin", says(peer::begin().on_channel(0))},
        {"begin answering", says(peer::begin().remote_channel(0).on_channel(0))},
        {"attach", says(peer::attach(Role::sender, 0, "new").on_channel(0))},
        {"flow", says(peer::flow().echo().on_channel(0))},
        {"transfer", says(peer::transfer(0).delivery_id(0).delivery_tag("t").on_channel(0))},
        {"disposition", says(peer::disposition(Role::receiver, 0).on_channel(0))},
        {"detach", says(peer::detach(0).on_channel(0))},
        {"end", says(peer::end().on_channel(0))},
    };
    check(table(states, inputs, true),
          "unmapped:\n"
          "  begin: begin\n"
          "  begin answering: close(amqp:not-allowed)\n"
          "  attach: close(amqp:not-allowed)\n"
          "  flow: close(amqp:not-allowed)\n"
          "  transfer: close(amqp:not-allowed)\n"
          "  disposition: close(amqp:not-allowed)\n"
          "  detach: close(amqp:not-allowed)\n"
          "  end: close(amqp:not-allowed)\n"
          "begin_sent:\n"
          "  begin: begin\n"
          "  begin answering: -\n"
          "  attach: close(amqp:not-allowed)\n"
          "  flow: close(amqp:not-allowed)\n"
          "  transfer: close(amqp:not-allowed)\n"
          "  disposition: close(amqp:not-allowed)\n"
          "  detach: close(amqp:not-allowed)\n"
          "  end: close(amqp:not-allowed)\n"
          "mapped:\n"
          "  begin: close(amqp:illegal-state)\n"
          "  begin answering: close(amqp:illegal-state)\n"
          "  attach: -\n"
          "  flow: flow\n"
          "  transfer: end(amqp:session:unattached-handle)\n"
          "  disposition: -\n"
          "  detach: end(amqp:session:unattached-handle)\n"
          "  end: end\n"
          "end_sent:\n"
          "  begin: close(amqp:illegal-state)\n"
          "  begin answering: close(amqp:illegal-state)\n"
          "  attach: -\n"
          "  flow: -\n"
          "  transfer: -\n"
          "  disposition: -\n"
          "  detach: -\n"
          "  end: -\n"
          "discarding:\n"
          "  begin: close(amqp:illegal-state)\n"
          "  begin answering: close(amqp:illegal-state)\n"
          "  attach: -\n"
          "  flow: -\n"
          "  transfer: -\n"
          "  disposition: -\n"
          "  detach: -\n"
          "  end: -\n"
          "ended:\n"
          "  begin: begin\n"
          "  begin answering: close(amqp:not-allowed)\n"
          "  attach: close(amqp:not-allowed)\n"
          "  flow: close(amqp:not-allowed)\n"
          "  transfer: close(amqp:not-allowed)\n"
          "  disposition: close(amqp:not-allowed)\n"
          "  detach: close(amqp:not-allowed)\n"
          "  end: close(amqp:not-allowed)\n");
}

TEST_CASE("every frame in every state of a link has its answer", "[2.6.3-a][2.6.4-a][2.6.2-e][2.6.5-b]") {
    const auto attached = [](Scene& s) { return s.receiver(s.begin(), 10); };
    const std::vector<Named> states = {
        {"detached", [](Scene& s) { s.begin(); }},
        {"attach_sent",
         [](Scene& s) {
             s.machine->attach(s.begin(), receiving()).value();
             s.peer.expect_attach();
         }},
        {"attach_received",
         [](Scene& s) {
             s.begin();
             s.peer.send(peer::attach(Role::sender, 0, "link"));
         }},
        {"attached", [&](Scene& s) { attached(s); }},
        {"detach_sent",
         [&](Scene& s) {
             s.machine->detach(attached(s)).value();
             s.peer.expect_detach();
         }},
        {"discarding",
         [&](Scene& s) {
             s.machine->detach(attached(s), true, peer::error_condition("com.example:x")).value();
             s.peer.expect_detach();
         }},
        {"detach_received",
         [&](Scene& s) {
             attached(s);
             s.peer.send(peer::detach(0).closed());
         }},
    };
    const std::vector<Named> inputs = {
        {"attach", says(peer::attach(Role::sender, 0, "link"))},
        {"attach of another", says(peer::attach(Role::sender, 1, "other"))},
        {"flow", says(peer::flow().handle(0).delivery_count(0).link_credit(1).echo())},
        {"transfer", says(peer::transfer(0).delivery_id(0).delivery_tag("t").payload("m"))},
        {"disposition", says(peer::disposition(Role::sender, 0).settled())},
        {"detach", says(peer::detach(0).closed())},
    };
    check(table(states, inputs, true),
          "detached:\n"
          "  attach: -\n"
          "  attach of another: -\n"
          "  flow: end(amqp:session:unattached-handle)\n"
          "  transfer: end(amqp:session:unattached-handle)\n"
          "  disposition: -\n"
          "  detach: end(amqp:session:unattached-handle)\n"
          "attach_sent:\n"
          "  attach: -\n"
          "  attach of another: -\n"
          "  flow: end(amqp:session:unattached-handle)\n"
          "  transfer: end(amqp:session:unattached-handle)\n"
          "  disposition: -\n"
          "  detach: end(amqp:session:unattached-handle)\n"
          "attach_received:\n"
          "  attach: end(amqp:session:handle-in-use)\n"
          "  attach of another: -\n"
          "  flow: -\n"
          "  transfer: attach detach(amqp:link:transfer-limit-exceeded)\n"
          "  disposition: -\n"
          "  detach: -\n"
          "attached:\n"
          "  attach: end(amqp:session:handle-in-use)\n"
          "  attach of another: -\n"
          "  flow: flow\n"
          "  transfer: -\n"
          "  disposition: -\n"
          "  detach: -\n"
          "detach_sent:\n"
          "  attach: end(amqp:session:handle-in-use)\n"
          "  attach of another: -\n"
          "  flow: -\n"
          "  transfer: -\n"
          "  disposition: -\n"
          "  detach: -\n"
          "discarding:\n"
          "  attach: end(amqp:session:handle-in-use)\n"
          "  attach of another: -\n"
          "  flow: -\n"
          "  transfer: -\n"
          "  disposition: -\n"
          "  detach: -\n"
          "detach_received:\n"
          "  attach: -\n"
          "  attach of another: -\n"
          "  flow: end(amqp:session:unattached-handle)\n"
          "  transfer: end(amqp:session:unattached-handle)\n"
          "  disposition: -\n"
          "  detach: end(amqp:session:unattached-handle)\n");
}

TEST_CASE("every frame behind a close that we have not answered yet is dropped", "[2.4.6-a][2.4.3-d]") {
    const std::vector<Octets> inputs = {
        {"open", octets_of_frames(peer::open())},   {"begin", octets_of_frames(peer::begin())},
        {"flow", octets_of_frames(peer::flow())},   {"end", octets_of_frames(peer::end())},
        {"close", octets_of_frames(peer::close())},
    };
    const auto header = [](Scene& scene) { scene.peer.send_header(); };
    check(
        table_in_one_piece(header, false, {{"close_unopened", octets_of_frames(peer::open(), peer::close())}}, inputs),
        "close_unopened:\n"
        "  open: open close\n"
        "  begin: open close\n"
        "  flow: open close\n"
        "  end: open close\n"
        "  close: open close\n");
    check(table_in_one_piece([](Scene&) {}, true, {{"close_received", octets_of_frames(peer::close())}}, inputs),
          "close_received:\n"
          "  open: close\n"
          "  begin: close\n"
          "  flow: close\n"
          "  end: close\n"
          "  close: close\n");
}

TEST_CASE("every frame behind a begin or an end that we have not answered yet has its answer", "[2.5.5-a][2.5.1-f]") {
    const std::vector<Octets> inputs = {
        {"begin", octets_of_frames(peer::begin())},
        {"begin answering", octets_of_frames(peer::begin().remote_channel(0))},
        {"attach", octets_of_frames(peer::attach(Role::sender, 0, "new"))},
        {"flow", octets_of_frames(peer::flow().echo())},
        {"transfer", octets_of_frames(peer::transfer(0).delivery_id(0).delivery_tag("t"))},
        {"disposition", octets_of_frames(peer::disposition(Role::receiver, 0))},
        {"detach", octets_of_frames(peer::detach(0))},
        {"end", octets_of_frames(peer::end())},
    };
    check(table_in_one_piece([](Scene&) {}, true, {{"begin_received", octets_of_frames(peer::begin())}}, inputs),
          "begin_received:\n"
          "  begin: close(amqp:illegal-state)\n"
          "  begin answering: close(amqp:illegal-state)\n"
          "  attach: begin\n"
          "  flow: begin flow\n"
          "  transfer: begin end(amqp:session:unattached-handle)\n"
          "  disposition: begin\n"
          "  detach: begin end(amqp:session:unattached-handle)\n"
          "  end: begin end\n");
    check(table_in_one_piece([](Scene& s) { s.begin(); }, true, {{"end_received", octets_of_frames(peer::end())}},
                             inputs),
          "end_received:\n"
          "  begin: begin end\n"
          "  begin answering: close(amqp:not-allowed)\n"
          "  attach: close(amqp:not-allowed)\n"
          "  flow: close(amqp:not-allowed)\n"
          "  transfer: close(amqp:not-allowed)\n"
          "  disposition: close(amqp:not-allowed)\n"
          "  detach: close(amqp:not-allowed)\n"
          "  end: close(amqp:not-allowed)\n");
}
