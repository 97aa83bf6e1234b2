#include "conform/context.hpp"
#include "conform/steps.hpp"
#include "conform/suite.hpp"
#include "conform/wire.hpp"

/// What is no message of format 0. [3.2]
namespace aprotic::conform {
namespace {

using wire::hex;

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

}  // namespace

Cases no_messages() {
    const std::string order = "Sections have an order, and each but the body's stands once at most.";
    const std::string body_rule = "The body is data sections, or sequences, or one value.";
    const std::string header = wire::described(codec::descriptor::header, hex("45"));
    const std::string properties = wire::described(codec::descriptor::properties, hex("45"));
    const std::string annotations = wire::described(codec::descriptor::message_annotations, hex("c1 01 00"));
    const std::string data = wire::described(codec::descriptor::data, hex("a0 01 78"));
    const std::string sequence = wire::described(codec::descriptor::amqp_sequence, hex("45"));
    const std::string body = wire::plain_body();
    const auto properties_with = [&](std::size_t at, const std::string& value) {
        std::vector<std::string> fields(13, hex("40"));
        fields[at] = value;
        return wire::described(codec::descriptor::properties, wire::list(fields)) + body;
    };
    const auto application = [&](const std::string& key, const std::string& value) {
        return wire::described(codec::descriptor::application_properties, wire::map_of(key, value)) + body;
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
                   body + wire::described(0x79, hex("45"))),
        no_message("3.2-h/null", "Nothing but sections is in a message.", "a null behind the body", body + hex("40")),
        no_message("3.2-h/truncated", "Nothing but sections is in a message.", "a body that says it is longer",
                   wire::value_body(hex("a1 20 6162"))),
        no_message("3.2-h/text", "Nothing but sections is in a message.", "text instead of sections",
                   "no sections here"),
        no_message("3.2.4-b/int", "message-id is ulong, uuid, binary or string.", "an int for message-id",
                   properties_with(0, hex("71 00000001"))),
        no_message("3.2.4-d/user-id", "user-id is binary.", "a string for user-id",
                   properties_with(1, wire::str("me"))),
        no_message("3.2.4-d/content-type", "content-type is a symbol.", "a string for content-type",
                   properties_with(6, wire::str("text/plain"))),
        no_message("3.2.4-d/group-sequence", "group-sequence is a uint.", "a long for group-sequence",
                   properties_with(11, hex("55 01"))),
        no_message("3.2.5-a/symbol", "Keys of application-properties are strings.", "a symbol for a key",
                   application(wire::sym("key"), hex("41"))),
        no_message("3.2.5-a/null", "Keys of application-properties are strings.", "null for a key",
                   application(hex("40"), hex("41"))),
        no_message("3.2.5-b/list", "Values of application-properties are simple.", "a list for a value",
                   application(wire::str("key"), hex("45"))),
        no_message("3.2.6-a/string", "data holds binary.", "a string in data",
                   wire::described(codec::descriptor::data, wire::str("x"))),
        no_message("3.2.6-b/binary", "amqp-sequence holds a list.", "binary in an amqp-sequence",
                   wire::described(codec::descriptor::amqp_sequence, hex("a0 00"))),
        no_message(
            "3.2.10-c/string", "Keys of annotations are symbols.", "a string for a key of message-annotations",
            wire::described(codec::descriptor::message_annotations, wire::map_of(wire::str("key"), hex("41"))) + body),
        no_message(
            "3.2.10-b", "Who does not know an annotation that does not begin with x-opt- detaches.",
            "a message annotation of the key conform",
            wire::described(codec::descriptor::message_annotations, wire::map_of(wire::sym("conform"), hex("41"))) +
                body),
    };
}

}  // namespace aprotic::conform
