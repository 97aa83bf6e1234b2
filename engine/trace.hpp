#pragma once

#include <cstddef>
#include <span>

#include <aprotic/engine/security.hpp>

namespace aprotic::engine {

/// Sees what an engine reads and writes. Called on the reactor thread while the engine works: must not call back into
/// it. Frames carry secrets only in sasl-init and sasl-response; those are passed without what the client answers.
class TraceSink {
public:
    virtual ~TraceSink() = default;
    /// One whole frame (or protocol header), inside of TLS and WebSocket. The bytes live only during the call. What
    /// goes out is seen when it is written into the layers below, and may never leave where TLS does not come about.
    virtual void frame(bool outgoing, std::span<const std::byte> bytes) = 0;
    /// The peer's chain of certificates, its own first and ten at most, whether it was trusted or not. They live only
    /// during the call.
    virtual void certificates(std::span<const CertificateSummary>) {}
    /// The TLS handshake is over and was accepted. [5.2]
    virtual void secured(const TlsStatus&) {}
};

}  // namespace aprotic::engine
