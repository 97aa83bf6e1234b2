#include <aprotic/engine/stack/proxy_layer.hpp>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/engine/stack/header_exchange.hpp>
#include <aprotic/engine/stack/http_head.hpp>
#include <aprotic/engine/stack/wipe.hpp>

namespace aprotic::engine::stack {

void ProxyLayer::start() {
    HttpHead request;
    request.first_line = fmt::format("CONNECT {} HTTP/1.1", options_.server);
    request.fields = {{"Host", options_.server}};
    if (!options_.username.empty()) {
        std::string pair = options_.username + ":" + options_.password;
        std::string encoded = base64(codec::as_bytes(pair));
        request.fields.emplace_back("Proxy-Authorization", "Basic " + encoded);
        wipe(options_.password);
        wipe(pair);
        wipe(encoded);
    }
    std::string text = request.to_text();
    output_.append_secret(codec::as_bytes(text));
    wipe(text);
    wipe(request.fields.back().second);
}

std::span<std::byte> ProxyLayer::prepare_input() {
    if (!input_.empty() && status_ != Status::handshaking) return {};
    return input_.prepare();
}

std::size_t ProxyLayer::read(std::span<std::byte> into) {
    if (status_ == Status::handshaking) read_answer();
    if (status_ != Status::open) {
        if (status_ == Status::failed) input_.clear();
        return 0;
    }
    const std::size_t n = std::min(into.size(), input_.unread().size());
    codec::copy_bytes(into.first(n), input_.unread().first(n));
    input_.consume(n);
    return n;
}

void ProxyLayer::read_answer() {
    if (input_.empty()) return;
    const HttpHeadStep step = parse_http_head(input_.unread());
    if (step.status == HttpHeadStep::Status::need_more) return;
    const unsigned status = step.head.status();
    if (step.status == HttpHeadStep::Status::malformed || status == 0)
        return fail(fmt::format("the proxy {} does not speak HTTP, it says {}: is it one (proxy.host, proxy.port)?",
                                name(), name_first_octets(input_.unread())));
    input_.consume(step.size);
    if (status >= 200 && status < 300) {
        status_ = Status::open;
        return;
    }
    if (status < 200) return read_answer();  // provisional: the answer is still to come
    const char* const advice = status == 407 ? ": it wants a name and a password (proxy.username, proxy.password)" : "";
    fail(fmt::format("the proxy {} answered \"{}\" when asked for {}{}", name(), printable(step.head.first_line),
                     options_.server, advice));
}

std::size_t ProxyLayer::write(std::span<const std::byte> from) {
    if (status_ == Status::failed || output_ended_) return from.size();
    if (status_ == Status::handshaking || output_.size() >= layer_output_max) return 0;
    output_.append(from);
    return from.size();
}

void ProxyLayer::abandon_handshake() noexcept {
    if (status_ == Status::handshaking) status_ = Status::failed;
}

std::string ProxyLayer::progress() const {
    return status_ == Status::handshaking ? fmt::format("before the proxy {} had answered", name())
                                          : std::string("behind the proxy");
}

std::string ProxyLayer::name() const { return fmt::format("{}:{}", options_.host, options_.port); }

void ProxyLayer::fail(std::string text) {
    status_ = Status::failed;
    failure_.code = Errc::proxy_failed;
    failure_.initiator = Initiator::us;
    failure_.text = std::move(text);
}

}  // namespace aprotic::engine::stack
