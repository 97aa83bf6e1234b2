#include "conform/profile.hpp"

#include <algorithm>
#include <charconv>

#include <aprotic/codec/json.hpp>

namespace aprotic::conform {
namespace {

/// Text with its %XX resolved.
std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned octet = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, octet, 16).ptr == text.data() + i + 3) {
            out += static_cast<char>(octet);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

bool is_known(std::string_view capability) {
    return std::ranges::count(known_capabilities(), capability, &Capability::name) != 0;
}

}  // namespace

const std::vector<Capability>& known_capabilities() {
    static const std::vector<Capability> all = {
        {"bare", "takes connections without a SASL layer", true},
        {"sasl", "has a SASL layer", true},
        {"sasl-anonymous", "lets ANONYMOUS in", true},
        {"sasl-plain", "lets the profile's user and password in by PLAIN", false},
        {"queue", "has queues at the profile's address: what is sent there comes out there", true},
        {"several-sessions", "allows more than one session on a connection", true},
        {"multiple-frames", "takes messages of several transfer frames", true},
        {"idle-time-out", "keeps our idle-time-out satisfied", true},
        {"dynamic-source", "creates nodes for dynamic sources", true},
        {"dynamic-target", "creates nodes for dynamic targets", true},
        {"anonymous-relay", "routes by the messages' to-field where a target has no address", true},
        {"transactions", "has a transaction coordinator", true},
        {"several-transactions", "allows several transactions at a time on one session", true},
        {"link-recovery", "keeps unsettled deliveries over a detach and resumes them", true},
        {"link-stealing", "moves a link to where it is attached last", true},
        {"rcv-second", "has the receiver settle mode second", true},
        {"copy", "has the distribution mode copy", true},
        {"filters", "knows the selector filter apache.org:selector-filter:string", true},
        {"drain", "has drain", true},
        {"refuses-unknown", "has no node at the profile's address \"missing\"", true},
    };
    return all;
}

Profile::Profile() {
    for (const auto& capability : known_capabilities())
        if (capability.usual) capabilities.emplace(capability.name);
}

std::string Profile::read(const std::string& json) {
    const auto parsed = codec::parse_json(json);
    if (!parsed) return parsed.error().to_string();
    const auto* members = parsed->get_if<codec::Map>();
    if (members == nullptr) return "a profile is a JSON object";
    const std::map<std::string_view, std::string*> texts = {
        {"name", &name}, {"host", &host},         {"port", &port},   {"hostname", &hostname}, {"sasl", &sasl},
        {"user", &user}, {"password", &password}, {"queue", &queue}, {"missing", &missing}};
    for (const auto& [key, value] : *members) {
        const std::string member(key.to_text().value_or(""));
        if (const auto text = texts.find(member); text != texts.end()) {
            if (!value.is<std::string>()) return "\"" + member + "\" is a string";
            *text->second = value.as<std::string>();
        } else if (member == "capabilities" || member == "without") {
            const auto* list = value.get_if<codec::List>();
            if (list == nullptr) return "\"" + member + "\" is a list of capabilities";
            if (member == "capabilities") capabilities.clear();
            for (const auto& item : *list) {
                const std::string capability(item.to_text().value_or(""));
                if (!is_known(capability)) return "\"" + capability + "\" is no capability: see docs/conformance.md";
                member == "capabilities" ? (void)capabilities.insert(capability) : (void)capabilities.erase(capability);
            }
        } else if (member == "known") {
            const auto* reasons = value.get_if<codec::Map>();
            if (reasons == nullptr) return "\"known\" is an object: case id to reason";
            for (const auto& [id, reason] : *reasons)
                known.emplace(id.to_text().value_or(""), reason.to_text().value_or(""));
        } else {
            return "no such member of a profile: \"" + member + "\"";
        }
    }
    const bool sasl_known = sasl == "auto" || sasl == "none" || sasl == "anonymous" || sasl == "plain";
    return sasl_known ? "" : "\"sasl\" is auto, none, anonymous or plain";
}

std::string Profile::read_url(std::string_view url) {
    constexpr std::string_view scheme = "amqp://";
    if (url.starts_with("amqps://"))
        return "TLS is not spoken here; put a tunnel before the peer, such as socat TCP-LISTEN:5672,fork,reuseaddr "
               "OPENSSL:HOST:5671,cafile=FILE";
    if (!url.starts_with(scheme)) return "a URL begins with amqp://";
    url.remove_prefix(scheme.size());
    url = url.substr(0, url.find('/'));
    if (const auto at = url.rfind('@'); at != std::string_view::npos) {
        const std::string_view login = url.substr(0, at);
        const auto colon = std::min(login.find(':'), login.size());
        user = decoded(login.substr(0, colon));
        password = decoded(login.substr(std::min(colon + 1, login.size())));
        sasl = "plain";
        capabilities.emplace("sasl-plain");
        url.remove_prefix(at + 1);
    }
    const auto bracket = url.rfind(']');
    const auto colon = url.rfind(':');
    const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    if (has_port) port = std::string(url.substr(colon + 1));
    if (has_port) url = url.substr(0, colon);
    if (url.starts_with('[') && url.ends_with(']')) url = url.substr(1, url.size() - 2);
    if (url.empty()) return "the URL names no host";
    host = std::string(url);
    return {};
}

}  // namespace aprotic::conform
