// The HTTP that shows figures: every request it may be sent, and how long it puts up with none.
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <aprotic/driver/http/request_head.hpp>
#include <aprotic/driver/metrics_endpoint.hpp>

#include "sim/sim_reactor.hpp"

using namespace aprotic;
using namespace std::chrono_literals;
using namespace std::string_literals;
using driver::MetricsEndpoint;

namespace {

unsigned status_of(const std::string& head) {
    const auto answer = driver::http::read_head(head, "/metrics");
    REQUIRE(answer);
    return answer->status;
}

/// Somebody who connects and says something.
struct Visitor {
    Visitor(sim::SimReactor& world, std::uint16_t port) : reactor(world) {
        reactor.connect({.host = "metrics", .port = port}, reactor.now() + 1s, [this](auto made) {
            REQUIRE(made);
            stream = std::move(*made);
            read();
        });
        reactor.settle();
    }
    void say(const std::string& text) {
        said.push_back(std::make_unique<std::string>(text));
        const codec::ConstBuffer buffer{reinterpret_cast<const std::byte*>(said.back()->data()), text.size()};
        bool written = false;
        stream->write(std::span(&buffer, 1), [&](std::error_code, std::size_t n) {
            CHECK(n == text.size());
            written = true;
        });
        reactor.settle();
        CHECK(written);
    }
    void read() {
        stream->read(into, [this](std::error_code error, std::size_t n) {
            if (error || n == 0) {
                ended = true;
                return;
            }
            heard.append(reinterpret_cast<const char*>(into.data()), n);
            read();
        });
    }

    sim::SimReactor& reactor;
    std::unique_ptr<engine::Stream> stream;
    std::vector<std::unique_ptr<std::string>> said;
    std::array<std::byte, 4096> into{};
    std::string heard;
    bool ended = false;
};

struct Scene {
    sim::SimReactor reactor{11};
    int asked = 0;
    std::string text = "aprotic_up 1\n";
    std::unique_ptr<MetricsEndpoint> endpoint;

    Scene() {
        auto made = MetricsEndpoint::listen(reactor, {.host = "metrics", .port = 9}, [this] {
            ++asked;
            return text;
        });
        REQUIRE(made);
        endpoint = std::move(*made);
    }
};

}  // namespace

TEST_CASE("a request head is read to its end and answered by what it wants") {
    CHECK(status_of("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
    CHECK(status_of("\r\nGET /metrics HTTP/1.1\r\nhOsT:\r\n\r\n") == 200);
    CHECK(status_of("GET /metrics?name=x HTTP/1.0\r\n\r\n") == 200);
    CHECK(status_of("GET http://a:1/metrics HTTP/1.1\r\nHost: a:1\r\nAccept: text/plain;q=0.5\r\n\r\nbody") == 200);
    const auto head = driver::http::read_head("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "/metrics");
    REQUIRE(head);
    CHECK(head->status == 200);
    CHECK_FALSE(head->with_body);
    CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == 404);
    CHECK(status_of("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n") == 404);
    CHECK(status_of("GET /metricsx HTTP/1.1\r\nHost: a\r\n\r\n") == 404);
    CHECK(status_of("POST /other HTTP/1.1\r\nHost: a\r\n\r\n") == 404);
    CHECK(status_of("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx") == 405);
    CHECK(status_of("GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
}

TEST_CASE("a head that is none is a bad request") {
    CHECK(status_of("GET /metrics\r\n\r\n") == 400);
    CHECK(status_of("\r\n\r\n\r\n") == 400);
    CHECK(status_of("GET  HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(status_of("G(T /metrics HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(status_of("GET /me trics HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(status_of("GET /metrics FTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(status_of("GET /metrics HTTP/1.1\r\n\r\n") == 400);
    CHECK(status_of("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
    CHECK(status_of("GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n") == 400);
    CHECK(status_of("GET /metrics HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n") == 400);
    CHECK(status_of("GET /metrics HTTP/1.1\r\nHost: a\x01\r\n\r\n") == 400);
    CHECK(status_of("GET /metrics\0 HTTP/1.1\r\nHost: a\r\n\r\n"s) == 400);
    CHECK(status_of("GET /metrics HTTP/1.1\r\nnothing\r\n\r\n") == 400);
}

TEST_CASE("a head is taken up to its bound") {
    const std::string start = "GET /metrics HTTP/1.1\r\nHost: a\r\nX: ";
    const std::string fill(driver::http::head_octets_max - start.size() - 4, 'x');
    CHECK(status_of(start + fill + "\r\n\r\n") == 200);
    CHECK(status_of(start + fill + "x\r\n\r\n") == 431);
    CHECK(status_of(std::string(driver::http::head_octets_max + 1, 'G')) == 431);
    const std::string whole = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    for (std::size_t n = 0; n < whole.size(); ++n)
        CHECK_FALSE(driver::http::read_head(std::string_view(whole).substr(0, n), "/metrics"));
}

TEST_CASE("a scrape gets the text of that moment and the end of the connection") {
    Scene scene;
    Visitor visitor(scene.reactor, 9);
    for (const char* part : {"GET /me", "trics HTTP/1.1\r\nHo", "st: metrics\r\n\r", "\n"}) {
        CHECK(scene.asked == 0);
        visitor.say(part);
    }
    CHECK(scene.asked == 1);
    CHECK(visitor.heard ==
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 13\r\n"
          "Connection: close\r\n\r\naprotic_up 1\n");
    CHECK(visitor.ended);
    visitor.say("and more that nobody reads");

    Visitor head(scene.reactor, 9);
    head.say("HEAD /metrics HTTP/1.1\r\nHost: metrics\r\n\r\n");
    CHECK(head.heard.ends_with("Content-Length: 13\r\nConnection: close\r\n\r\n"));

    scene.text.assign(1'000'000, 'x');  // more than a stream takes at once
    Visitor large(scene.reactor, 9);
    large.say("GET /metrics HTTP/1.1\r\nHost: metrics\r\n\r\n");
    CHECK(large.heard.size() > 1'000'000);
    CHECK(large.heard.ends_with("\r\n\r\n" + scene.text));
}

TEST_CASE("anything else gets its status and no figures") {
    Scene scene;
    const auto answered = [&](const std::string& request) {
        Visitor visitor(scene.reactor, 9);
        visitor.say(request);
        CHECK(visitor.ended);
        return visitor.heard;
    };
    CHECK(answered("GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
    const std::string not_allowed = answered("PUT /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(not_allowed.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
    CHECK(not_allowed.find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
    CHECK(answered("AMQP\x01\x01\x01\x01\r\n\r\n").starts_with("HTTP/1.1 400 Bad Request\r\n"));
    CHECK(answered(std::string(9000, 'x')).starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    CHECK(scene.asked == 0);
}

TEST_CASE("who says nothing is sent away, and no more than a few are let in") {
    Scene scene;
    std::vector<std::unique_ptr<Visitor>> silent;
    for (std::size_t i = 0; i < MetricsEndpoint::connections_max; ++i)
        silent.push_back(std::make_unique<Visitor>(scene.reactor, 9));
    Visitor late(scene.reactor, 9);
    scene.reactor.settle();
    CHECK(late.ended);
    silent[0]->say("GET /metrics HT");
    scene.reactor.run_for(9s);
    for (const auto& each : silent) CHECK_FALSE(each->ended);
    scene.reactor.run_for(2s);
    for (const auto& each : silent) CHECK(each->ended);
    Visitor next(scene.reactor, 9);
    next.say("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(scene.asked == 1);
}

TEST_CASE("an endpoint that goes takes its connections with it, and an address is listened on once") {
    Scene scene;
    Visitor visitor(scene.reactor, 9);
    const auto again = MetricsEndpoint::listen(scene.reactor, {.host = "metrics", .port = 9}, [] { return ""; });
    REQUIRE_FALSE(again);
    CHECK(again.error().text.find("metrics:9") != std::string::npos);
    scene.endpoint.reset();
    scene.reactor.settle();
    CHECK(visitor.ended);
}
