// A server that takes AMQP, AMQP after SASL, TLS with and without the AMQP TLS header and WebSocket on one stream, and
// tells them apart by what comes first.
#include "drive_engine.hpp"
#include "support/certificates.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using aprotic::engine::TlsContext;
    static const auto context = [] {
        const auto identity = aprotic::test::self_signed({.common_name = "fuzz", .hosts = {"fuzz.test"}});
        aprotic::engine::TlsOptions options;
        options.certificate_pem = identity.certificate;
        options.key_pem = identity.key;
        return *TlsContext::make_server(options);
    }();
    using aprotic::fuzz::Drive;
    Drive(aprotic::engine::EngineRole::server, {data, size}, Drive::Layers::listener, context).run();
    return 0;
}
