#include <aprotic/engine/stack/tls_context.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace aprotic::engine {

namespace stack {

std::string take_openssl_error() {
    // A failed system call, such as opening a file, comes first and has errno for a reason.
    const unsigned long first = ERR_peek_error();
    const unsigned long code = ERR_SYSTEM_ERROR(first) ? first : ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) return "no reason given";
    if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
    const char* const reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : fmt::format("OpenSSL error {:#x}", code);
}

}  // namespace stack

namespace {

using stack::OpenSslPtr;
using stack::take_openssl_error;
using Done = codec::Result<void, Failure>;

Failure wrong(std::string text) {
    return {.code = Errc::invalid_option, .initiator = Initiator::us, .condition = {}, .text = std::move(text)};
}

/// Where something in PEM comes from: a file, or memory.
struct Source {
    std::string_view file_option;
    const std::string& file;
    std::string_view pem_option;
    const std::string& pem;

    bool empty() const { return file.empty() && pem.empty(); }
    std::string name() const {
        return file.empty() ? fmt::format("tls.{}", pem_option) : fmt::format("tls.{} '{}'", file_option, file);
    }
    OpenSslPtr<BIO> open() const {
        if (!file.empty()) return OpenSslPtr<BIO>(BIO_new_file(file.c_str(), "rb"));
        return OpenSslPtr<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    }
};

/// No prompt on a terminal, and it is known afterwards whether a password was wanted.
struct PasswordAnswer {
    const std::string& password;
    bool asked = false;

    static int give(char* into, int size, int, void* self) {
        auto& answer = *static_cast<PasswordAnswer*>(self);
        answer.asked = true;
        if (answer.password.empty() || answer.password.size() > static_cast<std::size_t>(size)) return -1;
        std::copy(answer.password.begin(), answer.password.end(), into);
        return static_cast<int>(answer.password.size());
    }
};

Done load_certificate(SSL_CTX& context, const Source& source) {
    const auto bio = source.open();
    if (!bio) return wrong(fmt::format("cannot read {}: {}", source.name(), take_openssl_error()));
    const OpenSslPtr<X509> own(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
    if (!own) return wrong(fmt::format("{} has no certificate in PEM: {}", source.name(), take_openssl_error()));
    if (SSL_CTX_use_certificate(&context, own.get()) != 1)
        return wrong(fmt::format("the certificate of {} is not usable: {}", source.name(), take_openssl_error()));
    while (X509* const issuer = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
        if (SSL_CTX_add0_chain_cert(&context, issuer) != 1) {
            X509_free(issuer);
            return wrong(fmt::format("the chain of {} is not usable: {}", source.name(), take_openssl_error()));
        }
    }
    ERR_clear_error();  // the end of the file counts as one
    return {};
}

Done load_key(SSL_CTX& context, const Source& source, const std::string& password, const std::string& certificate) {
    const auto bio = source.open();
    if (!bio) return wrong(fmt::format("cannot read {}: {}", source.name(), take_openssl_error()));
    PasswordAnswer answer{password};
    const OpenSslPtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &PasswordAnswer::give, &answer));
    if (!key) {
        const std::string reason = take_openssl_error();
        if (answer.asked) {
            return wrong(fmt::format("the key of {} is encrypted: tls.key_password is {}", source.name(),
                                     password.empty() ? "missing" : "wrong"));
        }
        return wrong(fmt::format("{} has no private key in PEM: {}", source.name(), reason));
    }
    if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1 || SSL_CTX_check_private_key(&context) != 1) {
        return wrong(fmt::format("the key of {} does not belong to the certificate of {}: {}", source.name(),
                                 certificate, take_openssl_error()));
    }
    return {};
}

/// Adds every certificate of the text.
Done trust_pem(X509_STORE& store, const std::string& pem) {
    const OpenSslPtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::size_t count = 0;
    while (const OpenSslPtr<X509> ca{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        X509_STORE_add_cert(&store, ca.get());
        ++count;
    }
    ERR_clear_error();
    if (count == 0) return wrong("tls.ca_pem has no certificate in PEM");
    return {};
}

Done trust_system(SSL_CTX& context) {
    const auto set = [](const char* variable) { return std::getenv(variable) != nullptr; };
    std::error_code ignored;
    const bool there = set(X509_get_default_cert_file_env()) || set(X509_get_default_cert_dir_env()) ||
                       std::filesystem::exists(X509_get_default_cert_file(), ignored) ||
                       !std::filesystem::is_empty(X509_get_default_cert_dir(), ignored);
    if (!there || ignored) {
        return wrong(
            fmt::format("the system has no store of CA certificates ({}): install one, as ca-certificates of "
                        "Debian, or set tls.ca_file",
                        X509_get_default_cert_dir()));
    }
    if (SSL_CTX_set_default_verify_paths(&context) != 1)
        return wrong(fmt::format("cannot use the system's CA certificates: {}", take_openssl_error()));
    return {};
}

Done load_trust(SSL_CTX& context, const TlsOptions& options, bool system) {
    X509_STORE& store = *SSL_CTX_get_cert_store(&context);
    if (!options.ca_file.empty()) {
        if (SSL_CTX_load_verify_file(&context, options.ca_file.c_str()) != 1) {
            return wrong(fmt::format("cannot use tls.ca_file '{}', certificates in PEM expected: {}", options.ca_file,
                                     take_openssl_error()));
        }
    }
    if (!options.ca_directory.empty()) {
        std::error_code ignored;
        if (!std::filesystem::is_directory(options.ca_directory, ignored) ||
            SSL_CTX_load_verify_dir(&context, options.ca_directory.c_str()) != 1)
            return wrong(fmt::format("tls.ca_directory '{}' is not a directory", options.ca_directory));
    }
    if (!options.ca_pem.empty()) {
        if (auto done = trust_pem(store, options.ca_pem); !done) return done;
    }
    if (system) {
        if (auto done = trust_system(context); !done) return done;
    }
    if (!options.crl_file.empty()) {
        X509_LOOKUP* const lookup = X509_STORE_add_lookup(&store, X509_LOOKUP_file());
        if (lookup == nullptr || X509_load_crl_file(lookup, options.crl_file.c_str(), X509_FILETYPE_PEM) < 1) {
            return wrong(fmt::format("cannot use tls.crl_file '{}', revocation lists in PEM expected: {}",
                                     options.crl_file, take_openssl_error()));
        }
        X509_STORE_set_flags(&store, X509_V_FLAG_CRL_CHECK);
    }
    return {};
}

/// A client that offers protocols is told "amqp" if that is among them, and is let in without one otherwise.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned int size, void*) {
    static constexpr std::array<unsigned char, 5> amqp = {4, 'a', 'm', 'q', 'p'};
    unsigned char* match = nullptr;
    if (SSL_select_next_proto(&match, chosen_size, amqp.data(), amqp.size(), offered, size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = match;
    return SSL_TLSEXT_ERR_OK;
}

/// A client's connection was given a session for later.
int on_new_session(SSL* connection, SSL_SESSION* session) {
    const auto& owner = *static_cast<const stack::ConnectionOwner*>(SSL_get_app_data(connection));
    owner.context.keep_session(owner.server_name, OpenSslPtr<SSL_SESSION>(session));
    return 1;  // it is ours now
}

Done set_up_client(SSL_CTX& context, const TlsOptions& options) {
    if (options.client_certificate != ClientCertificate::none)
        return wrong("tls.client_certificate is for servers: a client has tls.certificate_file");
    const bool any_ca = !options.ca_file.empty() || !options.ca_directory.empty() || !options.ca_pem.empty();
    if (options.insecure_skip_verification) {
        SSL_CTX_set_verify(&context, SSL_VERIFY_NONE, nullptr);
    } else {
        if (auto done = load_trust(context, options, options.system_ca || !any_ca); !done) return done;
        SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
    }
    static constexpr std::array<unsigned char, 5> amqp = {4, 'a', 'm', 'q', 'p'};
    if (SSL_CTX_set_alpn_protos(&context, amqp.data(), amqp.size()) != 0)
        return wrong(fmt::format("cannot offer the protocol amqp: {}", take_openssl_error()));
    if (options.resume_sessions) {
        // The store of our own knows the server's name, which OpenSSL's does not.
        SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(&context, &on_new_session);
    } else {
        SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
    }
    return {};
}

Done set_up_server(SSL_CTX& context, const TlsOptions& options) {
    if (options.insecure_skip_verification || options.insecure_skip_host_name)
        return wrong("tls.insecure_… is for clients: a server that takes anybody has tls.client_certificate none");
    SSL_CTX_set_alpn_select_cb(&context, &choose_protocol, nullptr);
    if (options.client_certificate != ClientCertificate::none) {
        const bool any_ca = !options.ca_file.empty() || !options.ca_directory.empty() || !options.ca_pem.empty();
        if (!any_ca && !options.system_ca)
            return wrong("tls.client_certificate needs somebody to trust: set tls.ca_file");
        if (auto done = load_trust(context, options, options.system_ca); !done) return done;
        SSL_CTX_set_verify(
            &context,
            SSL_VERIFY_PEER |
                (options.client_certificate == ClientCertificate::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
            nullptr);
        if (!options.ca_file.empty())
            SSL_CTX_set_client_CA_list(&context, SSL_load_client_CA_file(options.ca_file.c_str()));
    }
    static constexpr std::array<unsigned char, 7> ours = {'a', 'p', 'r', 'o', 't', 'i', 'c'};
    SSL_CTX_set_session_id_context(&context, ours.data(), ours.size());
    if (!options.resume_sessions) {
        SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(&context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(&context, 0);
    }
    return {};
}

codec::Result<OpenSslPtr<SSL_CTX>, Failure> set_up(EngineRole role, const TlsOptions& options) {
    OpenSslPtr<SSL_CTX> made(SSL_CTX_new(role == EngineRole::client ? TLS_client_method() : TLS_server_method()));
    if (!made) return wrong(fmt::format("OpenSSL is not usable: {}", take_openssl_error()));
    SSL_CTX& context = *made;
    SSL_CTX_set_min_proto_version(&context,
                                  options.version_min == TlsVersion::tls1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(&context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    // An idle connection gives its buffers back.
    SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS);
    if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(&context, options.ciphers.c_str()) != 1)
        return wrong(fmt::format("tls.ciphers '{}' has none that OpenSSL knows", options.ciphers));
    if (!options.cipher_suites.empty() && SSL_CTX_set_ciphersuites(&context, options.cipher_suites.c_str()) != 1)
        return wrong(fmt::format("tls.cipher_suites '{}' has one that OpenSSL does not know", options.cipher_suites));

    const Source certificate{"certificate_file", options.certificate_file, "certificate_pem", options.certificate_pem};
    const bool separate_key = !options.key_file.empty() || !options.key_pem.empty();
    const Source key = separate_key ? Source{"key_file", options.key_file, "key_pem", options.key_pem} : certificate;
    if (!certificate.empty()) {
        if (auto done = load_certificate(context, certificate); !done) return done.error();
        if (auto done = load_key(context, key, options.key_password, certificate.name()); !done) return done.error();
    } else if (separate_key) {
        return wrong(fmt::format("{} is set without tls.certificate_file", key.name()));
    } else if (role == EngineRole::server) {
        return wrong("a TLS server needs a certificate: set tls.certificate_file");
    }
    if (auto done = role == EngineRole::client ? set_up_client(context, options) : set_up_server(context, options);
        !done)
        return done.error();
    return made;
}

TlsContext::Made make(std::unique_ptr<TlsContext::Impl> impl, TlsContext* (*wrap)(std::unique_ptr<TlsContext::Impl>)) {
    if (auto done = impl->load(); !done) return done.error();
    return std::shared_ptr<TlsContext>(wrap(std::move(impl)));
}

}  // namespace

TlsContext::Impl::~Impl() { OPENSSL_cleanse(options.key_password.data(), options.key_password.size()); }

OpenSslPtr<SSL> TlsContext::Impl::make_connection() const {
    const std::lock_guard lock(mutex_);
    return OpenSslPtr<SSL>(SSL_new(context_.get()));
}

void TlsContext::Impl::keep_session(const std::string& server_name, OpenSslPtr<SSL_SESSION> session) const {
    const std::lock_guard lock(mutex_);
    if (sessions_.size() >= stack::sessions_max && !sessions_.contains(server_name)) sessions_.erase(sessions_.begin());
    sessions_[server_name] = std::move(session);
}

void TlsContext::Impl::resume_session(SSL& connection, const std::string& server_name) const {
    const std::lock_guard lock(mutex_);
    const auto known = sessions_.find(server_name);
    if (known != sessions_.end()) SSL_set_session(&connection, known->second.get());
}

Done TlsContext::Impl::load() {
    ERR_clear_error();
    auto made = set_up(role, options);
    if (!made) return made.error();
    const std::lock_guard lock(mutex_);
    context_ = std::move(*made);
    sessions_.clear();  // they were agreed on under other rules
    return {};
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

TlsContext::Made TlsContext::make_client(TlsOptions options) {
    return make(std::make_unique<Impl>(EngineRole::client, std::move(options)),
                [](std::unique_ptr<Impl> impl) { return new TlsContext(std::move(impl)); });
}

TlsContext::Made TlsContext::make_server(TlsOptions options) {
    return make(std::make_unique<Impl>(EngineRole::server, std::move(options)),
                [](std::unique_ptr<Impl> impl) { return new TlsContext(std::move(impl)); });
}

codec::Result<void, Failure> TlsContext::reload() { return impl_->load(); }

EngineRole TlsContext::role() const noexcept { return impl_->role; }

}  // namespace aprotic::engine
