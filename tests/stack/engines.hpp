#pragma once

#include "peer/checks.hpp"
#include "peer/memory_channel.hpp"
#include "peer/peer.hpp"
#include "support/engine_machine.hpp"

#include <aprotic/engine/engine.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace aprotic::test {

using Machine = EngineMachine<engine::Engine>;

inline engine::ConnectionOptions client_options() {
    engine::ConnectionOptions options;
    options.container_id = "client";
    return options;
}

inline engine::ConnectionOptions server_options() {
    engine::ConnectionOptions options;
    options.container_id = "server";
    options.sasl_server.verify_password = [](std::string_view user, std::string_view password) {
        return user == "guest" && password == "guest";
    };
    return options;
}

inline Machine make_machine(engine::EngineRole role, engine::ConnectionOptions options, bool private_stream = true) {
    return Machine(
        [&](engine::Instant now) { return engine::Engine(role, std::move(options), now, 1, private_stream); });
}

/// An engine, and a scripted peer at the other end of its stream.
struct Stage {
    Stage(engine::EngineRole role, engine::ConnectionOptions options, peer::Plan& plan, bool private_stream = true)
        : engine(make_machine(role, std::move(options), private_stream)), channel(engine, plan), peer(channel) {}

    Machine engine;
    peer::MemoryChannel channel;
    peer::Peer peer;
};

/// A client engine with its connection open and one session begun.
struct ClientStage : Stage {
    explicit ClientStage(peer::Plan& plan, engine::ConnectionOptions options = client_options())
        : Stage(engine::EngineRole::client, std::move(options), plan) {
        static_cast<void>(engine->open());
        peer.answer_open();
        session = engine->begin().value();
        peer.expect_begin().respond();
        engine.template skip_to_event<engine::SessionOpened>();
    }
    engine::SessionId session;
};

/// A server engine with its connection open and one session begun by the peer.
struct ServerStage : Stage {
    explicit ServerStage(peer::Plan& plan, engine::ConnectionOptions options = server_options())
        : Stage(engine::EngineRole::server, std::move(options), plan) {
        static_cast<void>(engine->open());
        peer.call_open();
        peer.send(peer::begin());
        peer.expect_begin().with(&codec::Begin::remote_channel, std::uint16_t{0});
        session = engine.template skip_to_event<engine::SessionOpened>().session;
    }
    engine::SessionId session;
};

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace aprotic::test
