#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <aprotic/engine/security.hpp>

namespace aprotic::engine::stack {

/// One authentication from the client's side.
class ClientMechanism {
public:
    virtual ~ClientMechanism() = default;
    /// What goes into sasl-init. Absent and empty differ on the wire. [5.3.2-h]
    virtual std::optional<std::string> initial_response() = 0;
    /// The answer to a challenge; absent when the challenge is not acceptable.
    virtual std::optional<std::string> respond(std::string_view challenge) = 0;
};

/// One authentication from the server's side.
class ServerMechanism {
public:
    struct Step {
        enum class Kind { challenge, accepted, denied };
        Kind kind = Kind::denied;
        std::string text;  ///< the challenge, or the user who was accepted or denied, if it was said
    };

    virtual ~ServerMechanism() = default;
    /// The client's initial response, if it sent one, or its answer to a challenge.
    virtual Step step(std::optional<std::string_view> response) = 0;
};

/// What there is to know of a mechanism before it is used.
struct Mechanism {
    std::string_view name;
    bool sends_password;  ///< in a form that a listener could read
    bool proves_a_user;   ///< needs a user name, and is what somebody who gave one means
    bool (*offered)(const SaslServerOptions&);
    std::unique_ptr<ClientMechanism> (*make_client)(const SaslClientOptions&);
    std::unique_ptr<ServerMechanism> (*make_server)(const SaslServerOptions&);
};

/// The mechanisms built in, strongest first. The options given to make_… must outlive what is made.
std::span<const Mechanism> builtin_mechanisms() noexcept;

}  // namespace aprotic::engine::stack
