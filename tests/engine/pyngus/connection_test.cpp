#include "engine/pair.hpp"
#include "peer/peer.hpp"
#include "testkit/stream_channel.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

// The tests of Pyngus by number: docs/pyngus.md has the table.

namespace {

const std::string& target_address(const codec::Attach& attach) {
    return *std::get<codec::Target>(*attach.target).address;
}

}  // namespace

TEST_CASE("pyngus 05 create destroy - a connection knows its peer by name") {
    Pair pair;
    CHECK(pair.client);
    CHECK(pair.client == Connection(pair.client));
    CHECK_FALSE(pair.client == pair.server);
    CHECK(pair.client.peer_name() == "in memory");
    CHECK(pair.client_container.id() == "client");
    CHECK_FALSE(Connection());
}

TEST_CASE("pyngus 06 open close polled - a connection opens and closes in order on both sides", "[2.4.3]") {
    Pair pair;
    CHECK_FALSE(pair.client.is_open());
    CHECK(pair.client.remote() == nullptr);
    pair.settle();
    CHECK(pair.client.is_open());
    CHECK(pair.server.is_open());
    CHECK(pair.client.remote()->container_id == "server");
    CHECK(pair.server.remote()->container_id == "client");
    CHECK(pair.client.wait_open(0s));

    pair.client.close();
    pair.settle();
    CHECK(pair.client_log->events == Events{"open", "close"});
    CHECK(pair.server_log->events == Events{"open", "remote close", "close"});
    CHECK_FALSE(pair.client_log->failure);
    REQUIRE(pair.server_log->failure);
    CHECK(pair.server_log->failure->code == Errc::closed_by_peer);
    CHECK_FALSE(pair.server_log->remote_error);
    CHECK_FALSE(pair.client.is_open());
    CHECK(pair.client.wait_closed(0s));
    CHECK(pair.reactor.elapsed() == 0s);
}

TEST_CASE("pyngus 07 pipeline - links, credit and messages asked for before the peer opens", "[2.4.1]") {
    Pair pair;
    const auto sender_log = std::make_shared<SenderLog>();
    const auto receiver_log = std::make_shared<ReceiverLog>();
    receiver_log->when_message = [](Receiver&, Delivery& delivery) { delivery.accept(); };
    pair.server_receiver_log->when_message = receiver_log->when_message;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to", {}, sender_log);
    const Receiver receiver = pair.client.open_receiver("from", {.credit = 5}, receiver_log);
    const Tracker there = sender.send("there");
    pair.settle();
    CHECK(pair.server_log->events == Events{"open", "receiver requested", "sender requested"});
    CHECK(there.outcome()->accepted());
    const Tracker back = pair.server_sender.send("back");
    pair.settle();
    CHECK(back.outcome()->accepted());
    CHECK(pair.server_receiver_log->texts == Events{"there"});
    CHECK(receiver_log->texts == Events{"back"});

    sender.close();
    receiver.close();
    pair.client.close();
    pair.settle();
    CHECK(sender_log->events == Events{"open", "credit", "close"});
    CHECK(receiver_log->events == Events{"open", "close"});
    CHECK(pair.server_receiver_log->events == Events{"open", "remote close", "close"});
    CHECK(pair.server_sender_log->events == Events{"open", "credit", "remote close", "close"});
    CHECK(pair.client_log->events.back() == "close");
    CHECK(pair.server_log->events.back() == "close");
}

TEST_CASE("pyngus 08 abort - a close right after the start still tells everybody") {
    Pair pair;
    pair.client.open_sender("to", {}, std::make_shared<SenderLog>());
    pair.client.close();
    pair.settle();
    CHECK(pair.client_log->events.back() == "close");
    CHECK(pair.server_log->events.back() == "close");
    CHECK(count(pair.server_log->events, "remote close") == 1);
}

TEST_CASE("pyngus 09 user context - what the caller gives with a message comes back with it") {
    Pair pair;
    int mine = 7;
    const Sender sender = pair.client.open_sender("to");
    const Tracker tracker = sender.send("m", {.context = &mine});
    CHECK(tracker.context() == &mine);
    CHECK(sender.send("m").context() == nullptr);
}

TEST_CASE("pyngus 10 active callback - once each, only after both opens, and nothing fails after the close",
          "[2.4.3]") {
    sim::SimReactor reactor;
    Container container(reactor, "client");
    auto [near, far] = make_memory_streams(reactor);
    testing::StreamChannel channel(reactor, std::move(far));
    peer::Peer peer(channel);
    const auto log = std::make_shared<ConnectionLog>();
    const Connection connection = container.adopt(std::move(near), false, {}, log);
    reactor.settle();
    peer.expect_header().respond();
    peer.expect_open();
    CHECK(log->events.empty());
    peer.send(peer::open());
    CHECK(log->events == Events{"open"});
    peer.send(peer::close());
    CHECK(log->events == Events{"open", "remote close", "close"});
    peer.expect_close();
    channel.close();
    connection.close();
    reactor.run_for(1min);
    CHECK(log->events == Events{"open", "remote close", "close"});
}

TEST_CASE("pyngus 11 destroy then process - calls for what has gone are harmless") {
    Pair pair;
    pair.accept_all();
    const Sender sender = pair.client.open_sender("to");
    const Receiver receiver = pair.client.open_receiver("from");
    const Session session = pair.client.open_session();
    pair.settle();
    pair.client.close();
    pair.settle();
    const Events before = pair.client_log->events;
    CHECK(sender.send("m").outcome()->kind == Outcome::Kind::not_sent);
    sender.close();
    receiver.add_credit(1);
    receiver.drain();
    receiver.close();
    session.open_sender("late").close();
    session.end();
    pair.client.close();
    CHECK_FALSE(pair.client.open_sender("late").is_open());
    pair.settle();
    CHECK(pair.client_log->events == before);
    CHECK(sender.credit() == 0);
    CHECK(sender.pending() == 0);
}

TEST_CASE("pyngus 12 sasl callbacks - PLAIN tells the server who the client is", "[5.3]") {
    ConnectionOptions client, server;
    client.sasl.username = "user";
    client.sasl.password = "secret";
    server.sasl_server.required = true;
    server.sasl_server.verify_password = [](std::string_view user, std::string_view password) {
        return user == "user" && password == "secret";
    };
    Pair pair(client, server);
    pair.settle();
    CHECK(pair.client.is_open());
    CHECK(pair.server.identity().mechanism == "PLAIN");
    CHECK(pair.server.identity().user == "user");
}

TEST_CASE("pyngus 13 properties idle timeout - empty frames keep both sides alive", "[2.4.5]") {
    ConnectionOptions options;
    options.idle_timeout = 10s;
    Pair pair(options);
    pair.reactor.run_for(10min);
    CHECK(pair.client.is_open());
    CHECK(pair.server.is_open());
}

TEST_CASE("pyngus 14 properties hostname - the peer sees it, and the other side none", "[2.7.1]") {
    ConnectionOptions options;
    options.hostname = "vhost.example";
    Pair pair(options);
    pair.settle();
    REQUIRE(pair.server.remote() != nullptr);
    CHECK(pair.server.remote()->hostname == "vhost.example");
    CHECK_FALSE(pair.client.remote()->hostname);
}

TEST_CASE("pyngus 15 connection properties - they arrive equal, and capabilities do", "[2.7.1]") {
    ConnectionOptions options;
    options.properties = {{codec::Symbol("string"), codec::Value("value")},
                          {codec::Symbol("int"), codec::Value(std::int32_t{7})}};
    options.offered_capabilities = {"ANONYMOUS-RELAY"};
    options.desired_capabilities = {"queue"};
    const codec::Map properties = options.properties;
    Pair pair(options);
    pair.settle();
    CHECK(pair.server.remote()->properties == properties);
    CHECK(pair.server.remote()->offered_capabilities == std::vector<codec::Symbol>{"ANONYMOUS-RELAY"});
    CHECK(pair.server.remote()->desired_capabilities == std::vector<codec::Symbol>{"queue"});
}

TEST_CASE("pyngus 16 create sender - the request shows name, target, distribution mode and source", "[2.7.3]") {
    Pair pair;
    SenderOptions to;
    to.link.name = "my-link";
    to.link.source = codec::Source{.address = "me", .distribution_mode = codec::StdDistMode::copy};
    to.link.snd_settle_mode = codec::SenderSettleMode::settled;
    to.link.rcv_settle_mode = codec::ReceiverSettleMode::second;
    const Sender sender = pair.client.open_sender("to", to);
    pair.settle();
    REQUIRE(pair.server_log->requests.size() == 1);
    const LinkRequest& request = pair.server_log->requests[0];
    CHECK(pair.server_log->events == Events{"open", "receiver requested"});
    CHECK(request.attach().name == "my-link");
    CHECK(sender.name() == "my-link");
    CHECK(request.address() == "to");
    CHECK(request.attach().source->address == "me");
    CHECK(request.attach().source->distribution_mode == codec::StdDistMode::copy);
    CHECK(request.attach().snd_settle_mode == codec::SenderSettleMode::settled);
    CHECK(request.attach().rcv_settle_mode == codec::ReceiverSettleMode::second);
    CHECK_FALSE(request.wants_dynamic());
}

TEST_CASE("pyngus 17 create receiver - the request shows name, source, distribution mode and target", "[2.7.3]") {
    Pair pair;
    ReceiverOptions from;
    from.link.source = codec::Source{.distribution_mode = codec::StdDistMode::move};
    from.link.target = codec::Target{.address = "here"};
    from.link.snd_settle_mode = codec::SenderSettleMode::unsettled;
    const Receiver receiver = pair.client.open_receiver("from", from);
    pair.settle();
    REQUIRE(pair.server_log->requests.size() == 1);
    const LinkRequest& request = pair.server_log->requests[0];
    CHECK(pair.server_log->events == Events{"open", "sender requested"});
    CHECK(request.address() == "from");
    CHECK(target_address(request.attach()) == "here");
    CHECK(request.attach().name == receiver.name());
    CHECK_FALSE(receiver.name().empty());
    CHECK(request.attach().source->distribution_mode == codec::StdDistMode::move);
    CHECK(request.attach().snd_settle_mode == codec::SenderSettleMode::unsettled);
    CHECK(request.attach().rcv_settle_mode == codec::ReceiverSettleMode::first);
}

TEST_CASE("pyngus 30 io input close - a stream that ends without a close is a lost connection, told to every link",
          "[2.4.6]") {
    sim::SimReactor reactor;
    Container client(reactor, "client");
    auto [near, far] = make_memory_streams(reactor);
    const auto log = std::make_shared<ConnectionLog>();
    const auto sender_log = std::make_shared<SenderLog>();
    const Connection connection = client.adopt(std::move(near), false, {}, log);
    const Sender sender = connection.open_sender("to", {}, sender_log);
    const Tracker tracker = sender.send("lost");
    reactor.settle();
    far.reset();
    reactor.settle();
    CHECK(log->events == Events{"close"});
    REQUIRE(log->failure);
    CHECK(log->failure->code == Errc::connection_lost);
    CHECK(sender_log->events == Events{"close"});
    CHECK(sender_log->failure->code == Errc::connection_lost);
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(tracker.outcome()->failure->code == Errc::connection_lost);
    // Harmless from here on.
    sender.close();
    connection.close();
    CHECK(sender.send("later").outcome()->kind == Outcome::Kind::not_sent);
    const auto late = std::make_shared<SenderLog>();
    connection.open_sender("late", {}, late);
    reactor.settle();
    CHECK(late->events == Events{"close"});
    CHECK(late->failure->code == Errc::connection_lost);
}

TEST_CASE("pyngus 32 non reentrant callback - handlers run after the call that caused them, never inside it") {
    Pair pair;
    CHECK(pair.client_log->events.empty());
    pair.settle();
    std::size_t inside = 99;
    pair.server_log->take_receiver = [&](LinkRequest request) {
        pair.server_receiver = request.accept_receiver({}, pair.server_receiver_log);
        inside = pair.server_receiver_log->events.size();
    };
    pair.client.open_sender("to", {}, std::make_shared<SenderLog>());
    pair.settle();
    CHECK(inside == 0);
    CHECK(pair.server_receiver_log->events == Events{"open"});
}

TEST_CASE("pyngus 33 accept receiver sync - inside the callback, with a target of our own") {
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

TEST_CASE("pyngus 34 accept receiver dynamic sync - a target gets the name that the peer gives", "[3.5.4]") {
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

TEST_CASE("pyngus 35 accept receiver async - a request may be accepted later, with another target") {
    Pair pair;
    const auto log = std::make_shared<SenderLog>();
    const Sender sender = pair.client.open_sender("to", {}, log);
    pair.reactor.run_for(5s);
    CHECK(log->events.empty());
    REQUIRE(pair.server_log->requests.size() == 1);
    CHECK(pair.server_log->requests[0].attach().name == sender.name());
    ReceiverOptions options{.credit = 3};
    options.link.target = codec::Target{.address = "another"};
    auto receiver = pair.server_log->requests[0].accept_receiver(options, pair.server_receiver_log);
    pair.settle();
    CHECK(log->events == Events{"open", "credit"});
    CHECK(sender.credit() == 3);
    CHECK(target_address(*sender.remote()) == "another");
}

TEST_CASE("pyngus 36 reject receiver sync - condition, description and info reach the asking side", "[2.6.3]") {
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

TEST_CASE("pyngus 37 reject receiver no condition sync - a detach without an error is a refusal all the same",
          "[2.6.3]") {
    sim::SimReactor reactor;
    Container container(reactor, "client");
    auto [near, far] = make_memory_streams(reactor);
    testing::StreamChannel channel(reactor, std::move(far));
    peer::Peer peer(channel);
    const Connection connection = container.adopt(std::move(near), false, {});
    reactor.settle();
    peer.answer_open();
    const auto log = std::make_shared<SenderLog>();
    connection.open_sender("to", {}, log);
    reactor.settle();
    peer.expect_begin().respond();
    const auto attach = peer.expect_attach();
    auto reply = peer.reply_to(*attach, attach.channel());
    peer.send(reply.no_target());
    peer.send(peer::detach(attach->handle).closed());
    peer.expect_detach();
    CHECK(log->events == Events{"close"});
    REQUIRE(log->failure);
    CHECK(log->failure->code == Errc::refused);
    CHECK_FALSE(log->failure->condition);
    CHECK(connection.is_open());
}

TEST_CASE("pyngus 38 reject receiver async - and the name may be used again") {
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

TEST_CASE("pyngus 39 accept sender sync - inside the callback, with its source", "[2.6.3]") {
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

TEST_CASE("pyngus 40 accept sender dynamic sync - a dynamic receiver learns the name of its node", "[3.5.3]") {
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

TEST_CASE("pyngus 41 accept sender async - a request may be accepted later, with another source") {
    Pair pair;
    const auto log = std::make_shared<ReceiverLog>();
    const Receiver receiver = pair.client.open_receiver("from", {.credit = 3}, log);
    pair.reactor.run_for(5s);
    CHECK(log->events.empty());
    REQUIRE(pair.server_log->requests.size() == 1);
    SenderOptions options;
    options.link.source = codec::Source{.address = "another"};
    auto sender = pair.server_log->requests[0].accept_sender(options, pair.server_sender_log);
    pair.settle();
    CHECK(log->events == Events{"open"});
    CHECK(receiver.address() == "another");
    CHECK(sender.credit() == 3);
}

TEST_CASE("pyngus 42 reject sender sync - condition, description and info reach the receiver", "[2.6.3]") {
    Pair pair;
    pair.server_log->take_sender = [](LinkRequest request) { request.refuse(some_error()); };
    const auto log = std::make_shared<ReceiverLog>();
    const Receiver receiver = pair.client.open_receiver("from", {}, log);
    pair.settle();
    CHECK(log->events == Events{"close"});
    CHECK(log->failure->code == Errc::refused);
    CHECK(log->failure->condition == some_error());
    CHECK_FALSE(receiver.is_open());
}

TEST_CASE("pyngus 43 reject sender no condition sync - a request that is dropped is refused for a reason of ours") {
    Pair pair;
    pair.server_log->take_sender = [](LinkRequest) {};
    const auto log = std::make_shared<ReceiverLog>();
    pair.client.open_receiver("from", {}, log);
    pair.settle();
    CHECK(log->events == Events{"close"});
    CHECK(log->failure->condition->condition == codec::condition::not_implemented);
}

TEST_CASE("pyngus 44 reject sender async - after the callback, and the name may be used again") {
    Pair pair;
    ReceiverOptions options;
    options.link.name = "again";
    const auto log = std::make_shared<ReceiverLog>();
    pair.client.open_receiver("from", options, log);
    pair.settle();
    pair.server_log->requests.at(0).refuse(some_error());
    pair.settle();
    CHECK(log->events == Events{"close"});
    pair.server_log->requests.clear();
    pair.accept_all();
    const Receiver second = pair.client.open_receiver("from", options);
    pair.settle();
    CHECK(second.is_open());
}

TEST_CASE("pyngus 45 sasl ok - a user name with a realm and the right password, told once", "[5.3]") {
    ConnectionOptions client, server;
    client.sasl.username = "user@realm";
    client.sasl.password = "secret";
    server.sasl_server.required = true;
    int asked = 0;
    server.sasl_server.verify_password = [&](std::string_view user, std::string_view password) {
        ++asked;
        return user == "user@realm" && password == "secret";
    };
    Pair pair(client, server);
    pair.settle();
    CHECK(asked == 1);
    CHECK(pair.client_log->events == Events{"open"});
    CHECK(pair.server_log->events == Events{"open"});
    CHECK(pair.server.identity().user == "user@realm");
}

TEST_CASE("pyngus 46 sasl fail - a wrong password ends both sides with the cause", "[5.3]") {
    ConnectionOptions client, server;
    client.sasl.username = "user";
    client.sasl.password = "wrong";
    server.sasl_server.required = true;
    server.sasl_server.verify_password = [](std::string_view, std::string_view) { return false; };
    Pair pair(client, server);
    pair.reactor.run_for(10s);
    CHECK(pair.client_log->events == Events{"close"});
    CHECK(pair.server_log->events == Events{"close"});
    REQUIRE(pair.client_log->failure);
    CHECK(pair.client_log->failure->code == Errc::authentication_failed);
    CHECK(pair.client.wait_open(0s).error().code == Errc::authentication_failed);
}

namespace {

/// The protocol id in the first header that a client with these options sends.
int first_protocol_id(ConnectionOptions options) {
    sim::SimReactor reactor;
    Container container(reactor, "client");
    auto [near, far] = make_memory_streams(reactor);
    testing::StreamChannel channel(reactor, std::move(far));
    const Connection connection = container.adopt(std::move(near), false, std::move(options));
    const auto octets = channel.read(0s);
    return octets.size() < 8 ? -1 : std::to_integer<int>(octets[4]);
}

}  // namespace

TEST_CASE("pyngus 47 sasl disabled - the first header is that of AMQP", "[2.2]") { CHECK(first_protocol_id({}) == 0); }

TEST_CASE("pyngus 48 sasl force - the first header is that of SASL", "[2.2]") {
    ConnectionOptions options;
    options.sasl.enabled = true;
    CHECK(first_protocol_id(options) == 3);
    options.sasl.enabled = false;
    options.sasl.username = "user";
    CHECK(first_protocol_id(options) == 3);
}

TEST_CASE("pyngus 49 sasl force false - the first header is that of AMQP", "[2.2]") {
    ConnectionOptions options;
    options.sasl.enabled = false;
    CHECK(first_protocol_id(options) == 0);
}
