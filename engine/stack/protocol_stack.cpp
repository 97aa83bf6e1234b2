#include <aprotic/engine/stack/protocol_stack.hpp>

#include <chrono>
#include <utility>

#include <fmt/core.h>

namespace aprotic::engine::stack {
namespace {

HeaderPolicy first_policy(EngineRole role, const ConnectionOptions& options) {
    if (role == EngineRole::server) {
        return {role, !options.sasl_server.required, options.sasl_server.offer};
    }
    const bool sasl = options.sasl.enabled || !options.sasl.username.empty();
    return {role, !sasl, sasl};
}

}  // namespace

ProtocolStack::ProtocolStack(EngineRole role, ConnectionOptions options, Instant now, std::uint64_t seed,
                             bool private_stream)
    : role_(role),
      options_(std::move(options)),
      private_stream_(private_stream),
      open_deadline_(now + options_.connect_timeout),
      endpoint_(role, options_, now, seed),
      policy_(first_policy(role, options_)) {}

// --- the stream's side ---------------------------------------------------------------------------------------------

std::span<std::byte> ProtocolStack::prepare_read() { return endpoint_.prepare_read(); }

void ProtocolStack::commit_read(std::size_t n, Instant now) {
    start(now);
    endpoint_.commit_read(n, now);
    if (stage_ == Stage::amqp) {
        endpoint_.recv_input(now);
    } else {
        advance_handshake(now);
    }
}

void ProtocolStack::close_read(std::error_code why, Instant now) {
    if (waits_for_open()) {
        const auto unread = endpoint_.inbox().unread();
        if (stage_ == Stage::header && !unread.empty()) {
            // For example the alert of a TLS server: shorter than a header.
            abort({Errc::header_mismatch, Initiator::us, {}, judge_header(policy_, unread, true).text}, now);
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
    return endpoint_.prepare_write(out, now);
}

void ProtocolStack::close_write(std::error_code why, Instant now) {
    if (waits_for_open()) {
        end_early(Errc::connection_lost, Initiator::transport, fmt::format("the connection broke ({})", why.message()),
                  now);
    }
    endpoint_.close_write(why, now);
}

void ProtocolStack::handle_timeout(Instant now) {
    if (now >= open_deadline_ && waits_for_open()) {
        const std::chrono::duration<double> limit = options_.connect_timeout;
        end_early(Errc::connect_timed_out, Initiator::us, fmt::format("connect_timeout ({:g} s) passed", limit.count()),
                  now);
    }
    endpoint_.handle_timeout(now);
}

std::optional<Event> ProtocolStack::poll_event() {
    if (authenticated_) return Event(*std::exchange(authenticated_, std::nullopt));
    return endpoint_.poll_event();
}

void ProtocolStack::close(std::optional<codec::ErrorCondition> error) {
    closing_ = true;
    endpoint_.close(std::move(error));
}

void ProtocolStack::set_trace(TraceSink* sink) {
    trace_ = sink;
    if (sasl_) sasl_->set_trace(sink);
    endpoint_.set_trace(sink);
}

// --- the handshake -------------------------------------------------------------------------------------------------

void ProtocolStack::start(Instant now) {
    if (started_) return;
    started_ = true;
    if (role_ == EngineRole::server) return;
    // [2.2-b] The client speaks at once. Behind an AMQP header it need not wait for the answer either. [2.4.2]
    send_header(policy_.sasl ? codec::ProtocolId::sasl : codec::ProtocolId::amqp);
    flush_output();
    if (policy_.amqp) endpoint_.start_output(now);
}

void ProtocolStack::advance_handshake(Instant now) {
    while (!endpoint_.ended()) {
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

bool ProtocolStack::take_header(Instant now) {
    HeaderStep step = judge_header(policy_, endpoint_.inbox().unread());
    if (step.status == HeaderStep::Status::need_more) return false;
    if (trace_ != nullptr) trace_->frame(false, endpoint_.inbox().unread().first(codec::ProtocolHeader::size));
    endpoint_.inbox().consume(codec::ProtocolHeader::size);
    // [2.2-d, -e, -g, -h] The server answers with what it agreed to, or with what it would have agreed to before it
    // closes.
    if (role_ == EngineRole::server) send_header(step.header);
    if (step.status == HeaderStep::Status::refused) {
        flush_output();
        abort({Errc::header_mismatch, Initiator::us, {}, std::move(step.text)}, now);
        return false;
    }
    if (step.header.is(codec::ProtocolId::amqp)) {
        if (!sasl_) authenticated_.emplace();
        stage_ = Stage::amqp;
        return true;
    }
    if (role_ == EngineRole::client) {
        sasl_ = std::make_unique<SaslClient>(options_.sasl, options_.hostname, private_stream_, output_);
    } else {
        sasl_ = std::make_unique<SaslServer>(options_.sasl_server, output_);
    }
    sasl_->set_trace(trace_);
    sasl_->start();
    stage_ = Stage::sasl;
    return true;
}

bool ProtocolStack::take_sasl_frames(Instant now) {
    endpoint_.inbox().consume(sasl_->feed(endpoint_.inbox().unread()));
    switch (sasl_->status()) {
        case SaslLayer::Status::going_on: return false;
        case SaslLayer::Status::failed:
            flush_output();
            abort(sasl_->failure(), now);
            return false;
        case SaslLayer::Status::succeeded: break;
    }
    authenticated_ = Authenticated{sasl_->identity()};
    // [5.3.3-e] New headers follow, and now only AMQP's will do.
    policy_ = {role_, true, false};
    stage_ = Stage::header;
    if (role_ == EngineRole::client) {
        send_header(codec::ProtocolId::amqp);
        flush_output();
        endpoint_.start_output(now);
    }
    return true;
}

void ProtocolStack::send_header(const codec::ProtocolHeader& header) {
    const auto octets = header.serialise();
    output_.append_raw(octets);
    if (trace_ != nullptr) trace_->frame(true, octets);
}

void ProtocolStack::flush_output() {
    endpoint_.outbox().append(output_.written());
    output_.truncate(0);
}

// --- ends ----------------------------------------------------------------------------------------------------------

void ProtocolStack::abort(Failure failure, Instant now) { endpoint_.abort(std::move(failure), now); }

void ProtocolStack::end_early(Errc code, Initiator initiator, const std::string& what, Instant now) {
    abort({code, initiator, {}, fmt::format("{} {}", what, progress())}, now);
}

bool ProtocolStack::waits_for_open() const {
    return !closing_ && !endpoint_.ended() && !endpoint_.has_failed() && endpoint_.remote_open() == nullptr;
}

/// Continues "the peer ended the connection …" with where in the handshake that was and what the cause may be. Many
/// servers drop the stream without a word for what the user could change.
std::string ProtocolStack::progress() const {
    if (stage_ == Stage::sasl) return sasl_->progress();
    if (role_ == EngineRole::server) {
        return stage_ == Stage::header ? "before the client's protocol header came" : "before the client's open came";
    }
    if (stage_ == Stage::header && !sasl_) {
        return policy_.sasl
                   ? "before the server answered our SASL header: it may expect TLS, or not be an AMQP 1.0 server"
                   : "before the server answered our protocol header: it may insist on SASL (sasl.username or "
                     "sasl.enabled), expect TLS, or not be an AMQP 1.0 server";
    }
    std::string causes =
        options_.hostname ? fmt::format("the virtual host '{}'", *options_.hostname) : "the missing virtual host";
    causes += sasl_ ? fmt::format(", the rights of {}", options_.sasl.username.empty()
                                                            ? "anonymous users"
                                                            : "user '" + options_.sasl.username + "'")
                    : std::string(", missing credentials (sasl.username)");
    causes += fmt::format(", limits.frame_size_max {}", options_.limits.frame_size_max);
    if (options_.idle_timeout) {
        causes += fmt::format(", idle_timeout {:g} s", std::chrono::duration<double>(*options_.idle_timeout).count());
    }
    return fmt::format("before the server answered our open; likely causes: {}", causes);
}

}  // namespace aprotic::engine::stack
