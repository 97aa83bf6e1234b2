#include <algorithm>
#include <chrono>

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

/// A transfer whose payload is just this.
peer::TransferFrame delivery_of(Line& line, const std::string& octets) {
    auto frame = Context::delivery(line);
    frame.octets = {};
    frame.payload(octets);
    return frame;
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

void put(Context& t, const std::string& octets) {
    Line& line = t.sending(t.queue());
    line.send(delivery_of(line, octets));
    expect_accepted(line, line.next_delivery_id - 1, "the message is a legal one");
    line.finish();
}

/// What becomes of these octets on their way through a queue.
std::string through(Context& t, const std::string& octets) {
    put(t, octets);
    Receiver receiver(t, t.queue());
    receiver.grant(1);
    const Arrived arrived = receiver.take("the message that was accepted");
    receiver.settle(arrived, codec::Accepted{});
    receiver.line.finish();
    return arrived.octets;
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

std::string section(std::uint64_t code, const std::string& value) { return wire::described(code, value); }
std::string value_body(const std::string& octets) { return section(codec::descriptor::amqp_value, octets); }
const std::string& plain_body() {
    static const std::string body = value_body(hex("a1 04 706c6169"));
    return body;
}

/// A map32 of one key and one value.
std::string pair_in_map(const std::string& key, const std::string& value) {
    return hex("d1") + wire::be(4 + key.size() + value.size(), 4) + wire::be(2, 4) + key + value;
}
std::string sym(std::string_view text) { return hex("a3") + wire::be(text.size(), 1) + std::string(text); }
std::string str(std::string_view text) { return hex("a1") + wire::be(text.size(), 1) + std::string(text); }

std::string all_properties(const std::string& user_id) {
    return section(codec::descriptor::properties,
                   wire::list({str("id"), user_id, str("to"), str("subject"), str("reply-to"), str("correlation"),
                               sym("text/plain"), sym("identity"), hex("83 0000019000000000"),
                               hex("83 0000018000000000"), str("group"), hex("70 00000007"), str("reply-group")}));
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
                             value_body(hex(octets)), {"3.2-a"}));
    cases.push_back(kept("3.2-a/wide", same, "properties and body in the widest encodings there are",
                         section(codec::descriptor::properties, hex("d0 0000000e 00000001 b1 00000005") + "wide!") +
                             value_body(hex("b1 00000001 78"))));
    cases.push_back(kept("3.2-a/symbolic-descriptors", same, "sections whose descriptors are symbols",
                         hex("00") + sym("amqp:properties:list") + hex("c0 05 01") + str("id") + hex("00") +
                             sym("amqp:amqp-value:*") + hex("a1 01 78"),
                         {"3.2-a", "3.2-g"}));
    cases.push_back(kept("3.2-a/ulong-descriptors", same, "sections whose descriptors are ulongs of eight octets",
                         hex("00 80 0000000000000077 a1 01 78"), {"3.2-a", "3.2-g"}));
    cases.push_back(kept("3.2-b", "Sections of the bare message that were not there do not come in on the way.",
                         "a message of a body alone", plain_body(), {"3.2-a"}, Added::judged));
    cases.push_back(kept("3.2-b/empty-properties", same, "empty properties and empty application-properties",
                         section(codec::descriptor::properties, hex("45")) +
                             section(codec::descriptor::application_properties, hex("c1 01 00")) + plain_body()));
    cases.push_back({.id = "3.2.4-a",
                     .rule = "Properties are not altered.",
                     .sends = "all thirteen properties; twelve, where the peer does not take a user-id of no user",
                     .accepts = "accepted, and properties and body come out octet for octet",
                     .needs = {"queue"},
                     .clauses = {"3.2-a"},
                     .run = [](Context& t) {
                         const std::string body = section(codec::descriptor::data, hex("a0 01 78"));
                         // Who a user is may be checked on the way. [3.2.4]
                         const bool any_user = takes(t, all_properties(hex("a0 02 0001")) + body);
                         expect_kept(t, all_properties(hex(any_user ? "a0 02 0001" : "40")) + body);
                         if (!any_user) t.note("a user-id of no user is refused");
                     }});
    for (const auto& [name, octets] : std::initializer_list<std::pair<const char*, std::string>>{
             {"ulong", hex("80 8000000000000001")},
             {"uuid", hex("98 000102030405060708090a0b0c0d0e0f")},
             {"binary", hex("a0 03 00ff01")},
             {"string", str("\xC3\xAF")}})
        cases.push_back(kept("3.2.4-b/" + std::string(name),
                             "message-id and correlation-id are ulong, uuid, binary or string.",
                             "both as " + std::string(name),
                             section(codec::descriptor::properties,
                                     wire::list({octets, hex("40"), hex("40"), hex("40"), hex("40"), octets})) +
                                 plain_body()));
    for (const auto& [name, octets] : primitives) {
        const std::string type = name;
        if (type == "list-nested") break;  // the simple types are done
        cases.push_back(kept(
            "3.2.5-b/" + type, "Values of application-properties are any simple ones.",
            "an application property of the value " + std::string(octets),
            section(codec::descriptor::application_properties, pair_in_map(str("key"), hex(octets))) + plain_body(),
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
                 const std::string entry = sym("x-opt-conform") + hex("c1 07 02") + str("a") + hex("c0 01 00");
                 const std::string octets =
                     section(codec::descriptor::message_annotations,
                             pair_in_map(sym("x-opt-conform"), hex("c1 07 02") + str("a") + hex("c0 01 00"))) +
                     plain_body();
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
                 const std::string came = through(
                     t, section(codec::descriptor::delivery_annotations, pair_in_map(sym("x-opt-conform"), hex("41"))) +
                            plain_body());
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
                     section(codec::descriptor::footer, pair_in_map(sym("x-opt-conform"), hex("41")));
                 const std::string came = through(t, plain_body() + footer);
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
                 const std::string map = pair_in_map(sym("x-opt-com.example-conform"), hex("a0 03 000102"));
                 const std::string octets = section(codec::descriptor::delivery_annotations, map) +
                                            section(codec::descriptor::message_annotations, map) + plain_body() +
                                            section(codec::descriptor::footer, map);
                 const std::string came = through(t, octets);
                 Line& line = t.lines().back();
                 line.require(bare_of(line, came) == plain_body(), shown(plain_body()), shown(came));
             }},
    };
}

// --- the header ----------------------------------------------------------------------------------------------------

codec::Header header_in(Receiver& receiver, const Arrived& arrived) {
    return message_in(receiver, arrived).header.value_or(codec::Header{});
}

std::string with_header(const std::string& fields) { return section(codec::descriptor::header, fields) + plain_body(); }

Case after_a_while(const std::string& id, const std::string& rule, std::uint32_t ttl, std::chrono::milliseconds pause,
                   std::function<void(Context&, Receiver&)> judge, const std::string& accepts,
                   Level level = Level::must) {
    return {.id = id,
            .level = level,
            .rule = rule,
            .sends = "a message with ttl " + std::to_string(ttl) + ", and a receiver " + std::to_string(pause.count()) +
                     " ms later",
            .accepts = accepts,
            .needs = {"queue"},
            .tags = {"slow"},
            .run = [ttl, pause, judge = std::move(judge)](Context& t) {
                put(t, with_header(wire::list({hex("40"), hex("40"), hex("70") + wire::be(ttl, 4)})));
                t.opened().hear(pause);
                Receiver receiver(t, t.queue());
                receiver.grant(5);
                judge(t, receiver);
            }};
}

Cases of_header() {
    return {
        {.id = "3.2.1-a",
         .rule = "What a header does not say has its default: not durable, priority 4, no ttl, delivery-count 0.",
         .sends = "a message without header, and one with an empty one",
         .accepts = "no header, or one with these values",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, plain_body());
                 put(t, with_header(hex("45")));
                 Receiver receiver(t, t.queue());
                 receiver.grant(2);
                 for (int i = 0; i < 2; ++i) {
                     const codec::Header header = header_in(receiver, receiver.take("two messages, credit 2"));
                     receiver.line.require(
                         !header.durable && header.priority == 4 && !header.ttl && header.delivery_count == 0,
                         "the defaults", i == 0 ? "other values for no header" : "other values");
                 }
             }},
        {.id = "3.2.1-b",
         .rule = "What is durable and what its priority is says the sender.",
         .sends = "a durable message with priority 7",
         .accepts = "accepted and durable with priority 7 at the receiver; rejected with precondition-failed; another "
                    "priority is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 Line& line = t.sending(t.queue());
                 line.send(delivery_of(line, with_header(wire::list({hex("41"), hex("50 07")}))));
                 const Heard answer = answer_to_delivery(
                     line,
                     {accepts_delivery(), rejects_delivery({precondition_failed}), detaches({precondition_failed})});
                 const auto disposition = answer.as<codec::Disposition>();
                 if (!disposition || !is_accepted(disposition->state)) return;
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const codec::Header header = header_in(receiver, receiver.take("the message that was accepted"));
                 receiver.line.require(header.durable, "a durable message", "one that is not");
                 if (header.priority != 7)
                     t.took("changes the priority to " + std::to_string(header.priority), Grade::lenient);
             }},
        {.id = "3.2.1-d",
         .rule = "A priority is any number of an octet.",
         .sends = "messages with priority 0 and 255",
         .accepts = "both accepted",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, with_header(wire::list({hex("42"), hex("50 00")})));
                 put(t, with_header(wire::list({hex("42"), hex("50 ff")})));
             }},
        {.id = "3.2.1-c",
         .level = Level::informative,
         .rule = "A node may have any number of priorities; those that it has it tells apart.",
         .sends = "messages with the priorities 0 to 9, and then a receiver",
         .accepts = "any order in which no higher priority of those told apart comes behind a lower one; recorded",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 for (unsigned i = 0; i < 10; ++i)
                     put(t, with_header(wire::list({hex("42"), hex("50") + wire::be(i, 1)})));
                 Receiver receiver(t, t.queue());
                 receiver.grant(10);
                 std::string order;
                 for (int i = 0; i < 10; ++i)
                     order +=
                         " " + std::to_string(header_in(receiver, receiver.take("ten messages, credit 10")).priority);
                 t.note("they came in the order" + order);
             }},
        after_a_while(
            "3.2.1-e", "What has outlived its ttl is not delivered.", 200, std::chrono::milliseconds(600),
            [](Context&, Receiver& receiver) { receiver.expect_deliveries(0, "its ttl has passed"); }, "no delivery"),
        after_a_while(
            "3.2.1-f", "A ttl that is handed on is less by the time that has passed.", 60'000,
            std::chrono::milliseconds(1200),
            [](Context& t, Receiver& receiver) {
                const auto ttl = header_in(receiver, receiver.take("its ttl has not passed")).ttl;
                if (!ttl) return t.took("hands no ttl on", Grade::lenient);
                receiver.line.require(*ttl <= 59'000, "a ttl of less than 59 s", std::to_string(*ttl) + " ms");
            },
            "a delivery with a ttl that is smaller; without any is not strict", Level::should),
        after_a_while(
            "3.2.1-g", "Every ttl is legal, and the longest does not pass at once.", 0xffff'ffff,
            std::chrono::milliseconds(50),
            [](Context&, Receiver& receiver) { receiver.expect_deliveries(1, "its ttl is 49 days"); }, "a delivery"),
        {.id = "3.2.1-i",
         .rule = "delivery-count tells how many deliveries have failed.",
         .sends = "a message that is modified with delivery-failed twice",
         .accepts = "delivery-count 0, 1 and 2",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, plain_body());
                 Receiver receiver(t, t.queue());
                 codec::Modified failed;
                 failed.delivery_failed = true;
                 for (std::uint32_t i = 0; i < 3; ++i) {
                     receiver.grant(1);
                     const Arrived arrived = receiver.take("it is there again");
                     const auto count = header_in(receiver, arrived).delivery_count;
                     receiver.line.require(count == i, "delivery-count " + std::to_string(i), std::to_string(count));
                     receiver.settle(arrived, failed);
                 }
             }},
        {.id = "3.2.1-h",
         .level = Level::should,
         .rule = "first-acquirer is true for who gets a message first, and false for all others.",
         .sends = "a message that is released and taken again",
         .accepts = "first-acquirer, and then not; never first-acquirer is not strict",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 put(t, plain_body());
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 const Arrived first = receiver.take("there is a message");
                 if (!header_in(receiver, first).first_acquirer)
                     t.took("does not tell who gets a message first", Grade::lenient);
                 receiver.settle(first, codec::Released{});
                 receiver.grant(1);
                 const codec::Header second = header_in(receiver, receiver.take("it was released"));
                 receiver.line.require(!second.first_acquirer, "not first-acquirer", "first-acquirer");
             }},
        {.id = "3.2.4-i",
         .rule = "Two messages with the same message-id are two messages.",
         .sends = "two messages with the message-id twin",
         .accepts = "two deliveries",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 const std::string twin =
                     section(codec::descriptor::properties, wire::list({str("twin")})) + plain_body();
                 put(t, twin);
                 put(t, twin);
                 Receiver receiver(t, t.queue());
                 receiver.grant(5);
                 receiver.expect_deliveries(2, "nobody has asked for duplicates to be found");
             }},
        {.id = "3.2.4-h",
         .level = Level::informative,
         .rule = "A message whose absolute-expiry-time has passed counts as expired.",
         .sends = "a message that has expired in 1970",
         .accepts = "no delivery; a delivery is recorded",
         .needs = {"queue"},
         .run =
             [](Context& t) {
                 std::vector<std::string> fields(8, hex("40"));
                 fields.push_back(hex("83 0000000000000001"));
                 Line& line = t.sending(t.queue());
                 line.send(
                     delivery_of(line, section(codec::descriptor::properties, wire::list(fields)) + plain_body()));
                 outcome_of(line, 0);
                 line.finish();
                 Receiver receiver(t, t.queue());
                 receiver.grant(1);
                 t.took(receiver.take_all().empty() ? "does not deliver it" : "delivers it", Grade::recorded);
             }},
    };
}

// --- what is no message --------------------------------------------------------------------------------------------

/// Octets that are no message of format 0. Nodes that do not look into messages take them, which nobody can forbid
/// them.
Case no_message(const std::string& id, const std::string& rule, const std::string& sends, std::string octets) {
    return {.id = id,
            .rule = rule,
            .sends = sends,
            .accepts =
                "rejected, or detach with an error; end, close, and taking what was not looked into, are not "
                "strict",
            .negative = true,
            .needs = {"queue"},
            .clauses = {"3.2-j"},
            .run = [octets = std::move(octets)](Context& t) {
                Line& line = t.sending(t.queue());
                line.send(delivery_of(line, octets));
                answer_to_delivery(line, {rejects_delivery(), detaches(), ends().lenient(), closes().lenient(), drops(),
                                          releases_delivery().lenient(), accepts_delivery().lenient()});
            }};
}

Cases no_messages() {
    const std::string order = "Sections have an order, and each but the body's stands once at most.";
    const std::string body_rule = "The body is data sections, or sequences, or one value.";
    const std::string header = section(codec::descriptor::header, hex("45"));
    const std::string properties = section(codec::descriptor::properties, hex("45"));
    const std::string annotations = section(codec::descriptor::message_annotations, hex("c1 01 00"));
    const std::string data = section(codec::descriptor::data, hex("a0 01 78"));
    const std::string sequence = section(codec::descriptor::amqp_sequence, hex("45"));
    const std::string& body = plain_body();
    const auto properties_with = [&](std::size_t at, const std::string& value) {
        std::vector<std::string> fields(13, hex("40"));
        fields[at] = value;
        return section(codec::descriptor::properties, wire::list(fields)) + body;
    };
    const auto application = [&](const std::string& key, const std::string& value) {
        return section(codec::descriptor::application_properties, pair_in_map(key, value)) + body;
    };
    return {
        no_message("3.2-c/header-behind-properties", order, "properties, then header", properties + header + body),
        no_message("3.2-c/properties-behind-body", order, "the body, then properties", body + properties),
        no_message("3.2-c/annotations-behind-properties", order, "properties, then message-annotations",
                   properties + annotations + body),
        no_message("3.2-d/header-twice", order, "two headers", header + header + body),
        no_message("3.2-d/properties-twice", order, "properties twice", properties + properties + body),
        no_message("3.2-e/two-values", body_rule, "two amqp-values", body + body),
        no_message("3.2-e/data-and-value", body_rule, "data, then amqp-value", data + body),
        no_message("3.2-e/data-and-sequence", body_rule, "data, then amqp-sequence", data + sequence),
        no_message("3.2-e/nothing", body_rule, "a header alone", header),
        no_message("3.2-f/0x79", "Sections of other descriptors are none.", "a section with the descriptor 0x79",
                   body + section(0x79, hex("45"))),
        no_message("3.2-h/null", "Nothing but sections is in a message.", "a null behind the body", body + hex("40")),
        no_message("3.2-h/truncated", "Nothing but sections is in a message.", "a body that says it is longer",
                   value_body(hex("a1 20 6162"))),
        no_message("3.2-h/text", "Nothing but sections is in a message.", "text instead of sections",
                   "no sections here"),
        no_message("3.2.4-b/int", "message-id is ulong, uuid, binary or string.", "an int for message-id",
                   properties_with(0, hex("71 00000001"))),
        no_message("3.2.4-d/user-id", "user-id is binary.", "a string for user-id", properties_with(1, str("me"))),
        no_message("3.2.4-d/content-type", "content-type is a symbol.", "a string for content-type",
                   properties_with(6, str("text/plain"))),
        no_message("3.2.4-d/group-sequence", "group-sequence is a uint.", "a long for group-sequence",
                   properties_with(11, hex("55 01"))),
        no_message("3.2.5-a/symbol", "Keys of application-properties are strings.", "a symbol for a key",
                   application(sym("key"), hex("41"))),
        no_message("3.2.5-a/null", "Keys of application-properties are strings.", "null for a key",
                   application(hex("40"), hex("41"))),
        no_message("3.2.5-b/list", "Values of application-properties are simple.", "a list for a value",
                   application(str("key"), hex("45"))),
        no_message("3.2.6-a/string", "data holds binary.", "a string in data",
                   section(codec::descriptor::data, str("x"))),
        no_message("3.2.6-b/binary", "amqp-sequence holds a list.", "binary in an amqp-sequence",
                   section(codec::descriptor::amqp_sequence, hex("a0 00"))),
        no_message("3.2.10-c/string", "Keys of annotations are symbols.", "a string for a key of message-annotations",
                   section(codec::descriptor::message_annotations, pair_in_map(str("key"), hex("41"))) + body),
        no_message("3.2.10-b", "Who does not know an annotation that does not begin with x-opt- detaches.",
                   "a message annotation of the key conform",
                   section(codec::descriptor::message_annotations, pair_in_map(sym("conform"), hex("41"))) + body),
    };
}

}  // namespace

Cases message_format() {
    Cases cases = bare_message();
    for (auto* more : {around_the_bare_message, of_header, no_messages})
        for (auto& one : more()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
