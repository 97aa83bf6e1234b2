#include <chrono>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "stack/engines.hpp"

using namespace aprotic;
using namespace aprotic::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;
using codec::ProtocolId;
using engine::EngineRole;
using engine::Errc;
using peer::check_failures;
using peer::check_splits;
using peer::Plan;

namespace {

engine::ConnectionOptions guest_options() {
    auto options = client_options();
    options.sasl.username = "guest";
    options.sasl.password = "guest";
    return options;
}

/// Runs the script whole, cut at every octet and broken at every step.
template <class Script>
void check_all(Script script) {
    check_splits(script);
    check_failures(script);
}

engine::Failure failure_of(Stage& stage) {
    const auto ended = stage.engine.skip_to_event<engine::ConnectionEnded>();
    REQUIRE(ended.failure);
    CHECK(stage.engine.closed());
    return *ended.failure;
}

}  // namespace

// --- client --------------------------------------------------------------------------------------------------------

TEST_CASE("a client without credentials says the AMQP header and open at once", "[2.2-a] [2.2-b] [2.4.1-a]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::client, client_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header();
        stage.peer.expect_open().with(&codec::Open::container_id, "client").on_channel(0);
        stage.engine.expect_no_event();
        stage.peer.send_header();
        const auto who = stage.engine.expect_event<engine::Authenticated>().identity;
        CHECK(who.mechanism.empty());
        stage.peer.send(peer::open().container_id("elsewhere"));
        const auto opened = stage.engine.expect_event<engine::ConnectionOpened>();
        CHECK(opened.remote.container_id == "elsewhere");
        stage.engine->close();
        stage.peer.expect_close().respond();
        const auto ended = stage.engine.skip_to_event<engine::ConnectionEnded>();
        CHECK_FALSE(ended.failure);
        stage.peer.expect_end_of_stream();
    });
}

TEST_CASE("a client with a user name goes through SASL", "[5.3-a] [5.3.3-e]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::client, guest_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(ProtocolId::sasl).respond();
        stage.peer.expect_nothing();
        stage.peer.send(peer::sasl_mechanisms({"PLAIN", "ANONYMOUS"}));
        stage.peer.expect(peer::sasl_init("PLAIN").initial_response("\0guest\0guest"sv));
        stage.peer.send(peer::sasl_outcome(codec::SaslCode::ok));
        stage.peer.expect_header().respond();
        stage.peer.expect_open().respond();
        const auto who = stage.engine.expect_event<engine::Authenticated>().identity;
        CHECK(who.user == "guest");
        stage.engine.expect_event<engine::ConnectionOpened>();
        stage.engine->close();
        stage.peer.expect_close().respond();
        const auto ended = stage.engine.skip_to_event<engine::ConnectionEnded>();
        CHECK_FALSE(ended.failure);
    });
}

TEST_CASE("a server that insists on SASL is named with the option that helps", "[2.2-j]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::client, client_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header();
        stage.peer.expect_open();
        stage.peer.send_header(ProtocolId::sasl);
        stage.peer.expect_end_of_stream();
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::header_mismatch);
        CHECK(contains(failure.text, "sasl.enabled"));
    });
}

TEST_CASE("a client names what it hears instead of AMQP", "[2.2-j]") {
    const auto text = [](std::string_view octets, bool then_end) {
        std::string said;
        check_splits([&](Plan& plan) {
            Stage stage(EngineRole::client, client_options(), plan);
            static_cast<void>(stage.engine->open());
            stage.peer.expect_header();
            stage.peer.expect_open();
            stage.peer.send_raw(octets);
            if (then_end) stage.peer.end_of_stream();
            stage.peer.expect_end_of_stream();
            const auto failure = failure_of(stage);
            CHECK(failure.code == Errc::header_mismatch);
            said = failure.text;
        });
        return said;
    };
    CHECK(contains(text("HTTP/1.1 400 Bad Request\r\n\r\n", false), "HTTP"));
    CHECK(contains(text("AMQP\0\0\x09\x01"sv, false), "AMQP 0-9-1"));
    CHECK(contains(text("\x15\x03\x01\x00\x02\x02\x46"sv, true), "TLS"));
}

TEST_CASE("a refused password ends the connection and is told apart from other failures", "[5.3.3-f]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::client, guest_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"PLAIN"}));
        stage.peer.expect_sasl_init();
        stage.peer.send(peer::sasl_outcome(codec::SaslCode::auth));
        stage.peer.expect_end_of_stream();
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::authentication_failed);
        CHECK(failure.initiator == engine::Initiator::peer);
        CHECK(contains(failure.text, "'guest'"));
    });
}

TEST_CASE("a password is not sent over a stream that others can read", "[5.3.2-f]") {
    Plan plan;
    Stage stage(EngineRole::client, guest_options(), plan, false);
    static_cast<void>(stage.engine->open());
    stage.peer.expect_header(ProtocolId::sasl).respond();
    stage.peer.send(peer::sasl_mechanisms({"PLAIN"}));
    stage.peer.expect_end_of_stream();
    CHECK(failure_of(stage).code == Errc::cleartext_refused);
}

TEST_CASE("a stream that ends before open says how far it came and what the cause may be", "[2.4.6-c]") {
    Plan plan;
    auto options = guest_options();
    options.hostname = "vhost:shop";
    SECTION("before any answer") {
        Stage stage(EngineRole::client, client_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header();
        stage.peer.expect_open();
        stage.peer.end_of_stream();
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::connection_lost);
        CHECK(contains(failure.text, "sasl.enabled"));
    }
    SECTION("in the middle of authentication") {
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"PLAIN"}));
        stage.peer.expect_sasl_init();
        stage.peer.end_of_stream();
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::connection_lost);
        CHECK(contains(failure.text, "'guest'"));
        CHECK(contains(failure.text, "sasl.password"));
    }
    SECTION("in place of open") {
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"PLAIN"}));
        stage.peer.expect_sasl_init();
        stage.peer.send(peer::sasl_outcome(codec::SaslCode::ok));
        stage.peer.expect_header().respond();
        stage.peer.expect_open();
        stage.peer.end_of_stream();
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::connection_lost);
        CHECK(contains(failure.text, "'vhost:shop'"));
        CHECK(contains(failure.text, "frame_size_max"));
        CHECK_FALSE(contains(failure.text, "password"));
    }
}

TEST_CASE("a handshake that does not go on is given up after the connect time-out", "[2.2-m] [5.3.3-k]") {
    Plan plan;
    auto options = guest_options();
    options.connect_timeout = 3s;
    const auto check = [](Stage& stage) {
        stage.engine.pass(2999ms);
        CHECK_FALSE(stage.engine.closed());
        stage.engine.pass(1ms);
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::connect_timed_out);
        return failure.text;
    };
    SECTION("a client with a silent server") {
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(ProtocolId::sasl);
        CHECK(contains(check(stage), "connect_timeout"));
    }
    SECTION("a client whose server stops in SASL") {
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"PLAIN"}));
        stage.peer.expect_sasl_init();
        CHECK(contains(check(stage), "'guest'"));
    }
    SECTION("a server with half a header") {
        auto ours = server_options();
        ours.connect_timeout = 3s;
        Stage stage(EngineRole::server, ours, plan);
        stage.peer.send_raw("AMQP\0\1\0"sv);
        check(stage);
    }
    SECTION("a server with a client that stops in SASL") {
        auto ours = server_options();
        ours.connect_timeout = 3s;
        Stage stage(EngineRole::server, ours, plan);
        stage.peer.send_header(ProtocolId::sasl);
        stage.peer.expect_header(ProtocolId::sasl);
        stage.peer.expect_sasl_mechanisms();
        check(stage);
    }
    SECTION("a server whose client never opens") {
        auto ours = server_options();
        ours.connect_timeout = 3s;
        Stage stage(EngineRole::server, ours, plan);
        stage.peer.send_header();
        stage.peer.expect_header();
        check(stage);
    }
}

// --- server --------------------------------------------------------------------------------------------------------

TEST_CASE("a server takes clients with and without SASL", "[2.2-d] [5.3-a]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::server, server_options(), plan);
        stage.peer.send_header();
        stage.peer.expect_header();
        stage.peer.send(peer::open());
        const auto who = stage.engine.expect_event<engine::Authenticated>().identity;
        CHECK(who.mechanism.empty());
        stage.engine.expect_event<engine::ConnectionOpened>();
        static_cast<void>(stage.engine->open());
        stage.peer.expect_open();
    });
    check_all([](Plan& plan) {
        Stage stage(EngineRole::server, server_options(), plan);
        stage.peer.send_header(ProtocolId::sasl);
        stage.peer.expect_header(ProtocolId::sasl);
        stage.peer.expect_sasl_mechanisms();
        stage.peer.send(peer::sasl_init("PLAIN").initial_response("\0guest\0guest"sv));
        stage.peer.expect(peer::sasl_outcome(codec::SaslCode::ok));
        const auto who = stage.engine.expect_event<engine::Authenticated>().identity;
        CHECK(who.user == "guest");
        CHECK(who.mechanism == "PLAIN");
        stage.peer.expect_nothing();
        stage.peer.send_header();
        stage.peer.expect_header();
        static_cast<void>(stage.engine->open());
        stage.peer.send(peer::open());
        stage.peer.expect_open();
    });
}

TEST_CASE("everything up to the first session may come in one write", "[2.4.2-a] [2.4.2-c] [2.4.2-d]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::server, server_options(), plan);
        static_cast<void>(stage.engine->open());
        std::string octets;
        const auto add = [&](std::span<const std::byte> more) { octets += codec::as_text(more); };
        add(codec::ProtocolHeader(ProtocolId::sasl).serialise());
        add(peer::sasl_init("ANONYMOUS").encode(0).span());
        add(codec::ProtocolHeader(ProtocolId::amqp).serialise());
        add(peer::open().encode(0).span());
        add(peer::begin().encode(0).span());
        stage.peer.send_raw(octets);
        stage.peer.expect_header(ProtocolId::sasl);
        stage.peer.expect_sasl_mechanisms();
        stage.peer.expect(peer::sasl_outcome(codec::SaslCode::ok));
        stage.peer.expect_header();
        stage.peer.expect_open();
        stage.peer.expect_begin();
        stage.engine.expect_event<engine::Authenticated>();
        stage.engine.expect_event<engine::ConnectionOpened>();
        stage.engine.expect_event<engine::SessionOpened>();
    });
}

TEST_CASE("a server refuses a wrong password and answers nothing behind it", "[5.3.3-d] [5.3.3-f]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::server, server_options(), plan);
        stage.peer.send_header(ProtocolId::sasl);
        stage.peer.expect_header(ProtocolId::sasl);
        stage.peer.expect_sasl_mechanisms();
        stage.peer.send(peer::sasl_init("PLAIN").initial_response("\0guest\0wrong"sv));
        stage.peer.expect(peer::sasl_outcome(codec::SaslCode::auth));
        stage.peer.expect_end_of_stream();
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::authentication_failed);
        CHECK_FALSE(contains(failure.text, "wrong"));
    });
}

TEST_CASE("a server says the header it would take before it closes", "[2.2-e] [2.2-g] [2.2-h]") {
    const auto refuse = [](const engine::ConnectionOptions& options, std::string_view octets, ProtocolId answer) {
        check_all([&](Plan& plan) {
            Stage stage(EngineRole::server, options, plan);
            stage.peer.send_raw(octets);
            stage.peer.expect_header(answer);
            stage.peer.expect_end_of_stream();
            CHECK(failure_of(stage).code == Errc::header_mismatch);
        });
    };
    refuse(server_options(), "AMQP\0\0\x09\x01"sv, ProtocolId::amqp);
    refuse(server_options(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"sv, ProtocolId::amqp);
    refuse(server_options(), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv, ProtocolId::amqp);
    auto insisting = server_options();
    insisting.sasl_server.required = true;
    refuse(insisting, "AMQP\0\1\0\0"sv, ProtocolId::sasl);
    auto plain = server_options();
    plain.sasl_server.offer = false;
    refuse(plain, "AMQP\3\1\0\0"sv, ProtocolId::amqp);
}

TEST_CASE("no performative runs before authentication is over", "[5.3.3-l]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::server, server_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.send_header(ProtocolId::sasl);
        stage.peer.expect_header(ProtocolId::sasl);
        stage.peer.expect_sasl_mechanisms();
        stage.peer.send_header();
        stage.peer.expect_end_of_stream();
        CHECK(failure_of(stage).code == Errc::protocol_violation);
    });
}

TEST_CASE("an unauthenticated peer cannot make a server hold more than a frame", "[5.3-f]") {
    Plan plan;
    Stage stage(EngineRole::server, server_options(), plan);
    stage.peer.send_header(ProtocolId::sasl);
    stage.peer.expect_header(ProtocolId::sasl);
    stage.peer.expect_sasl_mechanisms();
    // A header that announces 2 GiB.
    stage.peer.send_raw("\x80\0\0\0\2\1\0\0"sv);
    stage.peer.expect_end_of_stream();
    CHECK(failure_of(stage).code == Errc::protocol_violation);
}

TEST_CASE("the trace sees headers and frames of both directions, but no secret") {
    struct Recorder final : engine::TraceSink {
        void frame(bool outgoing, std::span<const std::byte> bytes) override {
            (outgoing ? out : in) += codec::as_text(bytes);
            ++frames;
        }
        std::string out;
        std::string in;
        int frames = 0;
    };
    Recorder recorder;
    Plan plan;
    auto options = guest_options();
    options.sasl.password = "hunter2";
    Stage stage(EngineRole::client, options, plan);
    stage.engine->set_trace(&recorder);
    static_cast<void>(stage.engine->open());
    stage.peer.expect_header(ProtocolId::sasl).respond();
    stage.peer.send(peer::sasl_mechanisms({"PLAIN"}));
    stage.peer.expect_sasl_init();
    stage.peer.send(peer::sasl_outcome(codec::SaslCode::ok));
    stage.peer.expect_header().respond();
    stage.peer.expect_open().respond();
    CHECK(recorder.frames == 9);
    CHECK(contains(recorder.out, "AMQP\3\1\0\0"sv));
    CHECK(contains(recorder.out, "AMQP\0\1\0\0"sv));
    CHECK(contains(recorder.out, "PLAIN"));
    CHECK(contains(recorder.out, "client"));
    CHECK(contains(recorder.in, "peer"));
    CHECK_FALSE(contains(recorder.out, "hunter2"));
}
