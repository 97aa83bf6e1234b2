#include <algorithm>

#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {
namespace {

using codec::ProtocolHeader;
using codec::ProtocolId;

/// What an unacceptable header is answered with: a header that would do, then the end of the stream. [2.2-e], [2.2-g]
void refuse_header(Context& context, std::span<const std::byte> octets) {
    Line& line = context.connect();
    line.raw(octets);
    const Heard heard = line.hear();
    if (heard.kind == Heard::Kind::end) return context.took(drops().name, Grade::lenient);
    if (heard.kind != Heard::Kind::header)
        line.fail("the peer sends a header that it supports, then ends the stream", heard);
    const auto& header = heard.header;
    line.require(!std::ranges::equal(header.serialise(), octets.first(std::min<std::size_t>(octets.size(), 8))),
                 "the peer's header is another than the one it refuses", heard.text());
    const Heard next = line.hear();
    if (next.kind == Heard::Kind::end) return context.took("sends " + heard.text() + ", then ends the stream");
    if (next.kind != Heard::Kind::frame) line.fail("the peer ends the stream behind its header", next);
    line.expect_end("it has offered another header");
    context.took("sends " + heard.text() + " and " + next.text() + ", then ends the stream", Grade::lenient);
}

void refuse_header(Context& context, std::string_view octets) { refuse_header(context, codec::as_bytes(octets)); }

Case unsupported_version(const std::string& name, ProtocolHeader header) {
    return {.id = "2.2-e/" + name,
            .rule =
                "A version that the server does not support is answered with a header that it does, and the end "
                "of the stream.",
            .sends = "an AMQP header with version " + name,
            .accepts = "a header of AMQP 1.0.0, then the end; the end alone is not strict",
            .negative = true,
            .needs = {"bare"},
            .run = [header](Context& t) { refuse_header(t, header.serialise()); }};
}

Case unknown_id(std::uint8_t id) {
    return {.id = "2.2-h/id-" + std::to_string(id),
            .rule =
                "A protocol id that the server does not accept is answered with a header that it does, and the end "
                "of the stream.",
            .sends = "a header with protocol id " + std::to_string(id),
            .accepts = "a header with id 0, 2 or 3, then the end; the end alone is not strict",
            .negative = true,
            .run = [id](Context& t) { refuse_header(t, ProtocolHeader(id, 1, 0, 0).serialise()); }};
}

Case no_header(const std::string& name, std::string octets) {
    return {.id = "2.2-g/" + name,
            .rule = "Octets that are no protocol header are answered with one, and the end of the stream.",
            .sends = name + " in place of the header",
            .accepts = "a valid header, then the end; the end alone is not strict",
            .negative = true,
            .run = [octets](Context& t) { refuse_header(t, octets); }};
}

void expect_open_behind(Line& line) {
    const auto header = line.expect_header("the AMQP header");
    line.require(header.is(ProtocolId::amqp), "the peer sends the AMQP header 0 1.0.0", "another header");
    line.expect<codec::Open>();
}

}  // namespace

Cases version_negotiation() {
    Cases cases = {
        {.id = "2.2-d",
         .rule = "The header of a supported version is answered with the same header.",
         .sends = "AMQP 0 1.0.0",
         .accepts = "AMQP 0 1.0.0",
         .needs = {"bare"},
         .clauses = {"2.2-a", "0.2-a"},
         .tags = {"control"},
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.header();
                 const auto header = line.expect_header("the AMQP header");
                 line.require(header.is(ProtocolId::amqp), "the peer sends AMQP 0 1.0.0", "another header");
             }},
        {.id = "2.2-a",
         .rule = "The first eight octets that a peer writes are a protocol header in upper case.",
         .sends = "the header that the profile's way of authenticating begins with",
         .accepts = "a protocol header, octet for octet",
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.header(t.profile().sasl == "none" ? ProtocolId::amqp : ProtocolId::sasl);
                 const auto header = line.expect_header("a protocol header before anything else");
                 line.require(header.major == 1 && header.minor == 0 && header.revision == 0,
                              "the header is of version 1.0.0", "another version");
             }},
        {.id = "2.2-c",
         .level = Level::informative,
         .rule = "A server may wait for the client's header, or write its own first.",
         .sends = "nothing",
         .accepts = "a header, or nothing",
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 const Heard heard = line.hear(t.timing().quiet * 4);
                 const bool fine = heard.kind == Heard::Kind::nothing || heard.kind == Heard::Kind::header;
                 if (!fine) line.fail("the peer waits, or sends a header", heard);
                 t.took(heard.kind == Heard::Kind::nothing ? "waits for the client" : "sends its header first");
             }},
        {.id = "2.2-l/octet-by-octet",
         .rule = "A header that comes in pieces is a header.",
         .sends = "the AMQP header in eight writes of one octet, then open",
         .accepts = "the AMQP header and open",
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 const auto header = ProtocolHeader(ProtocolId::amqp).serialise();
                 for (const std::byte& octet : header) line.raw(std::span(&octet, 1));
                 line.send(t.open());
                 expect_open_behind(line);
             }},
        {.id = "2.2-l/with-open",
         .rule = "A header and what follows it may come in one piece.",
         .sends = "the AMQP header and open in one write",
         .accepts = "the AMQP header and open",
         .run =
             [](Context& t) {
                 Line& line = t.authenticated();
                 line.send(ProtocolHeader(ProtocolId::amqp), t.open());
                 expect_open_behind(line);
             }},
        {.id = "2.2-i",
         .rule = "Where headers differ a peer ends its stream in order, and reads what is still on its way.",
         .sends = "AMQP 0 2.0.0 and 64 KiB behind it",
         .accepts = "a header, then the end of the stream in order; a reset is not strict",
         .negative = true,
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.header({0, 2, 0, 0});
                 line.raw(std::string(64 * 1024, '\0'));
                 for (Heard heard; heard.kind != Heard::Kind::end;) {
                     heard = line.hear();
                     if (heard.kind == Heard::Kind::nothing)
                         line.fail("the peer ends the stream: the versions differ", heard);
                     const bool more = heard.kind == Heard::Kind::frame || heard.kind == Heard::Kind::bad;
                     if (more) t.took("sends frames behind its header", Grade::lenient);
                 }
                 if (line.was_reset()) t.took("resets the stream while we write", Grade::lenient);
             }},
        {.id = "2.2-m",
         .level = Level::informative,
         .rule = "Who never completes its header is dropped in bounded time.",
         .sends = "seven octets of the AMQP header, and nothing more",
         .accepts = "the end of the stream within 5 s, or later; how long it took is recorded",
         .negative = true,
         .tags = {"slow"},
         .run =
             [](Context& t) {
                 Line& line = t.connect();
                 line.raw(std::string_view("AMQP\0\1\0", 7));
                 line.wait_for_end(5);
             }},
    };
    for (const auto& one :
         {unsupported_version("2.0.0", {0, 2, 0, 0}), unsupported_version("1.1.0", {0, 1, 1, 0}),
          unsupported_version("1.0.1", {0, 1, 0, 1}), unsupported_version("255.255.255", {0, 255, 255, 255})})
        cases.push_back(one);
    cases.push_back(no_header("http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    cases.push_back(no_header("zeros", std::string(16, '\0')));
    cases.push_back(no_header("lower-case", std::string("amqp\0\1\0\0", 8)));
    for (const unsigned id : {1U, 4U, 255U}) cases.push_back(unknown_id(static_cast<std::uint8_t>(id)));
    return cases;
}

}  // namespace aprotic::conform
