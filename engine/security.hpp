#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::engine {

class SaslConfig;
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
    /// Bits of the SASL security layer that the connection goes through; 1: integrity only, 0: none.
    unsigned sasl_layer_bits = 0;
    /// Client role: a password or token went out where others could read it, which an option allowed.
    bool sent_in_clear = false;
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

/// What all octets behind a successful authentication go through, where the mechanism agreed on that: integrity, or
/// confidentiality too. Used on the reactor's thread; must not block.
class SaslSecurityLayer {
public:
    virtual ~SaslSecurityLayer() = default;
    virtual unsigned bits() const = 0;          ///< its strength; 1: integrity only
    virtual std::size_t plain_max() const = 0;  ///< octets that wrap() takes at once
    /// Appends to `wrapped` what goes out for `plain`. False when that cannot be; reason() says why.
    virtual bool wrap(std::span<const std::byte> plain, std::vector<std::byte>& wrapped) = 0;
    /// Takes the next piece of what came in, however it was cut, and appends to `plain` what can be had. False when the
    /// octets are not what the peer would have written.
    virtual bool unwrap(std::span<const std::byte> wrapped, std::vector<std::byte>& plain) = 0;
    virtual std::string reason() const { return {}; }
};

/// The mechanisms built in, strongest first, those included that need Cyrus SASL in the build.
std::span<const std::string_view> sasl_mechanism_names() noexcept;

/// Whether two secrets are the same; takes as long whichever octet differs. For who verifies passwords and tokens.
bool same_secret(std::string_view a, std::string_view b) noexcept;

/// One authentication from the client's side. Used on the reactor's thread; must not block.
class SaslClientExchange {
public:
    virtual ~SaslClientExchange() = default;
    /// Asked first. False: it cannot be used here and now, such as without a ticket; reason() says why, and the next
    /// mechanism is tried.
    virtual bool ready() { return true; }
    /// What goes into sasl-init. Absent and empty differ on the wire. [5.3.2-h]
    virtual std::optional<std::string> initial_response() = 0;
    /// The answer to a challenge; absent when the challenge is not acceptable.
    virtual std::optional<std::string> respond(std::string_view challenge) = 0;
    /// The outcome was ok and had this additional-data, empty where it had none. False when the server has not proved
    /// what it should have.
    virtual bool finish(std::string_view) { return true; }
    /// What is known of a failure, to be shown to people; empty for nothing.
    virtual std::string reason() const { return {}; }
    /// After success, once: what protects the connection from here on; null for nothing.
    virtual std::unique_ptr<SaslSecurityLayer> security_layer() { return nullptr; }
};

/// One authentication from the server's side. Used on the reactor's thread; must not block.
class SaslServerExchange {
public:
    struct Step {
        enum class Kind { challenge, accepted, denied };
        Kind kind = Kind::denied;
        std::string text{};             ///< the challenge, or the user who was accepted or denied, if it was said
        std::string additional_data{};  ///< accepted: goes with the outcome
        std::string reason{};           ///< denied: what is known of it, for our own failure; the peer is not told
    };

    virtual ~SaslServerExchange() = default;
    /// The client's initial response, if it sent one, or its answer to a challenge.
    virtual Step step(std::optional<std::string_view> response) = 0;
    /// After accepted, once: what protects the connection behind the outcome; null for nothing.
    virtual std::unique_ptr<SaslSecurityLayer> security_layer() { return nullptr; }
};

/// A mechanism of the application's own, tried before those built in.
struct SaslMechanism {
    std::string name{};           ///< as on the wire: capital letters, digits, '-', '_', at most 20
    bool sends_password = false;  ///< in a form that a listener could use: never goes out unencrypted unless allowed
    std::function<std::unique_ptr<SaslClientExchange>()> make_client{};  ///< empty: clients do not use it
    std::function<std::unique_ptr<SaslServerExchange>()> make_server{};  ///< empty: servers do not offer it
};

/// What Cyrus SASL needs to know besides credentials, either role. A build without Cyrus takes no notice of it.
struct SaslCyrusOptions {
    std::shared_ptr<const SaslConfig> config{};  ///< Cyrus' own settings; null: its defaults
    std::string service = "amqp";  ///< what keys, tickets and digests are for: the first part of amqp/host@REALM
    /// Where user names without "@" belong. Empty: the server's word (client); this host's name (server).
    std::string realm{};
    /// The security layer without TLS, in bits: 1 is integrity (auth-int), 56 and more encryption (auth-conf). Peers
    /// that do not come to the minimum are refused; a maximum of 0 means no layer. TLS is as good as any minimum. The
    /// encryption of DIGEST-MD5 loses some kilobytes with each connection in Cyrus SASL 2.1.28 of Debian 12.
    unsigned layer_bits_min = 0;
    unsigned layer_bits_max = 0;
    /// Octets of the largest SASL frame. The specification's bound is 512 [5.3-f], above which Kerberos' tickets often
    /// are; peers with this raised, or built on Proton, take them.
    std::uint32_t frame_size_max = 512;
};

/// How a client proves who it is. Plain data but for what it may call. The strongest mechanism that server and options
/// both have is used: own ones, EXTERNAL, OAUTHBEARER, XOAUTH2, by Cyrus GSSAPI, SCRAM-SHA-512 to -1, DIGEST-MD5 and
/// CRAM-MD5, then PLAIN and ANONYMOUS. [5.3]
struct SaslClientOptions {
    /// Start with the SASL header even without credentials (then EXTERNAL, with a certificate of ours, or ANONYMOUS).
    /// With a user name, a token or own mechanisms SASL is always used.
    bool enabled = false;
    std::string username{};
    std::string password{};
    std::string authorization_id{};  ///< whom to act for, where that is somebody else; usually empty
    /// Allow-list; empty: every mechanism there is, but GSSAPI only for a user name without a password.
    std::vector<std::string> mechanisms{};
    /// An access token for OAUTHBEARER and XOAUTH2 (the latter needs the user name too). Asked for at each
    /// authentication, so that a fresh one can be given. Called on the reactor thread; must not block.
    std::function<std::string()> token{};
    std::vector<SaslMechanism> own_mechanisms{};  ///< strongest first
    SaslCyrusOptions cyrus{};
    /// PLAIN and tokens are readable. Off, they are refused on an unencrypted connection unless the peer is on
    /// loopback.
    bool allow_cleartext_password = false;
};

/// How a server decides who may come in. Plain data but for the verifiers, which are called on the reactor thread and
/// must not block. [5.3]
struct SaslServerOptions {
    bool offer = true;                      ///< answer the SASL header
    bool required = false;                  ///< refuse peers that go without SASL
    bool allow_anonymous = true;            ///< offer ANONYMOUS
    std::vector<std::string> mechanisms{};  ///< allow-list; empty: all that the rest allows, GSSAPI only if named here
    /// The password of a user, or nothing for who is none. Offers PLAIN, and by Cyrus SCRAM, DIGEST-MD5 and CRAM-MD5,
    /// which cannot do with less than the password itself.
    std::function<std::optional<std::string>(std::string_view user)> password_of{};
    /// Offers PLAIN and decides, whatever `password_of` has.
    std::function<bool(std::string_view user, std::string_view password)> verify_password{};
    /// Offers OAUTHBEARER and XOAUTH2 and decides: the user whom the token belongs to, or nobody.
    std::function<std::optional<std::string>(std::string_view token)> verify_token{};
    bool allow_external = true;  ///< offer EXTERNAL to a peer whose TLS certificate was verified
    /// The user whom a verified certificate belongs to, or nobody. Empty: the common name of its subject.
    std::function<std::optional<std::string>(const TlsStatus& peer)> user_of_certificate{};
    std::vector<SaslMechanism> own_mechanisms{};  ///< offered first, in this order
    /// With `config` and without `password_of`, Cyrus knows the users (sasldb and the like): the same mechanisms are
    /// offered, by its rules. Its files are then read on the reactor's thread.
    SaslCyrusOptions cyrus{};
    /// Whether a user, who has proved to be that, may act for another. Empty: nobody may.
    std::function<bool(std::string_view user, std::string_view other)> may_act_for{};
};

}  // namespace aprotic::engine
