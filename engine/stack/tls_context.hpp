#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <aprotic/engine/tls.hpp>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace aprotic::engine {

namespace stack {

struct OpenSslFree {
    void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
    void operator()(SSL* p) const noexcept { SSL_free(p); }
    void operator()(SSL_SESSION* p) const noexcept { SSL_SESSION_free(p); }
    void operator()(BIO* p) const noexcept { BIO_free_all(p); }
    void operator()(X509* p) const noexcept { X509_free(p); }
    void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
    void operator()(BIO_METHOD* p) const noexcept { BIO_meth_free(p); }
    void operator()(GENERAL_NAMES* p) const noexcept { GENERAL_NAMES_free(p); }
};
template <class T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

/// The latest thing in this thread's queue of OpenSSL's errors, in words; the queue is empty afterwards.
std::string take_openssl_error();

/// The server names that a client has sessions for, at most.
constexpr std::size_t sessions_max = 64;

}  // namespace stack

struct TlsContext::Impl {
    Impl(EngineRole its_role, TlsOptions its_options) : role(its_role), options(std::move(its_options)) {}
    ~Impl();

    /// A connection with what was read last.
    stack::OpenSslPtr<SSL> make_connection() const;
    /// Client: for later connections to the server of this name.
    void keep_session(const std::string& server_name, stack::OpenSslPtr<SSL_SESSION> session) const;
    void resume_session(SSL& connection, const std::string& server_name) const;

    codec::Result<void, Failure> load();

    const EngineRole role;
    TlsOptions options;

private:
    mutable std::mutex mutex_;  // for what follows
    stack::OpenSslPtr<SSL_CTX> context_;
    mutable std::map<std::string, stack::OpenSslPtr<SSL_SESSION>> sessions_;
};

namespace stack {

/// What OpenSSL knows of a connection's owner (SSL_get_app_data).
struct ConnectionOwner {
    const TlsContext::Impl& context;
    const std::string server_name;
};

}  // namespace stack

}  // namespace aprotic::engine
