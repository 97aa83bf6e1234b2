#include <functional>

#include "conform/context.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

namespace aprotic::conform {
namespace {

using wire::frame;
using wire::hex;

/// A begin whose list is written by hand.
std::string begin_of(const std::vector<std::string>& fields, int count_offset = 0, int size_offset = 0) {
    return wire::described(codec::descriptor::begin, wire::list(fields, count_offset, size_offset));
}

/// null, 0, 100, 100: what every begin starts with.
std::vector<std::string> begin_fields() { return {hex("40"), hex("43"), hex("52 64"), hex("52 64")}; }

std::string begin_with_properties(const std::string& properties) {
    auto fields = begin_fields();
    for (int i = 0; i < 3; ++i) fields.push_back(hex("40"));
    fields.push_back(properties);
    return begin_of(fields);
}

/// A map32 of one symbol key and a value that is encoded already.
std::string map_of(const std::string& value) {
    const std::string content = hex("a3 01 6b") + value;
    return hex("d1") + wire::be(content.size() + 4, 4) + wire::be(2, 4) + content;
}

std::string open_of(const std::string& container_id) {
    return wire::described(codec::descriptor::open, wire::list({container_id}));
}

/// Whether a peer that takes no notice of it is merely generous.
enum class Ignoring { wrong, lenient, fine };

Reactions reactions(Ignoring ignoring) {
    Reactions all = refuses_malformed();
    if (ignoring == Ignoring::lenient) all.push_back(ignores().lenient());
    if (ignoring == Ignoring::fine) all.push_back(ignores());
    return all;
}

const std::string accepted_text =
    "close, end or detach with decode-error, framing-error or invalid-field; other errors "
    "and the end of the stream alone are not strict";

/// A frame body in place of begin, behind open.
Case bad_begin(const std::string& id, std::string rule, std::string sends, std::string body,
               Ignoring ignoring = Ignoring::wrong) {
    return {.id = id,
            .rule = std::move(rule),
            .sends = std::move(sends),
            .accepts = accepted_text + (ignoring == Ignoring::lenient ? "; taking no notice of it is not strict" : ""),
            .negative = true,
            .run = [body, ignoring](Context& t) {
                Line& line = t.opened();
                line.claim(0);
                line.raw(frame(body));
                line.accept_one_of(reactions(ignoring));
            }};
}

/// A frame body in place of open.
Case bad_open(const std::string& id, std::string rule, std::string sends, std::string body,
              Ignoring ignoring = Ignoring::wrong) {
    return {.id = id,
            .rule = std::move(rule),
            .sends = std::move(sends),
            .accepts = accepted_text + (ignoring == Ignoring::lenient ? "; taking no notice of it is not strict" : ""),
            .negative = true,
            .run = [body, ignoring](Context& t) {
                Line& line = t.authenticated();
                line.header();
                line.expect_header();
                line.raw_open(frame(body));
                line.accept_one_of(reactions(ignoring));
            }};
}

/// A begin in an encoding that is as good as any other.
Case good_begin(const std::string& id, std::string rule, std::string sends, std::string body) {
    return {
        .id = id, .rule = std::move(rule), .sends = std::move(sends), .accepts = "begin", .run = [body](Context& t) {
            Line& line = t.opened();
            line.claim(0);
            line.raw(frame(body));
            line.expect<codec::Begin>();
        }};
}

Case good_open(const std::string& id, std::string rule, std::string sends, std::string body) {
    return {.id = id,
            .rule = std::move(rule),
            .sends = std::move(sends),
            .accepts = "open, and the connection stands",
            .run = [body](Context& t) {
                Line& line = t.authenticated();
                line.header();
                line.expect_header();
                line.raw_open(frame(body));
                line.expect<codec::Open>();
                line.send(peer::begin());
                line.expect<codec::Begin>();
            }};
}

Cases constructors() {
    Cases cases;
    const std::string rule = "Format codes that nobody has defined cannot be decoded.";
    for (const std::string code : {"46", "47", "57", "62", "75", "85", "92", "a2", "b2", "c2", "d2", "e1", "f1"}) {
        auto fields = begin_fields();
        fields[2] = hex(code) + std::string(16, '\0');
        cases.push_back(bad_begin("1.2-c/code-" + code, rule, "begin with format code 0x" + code + " in a field",
                                  begin_of(fields)));
    }
    for (const std::string code : {"4f 00", "5f 00 00", "ff 00 00 00 00 01 00"}) {
        auto fields = begin_fields();
        fields[2] = hex(code);
        cases.push_back(bad_begin("1.2-d/code-" + code.substr(0, 2),
                                  "Codes with subtype 0xF announce an extension, of which there is none.",
                                  "begin with the octets " + code + " in a field", begin_of(fields)));
    }
    const std::string whole = begin_of(begin_fields());
    for (const std::size_t size : {1U, 2U, 3U, 4U, 7U, 12U, 14U})
        cases.push_back(bad_begin("1.2-f/begin-cut-at-" + std::to_string(size),
                                  "A value that ends before its constructor says so is malformed.",
                                  "the first " + std::to_string(size) + " octets of begin in a frame of that size",
                                  whole.substr(0, size)));
    for (const std::string length :
         {"a1 ff 41", "b1 00000100 41", "b1 7fffffff 41", "b1 fffffffb 41", "b1 ffffffff 41"})
        cases.push_back(bad_open("1.2.2-b/string-" + length.substr(0, 2) + "-" + length.substr(3, length.size() - 6),
                                 "A length that reaches behind the frame is malformed, also where adding it wraps.",
                                 "open with a container-id whose constructor and length are " + length,
                                 open_of(hex(length))));
    return cases;
}

Cases compounds() {
    const std::string fill = "The items of a compound fill its size, and are as many as its count.";
    const std::string announced = "What is announced is checked against the octets that came, not believed.";
    Cases cases = {
        bad_begin("1.2.3-b/list8-size-0", "The size of a compound covers its count.", "begin whose list8 has size 0",
                  wire::described(codec::descriptor::begin, hex("c0 00"))),
        bad_begin("1.2.3-b/list32-size-3", "The size of a compound covers its count.", "begin whose list32 has size 3",
                  wire::described(codec::descriptor::begin, hex("d0 00000003 000000"))),
        bad_begin("1.2.3-c/count-high", fill, "begin whose count is one above its fields", begin_of(begin_fields(), 1)),
        bad_begin("1.2.3-c/count-low", fill, "begin whose count is one below its fields",
                  begin_of({hex("40"), hex("43"), hex("52 64"), hex("52 64"), hex("43")}, -1)),
        bad_begin("1.2.3-c/size-high", fill, "begin whose size is one above its content",
                  begin_of(begin_fields(), 0, 1)),
        bad_begin("1.2.3-c/size-low", fill, "begin whose size is one below its content",
                  begin_of(begin_fields(), 0, -1)),
        bad_begin("1.2-i/list-count-2-31", announced, "begin whose list announces 2^31 - 1 items",
                  begin_of(begin_fields(), 0x7fff'fffb)),
        bad_begin("1.2-i/list-size-2-32", announced, "begin whose list announces 2^32 - 1 octets",
                  wire::described(codec::descriptor::begin, hex("d0 ffffffff 00000004 40 43 43 43"))),
        bad_begin("1.2-i/map-count-2-31", announced, "begin with a map that announces 2^31 items in 6 octets",
                  begin_with_properties(hex("d1 00000006 80000000 40 40")), Ignoring::lenient),
        bad_begin(
            "1.2-i/array-count-2-31", announced, "begin with an array of 2^31 uints in 9 octets",
            begin_of({hex("40"), hex("43"), hex("43"), hex("43"), hex("40"), hex("f0 00000009 80000000 70 00000000")})),
        bad_begin("1.2.4-b/no-constructor", "An array has its element constructor also when it is empty.",
                  "begin with offered-capabilities as f0 00000004 00000000",
                  begin_of({hex("40"), hex("43"), hex("43"), hex("43"), hex("40"), hex("f0 00000004 00000000")})),
        bad_begin("1.2.4-g/size-low", "The elements of an array fill its size.",
                  "begin with an array of symbols whose size is one octet short",
                  begin_of({hex("40"), hex("43"), hex("43"), hex("43"), hex("40"), hex("e0 05 02 a3 01 61 01 62")})),
        bad_begin("1.2.4-g/size-high", "The elements of an array fill its size.",
                  "begin with an array of one symbol whose size has one octet more",
                  begin_of({hex("40"), hex("43"), hex("43"), hex("43"), hex("40"), hex("e0 05 01 a3 01 61 00")})),
        bad_begin("1.6.23-a", "A map has an even number of items.", "begin with a map8 of one item",
                  begin_with_properties(hex("c1 02 01 40")), Ignoring::lenient),
        bad_begin("1.6.23-b", "No two keys of a map are equal.", "begin with a map that has the key k twice",
                  begin_with_properties(hex("c1 0b 04 a3 01 6b 52 01 a3 01 6b 52 02")), Ignoring::lenient),
    };
    for (const unsigned depth : {32U, 128U, 1000U, 5000U}) {
        std::string value = hex("45");
        for (unsigned i = 0; i < depth; ++i) value = hex("d0") + wire::be(value.size() + 4, 4) + wire::be(1, 4) + value;
        Case one = bad_begin("1.2-h/lists-" + std::to_string(depth),
                             "Nesting has a limit of the peer's own, and reaching it is an error in order.",
                             "begin with " + std::to_string(depth) + " lists in each other in its properties",
                             begin_with_properties(map_of(value)), Ignoring::fine);
        one.level = Level::informative;
        one.accepts = "begin, or any error; the peer lives on";
        one.tags = {"burden"};
        cases.push_back(std::move(one));
    }
    for (const std::string count : {"00010000", "7fffffff"}) {
        Case one = bad_begin("1.2.4-e/null-elements-" + count,
                             "The number of elements without octets has a limit of the peer's own.",
                             "begin with an array of 0x" + count + " nulls in its properties",
                             begin_with_properties(map_of(hex("f0 00000005" + count + "40"))), Ignoring::fine);
        one.level = Level::informative;
        one.accepts = "begin, or any error; the peer lives on";
        one.tags = {"burden"};
        cases.push_back(std::move(one));
    }
    return cases;
}

Cases composites() {
    const std::string is_list = "A composite is a described list.";
    const std::string more = "A composite has no more elements than its type has fields.";
    const auto performative = [](const std::string& encoded) {
        return wire::described(codec::descriptor::begin, hex(encoded));
    };
    const std::string capabilities = "A field that may have several values takes one, an array of them, or null.";
    const auto with_capabilities = [](const std::string& encoded) {
        return begin_of({hex("40"), hex("43"), hex("52 64"), hex("52 64"), hex("40"), hex(encoded)});
    };
    auto nine = begin_fields();
    for (int i = 0; i < 5; ++i) nine.push_back(hex("40"));
    nine.back() = hex("41");
    std::vector<std::string> eleven = {wire::value("conform")};
    for (int i = 0; i < 10; ++i) eleven.push_back(hex("40"));
    eleven.back() = hex("41");
    auto nulls = begin_fields();
    for (int i = 0; i < 4; ++i) nulls.push_back(hex("40"));
    return {
        bad_begin("1.4-a/map", is_list, "begin as a described map", performative("c1 01 00")),
        bad_begin("1.4-a/string", is_list, "begin as a described string", performative("a1 00")),
        bad_begin("1.4-a/array", is_list, "begin as a described array", performative("e0 05 04 52 00 00 00 00")),
        bad_begin("1.4-a/null", is_list, "begin as a described null", performative("40")),
        bad_begin("1.4-c/begin", more, "begin with nine elements", begin_of(nine), Ignoring::lenient),
        bad_open("1.4-c/open", more, "open with eleven elements",
                 wire::described(codec::descriptor::open, wire::list(eleven)), Ignoring::lenient),
        bad_begin("1.4-f", "A field that may have several values takes no list.",
                  "begin with offered-capabilities as a list of two symbols",
                  with_capabilities("c0 07 02 a3 01 61 a3 01 62"), Ignoring::lenient),
        bad_begin("1.4-h", "The elements of such an array are of the field's type.",
                  "begin with offered-capabilities as an array of strings",
                  with_capabilities("e0 06 02 a1 01 61 01 62"), Ignoring::lenient),
        good_begin("1.4-e/bare", capabilities, "begin with offered-capabilities as one symbol",
                   with_capabilities("a3 09 636f6d2e782e616263")),
        good_begin("1.4-e/array8", capabilities, "begin with offered-capabilities as array8 of sym8",
                   with_capabilities("e0 06 02 a3 01 61 01 62")),
        good_begin("1.4-e/array32", capabilities, "begin with offered-capabilities as array32 of sym32",
                   with_capabilities("f0 0000000a 00000001 b3 00000001 61")),
        good_begin("1.4-e/empty-array", capabilities, "begin with offered-capabilities as an empty array",
                   with_capabilities("f0 00000005 00000000 a3")),
        good_begin("1.4-e/null", capabilities, "begin with offered-capabilities as null", with_capabilities("40")),
        good_begin("1.4-b/trailing-nulls", "Trailing nulls may be sent or left out.", "begin with four trailing nulls",
                   begin_of(nulls)),
        good_begin("1.4-d/list8", "The forms of a list are equal.", "begin as list8",
                   performative("c0 07 04 40 43 52 64 52 64")),
        good_begin("1.2.1-a/wide-numbers", "A number may be encoded wider than it needs.",
                   "begin with all numbers as four octets",
                   performative("c0 11 04 40 70 00000000 70 00000064 70 00000064")),
        good_open("1.4-d/open-list32", "The forms of a list are equal.", "open as list32 with str32",
                  open_of(hex("b1 00000007 636f6e666f726d"))),
    };
}

Cases descriptors() {
    const std::string rule = "A numeric descriptor may be encoded in any width.";
    const std::string reserved = "Descriptors that are neither symbol nor ulong are reserved.";
    const std::string list = wire::list(begin_fields());
    const auto closed_as = [](const std::string& id, std::string rule_text, std::string sends, std::string body) {
        return Case{.id = id,
                    .rule = std::move(rule_text),
                    .sends = std::move(sends),
                    .accepts = "close, then the end of the stream",
                    .run = [body](Context& t) {
                        Line& line = t.opened();
                        line.raw(frame(body));
                        const auto close = line.expect<codec::Close>();
                        line.require(!close->error, "a close without error",
                                     codec::to_string(codec::Performative(*close)));
                    }};
    };
    const std::string same = "The symbolic and the numeric descriptor name the same type.";
    const auto symbol = [](const std::string& name) {
        return hex("00") + wire::value(codec::Value(codec::Symbol("amqp:" + name + ":list")));
    };
    return {
        good_begin("1.5-b/begin-ulong", rule, "begin with its descriptor as ulong of eight octets",
                   hex("00 80 0000000000000011") + list),
        good_open("1.5-b/open-ulong", rule, "open with its descriptor as ulong of eight octets",
                  hex("00 80 0000000000000010") + wire::list({wire::value("conform")})),
        good_begin("1.5-a/begin", same, "begin with the descriptor amqp:begin:list", symbol("begin") + list),
        good_open("1.5-a/open", same, "open with the descriptor amqp:open:list",
                  symbol("open") + wire::list({wire::value("conform")})),
        closed_as("1.5-a/close", same, "close with the descriptor amqp:close:list", symbol("close") + hex("45")),
        closed_as("1.4-d/close-list0", "The forms of a list are equal.", "close as list0", hex("00 53 18 45")),
        closed_as("1.4-d/close-list8", "The forms of a list are equal.", "close as list8", hex("00 53 18 c0 01 00")),
        closed_as("1.4-d/close-list32", "The forms of a list are equal.", "close as list32",
                  hex("00 53 18 d0 00000004 00000000")),
        closed_as("1.4-d/close-null-error", "Trailing nulls may be sent or left out.", "close with a null error",
                  hex("00 53 18 c0 02 01 40")),
        bad_begin("1.5-c/smalluint", reserved, "begin with the descriptor as smalluint", hex("00 52 11") + list,
                  Ignoring::lenient),
        bad_begin("1.5-c/uint", reserved, "begin with the descriptor as uint", hex("00 70 00000011") + list,
                  Ignoring::lenient),
        bad_begin("1.5-c/string", reserved, "begin with the descriptor as string",
                  hex("00") + wire::value("amqp:begin:list") + list),
        bad_begin("1.2-b/described-descriptor", "A descriptor may be any value, but no known type has a described one.",
                  "begin with a described descriptor", hex("00 00 43 53 11") + list),
    };
}

Cases texts() {
    Cases cases;
    const std::string utf8 = "Strings are UTF-8.";
    const std::pair<std::string, std::string> malformed[] = {{"lone-continuation", "80"},
                                                             {"overlong", "c080"},
                                                             {"surrogate", "eda080"},
                                                             {"above-10ffff", "f4908080"},
                                                             {"cut-short", "61e282"}};
    for (const auto& [name, octets] : malformed)
        cases.push_back(bad_open("1.6.20-b/" + name, utf8, "open with a container-id of the octets " + octets,
                                 open_of(hex("a1") + wire::be(octets.size() / 2, 1) + hex(octets)), Ignoring::lenient));
    auto fields = begin_fields();
    fields.push_back(hex("40"));
    fields.push_back(hex("a3 01 e9"));
    cases.push_back(bad_begin("1.6.21-b", "Symbols are ASCII.", "begin with a symbol of the octet e9", begin_of(fields),
                              Ignoring::lenient));
    cases.push_back(bad_begin("1.6.2-c/true-as-2", "The octet of a boolean is 0 or 1.",
                              "begin with the boolean 56 02 in its properties",
                              begin_with_properties(map_of(hex("56 02"))), Ignoring::lenient));
    cases.push_back(bad_begin("1.6.16-b", "A char is a Unicode character.",
                              "begin with the char 0x110000 in its properties",
                              begin_with_properties(map_of(hex("73 00110000"))), Ignoring::lenient));
    return cases;
}

}  // namespace

Cases type_encodings() {
    Cases cases;
    for (auto* table : {constructors, compounds, composites, descriptors, texts})
        for (auto& one : table()) cases.push_back(std::move(one));
    return cases;
}

}  // namespace aprotic::conform
