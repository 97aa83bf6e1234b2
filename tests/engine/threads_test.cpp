// Parts, operations and cancellation from many threads, over TCP on loopback.
#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include <aprotic/engine/container.hpp>

using namespace aprotic;
using namespace aprotic::engine;
using namespace std::chrono_literals;

namespace {

/// Hands its links out to the test's threads.
struct Taking : ConnectionHandler {
    explicit Taking(ReceiverOptions options) : receiving(std::move(options)) {}
    void on_receiver_requested(Connection&, LinkRequest request) override {
        receiver.set_value(request.accept_receiver(receiving));
    }
    ReceiverOptions receiving;
    std::promise<Receiver> receiver;
};

/// A sender here and its receiver there, each in a container of its own.
struct Scene {
    explicit Scene(ReceiverOptions options = {}, std::size_t queue_bytes_max = 1 << 20)
        : taking(std::make_shared<Taking>(std::move(options))) {
        auto listening = server.listen({.host = "127.0.0.1", .port = 0}, {}, [this] { return taking; });
        REQUIRE(listening);
        listener = *listening;
        connection = client.connect("amqp://" + listener.address().to_string());
        sender = connection.open_sender("to", {.queue_bytes_max = queue_bytes_max});
        REQUIRE(sender.wait_open(10s));
        receiver = taking->receiver.get_future().get();
    }
    std::shared_ptr<Taking> taking;
    Container server{"server"}, client{"client"};
    Listener listener;
    Connection connection;
    Sender sender;
    Receiver receiver;
};

}  // namespace

TEST_CASE("a thread that sends in parts is held back by a thread that reads them") {
    ReceiverOptions options;
    options.link.stream_window = 64 * 1024;
    Scene scene(options, 128 * 1024);
    constexpr std::size_t part_size = 20'000, parts = 500;
    std::size_t refused = 0;
    bool accepted = false;
    std::thread writing([&] {
        OutgoingDelivery out = scene.sender.begin();
        for (std::size_t i = 0; i < parts; ++i) {
            const std::string text(part_size, static_cast<char>('a' + i % 26));
            refused += !out.append(codec::ByteChain(codec::Bytes::copy_of(text)), 30s);
        }
        accepted = out.finish().wait(30s).accepted();
    });
    Delivery delivery = scene.receiver.receive(10s);
    std::size_t total = 0, wrong = 0;
    for (;;) {
        const codec::ByteChain part = delivery.read(30s);
        if (part.empty()) break;
        const std::string text = part.to_string();
        for (std::size_t i = 0; i < text.size(); i += 997) {
            wrong += text[i] != static_cast<char>('a' + (total + i) / part_size % 26);
        }
        total += text.size();
    }
    delivery.accept();
    writing.join();
    CHECK(refused == 0);
    CHECK(accepted);
    CHECK(total == part_size * parts);
    CHECK(wrong == 0);
}

TEST_CASE("a thread that reads hears of an abort, one that appends of a release") {
    ReceiverOptions options;
    options.link.stream_window = 64 * 1024;
    Scene scene(options, 10'000);
    OutgoingDelivery out = scene.sender.begin();
    REQUIRE(out.append(codec::ByteChain(codec::Bytes::copy_of("half")), 10s));
    std::optional<Delivery> delivery(scene.receiver.receive(10s));
    CHECK(delivery->read(10s).to_string() == "half");
    out.abort();
    CHECK(delivery->try_read(10s).error().code == Errc::aborted);

    OutgoingDelivery unwanted = scene.sender.begin();
    REQUIRE(unwanted.append(codec::ByteChain(codec::Bytes::copy_of("half")), 10s));
    delivery.emplace(scene.receiver.receive(10s));
    delivery->release();
    CHECK(unwanted.tracker().wait(10s).kind == Outcome::Kind::released);
    // The tracker is told a moment before the parts' end is.
    while (unwanted.append(codec::ByteChain(codec::Bytes::copy_of("more")), 10s)) std::this_thread::yield();
}

TEST_CASE("futures and blocking waits of several threads, some of them cancelled by others") {
    Scene scene({.credit = 20});
    constexpr int each = 200;
    std::atomic<int> accepted = 0, not_sent = 0, in_doubt = 0;
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
                std::stop_source stop;
                auto future = scene.sender.async_send("m", 30s, stop.get_token()).future();
                std::thread cancelling;
                if (i % 10 == t) cancelling = std::thread([&] { stop.request_stop(); });
                auto outcome = future.get();
                if (cancelling.joinable()) cancelling.join();
                if (!outcome) continue;
                accepted += outcome->kind == Outcome::Kind::accepted;
                not_sent += outcome->kind == Outcome::Kind::not_sent;
                in_doubt += outcome->kind == Outcome::Kind::in_doubt;
            }
        });
    }
    threads.emplace_back([&] {
        while (!done) {
            auto delivery = scene.receiver.async_receive(50ms).wait();
            if (delivery) delivery->accept();
        }
    });
    threads[0].join();
    threads[1].join();
    done = true;
    threads[2].join();
    CHECK(accepted + not_sent + in_doubt == 2 * each);
    CHECK(accepted >= 2 * each - 2 * each / 10);
}

TEST_CASE("operations are dropped, cancelled and completed at the same time") {
    Scene scene;
    std::vector<std::thread> threads;
    std::atomic<int> called = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) {
                std::stop_source stop;
                scene.receiver.async_receive(1ms, stop.get_token()).then([&](codec::Result<Delivery, Failure>) {
                    ++called;
                });
                { const auto dropped = scene.receiver.async_receive(10s); }
                stop.request_stop();
            }
        });
    }
    for (int i = 0; i < 50; ++i) static_cast<void>(scene.sender.send("m"));
    for (auto& thread : threads) thread.join();
    CHECK(scene.connection.async_close(10s).wait());
    for (int i = 0; i < 5000 && called < 400; ++i) std::this_thread::sleep_for(1ms);
    CHECK(called == 400);
}

TEST_CASE("handles that go in any thread leave nothing undone, and wait for nothing") {
    ReceiverOptions options;
    options.link.stream_window = 64 * 1024;
    Scene scene(options);
    std::vector<Tracker> trackers;
    for (int i = 0; i < 20; ++i) {
        OutgoingDelivery out = scene.sender.begin();
        REQUIRE(out.append(codec::ByteChain(codec::Bytes::copy_of("part")), 10s));
        trackers.push_back(out.tracker());
        std::thread([gone = std::move(out)]() mutable { const OutgoingDelivery dropped = std::move(gone); }).join();
    }
    for (const auto& tracker : trackers) CHECK(tracker.wait(10s).kind == Outcome::Kind::not_sent);
    CHECK(scene.sender.async_close(10s).wait());
}
