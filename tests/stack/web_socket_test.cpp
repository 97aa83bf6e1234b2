// AMQP inside of WebSocket, and through an HTTP proxy.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "stack/tls_pair.hpp"
#include "support/hex.hpp"

using namespace aprotic;
using namespace aprotic::test;
using namespace std::string_literals;
using namespace std::string_view_literals;
using engine::ConnectionOptions;
using engine::EngineRole;
using engine::Errc;
using engine::TlsContext;

namespace {

ConnectionOptions with_web_socket(ConnectionOptions options) {
    options.web_socket.enabled = true;
    options.web_socket.path = "/amqp";
    options.hostname = "host.test";
    return options;
}

void feed(Machine& machine, std::string_view text) { REQUIRE(machine.feed(codec::as_bytes(text)) == text.size()); }
std::string output(Machine& machine) { return std::string(codec::as_text(machine.take_output(SIZE_MAX))); }

/// What a browser or another library asks for, with one line changed; the key is RFC 6455's.
std::string request(std::string_view instead_of = {}, std::string_view line = {}) {
    std::string text;
    for (const std::string_view each :
         {"GET /amqp HTTP/1.1"sv, "Host: host.test"sv, "upgrade: WebSocket"sv, "Connection: keep-alive, Upgrade"sv,
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="sv, "Sec-WebSocket-Version: 13"sv,
          "Sec-WebSocket-Protocol: chat, amqp"sv}) {
        const bool replaced = !instead_of.empty() && each.starts_with(instead_of);
        if (replaced && line.empty()) continue;
        text += std::string(replaced ? line : each) + "\r\n";
    }
    return text + "\r\n";
}

/// A frame as a client must send it, masked with zeros.
std::string frame(unsigned char first, std::string_view payload) {
    REQUIRE(payload.size() < 126);
    return std::string{static_cast<char>(first), static_cast<char>(0x80 | payload.size())} + "\0\0\0\0"s +
           std::string(payload);
}

constexpr std::string_view amqp_header = "AMQP\0\1\0\0"sv;

/// A server that has answered the request and not been told more.
Machine upgraded() {
    Machine server = make_machine(EngineRole::server, with_web_socket(server_options()));
    static_cast<void>(server->open());
    feed(server, request());
    REQUIRE(output(server).starts_with("HTTP/1.1 101 "));
    return server;
}

/// A client that has sent its request; what answers it goes in.
Machine asking(ConnectionOptions options = with_web_socket(client_options())) {
    Machine client = make_machine(EngineRole::client, std::move(options));
    static_cast<void>(client->open());
    return client;
}

std::string failure_of(Machine& machine) {
    output(machine);
    return machine.failure() ? machine.failure()->text : "none";
}

}  // namespace

TEST_CASE("AMQP crosses a WebSocket, in pieces of every kind") {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}, std::size_t{1001}}) {
        TlsPair pair(with_web_socket(client_options()), with_web_socket(server_options()), piece);
        REQUIRE(pair.open());
        CHECK(pair.client_said.starts_with("GET /amqp HTTP/1.1\r\nHost: host.test\r\n"));
        CHECK(pair.server_said.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
        CHECK_FALSE(contains(pair.client_said, "AMQP"));  // masked
        if (piece != 1) exchange(pair, {0, 1, 100, 125, 126, 5000, 16383, 16384, 65535, 65536, 300000, 3});
        pair.client->close();
        pair.settle();
        CHECK(pair.client.closed());
        CHECK(pair.server.closed());
        CHECK_FALSE(pair.client.failure());
        REQUIRE(pair.server.failure());
        CHECK(pair.server.failure()->code == Errc::closed_by_peer);
    }
}

TEST_CASE("AMQP crosses a WebSocket inside of TLS") {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{3}, std::size_t{1000}}) {
        TlsPair pair(TlsPair::with(with_web_socket(client_options()), TlsContext::make_client(tls_client())),
                     TlsPair::with(with_web_socket(server_options()), TlsContext::make_server(tls_server())), piece);
        REQUIRE(pair.open());
        CHECK_FALSE(contains(pair.client_said, "GET"));
        const auto seen = pair.server.skip_to_event<engine::Authenticated>().identity;
        REQUIRE(seen.tls);
        CHECK(seen.tls->protocol.empty());  // the client says HTTP, of which the server knows nothing
        exchange(pair, {1, 70000});
        pair.client->close();
        pair.settle();
        CHECK(pair.client.closed());
        CHECK(pair.server.closed());
        CHECK_FALSE(pair.client.failure());
    }
}

TEST_CASE("AMQP's TLS header works inside of a WebSocket", "[5.2-a]") {
    auto client = TlsPair::with(with_web_socket(client_options()), TlsContext::make_client(tls_client()));
    client.tls.by_header = true;
    TlsPair pair(client, TlsPair::with(with_web_socket(server_options()), TlsContext::make_server(tls_server())));
    // A server that demands TLS takes the way it comes.
    pair.server = make_machine(EngineRole::server, [] {
        auto options = TlsPair::with(with_web_socket(server_options()), TlsContext::make_server(tls_server()));
        options.tls.required = true;
        return options;
    }());
    static_cast<void>(pair.server->open());
    REQUIRE(pair.open());
    CHECK(pair.client_said.starts_with("GET "));
    CHECK(pair.server.skip_to_event<engine::Authenticated>().identity.tls);
    exchange(pair, {1, 70000});
}

TEST_CASE("a password goes through a WebSocket only inside of TLS") {
    auto client = with_web_socket(client_options());
    client.sasl.username = "guest";
    client.sasl.password = "guest";
    TlsPair clear(client, with_web_socket(server_options()));
    CHECK(clear.client_failure() != "");
    CHECK(clear.client.failure()->code == Errc::cleartext_refused);
    TlsPair encrypted(TlsPair::with(client, TlsContext::make_client(tls_client())),
                      TlsPair::with(with_web_socket(server_options()), TlsContext::make_server(tls_server())));
    REQUIRE(encrypted.open());
    CHECK(encrypted.server.skip_to_event<engine::Authenticated>().identity.user == "guest");
}

TEST_CASE("a WebSocket request is answered as RFC 6455 says") {
    Machine server = make_machine(EngineRole::server, with_web_socket(server_options()));
    feed(server, request());
    CHECK(output(server) ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: amqp\r\n\r\n");
}

TEST_CASE("a server with WebSocket takes AMQP too, and one without names what came") {
    Machine both = make_machine(EngineRole::server, with_web_socket(server_options()));
    feed(both, amqp_header);
    CHECK(output(both) == amqp_header);
    Machine without = make_machine(EngineRole::server, server_options());
    feed(without, request());
    CHECK(contains(failure_of(without), "HTTP"));
}

TEST_CASE("a server may want WebSocket of everybody") {
    auto options = with_web_socket(server_options());
    options.web_socket.required = true;
    for (const std::string_view first : {amqp_header, "AMQP\3\1\0\0"sv, "AMQP\2\1\0\0"sv, "AMQP\0\0\x09\1"sv}) {
        Machine server = make_machine(EngineRole::server, options);
        feed(server, first);
        CHECK(output(server).empty());
        CHECK(contains(failure_of(server), "without WebSocket, which web_socket.required demands"));
        CHECK(server.closed());
    }
    TlsPair plain(with_web_socket(client_options()), options);
    CHECK(plain.open());
    // Inside of TLS it is the same.
    for (const bool by_web_socket : {true, false}) {
        INFO(by_web_socket);
        auto client = by_web_socket ? with_web_socket(client_options()) : client_options();
        TlsPair pair(TlsPair::with(std::move(client), TlsContext::make_client(tls_client())),
                     TlsPair::with(options, TlsContext::make_server(tls_server())));
        CHECK(pair.open() == by_web_socket);
        CHECK(pair.server.failure().has_value() != by_web_socket);
    }
}

TEST_CASE("requests that are none of ours are refused with their reason") {
    struct Wrong {
        std::string sent;
        std::string answer;
        std::string text;
    };
    const std::vector<Wrong> all{
        {request("GET", "GET /other HTTP/1.1"), "HTTP/1.1 404 ", "web_socket.path"},
        {request("GET", "GET /amqp HTTP/1.0"), "HTTP/1.1 400 ", "none for a WebSocket"},
        {request("upgrade", ""), "HTTP/1.1 426 ", "no WebSocket version 13"},
        {request("Connection", "Connection: close"), "HTTP/1.1 426 ", "no WebSocket version 13"},
        {request("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), "HTTP/1.1 426 ", "no WebSocket version 13"},
        {request("Sec-WebSocket-Key", ""), "HTTP/1.1 400 ", "key"},
        {request("Sec-WebSocket-Key", "Sec-WebSocket-Key: short"), "HTTP/1.1 400 ", "key"},
        {request("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: mqtt"), "HTTP/1.1 400 ", "sub-protocol amqp"},
        {request("Host", "Origin: https://elsewhere.test"), "HTTP/1.1 403 ", "web_socket.origins"},
        {request("Host", "no colon here"), "HTTP/1.1 400 ", "cannot be read"},
        {request("Host", "Host: a\x01z"), "HTTP/1.1 400 ", "cannot be read"},
        {"GET /amqp HTTP/1.1\r\nX: " + std::string(9000, 'x'), "HTTP/1.1 400 ", "cannot be read"},
    };
    for (const auto& wrong : all) {
        CAPTURE(wrong.sent.substr(0, 200));
        Machine server = make_machine(EngineRole::server, with_web_socket(server_options()));
        feed(server, wrong.sent);
        CHECK(output(server).starts_with(wrong.answer));
        REQUIRE(server.failure());
        CHECK(server.failure()->code == Errc::web_socket_failed);
        CHECK(contains(server.failure()->text, wrong.text));
        CHECK(server.closed());
    }
    auto open_to_pages = with_web_socket(server_options());
    open_to_pages.web_socket.origins = {"https://elsewhere.test"};
    Machine server = make_machine(EngineRole::server, open_to_pages);
    feed(server, request("Host", "Origin: https://elsewhere.test"));
    CHECK(output(server).starts_with("HTTP/1.1 101 "));
}

TEST_CASE("answers that are none to our request are told with what to change") {
    struct Wrong {
        std::string_view answer;
        std::string_view text;
    };
    for (const Wrong& wrong :
         {Wrong{"HTTP/1.1 404 Not Found\r\n\r\n", "web_socket.path"},
          {"HTTP/1.1 401 Unauthorized\r\n\r\n", "web_socket.headers"},
          {"HTTP/1.1 200 OK\r\n\r\n", "may do none on this port"},
          {"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "none to ours"},
          {"AMQP\0\1\0\0"sv, "it says AMQP 1.0.0"},
          {"SSH-2.0-server\r\n", "SSH"}}) {
        CAPTURE(wrong.answer);
        Machine client = asking();
        output(client);
        feed(client, wrong.answer);
        CHECK(contains(failure_of(client), wrong.text));
        CHECK(client.failure()->code == Errc::web_socket_failed);
    }
    Machine client = asking();
    output(client);
    client.end_of_input();
    CHECK(contains(failure_of(client), "before it answered our WebSocket request"));
}

TEST_CASE("the sub-protocol, the host and more fields of the request are the user's to choose") {
    auto options = with_web_socket(client_options());
    options.web_socket.subprotocol = "AMQPWSB10";
    options.web_socket.host = "front.test:8080";
    options.web_socket.path = "/$servicebus/websocket";
    options.web_socket.headers = {{"X-Token", "abc"}};
    Machine client = asking(options);
    const std::string asked = output(client);
    CHECK(asked.starts_with("GET /$servicebus/websocket HTTP/1.1\r\nHost: front.test:8080\r\n"));
    CHECK(contains(asked, "Sec-WebSocket-Protocol: AMQPWSB10\r\n"));
    CHECK(contains(asked, "\r\nX-Token: abc\r\n"));
    auto broken = with_web_socket(client_options());
    broken.web_socket.headers = {{"X-Token", "abc\r\nHost: evil"}};
    CHECK(contains(validate(broken).error(), "web_socket.headers"));
    broken.web_socket = {.path = "no slash"};
    CHECK(contains(validate(broken).error(), "web_socket.path"));
}

TEST_CASE("octets are AMQP's however the messages are cut, and pings between them are answered") {
    Machine server = upgraded();
    feed(server, frame(0x02, amqp_header.substr(0, 3)));  // a binary message in three fragments
    feed(server, frame(0x89, "are you there"));
    feed(server, frame(0x00, amqp_header.substr(3, 1)));
    feed(server, frame(0x80, amqp_header.substr(4)));
    const std::string answer = output(server);
    CHECK(answer.starts_with("\x8a\x0d"s + "are you there"));
    CHECK(contains(answer, amqp_header));
    CHECK_FALSE(server.failure());
    feed(server, frame(0x82, ""));  // an empty message is none of AMQP's business
    CHECK_FALSE(server.failure());
}

TEST_CASE("what breaks the WebSocket protocol ends the connection and says so") {
    struct Wrong {
        std::string octets;
        std::string close;
        std::string text;
    };
    for (const Wrong& wrong :
         {Wrong{frame(0x81, "text"), "\x88\x02\x03\xeb", "text message"},
          {"\x82\x04"
           "AMQP"s,
           "\x88\x02\x03\xea", "broke the WebSocket protocol"},                       // not masked
          {frame(0xc2, "AMQP"), "\x88\x02\x03\xea", "broke the WebSocket protocol"},  // a reserved bit
          {frame(0x83, "AMQP"), "\x88\x02\x03\xea", "broke the WebSocket protocol"},  // no opcode
          {frame(0x00, "AMQP"), "\x88\x02\x03\xea", "broke the WebSocket protocol"},  // goes on with nothing
          {frame(0x09, "ping"), "\x88", "broke the WebSocket protocol"}}) {
        CAPTURE(wrong.text, to_hex(codec::as_bytes(wrong.octets)));
        Machine server = upgraded();
        feed(server, wrong.octets);
        const std::string said = output(server);
        CAPTURE(to_hex(codec::as_bytes(said)));
        CHECK(contains(said, wrong.close));
        REQUIRE(server.failure());
        CHECK(server.failure()->code == Errc::web_socket_failed);
        CHECK(contains(server.failure()->text, wrong.text));
    }
}

TEST_CASE("a WebSocket's close is the end of the stream") {
    Machine server = upgraded();
    feed(server, frame(0x82, amqp_header) + frame(0x88, "\x03\xe8"));
    CHECK(output(server) == "\x88\x02\x03\xe8"sv);  // and nothing behind it
    REQUIRE(server.failure());
    CHECK(server.failure()->code == Errc::connection_lost);
    CHECK(server.closed());
}

TEST_CASE("a message that announces more than will ever come costs nothing") {
    Machine server = upgraded();
    feed(server, "\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00"s + "\0\0\0\0"s + std::string(amqp_header));
    CHECK(contains(output(server), amqp_header));
    CHECK_FALSE(server.failure());
}

TEST_CASE("a peer who pings without reading is not read from for ever") {
    Machine server = upgraded();
    std::string pings;
    for (int i = 0; i < 100; ++i) pings += frame(0x89, std::string(100, 'p'));
    std::size_t fed = 0;
    for (int i = 0; i < 1000; ++i) fed += server.feed(codec::as_bytes(pings));
    CHECK(fed < 1024 * 1024);
}

// --- proxies
// -----------------------------------------------------------------------------------------------------------

namespace {

ConnectionOptions with_proxy(ConnectionOptions options) {
    options.proxy.host = "proxy.test";
    options.proxy.server = "host.test:5672";
    return options;
}

}  // namespace

TEST_CASE("a proxy is asked for the way and then is out of the way") {
    Machine client = asking(with_proxy(client_options()));
    CHECK(output(client) == "CONNECT host.test:5672 HTTP/1.1\r\nHost: host.test:5672\r\n\r\n");
    for (const char c : "HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 Connection established\r\nVia: it\r\n\r\n"s)
        feed(client, std::string_view(&c, 1));
    CHECK(output(client).starts_with(amqp_header));
    feed(client, amqp_header);
    CHECK_FALSE(client.failure());
}

TEST_CASE("a proxy is told a name where there is one, and TLS and WebSocket go through it") {
    auto options = TlsPair::with(with_proxy(with_web_socket(client_options())), TlsContext::make_client(tls_client()));
    options.proxy.username = "Aladdin";
    options.proxy.password = "open sesame";
    TlsPair pair(options, TlsPair::with(with_web_socket(server_options()), TlsContext::make_server(tls_server())));
    const std::string asked = output(pair.client);
    CHECK(contains(asked, "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    feed(pair.client, "HTTP/1.0 200 OK\r\n\r\n");
    REQUIRE(pair.open());
    exchange(pair, {1, 70000});
}

TEST_CASE("what a proxy answers instead is told, and nothing was sent to it") {
    struct Wrong {
        std::string_view answer;
        std::string_view text;
    };
    for (const Wrong& wrong :
         {Wrong{"HTTP/1.1 407 Who are you\r\n\r\n", "proxy.username"},
          {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "\"HTTP/1.1 502 Bad Gateway\" when asked for host.test:5672"},
          {"AMQP\0\1\0\0\n"sv, "does not speak HTTP"}}) {
        CAPTURE(wrong.answer);
        Machine client = asking(with_proxy(client_options()));
        output(client);
        feed(client, wrong.answer);
        const std::string said = output(client);
        CHECK_FALSE(contains(said, "AMQP"));
        CHECK(contains(failure_of(client), wrong.text));
        CHECK(client.failure()->code == Errc::proxy_failed);
    }
    Machine client = asking(with_proxy(client_options()));
    output(client);
    client.end_of_input();
    CHECK(contains(failure_of(client), "before the proxy proxy.test:8080 had answered"));
}

TEST_CASE("a proxy on this machine does not make the way to the server private") {
    auto options = with_proxy(client_options());
    options.sasl.username = "guest";
    options.sasl.password = "guest";
    Machine client = make_machine(EngineRole::client, options, true);
    static_cast<void>(client->open());
    output(client);
    feed(client, "HTTP/1.1 200 OK\r\n\r\n");
    output(client);
    feed(client, "AMQP\3\1\0\0"sv);
    feed(client, codec::as_text(codec::encode_frame(0, codec::SaslMechanisms{{codec::Symbol("PLAIN")}}).span()));
    REQUIRE(client.failure());
    CHECK(client.failure()->code == Errc::cleartext_refused);
}
