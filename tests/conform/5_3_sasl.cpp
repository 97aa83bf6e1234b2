#include "conform/context.hpp"
#include "conform/reaction.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using codec::SaslCode;

std::string sasl_frame(std::string_view body, std::uint16_t octets_6_and_7 = 0) {
    wire::FrameOptions options;
    options.type = 1;
    options.channel = octets_6_and_7;
    return wire::frame(body, options);
}

/// A line on which both SASL headers and the mechanisms were exchanged.
Line& offered(Context& t, codec::SaslMechanisms* theirs = nullptr) {
    Line& line = t.connect();
    line.ordinary([&] {
        line.header(codec::ProtocolId::sasl);
        line.require(line.expect_header("the SASL header").is(codec::ProtocolId::sasl), "the SASL header",
                     "another protocol header");
        auto mechanisms = line.expect<codec::SaslMechanisms>();
        if (theirs != nullptr) *theirs = std::move(mechanisms.performative);
    });
    return line;
}

Reaction outcome_other_than_ok() {
    return answers<codec::SaslOutcome>("lets nobody in",
                                       [](const codec::SaslOutcome& o) { return o.code != SaslCode::ok; });
}
Reaction lets_in() {
    return answers<codec::SaslOutcome>("lets us in",
                                       [](const codec::SaslOutcome& o) { return o.code == SaslCode::ok; });
}
std::string init(std::string_view mechanism, std::optional<std::string> response = std::string("conform")) {
    auto frame = peer::sasl_init(codec::Symbol(mechanism));
    if (response) frame.initial_response(*response);
    return std::string(codec::as_text(frame.encode(0).span()));
}

/// What must not get anybody through the SASL layer.
Case kept_out(const std::string& id, const std::string& rule, const std::string& sends, std::string octets,
              std::vector<std::string> clauses = {}, bool may_be_read = false, bool may_be_passed_over = false) {
    return {
        .id = id,
        .rule = rule,
        .sends = sends,
        .accepts = std::string("the end of the stream, or an outcome other than ok") +
                   (may_be_read ? "; letting in is not strict" : "") +
                   (may_be_passed_over ? "; passing it over, so that init is answered behind it, is not strict" : ""),
        .negative = true,
        .needs = {"sasl"},
        .clauses = std::move(clauses),
        .run = [octets = std::move(octets), may_be_read, may_be_passed_over](Context& t) {
            Line& line = offered(t);
            line.raw(octets);
            Reactions reactions = {ends_stream(), outcome_other_than_ok()};
            if (may_be_read) reactions.push_back(lets_in().lenient());
            const auto passes = [](const Heard& heard) { return heard.kind == Heard::Kind::nothing; };
            if (may_be_passed_over) reactions.push_back({"passes it over", passes, Grade::lenient});
            if (line.accept_one_of(reactions).kind != Heard::Kind::nothing) return;
            // One that waits for what is due is not one that has stopped listening.
            line.raw(init("ANONYMOUS"));
            line.accept_one_of({lets_in(), outcome_other_than_ok(), ends_stream()});
        }};
}

/// Legal variants of how ANONYMOUS is asked for.
Case let_in(const std::string& id, const std::string& rule, const std::string& sends, std::string octets) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "outcome ok",
            .needs = {"sasl", "sasl-anonymous"},
            .run = [octets = std::move(octets)](Context& t) {
                Line& line = offered(t);
                line.raw(octets);
                const auto outcome = line.expect<codec::SaslOutcome>();
                line.require(outcome->code == SaslCode::ok, "outcome ok", codec::to_string(codec::SaslFrame(*outcome)));
            }};
}

/// The fields of an init, encoded, with one of them replaced.
std::string init_with(std::size_t index, std::string_view octets) {
    auto frame = peer::sasl_init(codec::Symbol("ANONYMOUS"));
    frame.initial_response("conform");
    auto fields = wire::fields_of(frame.performative);
    fields[index].octets = octets;
    return sasl_frame(wire::composite(codec::descriptor::sasl_init, fields));
}

Case plain(const std::string& which, const std::string& sends, std::function<std::string(const Profile&)> response) {
    return {.id = "5.3.3-d/" + which,
            .rule = "PLAIN is authzid NUL authcid NUL password: what is not, or does not fit, lets nobody in.",
            .sends = "PLAIN with " + sends,
            .accepts = "an outcome other than ok, or the end of the stream",
            .negative = true,
            .needs = {"sasl", "sasl-plain"},
            .run = [response = std::move(response)](Context& t) {
                Line& line = offered(t);
                line.raw(init("PLAIN", response(t.profile())));
                line.accept_one_of({outcome_other_than_ok(), ends_stream()});
            }};
}

const std::string nul(1, '\0');

Cases layer() {
    return {
        {.id = "5.3-a",
         .rule = "The SASL layer begins with its protocol header both ways.",
         .sends = "the SASL header",
         .accepts = "the SASL header",
         .needs = {"sasl"},
         .clauses = {"5.1-b"},
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.header(codec::ProtocolId::sasl);
                 const auto theirs = line.expect_header();
                 line.require(theirs.is(codec::ProtocolId::sasl), "AMQP 3 1.0.0", "another header");
             }},
        {.id = "5.3.2-a",
         .rule = "The server offers its mechanisms first; there is at least one.",
         .sends = "the SASL header",
         .accepts = "mechanisms, not none, in a frame of type 1 and at most 512 octets",
         .needs = {"sasl"},
         .clauses = {"5.3-c", "5.3-e", "5.3-f", "5.3-i"},
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.header(codec::ProtocolId::sasl);
                 line.expect_header();
                 const auto mechanisms = line.expect<codec::SaslMechanisms>();
                 line.require(!mechanisms->sasl_server_mechanisms.empty(), "at least one mechanism", "none");
                 std::string names;
                 for (const auto& one : mechanisms->sasl_server_mechanisms) names += " " + one.str();
                 t.note("mechanisms:" + names);
                 if (mechanisms.channel != 0) t.took("octets 6 and 7 are not 0", Grade::lenient);
             }},
        {.id = "5.3.3-e",
         .rule = "Behind the outcome ok both sides begin anew with a protocol header.",
         .sends = "ANONYMOUS, then the AMQP header and open",
         .accepts = "outcome ok, then header and open",
         .needs = {"sasl", "sasl-anonymous"},
         .clauses = {"5.1-b"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(init("ANONYMOUS"));
                 const auto outcome = line.expect<codec::SaslOutcome>();
                 line.require(outcome->code == SaslCode::ok, "outcome ok",
                              codec::to_string(codec::SaslFrame(*outcome)));
                 line.header();
                 line.send(t.open());
                 line.require(line.expect_header().is(codec::ProtocolId::amqp), "the AMQP header", "another header");
                 line.expect<codec::Open>();
             }},
        {.id = "5.3.2-e",
         .level = Level::informative,
         .rule = "A client that knows its mechanism may send everything at once.",
         .sends = "SASL header, init, AMQP header and open in one write",
         .accepts = "all answers in order; a refusal is recorded",
         .needs = {"sasl", "sasl-anonymous"},
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.send(codec::ProtocolHeader(codec::ProtocolId::sasl), init("ANONYMOUS"),
                           codec::ProtocolHeader(codec::ProtocolId::amqp), t.open());
                 const auto any = answers<codec::Open>("answers everything");
                 line.may_probe = false;
                 line.accept_one_of({any, ends_stream()});
             }},
        kept_out(
            "5.3-c/type-0", "Frames of the SASL layer have type 1.", "sasl-init in a frame of type 0",
            [] {
                auto frame = init("ANONYMOUS");
                frame[5] = 0;
                return frame;
            }(),
            {}, true),
        kept_out("5.3-c/open", "An AMQP performative does not belong into the SASL layer.",
                 "open, in a frame of type 0", std::string(codec::as_text(peer::open().encode(0).span())), {"5.3.3-l"},
                 false, true),
        kept_out("5.3-g/open", "A SASL frame has one of the five SASL types as body.", "open, in a frame of type 1",
                 [] {
                     auto frame = std::string(codec::as_text(peer::open().encode(0).span()));
                     frame[5] = 1;
                     return frame;
                 }(),
                 {"5.3.3-l"}),
        kept_out("5.3-g/not-described", "A SASL frame has one of the five SASL types as body.",
                 "a frame of type 1 with a null", sasl_frame(wire::hex("40"))),
        kept_out("5.3-g/unknown", "A SASL frame has one of the five SASL types as body.",
                 "a frame of type 1 with the descriptor 0x45", sasl_frame(wire::described(0x45, wire::hex("45")))),
        kept_out("5.3-g/two-bodies", "A SASL frame has exactly one body.", "two inits in one frame",
                 sasl_frame(init("ANONYMOUS").substr(8) + init("ANONYMOUS").substr(8)), {}, true),
        kept_out("5.3-h", "An empty SASL frame is an irrecoverable error.", "a frame of type 1 without body",
                 sasl_frame("")),
        kept_out("5.3-i/mechanisms", "Only the server sends mechanisms.", "sasl-mechanisms",
                 std::string(codec::as_text(peer::sasl_mechanisms({codec::Symbol("ANONYMOUS")}).encode(0).span())), {},
                 false, true),
        kept_out("5.3-i/challenge", "Only the server sends challenges.", "sasl-challenge",
                 std::string(codec::as_text(peer::sasl_challenge("x").encode(0).span())), {}, false, true),
        kept_out("5.3-i/outcome", "Only the server tells the outcome.", "sasl-outcome ok, and the AMQP header and open",
                 std::string(codec::as_text(peer::sasl_outcome(SaslCode::ok).encode(0).span())) +
                     std::string(codec::as_text(codec::ProtocolHeader(codec::ProtocolId::amqp).serialise())) +
                     std::string(codec::as_text(peer::open().encode(0).span())),
                 {"5.3.3-l"}),
        kept_out("5.3.2-g/response-first", "init comes first.", "sasl-response",
                 std::string(codec::as_text(peer::sasl_response("conform").encode(0).span())), {}, false, true),
        kept_out("5.3.3-l/header", "The SASL layer is not left by asking for the next.",
                 "the AMQP header and open behind the mechanisms",
                 std::string(codec::as_text(codec::ProtocolHeader(codec::ProtocolId::amqp).serialise())) +
                     std::string(codec::as_text(peer::open().encode(0).span()))),
        kept_out("5.3-f/garbage", "What is no frame ends the SASL layer.", "a frame of SIZE 4",
                 wire::hex("00 00 00 04 02 01 00 00")),
        kept_out("5.3-f/doff-1", "DOFF is at least 2.", "a frame of DOFF 1",
                 [] {
                     auto frame = init("ANONYMOUS");
                     frame[4] = 1;
                     return frame;
                 }()),
        {.id = "5.3-f",
         .rule = "A SASL frame has at most 512 octets.",
         .sends = "an init of 513 octets",
         .accepts = "the end of the stream or an outcome other than ok; letting in is recorded, for tokens are long",
         .negative = true,
         .needs = {"sasl", "sasl-anonymous"},
         .run =
             [](Context& t) {
                 std::string response(400, 'x');
                 while (init("ANONYMOUS", response).size() < 513) response += 'x';
                 Line& line = offered(t);
                 line.raw(init("ANONYMOUS", response));
                 line.accept_one_of({ends_stream(), outcome_other_than_ok(), lets_in().recorded()});
             }},
        {.id = "5.3-f/4-MiB",
         .rule = "A SASL frame has at most 512 octets: nobody waits for one of megabytes.",
         .sends = "the header of a SASL frame of 4 MiB, and 64 KiB of it",
         .accepts = "the end of the stream or an outcome other than ok; waiting for the rest is not strict",
         .negative = true,
         .needs = {"sasl"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(wire::hex("00 40 00 00 02 01 00 00") + std::string(64 * 1024, '\0'));
                 Reaction waits{"waits for the rest",
                                [](const Heard& heard) { return heard.kind == Heard::Kind::nothing; }, Grade::lenient};
                 line.accept_one_of({ends_stream(), outcome_other_than_ok(), waits});
             }},
        let_in("5.3-d/octets-6-and-7", "Octets 6 and 7 of a SASL frame are ignored.", "init with 9 in these octets",
               sasl_frame(init("ANONYMOUS").substr(8), 9)),
        let_in("5.3-d/extended-header", "The extended header of a SASL frame is ignored.", "init in a frame of DOFF 3",
               [] {
                   wire::FrameOptions options;
                   options.type = 1;
                   options.doff = 3;
                   options.extended = std::string(4, 'x');
                   return wire::frame(init("ANONYMOUS").substr(8), options);
               }()),
        let_in("5.3.2-h/empty", "An initial response may be empty.", "ANONYMOUS with an empty initial response",
               init("ANONYMOUS", "")),
        {.id = "5.3.2-h/absent",
         .rule = "An initial response may be left out; the server then asks for it or goes on without.",
         .sends = "ANONYMOUS without initial response, and a response to a challenge",
         .accepts = "outcome ok, with a challenge before it or without",
         .needs = {"sasl", "sasl-anonymous"},
         .clauses = {"5.3.2-i"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(init("ANONYMOUS", {}));
                 line.may_probe = false;
                 const Heard heard = line.accept_one_of(
                     {lets_in(), answers<codec::SaslChallenge>("asks for the response by a challenge")});
                 if (!heard.is(codec::descriptor::sasl_challenge)) return;
                 line.send(peer::sasl_response("conform"));
                 line.accept_one_of({lets_in()});
             }},
    };
}

Cases bodies() {
    return {
        {.id = "5.3.3-b",
         .rule = "Nobody gets in by a mechanism that was not offered.",
         .sends = "init with the mechanism X-CONFORM-BOGUS",
         .accepts = "an outcome other than ok, or the end of the stream",
         .negative = true,
         .needs = {"sasl"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(init("X-CONFORM-BOGUS"));
                 const Heard heard = line.accept_one_of({outcome_other_than_ok(), ends_stream()});
                 const auto outcome = heard.as<codec::SaslOutcome>();
                 if (outcome && outcome->code != SaslCode::auth) t.took("has another code than auth", Grade::recorded);
             }},
        {.id = "5.3.3-f",
         .rule = "Behind an outcome other than ok there is nothing: the stream ends.",
         .sends = "init with a mechanism that was not offered, and behind the outcome the AMQP header and open",
         .accepts = "the end of the stream, and neither header nor open",
         .negative = true,
         .needs = {"sasl"},
         .clauses = {"5.1-a"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(init("X-CONFORM-BOGUS"));
                 const Heard heard = line.accept_one_of({outcome_other_than_ok(), ends_stream()});
                 if (heard.kind == Heard::Kind::end) return;
                 line.send(codec::ProtocolHeader(codec::ProtocolId::amqp), t.open());
                 line.may_probe = false;
                 line.accept_one_of({ends_stream()});
             }},
        {.id = "5.3.3-i",
         .level = Level::should,
         .rule = "additional-data belong to the outcome ok.",
         .sends = "init with a mechanism that was not offered",
         .accepts = "an outcome without additional-data",
         .negative = true,
         .needs = {"sasl"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(init("X-CONFORM-BOGUS"));
                 const Heard heard = line.accept_one_of({outcome_other_than_ok(), ends_stream()});
                 const auto outcome = heard.as<codec::SaslOutcome>();
                 line.require(!outcome || !outcome->additional_data, "no additional-data", "additional-data");
             }},
        kept_out("5.3.3-a/no-mechanism", "The mechanism of init is mandatory.", "init with mechanism null",
                 init_with(0, wire::hex("40"))),
        kept_out("5.3.3-a/empty-list", "The mechanism of init is mandatory.", "init without fields",
                 sasl_frame(wire::described(codec::descriptor::sasl_init, wire::hex("45")))),
        kept_out("5.3.3-a/mechanism-is-a-number", "The mechanism of init is a symbol.", "init with mechanism 7",
                 init_with(0, wire::value(7U))),
        kept_out("5.3.3-a/response-is-a-number", "The initial response of init is binary.",
                 "init with initial-response 7", init_with(1, wire::value(7U)), {}, true),
        kept_out("5.3.3-a/hostname-is-a-number", "The hostname of init is a string.", "init with hostname 7",
                 init_with(2, wire::value(7U)), {}, true),
        kept_out("5.3.3-a/truncated", "An init that its octets do not make is none.",
                 "init whose list is longer than the frame",
                 sasl_frame(wire::described(codec::descriptor::sasl_init,
                                            wire::list({wire::value(codec::Symbol("ANONYMOUS"))}, 0, 50)))),
        {.id = "5.3.3-c",
         .level = Level::informative,
         .rule = "hostname of init chooses the domain; a server may know only some.",
         .sends = "ANONYMOUS with hostname conform.example",
         .accepts = "outcome ok, or a refusal",
         .needs = {"sasl", "sasl-anonymous"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.send(
                     peer::sasl_init(codec::Symbol("ANONYMOUS")).initial_response("c").hostname("conform.example"));
                 line.accept_one_of({lets_in(), outcome_other_than_ok(), ends_stream()});
             }},
        {.id = "5.3.2-g/init-twice",
         .rule = "There is one init.",
         .sends = "ANONYMOUS twice in one write",
         .accepts = "outcome ok for the first and the end of the stream for the second, or the end of the stream",
         .negative = true,
         .needs = {"sasl", "sasl-anonymous"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(init("ANONYMOUS") + init("ANONYMOUS"));
                 line.may_probe = false;
                 Heard heard = line.accept_one_of({lets_in(), outcome_other_than_ok(), ends_stream()});
                 if (heard.kind == Heard::Kind::end) return;
                 // The second stands where the next protocol header has to: that is answered like a wrong header. [2.2]
                 do heard = line.hear();
                 while (heard.kind == Heard::Kind::header || heard.is(codec::descriptor::open));
                 if (heard.kind == Heard::Kind::nothing || heard.is(codec::descriptor::sasl_outcome))
                     line.fail("the end of the stream, or close", heard);
             }},
        {.id = "5.3.3-d",
         .rule = "The right user and password get in by PLAIN.",
         .sends = "PLAIN with the profile's user and password",
         .accepts = "outcome ok",
         .needs = {"sasl", "sasl-plain"},
         .run =
             [](Context& t) {
                 Line& line = offered(t);
                 line.raw(init("PLAIN", nul + t.profile().user + nul + t.profile().password));
                 const auto outcome = line.expect<codec::SaslOutcome>();
                 line.require(outcome->code == SaslCode::ok, "outcome ok",
                              codec::to_string(codec::SaslFrame(*outcome)));
             }},
        plain("wrong-password", "a wrong password",
              [](const Profile& p) { return nul + p.user + nul + p.password + "x"; }),
        plain("shorter-password", "a password that lacks its end",
              [](const Profile& p) { return nul + p.user + nul + p.password.substr(0, p.password.size() / 2); }),
        plain("unknown-user", "a user that does not exist",
              [](const Profile& p) { return nul + "conform-nobody" + nul + p.password; }),
        plain("no-separator", "no NUL", [](const Profile& p) { return p.user + p.password; }),
        plain("one-separator", "one NUL", [](const Profile& p) { return p.user + nul + p.password; }),
        plain("no-user", "an empty user", [](const Profile& p) { return nul + nul + p.password; }),
        plain("no-password", "an empty password", [](const Profile& p) { return nul + p.user + nul; }),
        plain("not-UTF-8", "one octet that is no UTF-8", [](const Profile&) { return std::string("\xff"); }),
    };
}

}  // namespace

Cases sasl() {
    Cases cases = layer();
    for (auto& one : bodies()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
