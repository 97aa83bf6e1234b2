#include "engine/pair.hpp"

#include <stdexcept>

#include <aprotic/engine/percent_encoding.hpp>

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;

namespace {

std::string refusal(std::string_view url, ConnectionOptions options = {}) {
    sim::SimReactor reactor;
    Container container(reactor);
    try {
        container.connect(url, std::move(options));
    } catch (const std::invalid_argument& refused) {
        return refused.what();
    }
    return "";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a connection without a handler is closed when the last handle of it and of its links goes") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    const auto log = std::make_shared<ConnectionLog>();
    log->take_receiver = [](LinkRequest request) { request.accept_receiver({}, std::make_shared<ReceiverLog>()); };
    auto listener = server.listen(*Address::parse("broker:5672"), {}, [&] { return log; });
    Sender sender;
    {
        const Connection connection = client.connect("amqp://broker");
        sender = connection.open_sender("a");
    }
    CHECK(reactor.run_until([&] { return sender.is_open(); }));
    reactor.run_for(1s);
    CHECK(count(log->events, "remote close") == 0);
    sender = Sender();
    reactor.run_for(1s);
    CHECK(log->events.back() == "close");
}

TEST_CASE("a link with a handler holds a connection that has none") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    const auto log = std::make_shared<ConnectionLog>();
    const auto sender_log = std::make_shared<SenderLog>();
    log->take_receiver = [](LinkRequest request) { request.accept_receiver({}, std::make_shared<ReceiverLog>()); };
    auto listener = server.listen(*Address::parse("broker:5672"), {}, [&] { return log; });
    client.connect("amqp://broker").open_sender("a", {}, sender_log);
    reactor.run_for(1s);
    CHECK(sender_log->events == Events{"open", "credit"});
    CHECK(count(log->events, "close") == 0);
}

TEST_CASE("a listener refuses connections when its factory gives no handler, and stops when its last copy goes") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    auto listener = server.listen(*Address::parse("broker:0"), {}, [] { return std::shared_ptr<ConnectionHandler>(); });
    REQUIRE(listener);
    CHECK(listener->address().port != 0);
    const auto log = std::make_shared<ConnectionLog>();
    client.connect(listener->address(), {}, log);
    reactor.run_for(1s);
    REQUIRE(log->events == Events{"close"});
    REQUIRE(log->failure);
    CHECK(log->failure->code == Errc::connection_lost);

    const Address gone = listener->address();
    *listener = Listener();
    const auto later = std::make_shared<ConnectionLog>();
    client.connect(gone, {}, later);
    reactor.run_for(1s);
    REQUIRE(later->failure);
    CHECK(later->failure->code == Errc::connect_failed);
}

TEST_CASE("percent encoding leaves what is unreserved, and what is no encoding is refused") {
    CHECK(percent_encoded("aZ9-._~ /%\xff") == "aZ9-._~%20%2F%25%FF");
    CHECK(percent_encoded("a/b,c", "/") == "a/b%2Cc");
    CHECK(percent_decoded("a%2fB%2F%25") == "a/B/%");
    for (const char* wrong : {"%", "%2", "a%2g", "%+1", "%-1", "% 1"}) CHECK_FALSE(percent_decoded(wrong));
}

TEST_CASE("the user and password of a URL are percent-decoded") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    ConnectionOptions options;
    std::string seen;
    options.sasl_server.verify_password = [&](std::string_view user, std::string_view password) {
        seen = std::string(user) + " " + std::string(password);
        return true;
    };
    auto listener =
        server.listen(*Address::parse("localhost:5672"), options, [] { return std::make_shared<ConnectionLog>(); });
    const Connection connection = client.connect("amqp://me%40home:p%3Aw%2F@localhost");
    CHECK(reactor.run_until([&] { return connection.is_open(); }));
    CHECK(seen == "me@home p:w/");
}

TEST_CASE("an IPv6 host goes into brackets") {
    sim::SimReactor reactor;
    Container server(reactor, "server"), client(reactor, "client");
    auto listener = server.listen(*Address::parse("[::1]:99"), {}, [] { return std::make_shared<ConnectionLog>(); });
    const Connection connection = client.connect("amqp://[::1]:99");
    CHECK(reactor.run_until([&] { return connection.is_open(); }));
    CHECK(connection.peer_name() == "[::1]:99");
}

TEST_CASE("a URL that cannot be used is refused with what was expected, never with its password") {
    for (const char* url : {"", "localhost", "http://localhost", "amqps://", "amqp://", "amqp://:5672",
                            "amqp://host:port", "amqp://host:0", "amqp://host/vhost", "amqp://host?x=y", "amqp://@host",
                            "amqp://a%zz:secret@host", "amqp://a:secret@ho st:port", "unix:"}) {
        INFO(url);
        const std::string text = refusal(url);
        CHECK(contains(text, "expected"));
        CHECK_FALSE(contains(text, "secret"));
    }
}

TEST_CASE("an option out of its range is refused by name") {
    ConnectionOptions options;
    options.limits.frame_size_max = 100;
    CHECK(contains(refusal("amqp://host", options), "frame_size_max"));
}

TEST_CASE("a server that is not there is told within the deadline, with host, port and reason") {
    sim::SimReactor reactor;
    Container client(reactor, "client");
    reactor.silence("far");
    const auto attempt = [&](const char* url) {
        const auto log = std::make_shared<ConnectionLog>();
        const auto sender_log = std::make_shared<SenderLog>();
        const Connection connection = client.connect(url, {}, log);
        const Sender sender = connection.open_sender("a", {}, sender_log);
        const Tracker tracker = sender.send("lost");
        reactor.run_for(10s);
        CHECK(log->events == Events{"close"});
        CHECK(sender_log->events == Events{"close"});
        CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
        CHECK(connection.wait_open(0s).error().code == log->failure->code);
        CHECK(sender.wait_open(0s).error().code == log->failure->code);
        return log->failure.value();
    };
    CHECK(attempt("amqp://near:1").code == Errc::connect_failed);
    CHECK(contains(attempt("amqp://near:1").text, "near:1"));
    CHECK(attempt("amqp://no.invalid").code == Errc::resolve_failed);
    CHECK(contains(attempt("amqp://no.invalid").text, "no.invalid:5672"));
    CHECK(attempt("amqp://far").code == Errc::connect_timed_out);
    CHECK(contains(attempt("amqp://far").text, "far:5672"));
    CHECK(contains(attempt("amqp://far").text, "connect_timeout"));
}

TEST_CASE("a server that takes the connection and says nothing is told within connect_timeout") {
    sim::SimReactor reactor;
    Container client(reactor, "client");
    std::vector<std::unique_ptr<Stream>> silent;
    auto acceptor =
        reactor.listen(*Address::parse("mute:1"), [&](std::unique_ptr<Stream> s) { silent.push_back(std::move(s)); });
    const auto log = std::make_shared<ConnectionLog>();
    ConnectionOptions options;
    options.connect_timeout = 3s;
    client.connect("amqp://mute:1", options, log);
    CHECK(reactor.run_until([&] { return !log->events.empty(); }, 1min));
    CHECK(reactor.elapsed() >= 3s);
    CHECK(reactor.elapsed() < 4s);
    REQUIRE(log->failure);
    CHECK(log->failure->code == Errc::connect_timed_out);
    CHECK(contains(log->failure->text, "mute:1"));
    CHECK(contains(log->failure->text, "connect_timeout"));
}

TEST_CASE("closing while the connection is still being made ends it without a failure") {
    sim::SimReactor reactor;
    Container client(reactor, "client");
    reactor.silence("far");
    const auto log = std::make_shared<ConnectionLog>();
    const auto sender_log = std::make_shared<SenderLog>();
    const Connection connection = client.connect("amqp://far", {}, log);
    const Sender sender = connection.open_sender("a", {}, sender_log);
    const Tracker tracker = sender.send("lost");
    connection.close();
    CHECK(log->events.empty());  // never from inside the call
    reactor.settle();
    CHECK(log->events == Events{"close"});
    CHECK_FALSE(log->failure);
    CHECK(sender_log->events == Events{"close"});
    CHECK(tracker.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(reactor.elapsed() == 0s);
}
