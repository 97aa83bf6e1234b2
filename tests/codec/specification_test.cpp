// The field tables against the OASIS XML, as Debian's package amqp-specs has it.
#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>
#include <support/golden.hpp>

#include <catch2/catch.hpp>

#include <iostream>
#include <map>
#include <set>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

using Attributes = std::map<std::string, std::string>;

struct Element {
    std::string name;
    Attributes attributes;
    bool closing = false;
};

/// Enough of an XML reader for files without text content: tags and their attributes.
std::vector<Element> elements_of(const std::string& xml) {
    std::vector<Element> elements;
    for (std::size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at)) {
        if (xml.compare(at, 4, "<!--") == 0) {
            at = xml.find("-->", at);
            continue;
        }
        const std::size_t end = xml.find('>', at);
        const std::string tag = xml.substr(at + 1, end - at - 1);
        at = end;
        if (tag.starts_with("?")) continue;
        Element element;
        element.closing = tag.starts_with("/");
        const std::size_t name_end = tag.find_first_of(" /", element.closing ? 1 : 0);
        element.name = tag.substr(element.closing ? 1 : 0, name_end - (element.closing ? 1 : 0));
        for (std::size_t equals = tag.find('='); equals != std::string::npos;) {
            const std::size_t key = tag.find_last_of(" \n\t", equals) + 1;
            const std::size_t close = tag.find('"', equals + 2);
            element.attributes[tag.substr(key, equals - key)] = tag.substr(equals + 2, close - equals - 2);
            equals = tag.find('=', close);
        }
        elements.push_back(std::move(element));
    }
    return elements;
}

struct Type {
    Attributes attributes;
    Attributes descriptor;
    std::vector<Attributes> fields;
    std::map<std::string, std::string> choices;
};

struct Specification {
    std::map<std::string, Type> types;
    std::map<std::string, std::string> definitions;

    Specification() {
        for (const char* part : {"types", "transport", "messaging", "security", "transactions"}) {
            read(read_text(std::string(APROTIC_AMQP_SPECS_DIR) + "/" + part + ".bare.xml"));
        }
    }
    void read(const std::string& xml) {
        Type* type = nullptr;
        for (const Element& element : elements_of(xml)) {
            if (element.closing) continue;
            if (element.name == "type") {
                type = &types[element.attributes.at("name")];
                type->attributes = element.attributes;
            } else if (element.name == "descriptor") {
                type->descriptor = element.attributes;
            } else if (element.name == "field") {
                type->fields.push_back(element.attributes);
            } else if (element.name == "choice") {
                type->choices[element.attributes.at("name")] = element.attributes.at("value");
            } else if (element.name == "definition") {
                definitions[element.attributes.at("name")] = element.attributes.at("value");
            }
        }
    }
    /// The primitive type or composite that stands behind a restricted type.
    std::string wire_type(const std::string& name) const {
        const auto found = types.find(name);
        if (found == types.end() || found->second.attributes.at("class") != "restricted") return name;
        return wire_type(found->second.attributes.at("source"));
    }
};

bool available() {
    if (std::filesystem::exists(std::string(APROTIC_AMQP_SPECS_DIR) + "/transport.bare.xml")) return true;
    std::cerr << "SKIPPED: no AMQP XML in " APROTIC_AMQP_SPECS_DIR " (package amqp-specs)\n";
    return false;
}

std::uint64_t code_of(const std::string& text) {
    const std::size_t colon = text.find(':');
    return std::stoull(text.substr(0, colon), nullptr, 16) << 32U | std::stoull(text.substr(colon + 1), nullptr, 16);
}

/// Where one type stands for several in the specification, what we hold for it.
std::string held_type(const Attributes& field, const Specification& specification) {
    const std::string type = field.at("type");
    if (type != "*") return specification.wire_type(type);
    const std::string archetype = field.at("requires");
    if (archetype == "address") return "string";
    if (archetype == "txn-id" || archetype == "global-tx-id") return "binary";
    if (archetype == "source") return "source";
    return "*";
}

/// The package has the text of October 2011; the OASIS standard of 2012 adds these defaults. [3.2.1-a]
const std::map<std::string, std::string> added_defaults{{"header.durable", "false"},
                                                        {"header.priority", "4"},
                                                        {"header.first-acquirer", "false"},
                                                        {"header.delivery-count", "0"}};

}  // namespace

TEST_CASE("every table agrees with the specification's XML", "[1.3-d][1.4-i][1.5-e]") {
    if (!available()) return;
    const Specification specification;
    std::size_t composite_count = 0;
    for (const auto& [name, type] : specification.types) {
        INFO(name);
        if (!type.descriptor.empty()) {
            const std::uint64_t code = code_of(type.descriptor.at("code"));
            CHECK(descriptor_name(code) == name);
            CHECK(descriptor_symbol(code) == type.descriptor.at("name"));
            CHECK(descriptor_code(type.descriptor.at("name")) == code);
        }
        if (type.attributes.at("class") != "composite") continue;
        ++composite_count;
        const CompositeInfo* info = find_composite(code_of(type.descriptor.at("code")));
        REQUIRE(info != nullptr);
        CHECK(info->name == name);
        REQUIRE(info->fields.size() == type.fields.size());
        for (std::size_t i = 0; i < type.fields.size(); ++i) {
            const Attributes& field = type.fields[i];
            const auto attribute = [&](const char* key) { return field.contains(key) ? field.at(key) : std::string(); };
            INFO(field.at("name"));
            CHECK(info->fields[i].name == field.at("name"));
            CHECK(info->fields[i].type == held_type(field, specification));
            CHECK(info->fields[i].mandatory == (attribute("mandatory") == "true"));
            CHECK(info->fields[i].multiple == (attribute("multiple") == "true"));
            const auto added = added_defaults.find(name + "." + field.at("name"));
            CHECK(info->fields[i].default_text ==
                  (added != added_defaults.end() ? added->second : attribute("default")));
        }
    }
    CHECK(composite_count == composites().size());
    CHECK(composite_count == 33);
}

TEST_CASE("every choice and definition agrees with the specification's XML", "[1.3-e]") {
    if (!available()) return;
    const Specification specification;
    const auto check_numbers = [&]<class E>(const char* name, E last) {
        const auto& choices = specification.types.at(name).choices;
        INFO(name);
        CHECK(choices.size() == static_cast<std::size_t>(last) + 1);
        for (std::size_t n = 0; n < choices.size(); ++n) {
            CHECK(choices.at(std::string(name_of(static_cast<E>(n)))) == std::to_string(n));
        }
    };
    check_numbers("sender-settle-mode", SenderSettleMode::mixed);
    check_numbers("receiver-settle-mode", ReceiverSettleMode::second);
    check_numbers("terminus-durability", TerminusDurability::unsettled_state);
    check_numbers("sasl-code", SaslCode::sys_temp);
    const auto check_names = [&]<class E>(const char* name, E last) {
        const auto& choices = specification.types.at(name).choices;
        CHECK(choices.size() == static_cast<std::size_t>(last) + 1);
        for (std::size_t n = 0; n < choices.size(); ++n)
            CHECK(choices.contains(std::string(name_of(static_cast<E>(n)))));
    };
    check_names("terminus-expiry-policy", TerminusExpiryPolicy::never);
    check_names("std-dist-mode", StdDistMode::copy);
    CHECK(specification.types.at("role").choices.at("receiver") == "true");

    using namespace condition;
    const std::set<std::string> ours{std::string(internal_error),
                                     std::string(not_found),
                                     std::string(unauthorized_access),
                                     std::string(decode_error),
                                     std::string(resource_limit_exceeded),
                                     std::string(not_allowed),
                                     std::string(invalid_field),
                                     std::string(not_implemented),
                                     std::string(resource_locked),
                                     std::string(precondition_failed),
                                     std::string(resource_deleted),
                                     std::string(illegal_state),
                                     std::string(frame_size_too_small),
                                     std::string(connection_forced),
                                     std::string(framing_error),
                                     std::string(connection_redirect),
                                     std::string(window_violation),
                                     std::string(errant_link),
                                     std::string(handle_in_use),
                                     std::string(unattached_handle),
                                     std::string(detach_forced),
                                     std::string(transfer_limit_exceeded),
                                     std::string(message_size_exceeded),
                                     std::string(link_redirect),
                                     std::string(stolen),
                                     std::string(unknown_transaction),
                                     std::string(transaction_rollback),
                                     std::string(transaction_timeout)};
    std::set<std::string> theirs;
    for (const auto& [name, type] : specification.types) {
        if (type.attributes.contains("provides") && type.attributes.at("provides") == "error-condition") {
            for (const auto& choice : type.choices) theirs.insert(choice.second);
        }
    }
    CHECK(ours == theirs);

    CHECK(specification.definitions.at("PORT") == std::to_string(protocol::port));
    CHECK(specification.definitions.at("SECURE-PORT") == std::to_string(protocol::secure_port));
    CHECK(specification.definitions.at("MIN-MAX-FRAME-SIZE") == std::to_string(protocol::min_max_frame_size));
    CHECK(specification.definitions.at("MESSAGE-FORMAT") == std::to_string(protocol::message_format));
}

TEST_CASE("every primitive encoding agrees with the specification's XML", "[0.2-d][1.2.1-a]") {
    if (!available()) return;
    std::string type;
    std::set<unsigned> codes;
    for (const Element& element : elements_of(read_text(std::string(APROTIC_AMQP_SPECS_DIR) + "/types.bare.xml"))) {
        if (element.name == "type" && !element.closing) type = element.attributes.at("name");
        if (element.name != "encoding") continue;
        const auto code = static_cast<std::uint8_t>(std::stoul(element.attributes.at("code"), nullptr, 16));
        const std::size_t width = std::stoul(element.attributes.at("width"));
        INFO(type << " " << element.attributes.at("code"));
        REQUIRE(type_of_code(code));
        CHECK(name_of(*type_of_code(code)) == type);
        CHECK((element.attributes.at("category") == "fixed" ? fixed_width(code) : size_width(code)) == width);
        codes.insert(code);
    }
    for (unsigned code = 1; code < 256; ++code) {
        CHECK(type_of_code(static_cast<std::uint8_t>(code)).has_value() == codes.contains(code));
    }
}
