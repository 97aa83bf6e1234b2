#pragma once

#include "stack/engines.hpp"
#include "support/certificates.hpp"

#include <aprotic/engine/tls.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace aprotic::test {

inline const Authority& authority() {
    static const Authority made;
    return made;
}

inline const Identity& server_identity() {
    static const Identity made = authority().issue({.common_name = "The Server", .hosts = {"host.test", "10.1.2.3"}});
    return made;
}

inline engine::TlsOptions tls_server(const Identity& identity = server_identity()) {
    engine::TlsOptions options;
    options.certificate_pem = identity.certificate;
    options.key_pem = identity.key;
    return options;
}

inline engine::TlsOptions tls_client() {
    engine::TlsOptions options;
    options.ca_pem = authority().certificate();
    return options;
}

/// A client and a server engine whose bytes cross in pieces.
struct TlsPair {
    TlsPair(engine::ConnectionOptions client_with, engine::ConnectionOptions server_with, std::size_t piece = SIZE_MAX)
        : client(make_machine(engine::EngineRole::client, std::move(client_with), false)),
          server(make_machine(engine::EngineRole::server, std::move(server_with), false)),
          chunk(piece) {
        static_cast<void>(client->open());
        static_cast<void>(server->open());
    }
    TlsPair(const engine::TlsOptions& client_tls, const engine::TlsOptions& server_tls, std::size_t piece = SIZE_MAX)
        : TlsPair(with(client_options(), engine::TlsContext::make_client(client_tls)),
                  with(server_options(), engine::TlsContext::make_server(server_tls)), piece) {}

    static engine::ConnectionOptions with(engine::ConnectionOptions options, const engine::TlsContext::Made& made) {
        if (!made) FAIL(made.error().text);
        options.tls.context = *made;
        options.tls.server_name = "host.test";
        return options;
    }

    bool move(Machine& from, Machine& to, std::string& seen, std::string& waiting) {
        const auto bytes = from.take_output(chunk);
        seen += codec::as_text(bytes);
        waiting += codec::as_text(bytes);
        const std::size_t n = std::min(chunk, waiting.size());
        const std::size_t fed = to.feed(codec::as_bytes(std::string_view(waiting).substr(0, n)));
        waiting.erase(0, fed);
        if (waiting.empty() && from.closed() && !std::exchange(&from == &client ? client_gone : server_gone, true))
            to.end_of_input();
        return !bytes.empty() || fed > 0;
    }
    void settle() {
        for (bool moved = true; moved;) {
            moved = move(client, server, client_said, to_server);
            moved = move(server, client, server_said, to_client) || moved;
        }
    }
    bool open() {
        settle();
        return client->remote_open() != nullptr && server->remote_open() != nullptr;
    }
    std::string client_failure() {
        settle();
        return client.failure() ? client.failure()->text : "";
    }
    std::string server_failure() {
        settle();
        return server.failure() ? server.failure()->text : "";
    }

    Machine client;
    Machine server;
    std::size_t chunk;
    std::string client_said;
    std::string server_said;
    std::string to_server;
    std::string to_client;
    bool client_gone = false;
    bool server_gone = false;
};

/// Sends messages of these sizes both ways at once and checks what comes.
inline void exchange(TlsPair& pair, const std::vector<std::size_t>& sizes) {
    const auto session = pair.client->begin().value();
    const auto sending = [&](Machine& from, codec::Role role) {
        engine::LinkOptions options;
        options.name = role == codec::Role::sender ? "to" : "fro";
        options.role = role;
        options.source.emplace();
        options.target = codec::Target{};
        return from->attach(session, options).value();
    };
    const auto to = sending(pair.client, codec::Role::sender);
    const auto fro = sending(pair.client, codec::Role::receiver);
    REQUIRE(pair.client->set_credit(fro, 100));
    pair.settle();
    engine::LinkId server_receives, server_sends;
    for (int i = 0; i < 2; ++i) {
        const auto asked = pair.server.skip_to_event<engine::LinkRequested>();
        engine::LinkOptions answer;
        answer.source.emplace();
        answer.target = codec::Target{};
        REQUIRE(pair.server->accept(asked.link, answer));
        (asked.remote.name == "to" ? server_receives : server_sends) = asked.link;
    }
    REQUIRE(pair.server->set_credit(server_receives, 100));
    pair.settle();
    for (const std::size_t size : sizes) {
        const codec::Message message(std::string(size, static_cast<char>('a' + size % 26)));
        REQUIRE(pair.client->send(to, codec::encode(message), {.settled = true}));
        REQUIRE(pair.server->send(server_sends, codec::encode(message), {.settled = true}));
    }
    pair.settle();
    for (Machine* const receiver : {&pair.server, &pair.client}) {
        for (const std::size_t size : sizes) {
            const auto received = receiver->skip_to_event<engine::DeliveryReceived>();
            const auto delivery = (*receiver)->take(received.delivery).value();
            const auto expected = codec::encode(codec::Message(std::string(size, static_cast<char>('a' + size % 26))));
            CHECK(delivery.payload.size() == expected.size());
        }
    }
}

}  // namespace aprotic::test
