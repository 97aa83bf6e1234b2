#include <aprotic/engine/stack/protocol_stack.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/core.h>

#include <aprotic/engine/stack/sasl_wrap_layer.hpp>
#include <aprotic/engine/stack/secrets.hpp>
#include <aprotic/engine/stack/wipe.hpp>

namespace aprotic::engine::stack {

ProtocolStack::ProtocolStack(EngineRole role, ConnectionOptions options, Instant now, std::uint64_t seed,
                             bool private_stream)
    : role_(role),
      handshake_(std::make_unique<Handshake>(std::move(options))),
      seed_(seed),
      private_stream_(private_stream && handshake_->options.proxy.host.empty()),
      open_deadline_(now + handshake_->options.connect_timeout),
      endpoint_(role, handshake_->options, now, seed),
      own_trace_(handshake_->options.trace),
      close_timeout_(handshake_->options.close_timeout),
      now_(now) {
    if (role_ == EngineRole::client) make_first_layers();
    handshake_->policy = first_policy(tls_ != nullptr);
    if (own_trace_) set_trace(own_trace_.get());
}

ProtocolStack::~ProtocolStack() = default;

ProtocolStack::Handshake::~Handshake() { wipe_secrets(options); }

/// Which headers are agreed to at first, and again on a stream that TLS has made.
HeaderPolicy ProtocolStack::first_policy(bool encrypted) const {
    const bool tls_first = options().tls.context && !encrypted;
    HeaderPolicy policy;
    policy.role = role_;
    policy.encrypted = encrypted;
    policy.tls = tls_first;
    if (role_ == EngineRole::server) {
        policy.web_socket_first = options().web_socket.enabled && options().web_socket.required && !in_web_socket_;
        const bool clear = !tls_first || !options().tls.required;
        policy.amqp = clear && !options().sasl_server.required;
        policy.sasl = clear && options().sasl_server.offer;
    } else {
        const SaslClientOptions& sasl = options().sasl;
        const bool uses_sasl = sasl.enabled || !sasl.username.empty() || sasl.token || !sasl.own_mechanisms.empty();
        policy.amqp = !tls_first && !uses_sasl;
        policy.sasl = !tls_first && uses_sasl;
    }
    return policy;
}

// --- the stream's side ---------------------------------------------------------------------------------------------

std::span<std::byte> ProtocolStack::prepare_read() {
    const std::span<std::byte> room = endpoint_.prepare_read();
    return layers_.empty() || room.empty() ? room : layers_.prepare_input();
}

void ProtocolStack::commit_read(std::size_t n, Instant now) {
    start(now);
    now_ = now;
    const bool in_handshake = stage_ != Stage::amqp;
    if (!layers_.empty()) {
        layers_.commit_input(n);
        pump_input(now);
    } else {
        recv_plain(n, now);
    }
    if (in_handshake) bound_handshake(n, now);
    if (handshake_ && endpoint_.remote_open() != nullptr) handshake_.reset();
}

void ProtocolStack::bound_handshake(std::size_t n, Instant now) {
    handshake_->octets += n;
    if (stage_ == Stage::amqp || endpoint_.ended()) return;
    const std::size_t max = options().limits.handshake_bytes_max;
    if (handshake_->octets <= max) return;
    end_early(Errc::protocol_violation, Initiator::us,
              fmt::format("the peer sent more than limits.handshake_bytes_max ({})", max), now);
}

void ProtocolStack::recv_plain(std::size_t n, Instant now) {
    endpoint_.commit_read(n, now);
    if (stage_ == Stage::amqp) {
        endpoint_.recv_input(now);
    } else {
        advance_handshake(now);
    }
}

void ProtocolStack::close_read(std::error_code why, Instant now) { end_input(why, now); }

void ProtocolStack::end_input(std::error_code why, Instant now) {
    now_ = now;
    if (waits_for_open()) {
        const auto unread = endpoint_.inbox().unread();
        if (stage_ == Stage::header && !unread.empty()) {
            // For example the alert of a TLS server: shorter than a header.
            abort({Errc::header_mismatch, Initiator::us, {}, judge_header(handshake_->policy, unread, true).text}, now);
        } else {
            end_early(Errc::connection_lost, Initiator::transport,
                      why ? fmt::format("the connection broke ({})", why.message()) : "the peer ended the connection",
                      now);
        }
    }
    endpoint_.close_read(why, now);
}

std::size_t ProtocolStack::prepare_write(std::span<codec::ConstBuffer> out, Instant now) {
    start(now);
    now_ = now;
    return layers_.empty() ? endpoint_.prepare_write(out, now) : prepare_wrapped(out, now);
}

bool ProtocolStack::output_can_wait() {
    return stage_ == Stage::amqp && endpoint_.output_can_wait() && (layers_.empty() || !layers_.has_output());
}

void ProtocolStack::commit_write(std::size_t n, Instant now) {
    now_ = now;
    if (layers_.empty()) return commit_plain(n, now);
    const std::size_t clear = std::min(n, clear_left_);
    if (clear > 0) commit_plain(clear, now);
    clear_left_ -= clear;
    layers_.commit_output(n - clear);
}

void ProtocolStack::commit_plain(std::size_t n, Instant now) {
    core::Outbox& outbox = endpoint_.outbox();
    if (outbox.committed() < secrets_end_) {
        std::array<codec::ConstBuffer, 16> front;
        std::size_t left = std::min<std::size_t>(n, secrets_end_ - outbox.committed());
        for (const auto& each : std::span(front).first(outbox.gather(front))) {
            const std::size_t size = std::min(left, each.size);
            wipe({each.data, size});
            left -= size;
        }
    }
    endpoint_.commit_write(n, now);
}

void ProtocolStack::close_write(std::error_code why, Instant now) {
    now_ = now;
    write_closed_ = true;
    if (waits_for_open()) {
        end_early(Errc::connection_lost, Initiator::transport, fmt::format("the connection broke ({})", why.message()),
                  now);
    }
    endpoint_.close_write(why, now);
}

bool ProtocolStack::wants_close() const {
    if (!endpoint_.wants_close()) return false;
    return layers_.empty() || write_closed_ || (layers_.output_ended() && !layers_.has_output());
}

std::optional<Instant> ProtocolStack::poll_timeout() const {
    if (wants_close()) return std::nullopt;
    return last_write_ ? last_write_ : endpoint_.poll_timeout();
}

void ProtocolStack::handle_timeout(Instant now) {
    now_ = now;
    if (last_write_ && now >= *last_write_) write_closed_ = true;
    if (now >= open_deadline_ && waits_for_open()) {
        const std::chrono::duration<double> limit = options().connect_timeout;
        end_early(Errc::connect_timed_out, Initiator::us,
                  fmt::format("connect_timeout ({:.3g} s) passed", limit.count()), now);
    }
    endpoint_.handle_timeout(now);
}

void ProtocolStack::poll_event(std::optional<Event>& event) {
    while (true) {
        if (authenticated_) {
            event.emplace(std::move(*authenticated_));
            authenticated_.reset();
            return;
        }
        endpoint_.poll_event(event);
        // What was unwrapped no further because the application had too much to do.
        if (event || layers_.empty() || !layers_.has_input() || !pump_input(now_)) return;
    }
}

void ProtocolStack::close(std::optional<codec::ErrorCondition> error) {
    closing_ = true;
    endpoint_.close(std::move(error));
}

void ProtocolStack::set_trace(TraceSink* sink) {
    trace_ = sink;
    if (handshake_ && handshake_->sasl) handshake_->sasl->set_trace(sink);
    endpoint_.set_trace(sink);
}

// --- the handshake -------------------------------------------------------------------------------------------------

void ProtocolStack::start(Instant now) {
    if (started_) return;
    started_ = true;
    if (role_ == EngineRole::server) return;
    layers_.start();
    say_first_header(now);
}

/// [2.2-b] The client speaks at once. Behind an AMQP header it need not wait for the answer either. [2.4.2]
void ProtocolStack::say_first_header(Instant now) {
    send_header(handshake_->policy.tls    ? codec::ProtocolId::tls
                : handshake_->policy.sasl ? codec::ProtocolId::sasl
                                          : codec::ProtocolId::amqp);
    flush_output();
    if (handshake_->policy.amqp) endpoint_.start_output(now);
}

void ProtocolStack::advance_handshake(Instant now) {
    while (!endpoint_.ended()) {
        if (take_first_octets()) return;
        const bool moved = stage_ == Stage::header ? take_header(now) : take_sasl_frames(now);
        flush_output();
        if (!moved) return;
        if (stage_ == Stage::amqp) {
            // A server says its header now, a client has said it before.
            if (role_ == EngineRole::server) endpoint_.start_output(now);
            endpoint_.recv_input(now);
            return;
        }
    }
}

/// [5.2-f] A server knows by the first octet that TLS begins without a header, and WebSocket too.
bool ProtocolStack::take_first_octets() {
    const auto unread = endpoint_.inbox().unread();
    if (role_ != EngineRole::server || stage_ != Stage::header || handshake_->sasl) return false;
    if (handshake_->policy.tls && is_tls_record(unread)) {
        start_tls(now_);
    } else if (options().web_socket.enabled && !in_web_socket_ && is_http_request(unread)) {
        start_layer(make_web_socket(), now_);
        handshake_->policy.web_socket_first = false;
    } else {
        return false;
    }
    pump_input(now_);
    return true;
}

bool ProtocolStack::take_header(Instant now) {
    HeaderStep step = judge_header(handshake_->policy, endpoint_.inbox().unread());
    if (step.status == HeaderStep::Status::need_more) return false;
    if (trace_ != nullptr) trace_->frame(false, endpoint_.inbox().unread().first(codec::ProtocolHeader::size));
    endpoint_.inbox().consume(codec::ProtocolHeader::size);
    // [2.2-d, -e, -g, -h] The server answers with what it agreed to, or with what it would have agreed to before it
    // closes. There is none for whoever should have come by WebSocket.
    if (role_ == EngineRole::server && !handshake_->policy.web_socket_first) send_header(step.header);
    if (step.status == HeaderStep::Status::refused) {
        flush_output();
        abort({Errc::header_mismatch, Initiator::us, {}, std::move(step.text)}, now);
        return false;
    }
    if (step.header.is(codec::ProtocolId::tls)) {
        flush_output();
        start_tls(now);
        if (role_ == EngineRole::client) {
            tls_->start();
            say_first_header(now);  // [5.2-d]
        }
        pump_input(now);
        return false;
    }
    if (step.header.is(codec::ProtocolId::amqp)) {
        if (!handshake_->sasl) authenticated_ = Authenticated{{.tls = surroundings().tls}};
        stage_ = Stage::amqp;
        return true;
    }
    if (role_ == EngineRole::client) {
        // As large as a frame gets: growing would leave half of a secret behind.
        handshake_->output = codec::Encoder(options().sasl.cyrus.frame_size_max);
        handshake_->sasl =
            std::make_unique<SaslClient>(options().sasl, options().hostname, surroundings(), handshake_->output);
    } else {
        handshake_->sasl = std::make_unique<SaslServer>(options().sasl_server, surroundings(), handshake_->output);
    }
    handshake_->sasl->set_trace(trace_);
    handshake_->sasl->start();
    stage_ = Stage::sasl;
    return true;
}

bool ProtocolStack::take_sasl_frames(Instant now) {
    const auto unread = endpoint_.inbox().unread();
    const std::size_t taken = handshake_->sasl->feed(unread);
    wipe(unread.first(taken));
    endpoint_.inbox().consume(taken);
    if (handshake_->sasl->status() != SaslLayer::Status::going_on) wipe(options().sasl.password);
    switch (handshake_->sasl->status()) {
        case SaslLayer::Status::going_on: return false;
        case SaslLayer::Status::failed:
            flush_output();
            abort(handshake_->sasl->failure(), now);
            return false;
        case SaslLayer::Status::succeeded: break;
    }
    authenticated_ = Authenticated{handshake_->sasl->identity()};
    // [5.3.3-e] New headers follow, and now only AMQP's will do.
    handshake_->policy.amqp = true;
    handshake_->policy.sasl = handshake_->policy.tls = false;
    stage_ = Stage::header;
    flush_output();
    auto security_layer = handshake_->sasl->take_security_layer();
    const bool wraps = security_layer != nullptr;
    if (wraps) start_layer(std::make_unique<SaslWrapLayer>(std::move(security_layer)), now);
    if (role_ == EngineRole::client) {
        send_header(codec::ProtocolId::amqp);
        flush_output();
        endpoint_.start_output(now);
    }
    if (wraps) pump_input(now);
    return !wraps;
}

void ProtocolStack::send_header(const codec::ProtocolHeader& header) {
    const auto octets = header.serialise();
    handshake_->output.append_raw(octets);
    if (trace_ != nullptr) trace_->frame(true, octets);
}

void ProtocolStack::flush_output() {
    endpoint_.outbox().append(handshake_->output.written());
    if (stage_ == Stage::sasl) secrets_end_ = endpoint_.outbox().end_position();
    wipe(handshake_->output.written());
    handshake_->output.truncate(0);
}

// --- ends ----------------------------------------------------------------------------------------------------------

void ProtocolStack::abort(Failure failure, Instant now) {
    layers_.abandon_handshake();
    endpoint_.abort(std::move(failure), now);
}

void ProtocolStack::end_early(Errc code, Initiator initiator, const std::string& what, Instant now) {
    abort({code, initiator, {}, fmt::format("{} {}", what, progress())}, now);
}

bool ProtocolStack::waits_for_open() const {
    return !closing_ && !endpoint_.ended() && !endpoint_.has_failed() && endpoint_.remote_open() == nullptr;
}

/// Continues "the peer ended the connection …" with where in the handshake that was and what the cause may be. Many
/// servers drop the stream without a word for what the user could change.
std::string ProtocolStack::progress() const {
    if (!layers_.empty() && layers_.status() == ByteLayer::Status::handshaking) return layers_.progress();
    if (stage_ == Stage::sasl) return handshake_->sasl->progress();
    if (role_ == EngineRole::server) {
        return stage_ == Stage::header ? "before the client's protocol header came" : "before the client's open came";
    }
    if (stage_ == Stage::header && !handshake_->sasl && (handshake_->policy.tls || handshake_->policy.encrypted)) {
        return handshake_->policy.tls
                   ? "before the server answered our TLS header: it may only do TLS without it (tls.by_header)"
                   : "before the server answered our protocol header: it may have refused our certificate, or "
                     "not be an AMQP 1.0 server";
    }
    if (stage_ == Stage::header && !handshake_->sasl) {
        return handshake_->policy.sasl
                   ? "before the server answered our SASL header: it may expect TLS, or not be an AMQP 1.0 server"
                   : "before the server answered our protocol header: it may insist on SASL (sasl.username or "
                     "sasl.enabled), expect TLS, or not be an AMQP 1.0 server";
    }
    std::string causes =
        options().hostname ? fmt::format("the virtual host '{}'", *options().hostname) : "the missing virtual host";
    causes += handshake_->sasl ? fmt::format(", the rights of {}", options().sasl.username.empty()
                                                                       ? "anonymous users"
                                                                       : "user '" + options().sasl.username + "'")
                               : std::string(", missing credentials (sasl.username)");
    causes += fmt::format(", limits.frame_size_max {}", options().limits.frame_size_max);
    if (options().idle_timeout) {
        causes += fmt::format(", idle_timeout {:g} s", std::chrono::duration<double>(*options().idle_timeout).count());
    }
    return fmt::format("before the server answered our open; likely causes: {}", causes);
}

}  // namespace aprotic::engine::stack
