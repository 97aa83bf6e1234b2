#include <unistd.h>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include <aprotic/engine/asio_reactor.hpp>
#include <aprotic/engine/memory_stream.hpp>

#include "sim/sim_reactor.hpp"

using namespace aprotic::engine;
using aprotic::codec::ConstBuffer;
using aprotic::sim::SimReactor;
using namespace std::chrono_literals;

namespace {

ConstBuffer buffer_of(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

/// Runs `body` on the reactor's thread and waits for it.
void on(Reactor& reactor, std::function<void()> body) {
    std::promise<void> done;
    reactor.post([&] {
        body();
        done.set_value();
    });
    done.get_future().get();
}

/// Sends everything of a text, then ends.
struct Source {
    Stream& stream;
    std::string text;
    std::size_t sent = 0;
    ConstBuffer rest{};
    bool inside = false;
    bool called_inside = false;

    void go() {
        if (sent == text.size()) return stream.shutdown_write();
        rest = buffer_of(std::string_view(text).substr(sent));
        inside = true;
        stream.write({&rest, 1}, [this](std::error_code error, std::size_t n) {
            called_inside = called_inside || inside;
            if (error) return;
            sent += n;
            go();
        });
        inside = false;
    }
};

/// Reads until the end.
struct Sink {
    Stream& stream;
    std::function<void()> ended;
    std::string text;
    std::array<std::byte, 5000> memory{};
    bool inside = false;
    bool called_inside = false;

    void go() {
        inside = true;
        stream.read(memory, [this](std::error_code error, std::size_t n) {
            called_inside = called_inside || inside;
            text.append(reinterpret_cast<const char*>(memory.data()), n);
            if (error || n == 0) return ended();
            go();
        });
        inside = false;
    }
};

std::string long_text() {
    std::string text;
    for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i) + " ";
    return text;
}

/// Both directions at once through a pair of streams on `reactor`.
void check_transfer(AsioReactor& reactor, std::unique_ptr<Stream> near, std::unique_ptr<Stream> far) {
    const std::string text = long_text();
    std::promise<void> done;
    int left = 2;
    const auto ended = [&] {
        if (--left == 0) done.set_value();
    };
    Source near_source{.stream = *near, .text = text};
    Source far_source{.stream = *far, .text = text};
    Sink near_sink{.stream = *near, .ended = ended, .text = {}};
    Sink far_sink{.stream = *far, .ended = ended, .text = {}};
    reactor.post([&] {
        near_source.go();
        far_source.go();
        near_sink.go();
        far_sink.go();
    });
    REQUIRE(done.get_future().wait_for(20s) == std::future_status::ready);
    on(reactor, [&] {
        near.reset();
        far.reset();
    });
    CHECK(near_sink.text == text);
    CHECK(far_sink.text == text);
    CHECK_FALSE(
        (near_source.called_inside || far_source.called_inside || near_sink.called_inside || far_sink.called_inside));
}

using Pair = std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;

/// Listens at `at`, connects to what came of it.
Pair connected(AsioReactor& reactor, const Address& at, std::unique_ptr<Acceptor>& acceptor) {
    std::promise<std::unique_ptr<Stream>> accepted;
    std::promise<std::unique_ptr<Stream>> connected;
    on(reactor, [&] {
        auto made = reactor.listen(at, [&](std::unique_ptr<Stream> stream) { accepted.set_value(std::move(stream)); });
        REQUIRE(made);
        acceptor = std::move(made).value();
        Address to = acceptor->local_address();
        reactor.connect(to, reactor.now() + 5s, [&](aprotic::codec::Result<std::unique_ptr<Stream>, Failure> result) {
            connected.set_value(result ? std::move(*result) : nullptr);
        });
    });
    Pair pair{connected.get_future().get(), accepted.get_future().get()};
    REQUIRE(pair.first);
    REQUIRE(pair.second);
    return pair;
}

Failure refused(AsioReactor& reactor, const Address& to, Duration timeout) {
    std::promise<Failure> failed;
    on(reactor, [&] {
        reactor.connect(
            to, reactor.now() + timeout,
            [&](aprotic::codec::Result<std::unique_ptr<Stream>, Failure> result) { failed.set_value(result.error()); });
    });
    return failed.get_future().get();
}

}  // namespace

TEST_CASE("streams over TCP carry both directions unchanged") {
    AsioReactor reactor;
    std::unique_ptr<Acceptor> acceptor;
    auto [near, far] = connected(reactor, {.host = "127.0.0.1", .port = 0}, acceptor);
    CHECK(near->is_private());
    CHECK(near->peer_name() == acceptor->local_address().to_string());
    check_transfer(reactor, std::move(near), std::move(far));
    on(reactor, [&] { acceptor.reset(); });
}

TEST_CASE("streams over a Unix socket carry both directions unchanged, and its file goes with the acceptor") {
    AsioReactor reactor;
    const std::string path =
        (std::filesystem::temp_directory_path() / ("aprotic-stream-test-" + std::to_string(::getpid()))).string();
    std::unique_ptr<Acceptor> acceptor;
    auto [near, far] = connected(reactor, {.kind = Address::Kind::unix_socket, .host = path}, acceptor);
    CHECK(near->is_private());
    CHECK(near->peer_name() == "unix:" + path);
    CHECK(::access(path.c_str(), F_OK) == 0);
    check_transfer(reactor, std::move(near), std::move(far));
    on(reactor, [&] { acceptor.reset(); });
    CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("streams in memory carry both directions unchanged") {
    AsioReactor reactor;
    Pair pair;
    on(reactor, [&] { pair = make_memory_streams(reactor, 1000); });
    check_transfer(reactor, std::move(pair.first), std::move(pair.second));
}

TEST_CASE("streams in memory wake a writer when its reader has made room") {
    SimReactor reactor;
    auto [near, far] = make_memory_streams(reactor, 4);
    std::string got;
    std::vector<std::size_t> written;
    const ConstBuffer all = buffer_of("abcdefgh");
    near->write({&all, 1}, [&](std::error_code, std::size_t n) { written.push_back(n); });
    reactor.settle();
    CHECK(written == std::vector<std::size_t>{4});
    const ConstBuffer rest = buffer_of("efgh");
    near->write({&rest, 1}, [&](std::error_code, std::size_t n) { written.push_back(n); });
    reactor.settle();
    CHECK(written.size() == 1);

    std::array<std::byte, 3> memory{};
    far->read(memory, [&](std::error_code, std::size_t n) { got.assign(reinterpret_cast<char*>(memory.data()), n); });
    reactor.settle();
    CHECK(got == "abc");
    CHECK(written == std::vector<std::size_t>{4, 3});
}

TEST_CASE("what is there can be read at once, and its end") {
    AsioReactor reactor;
    std::unique_ptr<Acceptor> acceptor;
    const bool in_memory = GENERATE(false, true);
    CAPTURE(in_memory);
    Pair pair;
    if (in_memory) {
        on(reactor, [&] { pair = make_memory_streams(reactor, 4); });
    } else {
        pair = connected(reactor, {.host = "127.0.0.1", .port = 0}, acceptor);
    }
    auto& [near, far] = pair;
    std::array<std::byte, 100> memory{};
    std::optional<Stream::Read> nothing;
    on(reactor, [&] { nothing = near->try_read(memory); });
    CHECK_FALSE(nothing);

    Source source{.stream = *far, .text = "abcdefgh"};  // twice what fits into memory
    std::string text;
    bool ended = false;
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    on(reactor, [&] { source.go(); });
    while (!ended && std::chrono::steady_clock::now() < deadline) {
        on(reactor, [&] {
            const auto read = near->try_read(memory);
            if (!read) return;
            CHECK_FALSE(read->error);
            text.append(reinterpret_cast<const char*>(memory.data()), read->size);
            ended = read->size == 0;
        });
    }
    CHECK(ended);
    CHECK(text == "abcdefgh");
    on(reactor, [&] {
        near.reset();
        far.reset();
        acceptor.reset();
    });
}

TEST_CASE("a read that waits goes on after one that did not") {
    AsioReactor reactor;
    std::unique_ptr<Acceptor> acceptor;
    auto [near, far] = connected(reactor, {.host = "127.0.0.1", .port = 0}, acceptor);
    const std::string text = long_text();
    Source source{.stream = *far, .text = text};
    std::promise<void> done;
    std::string got;
    std::array<std::byte, 5000> memory{};
    std::function<void(std::error_code, std::size_t)> came = [&](std::error_code error, std::size_t n) {
        got.append(reinterpret_cast<const char*>(memory.data()), n);
        if (error || n == 0) return done.set_value();
        while (const auto more = near->try_read(memory)) {
            got.append(reinterpret_cast<const char*>(memory.data()), more->size);
            if (more->error || more->size == 0) return done.set_value();
        }
        near->read(memory, [&](std::error_code next, std::size_t size) { came(next, size); });
    };
    reactor.post([&] {
        near->read(memory, [&](std::error_code error, std::size_t n) { came(error, n); });
        source.go();
    });
    REQUIRE(done.get_future().wait_for(20s) == std::future_status::ready);
    CHECK(got == text);
    on(reactor, [&] {
        near.reset();
        far.reset();
        acceptor.reset();
    });
}

TEST_CASE("after close no completion of a stream is called") {
    SimReactor reactor;
    auto [near, far] = make_memory_streams(reactor);
    bool called = false;
    std::array<std::byte, 3> memory{};
    near->read(memory, [&](std::error_code, std::size_t) { called = true; });
    const ConstBuffer hello = buffer_of("hello");
    far->write({&hello, 1}, [](std::error_code, std::size_t) {});  // the read's completion is on its way now
    near->close();
    reactor.settle();
    CHECK_FALSE(called);

    std::error_code error;
    far->write({&hello, 1}, [&](std::error_code why, std::size_t) { error = why; });
    reactor.settle();
    CHECK(error == std::errc::broken_pipe);
}

TEST_CASE("a peer that closes is the end of the stream, after what it wrote") {
    SimReactor reactor;
    auto [near, far] = make_memory_streams(reactor);
    const ConstBuffer hello = buffer_of("hello");
    far->write({&hello, 1}, [](std::error_code, std::size_t) {});
    reactor.settle();
    far.reset();
    std::string got;
    Sink sink{.stream = *near, .ended = [&] { got += "."; }, .text = {}};
    sink.go();
    reactor.settle();
    CHECK(sink.text + got == "hello.");
}

TEST_CASE("a server that is not there is named with its port and reason") {
    AsioReactor reactor;
    std::unique_ptr<Acceptor> acceptor;
    Address gone;
    on(reactor, [&] {
        acceptor = std::move(reactor.listen({.host = "127.0.0.1", .port = 0}, [](std::unique_ptr<Stream>) {})).value();
        gone = acceptor->local_address();
        acceptor.reset();
    });
    const Failure failure = refused(reactor, gone, 5s);
    CHECK(failure.code == Errc::connect_failed);
    CHECK(failure.text.find(gone.to_string()) != std::string::npos);
    CHECK(failure.text.find("refused") != std::string::npos);
}

TEST_CASE("a host that does not resolve is named") {
    AsioReactor reactor;
    const Failure failure = refused(reactor, {.host = "nosuchhost.invalid", .port = 5672}, 20s);
    CHECK((failure.code == Errc::resolve_failed || failure.code == Errc::connect_timed_out));
    CHECK(failure.text.find("nosuchhost.invalid:5672") != std::string::npos);
}

TEST_CASE("a Unix socket that is not there is named") {
    AsioReactor reactor;
    const Failure failure = refused(reactor, {.kind = Address::Kind::unix_socket, .host = "/no/such/socket"}, 5s);
    CHECK(failure.code == Errc::connect_failed);
    CHECK(failure.text.find("unix:/no/such/socket") != std::string::npos);
    const Failure longer = refused(reactor, {.kind = Address::Kind::unix_socket, .host = std::string(500, 'x')}, 5s);
    CHECK(longer.code == Errc::connect_failed);
}

TEST_CASE("an attempt to connect that is cancelled says nothing any more") {
    AsioReactor reactor;
    bool called = false;
    on(reactor, [&] {
        const auto attempt =
            reactor.connect({.host = "127.0.0.1", .port = 1}, reactor.now() + 5s,
                            [&](aprotic::codec::Result<std::unique_ptr<Stream>, Failure>) { called = true; });
        reactor.cancel_connect(attempt);
        reactor.cancel_connect(attempt);
    });
    std::promise<void> later;
    reactor.post([&] { reactor.start_timer(reactor.now() + 50ms, [&] { later.set_value(); }); });
    later.get_future().get();
    CHECK_FALSE(called);
}

TEST_CASE("an address in use cannot be listened at twice") {
    AsioReactor reactor;
    on(reactor, [&] {
        auto first = reactor.listen({.host = "127.0.0.1", .port = 0}, [](std::unique_ptr<Stream>) {});
        REQUIRE(first);
        const auto second = reactor.listen((*first)->local_address(), [](std::unique_ptr<Stream>) {});
        REQUIRE_FALSE(second);
        CHECK(second.error().text.find((*first)->local_address().to_string()) != std::string::npos);
    });
}

TEST_CASE("in the simulated network nobody answers where nobody listens") {
    SimReactor reactor;
    const auto attempt = [&](const char* where) {
        Failure failure;
        reactor.connect(
            *Address::parse(where), reactor.now() + 3s,
            [&](aprotic::codec::Result<std::unique_ptr<Stream>, Failure> result) { failure = result.error(); });
        reactor.run_for(10s);
        return failure;
    };
    reactor.silence("far");
    CHECK(attempt("near:1").code == Errc::connect_failed);
    CHECK(attempt("nobody.invalid:1").code == Errc::resolve_failed);
    CHECK(attempt("far:1").code == Errc::connect_timed_out);
    CHECK(attempt("near:1").text.find("near:1") != std::string::npos);
}
