#pragma once

#include <optional>
#include <string>

#include <aprotic/codec/error_condition.hpp>

namespace aprotic::driver::bus {

/// What the caller should know of a peer that sends us elsewhere, as the end of a text; empty for other conditions.
/// [2.8.16] [2.8.18] It is not followed: where requests and credentials go is the configuration's to say.
std::string redirection(const std::optional<codec::ErrorCondition>& condition);

}  // namespace aprotic::driver::bus
