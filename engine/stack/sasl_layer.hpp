#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <aprotic/codec/encoder.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/security.hpp>
#include <aprotic/engine/stack/sasl_mechanism.hpp>
#include <aprotic/engine/trace.hpp>

namespace aprotic::engine::stack {

/// The exchange of SASL frames between the SASL header and the next one. [5.3] Takes whole frames off the front of the
/// input and appends its own to the output. What a peer can make it do is bounded: frames are at most 512 octets unless
/// the options say otherwise, and nothing of them is kept.
class SaslLayer {
public:
    enum class Status { going_on, succeeded, failed };

    virtual ~SaslLayer() = default;

    /// Right after the headers.
    virtual void start() {}
    /// Returns how many octets were consumed: whole frames up to the one that ended the exchange.
    std::size_t feed(std::span<const std::byte> input);

    Status status() const noexcept { return status_; }
    /// succeeded: who the peer (server role) or we (client role) proved to be.
    const PeerIdentity& identity() const noexcept { return identity_; }
    /// succeeded, once: what everything behind it goes through; null for nothing.
    std::unique_ptr<SaslSecurityLayer> take_security_layer() noexcept { return std::move(security_layer_); }
    /// failed: why. What is still in the output, such as a server's outcome, goes out first.
    const Failure& failure() const noexcept { return failure_; }
    /// For a stream that ends in the middle: how far it had come.
    virtual std::string progress() const = 0;

    void set_trace(TraceSink* sink) noexcept { trace_ = sink; }

protected:
    SaslLayer(codec::Encoder& output, const SaslCyrusOptions& cyrus) : output_(output), cyrus_(cyrus) {}

    virtual void recv(const codec::FrameView& frame) = 0;

    /// False when the frame would be larger than a SASL frame may be. [5.3-f]
    template <class T>
    bool send(const T& body);
    /// `layer` is what was agreed on; null for nothing. Fails when the options want more.
    void succeed(PeerIdentity identity, std::unique_ptr<SaslSecurityLayer> layer);
    void fail(Errc code, Initiator initiator, std::string text);
    /// The frame is not one that may come now, or does not decode.
    void fail_unexpected(const codec::FrameView& frame);
    void fail_malformed(std::error_code why);

private:
    codec::Encoder& output_;
    const SaslCyrusOptions& cyrus_;
    std::unique_ptr<SaslSecurityLayer> security_layer_;
    TraceSink* trace_ = nullptr;
    Status status_ = Status::going_on;
    PeerIdentity identity_;
    Failure failure_;
};

/// Waits for the server's mechanisms, picks the strongest that both sides may use, and proves who we are.
class SaslClient final : public SaslLayer {
public:
    /// `options` and `output` must outlive it.
    SaslClient(const SaslClientOptions& options, std::optional<std::string> hostname, SaslSurroundings around,
               codec::Encoder& output);

    std::string progress() const override;

private:
    void recv(const codec::FrameView& frame) override;
    void recv_mechanisms(const codec::SaslMechanisms& offered);
    void recv_challenge(const codec::SaslChallenge& challenge);
    void recv_outcome(const codec::SaslOutcome& outcome);
    void send_oversized();
    std::string who() const;
    std::string advice(codec::SaslCode code) const;

    const SaslClientOptions& options_;
    std::optional<std::string> hostname_;
    SaslSurroundings around_;
    std::vector<SaslMechanism> usable_;
    const SaslMechanism* chosen_ = nullptr;
    std::unique_ptr<SaslClientExchange> exchange_;
};

/// Offers what the options allow and lets in who proves to be somebody.
class SaslServer final : public SaslLayer {
public:
    /// `options` and `output` must outlive it.
    SaslServer(const SaslServerOptions& options, SaslSurroundings around, codec::Encoder& output);

    void start() override;
    std::string progress() const override;

private:
    void recv(const codec::FrameView& frame) override;
    void recv_init(const codec::SaslInit& init);
    void step(std::optional<std::string_view> response);
    void deny(Errc code, std::string text);

    SaslSurroundings around_;
    std::vector<SaslMechanism> offered_;
    const SaslMechanism* chosen_ = nullptr;
    std::unique_ptr<SaslServerExchange> exchange_;
};

}  // namespace aprotic::engine::stack
