#pragma once

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace aprotic::codec {

/// What the server offers. [5.3.3.1]
struct SaslMechanisms {
    std::vector<Symbol> sasl_server_mechanisms{};  ///< at least one

    friend bool operator==(const SaslMechanisms&, const SaslMechanisms&) = default;
};
template <>
struct Table<SaslMechanisms> {
    static constexpr std::string_view name = "sasl-mechanisms";
    static constexpr std::uint64_t code = descriptor::sasl_mechanisms;
    static constexpr auto fields =
        std::tuple{mandatory("sasl-server-mechanisms", &SaslMechanisms::sasl_server_mechanisms)};
};
APROTIC_COMPOSITE(SaslMechanisms);

/// The client's choice. [5.3.3.2]
struct SaslInit {
    Symbol mechanism{};
    std::optional<Binary> initial_response{};  ///< absent and empty differ
    std::optional<std::string> hostname{};

    friend bool operator==(const SaslInit&, const SaslInit&) = default;
};
template <>
struct Table<SaslInit> {
    static constexpr std::string_view name = "sasl-init";
    static constexpr std::uint64_t code = descriptor::sasl_init;
    static constexpr auto fields =
        std::tuple{mandatory("mechanism", &SaslInit::mechanism), field("initial-response", &SaslInit::initial_response),
                   field("hostname", &SaslInit::hostname)};
};
APROTIC_COMPOSITE(SaslInit);

/// [5.3.3.3]
struct SaslChallenge {
    Binary challenge{};

    friend bool operator==(const SaslChallenge&, const SaslChallenge&) = default;
};
template <>
struct Table<SaslChallenge> {
    static constexpr std::string_view name = "sasl-challenge";
    static constexpr std::uint64_t code = descriptor::sasl_challenge;
    static constexpr auto fields = std::tuple{mandatory("challenge", &SaslChallenge::challenge)};
};
APROTIC_COMPOSITE(SaslChallenge);

/// [5.3.3.4]
struct SaslResponse {
    Binary response{};

    friend bool operator==(const SaslResponse&, const SaslResponse&) = default;
};
template <>
struct Table<SaslResponse> {
    static constexpr std::string_view name = "sasl-response";
    static constexpr std::uint64_t code = descriptor::sasl_response;
    static constexpr auto fields = std::tuple{mandatory("response", &SaslResponse::response)};
};
APROTIC_COMPOSITE(SaslResponse);

/// [5.3.3.5]
struct SaslOutcome {
    SaslCode code = SaslCode::ok;
    std::optional<Binary> additional_data{};

    friend bool operator==(const SaslOutcome&, const SaslOutcome&) = default;
};
template <>
struct Table<SaslOutcome> {
    static constexpr std::string_view name = "sasl-outcome";
    static constexpr std::uint64_t code = descriptor::sasl_outcome;
    static constexpr auto fields =
        std::tuple{mandatory("code", &SaslOutcome::code), field("additional-data", &SaslOutcome::additional_data)};
};
APROTIC_COMPOSITE(SaslOutcome);

/// The body of a SASL frame. [5.3.1]
using SaslFrame = std::variant<SaslMechanisms, SaslInit, SaslChallenge, SaslResponse, SaslOutcome>;

void encode(Encoder& to, const SaslFrame& frame);
bool decode(Decoder& from, SaslFrame& frame);
std::string_view name_of(const SaslFrame& frame) noexcept;

}  // namespace aprotic::codec
