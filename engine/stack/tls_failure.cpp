#include <aprotic/engine/stack/tls_failure.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <fmt/core.h>

#include <aprotic/engine/stack/header_exchange.hpp>
#include <aprotic/engine/stack/tls_context.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace aprotic::engine::stack {
namespace {

using BioPtr = OpenSslPtr<BIO>;

BioPtr memory() { return BioPtr(BIO_new(BIO_s_mem())); }

std::string text_of(const BioPtr& bio) {
    std::string text(static_cast<std::size_t>(BIO_pending(bio.get())), '\0');
    BIO_read(bio.get(), text.data(), static_cast<int>(text.size()));
    return text;
}

std::string text_of(const X509_NAME* name) {
    const BioPtr bio = memory();
    X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
    return text_of(bio);
}

std::string text_of(const ASN1_TIME* time) {
    const BioPtr bio = memory();
    ASN1_TIME_print(bio.get(), time);
    return text_of(bio);
}

std::string host_names(const X509& certificate) {
    const OpenSslPtr<GENERAL_NAMES> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()) && text.size() < 200; ++i) {
        const BioPtr bio = memory();
        GENERAL_NAME_print(bio.get(), sk_GENERAL_NAME_value(names.get(), i));
        text += fmt::format("{}{}", text.empty() ? "" : ", ", text_of(bio));
    }
    return text.empty() ? common_name_of(certificate) : text;
}

/// An alert of the peer's, which OpenSSL tells as an error beyond SSL_AD_REASON_OFFSET.
std::string alert_text(int alert, const char* reason, bool is_client) {
    const char* const peer = is_client ? "server" : "client";
    switch (alert) {
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_REVOKED:
        case SSL_AD_CERTIFICATE_EXPIRED:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_UNKNOWN_CA:
        case SSL_AD_DECRYPT_ERROR:  // its signature
        case SSL_AD_ACCESS_DENIED:
            return fmt::format(
                "the {} refused our certificate ({}): see tls.certificate_file here and whom it trusts "
                "there",
                peer, reason);
        case TLS13_AD_CERTIFICATE_REQUIRED:
            return "the server demands a certificate of ours: set tls.certificate_file and tls.key_file";
        case SSL_AD_HANDSHAKE_FAILURE:
        case SSL_AD_INSUFFICIENT_SECURITY:
            return fmt::format(
                "the {} broke the TLS handshake off ({}): it may want a certificate of ours "
                "(tls.certificate_file) or other ciphers (tls.ciphers)",
                peer, reason);
        case SSL_AD_PROTOCOL_VERSION:
            return fmt::format("the {} does not speak our versions of TLS: see tls.version_min", peer);
        case SSL_AD_UNRECOGNIZED_NAME:
            return "the server does not know the host name that we asked for: see tls.server_name";
        case SSL_AD_NO_APPLICATION_PROTOCOL: return "the server does not take the protocol amqp on this port (ALPN)";
        default: return fmt::format("the {} broke TLS off: {}", peer, reason);
    }
}

}  // namespace

std::string subject_of(const X509& certificate) { return text_of(X509_get_subject_name(&certificate)); }

std::string common_name_of(const X509& certificate) {
    const X509_NAME* const subject = X509_get_subject_name(&certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    std::string name;
    for (int i = 0; i < size; ++i) name += static_cast<char>(utf8[i]);
    OPENSSL_free(utf8);
    // A name with a NUL in it is made to be mistaken for what stands before that.
    return name.find('\0') == std::string::npos ? name : std::string();
}

CertificateSummary summary_of(const X509& certificate) {
    constexpr std::size_t shown_max = 200;
    CertificateSummary summary;
    summary.subject = printable(subject_of(certificate), shown_max);
    summary.issuer = printable(text_of(X509_get_issuer_name(&certificate)), shown_max);
    summary.hosts = printable(host_names(certificate), shown_max);
    summary.valid_from = text_of(X509_get0_notBefore(&certificate));
    summary.valid_until = text_of(X509_get0_notAfter(&certificate));
    return summary;
}

std::vector<CertificateSummary> summaries_of(const STACK_OF(X509) * chain) {
    constexpr int shown_max = 10;
    std::vector<CertificateSummary> summaries;
    for (int i = 0; chain != nullptr && i < std::min(sk_X509_num(chain), shown_max); ++i)
        summaries.push_back(summary_of(*sk_X509_value(chain, i)));
    return summaries;
}

CertificateFault certificate_fault_of(X509_STORE_CTX& store) {
    CertificateFault fault;
    fault.code = X509_STORE_CTX_get_error(&store);
    if (const X509* const certificate = X509_STORE_CTX_get_current_cert(&store))
        fault.certificate = summary_of(*certificate);
    fault.chain = summaries_of(X509_STORE_CTX_get0_untrusted(&store));
    return fault;
}

std::string certificate_text(const CertificateFault& fault, bool is_client, const std::string& server_name) {
    const std::string whose =
        fmt::format("the {}'s certificate \"{}\"", is_client ? "server" : "client",
                    fault.certificate.subject.empty() ? "without a name" : fault.certificate.subject);
    switch (fault.code) {
        case X509_V_ERR_CERT_HAS_EXPIRED: return fmt::format("{} expired on {}", whose, fault.certificate.valid_until);
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return fmt::format("{} is not valid before {}: see the clocks of both hosts", whose,
                               fault.certificate.valid_from);
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return fmt::format(
                "{} is signed by itself and not among those we trust: add it to tls.ca_file if it is "
                "the right one",
                whose);
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return fmt::format("the chain ends in the CA \"{}\", which is not among those we trust: see tls.ca_file",
                               fault.certificate.subject);
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return fmt::format("{} is issued by \"{}\", which is not among those we trust: see tls.ca_file", whose,
                               fault.certificate.issuer);
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return fmt::format("{} is for {}, not for {}: connect to a host of that name, or set tls.server_name",
                               whose, fault.certificate.hosts, server_name);
        case X509_V_ERR_CERT_REVOKED: return fmt::format("{} is revoked (tls.crl_file)", whose);
        case X509_V_ERR_UNABLE_TO_GET_CRL:
            return fmt::format("tls.crl_file has no revocation list of \"{}\", the issuer of {}",
                               fault.certificate.issuer, whose);
        case X509_V_ERR_CRL_HAS_EXPIRED:
            return fmt::format("the revocation list of \"{}\" has expired: get a new one (tls.crl_file)",
                               fault.certificate.issuer);
        default: return fmt::format("{} cannot be verified: {}", whose, X509_verify_cert_error_string(fault.code));
    }
}

std::string tls_failure_text(unsigned long error, bool is_client, bool handshaking) {
    const int code = ERR_GET_REASON(error);
    const char* const known = error == 0 ? nullptr : ERR_reason_error_string(error);
    const char* const reason = known != nullptr ? known : "no reason given";
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && code >= SSL_AD_REASON_OFFSET)
        return alert_text(code - SSL_AD_REASON_OFFSET, reason, is_client);
    switch (code) {
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return "the client sent no certificate, which tls.client_certificate demands";
        case SSL_R_UNSUPPORTED_PROTOCOL:
            return fmt::format("the {} wants a version of TLS below tls.version_min", is_client ? "server" : "client");
        case SSL_R_NO_SHARED_CIPHER: return "the client has no cipher in common with us: see tls.ciphers";
        default: break;
    }
    if (handshaking) return fmt::format("the TLS handshake failed: {}", reason);
    return fmt::format("the {} sent what is no proper TLS record: {}", is_client ? "server" : "client", reason);
}

}  // namespace aprotic::engine::stack
