#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <aprotic/engine/tls.hpp>

#include "engine/pair.hpp"
#include "support/certificates.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::test;
using aprotic::test::Authority;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct World {
    World() {
        const auto identity = authority.issue({.common_name = "broker", .hosts = {"broker"}});
        TlsOptions server_tls;
        server_tls.certificate_pem = identity.certificate;
        server_tls.key_pem = identity.key;
        server_options.tls.context = TlsContext::make_server(server_tls).value();
        TlsOptions client_tls;
        client_tls.ca_pem = authority.certificate();
        client_options.tls.context = TlsContext::make_client(client_tls).value();
    }

    void listen(const char* at) {
        listener = *server.listen(*Address::parse(at), server_options, [this] {
            logs.push_back(std::make_shared<ConnectionLog>());
            return logs.back();
        });
    }

    const Authority authority;
    sim::SimReactor reactor;
    Container server{reactor, "server"};
    Container client{reactor, "client"};
    ConnectionOptions server_options;
    ConnectionOptions client_options;
    std::vector<std::shared_ptr<ConnectionLog>> logs;
    Listener listener;
};

}  // namespace

TEST_CASE("amqps connects to port 5671 and verifies the name of the URL's host", "[5.2-b]") {
    World world;
    world.listen("broker:5671");
    const Connection connection = world.client.connect("amqps://broker", world.client_options);
    REQUIRE(world.reactor.run_until([&] { return connection.is_open(); }));
    CHECK(connection.peer_name() == "broker:5671");
    REQUIRE(connection.identity().tls);
    CHECK(connection.identity().tls->common_name == "broker");
    connection.close();
    world.reactor.run_for(5s);
    CHECK(world.logs[0]->events == Events{"open", "remote close", "close"});
    REQUIRE(world.logs[0]->failure);
    CHECK(world.logs[0]->failure->code == Errc::closed_by_peer);
}

TEST_CASE("a host of another name is not taken for the one of the URL") {
    World world;
    world.listen("elsewhere:5671");
    const auto log = std::make_shared<ConnectionLog>();
    world.client.connect("amqps://elsewhere", world.client_options, log);
    world.reactor.run_for(5s);
    REQUIRE(log->failure);
    CHECK(log->failure->code == Errc::certificate_refused);
    CHECK(contains(log->failure->text, "is for DNS:broker, not for elsewhere"));
}

TEST_CASE("a context of the wrong role is refused at once") {
    World world;
    CHECK_THROWS_AS(world.client.connect("amqps://broker", world.server_options), std::invalid_argument);
    const auto refused =
        world.server.listen(*Address::parse("broker:5671"), world.client_options, [] { return nullptr; });
    REQUIRE_FALSE(refused);
    CHECK(contains(refused.error().text, "make_server"));
}

TEST_CASE("peers who connect and say nothing keep nobody out") {
    World world;
    world.server_options.tls = {};
    world.server_options.limits.unopened_max = 20;
    world.listen("broker:5672");
    std::vector<std::unique_ptr<Stream>> silent;
    for (int i = 0; i < 200; ++i) {
        world.reactor.connect(
            *Address::parse("broker:5672"), world.reactor.now() + 1s,
            [&](codec::Result<std::unique_ptr<Stream>, Failure> stream) { silent.push_back(std::move(*stream)); });
        world.reactor.run_for(1ms);
    }
    CHECK(silent.size() == 200);
    const Connection connection = world.client.connect("amqp://broker");
    CHECK(world.reactor.run_until([&] { return connection.is_open(); }));
    std::size_t cut = 0;
    for (const auto& log : world.logs)
        cut += static_cast<std::size_t>(!log->events.empty() && log->events.back() == "close");
    CHECK(cut == 181);
    // Those who have opened are never cut for those who have not.
    for (int i = 0; i < 50; ++i) {
        world.reactor.connect(
            *Address::parse("broker:5672"), world.reactor.now() + 1s,
            [&](codec::Result<std::unique_ptr<Stream>, Failure> stream) { silent.push_back(std::move(*stream)); });
        world.reactor.run_for(1ms);
    }
    CHECK(connection.is_open());
    silent.clear();
    world.reactor.run_for(20s);
}
