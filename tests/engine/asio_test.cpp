#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <aprotic/engine/asio_reactor.hpp>
#include <aprotic/engine/container.hpp>

using namespace aprotic;
using namespace aprotic::engine;
using namespace std::chrono_literals;

namespace {

/// Gives every message back to whoever asks for its address: a queue of one connection.
struct Mirror : ConnectionHandler {
    struct In : ReceiverHandler {
        explicit In(Mirror& m) : mirror(m) {}
        void on_message(Receiver&, Delivery& delivery) override {
            if (mirror.out) mirror.out.send(codec::EncodedMessage(delivery.payload()));
            delivery.accept();
        }
        Mirror& mirror;
    };
    void on_sender_requested(Connection&, LinkRequest request) override { out = request.accept_sender(); }
    void on_receiver_requested(Connection&, LinkRequest request) override {
        request.accept_receiver({}, std::make_shared<In>(*this));
    }
    void on_close(Connection&, const std::optional<Failure>&) override { out = Sender(); }
    Sender out;
};

Listener mirror_at(Container& container, const Address& at) {
    auto listener = container.listen(at, {}, [] { return std::make_shared<Mirror>(); });
    REQUIRE(listener);
    return *listener;
}

const Address loopback{.host = "127.0.0.1", .port = 0};

std::string url_of(const Listener& listener) { return "amqp://" + listener.address().to_string(); }

}  // namespace

TEST_CASE("send and receive, blocking, over TCP") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);

    Container container;
    Connection c = container.connect(url_of(listener));
    Receiver rx = c.open_receiver("orders", {.credit = 100});
    REQUIRE(rx.wait_open(5s));
    Sender tx = c.open_sender("orders");
    Tracker t = tx.send(Message{"hello"});
    CHECK(t.wait(5s).accepted());
    Delivery d = rx.receive(5s);
    CHECK(d.message().body<std::string_view>() == "hello");
    d.accept();
    c.close();
    CHECK(c.wait_closed(5s));
}

TEST_CASE("send and receive over a Unix socket") {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("aprotic-asio-test-" + std::to_string(::getpid()))).string();
    Container server("server");
    const Listener listener = mirror_at(server, {.kind = Address::Kind::unix_socket, .host = path});
    Container container;
    const Connection c = container.connect("unix:" + path);
    REQUIRE(c.wait_open(5s));
    const Receiver rx = c.open_receiver("a");
    REQUIRE(rx.wait_open(5s));
    CHECK(c.open_sender("a").send(Message{std::string(1'000'000, 'x')}).wait(5s).kind != Outcome::Kind::not_sent);
    CHECK(rx.receive(5s).message().size() > 1'000'000);
}

TEST_CASE("waiting blocks no longer than its time-out, and says why") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);
    Container container;
    const Connection c = container.connect(url_of(listener));
    const Receiver rx = c.open_receiver("a");
    REQUIRE(rx.wait_open(5s));
    const auto received = rx.try_receive(20ms);
    CHECK(received.error().code == Errc::timed_out);
    CHECK(received.error().text.find("'a'") != std::string::npos);
    CHECK(c.wait_closed(1ms).error().code == Errc::timed_out);
    CHECK_THROWS_AS(rx.receive(1ms), std::system_error);
}

TEST_CASE("a receiver that waits is woken when its link or connection ends") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);
    Container container;
    const Connection c = container.connect(url_of(listener));
    const Receiver rx = c.open_receiver("a");
    REQUIRE(rx.wait_open(5s));
    std::thread closer([&] {
        std::this_thread::sleep_for(30ms);
        c.close();
    });
    CHECK(rx.try_receive(10s).error().code == Errc::closed);
    closer.join();
    CHECK(rx.wait_open(1s).error().code == Errc::closed);
}

TEST_CASE("a full queue blocks other threads until there is room, in turn") {
    Container server("server");
    struct Slow : ConnectionHandler {
        struct In : ReceiverHandler {
            void on_message(Receiver&, Delivery& delivery) override { delivery.accept(); }
        };
        void on_receiver_requested(Connection&, LinkRequest request) override {
            *receiver = request.accept_receiver({.credit = 0}, std::make_shared<In>());
            *ready = true;
        }
        std::shared_ptr<Receiver> receiver = std::make_shared<Receiver>();
        std::shared_ptr<std::atomic<bool>> ready = std::make_shared<std::atomic<bool>>(false);
    };
    const auto slow = std::make_shared<Slow>();
    auto listener = server.listen(loopback, {}, [&] { return slow; });
    REQUIRE(listener);
    Container container;
    const Connection c = container.connect(url_of(*listener));
    const Sender tx = c.open_sender("a", {.queue_bytes_max = 1000});
    const Message message(std::string(600, 'x'));
    const Tracker first = tx.send(message);
    const Tracker late = tx.send(message, {.timeout = 20ms});
    REQUIRE(late.outcome());
    CHECK(late.outcome()->kind == Outcome::Kind::not_sent);
    CHECK(late.outcome()->failure->code == Errc::timed_out);
    std::atomic<int> sent = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            if (tx.send(message).try_wait(10s).value_or(Outcome{}).accepted()) ++sent;
        });
    }
    std::this_thread::sleep_for(30ms);
    CHECK(sent == 0);
    while (!*slow->ready) std::this_thread::sleep_for(1ms);
    slow->receiver->add_credit(100);
    for (auto& thread : threads) thread.join();
    CHECK(sent == 3);
    CHECK(first.wait(5s).accepted());
}

TEST_CASE("who waits for room is refused when the link ends") {
    Container container;
    const Connection c = container.connect(Address{.host = "127.0.0.1", .port = 1});  // nobody there
    const Sender tx = c.open_sender("a", {.queue_bytes_max = 10});
    const Tracker first = tx.send(Message(std::string(100, 'x')));
    const Tracker second = tx.send(Message(std::string(100, 'x')));
    CHECK(second.wait(5s).kind == Outcome::Kind::not_sent);
    CHECK(first.wait(5s).kind == Outcome::Kind::not_sent);
    CHECK(c.wait_open(5s).error().code == Errc::connect_failed);
}

TEST_CASE("handles of one connection may be used from four threads at once") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);
    Container container;
    const Connection c = container.connect(url_of(listener));
    const Receiver rx = c.open_receiver("a", {.credit = 50});
    REQUIRE(rx.wait_open(5s));
    const Sender shared = c.open_sender("a");
    constexpr int each = 500;
    std::atomic<int> accepted = 0, received = 0, called = 0, misnamed = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            const Sender own = c.open_sender("a");
            std::vector<Tracker> trackers;
            for (int i = 0; i < each; ++i) {
                trackers.push_back((i % 2 == 0 ? own : shared).send(Message("m"), {.timeout = 30s}));
                trackers.back().on_done([&](const Outcome&) { ++called; });
                if (i % 100 == 0) misnamed += own.address() != "a";
            }
            for (const auto& tracker : trackers) accepted += tracker.wait(30s).accepted();
        });
        threads.emplace_back([&] {
            while (received < 2 * each) {
                auto delivery = rx.try_receive(100ms);
                if (!delivery) continue;
                if (++received % 3 != 0) delivery->accept();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(misnamed == 0);
    CHECK(accepted == 2 * each);
    CHECK(received == 2 * each);
    CHECK(c.is_open());
    // The callbacks come on the reactor's thread, maybe a moment after the waiting threads have gone on.
    for (int i = 0; i < 1000 && called < 2 * each; ++i) std::this_thread::sleep_for(1ms);
    CHECK(called == 2 * each);
}

TEST_CASE("links and connections come and go from several threads") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);
    Container container;
    std::vector<std::thread> threads;
    std::atomic<int> opened = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 10; ++i) {
                const Connection c = container.connect(url_of(listener));
                const Sender tx = c.open_sender("a");
                opened += tx.wait_open(10s).has_value();
                tx.send("left behind");
                if (i % 2 == 0) c.close();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(opened == 40);
}

TEST_CASE("handles may outlive their container") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);
    Connection c;
    Sender tx;
    Receiver rx;
    std::optional<Delivery> kept;
    Tracker waiting;
    {
        Container container;
        c = container.connect(url_of(listener));
        rx = c.open_receiver("a");
        REQUIRE(rx.wait_open(5s));
        tx = c.open_sender("a");
        REQUIRE(tx.send("m").wait(5s).accepted());
        kept.emplace(rx.receive(5s));
    }
    CHECK_FALSE(c.is_open());
    CHECK(c.wait_open(1s).error().code == Errc::closed);
    waiting = tx.send("too late");
    CHECK(waiting.wait(1s).kind == Outcome::Kind::not_sent);
    CHECK(kept->message().body_text().value() == "m");
    kept->accept();
    kept.reset();
    tx.close();
    CHECK(rx.try_receive(1s).error().code == Errc::closed);
    c.open_sender("b").send("nothing happens", {.timeout = 1s});
    c.close();
}

TEST_CASE("a container goes while a peer does not answer, within close_timeout") {
    AsioReactor mute;
    std::vector<std::unique_ptr<Stream>> streams;
    std::unique_ptr<Acceptor> acceptor;
    std::promise<Address> at;
    mute.post([&] {
        acceptor =
            std::move(*mute.listen(loopback, [&](std::unique_ptr<Stream> s) { streams.push_back(std::move(s)); }));
        at.set_value(acceptor->local_address());
    });
    const Address address = at.get_future().get();
    const auto start = std::chrono::steady_clock::now();
    {
        Container container;
        ConnectionOptions options;
        options.close_timeout = 200ms;
        const Connection c = container.connect(address, options);
        CHECK(c.wait_open(100ms).error().code == Errc::timed_out);
    }
    CHECK(std::chrono::steady_clock::now() - start < 2s);
    std::promise<void> gone;
    mute.post([&] {
        acceptor.reset();
        streams.clear();
        gone.set_value();
    });
    gone.get_future().get();
}

TEST_CASE("a container on an io_context of the user's own, run by the user") {
    asio::io_context context;
    AsioReactor reactor(context);
    Container container(reactor, "both");
    CHECK(&container.reactor() == &reactor);
    struct In : ReceiverHandler {
        explicit In(asio::io_context& c) : context(c) {}
        void on_message(Receiver&, Delivery& delivery) override {
            text = delivery.message().body<std::string>();
            delivery.accept();
        }
        asio::io_context& context;
        std::string text;
    };
    const auto in = std::make_shared<In>(context);
    struct Server : ConnectionHandler {
        explicit Server(std::shared_ptr<In> i) : in(std::move(i)) {}
        void on_receiver_requested(Connection&, LinkRequest request) override { request.accept_receiver({}, in); }
        std::shared_ptr<In> in;
    };
    std::optional<Listener> listener;
    std::optional<Connection> client;
    Tracker tracker;
    reactor.post([&] {
        auto made = container.listen(loopback, {}, [&] { return std::make_shared<Server>(in); });
        REQUIRE(made);
        listener = *made;
        client = container.connect(listener->address());
        tracker = client->open_sender("a", {}, std::make_shared<SenderHandler>()).send("on one loop");
        tracker.on_done([&](const Outcome&) {
            client->close();
            listener.reset();
        });
    });
    context.run_for(5s);  // ends by itself when nothing is left to do
    CHECK(in->text == "on one loop");
    CHECK(tracker.outcome()->accepted());
    CHECK_FALSE(client->is_open());
}

TEST_CASE("what a stopped io_context leaves open goes with its reactor") {
    struct Scene {
        asio::io_context context{};
        int open = 0, closed = 0, gone = 0;
        bool called = false;
    } scene;
    struct Keeps : ConnectionHandler {
        explicit Keeps(Scene& its_scene) : scene(its_scene) {}
        ~Keeps() override { ++scene.gone; }
        void on_open(Connection& c) override {
            connection = c;
            if (++scene.open == 2) scene.context.stop();
        }
        void on_receiver_requested(Connection&, LinkRequest unanswered) override {
            request.emplace(std::move(unanswered));
        }
        void on_close(Connection&, const std::optional<Failure>&) override { ++scene.closed; }
        Scene& scene;
        std::optional<Connection> connection;
        std::optional<LinkRequest> request;
    };
    {
        AsioReactor reactor(scene.context);
        Container container(reactor);
        std::optional<Connection> handle;
        std::optional<Listener> listener;
        reactor.post([&] {
            auto made = container.listen(loopback, {}, [&] { return std::make_shared<Keeps>(scene); });
            REQUIRE(made);
            listener = *made;
            handle = container.connect(listener->address(), {}, std::make_shared<Keeps>(scene));
            const Sender sender = handle->open_sender("a", {}, std::make_shared<SenderHandler>());
            sender.send("never leaves").on_done([&scene, sender](const Outcome&) { scene.called = true; });
        });
        scene.context.run();
    }
    CHECK(scene.open == 2);
    CHECK(scene.closed == 0);
    CHECK(scene.gone == 2);
    CHECK_FALSE(scene.called);
}

TEST_CASE("blocking inside a handler is refused") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);
    Container container;
    struct Blocks : ConnectionHandler {
        void on_open(Connection& connection) override { code.set_value(connection.wait_closed(10s).error().code); }
        std::promise<std::error_code> code;
    };
    const auto blocks = std::make_shared<Blocks>();
    const Connection c = container.connect(url_of(listener), {}, blocks);
    CHECK(blocks->code.get_future().get() == Errc::would_deadlock);
}

TEST_CASE("ten thousand messages over TCP, accepted one by one") {
    Container server("server");
    const Listener listener = mirror_at(server, loopback);
    Container container;
    const Connection c = container.connect(url_of(listener));
    const Receiver rx = c.open_receiver("a");
    REQUIRE(rx.wait_open(5s));
    const Sender tx = c.open_sender("a");
    constexpr std::int32_t total = 10'000;
    std::thread sending([&] {
        for (std::int32_t i = 0; i < total; ++i) tx.send(Message(codec::Value(i)));
    });
    int wrong = 0;
    for (std::int32_t i = 0; i < total; ++i) {
        Delivery delivery = rx.receive(20s);
        wrong += delivery.message().body<std::int32_t>() != i;
        delivery.accept();
    }
    sending.join();
    CHECK(wrong == 0);
}
