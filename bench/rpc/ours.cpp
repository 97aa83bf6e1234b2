// Calls of the driver: a server, a client with so many calls under way from so many threads, or both in one process.

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>

#include <aprotic/driver/metrics.hpp>
#include <aprotic/driver/rpc.hpp>

#include "e2e/common.hpp"

namespace {

using namespace aprotic::driver;
using bench::Arguments;
using bench::Clock;

/// What came, counted on any thread, and when the last of it came.
class Received {
public:
    explicit Received(std::uint64_t count) : count_(count) {}
    void add(std::uint64_t i, std::size_t size) {
        const std::lock_guard lock(mutex_);
        digest_.add(&i, size);
        if (digest_.count() != count_) return;
        last_ = Clock::now();
        all_.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        all_.wait(lock, [this] { return digest_.count() == count_; });
    }
    const bench::Digest& digest() const { return digest_; }
    Clock::time_point last() const { return last_; }

private:
    const std::uint64_t count_;
    std::mutex mutex_;
    std::condition_variable all_;
    bench::Digest digest_;
    Clock::time_point last_;
};

TransportOptions options() {
    TransportOptions made;
    made.rpc_response_timeout = std::chrono::seconds(30);
    return made;
}

class Server {
public:
    Server(Transport& transport, const Arguments& arguments) : received_(arguments.count) {
        RpcServerOptions how;
        if (arguments.inline_methods) how.threads = 0;
        server_.emplace(transport, Target{.topic = "bench", .server = "one"}, how);
        server_->handle("echo",
                        [this](std::uint64_t n, std::string text) {
                            received_.add(n, text.size());
                            return Json{{"n", n}, {"text", std::move(text)}};
                        },
                        {"n", "text"});
        server_->start();
        if (const auto ready = server_->wait_ready(std::chrono::seconds(20)); !ready)
            throw std::runtime_error(ready.error().message());
    }
    Received& received() { return received_; }
    /// The last replies have gone.
    void stop() { static_cast<void>(server_->stop()); }

private:
    Received received_;
    std::optional<RpcServer> server_;
};

class Client {
public:
    Client(Transport& transport, const Arguments& arguments)
        : arguments_(arguments),
          client_(transport, Target{.topic = "bench"}),
          text_(arguments.size, 'x'),
          received_(arguments.count),
          latencies_(arguments.count) {}

    void run() {
        // The links are attached before time is taken, as they are in a service that runs.
        for (int i = 0; i < 20; ++i) static_cast<void>(client_.try_call("warm", {}));
        begin_ = Clock::now();
        if (arguments_.chained) {
            for (unsigned i = 0; i < arguments_.window; ++i) begin_next();
            received_.wait();
            return check();
        }
        std::vector<std::thread> threads;
        for (unsigned i = 1; i < arguments_.threads; ++i) threads.emplace_back([this] { work(); });
        work();
        for (auto& thread : threads) thread.join();
        received_.wait();
        check();
    }
    void report() {
        bench::report(received_.digest(), std::chrono::duration<double>(received_.last() - begin_).count(),
                      std::move(latencies_));
    }

private:
    void check() {
        const std::lock_guard lock(failure_mutex_);
        if (!failure_.empty()) throw std::runtime_error(failure_);
    }
    void begin_next() {
        const std::uint64_t i = next_++;
        if (i >= arguments_.count) return;
        client_.async_call("echo", {{"n", i}, {"text", text_}}, std::nullopt,
                           [this, i, start = Clock::now()](Result<Json> reply) {
                               begin_next();  // the last one that is taken ends the run
                               took(i, start, reply);
                           });
    }
    void work() {
        const unsigned under_way = std::max(1u, arguments_.window / arguments_.threads);
        if (under_way == 1) {
            for (std::uint64_t i = next_++; i < arguments_.count; i = next_++) {
                const auto start = Clock::now();
                took(i, start, client_.try_call("echo", {{"n", i}, {"text", text_}}));
            }
            return;
        }
        const auto room = std::make_shared<std::counting_semaphore<>>(under_way);
        for (std::uint64_t i = next_++; i < arguments_.count; i = next_++) {
            room->acquire();
            const auto start = Clock::now();
            client_.async_call("echo", {{"n", i}, {"text", text_}}, std::nullopt,
                               [this, i, start, room](Result<Json> reply) {
                                   took(i, start, reply);
                                   room->release();
                               });
        }
    }
    void took(std::uint64_t i, Clock::time_point start, const Result<Json>& reply) {
        latencies_[i] = bench::seconds_since(start);
        if (reply && (*reply)["n"] == i) return received_.add(i, (*reply)["text"].get_ref<const std::string&>().size());
        {
            const std::lock_guard lock(failure_mutex_);
            failure_ = reply ? "a reply to another call" : reply.error().message();
        }
        received_.add(i, 0);  // so that the run ends; the digests differ
    }

    const Arguments& arguments_;
    const RpcClient client_;
    const std::string text_;
    Received received_;
    std::vector<double> latencies_;
    std::atomic<std::uint64_t> next_ = 0;
    Clock::time_point begin_;
    std::mutex failure_mutex_;
    std::string failure_;
};

void serve(const Arguments& arguments) {
    Transport transport(arguments.at, options());
    Server server(transport, arguments);
    bench::say("ready");
    server.received().wait();
    static_cast<void>(server.stop());
    bench::report(server.received().digest(), 0);
}

void call(const Arguments& arguments) {
    Transport transport(arguments.at, options());
    Client client(transport, arguments);
    client.run();
    client.report();
}

void both(const Arguments& arguments) {
    Transport transport("embedded:", options());
    Server server(transport, arguments);
    Client client(transport, arguments);
    client.run();
    server.received().wait();
    static_cast<void>(server.stop());
    bench::report(server.received().digest(), 0);
    client.report();
}

std::uint64_t resident_octets() {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> pages;
    return pages * 4096;
}

/// Calls that come to every kind of end, then what is left of them in this process.
void soak(const Arguments& arguments) {
    const auto metrics = std::make_shared<Metrics>();
    TransportOptions counted = options();
    counted.metrics = metrics;
    Transport transport("embedded:", counted);
    RpcServer server(transport, Target{.topic = "bench", .server = "one"});
    server.handle("echo", [](const Json& args) { return args; });
    server.handle("fail", []() -> int { throw MethodError("KeyError", "x"); });
    std::mutex mutex;
    std::vector<Responder> late;
    server.handle_async("late", [&](Request, Responder respond) {
        const std::lock_guard lock(mutex);
        late.push_back(std::move(respond));
    });
    server.start();
    const RpcClient client(transport, Target{.topic = "bench"});
    const Json args = {{"text", std::string(arguments.size, 'x')}};
    std::counting_semaphore<> room(64);
    const auto run = [&](std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            room.acquire();
            const auto done = [&](const auto&) { room.release(); };
            const auto ended = [done](Result<Json> result) { done(result); };
            if (i % 16 == 0)
                client.async_call("late", {}, 5ms, ended);
            else if (i % 16 == 1)
                client.async_call("late", {}, 30s, ended).cancel();
            else if (i % 16 == 2)
                client.async_call("fail", {}, 30s, ended);
            else if (i % 16 == 3)
                client.async_call("nothing", {}, 30s, ended);
            else if (i % 16 == 4)
                client.async_cast("echo", args, 30s, [done](Result<void> result) { done(result); });
            else
                client.async_call("echo", args, 30s, ended);
            if (i % 1024 == 0) {
                const std::lock_guard lock(mutex);
                late.clear();  // answers, mostly to nobody
            }
        }
        for (int i = 0; i < 64; ++i) room.acquire();
        room.release(64);
        const std::lock_guard lock(mutex);
        late.clear();
    };
    run(arguments.count / 5);
    const std::uint64_t before = resident_octets();
    run(arguments.count);
    static_cast<void>(client.try_call("echo", args));
    std::printf(
        "{\"calls\": %llu, \"in_flight\": %llu, \"grown_octets\": %lld}\n",
        static_cast<unsigned long long>(arguments.count),
        static_cast<unsigned long long>(metrics->in_flight(MessageKind::call) + metrics->in_flight(MessageKind::cast)),
        static_cast<long long>(resident_octets()) - static_cast<long long>(before));
    static_cast<void>(server.stop());
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Arguments arguments(argc, argv);
        if (arguments.mode == "serve")
            serve(arguments);
        else if (arguments.mode == "call")
            call(arguments);
        else if (arguments.mode == "both")
            both(arguments);
        else if (arguments.mode == "soak")
            soak(arguments);
        else
            throw std::runtime_error(bench::usage);
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
