#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::engine {

/// Who the peer proved to be.
struct PeerIdentity {
    std::string mechanism{};  ///< SASL mechanism; empty when the peer went without SASL
    std::string user{};       ///< empty for anonymous peers
};

/// How a client proves who it is. Plain data. [5.3]
struct SaslClientOptions {
    /// Start with the SASL header even without credentials (then ANONYMOUS). With a user name SASL is always used.
    bool enabled = false;
    std::string username{};
    std::string password{};
    std::string authorization_id{};         ///< PLAIN's authzid; usually empty
    std::vector<std::string> mechanisms{};  ///< allow-list; empty = every mechanism built in
    /// PLAIN sends the password readable. Off, it is refused on an unencrypted connection unless the peer is on
    /// loopback.
    bool allow_cleartext_password = false;
};

/// How a server decides who may come in. Plain data but for the verifier. [5.3]
struct SaslServerOptions {
    bool offer = true;            ///< answer the SASL header
    bool required = false;        ///< refuse peers that go without SASL
    bool allow_anonymous = true;  ///< offer ANONYMOUS
    /// Offers PLAIN and decides. Called on the reactor thread; must not block. Empty: PLAIN is not offered.
    std::function<bool(std::string_view user, std::string_view password)> verify_password{};
};

}  // namespace aprotic::engine
