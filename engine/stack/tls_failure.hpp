#pragma once

#include <string>
#include <vector>

#include <aprotic/engine/security.hpp>

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace aprotic::engine::stack {

/// What is wrong with the peer's chain of certificates, taken down while OpenSSL verifies it.
struct CertificateFault {
    int code = X509_V_OK;
    CertificateSummary certificate{};         ///< the one that is wrong
    std::vector<CertificateSummary> chain{};  ///< as the peer sent it
};

CertificateFault certificate_fault_of(X509_STORE_CTX& store);

/// One sentence for people: which certificate, what is wrong with it, and which option to look at.
std::string certificate_text(const CertificateFault& fault, bool is_client, const std::string& server_name);

/// The same for everything else that OpenSSL or the peer's alert complains about.
std::string tls_failure_text(unsigned long error, bool is_client, bool handshaking);

CertificateSummary summary_of(const X509& certificate);
/// The first few: a chain is as long as the peer likes. Null: none.
std::vector<CertificateSummary> summaries_of(const STACK_OF(X509) * chain);
std::string subject_of(const X509& certificate);
std::string common_name_of(const X509& certificate);

}  // namespace aprotic::engine::stack
