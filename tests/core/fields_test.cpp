// Field by field: what must be there, what may be missing, what is ignored and what is told. Sections 2.7 and 2.8.
#include "core/endpoint.hpp"
#include "core/pair.hpp"

#include <aprotic/codec/encoder.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace aprotic;
using namespace aprotic::test;
using codec::List;
using codec::Role;
using codec::Value;

namespace {

/// A performative as a list of values, so that a field can have any type or be missing.
void say(Scene& scene, std::uint64_t code, List fields, std::uint16_t channel = 0) {
    codec::Encoder body;
    encode(body, Value(codec::Described(Value(code), Value(std::move(fields)))));
    const std::size_t size = 8 + body.written().size();
    std::string frame;
    for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(size >> shift & 0xff);
    frame += std::string{2, 0, static_cast<char>(channel >> 8), static_cast<char>(channel & 0xff)};
    frame += codec::as_text(body.written());
    scene.peer.send_raw(codec::as_bytes(frame));
}

const Value null;

codec::Map strange_properties() {
    codec::Map map;
    map.append(codec::Symbol("com.example:strange"), List{Value(1), codec::Map{{"deep", Value(true)}}});
    return map;
}

/// The connection lives: a session request is answered.
void check_alive(Scene& scene, std::uint16_t channel = 0) {
    scene.peer.send(peer::flow().echo().on_channel(channel));
    scene.peer.expect_flow();
}

}  // namespace

TEST_CASE("a mandatory field that is null or missing closes the connection",
          "[2.7.1-a][2.7.2-a][2.7.3-a][2.7.4-b][2.7.6-a][2.7.7-a]") {
    namespace d = codec::descriptor;
    struct Case {
        const char* name;
        std::uint64_t code;
        List whole;
        std::vector<std::size_t> mandatory;
    };
    const std::uint32_t n = 0;
    const std::vector<Case> cases = {
        {"begin", d::begin, {null, n, n, n}, {1, 2, 3}},
        {"attach", d::attach, {Value("x"), std::uint32_t(7), true}, {0, 1, 2}},
        {"flow", d::flow, {null, n, n, n}, {1, 2, 3}},
        {"transfer", d::transfer, {n}, {0}},
        {"disposition", d::disposition, {true, n}, {0, 1}},
        {"detach", d::detach, {n}, {0}},
    };
    for (const Case& each : cases) {
        for (const std::size_t field : each.mandatory) {
            INFO(each.name << " field " << field);
            Scene scene;
            scene.receiver(scene.begin(), 10);
            List fields = each.whole;
            fields[field] = null;
            say(scene, each.code, fields, each.code == d::begin ? 5 : 0);
            const auto close = scene.peer.expect_close();
            REQUIRE(close->error);
            const std::string& got = close->error->condition.str();
            CHECK((got == condition::decode_error || got == condition::invalid_field));
        }
    }
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    scene.peer.send_header();
    say(scene, d::open, {null});
    scene.peer.expect_header();
    scene.peer.expect_open();
    CHECK(scene.peer.expect_close()->error);
}

TEST_CASE("any string names a container", "[2.7.1-b]") {
    for (const std::string& name : {std::string(), std::string(1024, 'x'), std::string("Zürich \xf0\x9f\x90\x87")}) {
        Scene scene(options(), peer::open().container_id(name));
        CHECK(scene.machine->remote_open()->container_id == name);
        scene.begin();
    }
}

TEST_CASE("an open of 512 octets is taken", "[2.4.1-d]") {
    std::string padding;
    while (peer::open().container_id(padding).encode(0).size() < 512) padding += 'x';
    const auto open = peer::open().container_id(padding);
    REQUIRE(open.encode(0).size() == 512);
    ConnectionOptions ours = options();
    ours.limits.frame_size_max = 512;
    Scene scene(ours, open);
    scene.begin();
}

TEST_CASE("a peer without a frame limit gets frames as large as we take ourselves", "[2.7.1-g][2.4.1-f]") {
    Scene scene;
    CHECK(scene.machine->remote_open()->max_frame_size == UINT32_MAX);
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 1);
    scene.machine->send(link, octets(std::string(150'000, 'x'))).value();
    std::size_t frames = 0;
    while (scene.peer.expect_transfer()->more) ++frames;
    CHECK(frames == 2);
}

TEST_CASE("what we do not know in open, begin, attach and flow changes nothing",
          "[2.7.1-n][2.7.1-q][2.7.2-f][2.7.3-q][2.7.4-h]") {
    auto open = peer::open().offers("com.example:offer").desires("com.example:wish");
    open.performative.outgoing_locales = {"de-CH"};
    open.performative.incoming_locales = {"de-CH", "fr-CH"};
    open.performative.properties = strange_properties();
    Scene scene(options(), open);
    auto begin = peer::begin();
    begin.performative.offered_capabilities = {"com.example:offer"};
    begin.performative.properties = strange_properties();
    const SessionId session = scene.begin(begin);
    const LinkId link = scene.machine->attach(session, sending()).value();
    scene.peer.expect_attach();
    auto attach = peer::attach(Role::receiver, 0, "link").offers("com.example:offer").desires("com.example:wish");
    attach.performative.properties = strange_properties();
    scene.peer.send(attach);
    CHECK(scene.machine.expect_event<LinkOpened>().remote.properties == strange_properties());
    auto flow = peer::flow().handle(0).delivery_count(0).link_credit(1);
    flow.performative.properties = strange_properties();
    scene.peer.send(flow);
    scene.machine.expect_event<LinkFlowed>();
    CHECK(scene.machine->status(link)->credit == 1);
}

TEST_CASE("we use no capability that nobody asked for", "[2.7.1-p][2.7.2-e][2.7.3-n]") {
    Scene scene(options(), peer::open(), false);
    scene.machine->open().value();
    scene.peer.send_header();
    scene.peer.expect_header();
    const auto open = scene.peer.expect_open();
    CHECK(open->offered_capabilities.empty());
    CHECK(open->desired_capabilities.empty());
    CHECK(open->properties.empty());
    scene.peer.send(peer::open());
    scene.machine.expect_event<ConnectionOpened>();
    const SessionId session = scene.machine->begin().value();
    const auto begin = scene.peer.expect_begin();
    CHECK(begin->offered_capabilities.empty());
    CHECK(begin->properties.empty());
    scene.machine->attach(session, sending()).value();
    const auto attach = scene.peer.expect_attach();
    CHECK(attach->offered_capabilities.empty());
    CHECK(attach->desired_capabilities.empty());
}

TEST_CASE("handles need not be dense", "[2.7.2-d][2.6.2-a]") {
    ConnectionOptions ours = options();
    ours.limits.handle_max = UINT32_MAX;
    Scene scene(ours);
    scene.begin();
    scene.peer.send(peer::attach(Role::sender, UINT32_MAX, "far"));
    const LinkId link = scene.machine.expect_event<LinkRequested>().link;
    scene.machine->accept(link, receiving("far")).value();
    scene.machine->set_credit(link, 1).value();
    CHECK(scene.peer.expect_attach()->handle == 0);  // the lowest of ours [2.6.2-f]
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(UINT32_MAX).delivery_id(0).delivery_tag("t").payload("m"));
    CHECK(octets_of(scene.receive()) == "m");
}

TEST_CASE("the lowest free handle is used", "[2.6.2-f]") {
    Scene scene;
    const SessionId session = scene.begin();
    scene.sender(session, "a");
    const LinkId middle = scene.sender(session, "b");
    scene.sender(session, "c");
    scene.machine->detach(middle).value();
    scene.peer.expect_detach().respond();
    scene.machine.expect_event<LinkDetached>();
    scene.machine->attach(session, sending("d")).value();
    CHECK(scene.peer.expect_attach()->handle == 1);
    scene.machine->attach(session, sending("e")).value();
    CHECK(scene.peer.expect_attach()->handle == 3);
}

TEST_CASE("channel numbers of the two directions have nothing to do with each other", "[2.1-c][2.1-b]") {
    Scene scene;
    for (const std::uint16_t theirs : {std::uint16_t{9}, std::uint16_t{4}, std::uint16_t{200}}) {
        const SessionId session = scene.machine->begin().value();
        const auto begin = scene.peer.expect_begin();
        scene.peer.send(peer::begin().remote_channel(begin.channel()).on_channel(theirs));
        CHECK(scene.machine.expect_event<SessionOpened>().session == session);
        scene.peer.send(peer::flow().echo().on_channel(theirs));
        scene.peer.expect_flow().on_channel(begin.channel());
    }
}

TEST_CASE("frames that come in one write are answered in their order", "[2.1-a]") {
    Scene scene;
    scene.peer.send_together(peer::begin().on_channel(0), peer::attach(Role::sender, 0, "a").on_channel(0),
                             peer::attach(Role::receiver, 1, "b").on_channel(0));
    scene.machine.expect_event<SessionOpened>();
    const LinkId a = scene.machine.expect_event<LinkRequested>().link;
    const LinkId b = scene.machine.expect_event<LinkRequested>().link;
    scene.machine->accept(a, receiving("a")).value();
    scene.machine->accept(b, sending("b")).value();
    scene.peer.expect_begin();
    CHECK(scene.peer.expect_attach()->name == "a");
    CHECK(scene.peer.expect_attach()->name == "b");
    scene.peer.send(peer::end().on_channel(0));
    scene.peer.expect_end();
}

TEST_CASE("each side's settle modes are its own to tell", "[2.7.3-b][2.7.3-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    LinkOptions ours = sending();
    ours.rcv_settle_mode = codec::ReceiverSettleMode::second;  // a wish
    const LinkId link = scene.machine->attach(session, ours).value();
    CHECK(scene.peer.expect_attach()->rcv_settle_mode == codec::ReceiverSettleMode::second);
    scene.peer.send(peer::attach(Role::receiver, 0, "link").rcv_settle_mode(codec::ReceiverSettleMode::first));
    CHECK(scene.machine.expect_event<LinkOpened>().remote.rcv_settle_mode == codec::ReceiverSettleMode::first);
    static_cast<void>(link);
    LinkOptions other = receiving("other");
    other.snd_settle_mode = codec::SenderSettleMode::settled;  // a wish
    scene.machine->attach(session, other).value();
    CHECK(scene.peer.expect_attach()->snd_settle_mode == codec::SenderSettleMode::settled);
}

TEST_CASE("the sender's word about the source and the receiver's about the target reach the application",
          "[2.6.3-f][2.6.3-d][2.6.4-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.machine->attach(session, receiving()).value();
    scene.peer.expect_attach();
    scene.peer.send(peer::attach(Role::sender, 0, "link").source("what it really is"));
    CHECK(scene.machine.expect_event<LinkOpened>().remote.source->address == "what it really is");
    // Detached and attached with other properties.
    scene.machine->detach(link, false).value();
    scene.peer.expect_detach().respond();
    scene.machine.expect_event<LinkDetached>();
    LinkOptions changed = receiving();
    changed.source->address = "elsewhere";
    scene.machine->attach(session, changed).value();
    const auto attach = scene.peer.expect_attach();
    CHECK(attach->source->address == "elsewhere");
    CHECK_FALSE(attach->unsettled);  // [2.7.3-f]
}

TEST_CASE("link fields of a flow without a handle are left alone", "[2.7.4-e]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.peer.send(peer::flow().link_credit(5).delivery_count(3).drain());
    scene.machine.expect_no_event();
    CHECK(scene.machine->status(link)->credit == 0);
    check_alive(scene);
}

TEST_CASE("how to settle what is settled says nothing", "[2.7.5-p]") {
    Scene scene;
    scene.receiver(scene.begin(), 10);
    scene.peer.send(peer::transfer(0)
                        .delivery_id(0)
                        .delivery_tag("t")
                        .settled()
                        .rcv_settle_mode(codec::ReceiverSettleMode::second)
                        .payload("m"));
    CHECK(scene.receive().settled);
    scene.peer.expect_nothing();
}

TEST_CASE("batchable is a hint that holds nothing up", "[2.7.5-u][2.7.6-i]") {
    Scene scene;
    const SessionId session = scene.begin();
    scene.receiver(session, 10, "in");
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").batchable().payload("m"));
    const DeliveryId in = scene.machine.expect_event<DeliveryReceived>().delivery;
    scene.machine->settle(in, codec::Accepted{}).value();
    scene.peer.expect_disposition();
    const LinkId link = scene.sender(session, "out");
    scene.grant(1, 1);
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
    scene.peer.send(peer::disposition(Role::receiver, 0).settled().accepted().batchable());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
}

TEST_CASE("every transfer takes its part of the window", "[2.7.5-v]") {
    ConnectionOptions ours = options();
    ours.limits.incoming_window = 8;
    Scene scene(ours);
    scene.receiver(scene.begin(), 10);
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").settled().payload("m"));
    scene.receive();
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("b").more());
    scene.peer.send(peer::transfer(0).aborted());
    // The flows give the credit of deliveries again that nobody hears of.
    scene.peer.expect_flow().with(&codec::Flow::next_incoming_id, std::optional<std::uint32_t>(3));
    scene.peer.send(peer::transfer(0).delivery_id(2).delivery_tag("c").resume());
    scene.peer.expect_flow().with(&codec::Flow::next_incoming_id, std::optional<std::uint32_t>(4));
}

TEST_CASE("settled without a state is settled with the default outcome of the source", "[2.7.6-f]") {
    Scene scene;
    LinkOptions ours = sending();
    ours.source->default_outcome = codec::Modified{true, {}, {}};
    const LinkId link = scene.attach(scene.begin(), ours);
    scene.grant(0, 10);
    for (int i = 0; i < 3; ++i) {
        scene.machine->send(link, octets("m")).value();
        scene.peer.expect_transfer();
    }
    const codec::DeliveryState modified = codec::Modified{true, {}, {}};
    scene.peer.send(peer::disposition(Role::receiver, 0).settled());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().state == modified);
    scene.peer.send(peer::disposition(Role::receiver, 1).settled().accepted());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().state == codec::DeliveryState(codec::Accepted{}));
    // An outcome that was told before stays.
    scene.peer.send(peer::disposition(Role::receiver, 2).released());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().state == codec::DeliveryState(codec::Released{}));
    scene.peer.send(peer::disposition(Role::receiver, 2).settled());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().state == codec::DeliveryState(codec::Released{}));
}

TEST_CASE("a state of an unknown kind is never taken for an outcome", "[2.7.6-j]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.grant(0, 1);
    scene.machine->send(link, octets("m")).value();
    scene.peer.expect_transfer();
    const Value strange = codec::Described(codec::Symbol("com.example:state"), List{});
    say(scene, codec::descriptor::disposition, {true, std::uint32_t(0), null, false, strange});
    CHECK(scene.machine->status(link)->unsettled == 1);
    scene.machine.expect_no_event();
    check_alive(scene);
}

TEST_CASE("our errors say what is wrong, by conditions of the specification",
          "[2.7.7-c][2.8.14-a][2.8.14-b][2.8.14-d]") {
    Scene scene;
    scene.begin();
    SECTION("session") {
        scene.peer.send(peer::detach(7));
        const auto end = scene.peer.expect_end();
        CHECK(end->error->condition == condition::unattached_handle);
        CHECK(end->error->description->size() > 10);
    }
    SECTION("connection") {
        scene.peer.send(peer::end().on_channel(9));
        const auto close = scene.peer.expect_close();
        CHECK(close->error->condition == condition::not_allowed);
        CHECK(close->error->description->size() > 10);
        scene.peer.expect_nothing();  // [2.7.7-e]
    }
}

TEST_CASE("errors of links reach the application as they were told", "[2.8.14-c][2.8.14-e][2.8.14-f]") {
    for (const char* const name : {"amqp:link:detach-forced", "amqp:link:stolen", "amqp:link:transfer-limit-exceeded",
                                   "amqp:link:message-size-exceeded", "amqp:link:redirect", "com.example:x"}) {
        Scene scene;
        scene.sender(scene.begin());
        auto error = peer::error_condition(name, "why");
        error.info.set(codec::Symbol("hostname"), Value("elsewhere"));
        auto detach = peer::detach(0).closed();
        detach.performative.error = error;
        scene.peer.send(detach);
        const auto detaching = scene.machine.expect_event<LinkDetaching>();
        REQUIRE(detaching.error);
        CHECK(*detaching.error == error);
    }
    Scene scene;
    auto redirect = peer::error_condition("amqp:connection:redirect");
    redirect.info.set(codec::Symbol("network-host"), Value("elsewhere"));
    auto close = peer::close();
    close.performative.error = redirect;
    scene.peer.send(close);
    CHECK(scene.machine.expect_event<ConnectionClosedByPeer>().error == redirect);
}

TEST_CASE("a link that ends by an error is gone", "[2.6.5-a]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.attach(session, receiving());
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").payload("m"));  // without credit
    CHECK(scene.peer.expect_detach()->closed);
    scene.peer.send(peer::detach(0).closed());
    scene.machine.expect_event<LinkDetached>();
    CHECK_FALSE(scene.machine->status(link));
    scene.receiver(session, 1);  // its name is free
}

TEST_CASE("an attach behind an error of its link, before the detach is answered, ends the session", "[2.6.5-c]") {
    Scene scene;
    scene.attach(scene.begin(), receiving());
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").payload("m"));
    scene.peer.expect_detach();
    auto again = peer::attach(Role::sender, 1, "link");
    SECTION("anew") {
        scene.peer.send(again);
        scene.peer.expect_end("amqp:session:errant-link");
    }
    SECTION("resumed") {
        again.performative.unsettled = codec::Map{};
        scene.peer.send(again);
        scene.machine.expect_event<LinkRequested>();
    }
}

TEST_CASE("a link that the peer closes while we suspend it is attached once more and closed", "[2.6.6-b]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.sender(session);
    scene.machine->detach(link, false).value();
    CHECK_FALSE(scene.peer.expect_detach()->closed);
    scene.peer.send(peer::detach(0).closed());  // crossing
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.closed);
    CHECK_FALSE(detached.suspended);
    const auto attach = scene.peer.expect_attach();
    CHECK(attach->name == "link");
    CHECK(attach->role == Role::sender);
    CHECK(scene.peer.expect_detach()->closed);
    scene.peer.send(peer::attach(Role::receiver, 0, "link"));
    scene.peer.send(peer::detach(0).closed());
    scene.machine.expect_no_event();
    scene.peer.expect_nothing();
    scene.sender(session);  // the name is free
}

TEST_CASE("the other crossing ends without more", "[2.6.6-b]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.machine->detach(link, true).value();
    scene.peer.expect_detach();
    scene.peer.send(peer::detach(0));
    scene.machine.expect_event<LinkDetached>();
    scene.peer.expect_nothing();
}

TEST_CASE("no empty frame before our open", "[2.4.5-i][2.4.5-j]") {
    Scene scene(options(), peer::open(), false, EngineRole::server);
    scene.peer.send_header();
    scene.peer.expect_header();
    scene.peer.send(peer::open().idle_time_out(1000));
    scene.machine.expect_event<ConnectionOpened>();
    scene.machine.pass(2s);
    scene.peer.expect_nothing();
    scene.machine->open().value();
    scene.peer.expect_open();
    scene.machine.pass(1s);
    scene.peer.expect_empty_frame();
}
