#include <aprotic/engine/stack/web_socket_layer.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/engine/stack/header_exchange.hpp>
#include <aprotic/engine/stack/http_head.hpp>
#include <aprotic/engine/stack/wipe.hpp>

#include <openssl/evp.h>
#include <wslay/wslay.h>

namespace aprotic::engine::stack {
namespace {

using Status = ByteLayer::Status;

/// What is gathered for one message before it is sent without waiting for flush().
constexpr std::size_t message_max = 16 * 1024;

/// What proves that the server has read the request. [RFC 6455 4.2.2]
std::string accept_of(const std::string& key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<std::byte, 20> digest{};
    EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha1(), nullptr);
    return base64(digest);
}

bool is_http_answer(std::span<const std::byte> octets) {
    constexpr std::string_view version = "HTTP/1.";
    const std::string_view begin = codec::as_text(octets.first(std::min(octets.size(), version.size())));
    return version.starts_with(begin);
}

/// Octets that a peer does not foresee, for masks and keys, of a seed: splitmix64.
class Octets {
public:
    explicit Octets(std::uint64_t seed) : state_(seed) {}
    std::uint8_t operator()() noexcept {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t mixed = (state_ ^ (state_ >> 30U)) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
        return static_cast<std::uint8_t>(mixed ^ (mixed >> 31U));
    }

private:
    std::uint64_t state_;
};

struct FreeContext {
    void operator()(wslay_event_context* context) const { wslay_event_context_free(context); }
};

}  // namespace

bool is_http_request(std::span<const std::byte> octets) {
    constexpr std::string_view get = "GET ";
    const std::string_view begin = codec::as_text(octets.first(std::min(octets.size(), get.size())));
    return !begin.empty() && get.starts_with(begin);
}

struct WebSocketLayer::Impl {
    Impl(EngineRole its_role, WebSocketOptions its_options, std::string its_host, std::uint64_t seed)
        : role(its_role), options(std::move(its_options)), host(std::move(its_host)), random(seed) {
        gathered.reserve(message_max);  // no copies are left behind by a vector that grows
    }

    void make_context();
    void shake_hands();
    void say(const HttpHead& head) {
        std::string text = head.to_text();
        output.append_secret(codec::as_bytes(text));
        wipe(text);
    }
    void ask();
    /// Empty, or why the server's answer is none that can be gone on with.
    std::string fault_of_answer(const HttpHead& answer) const;
    void answer(const HttpHead& request);
    void refuse(std::string_view status_line, std::string why);
    void fail(std::string text);
    void send_gathered();
    void send_queued();

    static ssize_t recv_callback(wslay_event_context* context, std::uint8_t* into, size_t size, int, void* user);
    static ssize_t send_callback(wslay_event_context*, const std::uint8_t* from, size_t size, int, void* user);
    static int mask_callback(wslay_event_context*, std::uint8_t* into, size_t size, void* user);
    static void frame_callback(wslay_event_context*, const wslay_event_on_frame_recv_start_arg* frame, void* user);
    static void chunk_callback(wslay_event_context*, const wslay_event_on_frame_recv_chunk_arg* chunk, void* user);
    static void message_callback(wslay_event_context*, const wslay_event_on_msg_recv_arg* message, void* user);

    const EngineRole role;
    const WebSocketOptions options;
    const std::string host;
    Octets random;
    std::string key;
    Status status = Status::handshaking;
    Failure failure;
    bool output_ended = false;
    bool in_data = false;  // the frame that is being read carries octets of ours

    LayerInput input;
    std::vector<std::byte> plain;  // unwrapped, not read yet
    std::size_t plain_read = 0;
    std::vector<std::byte> gathered;  // to be sent as one message
    LayerOutput output;
    std::unique_ptr<wslay_event_context, FreeContext> context;
};

// --- wslay's end ----------------------------------------------------------------------------------------------------

void WebSocketLayer::Impl::make_context() {
    const wslay_event_callbacks callbacks{&recv_callback,  &send_callback, &mask_callback,   &frame_callback,
                                          &chunk_callback, nullptr,        &message_callback};
    wslay_event_context* made = nullptr;
    const int error = role == EngineRole::client ? wslay_event_context_client_init(&made, &callbacks, this)
                                                 : wslay_event_context_server_init(&made, &callbacks, this);
    if (error != 0) return fail("there is no memory for a WebSocket");
    context.reset(made);
    // Octets are handed on as they come, so that a message may be as long as it likes.
    wslay_event_config_set_no_buffering(made, 1);
    wslay_event_config_set_max_recv_msg_length(made, std::uint64_t{1} << 62U);
}

ssize_t WebSocketLayer::Impl::recv_callback(wslay_event_context* context, std::uint8_t* into, size_t size, int,
                                            void* user) {
    Impl& self = *static_cast<Impl*>(user);
    const std::size_t n = std::min(size, self.input.unread().size());
    if (n == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    codec::copy_bytes(std::as_writable_bytes(std::span(into, n)), self.input.unread().first(n));
    self.input.consume(n);
    return static_cast<ssize_t>(n);
}

ssize_t WebSocketLayer::Impl::send_callback(wslay_event_context*, const std::uint8_t* from, size_t size, int,
                                            void* user) {
    static_cast<Impl*>(user)->output.append_secret(std::as_bytes(std::span(from, size)));
    return static_cast<ssize_t>(size);
}

int WebSocketLayer::Impl::mask_callback(wslay_event_context*, std::uint8_t* into, size_t size, void* user) {
    Impl& self = *static_cast<Impl*>(user);
    std::generate_n(into, size, [&] { return self.random(); });
    return 0;
}

void WebSocketLayer::Impl::frame_callback(wslay_event_context*, const wslay_event_on_frame_recv_start_arg* frame,
                                          void* user) {
    Impl& self = *static_cast<Impl*>(user);
    self.in_data = frame->opcode == WSLAY_BINARY_FRAME || frame->opcode == WSLAY_CONTINUATION_FRAME;
    if (frame->opcode == WSLAY_TEXT_FRAME && self.status == Status::open) {
        wslay_event_queue_close(self.context.get(), WSLAY_CODE_UNSUPPORTED_DATA, nullptr, 0);
        self.fail("the peer sent a WebSocket text message, AMQP goes in binary ones");
    }
}

void WebSocketLayer::Impl::chunk_callback(wslay_event_context*, const wslay_event_on_frame_recv_chunk_arg* chunk,
                                          void* user) {
    Impl& self = *static_cast<Impl*>(user);
    if (!self.in_data || self.status != Status::open) return;
    const auto octets = std::as_bytes(std::span(chunk->data, chunk->data_length));
    self.plain.insert(self.plain.end(), octets.begin(), octets.end());
}

void WebSocketLayer::Impl::message_callback(wslay_event_context*, const wslay_event_on_msg_recv_arg* message,
                                            void* user) {
    Impl& self = *static_cast<Impl*>(user);
    if (message->opcode == WSLAY_CONNECTION_CLOSE && self.status == Status::open) self.status = Status::ended;
}

// --- the handshake --------------------------------------------------------------------------------------------------

void WebSocketLayer::Impl::ask() {
    std::array<std::byte, 16> nonce{};
    std::ranges::generate(nonce, [this] { return std::byte{random()}; });
    key = base64(nonce);
    HttpHead request;
    request.first_line = fmt::format("GET {} HTTP/1.1", options.path.empty() ? "/" : options.path);
    request.fields = {{"Host", host},
                      {"Upgrade", "websocket"},
                      {"Connection", "Upgrade"},
                      {"Sec-WebSocket-Key", key},
                      {"Sec-WebSocket-Version", "13"},
                      {"Sec-WebSocket-Protocol", options.subprotocol}};
    request.fields.insert(request.fields.end(), options.headers.begin(), options.headers.end());
    say(request);
}

std::string WebSocketLayer::Impl::fault_of_answer(const HttpHead& answer) const {
    const unsigned code = answer.status();
    const std::string line = printable(answer.first_line);
    if (code == 401 || code == 403)
        return fmt::format(
            "the server answered \"{}\" to the WebSocket request: it may want a field of it "
            "(web_socket.headers)",
            line);
    if (code == 404)
        return fmt::format(
            "the server answered \"{}\": it has no WebSocket at {} (web_socket.path, or what follows "
            "the port in the URL)",
            line, options.path.empty() ? "/" : options.path);
    if (code != 101)
        return fmt::format("the server answered \"{}\" to the WebSocket request: it may do none on this port", line);
    if (!answer.has_word("upgrade", "websocket") || !answer.has_word("connection", "upgrade") ||
        answer.find("sec-websocket-accept") != accept_of(key)) {
        return "the server's answer to the WebSocket request is none to ours";
    }
    if (answer.find("sec-websocket-protocol") != options.subprotocol) {
        return fmt::format("the server has not agreed to the WebSocket sub-protocol {} (web_socket.subprotocol)",
                           options.subprotocol);
    }
    if (answer.find("sec-websocket-extensions")) return "the server uses a WebSocket extension that nobody asked for";
    return {};
}

void WebSocketLayer::Impl::refuse(std::string_view status_line, std::string why) {
    HttpHead answer;
    answer.first_line = status_line;
    answer.fields = {{"Connection", "close"}, {"Content-Length", "0"}};
    if (status_line.find(" 426 ") != status_line.npos) {
        answer.fields.insert(answer.fields.begin(), {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}});
    }
    say(answer);
    fail(std::move(why));
}

void WebSocketLayer::Impl::answer(const HttpHead& request) {
    if (!request.first_line.starts_with("GET ") || !request.first_line.ends_with(" HTTP/1.1"))
        return refuse("HTTP/1.1 400 Bad Request", "the peer's HTTP request is none for a WebSocket");
    const std::string path = request.first_line.substr(4, request.first_line.size() - 13);
    if (!options.path.empty() && path != options.path) {
        return refuse(
            "HTTP/1.1 404 Not Found",
            fmt::format("the peer asked for a WebSocket at {}, which is not web_socket.path", printable(path)));
    }
    if (!request.has_word("upgrade", "websocket") || !request.has_word("connection", "upgrade") ||
        request.find("sec-websocket-version") != "13") {
        return refuse("HTTP/1.1 426 Upgrade Required", "the peer speaks HTTP, but asked for no WebSocket version 13");
    }
    const auto origin = request.find("origin");
    if (origin && std::ranges::find(options.origins, *origin) == options.origins.end() &&
        std::ranges::find(options.origins, "*") == options.origins.end()) {
        return refuse("HTTP/1.1 403 Forbidden",
                      fmt::format("a page of {} asked for a WebSocket, which web_socket.origins does not name",
                                  printable(*origin)));
    }
    const auto its_key = request.find("sec-websocket-key");
    if (!its_key || its_key->size() != 24)
        return refuse("HTTP/1.1 400 Bad Request", "the peer's WebSocket request has no proper key");
    if (!request.has_word("sec-websocket-protocol", options.subprotocol)) {
        return refuse(
            "HTTP/1.1 400 Bad Request",
            fmt::format("the peer's WebSocket request does not offer the sub-protocol {}", options.subprotocol));
    }
    HttpHead agreed;
    agreed.first_line = "HTTP/1.1 101 Switching Protocols";
    agreed.fields = {{"Upgrade", "websocket"},
                     {"Connection", "Upgrade"},
                     {"Sec-WebSocket-Accept", accept_of(*its_key)},
                     {"Sec-WebSocket-Protocol", options.subprotocol}};
    say(agreed);
    status = Status::open;
}

void WebSocketLayer::Impl::shake_hands() {
    if (status != Status::handshaking || input.empty()) return;
    const HttpHeadStep step = parse_http_head(input.unread());
    const bool client = role == EngineRole::client;
    if (step.status == HttpHeadStep::Status::malformed || (client && !is_http_answer(input.unread()))) {
        if (!client) return refuse("HTTP/1.1 400 Bad Request", "the peer's HTTP request cannot be read");
        return fail(fmt::format("the server does not speak WebSocket on this port, it says {}",
                                name_first_octets(input.unread())));
    }
    if (step.status == HttpHeadStep::Status::need_more) return;
    input.consume(step.size);
    if (client) {
        if (auto fault = fault_of_answer(step.head); !fault.empty()) return fail(std::move(fault));
        status = Status::open;
    } else {
        answer(step.head);
    }
    if (status == Status::open) make_context();
}

void WebSocketLayer::Impl::fail(std::string text) {
    status = Status::failed;
    failure.code = Errc::web_socket_failed;
    failure.initiator = Initiator::us;
    failure.text = std::move(text);
    wipe(gathered);
    gathered.clear();
}

void WebSocketLayer::Impl::send_gathered() {
    if (gathered.empty() || status != Status::open) return;
    const wslay_event_msg message{WSLAY_BINARY_FRAME, reinterpret_cast<const std::uint8_t*>(gathered.data()),
                                  gathered.size()};
    const int error = wslay_event_queue_msg(context.get(), &message);
    wipe(gathered);
    gathered.clear();
    if (error != 0) return fail("a WebSocket message could not be made");
    send_queued();
}

void WebSocketLayer::Impl::send_queued() { wslay_event_send(context.get()); }

// --- the layer ------------------------------------------------------------------------------------------------------

WebSocketLayer::WebSocketLayer(EngineRole role, WebSocketOptions options, std::string host, std::uint64_t seed)
    : impl_(std::make_unique<Impl>(role, std::move(options), std::move(host), seed)) {}
WebSocketLayer::~WebSocketLayer() = default;

void WebSocketLayer::start() { impl_->ask(); }

std::span<std::byte> WebSocketLayer::prepare_input() {
    Impl& self = *impl_;
    const bool behind = self.plain_read < self.plain.size();
    // A peer who pings again and again must take our answers first.
    if (behind || self.output.size() >= 2 * layer_output_max) return {};
    return self.input.prepare();
}

void WebSocketLayer::commit_input(std::size_t n) { impl_->input.commit(n); }
void WebSocketLayer::feed(std::span<const std::byte> octets) { impl_->input.feed(octets); }
std::span<const std::byte> WebSocketLayer::output() { return impl_->output.front(); }
void WebSocketLayer::commit_output(std::size_t n) { impl_->output.commit(n); }
bool WebSocketLayer::has_output() const noexcept { return impl_->output.size() > 0; }

std::size_t WebSocketLayer::read(std::span<std::byte> into) {
    Impl& self = *impl_;
    self.shake_hands();
    if (self.plain_read == self.plain.size() && self.status == Status::open) {
        wipe(self.plain);
        self.plain.clear();
        self.plain_read = 0;
        const int error = wslay_event_recv(self.context.get());
        // wslay has queued the close frame that says so.
        if ((error != 0 || wslay_event_get_read_enabled(self.context.get()) == 0) && self.status == Status::open)
            self.fail("the peer broke the WebSocket protocol");
        self.send_queued();
    }
    if (self.status == Status::failed || self.status == Status::ended) self.input.clear();
    const std::size_t n = std::min(into.size(), self.plain.size() - self.plain_read);
    codec::copy_bytes(into.first(n), std::span(self.plain).subspan(self.plain_read, n));
    self.plain_read += n;
    return n;
}

bool WebSocketLayer::has_input() const noexcept {
    return impl_->plain_read < impl_->plain.size() || (impl_->status == Status::open && !impl_->input.empty());
}

std::size_t WebSocketLayer::write(std::span<const std::byte> from) {
    Impl& self = *impl_;
    if (self.status == Status::failed || self.status == Status::ended || self.output_ended) return from.size();
    if (self.status == Status::handshaking) return 0;
    std::size_t taken = 0;
    while (taken < from.size() && self.output.size() < layer_output_max && self.status == Status::open) {
        const std::size_t n = std::min(from.size() - taken, message_max - self.gathered.size());
        const auto part = from.subspan(taken, n);
        self.gathered.insert(self.gathered.end(), part.begin(), part.end());
        taken += n;
        if (self.gathered.size() == message_max) self.send_gathered();
    }
    return taken;
}

void WebSocketLayer::flush() { impl_->send_gathered(); }

void WebSocketLayer::abandon_handshake() noexcept {
    if (impl_->status == Status::handshaking) impl_->status = Status::failed;
}

void WebSocketLayer::end_output() {
    Impl& self = *impl_;
    if (std::exchange(self.output_ended, true) || !self.context) return;
    // Only our half: the peer's word is not waited for. One that is queued already stays the only one.
    wslay_event_queue_close(self.context.get(), WSLAY_CODE_NORMAL_CLOSURE, nullptr, 0);
    self.send_queued();
}

bool WebSocketLayer::output_ended() const noexcept { return impl_->output_ended; }
ByteLayer::Status WebSocketLayer::status() const noexcept {
    // What came before the close frame is still to be read.
    const bool behind = impl_->plain_read < impl_->plain.size();
    return behind && impl_->status == Status::ended ? Status::open : impl_->status;
}
const Failure& WebSocketLayer::failure() const noexcept { return impl_->failure; }

std::string WebSocketLayer::progress() const {
    if (impl_->status != Status::handshaking) return "after the WebSocket handshake";
    return impl_->role == EngineRole::client
               ? "before it answered our WebSocket request: it may not do WebSocket on this port"
               : "before its WebSocket request was complete";
}

}  // namespace aprotic::engine::stack
