#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include <aprotic/engine/asio_reactor.hpp>

#include "sim/sim_reactor.hpp"

using namespace aprotic::engine;
using aprotic::sim::SimReactor;
using namespace std::chrono_literals;

TEST_CASE("the simulated clock jumps to what is due next") {
    SimReactor reactor;
    std::vector<int> ran;
    reactor.start_timer(reactor.now() + 2h, [&] { ran.push_back(2); });
    reactor.start_timer(reactor.now() + 1h, [&] { ran.push_back(1); });
    reactor.post([&] { ran.push_back(0); });

    CHECK(reactor.run_until([&] { return ran.size() == 2; }, 24h));
    CHECK(reactor.elapsed() == 1h);
    CHECK_FALSE(reactor.run_until([&] { return ran.size() == 3; }, 30min));
    CHECK(reactor.run_until([&] { return ran.size() == 3; }, 24h));
    CHECK(reactor.elapsed() == 2h);
    CHECK(ran == std::vector<int>{0, 1, 2});
    CHECK_FALSE(reactor.step());
}

TEST_CASE("the wall clock of a simulated world goes with its time, that of production is the system's") {
    SimReactor world;
    const WallTime began = world.wall_time();
    CHECK(std::chrono::floor<std::chrono::days>(began) == std::chrono::sys_days(std::chrono::January / 1 / 2026));
    world.run_for(36h);
    CHECK(world.wall_time() - began == 36h);

    AsioReactor reactor;
    const auto before = std::chrono::system_clock::now();
    const WallTime there = reactor.wall_time();
    CHECK(before <= there);
    CHECK(there <= std::chrono::system_clock::now());
}

TEST_CASE("a cancelled timer never fires, and cancelling twice is harmless") {
    SimReactor reactor;
    bool fired = false;
    const auto timer = reactor.start_timer(reactor.now() + 1s, [&] { fired = true; });
    reactor.cancel_timer(timer);
    reactor.cancel_timer(timer);
    reactor.run_for(10s);
    CHECK_FALSE(fired);
    CHECK(reactor.elapsed() == 10s);
}

TEST_CASE("the same seed gives the same chance") {
    SimReactor one(7), two(7), three(8);
    const auto first = one.random();
    CHECK(first == two.random());
    CHECK(first != three.random());
}

TEST_CASE("a task posted by a task runs after it") {
    SimReactor reactor;
    std::vector<int> ran;
    reactor.post([&] {
        reactor.post([&] { ran.push_back(2); });
        ran.push_back(1);
    });
    reactor.settle();
    CHECK(ran == std::vector<int>{1, 2});
}

TEST_CASE("posted tasks run in order on the reactor's thread") {
    AsioReactor reactor;
    CHECK_FALSE(reactor.on_thread());
    std::promise<std::vector<int>> done;
    std::vector<int> ran;
    for (int i = 0; i < 1000; ++i) reactor.post([&ran, i] { ran.push_back(i); });
    reactor.post([&] { done.set_value(reactor.on_thread() ? ran : std::vector<int>{}); });
    const auto order = done.get_future().get();
    REQUIRE(order.size() == 1000);
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("tasks from several threads all run") {
    std::atomic<int> ran = 0;
    AsioReactor reactor;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) reactor.post([&] { ++ran; });
        });
    }
    for (auto& thread : threads) thread.join();
    std::promise<void> done;
    reactor.post([&] { done.set_value(); });
    done.get_future().get();
    CHECK(ran == 4000);
}

TEST_CASE("timers fire at their time and in order") {
    AsioReactor reactor;
    std::promise<std::vector<int>> done;
    std::vector<int> fired;
    const auto start = std::chrono::steady_clock::now();
    reactor.post([&] {
        const Instant now = reactor.now();
        reactor.start_timer(now + 30ms, [&] {
            fired.push_back(3);
            done.set_value(fired);
        });
        const auto cancelled = reactor.start_timer(now + 10ms, [&] { fired.push_back(0); });
        reactor.start_timer(now + 20ms, [&] { fired.push_back(2); });
        reactor.start_timer(now - 1s, [&] { fired.push_back(1); });
        reactor.cancel_timer(cancelled);
    });
    CHECK(done.get_future().get() == std::vector<int>{1, 2, 3});
    CHECK(std::chrono::steady_clock::now() - start >= 30ms);
}

TEST_CASE("a stopped reactor drops what it is given") {
    auto held = std::make_shared<int>(1);
    AsioReactor reactor;
    reactor.stop();
    reactor.post([held] { ++*held; });
    reactor.stop();
    CHECK(*held == 1);
    CHECK(held.use_count() == 1);
}

TEST_CASE("destroying a reactor destroys what waits in it") {
    auto held = std::make_shared<int>(1);
    {
        AsioReactor reactor;
        std::promise<void> started;
        reactor.post([&] {
            reactor.start_timer(reactor.now() + 1h, [held] {});
            started.set_value();
        });
        started.get_future().get();
        CHECK(held.use_count() == 2);
    }
    CHECK(held.use_count() == 1);
}
