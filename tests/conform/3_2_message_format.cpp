#include <algorithm>

#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

/// Messages as a node hands them on: what may change, what must not, and what is no message.
namespace aprotic::conform {
namespace {

using namespace codec::condition;
using wire::hex;

struct Section {
    std::uint64_t code = 0;
    std::string octets;  ///< with its descriptor
};

std::vector<Section> sections_of(Line& line, const std::string& octets) {
    std::vector<Section> sections;
    codec::Decoder from(codec::as_bytes(octets));
    while (!from.at_end()) {
        const std::size_t start = from.offset();
        const codec::Descriptor descriptor = from.read_descriptor();
        from.skip();
        line.require(from.ok(), "sections, and nothing else", "octets that are none: " + from.error().message());
        sections.push_back({descriptor.resolve().value_or(0), octets.substr(start, from.offset() - start)});
    }
    return sections;
}

/// The sections that only the bare message has, as they stand.
std::string bare_of(Line& line, const std::string& octets) {
    std::string bare;
    for (const auto& section : sections_of(line, octets))
        if (section.code >= codec::descriptor::properties && section.code <= codec::descriptor::amqp_value)
            bare += section.octets;
    return bare;
}

std::string section_of(Line& line, const std::string& octets, std::uint64_t code) {
    std::string all;
    for (const auto& section : sections_of(line, octets))
        if (section.code == code) all += section.octets;
    return all;
}

/// Whether a peer takes this message, which is legal, but may be against rules of the peer's own.
bool takes(Context& t, const std::string& octets) {
    Line& line = t.sending(t.queue("tried"));
    line.send(delivery_of(line, octets));
    const Heard heard =
        answer_to_delivery(line, {accepts_delivery(), rejects_delivery(), detaches(), ends(), closes()});
    line.finish();
    t.outcome = {};
    return heard.is(codec::descriptor::disposition) && is_accepted(heard.as<codec::Disposition>()->state);
}

std::string shown(const std::string& octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char octet : octets.substr(0, 200)) {
        text += digits[static_cast<unsigned char>(octet) >> 4U];
        text += digits[static_cast<unsigned char>(octet) & 15U];
    }
    return text + (octets.size() > 200 ? "…" : "");
}

// --- what must not change ------------------------------------------------------------------------------------------

/// Whether sections that were not sent may come: what adds them breaks a rule of its own. [3.2-b]
enum class Added { judged, noted };

void expect_kept(Context& t, const std::string& octets, Added added = Added::noted) {
    const std::string came = through(t, octets);
    Line& line = t.lines().back();
    const std::string sent = bare_of(line, octets);
    std::string all = bare_of(line, came), got;
    for (const auto& section : sections_of(line, all))
        if (!section_of(line, sent, section.code).empty()) got += section.octets;
    if (got != all && added == Added::noted) t.note("sections come in on the way, which 3.2-b judges");
    if (added == Added::judged) got = all;
    line.require(sent == got, "the bare message " + shown(sent), shown(got));
}

/// A legal message whose bare part comes out of a queue octet for octet.
Case kept(const std::string& id, const std::string& rule, const std::string& sends, std::string octets,
          std::vector<std::string> clauses = {"3.2-a"}, Added added = Added::noted) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts = "accepted, and properties, application-properties and body come out octet for octet",
            .needs = {"queue"},
            .clauses = std::move(clauses),
            .run = [octets = std::move(octets), added](Context& t) { expect_kept(t, octets, added); }};
}

std::string all_properties(const std::string& user_id) {
    return wire::described(codec::descriptor::properties,
                           wire::list({wire::str("id"), user_id, wire::str("to"), wire::str("subject"),
                                       wire::str("reply-to"), wire::str("correlation"), wire::sym("text/plain"),
                                       wire::sym("identity"), hex("83 0000040000000000"), hex("83 0000018000000000"),
                                       wire::str("group"), hex("70 00000007"), wire::str("reply-group")}));
}

const std::pair<const char*, const char*> primitives[] = {
    {"null", "40"},
    {"true", "41"},
    {"false-octet", "56 00"},
    {"ubyte", "50 ff"},
    {"ushort", "60 ffff"},
    {"uint", "70 ffffffff"},
    {"uint-0", "43"},
    {"ulong", "80 ffffffffffffffff"},
    {"byte", "51 80"},
    {"short", "61 8000"},
    {"int", "71 80000000"},
    {"long", "81 8000000000000000"},
    {"float-nan", "72 7fc00001"},
    {"double-minus-0", "82 8000000000000000"},
    {"decimal32", "74 22500005"},
    {"decimal64", "84 2238000000000005"},
    {"decimal128", "94 22080000000000000000000000000005"},
    {"char", "73 0001f430"},
    {"char-0", "73 00000000"},
    {"timestamp-before-1970", "83 ffffffffffffffff"},
    {"uuid", "98 000102030405060708090a0b0c0d0e0f"},
    {"binary-empty", "a0 00"},
    {"binary32", "b0 00000002 00ff"},
    {"string32", "b1 00000002 c3af"},
    {"symbol32", "b3 00000003 616263"},
    {"list-nested", "d0 00000009 00000002 c0 02 01 43 43"},
    {"map-odd-keys", "c1 06 04 43 41 40 a0 00"},
    {"array-of-described", "f0 0000000f 00000002 00 80 0000000000000099 45"},
    {"described", "00 a3 01 78 a1 01 79"},
};

Cases bare_message() {
    const std::string same = "What the sender has made of the bare message is not touched on its way.";
    Cases cases;
    for (const auto& [name, octets] : primitives)
        cases.push_back(kept("3.2.6-c/" + std::string(name), same, "a body of the value " + std::string(octets),
                             wire::value_body(hex(octets)), {"3.2-a"}));
    cases.push_back(
        kept("3.2-a/wide", same, "properties and body in the widest encodings there are",
             wire::described(codec::descriptor::properties, hex("d0 0000000e 00000001 b1 00000005") + "wide!") +
                 wire::value_body(hex("b1 00000001 78"))));
    cases.push_back(kept("3.2-a/symbolic-descriptors", same, "sections whose descriptors are symbols",
                         hex("00") + wire::sym("amqp:properties:list") + hex("c0 05 01") + wire::str("id") + hex("00") +
                             wire::sym("amqp:amqp-value:*") + hex("a1 01 78"),
                         {"3.2-a", "3.2-g"}));
    cases.push_back(kept("3.2-a/ulong-descriptors", same, "sections whose descriptors are ulongs of eight octets",
                         hex("00 80 0000000000000077 a1 01 78"), {"3.2-a", "3.2-g"}));
    cases.push_back(kept("3.2-b", "Sections of the bare message that were not there do not come in on the way.",
                         "a message of a body alone", wire::plain_body(), {"3.2-a"}, Added::judged));
    cases.push_back(kept("3.2-b/empty-properties", same, "empty properties and empty application-properties",
                         wire::described(codec::descriptor::properties, hex("45")) +
                             wire::described(codec::descriptor::application_properties, hex("c1 01 00")) +
                             wire::plain_body()));
    cases.push_back({.id = "3.2.4-a",
                     .rule = "Properties are not altered.",
                     .sends = "all thirteen properties; twelve, where the peer does not take a user-id of no user",
                     .accepts = "accepted, and properties and body come out octet for octet",
                     .needs = {"queue"},
                     .clauses = {"3.2-a"},
                     .run = [](Context& t) {
                         const std::string body = wire::described(codec::descriptor::data, hex("a0 01 78"));
                         // Who a user is may be checked on the way. [3.2.4]
                         const bool any_user = takes(t, all_properties(hex("a0 02 0001")) + body);
                         expect_kept(t, all_properties(hex(any_user ? "a0 02 0001" : "40")) + body);
                         if (!any_user) t.note("a user-id of no user is refused");
                     }});
    for (const auto& [name, octets] : std::initializer_list<std::pair<const char*, std::string>>{
             {"ulong", hex("80 8000000000000001")},
             {"uuid", hex("98 000102030405060708090a0b0c0d0e0f")},
             {"binary", hex("a0 03 00ff01")},
             {"string", wire::str("\xC3\xAF")}})
        cases.push_back(kept("3.2.4-b/" + std::string(name),
                             "message-id and correlation-id are ulong, uuid, binary or string.",
                             "both as " + std::string(name),
                             wire::described(codec::descriptor::properties,
                                             wire::list({octets, hex("40"), hex("40"), hex("40"), hex("40"), octets})) +
                                 wire::plain_body()));
    for (const auto& [name, octets] : primitives) {
        const std::string type = name;
        if (type == "list-nested") break;  // the simple types are done
        cases.push_back(kept(
            "3.2.5-b/" + type, "Values of application-properties are any simple ones.",
            "an application property of the value " + std::string(octets),
            wire::described(codec::descriptor::application_properties, wire::map_of(wire::str("key"), hex(octets))) +
                wire::plain_body(),
            {"3.2-a", "3.2.5-c"}));
    }
    cases.push_back(kept("3.2.6-a", "A body may be several data sections.", "three data sections, the second empty",
                         hex("005375 a00161 005375 a000 005375 b00000000162"), {"3.2-e", "3.2-a"}));
    cases.push_back(kept("3.2.6-a/200", "A body may be several data sections.", "200 data sections",
                         [] {
                             std::string octets;
                             for (int i = 0; i < 200; ++i) octets += hex("005375 a00161");
                             return octets;
                         }(),
                         {"3.2-e", "3.2-a"}));
    cases.push_back(kept("3.2.6-b", "A body may be several amqp-sequence sections.", "three lists, the second empty",
                         hex("005376 c0020143 005376 45 005376 d0 00000005 00000001 43"), {"3.2-e", "3.2-a"}));
    return cases;
}

Cases around_the_bare_message() {
    return {
        {.id = "3.2.3-a",
         .rule = "Message annotations are handed on.",
         .sends = "x-opt-conform in the message annotations, with a nested value",
         .accepts = "the same key and value come out",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string entry =
                     wire::sym("x-opt-conform") + hex("c1 07 02") + wire::str("a") + hex("c0 01 00");
                 const std::string octets =
                     wire::described(
                         codec::descriptor::message_annotations,
                         wire::map_of(wire::sym("x-opt-conform"), hex("c1 07 02") + wire::str("a") + hex("c0 01 00"))) +
                     wire::plain_body();
                 const std::string came = through(t, octets);
                 Line& line = t.lines().back();
                 const std::string got = section_of(line, came, codec::descriptor::message_annotations);
                 line.require(got.find(entry) != std::string::npos, "x-opt-conform with its value", shown(got));
             }},
        {.id = "3.2.2-a",
         .level = Level::should,
         .rule = "Delivery annotations are for the next hop.",
         .sends = "x-opt-conform in the delivery annotations",
         .accepts = "it does not come out; handing it on is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string came =
                     through(t, wire::described(codec::descriptor::delivery_annotations,
                                                wire::map_of(wire::sym("x-opt-conform"), hex("41"))) +
                                    wire::plain_body());
                 const std::string got = section_of(t.lines().back(), came, codec::descriptor::delivery_annotations);
                 if (got.find("x-opt-conform") != std::string::npos) t.took("hands them on", Grade::lenient);
             }},
        {.id = "3.2.9-a",
         .rule = "The footer is part of the annotated message, and kept.",
         .sends = "a footer with x-opt-conform",
         .accepts = "it comes out behind the body; losing it is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string footer =
                     wire::described(codec::descriptor::footer, wire::map_of(wire::sym("x-opt-conform"), hex("41")));
                 const std::string came = through(t, wire::plain_body() + footer);
                 Line& line = t.lines().back();
                 const auto sections = sections_of(line, came);
                 const bool last = !sections.empty() && sections.back().code == codec::descriptor::footer;
                 if (!last) return t.took("does not keep it", Grade::lenient);
                 line.require(sections.back().octets == footer, shown(footer), shown(sections.back().octets));
             }},
        {.id = "3.2.10-a",
         .rule = "Annotations that begin with x-opt- and are not known are passed over.",
         .sends = "keys of our own that begin with x-opt- in every section of annotations",
         .accepts = "accepted, and the body comes out",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string map = wire::map_of(wire::sym("x-opt-com.example-conform"), hex("a0 03 000102"));
                 const std::string octets = wire::described(codec::descriptor::delivery_annotations, map) +
                                            wire::described(codec::descriptor::message_annotations, map) +
                                            wire::plain_body() + wire::described(codec::descriptor::footer, map);
                 const std::string came = through(t, octets);
                 Line& line = t.lines().back();
                 // What else comes in on the way is 3.2-b's affair.
                 const std::string body = section_of(line, came, codec::descriptor::amqp_value);
                 line.require(body == wire::plain_body(), shown(wire::plain_body()), shown(came));
             }},
    };
}

}  // namespace

Cases message_format() {
    Cases cases = bare_message();
    for (auto& one : around_the_bare_message()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
