#include <set>
#include <string>

#include "conform/context.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using wire::frame;
using wire::hex;

std::string body_of(const auto& builder) {
    codec::Encoder to;
    codec::encode(to, builder.performative);
    return std::string(codec::as_text(to.written()));
}

/// A frame header that no frame can have, behind an open connection.
Case malformed_header(const std::string& id, std::string rule, std::string octets) {
    return {.id = id,
            .rule = std::move(rule),
            .sends = "on an open connection: " + id.substr(id.find('/') + 1),
            .accepts = "close with framing-error; another error or the end of the stream alone is not strict",
            .negative = true,
            .run = [octets](Context& t) {
                Line& line = t.opened();
                line.may_probe = false;
                line.raw(octets);
                line.accept_one_of(refuses_framing());
            }};
}

/// A whole frame whose body is no performative.
Case malformed_body(const std::string& name, std::string what, std::string body, bool on_session = false) {
    return {.id = "2.3.2-a/" + name,
            .rule = "The body of a frame begins with one performative, a described type.",
            .sends = std::move(what),
            .accepts = "close with decode-error, framing-error or not-implemented; other errors are not strict",
            .negative = true,
            .run = [body, on_session](Context& t) {
                Line& line = on_session ? t.mapped() : t.opened();
                line.raw(frame(body));
                using namespace codec::condition;
                line.accept_one_of({closes({decode_error, framing_error, not_implemented, invalid_field, not_allowed}),
                                    closes().lenient(), ends().lenient(), detaches().lenient(), drops()});
            }};
}

/// Octets behind a performative that has no payload.
Case trailing(const std::string& performative, std::function<Line&(Context&)> reach, std::string body) {
    return {.id = "2.3.2-b/" + performative,
            .rule = "Only a transfer has a payload.",
            .sends = performative + " with four octets behind it",
            .accepts = "an error; ignoring the octets is not strict",
            .negative = true,
            .clauses = {"1.2-g"},
            .run = [reach = std::move(reach), body](Context& t) {
                Line& line = reach(t);
                line.raw(frame(body + hex("40 40 40 40")));
                const Reactions orderly = {closes_in_order().lenient(), answers<codec::Close>("closes").lenient(),
                                           answers<codec::Begin>("answers as without them").lenient(),
                                           answers<codec::End>("answers as without them").lenient()};
                line.accept_one_of(refuses_malformed() + Reactions{ignores().lenient()} + orderly);
            }};
}

/// begin with this many words of extended header is served as any other.
Case extended_header(unsigned doff) {
    return {.id = "2.3-e/doff-" + std::to_string(doff),
            .rule = "The extended header of an AMQP frame is passed over.",
            .sends = "begin with DOFF " + std::to_string(doff) + " and an extended header of other octets",
            .accepts = "begin",
            .run = [doff](Context& t) {
                Line& line = t.opened();
                const std::string octets((doff - 2) * 4, '\x5a');
                line.raw(frame(body_of(peer::begin()), {.doff = static_cast<std::uint8_t>(doff), .extended = octets}));
                line.expect<codec::Begin>("the session is begun as without the extended header");
            }};
}

}  // namespace

Cases framing() {
    Cases cases;
    for (const unsigned size : {0U, 1U, 4U, 7U})
        cases.push_back(malformed_header("2.3-b/size-" + std::to_string(size), "SIZE below 8 is malformed.",
                                         wire::be(size, 4) + hex("02 00 0000")));
    for (const unsigned doff : {0U, 1U})
        cases.push_back(malformed_header("2.3-c/doff-" + std::to_string(doff), "DOFF below 2 is malformed.",
                                         frame("", {.doff = static_cast<std::uint8_t>(doff)})));
    cases.push_back(
        malformed_header("2.3-d/doff-3-in-8-octets", "DOFF must not point behind the frame.", frame("", {.doff = 3})));
    cases.push_back(malformed_header("2.3-d/doff-255-in-16-octets", "DOFF must not point behind the frame.",
                                     frame(hex("0053114500000000"), {.doff = 255})));
    for (const unsigned doff : {3U, 16U, 100U}) cases.push_back(extended_header(doff));
    for (const unsigned type : {2U, 3U, 255U})
        cases.push_back(
            {.id = "2.3-f/type-" + std::to_string(type),
             .rule = "Frame types other than AMQP and SASL are not defined, and no AMQP frames.",
             .sends = "begin in a frame of type " + std::to_string(type),
             .accepts = "close with framing-error; other errors and passing it over are not strict",
             .negative = true,
             .run = [type](Context& t) {
                 Line& line = t.opened();
                 line.raw(frame(body_of(peer::begin()), {.channel = 3, .type = static_cast<std::uint8_t>(type)}));
                 const auto taken =
                     answers<codec::Begin>("", [](const codec::Begin& begin) { return begin.remote_channel == 3; });
                 const Heard heard = line.accept_one_of(refuses_framing() + Reactions{taken, ignores().lenient()});
                 if (taken.matches(heard)) line.fail("the frame is not taken for an AMQP frame", heard);
             }});
    cases.push_back(
        {.id = "2.3-g/sasl-frame-after-open",
         .rule = "Once the AMQP header has been exchanged SASL frames have no place.",
         .sends = "begin in a frame of type 1",
         .accepts = "close with framing-error; other errors are not strict",
         .negative = true,
         .run = [](Context& t) {
             Line& line = t.opened();
             line.raw(frame(body_of(peer::begin()), {.channel = 3, .type = 1}));
             const auto taken =
                 answers<codec::Begin>("", [](const codec::Begin& begin) { return begin.remote_channel == 3; });
             const Heard heard = line.accept_one_of(refuses_framing() + Reactions{taken, ignores().lenient()});
             if (taken.matches(heard)) line.fail("the frame is not taken for an AMQP frame", heard);
         }});
    cases.push_back({.id = "2.3-g/sasl-init-after-open",
                     .rule = "Once the AMQP header has been exchanged SASL frames have no place.",
                     .sends = "sasl-init on an open connection",
                     .accepts = "close with framing-error; other errors are not strict",
                     .negative = true,
                     .run = [](Context& t) {
                         Line& line = t.opened();
                         line.send(peer::sasl_init(codec::Symbol("ANONYMOUS")));
                         line.accept_one_of(refuses_framing() + Reactions{ignores().lenient()});
                     }});
    cases.push_back({.id = "2.3-h/octet-by-octet",
                     .rule = "Frames need not agree with the segments that they come in.",
                     .sends = "header, open, begin and close, one octet at a time",
                     .accepts = "header, open, begin and close",
                     .clauses = {"2.3-a"},
                     .run = [](Context& t) {
                         Line& line = t.authenticated();
                         const codec::ProtocolHeader header(codec::ProtocolId::amqp);
                         std::string octets(codec::as_text(header.serialise()));
                         octets += t.open().encode(0).text();
                         octets += peer::begin().encode(0).text();
                         line.frame_size_max = t.open().performative.max_frame_size;
                         for (const char& octet : octets) line.raw(std::string_view(&octet, 1));
                         line.expect_header();
                         line.expect<codec::Open>();
                         line.expect<codec::Begin>();
                         line.send(peer::close());
                         line.expect<codec::Close>();
                     }});
    cases.push_back({.id = "2.3-h/one-write",
                     .rule = "Many frames may come in one segment.",
                     .sends = "begin on the channels 0 to 9 in one write; behind the answers end on each in one write",
                     .accepts = "a begin for each channel, then an end for each, in any order",
                     .needs = {"several-sessions"},
                     .clauses = {"2.1-a"},
                     .run = [](Context& t) {
                         Line& line = t.opened();
                         if (line.their_open->channel_max < 9) t.skip("the peer has no ten channels");
                         constexpr std::uint16_t count = 10;
                         std::string begins, ends;
                         for (std::uint16_t channel = 0; channel < count; ++channel) {
                             begins += peer::begin().encode(channel).text();
                             ends += peer::end().encode(channel).text();
                         }
                         line.raw(begins);
                         std::set<std::uint16_t> answered, open;  // our channels, and the peer's own
                         while (answered.size() < count) {
                             const auto begin = line.expect<codec::Begin>("for each of ten channels");
                             const bool is_new = begin->remote_channel && *begin->remote_channel < count &&
                                                 answered.insert(*begin->remote_channel).second &&
                                                 open.insert(begin.channel).second;
                             line.require(is_new, "a begin for each of ten channels",
                                          codec::to_string(codec::Performative(*begin)));
                         }
                         line.raw(ends);
                         while (!open.empty()) {
                             const auto end = line.expect<codec::End>("for each of ten sessions");
                             line.require(open.erase(end.channel) == 1, "an end for each of ten sessions",
                                          "one on channel " + std::to_string(end.channel));
                         }
                     }});
    cases.push_back({.id = "2.3.2-c/channel-0",
                     .rule = "A frame without body is legal and nothing but a sign of life.",
                     .sends = "three empty frames, then begin",
                     .accepts = "begin, and nothing else",
                     .clauses = {"2.4.5-g"},
                     .run = [](Context& t) {
                         Line& line = t.opened();
                         line.raw(frame("") + frame("") + frame(""));
                         line.send(peer::begin());
                         line.expect<codec::Begin>();
                     }});
    cases.push_back({.id = "2.3.2-c/channel-of-a-session",
                     .rule = "An empty frame may come on the channel of a session.",
                     .sends = "begin, an empty frame on its channel, end",
                     .accepts = "begin and end",
                     .run = [](Context& t) {
                         Line& line = t.mapped();
                         line.raw(frame(""));
                         line.send(peer::end());
                         line.expect<codec::End>();
                     }});
    cases.push_back({.id = "2.3-i",
                     .rule = "The peer's own frames have a true SIZE, a DOFF of 2 or more and one body each.",
                     .sends = "an ordinary conversation: open, begin, end, close",
                     .accepts = "frames that a strict decoder takes, on the channel of the session",
                     .clauses = {"1.4-i", "2.2-k"},
                     .run = [](Context& t) {
                         Line& line = t.mapped();
                         line.send(peer::end());
                         line.expect<codec::End>();
                         line.send(peer::close());
                         line.expect<codec::Close>();
                         line.expect_finished();
                     }});

    cases.push_back(malformed_body("null", "a frame whose body is null", hex("40")));
    cases.push_back(malformed_body("list", "a frame whose body is a list that is not described", hex("c0 03 01 43")));
    cases.push_back(malformed_body("string", "a frame whose body is a string", hex("a1 04 6f70656e")));
    cases.push_back(malformed_body("section", "a frame whose body is a message section", hex("00 53 77 40")));
    cases.push_back(malformed_body("outcome", "a frame whose body is the outcome accepted", hex("00 53 24 45")));
    cases.push_back(malformed_body("unknown-descriptor", "a frame whose descriptor nobody knows", hex("00 53 0f 45")));
    cases.push_back(malformed_body("unknown-descriptor-on-a-session",
                                   "on a session's channel a frame whose descriptor nobody knows", hex("00 53 0f 45"),
                                   true));
    cases.push_back(malformed_body("foreign-domain", "a frame whose descriptor is of another domain",
                                   hex("00 80 0000123400000010 45")));
    cases.push_back(malformed_body("sasl-performative", "an AMQP frame with a SASL performative",
                                   hex("00 53 41 c0 04 01 a3 01 41")));

    cases.push_back(trailing(
        "begin", [](Context& t) -> Line& { return t.opened(); }, body_of(peer::begin())));
    cases.push_back(trailing(
        "end", [](Context& t) -> Line& { return t.mapped(); }, body_of(peer::end())));
    cases.push_back(trailing(
        "flow", [](Context& t) -> Line& { return t.mapped(); }, body_of(peer::flow())));
    cases.push_back(trailing(
        "close", [](Context& t) -> Line& { return t.opened(); }, body_of(peer::close())));
    cases.push_back(trailing(
        "disposition", [](Context& t) -> Line& { return t.mapped(); },
        body_of(peer::disposition(codec::Role::receiver, 0))));
    return cases;
}

}  // namespace aprotic::conform
