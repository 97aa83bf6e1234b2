#pragma once

#include <vector>

#include <aprotic/engine/security.hpp>
#include <aprotic/engine/stack/sasl_mechanism.hpp>

namespace aprotic::engine::stack {

/// Whether this build has Cyrus SASL. Without it the two functions below find nothing.
bool has_cyrus();

/// The mechanisms that Cyrus has plug-ins for here and `options` have something for, strongest first. `options` and
/// `around` must outlive them.
std::vector<SaslMechanism> cyrus_client_mechanisms(const SaslClientOptions& options, const SaslSurroundings& around);
std::vector<SaslMechanism> cyrus_server_mechanisms(const SaslServerOptions& options, const SaslSurroundings& around);

}  // namespace aprotic::engine::stack
