#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>

#include <aprotic/codec/encoder.hpp>
#include <aprotic/engine/core/connection_endpoint.hpp>
#include <aprotic/engine/core/rare.hpp>
#include <aprotic/engine/stack/header_exchange.hpp>
#include <aprotic/engine/stack/layer_chain.hpp>
#include <aprotic/engine/stack/sasl_layer.hpp>
#include <aprotic/engine/stack/tls_layer.hpp>
#include <aprotic/engine/stack/web_socket_layer.hpp>

namespace aprotic::engine::stack {

/// The layers of one connection in their order, `[proxy] -> [tls] -> [websocket] -> header -> [sasl] -> [sasl security
/// layer] -> amqp`, over a ConnectionEndpoint. Without any of the first three, bytes are read into and written out of
/// the endpoint's own buffers all the time: while the handshake lasts this class takes headers and SASL frames off the
/// inbox and puts its own into the outbox; afterwards it is out of the way. With them the stream's bytes are the
/// chain's, and what it unwraps goes into the inbox.
///
/// The contract is engine::Engine's. Commands go to connection(), but close() comes here.
class ProtocolStack {
public:
    ProtocolStack(EngineRole role, ConnectionOptions options, Instant now, std::uint64_t seed, bool private_stream);
    ~ProtocolStack();

    std::span<std::byte> prepare_read();
    void commit_read(std::size_t n, Instant now);
    void close_read(std::error_code why, Instant now);
    std::size_t prepare_write(std::span<codec::ConstBuffer> out, Instant now);
    void commit_write(std::size_t n, Instant now);
    bool output_can_wait();
    void close_write(std::error_code why, Instant now);
    bool wants_close() const;
    std::optional<Instant> poll_timeout() const;
    void handle_timeout(Instant now);
    void poll_event(std::optional<Event>& event);
    std::size_t poll_received(LinkId& link, std::span<DeliveryId> into) {
        return authenticated_ ? 0 : endpoint_.poll_received(link, into);
    }

    void close(std::optional<codec::ErrorCondition> error);
    core::ConnectionEndpoint& connection() noexcept { return endpoint_; }
    const core::ConnectionEndpoint& connection() const noexcept { return endpoint_; }
    void set_trace(TraceSink* sink);
    void tell_settled_together() noexcept { endpoint_.tell_settled_together(); }

private:
    /// What the peer's next octets are.
    enum class Stage { header, sasl, amqp };

    HeaderPolicy first_policy(bool encrypted) const;
    void start(Instant now);
    void say_first_header(Instant now);
    void recv_plain(std::size_t n, Instant now);
    /// The first `n` octets of the outbox were taken; what told a secret is overwritten.
    void commit_plain(std::size_t n, Instant now);
    void bound_handshake(std::size_t n, Instant now);
    void advance_handshake(Instant now);
    bool take_first_octets();
    bool take_header(Instant now);
    bool take_sasl_frames(Instant now);
    void send_header(const codec::ProtocolHeader& header);
    void flush_output();
    void abort(Failure failure, Instant now);
    void end_early(Errc code, Initiator initiator, const std::string& what, Instant now);
    void end_input(std::error_code why, Instant now);
    bool waits_for_open() const;
    std::string progress() const;

    // protocol_stack_layers.cpp
    std::unique_ptr<TlsLayer> make_tls();
    std::unique_ptr<WebSocketLayer> make_web_socket();
    /// The layers that a client begins with.
    void make_first_layers();
    /// Octets so far went without it, all that follow are the layer's, those in the inbox already too.
    void start_layer(std::unique_ptr<ByteLayer> layer, Instant now);
    void start_tls(Instant now);
    /// Unwraps what has come; false when there was nothing.
    bool pump_input(Instant now);
    void pump_output(Instant now);
    std::size_t prepare_wrapped(std::span<codec::ConstBuffer> out, Instant now);
    SaslSurroundings surroundings() const;
    void trace_tls();

    /// What is of use until the peer's open has come, and goes then: most of a connection's options, and what SASL
    /// took.
    struct Handshake {
        explicit Handshake(ConnectionOptions its_options) : options(std::move(its_options)) {}
        ~Handshake();

        ConnectionOptions options;
        HeaderPolicy policy;
        std::size_t octets = 0;           // what has come before the first AMQP frame
        codec::Encoder output;            // on its way to the outbox
        std::unique_ptr<SaslLayer> sasl;  // once both SASL headers were exchanged
    };

    /// Only as long as there is a handshake.
    ConnectionOptions& options() const noexcept { return handshake_->options; }

    EngineRole role_;
    std::unique_ptr<Handshake> handshake_;
    std::uint64_t seed_;
    bool private_stream_;
    Instant open_deadline_;
    core::ConnectionEndpoint endpoint_;

    Stage stage_ = Stage::header;
    bool started_ = false;
    bool closing_ = false;
    std::uint64_t secrets_end_ = 0;  // position in the outbox up to which SASL frames may be
    core::Rare<Authenticated> authenticated_;
    std::shared_ptr<TraceSink> own_trace_;  // the options'
    TraceSink* trace_ = nullptr;
    bool tls_traced_ = false;

    LayerChain layers_;
    TlsLayer* tls_ = nullptr;     // of the chain
    bool in_web_socket_ = false;  // the chain has one
    std::size_t clear_left_ = 0;  // octets at the front of the outbox that go before the first layer
    bool write_closed_ = false;
    Duration close_timeout_;
    Instant now_;                        // of the latest call that told the time
    std::optional<Instant> last_write_;  // when what the layers still have to say is given up
};

}  // namespace aprotic::engine::stack
