// What has told a secret is overwritten before its memory is given back: operator delete looks.
#include <catch2/catch.hpp>

#include "engine/pair.hpp"
#include "stack/tls_pair.hpp"

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace {

// Longer than what a string keeps within itself.
constexpr char secret[] = "planted-53cr3t-that-no-block-may-have-when-it-is-freed";
// The same as HTTP's Basic says it, behind "me:".
constexpr char encoded_secret[] = "bWU6cGxhbnRlZC01M2NyM3QtdGhhdC1uby1ibG9jay1tYXktaGF2ZS13aGVuLWl0LWlzLWZyZWVk";
thread_local bool watching = false;
thread_local int found = 0;

void release(void* p) noexcept {
    if (p == nullptr) return;
    const auto has = [p](const char* text, std::size_t size) {
        return ::memmem(p, malloc_usable_size(p), text, size) != nullptr;
    };
    if (watching && (has(secret, sizeof secret - 1) || has(encoded_secret, sizeof encoded_secret - 1))) ++found;
    std::free(p);
}

void* allocate(std::size_t size) {
    if (void* p = std::calloc(1, size != 0 ? size : 1)) return p;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::calloc(1, size != 0 ? size : 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::calloc(1, size != 0 ? size : 1); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }

using namespace aprotic;
using namespace aprotic::test;
using engine::EngineRole;

namespace {

#ifdef APROTIC_TEST_WITH_CYRUS
constexpr const char* mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5"};
#else
constexpr const char* mechanisms[] = {"PLAIN"};
#endif

/// Counts the blocks that were freed with the secret in them.
struct Watch {
    Watch() {
        found = 0;
        watching = true;
    }
    ~Watch() { watching = false; }
    int end() const {
        watching = false;
        return found;
    }
};

engine::ConnectionOptions with_password() {
    auto options = client_options();
    options.sasl.username = "me";
    options.sasl.password = secret;
    return options;
}

engine::ConnectionOptions knowing(bool right) {
    auto options = server_options();
    options.sasl_server.verify_password = nullptr;
    options.sasl_server.password_of = [right](std::string_view) {
        return std::optional<std::string>(right ? secret : "another");
    };
    return options;
}

/// The octets between the two are the test's own, and so is what it gives as options.
int freed_with_secret(const engine::ConnectionOptions& client_with, const engine::ConnectionOptions& server_with,
                      bool succeeds) {
    std::vector<std::vector<std::byte>> crossed;
    const Watch watch;
    {
        auto client = std::make_unique<Machine>(make_machine(EngineRole::client, client_with));
        auto server = std::make_unique<Machine>(make_machine(EngineRole::server, server_with));
        static_cast<void>((*client)->open());
        static_cast<void>((*server)->open());
        for (int i = 0; i < 12; ++i) {
            crossed.push_back(client->take_output(SIZE_MAX));
            server->feed(crossed.back());
            crossed.push_back(server->take_output(SIZE_MAX));
            client->feed(crossed.back());
        }
        CHECK(client->failure().has_value() == !succeeds);
    }
    return watch.end();
}

}  // namespace

TEST_CASE("the watch notices") {
    const Watch watch;
    std::make_unique<std::string>(secret).reset();
    CHECK(watch.end() == 1);
}

TEST_CASE("a password is overwritten wherever it was on its way, in both roles", "[5.3.2-f]") {
    for (const char* mechanism : mechanisms) {
        for (const bool right : {true, false}) {
            auto client = with_password();
            client.sasl.mechanisms = {mechanism};
            const auto server = knowing(right);
            INFO(mechanism << (right ? " right" : " wrong"));
            CHECK(freed_with_secret(client, server, right) == 0);
        }
    }
}

#ifdef APROTIC_TEST_WITH_CYRUS
TEST_CASE("a connection of the event layer keeps no password once it has an engine") {
    auto server = knowing(true);
    server.sasl_server.mechanisms = {"SCRAM-SHA-256"};  // streams in memory would show PLAIN
    const Watch watch;
    {
        engine::test::Pair pair(with_password(), server);
        pair.settle();
        CHECK(pair.client.is_open());
    }
    CHECK(watch.end() == 0);
}
#endif

TEST_CASE("a token is overwritten too") {
    for (const char* mechanism : {"OAUTHBEARER", "XOAUTH2"}) {
        auto client = client_options();
        client.sasl.username = "me";
        client.sasl.mechanisms = {mechanism};
        client.sasl.token = [] { return std::string(secret); };
        auto server = server_options();
        server.sasl_server.verify_token = [](std::string_view token) {
            return token == secret ? std::optional<std::string>("me") : std::nullopt;
        };
        INFO(mechanism);
        CHECK(freed_with_secret(client, server, true) == 0);
    }
}

TEST_CASE("a password that goes through TLS is overwritten on both sides of it") {
    auto client = TlsPair::with(with_password(), engine::TlsContext::make_client(tls_client()));
    client.sasl.mechanisms = {"PLAIN"};
    const auto server = TlsPair::with(knowing(true), engine::TlsContext::make_server(tls_server()));
    CHECK(freed_with_secret(client, server, true) == 0);
}

TEST_CASE("a password that goes through a WebSocket is overwritten in our buffers") {
    auto client = with_password();
    client.sasl.mechanisms = {"PLAIN"};
    client.web_socket.enabled = true;
    auto server = knowing(true);
    server.web_socket.enabled = true;
    CHECK(freed_with_secret(client, server, true) == 0);
}

TEST_CASE("the password for a proxy is overwritten when the proxy has been asked") {
    auto options = client_options();
    options.proxy.host = "proxy";
    options.proxy.server = "broker:5672";
    options.proxy.username = "me";
    options.proxy.password = secret;
    std::vector<std::byte> asked;
    const Watch watch;
    {
        auto client = std::make_unique<Machine>(make_machine(EngineRole::client, options));
        static_cast<void>((*client)->open());
        asked = client->take_output(SIZE_MAX);
        const std::string_view yes = "HTTP/1.1 200 OK\r\n\r\n";
        client->feed(codec::as_bytes(yes));
        CHECK_FALSE(client->take_output(SIZE_MAX).empty());
    }
    CHECK(watch.end() == 0);
    CHECK(codec::as_text(asked).find(encoded_secret) != std::string_view::npos);
}
