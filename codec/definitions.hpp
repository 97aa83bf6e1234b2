#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace aprotic::codec {

enum class Role : bool { sender = false, receiver = true };                                            ///< [2.8.1]
enum class SenderSettleMode : std::uint8_t { unsettled = 0, settled = 1, mixed = 2 };                  ///< [2.8.2]
enum class ReceiverSettleMode : std::uint8_t { first = 0, second = 1 };                                ///< [2.8.3]
enum class TerminusDurability : std::uint32_t { none = 0, configuration = 1, unsettled_state = 2 };    ///< [3.5.5]
enum class TerminusExpiryPolicy : std::uint8_t { link_detach, session_end, connection_close, never };  ///< [3.5.6]
enum class StdDistMode : std::uint8_t { move, copy };                                                  ///< [3.5.7]
enum class SaslCode : std::uint8_t { ok = 0, auth = 1, sys = 2, sys_perm = 3, sys_temp = 4 };          ///< [5.3.3.6]

// The names of the specification: "sender", "session-end", "sys-perm", …
std::string_view name_of(Role v) noexcept;
std::string_view name_of(SenderSettleMode v) noexcept;
std::string_view name_of(ReceiverSettleMode v) noexcept;
std::string_view name_of(TerminusDurability v) noexcept;
std::string_view name_of(TerminusExpiryPolicy v) noexcept;
std::string_view name_of(StdDistMode v) noexcept;
std::string_view name_of(SaslCode v) noexcept;

constexpr Role opposite(Role role) noexcept { return role == Role::sender ? Role::receiver : Role::sender; }

/// Numeric descriptors of the specification's described types; the domain is 0. [1.5-e]
namespace descriptor {
inline constexpr std::uint64_t open = 0x10, begin = 0x11, attach = 0x12, flow = 0x13, transfer = 0x14,
                               disposition = 0x15, detach = 0x16, end = 0x17, close = 0x18;
inline constexpr std::uint64_t error = 0x1d;
inline constexpr std::uint64_t received = 0x23, accepted = 0x24, rejected = 0x25, released = 0x26, modified = 0x27;
inline constexpr std::uint64_t source = 0x28, target = 0x29;
inline constexpr std::uint64_t delete_on_close = 0x2b, delete_on_no_links = 0x2c, delete_on_no_messages = 0x2d,
                               delete_on_no_links_or_messages = 0x2e;
inline constexpr std::uint64_t coordinator = 0x30, declare = 0x31, discharge = 0x32, declared = 0x33,
                               transactional_state = 0x34;
inline constexpr std::uint64_t sasl_mechanisms = 0x40, sasl_init = 0x41, sasl_challenge = 0x42, sasl_response = 0x43,
                               sasl_outcome = 0x44;
inline constexpr std::uint64_t header = 0x70, delivery_annotations = 0x71, message_annotations = 0x72,
                               properties = 0x73, application_properties = 0x74, data = 0x75, amqp_sequence = 0x76,
                               amqp_value = 0x77, footer = 0x78;
}  // namespace descriptor

/// Error conditions of the specification. [2.8.15] to [2.8.18], [4.5.8]
namespace condition {
inline constexpr std::string_view internal_error = "amqp:internal-error";
inline constexpr std::string_view not_found = "amqp:not-found";
inline constexpr std::string_view unauthorized_access = "amqp:unauthorized-access";
inline constexpr std::string_view decode_error = "amqp:decode-error";
inline constexpr std::string_view resource_limit_exceeded = "amqp:resource-limit-exceeded";
inline constexpr std::string_view not_allowed = "amqp:not-allowed";
inline constexpr std::string_view invalid_field = "amqp:invalid-field";
inline constexpr std::string_view not_implemented = "amqp:not-implemented";
inline constexpr std::string_view resource_locked = "amqp:resource-locked";
inline constexpr std::string_view precondition_failed = "amqp:precondition-failed";
inline constexpr std::string_view resource_deleted = "amqp:resource-deleted";
inline constexpr std::string_view illegal_state = "amqp:illegal-state";
inline constexpr std::string_view frame_size_too_small = "amqp:frame-size-too-small";
inline constexpr std::string_view connection_forced = "amqp:connection:forced";
inline constexpr std::string_view framing_error = "amqp:connection:framing-error";
inline constexpr std::string_view connection_redirect = "amqp:connection:redirect";
inline constexpr std::string_view window_violation = "amqp:session:window-violation";
inline constexpr std::string_view errant_link = "amqp:session:errant-link";
inline constexpr std::string_view handle_in_use = "amqp:session:handle-in-use";
inline constexpr std::string_view unattached_handle = "amqp:session:unattached-handle";
inline constexpr std::string_view detach_forced = "amqp:link:detach-forced";
inline constexpr std::string_view transfer_limit_exceeded = "amqp:link:transfer-limit-exceeded";
inline constexpr std::string_view message_size_exceeded = "amqp:link:message-size-exceeded";
inline constexpr std::string_view link_redirect = "amqp:link:redirect";
inline constexpr std::string_view stolen = "amqp:link:stolen";
inline constexpr std::string_view unknown_transaction = "amqp:transaction:unknown-id";
inline constexpr std::string_view transaction_rollback = "amqp:transaction:rollback";
inline constexpr std::string_view transaction_timeout = "amqp:transaction:timeout";
}  // namespace condition

/// Capabilities of a transaction coordinator. [4.5.7]
namespace txn_capability {
inline constexpr std::string_view local_transactions = "amqp:local-transactions";
inline constexpr std::string_view distributed_transactions = "amqp:distributed-transactions";
inline constexpr std::string_view promotable_transactions = "amqp:promotable-transactions";
inline constexpr std::string_view multi_txns_per_ssn = "amqp:multi-txns-per-ssn";
inline constexpr std::string_view multi_ssns_per_txn = "amqp:multi-ssns-per-txn";
}  // namespace txn_capability

/// Constants of the specification. [2.8.19], [3.2.16], [5.2.2], [5.3.4]
namespace protocol {
inline constexpr std::uint16_t port = 5672;
inline constexpr std::uint16_t secure_port = 5671;
inline constexpr std::uint8_t major = 1;
inline constexpr std::uint8_t minor = 0;
inline constexpr std::uint8_t revision = 0;
inline constexpr std::uint32_t min_max_frame_size = 512;  ///< octets every peer accepts; also the limit before open
inline constexpr std::uint32_t message_format = 0;
inline constexpr std::uint32_t frame_size_max_default = 0xffff'ffff;
inline constexpr std::uint16_t channel_max_default = 0xffff;
inline constexpr std::uint32_t handle_max_default = 0xffff'ffff;
}  // namespace protocol

}  // namespace aprotic::codec
