// Instead of sasl_cyrus.cpp in a build that was told to go without.
#include <aprotic/engine/stack/sasl_cyrus.hpp>

namespace aprotic::engine::stack {

bool has_cyrus() { return false; }

std::vector<SaslMechanism> cyrus_client_mechanisms(const SaslClientOptions&, const SaslSurroundings&) { return {}; }
std::vector<SaslMechanism> cyrus_server_mechanisms(const SaslServerOptions&, const SaslSurroundings&) { return {}; }

}  // namespace aprotic::engine::stack
