// A broker that takes everything on one port, and peers who begin in every way there is and never come to an open.
#include "broker/world.hpp"

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/engine/tls.hpp>

#include <array>

#include <openssl/ssl.h>

#include "peer/frames.hpp"
#include "support/alloc_counter.hpp"
#include "support/certificates.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace std::string_literals;

namespace {

/// Writes what it is told to, as far as the broker reads, and counts what it hears without keeping it.
class RawPeer {
public:
    explicit RawPeer(std::unique_ptr<Stream> stream, bool reads = true) : stream_(std::move(stream)) {
        if (reads) read();
    }

    /// False while the octets of before are still under way.
    bool say(std::string octets) {
        if (writing_ || ended_) return false;
        out_ = std::move(octets);
        write();
        return true;
    }
    bool ended() const { return ended_; }
    std::string take_heard() { return std::exchange(heard_, {}); }

private:
    void write() {
        if (out_.empty()) return;
        writing_ = true;
        const std::array<codec::ConstBuffer, 1> buffers = {{{codec::as_bytes(out_).data(), out_.size()}}};
        stream_->write(buffers, [this](std::error_code error, std::size_t n) {
            writing_ = false;
            if (error) {
                ended_ = true;
                return;
            }
            out_.erase(0, n);
            write();
        });
    }
    void read() {
        stream_->read(room_, [this](std::error_code error, std::size_t n) {
            ended_ = ended_ || error || n == 0;
            if (ended_) return;
            heard_ += codec::as_text(std::span(room_).first(n));
            if (heard_.size() > 64 * 1024) heard_.clear();
            read();
        });
    }

    std::string out_;
    std::string heard_;
    std::array<std::byte, 4096> room_{};
    bool writing_ = false;
    bool ended_ = false;
    std::unique_ptr<Stream> stream_;
};

/// TLS by OpenSSL alone, and whatever may be said in it.
class TlsTalker {
public:
    TlsTalker() : context_(SSL_CTX_new(TLS_client_method())), connection_(SSL_new(context_)) {
        SSL_set_bio(connection_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(connection_);
        SSL_do_handshake(connection_);
    }
    ~TlsTalker() {
        SSL_free(connection_);
        SSL_CTX_free(context_);
    }
    TlsTalker(const TlsTalker&) = delete;
    TlsTalker& operator=(const TlsTalker&) = delete;

    /// Gives the peer's octets to OpenSSL; true once the handshake is over.
    bool hear(const std::string& octets) {
        if (!octets.empty()) BIO_write(SSL_get_rbio(connection_), octets.data(), static_cast<int>(octets.size()));
        if (SSL_is_init_finished(connection_) == 0) SSL_do_handshake(connection_);
        return SSL_is_init_finished(connection_) != 0;
    }
    void put(std::string_view plain) { SSL_write(connection_, plain.data(), static_cast<int>(plain.size())); }
    void ask_for_new_keys() {
        SSL_key_update(connection_, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(connection_);
    }
    /// What goes to the peer.
    std::string take() {
        std::string octets(static_cast<std::size_t>(BIO_ctrl_pending(SSL_get_wbio(connection_))), '\0');
        if (!octets.empty()) BIO_read(SSL_get_wbio(connection_), octets.data(), static_cast<int>(octets.size()));
        return octets;
    }

private:
    SSL_CTX* context_;
    SSL* connection_;
};

BrokerOptions everything() {
    const auto identity = test::self_signed({.common_name = "broker", .hosts = {"broker"}});
    TlsOptions tls;
    tls.certificate_pem = identity.certificate;
    tls.key_pem = identity.key;
    BrokerOptions options;
    options.users["me"] = "secret";
    options.connection.tls.context = TlsContext::make_server(tls).value();
    options.connection.tls.required = false;
    options.connection.web_socket.enabled = true;
    return options;
}

struct Port : World {
    Port() : World(everything()) { REQUIRE(broker->listen(*Address::parse("broker:5672"))); }

    std::unique_ptr<RawPeer> raw(bool reads = true) {
        std::unique_ptr<Stream> got;
        reactor.connect(*Address::parse("broker:5672"), reactor.now() + 1s,
                        [&](codec::Result<std::unique_ptr<Stream>, Failure> stream) { got = std::move(*stream); });
        settle();
        REQUIRE(got);
        return std::make_unique<RawPeer>(std::move(got), reads);
    }
    /// Somebody who does everything right is served at once.
    void check_served() {
        ConnectionOptions options;
        options.sasl.username = "me";
        options.sasl.password = "secret";
        options.sasl.allow_cleartext_password = true;
        const Connection connection = clients.connect("amqp://broker", options);
        const Sender to = connection.open_sender("unicast.q");
        REQUIRE(reactor.run_until([&] { return to.credit() > 0; }, 1s));
        CHECK(send(to, Message("x")).accepted());
        connection.close();
        settle();
    }
};

const std::string sasl_header = "AMQP\3\1\0\0"s;

std::string init(std::string_view mechanism, std::string_view response) {
    return std::string(
        codec::as_text(peer::sasl_init(codec::Symbol(mechanism)).initial_response(response).encode(0).span()));
}

}  // namespace

TEST_CASE("a thousand connections that never come to an open cost little, and others are served", "[5.3.3-k]") {
    Port port;
    TlsTalker hello;
    const std::string tls_hello = hello.take();
    const std::string scram = "n,,n=me,r=abcdefghijklmnop";
    const std::vector<std::string> beginnings = {
        "",
        "AMQP",
        sasl_header,
        sasl_header + init("SCRAM-SHA-256", scram),
        sasl_header + init("PLAIN", std::string("\0me\0secret", 10)).substr(0, 20),
        "AMQP\2\1\0\0"s,
        tls_hello.substr(0, 100),
        tls_hello,
        "GET / HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nX: ",
    };
    port.check_served();
    const std::uint64_t before = test::live_octets();
    std::vector<std::unique_ptr<RawPeer>> peers;
    for (std::size_t i = 0; i < 1000; ++i) {
        peers.push_back(port.raw(i % 2 == 0));
        peers.back()->say(beginnings[i % beginnings.size()]);
        port.settle();
    }
    const std::uint64_t each = (test::live_octets() - before) / peers.size();
    INFO(each << " octets each");
    CHECK(each < 80 * 1024);
    port.check_served();
    // Beyond the bound the oldest go.
    for (std::size_t i = 0; i < 1000; ++i) {
        peers.push_back(port.raw());
        peers.back()->say(beginnings[i % beginnings.size()]);
        port.settle();
    }
    CHECK((test::live_octets() - before) / 1000 < 80 * 1024 + 2 * sizeof(RawPeer) + 4096);
    port.check_served();
    port.reactor.run_for(15s);
    for (std::size_t i = 1000; i < 2000; ++i) REQUIRE(peers[i]->ended());
    peers.clear();
    port.reactor.run_for(5s);
    CHECK(test::live_octets() - before < 4 * 1024 * 1024);
    port.check_served();
}

TEST_CASE("floods inside of TLS are bounded, and others are served", "[5.2]") {
    Port port;
    port.check_served();
    auto peer = port.raw();
    TlsTalker talker;
    for (int i = 0; i < 10; ++i) {
        peer->say(talker.take());
        port.settle();
        talker.hear(peer->take_heard());
    }
    REQUIRE(talker.hear(""));
    const std::uint64_t before = test::live_octets();
    std::uint64_t most = 0;
    std::size_t rounds = 0;
    const auto flood = [&](std::size_t times, const auto& make) {
        for (rounds = 0; rounds < times && !peer->ended(); ++rounds) {
            make();
            peer->say(talker.take());
            port.settle();
            most = std::max(most, test::live_octets() - std::min(before, test::live_octets()));
            if (rounds % 100 == 0) port.check_served();
        }
    };
    SECTION("a record for each octet") {
        // Never the whole header.
        flood(1, [&] { talker.put("AMQP"); });
        flood(300, [&] { talker.put(sasl_header.substr(4, 1)); });
        CHECK(peer->ended());
        CHECK(rounds < 10);
    }
    SECTION("SASL frames that say nothing, a record for each octet") {
        flood(1, [&] { talker.put(sasl_header); });
        const std::string frame = init("SCRAM-SHA-256", "n,,n=me,r=abcdefghijklmnop");
        std::size_t at = 0;
        flood(2000, [&] { talker.put(std::string_view(frame).substr(at++ % frame.size(), 1)); });
        CHECK(peer->ended());
    }
    SECTION("new keys without end") {
        // Answered as long as the answers are read, until the time to open is over.
        flood(1000, [&] { talker.ask_for_new_keys(); });
    }
    CHECK(most < 1024 * 1024);
    port.check_served();
    port.reactor.run_for(15s);
    CHECK(peer->ended());
}
