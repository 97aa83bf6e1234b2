#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::engine {

class TlsContext;

/// What a TLS handshake came to. [5.2]
struct TlsStatus {
    std::string version{};      ///< "TLSv1.3"
    std::string cipher{};       ///< OpenSSL's name
    std::string protocol{};     ///< agreed by ALPN; empty: none
    bool resumed = false;       ///< an earlier session was taken up
    bool verified = false;      ///< the peer has a certificate, and its chain was checked
    std::string subject{};      ///< of the peer's certificate, as RFC 2253 writes it; empty: it has none
    std::string common_name{};  ///< of the subject; empty: it has none
};

/// A certificate as people read it: what the peer says, so not to be trusted where it was not verified.
struct CertificateSummary {
    std::string subject{};  ///< as RFC 2253 writes it
    std::string issuer{};
    std::string hosts{};  ///< that it is for, or the subject's common name
    std::string valid_from{};
    std::string valid_until{};
};

/// Who the peer proved to be.
struct PeerIdentity {
    std::string mechanism{};         ///< SASL mechanism; empty when the peer went without SASL
    std::string user{};              ///< empty for anonymous peers
    std::optional<TlsStatus> tls{};  ///< nullopt: not encrypted
};

/// Whether and how a connection is encrypted. [5.2]
struct ConnectionTls {
    std::shared_ptr<const TlsContext> context{};  ///< null: no TLS. Made for the role of the connection.
    /// Client role: AMQP's own TLS header goes first and TLS begins when the server has agreed. Off, TLS begins with
    /// the first octet. A server takes both.
    bool by_header = false;
    /// Client role: the name the server's certificate must have, and of SNI. Empty: the host connected to.
    std::string server_name{};
    bool required = true;  ///< server role: refuse peers that go without TLS
};

/// One authentication from the client's side. Used on the reactor's thread; must not block.
class SaslClientExchange {
public:
    virtual ~SaslClientExchange() = default;
    /// What goes into sasl-init. Absent and empty differ on the wire. [5.3.2-h]
    virtual std::optional<std::string> initial_response() = 0;
    /// The answer to a challenge; absent when the challenge is not acceptable.
    virtual std::optional<std::string> respond(std::string_view challenge) = 0;
    /// The outcome was ok and had this additional-data, empty where it had none. False when the server has not proved
    /// what it should have.
    virtual bool finish(std::string_view) { return true; }
    /// What is known of a failure, to be shown to people; empty for nothing.
    virtual std::string reason() const { return {}; }
};

/// One authentication from the server's side. Used on the reactor's thread; must not block.
class SaslServerExchange {
public:
    struct Step {
        enum class Kind { challenge, accepted, denied };
        Kind kind = Kind::denied;
        std::string text{};             ///< the challenge, or the user who was accepted or denied, if it was said
        std::string additional_data{};  ///< accepted: goes with the outcome
    };

    virtual ~SaslServerExchange() = default;
    /// The client's initial response, if it sent one, or its answer to a challenge.
    virtual Step step(std::optional<std::string_view> response) = 0;
};

/// A mechanism of the application's own, tried before those built in.
struct SaslMechanism {
    std::string name{};           ///< as on the wire: capital letters, digits, '-', '_', at most 20
    bool sends_password = false;  ///< in a form that a listener could use: never goes out unencrypted unless allowed
    std::function<std::unique_ptr<SaslClientExchange>()> make_client{};  ///< empty: clients do not use it
    std::function<std::unique_ptr<SaslServerExchange>()> make_server{};  ///< empty: servers do not offer it
};

/// How a client proves who it is. Plain data but for what it may call. The strongest mechanism that server and options
/// both have is used: own ones, EXTERNAL, OAUTHBEARER, XOAUTH2, PLAIN, ANONYMOUS. [5.3]
struct SaslClientOptions {
    /// Start with the SASL header even without credentials (then EXTERNAL, with a certificate of ours, or ANONYMOUS).
    /// With a user name, a token or own mechanisms SASL is always used.
    bool enabled = false;
    std::string username{};
    std::string password{};
    std::string authorization_id{};         ///< whom to act for, where that is somebody else; usually empty
    std::vector<std::string> mechanisms{};  ///< allow-list; empty = every mechanism there is
    /// An access token for OAUTHBEARER and XOAUTH2 (the latter needs the user name too). Asked for at each
    /// authentication, so that a fresh one can be given. Called on the reactor thread; must not block.
    std::function<std::string()> token{};
    std::vector<SaslMechanism> own_mechanisms{};  ///< strongest first
    /// PLAIN and tokens are readable. Off, they are refused on an unencrypted connection unless the peer is on
    /// loopback.
    bool allow_cleartext_password = false;
};

/// How a server decides who may come in. Plain data but for the verifiers, which are called on the reactor thread and
/// must not block. [5.3]
struct SaslServerOptions {
    bool offer = true;            ///< answer the SASL header
    bool required = false;        ///< refuse peers that go without SASL
    bool allow_anonymous = true;  ///< offer ANONYMOUS
    /// Offers PLAIN and decides. Empty: PLAIN is not offered.
    std::function<bool(std::string_view user, std::string_view password)> verify_password{};
    /// Offers OAUTHBEARER and XOAUTH2 and decides: the user whom the token belongs to, or nobody.
    std::function<std::optional<std::string>(std::string_view token)> verify_token{};
    bool allow_external = true;  ///< offer EXTERNAL to a peer whose TLS certificate was verified
    /// The user whom a verified certificate belongs to, or nobody. Empty: the common name of its subject.
    std::function<std::optional<std::string>(const TlsStatus& peer)> user_of_certificate{};
    std::vector<SaslMechanism> own_mechanisms{};  ///< offered first, in this order
};

}  // namespace aprotic::engine
