#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <aprotic/codec/message.hpp>
#include <catch2/catch.hpp>

#include "stack/engines.hpp"

using namespace aprotic;
using namespace aprotic::test;
using namespace std::chrono_literals;
using codec::Role;
using engine::EngineRole;
using peer::check_failures;
using peer::check_splits;
using peer::Plan;

namespace {

template <class Script>
void check_all(Script script) {
    check_splits(script);
    check_failures(script);
}

engine::LinkOptions link_to(Role role, std::string name, std::string address) {
    engine::LinkOptions options;
    options.name = std::move(name);
    options.role = role;
    options.source.emplace();
    codec::Target target;
    if (role == Role::sender) {
        target.address = std::move(address);
    } else {
        options.source->address = std::move(address);
    }
    options.target = codec::AttachTarget(std::move(target));
    return options;
}

codec::EncodedMessage text(std::string body) { return codec::encode(codec::Message(std::move(body))); }

}  // namespace

TEST_CASE("a client attaches, sends with credit and hears the outcome", "[2.6.3-a] [2.6.7-r] [2.6.12-a]") {
    check_all([](Plan& plan) {
        ClientStage stage(plan);
        auto& peer = stage.peer;
        const auto link = stage.engine->attach(stage.session, link_to(Role::sender, "out", "orders")).value();
        peer.expect_attach().with(&codec::Attach::name, "out").with(&codec::Attach::role, Role::sender).respond();
        const auto opened = stage.engine.expect_event<engine::LinkOpened>();
        CHECK(opened.link == link);

        const auto delivery = stage.engine->send(link, text("hello")).value();
        peer.expect_nothing();
        peer.send(peer::flow().next_incoming_id(0).handle(0).delivery_count(0).link_credit(1));
        const auto flowed = stage.engine.expect_event<engine::LinkFlowed>();
        CHECK(flowed.link == link);
        peer.expect_transfer()
            .with(&codec::Transfer::delivery_id, 0U)
            .with([](const auto& t) { return t.delivery_tag.has_value() && !t.more; }, "one whole delivery with a tag")
            .with_payload(text("hello").octets().to_string())
            .respond();
        const auto updated = stage.engine.expect_event<engine::DeliveryUpdated>();
        CHECK(updated.delivery == delivery);
        CHECK(updated.settled);
        REQUIRE(updated.state);
        CHECK(std::holds_alternative<codec::Accepted>(*updated.state));

        REQUIRE(stage.engine->detach(link));
        peer.expect_detach().with(&codec::Detach::closed, true).respond();
        stage.engine.expect_event<engine::LinkDetached>();
        stage.engine->close();
        peer.expect_close().respond();
        const auto ended = stage.engine.skip_to_event<engine::ConnectionEnded>();
        CHECK_FALSE(ended.failure);
        peer.expect_end_of_stream();
    });
}

TEST_CASE("a client receives a message in several frames and accepts it", "[2.6.14-a]") {
    check_all([](Plan& plan) {
        ClientStage stage(plan);
        auto& peer = stage.peer;
        const auto link = stage.engine->attach(stage.session, link_to(Role::receiver, "in", "orders")).value();
        REQUIRE(stage.engine->set_credit(link, 2));
        peer.expect_attach().with(&codec::Attach::role, Role::receiver).respond();
        stage.engine.expect_event<engine::LinkOpened>();
        peer.expect_flow().with(&codec::Flow::link_credit, 2U);

        const std::string octets = text("a message in three parts").octets().to_string();
        peer.send(
            peer::transfer(0).delivery_id(0).delivery_tag("t").message_format(0).more().payload(octets.substr(0, 9)));
        peer.send(peer::transfer(0).more().payload(octets.substr(9, 9)));
        stage.engine.expect_no_event();
        peer.send(peer::transfer(0).payload(octets.substr(18)));
        const auto received = stage.engine.expect_event<engine::DeliveryReceived>();
        CHECK(received.link == link);
        const auto delivery = stage.engine->take(received.delivery).value();
        CHECK(delivery.payload.to_string() == octets);
        CHECK(delivery.tag.text() == "t");
        REQUIRE(stage.engine->settle(received.delivery, codec::DeliveryState(codec::Accepted{})));
        peer.expect_disposition()
            .with(&codec::Disposition::role, Role::receiver)
            .with(&codec::Disposition::first, 0U)
            .with(&codec::Disposition::settled, true)
            .with(&codec::Disposition::state, codec::DeliveryState(codec::Accepted{}));
    });
}

TEST_CASE("a message larger than the peer's frames is cut up, and no frame is larger than agreed",
          "[2.7.1-h] [2.6.14-a]") {
    Plan plan;
    Stage stage(EngineRole::client, client_options(), plan);
    auto& peer = stage.peer;
    static_cast<void>(stage.engine->open());
    peer.answer_open(peer::open().max_frame_size(512));
    const auto session = stage.engine->begin().value();
    peer.expect_begin().respond();
    const auto link = stage.engine->attach(session, link_to(Role::sender, "out", "orders")).value();
    peer.expect_attach().respond();
    peer.send(peer::flow().handle(0).delivery_count(0).link_credit(1));
    const auto message = text(std::string(5000, 'x'));
    REQUIRE(stage.engine->send(link, message));
    std::string heard;
    for (bool more = true; more;) {
        const auto frame = peer.expect_transfer();  // the peer takes 512 octets and complains of more
        heard += frame.payload().text();
        more = frame->more;
    }
    CHECK(heard == message.octets().to_string());
}

TEST_CASE("a server answers session and link of a client and delivers to it", "[2.5.1-a] [2.6.3-a]") {
    check_all([](Plan& plan) {
        ServerStage stage(plan);
        auto& peer = stage.peer;
        peer.send(peer::attach(Role::receiver, 5, "in").source("orders"));
        const auto requested = stage.engine.expect_event<engine::LinkRequested>();
        CHECK(requested.session == stage.session);
        CHECK(requested.remote.name == "in");
        engine::LinkOptions ours;
        ours.source = requested.remote.source;
        ours.target = requested.remote.target;
        REQUIRE(stage.engine->accept(requested.link, ours));
        peer.expect_attach().with(&codec::Attach::name, "in").with(&codec::Attach::role, Role::sender);
        peer.send(peer::flow().handle(5).delivery_count(0).link_credit(10));
        stage.engine.skip_to_event<engine::LinkFlowed>();
        const auto delivery = stage.engine->send(requested.link, text("hello")).value();
        const auto transfer = peer.expect_transfer();
        peer.send(peer::disposition(Role::receiver, *transfer->delivery_id).settled().released());
        const auto updated = stage.engine.expect_event<engine::DeliveryUpdated>();
        CHECK(updated.delivery == delivery);
        REQUIRE(updated.state);
        CHECK(std::holds_alternative<codec::Released>(*updated.state));
        peer.send(peer::close());
        stage.engine.expect_event<engine::ConnectionClosedByPeer>();
        peer.expect_close();
        stage.engine.skip_to_event<engine::ConnectionEnded>();
        peer.expect_end_of_stream();
    });
}

TEST_CASE("a server refuses a link with a null terminus and then a detach", "[2.6.3]") {
    check_all([](Plan& plan) {
        ServerStage stage(plan);
        auto& peer = stage.peer;
        peer.send(peer::attach(Role::sender, 0, "out").target("nowhere"));
        const auto requested = stage.engine.expect_event<engine::LinkRequested>();
        REQUIRE(
            stage.engine->refuse(requested.link, peer::error_condition(codec::condition::not_found, "no such node")));
        peer.expect_attach().with([](const auto& a) { return !a.target; }, "a null target");
        peer.expect_detach(codec::condition::not_found).with(&codec::Detach::closed, true).respond();
        // The session lives on.
        peer.send(peer::end());
        stage.engine.skip_to_event<engine::SessionEnded>();
        peer.expect_end();
    });
}

TEST_CASE("an idle connection is kept up and given up", "[2.4.5-b] [2.4.5-d]") {
    Plan plan;
    auto options = client_options();
    options.idle_timeout = 4s;
    Stage stage(EngineRole::client, options, plan);
    auto& peer = stage.peer;
    static_cast<void>(stage.engine->open());
    peer.expect_header().respond();
    peer.expect_open().with(&codec::Open::idle_time_out, 2000U);
    peer.send(peer::open().idle_time_out(1000));
    for (int i = 0; i < 7; ++i) {
        peer.patience = 500ms;
        peer.expect_empty_frame();
    }
    peer.skip_empty_frames = true;
    peer.patience = 10s;
    peer.expect_close();
    stage.engine.skip_to_event<engine::ConnectionEnded>();
    REQUIRE(stage.engine.failure());
    CHECK(stage.engine.failure()->code == engine::Errc::idle_timed_out);
}

// --- both ends ours ------------------------------------------------------------------------------------------------

namespace {

/// Carries bytes between two engines, at most `chunk` at once, until neither has anything to say.
void carry(Machine& a, Machine& b, std::size_t chunk) {
    const auto carry_one = [chunk](Machine& from, Machine& to) {
        const auto octets = from.take_output(chunk);
        if (!octets.empty()) REQUIRE(to.feed(octets) == octets.size());
        return !octets.empty();
    };
    for (bool moved = true; moved;) {
        moved = carry_one(a, b);
        moved = carry_one(b, a) || moved;
    }
}

}  // namespace

TEST_CASE("two engines carry messages of all sizes in both roles", "[2.6.12-a] [2.5.6-a]") {
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, SIZE_MAX}) {
        auto client = make_machine(EngineRole::client, [] {
            auto options = client_options();
            options.sasl.username = options.sasl.password = "guest";
            options.limits.incoming_window = 3;
            return options;
        }());
        auto server = make_machine(EngineRole::server, server_options());
        static_cast<void>(client->open());
        carry(client, server, chunk);
        const auto who = server.expect_event<engine::Authenticated>().identity;
        CHECK(who.user == "guest");
        server.expect_event<engine::ConnectionOpened>();
        static_cast<void>(server->open());
        const auto session = client->begin().value();
        const auto out = client->attach(session, link_to(Role::sender, "out", "a")).value();
        const auto in = client->attach(session, link_to(Role::receiver, "in", "b")).value();
        REQUIRE(client->set_credit(in, 100));
        carry(client, server, chunk);
        engine::LinkId server_in;
        engine::LinkId server_out;
        server.skip_to_event<engine::SessionOpened>();
        for (int i = 0; i < 2; ++i) {
            const auto requested = server.expect_event<engine::LinkRequested>();
            engine::LinkOptions ours;
            ours.source = requested.remote.source;
            ours.target = requested.remote.target;
            REQUIRE(server->accept(requested.link, ours));
            (requested.remote.role == Role::sender ? server_in : server_out) = requested.link;
        }
        REQUIRE(server->set_credit(server_in, 100));
        carry(client, server, chunk);

        const std::size_t sizes[] = {0, 1, 255, 256, 5000, chunk == 1 ? std::size_t{70'000} : std::size_t{1'000'000}};
        for (const std::size_t size : sizes) {
            const auto message = text(std::string(size, 'm'));
            REQUIRE(client->send(out, message));
            REQUIRE(server->send(server_out, message));
            carry(client, server, chunk);
            for (Machine* machine : {&client, &server}) {
                const auto received = machine->skip_to_event<engine::DeliveryReceived>();
                CHECK((*machine)->take(received.delivery).value().payload == message.octets());
                REQUIRE((*machine)->settle(received.delivery, codec::DeliveryState(codec::Accepted{})));
            }
            carry(client, server, chunk);
            for (Machine* machine : {&client, &server}) {
                const auto updated = machine->skip_to_event<engine::DeliveryUpdated>();
                CHECK(updated.settled);
            }
        }
        client->close();
        carry(client, server, chunk);
        server.skip_to_event<engine::ConnectionClosedByPeer>();
        carry(client, server, chunk);
        const auto ended = client.skip_to_event<engine::ConnectionEnded>();
        CHECK_FALSE(ended.failure);
        server.skip_to_event<engine::ConnectionEnded>();
        CHECK(client.closed());
        CHECK(server.closed());
    }
}

TEST_CASE("what a peer may not be sent is refused at the call", "[2.7.1-k]") {
    Plan plan;
    Stage stage(EngineRole::client, client_options(), plan);
    static_cast<void>(stage.engine->open());
    stage.peer.answer_open(peer::open().channel_max(0));
    REQUIRE(stage.engine->begin());
    const auto second = stage.engine->begin();
    CHECK_FALSE(second);
    CHECK(second.error() == engine::Errc::limit_reached);
    CHECK_FALSE(stage.engine->status(engine::LinkId{7, 7}));
    CHECK(stage.engine->detach(engine::LinkId{}).error() == engine::Errc::no_such_endpoint);
}
