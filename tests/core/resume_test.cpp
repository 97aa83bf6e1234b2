// Links that are suspended and attached again. [2.6.13], [3.4.6]
#include "core/endpoint.hpp"
#include "core/pair.hpp"

#include <aprotic/engine/core/resumption.hpp>
#include <aprotic/engine/suspended_link.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace aprotic;
using namespace aprotic::test;
using namespace aprotic::engine::core;

namespace {

using State = std::optional<codec::DeliveryState>;

codec::DeliveryTag tag(std::string_view text) { return codec::DeliveryTag(text); }
codec::Value key(std::string_view text) { return codec::Binary(text); }

/// A message of two sections: header and data.
codec::EncodedMessage message(std::string body = "body") {
    codec::Message made;
    made.header = codec::Header{};
    made.header->durable = true;
    made.body = codec::Message::Data{codec::Bytes::from_string(std::move(body))};
    return codec::encode(made);
}

LinkOptions resumable(LinkOptions made, std::shared_ptr<SuspendedLink> suspended = {}) {
    made.resumable = true;
    made.suspended = std::move(suspended);
    return made;
}

/// Suspends a link of the script's, both ways.
std::shared_ptr<SuspendedLink> suspend(Scene& scene, LinkId link) {
    scene.machine->detach(link, false).value();
    scene.peer.expect_detach().respond();
    auto detached = scene.machine.skip_to_event<LinkDetached>();
    REQUIRE(detached.suspended);
    return detached.suspended;
}

/// A receiver that has taken messages a and b and has decided about neither.
struct Taken {
    explicit Taken(Scene& scene, bool resumed = true)
        : session(scene.begin()), link(scene.attach(session, resumed ? resumable(receiving()) : receiving())) {
        scene.machine->set_credit(link, 2).value();
        scene.peer.expect_flow();
        for (const std::uint32_t id : {0U, 1U}) {
            scene.peer.send(peer::transfer(0).delivery_id(id).delivery_tag(id == 0 ? "a" : "b").payload("m"));
            scene.receive();
        }
    }
    SessionId session;
    LinkId link;
};

/// A sender with messages a, b … of which the peer has seen every frame.
struct Sent {
    explicit Sent(Scene& scene, const std::vector<std::string>& tags)
        : session(scene.begin()), link(scene.attach(session, resumable(sending()))) {
        scene.grant(0, 100);
        for (const auto& each : tags) {
            deliveries.push_back(scene.machine->send(link, message(), {.tag = tag(each)}).value());
            scene.peer.expect_transfer();
        }
    }
    SessionId session;
    LinkId link;
    std::vector<DeliveryId> deliveries;
};

/// Attaches a suspended sender again, to a peer that remembers `theirs`, and gives it credit.
LinkId resume_sender(Scene& scene, SessionId session, const std::shared_ptr<SuspendedLink>& suspended,
                     const codec::Map& theirs, bool incomplete = false) {
    const LinkId link = scene.machine->attach(session, resumable(sending(), suspended)).value();
    scene.peer.expect_attach();
    auto answer = peer::attach(codec::Role::receiver, 0, "link");
    answer.performative.unsettled = theirs;
    answer.performative.incomplete_unsettled = incomplete;
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    return link;
}

codec::Value received(std::uint32_t section, std::uint64_t offset) {
    return codec::to_value(codec::Received{section, offset});
}
codec::Value accepted() { return codec::to_value(codec::Accepted{}); }

ResumeStep step(State ours, const State* theirs, bool complete = true) {
    return plan_resume({std::move(ours), message().octets()}, theirs, complete);
}

}  // namespace

TEST_CASE("every row of the table of resumption has its action",
          "[3.4.6-a][3.4.6-b][3.4.6-d][3.4.6-e][3.4.6-f][3.4.6-g][3.4.6-h][2.7.3-o]") {
    const State null;
    const State begun = codec::Received{0, 100};
    const State whole = codec::Received{2, 0};
    const State yes = codec::Accepted{};
    const State no = codec::Released{};
    const auto action = [](const State& ours, const State* theirs) { return step(ours, theirs).action; };
    CHECK(action(null, nullptr) == ResumeAction::resend);    // 1
    CHECK(action(null, &begun) == ResumeAction::resume);     // 2
    CHECK(action(null, &whole) == ResumeAction::associate);  // 2, nothing is missing
    CHECK(action(null, &yes) == ResumeAction::associate);    // 3
    CHECK(action(null, &null) == ResumeAction::resume);      // 4
    CHECK(action(begun, nullptr) == ResumeAction::lost);     // 5, and nothing to send again
    CHECK(action(begun, &begun) == ResumeAction::abort);     // 7
    CHECK(action(begun, &yes) == ResumeAction::associate);   // 8
    CHECK(action(begun, &null) == ResumeAction::abort);      // 9
    CHECK(action(yes, nullptr) == ResumeAction::forget);     // 10
    CHECK(action(yes, &begun) == ResumeAction::abort);       // 11
    CHECK(action(yes, &yes) == ResumeAction::associate);     // 12
    CHECK(action(yes, &no) == ResumeAction::associate);      // 13
    CHECK(action(yes, &null) == ResumeAction::abort);        // 14
    CHECK(step(null, &yes).may_settle);
    CHECK(step(null, &yes).state == yes);
    CHECK(step(yes, &yes).may_settle);
    CHECK_FALSE(step(yes, &no).may_settle);
    CHECK(step(yes, &no).state == yes);
    CHECK(step(null, nullptr, false).action == ResumeAction::wait);
    CHECK(step(yes, nullptr, false).action == ResumeAction::wait);
    CHECK(step(null, &null, false).action == ResumeAction::resume);
}

TEST_CASE("a receiver's position behind a whole message is its number of sections", "[3.4.1-a][3.4.6-c]") {
    CHECK(wholly_received(message().octets()) == State(codec::Received{2, 0}));
    CHECK(wholly_received(message(std::string(1000, 'x')).octets()) == State(codec::Received{2, 0}));
    CHECK(wholly_received({}) == State(codec::Received{0, 0}));
    using namespace std::string_view_literals;
    for (const auto nonsense : {"x"sv, "\x00"sv, "\x00\x53"sv, "\x00\x53\x75\xa0\x05hi"sv, "\x53\x75"sv}) {
        CHECK_FALSE(wholly_received(codec::ByteChain(codec::Bytes::copy_of(nonsense))));
    }
    // A described value in the body, and descriptors by name.
    const codec::ByteChain named(codec::Bytes::copy_of(std::string_view("\x00\xa3\x04name\x00\x53\x01\x40", 11)));
    CHECK(wholly_received(named) == State(codec::Received{1, 0}));
}

TEST_CASE("only resumable links say what is unsettled, and only when attached again", "[2.6.3-g][2.6.13-a]") {
    Scene scene;
    const SessionId session = scene.begin();
    SECTION("not resumable") {
        scene.machine->attach(session, sending()).value();
        CHECK_FALSE(scene.peer.expect_attach()->unsettled);
    }
    SECTION("new") {
        scene.machine->attach(session, resumable(sending())).value();
        CHECK_FALSE(scene.peer.expect_attach()->unsettled);
    }
    SECTION("with nothing unsettled") {
        const LinkId link = scene.attach(session, resumable(sending()));
        const auto suspended = suspend(scene, link);
        CHECK(suspended->deliveries.empty());
        scene.machine->attach(session, resumable(sending(), suspended)).value();
        const auto attach = scene.peer.expect_attach();
        REQUIRE(attach->unsettled);
        CHECK(attach->unsettled->empty());
    }
    SECTION("closed") {
        const LinkId link = scene.attach(session, resumable(sending()));
        scene.machine->detach(link).value();
        scene.peer.expect_detach().respond();
        CHECK_FALSE(scene.machine.expect_event<LinkDetached>().suspended);
    }
    SECTION("of the other role") {
        const LinkId link = scene.attach(session, resumable(sending()));
        CHECK(scene.machine->attach(session, resumable(receiving(), suspend(scene, link))).error() ==
              Errc::invalid_option);
    }
}

TEST_CASE("a sender remembers what is in doubt and nothing else", "[2.6.13-a][3.4.6-i]") {
    Scene scene;
    Sent sent(scene, {"settled", "told", "silent"});
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).settled().accepted());
    scene.peer.send(peer::disposition(codec::Role::receiver, 1).accepted());
    const DeliveryId parts = scene.machine->begin_send(sent.link, {.tag = tag("half")}).value();
    scene.machine->append(parts, message().octets()).value();
    scene.peer.expect_transfer();
    scene.machine->send(sent.link, message(), {.tag = tag("queued")}).value();
    const auto suspended = suspend(scene, sent.link);
    CHECK(suspended->name == "link");
    REQUIRE(suspended->deliveries.size() == 2);
    CHECK(suspended->deliveries[0].tag == tag("told"));
    CHECK(suspended->deliveries[0].remote_state == State(codec::Accepted{}));
    CHECK(suspended->deliveries[1].tag == tag("silent"));
    CHECK(suspended->deliveries[1].payload == message().octets());
    scene.machine->attach(sent.session, resumable(sending(), suspended)).value();
    const auto attach = scene.peer.expect_attach();
    REQUIRE(attach->unsettled);
    REQUIRE(attach->unsettled->size() == 2);
    CHECK(attach->unsettled->find(key("told"))->is_null());
    CHECK(attach->unsettled->find(key("silent"))->is_null());
}

TEST_CASE("a sender resumes what both know and sends again what the peer does not",
          "[2.6.13-d][2.6.13-e][2.6.13-f][2.6.13-h][3.4.1-b][3.4.6-a][3.4.6-d][3.4.6-e]") {
    Scene scene;
    Sent sent(scene, {"none", "null", "part", "all", "accepted"});
    const auto suspended = suspend(scene, sent.link);
    const codec::Map theirs = {{key("null"), codec::Value()},
                               {key("part"), received(1, 2)},
                               {key("all"), received(2, 0)},
                               {key("accepted"), accepted()},
                               {key("unheard"), accepted()}};
    const LinkId link = resume_sender(scene, sent.session, suspended, theirs);
    scene.machine->send(link, octets("new"), {.tag = tag("new")}).value();
    scene.peer.expect_nothing();  // credit is for resumed deliveries too
    scene.grant(0, 100);
    const std::string whole = message().octets().to_string();
    auto frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("none"));
    CHECK_FALSE(frame->resume);
    frame.with_payload(whole);
    const std::uint32_t first = frame->delivery_id.value();
    CHECK(first == 5);  // a new id
    for (const std::string_view each : {"null", "part"}) {
        frame = scene.peer.expect_transfer();
        CHECK(frame->delivery_tag == tag(each));
        CHECK(frame->resume);
        CHECK_FALSE(frame->state);
        frame.with_payload(whole);
    }
    frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("all"));
    CHECK(frame->resume);
    CHECK(frame->state == State(codec::Received{2, 0}));
    CHECK(frame->settled == false);
    frame.with_payload("");
    frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("accepted"));
    CHECK(frame->resume);
    CHECK(frame->settled == true);
    CHECK(frame->state == State(codec::Accepted{}));
    frame.with_payload("");
    frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("new"));
    CHECK_FALSE(frame->resume);
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.settled);
    CHECK(updated.state == State(codec::Accepted{}));
    // The others are settled under their new ids.
    const DeliveryId all = scene.machine->find_delivery(link, tag("all")).value();
    scene.peer.send(peer::disposition(codec::Role::receiver, first + 3).settled().accepted());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().delivery == all);
    scene.peer.send(peer::disposition(codec::Role::receiver, first).last(first + 2).settled().accepted());
    for (int i = 0; i < 3; ++i) CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
    CHECK(scene.machine->status(link)->unsettled == 1);
}

TEST_CASE("outcomes that differ are the sender's to tell", "[3.4.6-f][3.4.6-g][3.4.6-h][2.6.12-i]") {
    Scene scene;
    Sent sent(scene, {"same", "other", "part", "gone"});
    for (const DeliveryId each : sent.deliveries) scene.machine->update(each, codec::Released{}).value();
    scene.peer.expect_disposition();
    const auto suspended = suspend(scene, sent.link);
    const codec::Map theirs = {
        {key("same"), codec::to_value(codec::Released{})}, {key("other"), accepted()}, {key("part"), received(0, 3)}};
    const LinkId link = resume_sender(scene, sent.session, suspended, theirs);
    const auto gone = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(gone.settled);
    CHECK(gone.state == State(codec::Released{}));
    scene.grant(0, 100);
    auto frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("same"));
    CHECK(frame->settled == true);
    CHECK(frame->state == State(codec::Released{}));
    frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("other"));
    CHECK(frame->settled == false);
    CHECK(frame->state == State(codec::Released{}));
    const std::uint32_t other = frame->delivery_id.value();
    frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("part"));
    CHECK(frame->resume);
    CHECK(frame->aborted);
    frame.with_payload("");
    for (int i = 0; i < 2; ++i) {
        const auto updated = scene.machine.expect_event<DeliveryUpdated>();
        CHECK(updated.settled);
        CHECK_FALSE(updated.aborted);
        CHECK(updated.state == State(codec::Released{}));
    }
    scene.peer.send(peer::disposition(codec::Role::receiver, other).settled().released());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("a link that never sends settled lets the receiver settle", "[2.7.5-j][3.4.6-d]") {
    Scene scene;
    LinkOptions ours = resumable(sending());
    ours.snd_settle_mode = codec::SenderSettleMode::unsettled;
    const SessionId session = scene.begin();
    const LinkId before = scene.attach(session, ours);
    scene.grant(0, 10);
    scene.machine->send(before, message(), {.tag = tag("t")}).value();
    scene.peer.expect_transfer();
    ours.suspended = suspend(scene, before);
    const LinkId link = scene.machine->attach(session, ours).value();
    scene.peer.expect_attach();
    auto answer = peer::attach(codec::Role::receiver, 0, "link");
    answer.performative.unsettled = codec::Map{{key("t"), accepted()}};
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    scene.grant(0, 10);
    const auto frame = scene.peer.expect_transfer();
    CHECK(frame->settled == false);
    CHECK(frame->state == State(codec::Accepted{}));
    scene.peer.send(peer::disposition(codec::Role::receiver, *frame->delivery_id).settled().accepted());
    CHECK(scene.machine.expect_event<DeliveryUpdated>().settled);
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("what was sent in parts is not there to be sent again", "[3.4.6-f]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId before = scene.attach(session, resumable(sending()));
    scene.grant(0, 10);
    for (const std::string_view each : {"known", "unknown", "accepted"}) {
        const DeliveryId delivery = scene.machine->begin_send(before, {.tag = tag(each)}).value();
        scene.machine->append(delivery, message().octets()).value();
        scene.machine->finish_send(delivery).value();
        scene.peer.expect_transfer();
    }
    const auto suspended = suspend(scene, before);
    REQUIRE(suspended->deliveries.size() == 3);
    CHECK(suspended->deliveries[0].payload.empty());
    const LinkId link =
        resume_sender(scene, session, suspended, {{key("known"), received(0, 1)}, {key("accepted"), accepted()}});
    auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.aborted);
    CHECK(updated.settled);
    scene.grant(0, 10);
    const auto frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag("known"));
    CHECK(frame->aborted);
    CHECK(scene.peer.expect_transfer()->state == State(codec::Accepted{}));
    CHECK(scene.machine.expect_event<DeliveryUpdated>().aborted);
    CHECK(scene.machine.expect_event<DeliveryUpdated>().state == State(codec::Accepted{}));
    CHECK(scene.machine->status(link)->queued == 0);
}

TEST_CASE("a receiver remembers what it has taken and tells its states", "[2.6.13-a][2.6.13-c][3.4.1-c][3.4.6-c]") {
    Scene scene;
    const SessionId session = scene.begin();
    LinkOptions ours = resumable(receiving());
    ours.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const LinkId before = scene.attach(session, ours);
    scene.machine->set_credit(before, 10).value();
    scene.peer.expect_flow();
    std::vector<DeliveryId> deliveries;
    std::uint32_t number = 0;
    for (const std::string_view each : {"open", "told", "gone", "late", "untaken"}) {
        scene.peer.send(peer::transfer(0).delivery_id(number++).delivery_tag(each).payload(message().octets()));
        const auto event = scene.machine.expect_event<DeliveryReceived>();
        if (each != "untaken") scene.machine->take(event.delivery).value();
        deliveries.push_back(event.delivery);
    }
    scene.machine->settle(deliveries[1], codec::Accepted{}).value();
    scene.peer.expect_disposition();
    scene.peer.send(peer::transfer(0).delivery_id(number++).delivery_tag("half").more().payload("half"));
    ours.suspended = suspend(scene, before);
    REQUIRE(ours.suspended->deliveries.size() == 4);
    ours.suspended->deliveries[3].state = codec::Released{};  // decided meanwhile

    const LinkId link = scene.machine->attach(session, ours).value();
    const auto attach = scene.peer.expect_attach();
    REQUIRE(attach->unsettled);
    CHECK(attach->unsettled->size() == 4);
    CHECK(*attach->unsettled->find(key("open")) == received(2, 0));
    CHECK(*attach->unsettled->find(key("told")) == accepted());
    CHECK(*attach->unsettled->find(key("late")) == codec::to_value(codec::Released{}));
    const DeliveryId gone = scene.machine->find_delivery(link, tag("gone")).value();
    const DeliveryId open = scene.machine->find_delivery(link, tag("open")).value();
    auto answer = peer::attach(codec::Role::sender, 0, "link");
    answer.performative.unsettled =
        codec::Map{{key("open"), codec::Value()}, {key("told"), codec::Value()}, {key("late"), codec::Value()}};
    answer.performative.rcv_settle_mode = codec::ReceiverSettleMode::second;
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    // The sender has settled what it does not name.
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.delivery == gone);
    CHECK(updated.settled);
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    scene.peer.skip_flows = true;  // each gives the credit again that a resumed delivery has used
    // Resumed with its data again, which we have already.
    scene.peer.send(peer::transfer(0).delivery_id(number++).delivery_tag("open").resume().more().payload("old"));
    scene.peer.send(peer::transfer(0).payload("data"));
    scene.machine.expect_no_event();
    scene.machine->settle(open, codec::Accepted{}).value();
    scene.peer.expect(peer::disposition(codec::Role::receiver, number - 1).accepted());
    scene.peer.send(peer::disposition(codec::Role::sender, number - 1).settled());
    // Resumed as settled: over.
    scene.peer.send(
        peer::transfer(0).delivery_id(number++).delivery_tag("told").resume().settled().state(codec::Accepted{}));
    // Resumed with another outcome: the sender's holds, and is answered.
    scene.peer.send(peer::transfer(0).delivery_id(number++).delivery_tag("late").resume().state(codec::Accepted{}));
    scene.peer.expect(peer::disposition(codec::Role::receiver, number - 1).settled().accepted());
    CHECK(scene.machine->status(link)->unsettled == 0);
    // Not ours any more.
    scene.peer.send(peer::transfer(0).delivery_id(number++).delivery_tag("told").resume().payload("x"));
    scene.machine.expect_no_event();
    scene.peer.send(peer::transfer(0).delivery_id(number++).delivery_tag("new").payload("new"));
    CHECK(octets_of(scene.receive()) == "new");
    CHECK(scene.machine->status(link)->credit == 9);  // the new one is the only one the application did not have
}

TEST_CASE("a delivery is settled before the sender resumes it", "[2.6.13-d]") {
    Scene scene;
    const Taken before(scene);
    const auto suspended = suspend(scene, before.link);
    const LinkId link = scene.machine->attach(before.session, resumable(receiving(), suspended)).value();
    scene.peer.expect_attach();
    scene.machine->settle(scene.machine->find_delivery(link, tag("a")).value(), codec::Accepted{}).value();
    scene.machine->update(scene.machine->find_delivery(link, tag("b")).value(), codec::Accepted{}).value();
    auto answer = peer::attach(codec::Role::sender, 0, "link");
    answer.performative.unsettled = codec::Map{{key("a"), codec::Value()}, {key("b"), codec::Value()}};
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    scene.peer.skip_flows = true;
    scene.peer.send(peer::transfer(0).delivery_id(2).delivery_tag("a").resume().payload("m"));
    scene.peer.expect(peer::disposition(codec::Role::receiver, 2).settled().accepted());
    scene.peer.send(peer::transfer(0).delivery_id(3).delivery_tag("b").resume().payload("m"));
    scene.peer.expect(peer::disposition(codec::Role::receiver, 3).accepted());
    SECTION("the sender settles") { scene.peer.send(peer::disposition(codec::Role::sender, 3).settled()); }
    SECTION("the sender takes it back") {
        scene.machine->settle(scene.machine->find_delivery(link, tag("b")).value(), codec::Accepted{}).value();
        scene.peer.expect(peer::disposition(codec::Role::receiver, 3).settled().accepted());
    }
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("a receiver without credit lends what is resumed one", "[2.6.13-d]") {
    Scene scene;
    const Taken before(scene);
    const auto suspended = suspend(scene, before.link);
    const LinkId link = scene.machine->attach(before.session, resumable(receiving(), suspended)).value();
    scene.peer.expect_attach();
    auto answer = peer::attach(codec::Role::sender, 0, "link");
    answer.performative.unsettled = codec::Map{{key("a"), codec::Value()}, {key("b"), codec::Value()}};
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    scene.peer.expect_flow().with(&codec::Flow::link_credit, 1U);
    CHECK(scene.machine->status(link)->credit == 0);  // nothing for the application
    SECTION("until all are resumed") {
        scene.peer.send(peer::transfer(0).delivery_id(2).delivery_tag("a").resume().payload("m"));
        scene.peer.expect_flow().with(&codec::Flow::delivery_count, 1U).with(&codec::Flow::link_credit, 1U);
        scene.peer.send(peer::transfer(0).delivery_id(3).delivery_tag("b").resume().payload("m"));
        scene.machine->send_flow(link, false, {}).value();
        scene.peer.expect_flow().with(&codec::Flow::delivery_count, 2U).with(&codec::Flow::link_credit, 0U);
    }
    SECTION("until the application grants some itself") {
        scene.machine->set_credit(link, 1).value();
        scene.peer.expect_flow().with(&codec::Flow::link_credit, 1U);
        CHECK(scene.machine->status(link)->credit == 1);
        scene.machine->set_credit(link, 0).value();
        scene.peer.expect_flow().with(&codec::Flow::link_credit, 1U);
        CHECK(scene.machine->status(link)->credit == 0);
    }
}

TEST_CASE("what is decided about a delivery before the end of its link is heard of is told when it is resumed",
          "[2.6.13-a][2.6.13-d]") {
    Scene scene;
    const bool resumed = GENERATE(true, false);
    const Taken before(scene, resumed);
    const DeliveryId a = scene.machine->find_delivery(before.link, tag("a")).value();
    const DeliveryId b = scene.machine->find_delivery(before.link, tag("b")).value();
    scene.machine.events_held = true;
    scene.machine->detach(before.link, false).value();
    scene.peer.expect_detach().respond();
    const auto settled = scene.machine->settle(a, codec::Accepted{});
    const auto updated = scene.machine->update(b, codec::Released{});
    scene.peer.expect_nothing();
    scene.machine.events_held = false;
    if (!resumed) {
        CHECK_FALSE(settled);
        CHECK_FALSE(updated);
        return;
    }
    const auto suspended = scene.machine.skip_to_event<LinkDetached>().suspended;
    REQUIRE(suspended);
    scene.machine->attach(before.session, resumable(receiving(), suspended)).value();
    const auto attach = scene.peer.expect_attach();
    const codec::Map unsettled = {{key("a"), accepted()}, {key("b"), codec::to_value(codec::Released{})}};
    CHECK(attach->unsettled == unsettled);
    auto answer = peer::attach(codec::Role::sender, 0, "link");
    answer.performative.unsettled = codec::Map{{key("a"), codec::Value()}, {key("b"), codec::Value()}};
    scene.peer.send(answer);
    scene.peer.skip_flows = true;
    scene.peer.send(peer::transfer(0).delivery_id(2).delivery_tag("a").resume().payload("m"));
    scene.peer.expect(peer::disposition(codec::Role::receiver, 2).settled().accepted());
}

TEST_CASE("a delivery whose resumption breaks off is not forgotten", "[2.6.13-a]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId before = scene.attach(session, resumable(receiving()));
    scene.machine->set_credit(before, 10).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").payload("message"));
    scene.receive();
    const auto suspended = suspend(scene, before);
    const LinkId link = scene.machine->attach(session, resumable(receiving(), suspended)).value();
    scene.peer.expect_attach();
    auto answer = peer::attach(codec::Role::sender, 0, "link");
    answer.performative.unsettled = codec::Map{{key("a"), codec::Value()}};
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    scene.peer.skip_flows = true;
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("a").resume().more().payload("mess"));
    const auto again = suspend(scene, link);
    REQUIRE(again->deliveries.size() == 1);
    CHECK(again->deliveries[0].tag == tag("a"));
}

TEST_CASE("a resumed delivery is taken back", "[3.4.6-f]") {
    Scene scene;
    const SessionId session = scene.begin();
    const LinkId before = scene.attach(session, resumable(receiving()));
    scene.machine->set_credit(before, 10).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("t").payload("m"));
    scene.receive();
    const auto suspended = suspend(scene, before);
    const LinkId link = scene.machine->attach(session, resumable(receiving(), suspended)).value();
    scene.peer.expect_attach();
    auto answer = peer::attach(codec::Role::sender, 0, "link");
    answer.performative.unsettled = codec::Map{{key("t"), codec::to_value(codec::Accepted{})}};
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    scene.machine->set_credit(link, 10).value();
    scene.peer.expect_flow();
    scene.peer.send(peer::transfer(0).delivery_id(1).delivery_tag("t").resume().aborted());
    const auto updated = scene.machine.expect_event<DeliveryUpdated>();
    CHECK(updated.aborted);
    CHECK(updated.settled);
    CHECK(scene.machine->status(link)->unsettled == 0);
}

TEST_CASE("deliveries of a suspended link can still be settled in their session", "[2.6.4-b][2.7.6-h]") {
    Scene scene;
    Sent sent(scene, {"a", "b", "c"});
    const auto suspended = suspend(scene, sent.link);
    scene.peer.send(peer::disposition(codec::Role::receiver, 0).last(1).settled().accepted());
    scene.peer.send(peer::disposition(codec::Role::sender, 2).settled());            // not about ours
    scene.peer.send(peer::disposition(codec::Role::receiver, 9).last(1).settled());  // backwards
    scene.peer.expect_nothing();
    REQUIRE(suspended->deliveries.size() == 3);
    CHECK(suspended->deliveries[0].settled);
    CHECK(suspended->deliveries[1].settled);
    CHECK(suspended->deliveries[1].remote_state == State(codec::Accepted{}));
    CHECK_FALSE(suspended->deliveries[2].settled);
    scene.machine->attach(sent.session, resumable(sending(), suspended)).value();
    CHECK(scene.peer.expect_attach()->unsettled->size() == 1);
    for (int i = 0; i < 2; ++i) {
        const auto updated = scene.machine.expect_event<DeliveryUpdated>();
        CHECK(updated.settled);
        CHECK(updated.state == State(codec::Accepted{}));
    }
    scene.machine.expect_no_event();
}

TEST_CASE("a map too large for a frame is told in part, and the link suspended when that is done",
          "[2.6.13-g][2.7.3-g][2.7.3-h][2.7.3-p]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    std::vector<std::string> tags;
    for (char c = 'a'; c < 'a' + 26; ++c) tags.push_back(std::string(32, c));
    Sent sent(scene, tags);
    const auto suspended = suspend(scene, sent.link);
    CHECK(suspended->deliveries.size() == 26);
    const LinkId link = scene.machine->attach(sent.session, resumable(sending(), suspended)).value();
    const auto attach = scene.peer.expect_attach();
    CHECK(attach->incomplete_unsettled);
    REQUIRE(attach->unsettled);
    CHECK(attach->unsettled->size() > 2);
    CHECK(attach->unsettled->size() < 26);
    auto answer = peer::attach(codec::Role::receiver, 0, "link");
    answer.performative.unsettled = codec::Map{{key(tags[0]), accepted()}, {key(tags[1]), codec::Value()}};
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    scene.machine->send(link, octets("new")).value();
    scene.grant(0, 100);
    CHECK(scene.peer.expect_transfer()->delivery_tag == tag(tags[0]));
    auto frame = scene.peer.expect_transfer();
    CHECK(frame->delivery_tag == tag(tags[1]));
    CHECK(frame->resume);
    scene.peer.expect_nothing();  // neither what is new nor what the map does not name
    scene.peer.send(peer::disposition(codec::Role::receiver, *frame->delivery_id).settled().accepted());
    const auto detach = scene.peer.expect_detach();
    CHECK_FALSE(detach->closed);
    scene.peer.send(peer::detach(0));
    const auto detached = scene.machine.skip_to_event<LinkDetached>();
    REQUIRE(detached.suspended);
    CHECK(detached.suspended->deliveries.size() == 24);
}

TEST_CASE("a sender whose peer's map is incomplete only resumes", "[2.6.13-g][2.7.3-h]") {
    Scene scene;
    Sent sent(scene, {"a", "b"});
    const auto suspended = suspend(scene, sent.link);
    const LinkId link = resume_sender(scene, sent.session, suspended, {{key("b"), accepted()}}, true);
    scene.machine->send(link, octets("new")).value();
    scene.grant(0, 100);
    CHECK(scene.peer.expect_transfer()->delivery_tag == tag("b"));
    CHECK_FALSE(scene.peer.expect_detach()->closed);
    scene.peer.send(peer::detach(0));
    const auto detached = scene.machine.skip_to_event<LinkDetached>();
    REQUIRE(detached.suspended);
    REQUIRE(detached.suspended->deliveries.size() == 1);
    CHECK(detached.suspended->deliveries[0].tag == tag("a"));
}

TEST_CASE("a receiver whose map is incomplete takes nothing new", "[2.7.3-i]") {
    Scene scene(options(), peer::open().max_frame_size(512));
    const SessionId session = scene.begin();
    const LinkId before = scene.attach(session, resumable(receiving()));
    scene.machine->set_credit(before, 100).value();
    scene.peer.expect_flow();
    for (std::uint32_t id = 0; id < 26; ++id) {
        scene.peer.send(peer::transfer(0)
                            .delivery_id(id)
                            .delivery_tag(std::string(32, static_cast<char>('a' + id)))
                            .payload(message().octets()));
        scene.receive();
    }
    const auto suspended = suspend(scene, before);
    CHECK(suspended->deliveries.size() == 26);
    const LinkId link = scene.machine->attach(session, resumable(receiving(), suspended)).value();
    CHECK(scene.peer.expect_attach()->incomplete_unsettled);
    auto answer = peer::attach(codec::Role::sender, 0, "link");
    answer.performative.unsettled = codec::Map{{key(std::string(32, 'a')), codec::Value()}};
    scene.peer.send(answer);
    scene.machine.skip_to_event<LinkOpened>();
    scene.peer.expect_flow().with(&codec::Flow::link_credit, 1U);  // to resume with
    scene.machine->set_credit(link, 100).value();
    scene.peer.expect_flow();
    scene.machine.expect_no_event();  // absence says nothing
    scene.peer.send(peer::transfer(0).delivery_id(26).delivery_tag("new").payload("x"));
    CHECK(scene.peer.expect_detach()->error->condition == codec::Symbol(condition::not_allowed));
}

TEST_CASE("an unsettled map has delivery-tags for keys and states for values", "[2.7.3-e]") {
    Scene scene;
    scene.machine->attach(scene.begin(), resumable(sending())).value();
    scene.peer.expect_attach();
    auto answer = peer::attach(codec::Role::receiver, 0, "link");
    SECTION("a string") { answer.performative.unsettled = codec::Map{{"text", codec::Value()}}; }
    SECTION("null") { answer.performative.unsettled = codec::Map{{codec::Value(), codec::Value()}}; }
    SECTION("33 octets") { answer.performative.unsettled = codec::Map{{key(std::string(33, 'x')), codec::Value()}}; }
    SECTION("no state") { answer.performative.unsettled = codec::Map{{key("t"), codec::Value(true)}}; }
    scene.peer.send(answer);
    CHECK(scene.peer.expect_detach()->error->condition == codec::Symbol(condition::invalid_field));
}

TEST_CASE("a state of an unknown kind in the map is none", "[2.7.6-j][2.7.3-e]") {
    UnsettledMap map;
    codec::Map told;
    told.append(key("t"), codec::Described(codec::Symbol("com.example:state"), codec::List{}));
    CHECK_FALSE(map.read(told, false));
    const UnsettledMap::State* const state = map.find(tag("t"));
    REQUIRE(state != nullptr);
    CHECK_FALSE(*state);
    CHECK(map.find(tag("u")) == nullptr);
}

TEST_CASE("two endpoints resume over a lost connection without loss or copy", "[2.6.13-a][2.6.13-d][2.4.6-c]") {
    std::shared_ptr<SuspendedLink> ours;
    std::shared_ptr<SuspendedLink> theirs;
    {
        Pair pair;
        const SessionId session = pair.client.begin().value();
        const LinkId out = pair.client.attach(session, resumable(sending())).value();
        pair.settle_down();
        const LinkId in = pair.next<LinkRequested>(pair.server_events)->link;
        pair.server.accept(in, resumable(receiving())).value();
        pair.server.set_credit(in, 10).value();
        pair.settle_down();
        for (const std::string_view each : {"seen", "unseen", "answered"}) {
            pair.client.send(out, message(), {.tag = tag(each)}).value();
        }
        pair.settle_down();
        for (const std::string_view each : {"seen", "unseen", "answered"}) {
            const auto event = pair.next<DeliveryReceived>(pair.server_events);
            if (each != "unseen") pair.server.take(event->delivery).value();
            if (each == "answered") pair.server.settle(event->delivery, codec::Accepted{}).value();  // never arrives
        }
        for (Endpoint* const side : {&pair.client, &pair.server}) {
            side->close_read(std::make_error_code(std::errc::connection_reset), pair.now);
            while (const auto event = side->poll_event()) {
                const auto* const detached = std::get_if<LinkDetached>(&*event);
                if (detached != nullptr) (side == &pair.client ? ours : theirs) = detached->suspended;
            }
        }
    }
    REQUIRE(ours);
    REQUIRE(theirs);
    CHECK(ours->deliveries.size() == 3);
    CHECK(theirs->deliveries.size() == 1);

    Pair pair;
    const SessionId session = pair.client.begin().value();
    const LinkId out = pair.client.attach(session, resumable(sending(), ours)).value();
    pair.settle_down();
    const auto requested = pair.next<LinkRequested>(pair.server_events);
    REQUIRE(requested);
    CHECK(requested->remote.unsettled->size() == 3);
    const LinkId in = requested->link;
    pair.server.accept(in, resumable(receiving(), theirs)).value();
    pair.server.set_credit(in, 10).value();
    pair.settle_down();
    const DeliveryId seen = pair.server.find_delivery(in, tag("seen")).value();
    // What had been taken is not told again; what had not, or was settled without the sender hearing it, is.
    std::vector<codec::DeliveryTag> again;
    while (const auto event = pair.next<DeliveryReceived>(pair.server_events)) {
        again.push_back(pair.server.take(event->delivery)->tag);
        pair.server.settle(event->delivery, codec::Accepted{}).value();
    }
    CHECK(again == std::vector<codec::DeliveryTag>{tag("unseen"), tag("answered")});
    pair.server.settle(seen, codec::Accepted{}).value();
    pair.settle_down();
    CHECK(pair.client.status(out)->unsettled == 0);
    CHECK(pair.server.status(in)->unsettled == 0);
    for (int i = 0; i < 3; ++i) {
        const auto updated = pair.next<DeliveryUpdated>(pair.client_events);
        REQUIRE(updated);
        CHECK(updated->settled);
    }
}

TEST_CASE("what the peer has settled is not kept for a link's resumption", "[2.6.13-a]") {
    // The application has heard neither of the settlement nor of the detach when the link goes.
    const auto settled_then_suspended = [](Scene& scene, LinkId link, const peer::DispositionFrame& settling) {
        scene.machine.events_held = true;
        scene.peer.send(settling);
        scene.machine->detach(link, false).value();
        scene.peer.expect_detach().respond();
        scene.machine.events_held = false;
        return scene.machine.skip_to_event<LinkDetached>().suspended;
    };
    SECTION("receiving") {
        Scene scene;
        const Taken taken(scene);
        const auto suspended =
            settled_then_suspended(scene, taken.link, peer::disposition(codec::Role::sender, 0).settled());
        REQUIRE(suspended);
        REQUIRE(suspended->deliveries.size() == 1);
        CHECK(suspended->deliveries[0].tag == tag("b"));
    }
    SECTION("receiving, settled from the start") {
        Scene scene;
        const LinkId link = scene.attach(scene.begin(), resumable(receiving()));
        scene.machine->set_credit(link, 2).value();
        scene.peer.expect_flow();
        scene.peer.send(peer::transfer(0).delivery_id(0).delivery_tag("a").settled().payload("m"));
        scene.receive();
        CHECK(suspend(scene, link)->deliveries.empty());
    }
    SECTION("sending") {
        Scene scene;
        const Sent sent(scene, {"a", "b"});
        const auto suspended =
            settled_then_suspended(scene, sent.link, peer::disposition(codec::Role::receiver, 0).settled().accepted());
        REQUIRE(suspended);
        REQUIRE(suspended->deliveries.size() == 1);
        CHECK(suspended->deliveries[0].tag == tag("b"));
    }
}
