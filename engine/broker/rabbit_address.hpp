#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aprotic::engine::broker {

/// An address of RabbitMQ 4's version 2, decoded: `/queues/:queue`, `/exchanges/:exchange[/:key]`.
struct RabbitAddress {
    std::string exchange;            ///< empty: the default exchange, whose keys are queues' names
    std::optional<std::string> key;  ///< nullopt: each message's subject

    bool is_queue() const noexcept { return exchange.empty(); }
};

/// nullopt: it has neither form, or a part of it is wrongly encoded.
std::optional<RabbitAddress> parse_rabbit_address(std::string_view address);
/// The address of a queue, encoded in the one way by which it is kept.
std::string rabbit_queue_address(std::string_view queue);

}  // namespace aprotic::engine::broker
