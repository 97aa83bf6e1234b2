// Asio's completion tokens.
#include <future>
#include <mutex>
#include <thread>

#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#ifdef ASIO_HAS_CO_AWAIT
#include <asio/experimental/awaitable_operators.hpp>
#endif

#include <catch2/catch.hpp>

#include <aprotic/driver/asio_tokens.hpp>
#include <aprotic/driver/rpc.hpp>
#include <aprotic/engine/asio_reactor.hpp>

using namespace aprotic::driver;

namespace {

struct Service {
    Transport transport;
    RpcServer server{transport, Target{.topic = "math", .server = "one"}};
    RpcClient client{transport, Target{.topic = "math"}};

    Service() {
        server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"});
        server.handle("fail", []() -> int { throw MethodError("KeyError", "x"); });
        server.handle_async("never", [this](Request, Responder respond) {
            const std::lock_guard lock(mutex);
            kept.push_back(std::move(respond));
        });
        server.start();
    }
    ~Service() {
        const std::lock_guard lock(mutex);
        kept.clear();
    }
    std::mutex mutex;  // what a worker keeps goes on another thread
    std::vector<Responder> kept;
};

const Json args = {{"a", 2}, {"b", 3}};

}  // namespace

TEST_CASE("use_future gives the reply or throws the whole error") {
    Service service;
    std::future<Json> sum = service.client.async_call("add", args, 5s, asio::use_future);
    CHECK(sum.get() == 5);
    std::future<void> sent = service.client.async_cast("add", args, 5s, asio::use_future);
    CHECK_NOTHROW(sent.get());
    auto failed = service.client.async_call("fail", Json::object(), 5s, asio::use_future);
    try {
        failed.get();
        FAIL("did not throw");
    } catch (const RpcError& error) {
        REQUIRE(error.failure().remote);
        CHECK(error.failure().remote->type == "KeyError");
    }
}

TEST_CASE("a callback gets the error code and the reply") {
    Service service;
    std::promise<std::pair<std::error_code, Json>> done;
    service.client.async_call("add", args, 5s, [&](std::error_code ec, Json reply) {
        done.set_value({ec, std::move(reply)});
    });
    const auto [ec, reply] = done.get_future().get();
    CHECK_FALSE(ec);
    CHECK(reply == 5);
}

TEST_CASE("a callback bound to an executor runs there, and its context waits for it") {
    Service service;
    asio::io_context context;
    std::thread::id ran;
    service.client.async_call("add", args, 5s, asio::bind_executor(context, [&](std::error_code ec, Json reply) {
                                  CHECK_FALSE(ec);
                                  CHECK(reply == 5);
                                  ran = std::this_thread::get_id();
                              }));
    context.run();
    CHECK(ran == std::this_thread::get_id());
}

#ifdef ASIO_HAS_CO_AWAIT
TEST_CASE("co_await gives the reply or throws the whole error") {
    Service service;
    asio::io_context context;
    bool finished = false;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            Json reply = co_await service.client.async_call("add", args, 5s, asio::use_awaitable);
            CHECK(reply == 5);
            co_await service.client.async_cast("add", args, 5s, asio::use_awaitable);
            auto [ec, none] = co_await service.client.async_call("fail", Json(), 5s,
                                                                 asio::experimental::as_tuple(asio::use_awaitable));
            CHECK(ec == Errc::remote_error);
            try {
                co_await service.client.async_call("fail", Json(), 5s, asio::use_awaitable);
            } catch (const RpcError& error) {
                CHECK(error.failure().remote->type == "KeyError");
                finished = true;
            }
        },
        asio::detached);
    context.run();
    CHECK(finished);
}

TEST_CASE("a coroutine's cancellation cancels its call") {
    using namespace asio::experimental::awaitable_operators;
    Service service;
    asio::io_context context;
    std::size_t first = 9;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            asio::steady_timer timer(context, 100ms);
            auto winner = co_await (service.client.async_call("never", Json(), 60s, asio::use_awaitable) ||
                                    timer.async_wait(asio::use_awaitable));
            first = winner.index();
        },
        asio::detached);
    context.run();
    CHECK(first == 1);
}

TEST_CASE("a transport on the io_context of the program needs no thread") {
    asio::io_context context;
    aprotic::engine::AsioReactor reactor(context);
    {
        Transport transport(reactor, "embedded:");
        RpcServer server(transport, Target{.topic = "math", .server = "one"});
        server.handle("add", [](int a, int b) { return a + b; }, {"a", "b"}).start();
        RpcClient client(transport, Target{.topic = "math"});
        Json reply;
        asio::co_spawn(
            context,
            [&]() -> asio::awaitable<void> {
                reply = co_await client.async_call("add", args, 5s, asio::use_awaitable);
                context.stop();
            },
            asio::detached);
        context.run();
        CHECK(reply == 5);
    }
    // Nobody runs the loop any more: what was open goes with it.
}
#endif
