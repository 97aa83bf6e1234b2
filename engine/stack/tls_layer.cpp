#include <aprotic/engine/stack/tls_layer.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/engine/stack/header_exchange.hpp>
#include <aprotic/engine/stack/tls_context.hpp>
#include <aprotic/engine/stack/tls_failure.hpp>
#include <aprotic/engine/stack/wipe.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace aprotic::engine::stack {
namespace {

constexpr std::size_t record_max = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr std::size_t secret_max = 1024;

}  // namespace

struct TlsLayer::Impl : ConnectionOwner {
    Impl(std::shared_ptr<const TlsContext> its_settings, const std::string& name, bool http)
        : ConnectionOwner{its_settings->impl(), name},
          settings(std::move(its_settings)),
          carries_http(http),
          connection(context.make_connection()) {}

    bool is_client() const { return context.role == EngineRole::client; }
    const TlsOptions& options() const { return context.options; }

    void set_up();
    void name_server();
    bool shake_hands();
    /// What an operation of OpenSSL that gave no result means.
    void judge(int result);
    void fail(Errc code, std::string text);
    void encrypt(std::span<const std::byte> octets);
    void note_first(std::span<const std::byte> octets);

    static const BIO_METHOD* bio_method();
    static int bio_write(BIO* bio, const char* from, int size);
    static int bio_read(BIO* bio, char* into, int size);
    static long bio_control(BIO* bio, int command, long, void*);
    static int on_verified(int fine, X509_STORE_CTX* store);

    static Impl& of(const SSL* ssl) {
        return static_cast<Impl&>(*static_cast<ConnectionOwner*>(SSL_get_app_data(ssl)));
    }

    const std::shared_ptr<const TlsContext> settings;
    const bool carries_http;
    Status status = Status::handshaking;
    Failure failure;
    bool output_ended = false;
    std::array<std::byte, codec::ProtocolHeader::size> first_octets{};  // for whoever does not speak TLS at all
    std::size_t first_size = 0;
    CertificateFault certificate_fault;

    LayerInput input;
    LayerOutput output;
    std::vector<std::byte> record;  // gathered, to be encrypted as one

    OpenSslPtr<SSL> connection;  // last: gone before what its callbacks use
};

// --- OpenSSL's end ---------------------------------------------------------------------------------------------------

const BIO_METHOD* TlsLayer::Impl::bio_method() {
    static const OpenSslPtr<BIO_METHOD> method = [] {
        OpenSslPtr<BIO_METHOD> made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "aprotic"));
        BIO_meth_set_write(made.get(), &bio_write);
        BIO_meth_set_read(made.get(), &bio_read);
        BIO_meth_set_ctrl(made.get(), &bio_control);
        return made;
    }();
    return method.get();
}

int TlsLayer::Impl::bio_write(BIO* bio, const char* from, int size) {
    auto& self = *static_cast<Impl*>(BIO_get_data(bio));
    self.output.append(codec::as_bytes(std::string_view(from, static_cast<std::size_t>(size))));
    return size;
}

int TlsLayer::Impl::bio_read(BIO* bio, char* into, int size) {
    auto& self = *static_cast<Impl*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const std::size_t n = std::min(static_cast<std::size_t>(size), self.input.unread().size());
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    codec::copy_bytes(std::as_writable_bytes(std::span(into, n)), self.input.unread().first(n));
    self.input.consume(n);
    return static_cast<int>(n);
}

long TlsLayer::Impl::bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

/// Keeps the first thing that is wrong with the peer's chain, in which OpenSSL goes from the CA to the peer.
int TlsLayer::Impl::on_verified(int fine, X509_STORE_CTX* store) {
    const auto* const ssl =
        static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    Impl& self = of(ssl);
    const bool matters = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
    if (fine != 1 && matters && self.certificate_fault.code == X509_V_OK)
        self.certificate_fault = certificate_fault_of(*store);
    return fine;
}

// --- the handshake -------------------------------------------------------------------------------------------------

void TlsLayer::Impl::set_up() {
    BIO* const bio = connection ? BIO_new(bio_method()) : nullptr;
    if (bio == nullptr) return fail(Errc::tls_failed, "OpenSSL is not usable: " + take_openssl_error());
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(connection.get(), bio, bio);
    SSL_set_app_data(connection.get(), static_cast<ConnectionOwner*>(this));
    SSL_set_verify(connection.get(), SSL_get_verify_mode(connection.get()), &on_verified);
    if (is_client()) {
        SSL_set_connect_state(connection.get());
        if (carries_http) {
            static constexpr std::array<unsigned char, 9> http = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
            SSL_set_alpn_protos(connection.get(), http.data(), http.size());
        }
        name_server();
    } else {
        SSL_set_accept_state(connection.get());
    }
}

/// [5.2-c] SNI, and the name that the certificate must have. A literal address has no SNI. [RFC 6066]
void TlsLayer::Impl::name_server() {
    const bool verify_name = !options().insecure_skip_verification && !options().insecure_skip_host_name;
    if (server_name.empty()) {
        if (verify_name) {
            fail(Errc::certificate_refused,
                 "there is no host name to verify the server's certificate with: set tls.server_name");
        }
        return;
    }
    X509_VERIFY_PARAM* const expected = SSL_get0_param(connection.get());
    const bool is_literal = X509_VERIFY_PARAM_set1_ip_asc(expected, server_name.c_str()) == 1;
    if (is_literal && !verify_name) X509_VERIFY_PARAM_set1_ip(expected, nullptr, 0);
    if (!is_literal) {
        ERR_clear_error();
        SSL_set_tlsext_host_name(connection.get(), server_name.c_str());
        if (verify_name) SSL_set1_host(connection.get(), server_name.c_str());
    }
    if (options().resume_sessions) context.resume_session(*connection, server_name);
}

bool TlsLayer::Impl::shake_hands() {
    if (status != Status::handshaking) return status == Status::open;
    ERR_clear_error();
    const int result = SSL_do_handshake(connection.get());
    if (result != 1) {
        judge(result);
        return false;
    }
    status = Status::open;
    input.rest();
    return true;
}

void TlsLayer::Impl::judge(int result) {
    switch (SSL_get_error(connection.get(), result)) {
        case SSL_ERROR_WANT_READ: return;
        case SSL_ERROR_ZERO_RETURN: status = Status::ended; return;
        default: break;
    }
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (certificate_fault.code != X509_V_OK) {
        return fail(Errc::certificate_refused, certificate_text(certificate_fault, is_client(), server_name));
    }
    const std::span first(first_octets.data(), first_size);
    if (status == Status::handshaking && !is_tls_record(first)) {
        return fail(Errc::tls_failed,
                    is_client() ? fmt::format("the server does not speak TLS on this port, it says {}: use amqp://, or "
                                              "the port for TLS (5671 by custom)",
                                              name_first_octets(first))
                                : std::string("the peer began like TLS and went on with something else"));
    }
    fail(Errc::tls_failed, tls_failure_text(code, is_client(), status == Status::handshaking));
}

void TlsLayer::Impl::fail(Errc code, std::string text) {
    status = Status::failed;
    failure.code = code;
    failure.initiator = Initiator::us;
    failure.text = std::move(text);
    record.clear();
}

void TlsLayer::Impl::encrypt(std::span<const std::byte> octets) {
    ERR_clear_error();
    std::size_t written = 0;
    // The BIO takes everything, so OpenSSL never wants to be asked again.
    const int result = SSL_write_ex(connection.get(), octets.data(), octets.size(), &written);
    if (result != 1) judge(result);
}

/// For whoever turns out not to speak TLS at all.
void TlsLayer::Impl::note_first(std::span<const std::byte> octets) {
    const std::size_t kept = std::min(octets.size(), first_octets.size() - first_size);
    codec::copy_bytes(std::span(first_octets).subspan(first_size, kept), octets.first(kept));
    first_size += kept;
}

// --- the layer -----------------------------------------------------------------------------------------------------

TlsLayer::TlsLayer(std::shared_ptr<const TlsContext> context, const std::string& server_name, bool carries_http)
    : impl_(std::make_unique<Impl>(std::move(context), server_name, carries_http)) {
    impl_->set_up();
}
TlsLayer::~TlsLayer() {
    // A stream that just ends is no reason to forget the session; OpenSSL thinks it is.
    if (impl_->status != Status::failed && impl_->connection)
        SSL_set_shutdown(impl_->connection.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void TlsLayer::start() { impl_->shake_hands(); }

std::span<std::byte> TlsLayer::prepare_input() {
    Impl& self = *impl_;
    // A peer who asks for new keys again and again must take our answers first.
    if (!self.input.empty() || self.output.size() >= 2 * layer_output_max) return {};
    return self.input.prepare();
}

void TlsLayer::commit_input(std::size_t n) {
    Impl& self = *impl_;
    self.input.commit(n);
    self.note_first(self.input.unread().last(n));
}

void TlsLayer::feed(std::span<const std::byte> octets) {
    impl_->input.feed(octets);
    impl_->note_first(octets);
}

std::span<const std::byte> TlsLayer::output() { return impl_->output.front(); }
void TlsLayer::commit_output(std::size_t n) { impl_->output.commit(n); }
bool TlsLayer::has_output() const noexcept { return impl_->output.size() > 0; }

std::size_t TlsLayer::read(std::span<std::byte> into) {
    Impl& self = *impl_;
    if (self.status == Status::failed || self.status == Status::ended) self.input.clear();
    if (!self.shake_hands() || into.empty()) return 0;
    ERR_clear_error();
    std::size_t n = 0;
    const int result = SSL_read_ex(self.connection.get(), into.data(), into.size(), &n);
    if (result == 1) return n;
    self.judge(result);
    return 0;
}

bool TlsLayer::has_input() const noexcept {
    return impl_->status == Status::open && (!impl_->input.empty() || SSL_pending(impl_->connection.get()) > 0);
}

std::size_t TlsLayer::write(std::span<const std::byte> from) {
    Impl& self = *impl_;
    if (self.status == Status::failed || self.output_ended) return from.size();
    if (self.status == Status::handshaking) return 0;
    std::size_t taken = 0;
    while (taken < from.size() && self.output.size() < layer_output_max && self.status != Status::failed) {
        const auto rest = from.subspan(taken);
        if (self.record.empty() && rest.size() >= record_max) {
            self.encrypt(rest.first(record_max));
            taken += record_max;
            continue;
        }
        const std::size_t n = std::min(rest.size(), record_max - self.record.size());
        self.record.insert(self.record.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(n));
        taken += n;
        if (self.record.size() == record_max) flush();
    }
    return taken;
}

void TlsLayer::flush() {
    Impl& self = *impl_;
    if (self.record.empty()) return;
    self.encrypt(self.record);
    // Passwords are in small ones.
    if (self.record.size() <= secret_max) wipe(self.record);
    self.record.clear();
}

void TlsLayer::abandon_handshake() noexcept {
    if (impl_->status == Status::handshaking) impl_->status = Status::failed;
}

void TlsLayer::end_output() {
    Impl& self = *impl_;
    if (std::exchange(self.output_ended, true)) return;
    if (self.status == Status::handshaking || self.status == Status::failed) return;
    ERR_clear_error();
    // [5.2-e] Only our half: the peer's word is not waited for.
    SSL_shutdown(self.connection.get());
    ERR_clear_error();
}

bool TlsLayer::output_ended() const noexcept { return impl_->output_ended; }
ByteLayer::Status TlsLayer::status() const noexcept { return impl_->status; }
const Failure& TlsLayer::failure() const noexcept { return impl_->failure; }

TlsStatus TlsLayer::agreed() const {
    const SSL* const ssl = impl_->connection.get();
    TlsStatus agreed;
    agreed.version = SSL_get_version(ssl);
    agreed.cipher = SSL_get_cipher_name(ssl);
    const unsigned char* protocol = nullptr;
    unsigned protocol_size = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &protocol_size);
    for (unsigned i = 0; i < protocol_size; ++i) agreed.protocol += static_cast<char>(protocol[i]);
    agreed.resumed = SSL_session_reused(ssl) == 1;
    if (const X509* const certificate = SSL_get0_peer_certificate(ssl)) {
        agreed.verified = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 && SSL_get_verify_result(ssl) == X509_V_OK;
        agreed.subject = subject_of(*certificate);
        agreed.common_name = common_name_of(*certificate);
    }
    return agreed;
}

std::vector<CertificateSummary> TlsLayer::peer_chain() const {
    if (impl_->certificate_fault.code != X509_V_OK) return impl_->certificate_fault.chain;
    const SSL* const ssl = impl_->connection.get();
    auto chain = summaries_of(SSL_get_peer_cert_chain(ssl));
    // A server's list begins above the client's own.
    const X509* const own = impl_->is_client() ? nullptr : SSL_get0_peer_certificate(ssl);
    if (own != nullptr) chain.insert(chain.begin(), summary_of(*own));
    return chain;
}

bool TlsLayer::has_certificate() const { return SSL_get_certificate(impl_->connection.get()) != nullptr; }

std::string TlsLayer::progress() const {
    if (impl_->status != Status::handshaking) return "after the TLS handshake";
    if (impl_->first_size > 0) return "in the middle of the TLS handshake";
    return impl_->is_client() ? "before it answered our TLS hello: it may not speak TLS on this port (5671 by custom)"
                              : "before its TLS hello was complete";
}

}  // namespace aprotic::engine::stack
