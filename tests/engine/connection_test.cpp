#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

TEST_CASE("a connection opens and closes in order on both sides", "[2.4.3]") {
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

TEST_CASE("the close's error reaches the peer", "[2.7.9]") {
    Pair pair;
    pair.settle();
    pair.server.close(some_error());
    pair.settle();
    CHECK(pair.client_log->remote_error == some_error());
    REQUIRE(pair.client_log->failure);
    CHECK(pair.client_log->failure->code == Errc::closed_by_peer);
    CHECK(pair.client_log->failure->condition == some_error());
    CHECK(pair.client_log->failure->initiator == Initiator::peer);
}

TEST_CASE("links, credit and messages asked for before the peer opens are pipelined", "[2.4.1]") {
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

TEST_CASE("a close right after the start still tells everybody") {
    Pair pair;
    pair.client.open_sender("to", {}, std::make_shared<SenderLog>());
    pair.client.close();
    pair.settle();
    CHECK(pair.client_log->events.back() == "close");
    CHECK(pair.server_log->events.back() == "close");
    CHECK(count(pair.server_log->events, "remote close") == 1);
}

TEST_CASE("handlers run after the call that caused them, never inside it") {
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

TEST_CASE("what open carries arrives", "[2.7.1]") {
    ConnectionOptions options;
    options.hostname = "vhost.example";
    options.properties = {{codec::Symbol("string"), codec::Value("value")},
                          {codec::Symbol("int"), codec::Value(std::int32_t{7})}};
    options.offered_capabilities = {"ANONYMOUS-RELAY"};
    const codec::Map properties = options.properties;
    Pair pair(options);
    pair.settle();
    REQUIRE(pair.server.remote() != nullptr);
    CHECK(pair.server.remote()->hostname == "vhost.example");
    CHECK(pair.server.remote()->properties == properties);
    CHECK(pair.server.remote()->offered_capabilities == std::vector<codec::Symbol>{"ANONYMOUS-RELAY"});
    CHECK_FALSE(pair.client.remote()->hostname);
}

TEST_CASE("PLAIN tells the server who the client is", "[5.3]") {
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

TEST_CASE("a wrong password ends both sides with the cause", "[5.3]") {
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

TEST_CASE("without SASL nobody is anybody") {
    Pair pair;
    pair.settle();
    CHECK(pair.server.identity().user.empty());
    CHECK(pair.server.identity().mechanism.empty());
}

TEST_CASE("with SASL enabled and no user the client is anonymous", "[5.3]") {
    ConnectionOptions options;
    options.sasl.enabled = true;
    Pair pair(options);
    pair.settle();
    CHECK(pair.client.is_open());
    CHECK(pair.server.identity().mechanism == "ANONYMOUS");
}

TEST_CASE("an idle time-out is kept alive by empty frames, and ends a connection whose peer has died", "[2.4.5]") {
    ConnectionOptions options;
    options.idle_timeout = 10s;
    Pair pair(options);
    pair.reactor.run_for(10min);
    CHECK(pair.client.is_open());
    CHECK(pair.server.is_open());
}

TEST_CASE("a peer that goes silent is given up after the idle time-out", "[2.4.5]") {
    sim::SimReactor reactor;
    Container client(reactor, "client");
    auto [client_end, peer] = make_memory_streams(reactor);
    const auto log = std::make_shared<ConnectionLog>();
    ConnectionOptions options;
    options.idle_timeout = 10s;
    const Connection connection = client.adopt(std::move(client_end), false, options, log);
    // The peer: protocol header and open, by hand, then nothing.
    const unsigned char words[] = {'A', 'M', 'Q', 'P',  0, 1, 0, 0,  //
                                   0,   0,   0,   0x10, 2, 0, 0, 0, 0, 0x53, 0x10, 0xc0, 0x03, 1, 0xa1, 0x00};
    std::vector<std::byte> octets;
    for (const unsigned char c : words) octets.push_back(static_cast<std::byte>(c));
    octets[11] = std::byte(octets.size() - 8);
    const codec::ConstBuffer buffer{octets.data(), octets.size()};
    peer->write({&buffer, 1}, [](std::error_code, std::size_t) {});
    reactor.settle();
    REQUIRE(log->events == Events{"open"});
    CHECK(reactor.run_until([&] { return log->events.size() > 1; }, 1min));
    CHECK(reactor.elapsed() >= 10s);
    CHECK(reactor.elapsed() <= 13s);
    REQUIRE(log->failure);
    CHECK(log->failure->code == Errc::idle_timed_out);
}

TEST_CASE("a stream that ends without a close is a lost connection, told to every link", "[2.4.6]") {
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

TEST_CASE("a handler that throws closes the connection with amqp-internal-error") {
    Pair pair;
    pair.client_log->when_open = [] { throw std::runtime_error("oops"); };
    pair.settle();
    CHECK(pair.client_log->events == Events{"open", "close"});
    REQUIRE(pair.client_log->failure);
    CHECK(pair.client_log->failure->text.find("oops") != std::string::npos);
    REQUIRE(pair.server_log->remote_error);
    CHECK(pair.server_log->remote_error->condition == codec::condition::internal_error);
}

TEST_CASE("blocking calls on the reactor's thread fail instead of hanging") {
    Pair pair;
    const Sender sender = pair.client.open_sender("to");
    const Receiver receiver = pair.client.open_receiver("from");
    CHECK(pair.client.wait_open(1h).error().code == Errc::would_deadlock);
    CHECK(pair.client.wait_closed(1h).error().code == Errc::would_deadlock);
    CHECK(sender.wait_open(1h).error().code == Errc::would_deadlock);
    CHECK(receiver.wait_open(1h).error().code == Errc::would_deadlock);
    CHECK(receiver.try_receive(1h).error().code == Errc::would_deadlock);
    CHECK(receiver.try_receive(0s).error().code == Errc::timed_out);
    CHECK(sender.send("x").try_wait(1h).error() == Errc::would_deadlock);
}

TEST_CASE("a session of its own ends when its last handle and link have gone", "[2.5.5]") {
    Pair pair;
    pair.accept_all();
    Sender sender;
    {
        const Session session = pair.client.open_session({.incoming_window = 10});
        sender = session.open_sender("to");
    }
    pair.settle();
    CHECK(sender.is_open());
    const Tracker tracker = sender.send("one");
    pair.settle();
    CHECK(pair.server_receiver_log->texts == Events{"one"});
    sender = Sender();
    pair.settle();
    CHECK(pair.server_receiver_log->events.back() == "close");
    CHECK(pair.client.is_open());
}

TEST_CASE("ending a session ends its links and no others", "[2.5.5]") {
    Pair pair;
    pair.accept_all();
    const auto log = std::make_shared<SenderLog>(), other_log = std::make_shared<SenderLog>();
    const Session session = pair.client.open_session();
    const Sender sender = session.open_sender("to", {}, log);
    const Sender other = pair.client.open_sender("other", {}, other_log);
    pair.settle();
    session.end();
    pair.settle();
    CHECK(log->events.back() == "close");
    CHECK_FALSE(log->failure);
    CHECK(count(pair.server_receiver_log->events, "close") == 1);
    CHECK(count(other_log->events, "close") == 0);
    CHECK(other.is_open());
}
