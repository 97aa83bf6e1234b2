#include "conform/served.hpp"
#include "conform/wire.hpp"

/// What clients do before the first frame. [2.2] [5.3]
namespace aprotic::conform {
namespace {

using codec::SaslCode;
using codec::Symbol;
using wire::hex;

/// The server answers the client's header with something else.
Case other_header(const std::string& name, std::string octets, std::vector<std::string> clauses = {}) {
    return {.id = "2.2-j/client-" + name,
            .rule = "A client that gets another header than it sent ends the stream, and writes nothing more.",
            .sends = "in answer to the client's header: " + name,
            .accepts = "the end of the stream; frames that were on their way already are passed over",
            .negative = true,
            .clauses = std::move(clauses),
            .run = [octets = std::move(octets)](Context& t) {
                Line& line = t.called(any_task(t));
                line.ordinary([&] { line.expect_header("its protocol header"); });
                line.raw(octets);
                line.accept_one_of({ends_stream(), closes().lenient()});
            }};
}

std::string header_octets(codec::ProtocolHeader header) {
    const auto octets = header.serialise();
    return std::string(codec::as_text(octets));
}

std::string sasl_frame_of(std::string_view body, wire::FrameOptions options = {}) {
    options.type = 1;
    return wire::frame(body, options);
}

/// Behind the SASL headers the server sends this where mechanisms are due.
Case bad_offer(const std::string& id, const std::string& rule, const std::string& sends, std::string octets,
               bool may_be_read = false) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = std::string("the end of the stream, without a sasl-init") +
                       (may_be_read ? "; taking the offer is not strict" : ""),
            .negative = true,
            .run = [octets = std::move(octets), may_be_read](Context& t) {
                Line& line = asked_for_sasl(t);
                line.header(codec::ProtocolId::sasl);
                line.raw(octets);
                const auto asks = answers<codec::SaslInit>("asks for a mechanism");
                const Heard heard = line.accept_one_of({ends_stream(), may_be_read ? asks.lenient() : asks});
                if (heard.kind == Heard::Kind::frame && !may_be_read)
                    line.fail("the client asks for no mechanism", heard);
            }};
}

/// Takes the client's sasl-init where PLAIN alone was offered. A client that makes nothing of the user it was given can
/// only go: what it would take is asked with more to choose from, and leaves the question open.
void expect_plain(Context& t, Line& line) {
    const Heard heard = line.accept_one_of({answers<codec::SaslInit>("asks for a mechanism"), ends_stream()});
    if (const auto init = heard.as<codec::SaslInit>())
        return line.require(init->mechanism.view() == "PLAIN", "sasl-init for PLAIN",
                            codec::to_string(codec::SaslFrame(*init)));
    Line& other = asked_for_sasl(t);
    offer(other, {Symbol("PLAIN"), Symbol("ANONYMOUS")});
    other.ordinary([&] {
        const auto init = other.expect<codec::SaslInit>("PLAIN and ANONYMOUS are offered");
        if (init->mechanism.view() != "PLAIN") t.skip("the client makes nothing of the user it is given");
    });
    line.fail("sasl-init for PLAIN", heard);
}

/// The mechanisms as this value, in which PLAIN stands alone.
Case good_offer(const std::string& name, std::string mechanisms) {
    return {.id = "5.3.2-c/client-" + name,
            .rule = "One symbol is as good as an array with one, and arrays come with octet or word sizes.",
            .sends = "sasl-mechanisms as " + name,
            .accepts = "sasl-init for PLAIN",
            .run = [mechanisms = std::move(mechanisms)](Context& t) {
                Line& line = asked_for_sasl(t);
                line.header(codec::ProtocolId::sasl);
                line.raw(sasl_frame_of(wire::described(codec::descriptor::sasl_mechanisms, wire::list({mechanisms}))));
                expect_plain(t, line);
            }};
}

/// A client that has asked for a mechanism.
Line& initiated(Context& t) {
    Line& line = asked_for_sasl(t);
    offer(line, {Symbol("PLAIN"), Symbol("ANONYMOUS")});
    line.ordinary([&] { line.expect<codec::SaslInit>("PLAIN and ANONYMOUS are offered"); });
    return line;
}

Case not_let_in(const std::string& id, const std::string& rule, const std::string& sends, std::string octets) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "the end of the stream, and no AMQP header before it",
            .negative = true,
            .run = [octets = std::move(octets)](Context& t) {
                Line& line = initiated(t);
                line.raw(octets);
                const Heard heard =
                    line.accept_one_of({ends_stream(), answers_header(codec::ProtocolId::amqp), closes().lenient()});
                if (heard.kind == Heard::Kind::header) line.fail("no AMQP header", heard);
            }};
}

std::string outcome_with(std::string_view code) {
    return sasl_frame_of(wire::described(codec::descriptor::sasl_outcome, wire::list({hex(code)})));
}

/// Every octet in a write of its own.
void one_by_one(Line& line, std::string_view octets) {
    for (std::size_t i = 0; i < octets.size(); ++i) line.raw(octets.substr(i, 1));
}

Cases headers() {
    return {
        {.id = "2.2-b/client",
         .rule = "A client writes the header AMQP 1.0.0 of a layer it wants, without waiting for the server's.",
         .sends = "nothing",
         .accepts = "AMQP 0 1.0.0, or AMQP 3 1.0.0 for a SASL layer; AMQP 2 1.0.0 for a TLS layer is recorded",
         .clauses = {"2.2-a"},
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Line& line = t.called(any_task(t));
                 const auto header = line.expect_header();
                 if (header.is(codec::ProtocolId::amqp)) return t.took("asks for AMQP");
                 if (header.is(codec::ProtocolId::sasl)) return t.took("asks for a SASL layer");
                 line.require(header.is(codec::ProtocolId::tls), "a header of AMQP 1.0.0", "another one");
                 t.took("asks for a TLS layer", Grade::recorded);
             }},
        {.id = "2.2-l/client",
         .rule = "A header that comes in pieces is a header.",
         .sends = "the header that the client has sent and what follows it, one octet at a time",
         .accepts = "the client goes on: sasl-init in a SASL layer, else begin",
         .run =
             [](Context& t) {
                 Line& line = t.called(any_task(t));
                 const auto theirs = line.expect_header();
                 one_by_one(line, header_octets(theirs));
                 if (theirs.is(codec::ProtocolId::sasl)) {
                     one_by_one(line,
                                codec::as_text(
                                    peer::sasl_mechanisms({Symbol("PLAIN"), Symbol("ANONYMOUS")}).encode(0).span()));
                     line.expect<codec::SaslInit>("the mechanisms have come");
                 } else {
                     const codec::Bytes open = t.open().encode(0);
                     line.raw_open(codec::as_text(open.span()).substr(0, 1));
                     one_by_one(line, codec::as_text(open.span()).substr(1));
                     line.accept_one_of({answers<codec::Begin>("begins a session")});
                 }
             }},
        {.id = "2.2-m/client",
         .level = Level::informative,
         .rule = "A server that never completes its header is given up in bounded time.",
         .sends = "seven octets of a header, and nothing more",
         .accepts = "the end of the stream, sooner or later; how long it took is recorded",
         .negative = true,
         .tags = {"slow"},
         .run =
             [](Context& t) {
                 Line& line = t.called(any_task(t));
                 const auto theirs = line.expect_header();
                 line.raw(header_octets(theirs).substr(0, 7));
                 line.wait_for_end(8);
             }},
        {.id = "2.2-i/client",
         .rule = "A client that has got another header than it sent ends the stream in order, so that nothing is lost.",
         .sends = "AMQP 0 2.0.0 and 64 KiB of nothing in particular behind it",
         .accepts = "the end of the stream in order; a reset is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.called(any_task(t));
                 line.ordinary([&] { line.expect_header("its protocol header"); });
                 line.raw(header_octets({0, 2, 0, 0}) + std::string(64 * 1024, '\0'));
                 line.accept_one_of({ends_stream(), closes().lenient()});
                 if (line.was_reset()) t.took("resets the stream while the server writes", Grade::lenient);
             }},
        other_header("version-2.0.0", header_octets({0, 2, 0, 0})),
        other_header("version-1.1.0", header_octets({0, 1, 1, 0})),
        other_header("version-0.9.1", header_octets({0, 0, 9, 1})),
        other_header("id-of-TLS", header_octets(codec::ProtocolId::tls)),
        other_header("id-255", header_octets({255, 1, 0, 0})),
        other_header("HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", {"2.2-g"}),
        other_header("zeros", std::string(64, '\0'), {"2.2-g"}),
        {.id = "2.2-j/client-SASL-wanted",
         .rule = "A client that gets another header than it sent ends the stream; it may come back with that layer.",
         .sends = "the SASL header to a client that asks for AMQP, and the other way round",
         .accepts = "the end of the stream; that it comes back with the layer that the server wants is recorded",
         .negative = true,
         .clauses = {"2.2-h"},
         .run =
             [](Context& t) {
                 Line& line = t.called(any_task(t));
                 const auto theirs = line.expect_header();
                 const bool bare = theirs.is(codec::ProtocolId::amqp);
                 line.header(bare ? codec::ProtocolId::sasl : codec::ProtocolId::amqp);
                 line.accept_one_of({ends_stream(), closes().lenient()});
                 if (t.called_again(t.timing().quiet * 5) != nullptr) t.note("it connects again");
             }},
    };
}

Cases sasl_layer() {
    const std::string failure = "A client that the server does not let in sends no AMQP, and ends the stream.";
    Cases cases = {
        {.id = "5.3.2-b/client",
         .rule = "A client takes one of the mechanisms that are offered.",
         .sends = "PLAIN, ANONYMOUS and X-CONFORM as mechanisms",
         .accepts = "sasl-init for one of the first two, in a frame of at most 512 octets",
         .clauses = {"5.3-f", "5.3-a"},
         .run =
             [](Context& t) {
                 Line& line = asked_for_sasl(t);
                 offer(line, {Symbol("X-CONFORM"), Symbol("PLAIN"), Symbol("ANONYMOUS")});
                 const auto init = line.expect<codec::SaslInit>();
                 const std::string name(init->mechanism.view());
                 line.require(name == "PLAIN" || name == "ANONYMOUS", "sasl-init for PLAIN or ANONYMOUS", name);
                 t.took("takes " + name);
             }},
        bad_offer("5.3.2-b/client-nothing-known", "A client does not ask for what is not offered.",
                  "X-CONFORM as the only mechanism",
                  std::string(codec::as_text(peer::sasl_mechanisms({Symbol("X-CONFORM")}).encode(0).span()))),
        bad_offer("5.3.2-d/client-null", "The mechanisms must be there.", "sasl-mechanisms with null",
                  sasl_frame_of(wire::described(codec::descriptor::sasl_mechanisms, wire::list({hex("40")})))),
        bad_offer("5.3.2-d/client-empty", "There must be at least one mechanism.",
                  "sasl-mechanisms with an empty array",
                  sasl_frame_of(wire::described(codec::descriptor::sasl_mechanisms, wire::list({hex("e0 02 00 a3")})))),
        bad_offer("5.3-h/client", "An empty SASL frame is fatal.", "a SASL frame without a body", sasl_frame_of("")),
        bad_offer(
            "5.3-g/client-two", "A SASL frame holds just one SASL performative.", "sasl-mechanisms twice in one frame",
            sasl_frame_of(wire::described(codec::descriptor::sasl_mechanisms, wire::list({hex("a3 05 504c41494e")})) +
                          wire::described(codec::descriptor::sasl_mechanisms, wire::list({hex("a3 05 504c41494e")}))),
            true),
        bad_offer("5.3-c/client", "In the SASL layer there are no AMQP frames.", "open in a frame of type 0",
                  std::string(codec::as_text(peer::open().encode(0).span()))),
        bad_offer("5.3-i/client", "It is the server that offers mechanisms, and the client that asks.",
                  "sasl-init, from the server",
                  std::string(codec::as_text(peer::sasl_init(Symbol("PLAIN")).encode(0).span()))),
        good_offer("symbol", hex("a3 05 504c41494e")),
        good_offer("array8", hex("e0 08 01 a3 05 504c41494e")),
        good_offer("array32", hex("f0 0000000b 00000001 a3 05 504c41494e")),
        {.id = "5.3-d/client",
         .rule = "Octets 6 and 7 and the extended header of a SASL frame are passed over.",
         .sends =
             "sasl-mechanisms with DOFF 4, eight octets of extended header and 9 where other frames have a channel",
         .accepts = "sasl-init",
         .run =
             [](Context& t) {
                 Line& line = asked_for_sasl(t);
                 line.header(codec::ProtocolId::sasl);
                 line.raw(sasl_frame_of(
                     wire::described(codec::descriptor::sasl_mechanisms, wire::list({hex("a3 05 504c41494e")})),
                     {.channel = 9, .doff = 4, .extended = std::string(8, '\x5a')}));
                 expect_plain(t, line);
             }},
        {.id = "5.3.2-i/client",
         .level = Level::informative,
         .rule = "A client answers challenges, or gives up where its mechanism has none.",
         .sends = "an empty sasl-challenge behind the client's sasl-init",
         .accepts = "sasl-response, or the end of the stream",
         .run =
             [](Context& t) {
                 Line& line = initiated(t);
                 line.send(peer::sasl_challenge(""));
                 line.accept_one_of({answers<codec::SaslResponse>("answers the challenge"), ends_stream()});
             }},
        {.id = "5.3.3-e/client",
         .rule = "Behind outcome ok headers are exchanged anew.",
         .sends = "sasl-outcome ok",
         .accepts = "the header AMQP 0 1.0.0",
         .run =
             [](Context& t) {
                 Line& line = initiated(t);
                 line.send(peer::sasl_outcome(SaslCode::ok));
                 const auto header = line.expect_header("the AMQP header");
                 line.require(header.is(codec::ProtocolId::amqp), "AMQP 0 1.0.0", "another header");
             }},
        {.id = "5.3.3-e/client-one-write",
         .rule = "What comes in one segment with the outcome belongs to the layer behind it.",
         .sends = "sasl-outcome ok, the AMQP header and open in one write",
         .accepts = "header, open and begin",
         .run =
             [](Context& t) {
                 Line& line = initiated(t);
                 line.send(peer::sasl_outcome(SaslCode::ok), codec::ProtocolHeader(codec::ProtocolId::amqp), t.open());
                 line.expect_header("the AMQP header");
                 line.expect<codec::Open>();
                 line.accept_one_of({answers<codec::Begin>("begins a session")});
             }},
        {.id = "5.3.3-e/client-no-header",
         .rule = "Behind outcome ok a header is due before any frame.",
         .sends = "sasl-outcome ok and open, without a header between them",
         .accepts = "the end of the stream, or close with an error",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = initiated(t);
                 line.send(peer::sasl_outcome(SaslCode::ok), t.open());
                 // What it writes together with its own header says nothing of ours. [2.4.2-a]
                 const Reactions pipelined = {answers<codec::Begin>("pipelines a session"),
                                              answers<codec::Attach>("pipelines a link"),
                                              answers<codec::Flow>("pipelines credit")};
                 for (;;) {
                     const Heard heard = line.accept_one_of(Reactions{ends_stream(), closes()} + pipelined);
                     if (heard.kind == Heard::Kind::end || heard.is(codec::descriptor::close)) return;
                 }
             }},
        not_let_in("5.3.3-a/client", "An outcome has a code.", "sasl-outcome with null for its code",
                   outcome_with("40")),
        not_let_in("5.3.3-h/client-5", failure, "sasl-outcome with the code 5, which there is not",
                   outcome_with("50 05")),
        not_let_in("5.3.3-h/client-255", failure, "sasl-outcome with the code 255, which there is not",
                   outcome_with("50 ff")),
    };
    for (const int code : {1, 2, 3, 4})
        cases.push_back(not_let_in("5.3.3-f/client-" + std::to_string(code), failure,
                                   "sasl-outcome with code " + std::to_string(code),
                                   outcome_with("50 0" + std::to_string(code))));
    return cases;
}

}  // namespace

Cases client_version_negotiation() { return of_clients(headers()); }

Cases client_sasl() { return of_clients(sasl_layer()); }

}  // namespace aprotic::conform
