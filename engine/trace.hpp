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
    /// One whole frame (or protocol header) as it was on the wire. The bytes live only during the call.
    virtual void frame(bool outgoing, std::span<const std::byte> bytes) = 0;
    /// The peer's chain of certificates, its own first, whether it will be trusted or not.
    virtual void certificates(std::span<const CertificateSummary>) {}
    /// TLS begins.
    virtual void secured(const TlsStatus&) {}
};

}  // namespace aprotic::engine
