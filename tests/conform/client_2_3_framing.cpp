#include "conform/served.hpp"
#include "conform/wire.hpp"

/// What clients make of frames that are none, and of legal ones in unusual shapes. [2.3]
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using wire::frame;
using wire::hex;

std::string body_behind_header(const auto& built) {
    return std::string(codec::as_text(built.encode(0).span())).substr(codec::FrameHeader::size_min);
}

/// Frames that are none of AMQP's, and can be told from the next one.
Reactions refuses_type() { return refuses_framing() + Reactions{ignores().lenient()}; }

/// Bodies that are no performative.
Reactions refuses_body() {
    return {closes({decode_error, framing_error, not_implemented, invalid_field, not_allowed}), closes().lenient(),
            ends().lenient(), drops()};
}

/// On a connection with a session the server writes these octets.
Case answered_malformed(const std::string& id, const std::string& rule, const std::string& sends, std::string octets,
                        Reactions (*reactions)() = refuses_framing) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "close with " + std::string(reactions == refuses_body ? "decode-error" : "framing-error") +
                       "; other errors and the end of the stream alone are not strict",
            .negative = true,
            .run = [octets = std::move(octets), reactions](Context& t) {
                Served s(t, any_task(t));
                s.begin().line.raw(octets);
                s.line.accept_one_of(reactions());
            }};
}

/// The whole of a connection, from the server's side, in pieces: what the client sends is the same.
Case in_pieces(const std::string& name, const std::string& how, void (*say)(Line&, std::string_view)) {
    return {.id = "2.3-h/client-" + name,
            .rule = "Frames need not agree with the segments that they come in.",
            .sends = "all of the server's frames " + how + ", to a client that receives",
            .accepts = "the message is answered, and the client goes in order",
            .run = [say](Context& t) {
                Served s(t, Served::receives());
                const auto frames = [](const auto&... built) {
                    return (std::string(codec::as_text(built.encode(0).span())) + ...);
                };
                s.hear_open().line.raw_open(std::string_view());
                say(s.line, frames(s.open_frame));
                const auto begin = s.line.expect<codec::Begin>();
                say(s.line, frames(peer::begin().remote_channel(begin.channel), peer::flow()));
                const auto attach = s.line.expect<codec::Attach>();
                auto ours = peer::attach(codec::Role::sender, 0, attach->name);
                ours.performative.source = attach->source;
                say(s.line, frames(ours));
                auto delivery = Context::delivery(s.line);
                s.line.expect<codec::Flow>("it gives credit");
                say(s.line, frames(delivery));
                outcome_of(s.line, 0);
                s.leaves_in_order();
            }};
}

void octet_by_octet(Line& line, std::string_view octets) {
    for (std::size_t i = 0; i < octets.size(); ++i) line.raw(octets.substr(i, 1));
}

void with_empty_frames(Line& line, std::string_view octets) {
    const std::string empty = frame("");
    line.raw(empty + std::string(octets) + empty + empty);
}

}  // namespace

Cases client_framing() {
    Cases cases;
    for (const unsigned size : {0U, 7U})
        cases.push_back(answered_malformed("2.3-b/client-size-" + std::to_string(size), "SIZE below 8 is malformed.",
                                           "a frame header with SIZE " + std::to_string(size),
                                           wire::be(size, 4) + hex("02 00 0000")));
    for (const unsigned doff : {0U, 1U})
        cases.push_back(answered_malformed("2.3-c/client-doff-" + std::to_string(doff), "DOFF below 2 is malformed.",
                                           "an empty frame with DOFF " + std::to_string(doff),
                                           frame("", {.doff = static_cast<std::uint8_t>(doff)})));
    cases.push_back(answered_malformed("2.3-d/client", "DOFF must not point behind the frame.",
                                       "a frame of 8 octets with DOFF 3", frame("", {.doff = 3})));
    cases.push_back(answered_malformed("2.3-f/client-type-2", "Frame types other than AMQP and SASL are not defined.",
                                       "end in a frame of type 2", frame(body_behind_header(peer::end()), {.type = 2}),
                                       refuses_type));
    cases.push_back(answered_malformed(
        "2.3-g/client", "Once the AMQP header has been exchanged SASL frames have no place.",
        "sasl-outcome ok on an open connection",
        std::string(codec::as_text(peer::sasl_outcome(codec::SaslCode::ok).encode(0).span())), refuses_type));
    cases.push_back(answered_malformed("2.3.2-a/client-null", "A frame's body begins with a performative.",
                                       "a frame whose body is null", frame(hex("40")), refuses_body));
    cases.push_back(answered_malformed("2.3.2-a/client-list", "A frame's body begins with a performative.",
                                       "a frame whose body is a list", frame(hex("45")), refuses_body));
    cases.push_back(answered_malformed("2.3.2-a/client-unknown", "A frame's body begins with a performative.",
                                       "a frame with the descriptor 0x99", frame(hex("00 53 99 45")), refuses_body));
    cases.push_back(answered_malformed("2.3.2-a/client-truncated", "A frame's body is a whole performative.",
                                       "a flow whose list says that it is longer than the frame",
                                       frame(hex("00 53 13 d0 0000ffff 00000004 40")), refuses_body));
    cases.push_back({.id = "2.7.4-h/client-deep",
                     .level = Level::informative,
                     .rule = "Values may be nested, and how deep they are taken is the reader's to say.",
                     .sends = "flow with a property that holds 3000 lists within each other",
                     .accepts = "an error, or passing it over; never a crash",
                     .negative = true,
                     .run = [](Context& t) {
                         Served s(t, any_task(t));
                         s.begin();
                         std::string value = hex("45");
                         for (int i = 0; i < 3000; ++i)
                             value = hex("d0") + wire::be(4 + value.size(), 4) + wire::be(1, 4) + value;
                         value = hex("a3 01 61") + value;
                         value = hex("d1") + wire::be(4 + value.size(), 4) + wire::be(2, 4) + value;
                         if (s.their_open.max_frame_size < value.size() + 100)
                             t.skip("the client takes no frame of this size");
                         std::vector<std::string> fields(4, hex("43"));
                         fields.resize(10, hex("40"));
                         fields.push_back(value);
                         s.line.raw(frame(wire::described(codec::descriptor::flow, wire::list(fields))));
                         s.line.accept_one_of(refuses() + Reactions{ignores().recorded()});
                     }});
    cases.push_back({.id = "2.3-e/client",
                     .rule = "The extended header of an AMQP frame is passed over.",
                     .sends = "open with DOFF 4 and eight octets of extended header",
                     .accepts = "begin",
                     .run = [](Context& t) {
                         Served s(t, any_task(t));
                         s.hear_open().line.raw_open(
                             frame(body_behind_header(s.open_frame), {.doff = 4, .extended = std::string(8, '\x5a')}));
                         s.line.accept_one_of({answers<codec::Begin>("begins a session")});
                     }});
    cases.push_back(in_pieces("octet-by-octet", "one octet at a time", octet_by_octet));
    cases.push_back(
        in_pieces("empty-frames", "with empty frames around them, as many in one write", with_empty_frames));
    cases.push_back({.id = "2.3-h/client-one-write",
                     .rule = "Several frames may come in one segment.",
                     .sends = "attach, and in one write with it five transfers as soon as there is credit for them",
                     .accepts = "every message is answered",
                     .run = [](Context& t) {
                         Served s(t, Served::receives(5));
                         if (s.await_credit() < 5) t.skip("the client gives credit for fewer than 5 deliveries");
                         std::string octets;
                         for (int i = 0; i < 5; ++i)
                             octets += codec::as_text(Context::delivery(s.line).encode(0).span());
                         s.line.raw(octets);
                         outcome_of(s.line, 4);
                     }});
    for (const bool whole : {false, true})
        cases.push_back(
            {.id = std::string("2.7.1-i/client-") + (whole ? "whole" : "announced"),
             .rule = "A frame above the max-frame-size is refused by its SIZE, before its body is there.",
             .sends = whole ? "a flow in a frame of one octet more than the client's max-frame-size"
                            : "the header of a frame of 2 GiB and a few octets of it",
             .accepts =
                 "close with framing-error; other errors, the end of the stream alone and waiting for the rest are "
                 "not strict",
             .negative = true,
             .run = [whole](Context& t) {
                 Served s(t, any_task(t));
                 s.begin();
                 s.line.may_probe = whole;
                 const std::uint32_t most = s.their_open.max_frame_size;
                 if (most > (16U << 20U)) t.skip("the client takes frames of " + std::to_string(most) + " octets");
                 const std::string header = hex("02 00 0000");
                 if (whole) {
                     s.line.raw(wire::be(most + 1, 4) + header + std::string(most + 1 - 8, '\0'));
                 } else {
                     s.line.raw(wire::be(0x8000'0000, 4) + header + std::string(100, '\0'));
                 }
                 s.line.accept_one_of(whole ? refuses_framing() : refuses_announced());
             }});
    return of_clients(std::move(cases));
}

}  // namespace aprotic::conform
