#include <aprotic/engine/stack/protocol_stack.hpp>

#include <algorithm>
#include <array>

#include <aprotic/engine/stack/proxy_layer.hpp>

namespace aprotic::engine::stack {

std::unique_ptr<TlsLayer> ProtocolStack::make_tls() {
    std::string name = options().tls.server_name;
    if (name.empty()) name = options().hostname.value_or("");
    if (role_ == EngineRole::server) name.clear();
    const bool carries_http = options().web_socket.enabled && !in_web_socket_;
    auto made = std::make_unique<TlsLayer>(options().tls.context, name, carries_http);
    tls_ = made.get();
    return made;
}

std::unique_ptr<WebSocketLayer> ProtocolStack::make_web_socket() {
    in_web_socket_ = true;
    std::string host = options().web_socket.host.empty() ? options().hostname.value_or("") : options().web_socket.host;
    return std::make_unique<WebSocketLayer>(role_, options().web_socket, std::move(host), seed_);
}

void ProtocolStack::make_first_layers() {
    if (!options().proxy.host.empty()) layers_.push(std::make_unique<ProxyLayer>(options().proxy));
    if (options().tls.context && !options().tls.by_header) layers_.push(make_tls());
    if (options().web_socket.enabled) layers_.push(make_web_socket());
}

void ProtocolStack::start_layer(std::unique_ptr<ByteLayer> layer, Instant now) {
    if (layers_.empty()) {
        clear_left_ = endpoint_.outbox().size();
    } else {
        pump_output(now);
    }
    layers_.push(std::move(layer));
    const auto unread = endpoint_.inbox().unread();
    // [5.2-h] None of it is taken for anything but the layer's.
    layers_.feed(unread);
    endpoint_.inbox().consume(unread.size());
    endpoint_.inbox().rest();
}

void ProtocolStack::start_tls(Instant now) {
    start_layer(make_tls(), now);
    handshake_->policy = first_policy(true);
}

bool ProtocolStack::pump_input(Instant now) {
    bool moved = false;
    while (true) {
        const std::span<std::byte> into = endpoint_.prepare_read();
        if (into.empty()) break;
        const std::size_t n = layers_.read(into);
        trace_tls();
        if (n == 0) break;
        moved = true;
        recv_plain(n, now);
    }
    const ByteLayer::Status status = layers_.status();
    if (status == ByteLayer::Status::failed && !endpoint_.ended()) abort(layers_.failure(), now);
    if (status == ByteLayer::Status::ended) end_input({}, now);
    return moved;
}

void ProtocolStack::pump_output(Instant now) {
    std::array<codec::ConstBuffer, 64> gather;
    while (true) {
        const std::size_t count = endpoint_.prepare_write(gather, now);
        std::size_t taken = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t n = layers_.write({gather[i].data, gather[i].size});
            taken += n;
            if (n < gather[i].size) break;
        }
        if (taken == 0) break;
        commit_plain(taken, now);
    }
    layers_.flush();
    if (endpoint_.wants_close()) layers_.end_output();
    if (layers_.status() == ByteLayer::Status::failed && !endpoint_.ended()) abort(layers_.failure(), now);
}

std::size_t ProtocolStack::prepare_wrapped(std::span<codec::ConstBuffer> out, Instant now) {
    if (write_closed_) return 0;
    if (clear_left_ > 0) {
        const std::size_t count = endpoint_.outbox().gather(out);
        std::size_t left = clear_left_;
        for (std::size_t i = 0; i < count; ++i) {
            out[i].size = std::min(out[i].size, left);
            left -= out[i].size;
            if (left == 0) return i + 1;
        }
        return count;
    }
    pump_output(now);
    const std::span<const std::byte> output = layers_.output();
    if (output.empty()) return 0;
    // Nobody waits for ever for a peer who does not read our last words.
    if (endpoint_.wants_close() && !last_write_) last_write_ = now + close_timeout_;
    out[0] = {output.data(), output.size()};
    return 1;
}

void ProtocolStack::trace_tls() {
    if (trace_ == nullptr || tls_ == nullptr || tls_traced_) return;
    const ByteLayer::Status status = tls_->status();
    if (status == ByteLayer::Status::handshaking) return;
    tls_traced_ = true;
    if (const auto chain = tls_->peer_chain(); !chain.empty()) trace_->certificates(chain);
    if (status != ByteLayer::Status::failed) trace_->secured(tls_->agreed());
}

SaslSurroundings ProtocolStack::surroundings() const {
    SaslSurroundings around;
    around.private_stream = private_stream_ || tls_ != nullptr;
    if (tls_ != nullptr) {
        around.tls = tls_->agreed();
        around.has_certificate = role_ == EngineRole::client && tls_->has_certificate();
    }
    around.host = options().hostname.value_or("");
    return around;
}

}  // namespace aprotic::engine::stack
