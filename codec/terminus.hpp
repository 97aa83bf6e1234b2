#pragma once

#include <aprotic/codec/delivery_state.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace aprotic::codec {

/// Where messages of a link come from. [3.5.3]
struct Source {
    std::optional<std::string> address{};
    TerminusDurability durable = TerminusDurability::none;
    TerminusExpiryPolicy expiry_policy = TerminusExpiryPolicy::session_end;
    Seconds timeout = 0;
    bool dynamic = false;
    Map dynamic_node_properties{};  ///< symbol keys; "lifetime-policy" holds one of the types below
    std::optional<StdDistMode> distribution_mode{};
    Map filter{};  ///< symbol keys, described values
    std::optional<Outcome> default_outcome{};
    std::vector<Symbol> outcomes{};
    std::vector<Symbol> capabilities{};

    friend bool operator==(const Source&, const Source&) = default;
};
template <>
struct Table<Source> {
    static constexpr std::string_view name = "source";
    static constexpr std::uint64_t code = descriptor::source;
    static constexpr auto fields =
        std::tuple{field("address", &Source::address),
                   field("durable", &Source::durable, TerminusDurability::none),
                   field("expiry-policy", &Source::expiry_policy, TerminusExpiryPolicy::session_end),
                   field("timeout", &Source::timeout, 0),
                   field("dynamic", &Source::dynamic, false),
                   field("dynamic-node-properties", &Source::dynamic_node_properties),
                   field("distribution-mode", &Source::distribution_mode),
                   field("filter", &Source::filter),
                   field("default-outcome", &Source::default_outcome),
                   field("outcomes", &Source::outcomes),
                   field("capabilities", &Source::capabilities)};
};
APROTIC_COMPOSITE(Source);

/// Where messages of a link go to. [3.5.4]
struct Target {
    std::optional<std::string> address{};
    TerminusDurability durable = TerminusDurability::none;
    TerminusExpiryPolicy expiry_policy = TerminusExpiryPolicy::session_end;
    Seconds timeout = 0;
    bool dynamic = false;
    Map dynamic_node_properties{};
    std::vector<Symbol> capabilities{};

    friend bool operator==(const Target&, const Target&) = default;
};
template <>
struct Table<Target> {
    static constexpr std::string_view name = "target";
    static constexpr std::uint64_t code = descriptor::target;
    static constexpr auto fields =
        std::tuple{field("address", &Target::address),
                   field("durable", &Target::durable, TerminusDurability::none),
                   field("expiry-policy", &Target::expiry_policy, TerminusExpiryPolicy::session_end),
                   field("timeout", &Target::timeout, 0),
                   field("dynamic", &Target::dynamic, false),
                   field("dynamic-node-properties", &Target::dynamic_node_properties),
                   field("capabilities", &Target::capabilities)};
};
APROTIC_COMPOSITE(Target);

/// The target of a link that controls transactions. [4.5.1]
struct Coordinator {
    std::vector<Symbol> capabilities{};

    friend bool operator==(const Coordinator&, const Coordinator&) = default;
};
template <>
struct Table<Coordinator> {
    static constexpr std::string_view name = "coordinator";
    static constexpr std::uint64_t code = descriptor::coordinator;
    static constexpr auto fields = std::tuple{field("capabilities", &Coordinator::capabilities)};
};
APROTIC_COMPOSITE(Coordinator);

/// What an attach may carry as target. Another described type is `unknown_descriptor` or `wrong_archetype`.
using AttachTarget = std::variant<Target, Coordinator>;

void encode(Encoder& to, const AttachTarget& target);
bool decode(Decoder& from, AttachTarget& target);

// When a dynamically created node goes away. [3.5.10] to [3.5.13]
#define APROTIC_LIFETIME_POLICY(T, NAME, CODE)                \
    struct T {                                                \
        friend bool operator==(const T&, const T&) = default; \
    };                                                        \
    template <>                                               \
    struct Table<T> {                                         \
        static constexpr std::string_view name = NAME;        \
        static constexpr std::uint64_t code = CODE;           \
        static constexpr auto fields = std::tuple{};          \
    };                                                        \
    APROTIC_COMPOSITE(T)

APROTIC_LIFETIME_POLICY(DeleteOnClose, "delete-on-close", descriptor::delete_on_close);
APROTIC_LIFETIME_POLICY(DeleteOnNoLinks, "delete-on-no-links", descriptor::delete_on_no_links);
APROTIC_LIFETIME_POLICY(DeleteOnNoMessages, "delete-on-no-messages", descriptor::delete_on_no_messages);
APROTIC_LIFETIME_POLICY(DeleteOnNoLinksOrMessages, "delete-on-no-links-or-messages",
                        descriptor::delete_on_no_links_or_messages);
#undef APROTIC_LIFETIME_POLICY

}  // namespace aprotic::codec
