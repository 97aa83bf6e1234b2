#include "support/certificates.hpp"

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace aprotic::test {
namespace {

struct Free {
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(X509* p) const { X509_free(p); }
    void operator()(X509_CRL* p) const { X509_CRL_free(p); }
    void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
    void operator()(BIO* p) const { BIO_free_all(p); }
};
template <class T>
using Ptr = std::unique_ptr<T, Free>;

void need(bool fine) {
    if (!fine) throw std::runtime_error("OpenSSL cannot make a certificate");
}

Ptr<EVP_PKEY> make_key() { return Ptr<EVP_PKEY>(EVP_EC_gen("P-256")); }

long next_serial() {
    static std::atomic<long> last = 1000;
    return ++last;
}

void extend(X509& certificate, X509& issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
    const Ptr<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    need(extension && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

/// `issuer` null: by itself.
Ptr<X509> make_certificate(EVP_PKEY& key, const Wanted& wanted, bool is_ca, X509* issuer, EVP_PKEY& issuer_key) {
    Ptr<X509> made(X509_new());
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), next_serial());
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 86400L * wanted.from_days);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 86400L * wanted.until_days);
    X509_set_pubkey(made.get(), &key);
    X509_NAME* const subject = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1, -1, 0);
    X509& by = issuer != nullptr ? *issuer : *made;
    X509_set_issuer_name(made.get(), X509_get_subject_name(&by));
    extend(*made, by, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    extend(*made, by, NID_subject_key_identifier, "hash");
    if (is_ca) extend(*made, by, NID_key_usage, "critical,keyCertSign,cRLSign");
    std::string names;
    for (const auto& host : wanted.hosts) {
        const bool literal =
            host.find_first_not_of("0123456789.") == std::string::npos || host.find(':') != std::string::npos;
        names += (names.empty() ? "" : ",") + std::string(literal ? "IP:" : "DNS:") + host;
    }
    if (!names.empty()) extend(*made, by, NID_subject_alt_name, names);
    need(X509_sign(made.get(), &issuer_key, EVP_sha256()) > 0);
    return made;
}

template <class Write>
std::string pem(Write write) {
    const Ptr<BIO> bio(BIO_new(BIO_s_mem()));
    need(write(bio.get()) == 1);
    std::string text(static_cast<std::size_t>(BIO_pending(bio.get())), '\0');
    BIO_read(bio.get(), text.data(), static_cast<int>(text.size()));
    return text;
}

std::string pem_of(X509& certificate) {
    return pem([&](BIO* bio) { return PEM_write_bio_X509(bio, &certificate); });
}

std::string pem_of(EVP_PKEY& key, const std::string& password) {
    return pem([&](BIO* bio) {
        return PEM_write_bio_PKCS8PrivateKey(bio, &key, password.empty() ? nullptr : EVP_aes_128_cbc(),
                                             password.empty() ? nullptr : password.data(),
                                             static_cast<int>(password.size()), nullptr, nullptr);
    });
}

}  // namespace

struct Authority::Impl {
    Ptr<EVP_PKEY> key = make_key();
    Ptr<X509> certificate;
};

Authority::Authority(const std::string& name) : impl_(std::make_unique<Impl>()) {
    impl_->certificate = make_certificate(*impl_->key, {.common_name = name}, true, nullptr, *impl_->key);
    certificate_ = pem_of(*impl_->certificate);
}
Authority::~Authority() = default;

Identity Authority::issue(const Wanted& wanted) const {
    const auto key = make_key();
    const auto certificate = make_certificate(*key, wanted, false, impl_->certificate.get(), *impl_->key);
    return {pem_of(*certificate), pem_of(*key, wanted.key_password)};
}

std::string Authority::revoke(const std::vector<Identity>& revoked) const {
    const Ptr<X509_CRL> list(X509_CRL_new());
    X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(impl_->certificate.get()));
    ASN1_TIME* const time = ASN1_TIME_adj(nullptr, ::time(nullptr), -1, 0);
    X509_CRL_set1_lastUpdate(list.get(), time);
    ASN1_TIME_adj(time, ::time(nullptr), 5, 0);
    X509_CRL_set1_nextUpdate(list.get(), time);
    ASN1_TIME_adj(time, ::time(nullptr), -1, 0);
    for (const auto& identity : revoked) {
        const Ptr<BIO> bio(BIO_new_mem_buf(identity.certificate.data(), static_cast<int>(identity.certificate.size())));
        const Ptr<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        X509_REVOKED* const entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.get()));
        X509_REVOKED_set_revocationDate(entry, time);
        X509_CRL_add0_revoked(list.get(), entry);
    }
    ASN1_TIME_free(time);
    X509_CRL_sort(list.get());
    need(X509_CRL_sign(list.get(), impl_->key.get(), EVP_sha256()) > 0);
    return pem([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, list.get()); });
}

Identity self_signed(const Wanted& wanted) {
    const auto key = make_key();
    const auto certificate = make_certificate(*key, wanted, false, nullptr, *key);
    return {pem_of(*certificate), pem_of(*key, wanted.key_password)};
}

TemporaryFile::TemporaryFile(const std::string& text) {
    static std::atomic<int> last = 0;
    path_ = (std::filesystem::temp_directory_path() /
             ("aprotic-test-" + std::to_string(::getpid()) + "-" + std::to_string(++last)))
                .string();
    write(text);
}
TemporaryFile::~TemporaryFile() { std::remove(path_.c_str()); }
void TemporaryFile::write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }

}  // namespace aprotic::test
