#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "stack/engines.hpp"

using namespace aprotic;
using namespace aprotic::test;
using namespace std::string_view_literals;
using codec::Role;
using engine::EngineRole;
using peer::check_failures;
using peer::check_splits;
using peer::Plan;

// Each case breaks one rule, once towards a server and once towards a client, with the stream whole, cut at every octet
// and broken at every step. What must follow is the frame with the right condition, and an end told to the application.

namespace {

template <class Script>
void check_both_roles(Script script) {
    const auto server = [&](Plan& plan) {
        ServerStage stage(plan);
        script(stage);
    };
    const auto client = [&](Plan& plan) {
        ClientStage stage(plan);
        script(stage);
    };
    check_splits(server);
    check_failures(server);
    check_splits(client);
    check_failures(client);
}

/// A link on which the engine receives, with `credit`; attached by the engine, so that both roles do the same.
engine::LinkId receiving_link(Stage& stage, engine::SessionId session, std::uint32_t credit) {
    engine::LinkOptions options;
    options.name = "in";
    options.role = Role::receiver;
    options.source.emplace();
    options.target = codec::AttachTarget(codec::Target{});
    const auto link = stage.engine->attach(session, options).value();
    stage.peer.expect_attach().respond();
    stage.engine.skip_to_event<engine::LinkOpened>();
    if (credit > 0) {
        REQUIRE(stage.engine->set_credit(link, credit));
        stage.peer.expect_flow().with(&codec::Flow::link_credit, credit);
    }
    return link;
}

void expect_close_and_end(Stage& stage, std::string_view condition) {
    stage.peer.expect_close(condition);
    // Not answered by a close: after a framing error nobody could tell where that frame begins.
    stage.peer.end_of_stream();
    stage.peer.expect_end_of_stream();
    stage.engine.skip_to_event<engine::ConnectionEnded>();
    REQUIRE(stage.engine.failure());
    CHECK(stage.engine.failure()->code == engine::Errc::protocol_violation);
    REQUIRE(stage.engine.failure()->condition);
    CHECK(stage.engine.failure()->condition->condition == condition);
}

}  // namespace

TEST_CASE("a frame larger than agreed is refused on sight of its size", "[2.7.1-i]") {
    check_both_roles([](auto& stage) {
        // 65537 octets announced, one more than our open allows; none of the rest follows.
        stage.peer.send_raw("\0\1\0\1\2\0\0\0"sv);
        expect_close_and_end(stage, codec::condition::framing_error);
    });
}

TEST_CASE("a frame smaller than its header is refused", "[2.3-b] [2.3-c] [2.3-d]") {
    for (const auto octets :
         {"\0\0\0\7\2\0\0\0"sv, "\0\0\0\0\2\0\0\0"sv, "\0\0\0\x08\1\0\0\0"sv, "\0\0\0\x08\3\0\0\0"sv}) {
        check_both_roles([octets](auto& stage) {
            stage.peer.send_raw(octets);
            expect_close_and_end(stage, codec::condition::framing_error);
        });
    }
}

TEST_CASE("a SASL frame after the AMQP header is refused", "[2.3-f] [2.3-g]") {
    check_both_roles([](auto& stage) {
        stage.peer.send_raw(peer::sasl_outcome(codec::SaslCode::ok).encode(0).span());
        expect_close_and_end(stage, codec::condition::framing_error);
    });
}

TEST_CASE("a protocol header where a frame is due is refused", "[2.2-n]") {
    check_both_roles([](auto& stage) {
        stage.peer.send_header();
        expect_close_and_end(stage, codec::condition::framing_error);
    });
}

TEST_CASE("garbage is refused", "[2.3-b]") {
    check_both_roles([](auto& stage) {
        stage.peer.send_raw(std::string(64, '\xff'));
        expect_close_and_end(stage, codec::condition::framing_error);
    });
}

TEST_CASE("a performative that does not decode is refused", "[2.3.2-a]") {
    check_both_roles([](auto& stage) {
        // A flow whose list says it is longer than the frame.
        stage.peer.send_raw("\0\0\0\x0e\2\0\0\0\0\x53\x13\xc0\x20\4"sv);
        expect_close_and_end(stage, codec::condition::decode_error);
    });
}

TEST_CASE("a transfer on a channel without session is refused", "[2.5.5]") {
    check_both_roles([](auto& stage) {
        stage.peer.send(peer::transfer(0).on_channel(9).delivery_id(0).delivery_tag("t").payload("x"));
        stage.peer.expect_close()
            .with([](const auto& c) { return c.error.has_value(); }, "a close with an error")
            .respond();
        stage.peer.expect_end_of_stream();
        CHECK(stage.engine.failure()->code == engine::Errc::protocol_violation);
    });
}

TEST_CASE("a transfer on a handle without link ends the session and no more", "[2.6.2]") {
    check_both_roles([](auto& stage) {
        stage.peer.send(peer::transfer(7).delivery_id(0).delivery_tag("t").payload("x"));
        stage.peer.expect_end(codec::condition::unattached_handle).respond();
        const auto ended = stage.engine.template skip_to_event<engine::SessionEnded>();
        CHECK(ended.session == stage.session);
        REQUIRE(ended.error);
        CHECK(ended.error->condition == codec::condition::unattached_handle);
        stage.peer.expect_nothing();
        // The connection takes another session.
        REQUIRE(stage.engine->begin());
        stage.peer.expect_begin().respond();
    });
}

TEST_CASE("a transfer without credit detaches the link and no more", "[2.6.7]") {
    check_both_roles([](auto& stage) {
        const auto link = receiving_link(stage, stage.session, 1);
        stage.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").settled().payload("x"));
        stage.engine.template expect_event<engine::DeliveryReceived>();
        stage.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("b").settled().payload("x"));
        stage.peer.expect_detach(codec::condition::transfer_limit_exceeded).respond();
        const auto detached = stage.engine.template skip_to_event<engine::LinkDetached>();
        CHECK(detached.link == link);
        REQUIRE(detached.error);
        CHECK(detached.error->condition == codec::condition::transfer_limit_exceeded);
        stage.peer.expect_nothing();
    });
}

TEST_CASE("a transfer beyond the session window ends the session", "[2.5.6]") {
    const auto options = [](engine::ConnectionOptions with) {
        with.limits.incoming_window = 1;
        return with;
    };
    const auto script = [](auto& stage) {
        receiving_link(stage, stage.session, 10);
        // Two frames in one write, before the engine could open its window again.
        stage.peer.send_together(peer::transfer(0).delivery_id(0).delivery_tag("a").more().payload("x"),
                                 peer::transfer(0).more().payload("y"), peer::transfer(0).payload("z"));
        stage.peer.skip_flows = true;
        stage.peer.expect_end(codec::condition::window_violation);
    };
    Plan first;
    ServerStage server(first, options(server_options()));
    script(server);
    Plan second;
    ClientStage client(second, options(client_options()));
    script(client);
}

TEST_CASE("a message larger than the link allows detaches the link", "[2.7.3]") {
    const auto script = [](auto& stage) {
        receiving_link(stage, stage.session, 10);
        stage.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").payload(std::string(101, 'x')));
        stage.peer.expect_detach(codec::condition::message_size_exceeded).respond();
        stage.peer.expect_nothing();
    };
    const auto small = [](engine::ConnectionOptions with) {
        with.limits.message_size_max = 100;
        return with;
    };
    const auto server = [&](Plan& plan) {
        ServerStage stage(plan, small(server_options()));
        script(stage);
    };
    const auto client = [&](Plan& plan) {
        ClientStage stage(plan, small(client_options()));
        script(stage);
    };
    check_splits(server);
    check_failures(server);
    check_splits(client);
    check_failures(client);
}

TEST_CASE("an open larger than every peer must take is refused", "[2.4.1-e]") {
    const auto script = [](Plan& plan) {
        Stage stage(EngineRole::server, server_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.send_header();
        stage.peer.expect_header();
        stage.peer.send_raw("\x7f\xff\xff\xff\2\0\0\0"sv);
        stage.peer.expect_open();
        stage.peer.expect_close(codec::condition::framing_error);
        stage.peer.end_of_stream();
        stage.peer.expect_end_of_stream();
    };
    check_splits(script);
    check_failures(script);
}

TEST_CASE("a frame before open is refused", "[2.4.1-a]") {
    const auto script = [](Plan& plan) {
        Stage stage(EngineRole::server, server_options(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.send_header();
        stage.peer.expect_header();
        stage.peer.expect_open();
        stage.peer.send(peer::begin());
        stage.peer.expect_close().with([](const auto& c) { return c.error.has_value(); }, "a close with an error");
        stage.peer.end_of_stream();
        stage.peer.expect_end_of_stream();
        CHECK(stage.engine.failure()->code == engine::Errc::protocol_violation);
    };
    check_splits(script);
    check_failures(script);
}
