#include "core/endpoint.hpp"

#include <catch2/catch.hpp>

using namespace aprotic;
using namespace aprotic::test;

TEST_CASE("our attach says all that the options say", "[2.6.3-a][2.7.3-j]") {
    Scene scene;
    const SessionId session = scene.begin();
    LinkOptions ours = sending("name");
    ours.snd_settle_mode = codec::SenderSettleMode::settled;
    ours.offered_capabilities = {"a"};
    ours.desired_capabilities = {"b"};
    ours.properties.set(codec::Symbol("p"), 1);
    const LinkId link = scene.machine->attach(session, ours).value();
    const auto attach = scene.peer.expect_attach();
    CHECK(attach->name == "name");
    CHECK(attach->role == codec::Role::sender);
    CHECK(attach->snd_settle_mode == codec::SenderSettleMode::settled);
    CHECK(attach->source == ours.source);
    CHECK(attach->target == ours.target);
    CHECK(attach->initial_delivery_count == 0U);
    CHECK_FALSE(attach->unsettled);
    CHECK(attach->offered_capabilities == ours.offered_capabilities);
    CHECK(attach->desired_capabilities == ours.desired_capabilities);
    CHECK(attach->properties == ours.properties);
    scene.peer.send(peer::attach(codec::Role::receiver, 42, "name").max_message_size(1000));
    CHECK(scene.machine.expect_event<LinkOpened>().link == link);
    CHECK(scene.machine->status(link)->peer_message_size_max == 1000);
    // Each side has its own handles. [2.6.2-a]
    scene.peer.send(peer::flow().handle(42).delivery_count(0).link_credit(1));
    scene.machine->send(link, octets("x")).value();
    scene.peer.expect_transfer().with(&codec::Transfer::handle, 0U);
}

TEST_CASE("a receiver announces the size of message it takes and counts nothing", "[2.7.3-l][2.7.3-k]") {
    Scene scene;
    LinkOptions ours = receiving();
    ours.message_size_max = 5000;
    scene.machine->attach(scene.begin(), ours).value();
    const auto attach = scene.peer.expect_attach();
    CHECK(attach->max_message_size == 5000U);
    CHECK_FALSE(attach->initial_delivery_count);
}

TEST_CASE("a link without a name gets one of its own", "[2.6.1-a]") {
    Scene scene;
    const SessionId session = scene.begin();
    LinkOptions ours = sending("");
    scene.machine->attach(session, ours).value();
    scene.machine->attach(session, ours).value();
    const std::string first = scene.peer.expect_attach()->name;
    CHECK_FALSE(first.empty());
    CHECK(scene.peer.expect_attach()->name != first);
}

TEST_CASE("one name in both directions is two links, twice in one is none", "[2.6.1-a][2.6.1-b]") {
    Scene scene;
    const SessionId session = scene.begin();
    scene.sender(session, "same");
    scene.receiver(session, 0, "same");
    CHECK(scene.machine->attach(session, sending("same")).error() == Errc::wrong_state);
}

TEST_CASE("more links than the peer takes fail here", "[2.7.2-b]") {
    Scene scene;
    const SessionId session = scene.begin(peer::begin().handle_max(0));
    scene.sender(session, "a");
    CHECK(scene.machine->attach(session, sending("b")).error() == Errc::limit_reached);
}

TEST_CASE("links asked for before anybody knew how many the peer takes are cut", "[2.7.2-b]") {
    Scene scene;
    const SessionId session = scene.machine->begin().value();
    scene.machine->attach(session, sending("a")).value();
    const LinkId second = scene.machine->attach(session, sending("b")).value();
    scene.peer.expect_begin();
    scene.peer.expect_attach();
    scene.peer.send(peer::begin().remote_channel(0).handle_max(0).on_channel(0));
    scene.machine.expect_event<SessionOpened>();
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.link == second);
    CHECK(detached.error->condition == condition::resource_limit_exceeded);
    scene.peer.expect_nothing();
}

TEST_CASE("a link the peer wants is accepted with our half", "[2.6.3-a][2.6.3-d]") {
    Scene scene;
    scene.begin();
    scene.peer.send(peer::attach(codec::Role::receiver, 9, "theirs").source("queue"));
    const auto request = scene.machine.expect_event<LinkRequested>();
    CHECK(request.remote.name == "theirs");
    scene.peer.expect_nothing();
    CHECK_FALSE(scene.machine->send(request.link, octets("x")));
    LinkOptions ours = sending("ignored");
    ours.source = request.remote.source;
    scene.machine->accept(request.link, ours).value();
    CHECK_FALSE(scene.machine->accept(request.link, ours));
    CHECK_FALSE(scene.machine->refuse(request.link, peer::error_condition(condition::not_found)));
    auto attach = scene.peer.expect_attach();
    CHECK(attach->name == "theirs");
    CHECK(attach->role == codec::Role::sender);
    CHECK(attach->source == request.remote.source);
    scene.grant(9, 1);
    scene.machine->send(request.link, octets("x")).value();
    scene.peer.expect_transfer();
}

TEST_CASE("a refused link is attached with a null terminus and closed at once", "[2.6.3-b][2.6.3-c]") {
    const bool peer_sends = GENERATE(true, false);
    Scene scene;
    const SessionId session = scene.begin();
    scene.peer.send(
        peer::attach(peer_sends ? codec::Role::sender : codec::Role::receiver, 0, "theirs").source("a").target("b"));
    const auto request = scene.machine.expect_event<LinkRequested>();
    scene.machine->refuse(request.link, peer::error_condition(condition::not_found, "no such node")).value();
    const auto attach = scene.peer.expect_attach();
    CHECK(attach->source.has_value() == peer_sends);
    CHECK(attach->target.has_value() != peer_sends);
    const auto detach = scene.peer.expect_detach(condition::not_found);
    CHECK(detach->closed);
    CHECK(detach->error->description == "no such node");
    scene.peer.send(peer::detach(0).closed());
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.link == request.link);
    CHECK(detached.initiator == Initiator::us);
    CHECK_FALSE(detached.refused);
    scene.sender(session, "another");
}

TEST_CASE("a link that the peer refuses is never open", "[2.6.3-b][2.7.3-d]") {
    const codec::Role role = GENERATE(codec::Role::sender, codec::Role::receiver);
    Scene scene;
    const LinkId link = scene.machine->attach(scene.begin(), link_options(role)).value();
    scene.peer.expect_attach();
    auto answer = peer::attach(codec::opposite(role), 0, "link");
    if (role == codec::Role::sender) {
        answer.no_target();
    } else {
        answer.no_source();
    }
    scene.peer.send(answer);
    scene.machine.expect_no_event();
    scene.peer.send(peer::detach(0).closed().error(condition::not_found, "no node"));
    const auto detaching = scene.machine.expect_event<LinkDetaching>();
    CHECK(detaching.link == link);
    CHECK(detaching.refused);
    CHECK(detaching.error->condition == condition::not_found);
    scene.peer.expect_nothing();
    scene.machine->detach(link).value();
    scene.peer.expect_detach().with(&codec::Detach::closed, true);
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.refused);
    CHECK(detached.initiator == Initiator::peer);
    CHECK(detached.error->description == "no node");
    scene.machine.expect_no_event();
}

TEST_CASE("our detach is answered and the handle is free again", "[2.6.4-a][2.6.2-d][2.6.6-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    for (int i = 0; i < 100; ++i) {
        const LinkId link = scene.sender(session);
        scene.machine->detach(link).value();
        CHECK_FALSE(scene.machine->detach(link));
        CHECK_FALSE(scene.machine->send(link, octets("x")));
        scene.peer.expect_detach().with(&codec::Detach::handle, 0U).with(&codec::Detach::closed, true).respond();
        const auto detached = scene.machine.expect_event<LinkDetached>();
        CHECK(detached.initiator == Initiator::us);
        CHECK(detached.closed);
        CHECK(scene.machine->detach(link).error() == Errc::no_such_endpoint);
    }
}

TEST_CASE("a suspending detach stays one", "[2.6.4-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.machine->detach(link, false).value();
    scene.peer.expect_detach().with(&codec::Detach::closed, false).respond();
    CHECK_FALSE(scene.machine.expect_event<LinkDetached>().closed);
}

TEST_CASE("a closing detach is answered by a closing one whatever the application says", "[2.6.6-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.peer.send(peer::detach(0).closed());
    CHECK(scene.machine.expect_event<LinkDetaching>().closed);
    scene.peer.expect_nothing();
    CHECK_FALSE(scene.machine->send(link, octets("x")));
    scene.machine->detach(link, false).value();
    scene.peer.expect_detach().with(&codec::Detach::closed, true);
    CHECK(scene.machine.expect_event<LinkDetached>().closed);
}

TEST_CASE("crossing detaches finish the link once", "[2.6.4-a]") {
    Scene scene;
    const LinkId link = scene.sender(scene.begin());
    scene.machine->detach(link).value();
    scene.peer.send(peer::detach(0).closed());
    scene.peer.expect_detach();
    scene.peer.expect_nothing();
    CHECK(scene.machine.expect_event<LinkDetached>().link == link);
    scene.machine.expect_no_event();
}

TEST_CASE("a link that was never on the wire goes without a word", "[2.6.4-a]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId link = scene.machine->attach(session, sending()).value();
    scene.machine->detach(link).value();
    CHECK(scene.machine.expect_event<LinkDetached>().link == link);
    scene.peer.expect_nothing();
    scene.sender(session);
}

TEST_CASE("a link detached before the peer has answered its attach is closed in order", "[2.6.4-a]") {
    Scene scene;
    const LinkId link = scene.machine->attach(scene.begin(), sending()).value();
    scene.peer.expect_attach();
    scene.machine->detach(link).value();
    scene.peer.expect_detach();
    scene.peer.send(peer::attach(codec::Role::receiver, 0, "link"));
    scene.machine.expect_no_event();
    scene.peer.send(peer::detach(0).closed());
    CHECK(scene.machine.expect_event<LinkDetached>().link == link);
}

TEST_CASE("a peer that detaches before we have answered gets attach and detach", "[2.6.3-b][2.6.4-a]") {
    Scene scene;
    scene.begin();
    scene.peer.send(peer::attach(codec::Role::sender, 3, "theirs"));
    scene.peer.send(peer::detach(3).closed());
    const auto request = scene.machine.expect_event<LinkRequested>();
    scene.machine.expect_event<LinkDetaching>();
    CHECK_FALSE(scene.machine->accept(request.link, receiving()));
    scene.machine->detach(request.link).value();
    scene.peer.expect_attach();
    scene.peer.expect_detach();
    scene.machine.expect_event<LinkDetached>();
}

TEST_CASE("the peer may attach the name and the handle again right behind its detach", "[2.7.7-d][2.6.2-d]") {
    Scene scene;
    scene.begin();
    scene.peer.send(peer::attach(codec::Role::sender, 3, "theirs"));
    const LinkId first = scene.machine.expect_event<LinkRequested>().link;
    scene.machine->accept(first, receiving()).value();
    scene.peer.expect_attach();
    scene.peer.send_together(peer::detach(3).closed(), peer::attach(codec::Role::sender, 3, "theirs"));
    scene.machine.expect_event<LinkDetaching>();
    const LinkId second = scene.machine.expect_event<LinkRequested>().link;
    CHECK(first != second);
    scene.machine->accept(second, receiving()).value();
    scene.peer.expect_nothing();  // the old link must be off the wire before its name is on it again
    scene.machine->detach(first).value();
    scene.peer.expect_detach().with(&codec::Detach::handle, 0U);
    CHECK(scene.machine.expect_event<LinkDetached>().link == first);
    scene.peer.expect_attach().with(&codec::Attach::name, std::string("theirs"));
    scene.machine->set_credit(second, 1).value();
    scene.peer.expect_flow();
}

TEST_CASE("a link that is attached again elsewhere is stolen where it was", "[2.6.1-c][2.6.1-d]") {
    Scene scene;
    scene.begin();
    scene.peer.send(peer::attach(codec::Role::sender, 3, "theirs"));
    const LinkId first = scene.machine.expect_event<LinkRequested>().link;
    scene.machine->accept(first, receiving()).value();
    scene.peer.expect_attach();
    scene.peer.send(peer::attach(codec::Role::sender, 4, "theirs"));
    scene.peer.expect_detach(condition::stolen);
    const LinkId second = scene.machine.expect_event<LinkRequested>().link;
    scene.machine->accept(second, receiving()).value();
    scene.peer.expect_attach();
    scene.peer.send(peer::detach(3).closed());
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.link == first);
    CHECK(detached.error->condition == condition::stolen);
}

TEST_CASE("both sides may attach the same link at the same time", "[2.6.3-a]") {
    Scene scene;
    const LinkId link = scene.machine->attach(scene.begin(), sending("both")).value();
    scene.peer.send(peer::attach(codec::Role::receiver, 0, "both"));
    CHECK(scene.machine.expect_event<LinkOpened>().link == link);
    scene.peer.expect_attach();
    scene.machine.expect_no_event();
}

TEST_CASE("a dynamic node's name comes with the peer's attach", "[2.6.3-d]") {
    Scene scene;
    LinkOptions ours = receiving();
    ours.source->address.reset();
    ours.source->dynamic = true;
    scene.machine->attach(scene.begin(), ours).value();
    scene.peer.expect_attach().respond();
    CHECK(scene.machine.expect_event<LinkOpened>().remote.source->address == "dynamic-source");
}

TEST_CASE("an attach that fits into no frame of the peer's fails here", "[2.7.1-h]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    LinkOptions large = sending();
    large.properties.set(codec::Symbol("p"), std::string(600, 'x'));
    const LinkId link = scene.machine->attach(scene.begin(), large).value();
    scene.peer.expect_nothing();
    const auto detached = scene.machine.expect_event<LinkDetached>();
    CHECK(detached.link == link);
    CHECK(detached.error->condition == condition::frame_size_too_small);
}

TEST_CASE("an error too long for the peer's frames keeps its condition", "[2.7.1-h]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const SessionId session = scene.begin();
    const std::string text(1000, 'x');
    scene.machine->detach(scene.sender(session), true, peer::error_condition(condition::internal_error, text)).value();
    CHECK_FALSE(scene.peer.expect_detach(condition::internal_error)->error->description);
    scene.machine->end(session, peer::error_condition(condition::internal_error, text)).value();
    scene.peer.expect_end(condition::internal_error);
    scene.machine->close(peer::error_condition(condition::internal_error, text));
    scene.peer.expect_close(condition::internal_error);
}

TEST_CASE("links of many sessions do not mix", "[2.6.2-b]") {
    Scene scene;
    std::vector<LinkId> links;
    for (std::uint16_t channel = 0; channel < 20; ++channel) {
        const SessionId session = scene.begin();
        for (int i = 0; i < 5; ++i) {
            links.push_back(
                scene.machine->attach(session, sending("s" + std::to_string(channel) + "-" + std::to_string(i)))
                    .value());
            auto attach = scene.peer.expect_attach();
            attach.on_channel(channel).respond();
            scene.machine.expect_event<LinkOpened>();
        }
    }
    scene.peer.send(peer::flow().handle(3).delivery_count(0).link_credit(1).on_channel(11));
    CHECK(scene.machine.expect_event<LinkFlowed>().link == links[11 * 5 + 3]);
    scene.machine->send(links[11 * 5 + 3], octets("x")).value();
    scene.peer.expect_transfer().on_channel(11).with(&codec::Transfer::handle, 3U);
}
