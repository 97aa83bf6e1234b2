#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <aprotic/codec/error_condition.hpp>
#include <aprotic/engine/failure.hpp>

namespace aprotic::engine::core {

/// The rule a peer's frame broke, if it broke one.
using Fault = std::optional<ProtocolFault>;

inline Fault connection_fault(std::string_view condition, std::string_view rule, std::string text) {
    return ProtocolFault{FaultScope::connection, condition, rule, std::move(text)};
}
inline Fault session_fault(std::string_view condition, std::string_view rule, std::string text) {
    return ProtocolFault{FaultScope::session, condition, rule, std::move(text)};
}
inline Fault link_fault(std::string_view condition, std::string_view rule, std::string text) {
    return ProtocolFault{FaultScope::link, condition, rule, std::move(text)};
}

/// What the peer is told of it.
inline codec::ErrorCondition to_condition(const ProtocolFault& fault) {
    return {codec::Symbol(fault.condition), fault.text + " [" + std::string(fault.rule) + "]", {}};
}

}  // namespace aprotic::engine::core
