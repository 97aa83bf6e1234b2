#pragma once

#include <memory>
#include <string>

#include <aprotic/codec/result.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::engine {

enum class TlsVersion { tls1_2, tls1_3 };

/// What a server asks of its clients.
enum class ClientCertificate {
    none,
    wanted,   ///< a client may come without, but not with one that cannot be verified
    required  ///< a client without one is refused
};

/// Keys, certificates and whom to trust. Plain data. Everything is PEM, from a file or from memory. Certificates and
/// host names are verified unless an option with `insecure` in its name says otherwise; validity is judged by the
/// system's clock.
struct TlsOptions {
    // Whom we trust. A client without any of these uses the system's store; a server needs one to verify its clients.
    std::string ca_file{};
    std::string ca_directory{};  ///< with the names that `openssl rehash` gives
    std::string ca_pem{};
    bool system_ca = false;  ///< the system's store besides the ones given
    std::string crl_file{};  ///< certificates revoked here are refused; must cover the CA that issued the peer's

    // Who we are. A server must have a certificate, a client may.
    std::string certificate_file{};  ///< ours first, then the chain up to the CA
    std::string certificate_pem{};
    std::string key_file{};  ///< empty, and key_pem too: the key is with the certificate
    std::string key_pem{};
    std::string key_password{};  ///< of an encrypted key

    // How.
    TlsVersion version_min = TlsVersion::tls1_2;
    std::string ciphers{};        ///< of TLS 1.2, in OpenSSL's notation; empty: what OpenSSL thinks good
    std::string cipher_suites{};  ///< of TLS 1.3, likewise
    bool resume_sessions = true;  ///< spares the second and later handshakes with a peer the certificates
    ClientCertificate client_certificate = ClientCertificate::none;  ///< server only
    bool insecure_skip_host_name = false;     ///< client only: any name will do, the chain is still verified
    bool insecure_skip_verification = false;  ///< client only: anybody may be the server
};

/// TLS settings that were read and found usable, for any number of connections: one object for each place to connect
/// to or to listen on, so that sessions can be resumed. Any thread.
class TlsContext {
public:
    using Made = codec::Result<std::shared_ptr<TlsContext>, Failure>;

    /// Reads the files. The failure's text names the option, the file and what is wrong with it.
    static Made make_client(TlsOptions options = {});
    static Made make_server(TlsOptions options);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    /// Reads the files again. Connections that exist go on as they are, later ones use what was read; when something is
    /// not usable all stays as it was.
    codec::Result<void, Failure> reload();

    EngineRole role() const noexcept;

    struct Impl;
    /// For the TLS layer.
    Impl& impl() const noexcept { return *impl_; }

private:
    explicit TlsContext(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::engine
