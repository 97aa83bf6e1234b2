#include "engine/pair.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

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
