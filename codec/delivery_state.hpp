#pragma once

#include <aprotic/codec/error_condition.hpp>

#include <cstdint>
#include <optional>
#include <variant>

namespace aprotic::codec {

/// How far a receiver has got with a delivery. [3.4.1]
struct Received {
    std::uint32_t section_number = 0;
    std::uint64_t section_offset = 0;  ///< octets

    friend bool operator==(const Received&, const Received&) = default;
};
template <>
struct Table<Received> {
    static constexpr std::string_view name = "received";
    static constexpr std::uint64_t code = descriptor::received;
    static constexpr auto fields = std::tuple{mandatory("section-number", &Received::section_number),
                                              mandatory("section-offset", &Received::section_offset)};
};
APROTIC_COMPOSITE(Received);

/// [3.4.2]
struct Accepted {
    friend bool operator==(const Accepted&, const Accepted&) = default;
};
template <>
struct Table<Accepted> {
    static constexpr std::string_view name = "accepted";
    static constexpr std::uint64_t code = descriptor::accepted;
    static constexpr auto fields = std::tuple{};
};
APROTIC_COMPOSITE(Accepted);

/// The message is invalid and unprocessable. [3.4.3]
struct Rejected {
    std::optional<ErrorCondition> error{};

    friend bool operator==(const Rejected&, const Rejected&) = default;
};
template <>
struct Table<Rejected> {
    static constexpr std::string_view name = "rejected";
    static constexpr std::uint64_t code = descriptor::rejected;
    static constexpr auto fields = std::tuple{field("error", &Rejected::error)};
};
APROTIC_COMPOSITE(Rejected);

/// Not processed, and not counted as an attempt. [3.4.4]
struct Released {
    friend bool operator==(const Released&, const Released&) = default;
};
template <>
struct Table<Released> {
    static constexpr std::string_view name = "released";
    static constexpr std::uint64_t code = descriptor::released;
    static constexpr auto fields = std::tuple{};
};
APROTIC_COMPOSITE(Released);

/// Not processed, and changed before it is offered again. [3.4.5]
struct Modified {
    std::optional<bool> delivery_failed{};     ///< count it as an attempt
    std::optional<bool> undeliverable_here{};  ///< do not offer it to this link again
    Map message_annotations{};                 ///< to be merged into the message's

    friend bool operator==(const Modified&, const Modified&) = default;
};
template <>
struct Table<Modified> {
    static constexpr std::string_view name = "modified";
    static constexpr std::uint64_t code = descriptor::modified;
    static constexpr auto fields = std::tuple{field("delivery-failed", &Modified::delivery_failed),
                                              field("undeliverable-here", &Modified::undeliverable_here),
                                              field("message-annotations", &Modified::message_annotations)};
};
APROTIC_COMPOSITE(Modified);

/// A transaction was declared. [4.5.5]
struct Declared {
    Binary txn_id{};

    friend bool operator==(const Declared&, const Declared&) = default;
};
template <>
struct Table<Declared> {
    static constexpr std::string_view name = "declared";
    static constexpr std::uint64_t code = descriptor::declared;
    static constexpr auto fields = std::tuple{mandatory("txn-id", &Declared::txn_id)};
};
APROTIC_COMPOSITE(Declared);

/// Terminal states of a delivery.
using Outcome = std::variant<Accepted, Rejected, Released, Modified, Declared>;

/// A delivery within a transaction. [4.5.6]
struct TransactionalState {
    Binary txn_id{};
    std::optional<Outcome> outcome{};

    friend bool operator==(const TransactionalState&, const TransactionalState&) = default;
};
template <>
struct Table<TransactionalState> {
    static constexpr std::string_view name = "transactional-state";
    static constexpr std::uint64_t code = descriptor::transactional_state;
    static constexpr auto fields =
        std::tuple{mandatory("txn-id", &TransactionalState::txn_id), field("outcome", &TransactionalState::outcome)};
};
APROTIC_COMPOSITE(TransactionalState);

/// Any state of a delivery. A state or outcome with a descriptor that the specification does not define (an extension)
/// reads as an absent field: the delivery goes on as if no state had been sent. A described type that is defined but
/// not a delivery state is `wrong_archetype`. [1.3-b]
using DeliveryState = std::variant<Received, Accepted, Rejected, Released, Modified, Declared, TransactionalState>;

void encode(Encoder& to, const DeliveryState& state);
void encode(Encoder& to, const Outcome& outcome);
/// Extensions are `unknown_descriptor` here, since there is no field that could be absent.
bool decode(Decoder& from, DeliveryState& state);
bool decode(Decoder& from, Outcome& outcome);

/// "accepted", "transactional-state", …
std::string_view name_of(const DeliveryState& state) noexcept;
/// Whether the state ends a delivery; a transactional state does when it carries an outcome. [3.4]
bool is_terminal(const DeliveryState& state) noexcept;

/// Between the states and the values of an attach frame's `unsettled` map. [2.7.3]
Value to_value(const DeliveryState& state);
Result<DeliveryState> delivery_state_of(const Value& value);

}  // namespace aprotic::codec
