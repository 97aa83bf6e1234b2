#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/engine/security.hpp>

namespace aprotic::engine::stack {

/// What SASL stands on: the stream below, and where it leads.
struct SaslSurroundings {
    bool private_stream = false;     ///< nobody else can read what we write
    std::optional<TlsStatus> tls{};  ///< nullopt: not encrypted
    bool has_certificate = false;    ///< ours, which a server may ask for
    std::string host{};              ///< client: the peer's; empty: not known
};

/// The mechanisms that a client may use, strongest first, whatever the server offers. What the mechanisms are made of
/// (`options`) must outlive them.
std::vector<SaslMechanism> client_mechanisms(const SaslClientOptions& options, const SaslSurroundings& around);

/// The mechanisms that a server offers, strongest first. `options` and `around` must outlive them.
std::vector<SaslMechanism> server_mechanisms(const SaslServerOptions& options, const SaslSurroundings& around);

/// Whether `options` let `user` go on as `other`, whom the client asked for; empty: nobody else.
bool may_act(const SaslServerOptions& options, std::string_view user, std::string_view other);

/// Names of mechanisms are compared without regard to case where people write them.
bool same_name(std::string_view a, std::string_view b);
bool lists(const std::vector<std::string>& names, std::string_view name);

}  // namespace aprotic::engine::stack
