#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

const std::string& target_address(const codec::Attach& attach) {
    return *std::get<codec::Target>(*attach.target).address;
}

}  // namespace

TEST_CASE("a request shows the peer's attach: name, addresses, modes", "[2.7.3]") {
    Pair pair;
    SenderOptions to;
    to.link.name = "my-link";
    to.link.source = codec::Source{.address = "me", .distribution_mode = codec::StdDistMode::copy};
    to.link.snd_settle_mode = codec::SenderSettleMode::settled;
    to.link.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const Sender sender = pair.client.open_sender("to", to);
    ReceiverOptions from;
    from.link.target = codec::Target{.address = "here"};
    from.link.snd_settle_mode = codec::SenderSettleMode::unsettled;
    const Receiver receiver = pair.client.open_receiver("from", from);
    pair.settle();
    REQUIRE(pair.server_log->requests.size() == 2);

    const LinkRequest& first = pair.server_log->requests[0];
    CHECK(first.attach().name == "my-link");
    CHECK(sender.name() == "my-link");
    CHECK(first.address() == "to");
    CHECK(first.attach().source->address == "me");
    CHECK(first.attach().source->distribution_mode == codec::StdDistMode::copy);
    CHECK(first.attach().snd_settle_mode == codec::SenderSettleMode::settled);
    CHECK(first.attach().rcv_settle_mode == codec::ReceiverSettleMode::second);
    CHECK_FALSE(first.wants_dynamic());

    const LinkRequest& second = pair.server_log->requests[1];
    CHECK(second.address() == "from");
    CHECK(target_address(second.attach()) == "here");
    CHECK(second.attach().name == receiver.name());
    CHECK_FALSE(receiver.name().empty());
    CHECK(second.attach().snd_settle_mode == codec::SenderSettleMode::unsettled);
    CHECK(second.attach().rcv_settle_mode == codec::ReceiverSettleMode::first);
}

TEST_CASE("a receiver is accepted inside the callback with a target of our own") {
    Pair pair;
    pair.server_log->take_receiver = [&](LinkRequest request) {
        ReceiverOptions options;
        options.link.target = codec::Target{.address = "elsewhere"};
        pair.server_receiver = request.accept_receiver(options, pair.server_receiver_log);
    };
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.settle();
    REQUIRE(sender.remote() != nullptr);
    CHECK(target_address(*sender.remote()) == "elsewhere");
    CHECK(sender.address() == "to");
    CHECK(log->events == Events{"open", "credit"});
    CHECK(pair.server_receiver_log->events == Events{"open"});
}

TEST_CASE("a sender's dynamic target gets the name that the peer gives", "[3.5.4]") {
    Pair pair;
    pair.server_log->take_receiver = [&](LinkRequest request) {
        CHECK(request.wants_dynamic());
        CHECK_FALSE(request.address());
        ReceiverOptions options;
        options.link.target = codec::Target{.address = "made/1", .dynamic = true};
        options.credit = 10;
        pair.server_receiver = request.accept_receiver(options, pair.server_receiver_log);
    };
    SenderOptions options;
    options.link.target = codec::Target{.dynamic = true};
    const Sender sender = pair.client.open_sender("ignored", options);
    CHECK(sender.address().empty());
    pair.settle();
    CHECK(sender.address() == "made/1");
    CHECK(sender.credit() == 10);
}

TEST_CASE("a request may be accepted later") {
    Pair pair;
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.reactor.run_for(5s);
    CHECK(log->events.empty());
    REQUIRE(pair.server_log->requests.size() == 1);
    auto receiver = pair.server_log->requests[0].accept_receiver({.credit = 3}, pair.server_receiver_log);
    pair.settle();
    CHECK(log->events == Events{"open", "credit"});
    CHECK(sender.credit() == 3);
}

TEST_CASE("a sender is accepted inside the callback, with its source", "[2.6.3]") {
    Pair pair;
    pair.server_log->take_sender = [&](LinkRequest request) {
        SenderOptions options;
        options.link.source = codec::Source{.address = "real"};
        pair.server_sender = request.accept_sender(options, pair.server_sender_log);
    };
    const auto log = std::make_shared<ReceiverLog>();
    const Receiver receiver = pair.client.open_receiver("from", {.credit = 7}, log);
    CHECK(receiver.address() == "from");
    pair.settle();
    CHECK(receiver.address() == "real");
    CHECK(log->events == Events{"open"});
    CHECK(pair.server_sender_log->events == Events{"open", "credit"});
    CHECK(pair.server_sender.credit() == 7);
}

TEST_CASE("a dynamic receiver learns its node's name, and its properties reach the peer", "[3.5.3]") {
    Pair pair;
    codec::Map seen;
    pair.server_log->take_sender = [&](LinkRequest request) {
        CHECK(request.wants_dynamic());
        CHECK_FALSE(request.address());
        seen = request.attach().source->dynamic_node_properties;
        SenderOptions options;
        options.link.source = codec::Source{.address = "node/7", .dynamic = true};
        pair.server_sender = request.accept_sender(options, pair.server_sender_log);
    };
    ReceiverOptions options{.dynamic = true};
    options.link.source = codec::Source{};
    options.link.source->dynamic_node_properties = {{codec::Symbol("x-key"), codec::Value("v")}};
    const codec::Map properties = options.link.source->dynamic_node_properties;
    const Receiver receiver = pair.client.open_receiver("ignored", options);
    pair.settle();
    CHECK(receiver.address() == "node/7");
    CHECK(seen == properties);
}

TEST_CASE("a refusal brings condition, description and info to the asking side", "[2.6.3]") {
    Pair pair;
    pair.server_log->take_receiver = [](LinkRequest request) { request.refuse(some_error()); };
    pair.server_log->take_sender = [](LinkRequest request) { request.refuse(some_error("app:other")); };
    const auto sender_log = std::make_shared<SenderLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    const Sender sender = pair.client.open_sender("to", {}, sender_log);
    const Receiver receiver = pair.client.open_receiver("from", {}, receiver_log);
    const Tracker tracker = sender.send("never");
    pair.settle();
    CHECK(sender_log->events == Events{"close"});
    REQUIRE(sender_log->failure);
    CHECK(sender_log->failure->code == Errc::refused);
    CHECK(sender_log->failure->condition == some_error());
    CHECK(sender_log->failure->initiator == Initiator::peer);
    CHECK(receiver_log->events == Events{"close"});
    CHECK(receiver_log->failure->condition == some_error("app:other"));
    CHECK(sender.wait_open(0s).error().condition == some_error());
    CHECK(receiver.try_receive(0s).error().code == Errc::wrong_state);
    REQUIRE(tracker.outcome());
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::refused);
    CHECK(pair.client.is_open());
}

TEST_CASE("a refusal after the callback works too, and the name may be used again") {
    Pair pair;
    const auto log = std::make_shared<SenderLog>();
    SenderOptions options;
    options.link.name = "again";
    pair.client.open_sender("to", options, log);
    pair.settle();
    pair.server_log->requests[0].refuse(some_error());
    pair.settle();
    CHECK(log->events == Events{"close"});
    pair.server_log->requests.clear();

    pair.accept_all();
    const Sender second = pair.client.open_sender("to", options);
    pair.settle();
    CHECK(second.is_open());
}

TEST_CASE("a request that nobody answers is refused with amqp-not-implemented") {
    Pair pair;
    pair.server_log->take_receiver = [](LinkRequest) {};
    const auto log = std::make_shared<SenderLog>();
    pair.client.open_sender("to", {}, log);
    pair.settle();
    REQUIRE(log->failure);
    CHECK(log->failure->condition->condition == codec::condition::not_implemented);
}

TEST_CASE("the handler's defaults refuse links with amqp-not-implemented") {
    sim::SimReactor reactor;
    Container server(reactor), client(reactor);
    auto [near, far] = make_memory_streams(reactor);
    server.adopt(std::move(far), true, {}, std::make_shared<ConnectionHandler>());
    const Connection connection = client.adopt(std::move(near), false);
    const auto log = std::make_shared<SenderLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    connection.open_sender("to", {}, log);
    connection.open_receiver("from", {}, receiver_log);
    reactor.settle();
    CHECK(log->failure->condition->condition == codec::condition::not_implemented);
    CHECK(receiver_log->failure->condition->condition == codec::condition::not_implemented);
}

TEST_CASE("a request answered after its link or connection has gone comes to nothing") {
    Pair pair;
    {
        const Sender sender = pair.client.open_sender("to");
        const Receiver receiver = pair.client.open_receiver("from");
        pair.settle();
    }
    pair.settle();  // the handles have gone, so the links have
    REQUIRE(pair.server_log->requests.size() == 2);
    const auto late = std::make_shared<ReceiverLog>();
    auto receiver = pair.server_log->requests[0].accept_receiver({}, late);
    pair.settle();
    CHECK(late->events == Events{"close"});
    pair.client.close();
    pair.settle();
    pair.server_log->requests[1].refuse(some_error());
    pair.settle();
    CHECK(pair.server_log->events.back() == "close");
}

TEST_CASE("settle modes reach the peer and come back", "[2.8.2]") {
    Pair pair;
    pair.accept_all();
    SenderOptions options;
    options.link.snd_settle_mode = codec::SenderSettleMode::unsettled;
    options.link.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const Sender sender = pair.client.open_sender("to", options);
    pair.settle();
    REQUIRE(sender.remote() != nullptr);
    CHECK(sender.remote()->snd_settle_mode == codec::SenderSettleMode::unsettled);
    CHECK(sender.remote()->rcv_settle_mode == codec::ReceiverSettleMode::second);
    pair.server_receiver_log->when_message = [](Receiver&, Delivery& delivery) { delivery.accept(); };
    const Tracker tracker = sender.send("twice settled");
    pair.settle();
    CHECK(tracker.outcome()->accepted());
    CHECK(sender.pending() == 0);
}
