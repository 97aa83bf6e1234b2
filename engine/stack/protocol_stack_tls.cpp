#include <aprotic/engine/stack/protocol_stack.hpp>

#include <algorithm>
#include <array>

namespace aprotic::engine::stack {

void ProtocolStack::make_tls() {
    std::string name = options_.tls.server_name;
    if (name.empty()) name = options_.hostname.value_or("");
    if (role_ == EngineRole::server) name.clear();
    tls_ = std::make_unique<TlsLayer>(options_.tls.context, name);
}

void ProtocolStack::start_tls() {
    make_tls();
    clear_left_ = endpoint_.outbox().size();
    const auto unread = endpoint_.inbox().unread();
    // [5.2-h] None of it is taken for anything but TLS.
    tls_->feed(unread);
    endpoint_.inbox().consume(unread.size());
    policy_ = first_policy(true);
}

bool ProtocolStack::pump_input(Instant now) {
    bool moved = false;
    while (true) {
        const std::span<std::byte> into = endpoint_.prepare_read();
        if (into.empty()) break;
        const std::size_t n = tls_->read(into);
        if (n == 0) break;
        moved = true;
        recv_plain(n, now);
    }
    if (tls_->status() == TlsLayer::Status::failed && !endpoint_.ended()) abort(tls_->failure(), now);
    if (tls_->status() == TlsLayer::Status::ended) end_input({}, now);
    return moved;
}

void ProtocolStack::pump_output(Instant now) {
    std::array<codec::ConstBuffer, 64> gather;
    while (true) {
        const std::size_t count = endpoint_.prepare_write(gather, now);
        std::size_t taken = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t n = tls_->write({gather[i].data, gather[i].size});
            taken += n;
            if (n < gather[i].size) break;
        }
        if (taken == 0) break;
        endpoint_.commit_write(taken, now);
    }
    tls_->flush();
    if (endpoint_.wants_close()) tls_->end_output();
    if (tls_->status() == TlsLayer::Status::failed && !endpoint_.ended()) abort(tls_->failure(), now);
}

std::size_t ProtocolStack::prepare_encrypted(std::span<codec::ConstBuffer> out, Instant now) {
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
    const std::span<const std::byte> output = tls_->output();
    if (output.empty()) return 0;
    // Nobody waits for ever for a peer who does not read our last words.
    if (endpoint_.wants_close() && !last_write_) last_write_ = now + options_.close_timeout;
    out[0] = {output.data(), output.size()};
    return 1;
}

SaslSurroundings ProtocolStack::surroundings() const {
    SaslSurroundings around;
    around.private_stream = private_stream_ || tls_;
    if (tls_) {
        around.tls = tls_->agreed();
        around.has_certificate = role_ == EngineRole::client && tls_->has_certificate();
    }
    around.host = options_.hostname.value_or("");
    return around;
}

}  // namespace aprotic::engine::stack
