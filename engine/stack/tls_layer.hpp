#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <aprotic/engine/security.hpp>
#include <aprotic/engine/stack/byte_layer.hpp>
#include <aprotic/engine/tls.hpp>

namespace aprotic::engine::stack {

/// TLS between the stream and what is above it: records go in and out below, what they carry above. [5.2]
class TlsLayer final : public ByteLayer {
public:
    /// `server_name` is what a client expects on the certificate; a server leaves it empty. `carries_http`: a client
    /// says that HTTP follows, not AMQP. [RFC 7301]
    TlsLayer(std::shared_ptr<const TlsContext> context, const std::string& server_name, bool carries_http);
    ~TlsLayer() override;

    void start() override;
    std::span<std::byte> prepare_input() override;
    void commit_input(std::size_t n) override;
    void feed(std::span<const std::byte> octets) override;
    std::span<const std::byte> output() override;
    void commit_output(std::size_t n) override;
    bool has_output() const noexcept override;
    std::size_t read(std::span<std::byte> into) override;
    bool has_input() const noexcept override;
    std::size_t write(std::span<const std::byte> from) override;
    void flush() override;
    void abandon_handshake() noexcept override;
    void end_output() override;
    bool output_ended() const noexcept override;
    Status status() const noexcept override;
    const Failure& failure() const noexcept override;
    std::string progress() const override;

    /// open: what was agreed.
    TlsStatus agreed() const;
    bool has_certificate() const;
    /// The peer's, as far as it has come; its own first.
    std::vector<CertificateSummary> peer_chain() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aprotic::engine::stack
