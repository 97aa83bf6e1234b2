// What is under way while an intermediary is lost: calls, casts and notifications by our driver. Judges nothing: each
// line of output is one JSON object with what happened and when (`at`, seconds of the monotonic clock), and failures.py
// judges.
//
//     load serve URL TOPIC       a server; "ran" for each request that its method saw
//     load listen URL TOPIC      a listener; "told" for each notification
//     load drive URL TOPIC [--rate N] [--deadline SECONDS] [--durable]
//                                N calls, casts and notifications a second; "ended" for each, with its outcome
//     load many URL TOPIC [--count N]
//                                N transports with a server, so three links, each; "attach" for each that is asked for
//
// Until standard input ends. Connections say "connected", "connect_failed" and "connection_lost".

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include <aprotic/driver/notification_listener.hpp>
#include <aprotic/driver/notifier.hpp>
#include <aprotic/driver/rpc.hpp>
#include <aprotic/engine/asio_reactor.hpp>

namespace {

using namespace aprotic::driver;
using Clock = std::chrono::steady_clock;

double now() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

/// Lines leave at once where they are few, and together where they are many.
class Output {
public:
    Output()
        : flusher_([this](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  std::this_thread::sleep_for(20ms);
                  flush();
              }
          }) {}
    ~Output() {
        flusher_.request_stop();
        flusher_.join();
        flush();
    }
    void say(const std::string& line) {
        const std::lock_guard lock(mutex_);
        std::fputs((line + '\n').c_str(), stdout);
    }

private:
    void flush() {
        const std::lock_guard lock(mutex_);
        std::fflush(stdout);
    }
    std::mutex mutex_;
    std::jthread flusher_;
};

Output& output() {
    static Output one;
    return one;
}

void say(std::string_view event, const std::string& more = {}) {
    output().say(fmt::format(R"({{"event": "{}", "at": {:.6f}{}}})", event, now(), more));
}

constexpr auto codes = std::to_array<std::string_view>({"ok",
                                                        "not_sent",
                                                        "unreachable",
                                                        "authentication_failed",
                                                        "refused",
                                                        "too_large",
                                                        "rejected",
                                                        "undeliverable",
                                                        "in_doubt",
                                                        "no_reply",
                                                        "executing",
                                                        "remote_error",
                                                        "no_such_method",
                                                        "unsupported_version",
                                                        "bad_reply",
                                                        "invalid_target",
                                                        "version_capped",
                                                        "would_deadlock",
                                                        "cancelled",
                                                        "closed",
                                                        "timed_out"});

struct Arguments {
    std::string role, url, topic;
    double rate = 50;
    double deadline = 4;
    std::size_t count = 1000;
    bool durable = false;

    Arguments(int argc, char** argv) {
        if (argc < 4) throw std::runtime_error("load serve|listen|drive|many URL TOPIC [OPTION]...");
        role = argv[1], url = argv[2], topic = argv[3];
        for (int i = 4; i < argc; ++i) {
            const std::string_view word = argv[i];
            if (word == "--durable") {
                durable = true;
                continue;
            }
            if (++i == argc) throw std::runtime_error("a value was expected");
            if (word == "--rate") rate = std::strtod(argv[i], nullptr);
            if (word == "--deadline") deadline = std::strtod(argv[i], nullptr);
            if (word == "--count") count = std::strtoull(argv[i], nullptr, 10);
        }
    }
};

TransportOptions options_of(const Arguments& arguments) {
    TransportOptions options;
    options.amqp_durable_queues = arguments.durable;
    options.log = [](const LogRecord& record) {
        if (!record.event.starts_with("connect")) return;
        for (const auto& [name, value] : record.fields)
            if (name == "host") say(record.event, fmt::format(R"(, "host": "{}")", value));
    };
    return options;
}

void wait_for_input_to_end() {
    for (std::string line; std::getline(std::cin, line);) {
    }
}

int serve(const Arguments& arguments) {
    Transport transport(arguments.url, options_of(arguments));
    RpcServer server(transport, Target{.topic = arguments.topic, .server = "one"}, {.threads = 4});
    const auto ran = [](std::string_view kind) {
        return [kind](std::int64_t id) {
            say("ran", fmt::format(R"(, "kind": "{}", "id": {})", kind, id));
            return id;
        };
    };
    server.handle("work", ran("call"), {"id"});
    server.handle("note", ran("cast"), {"id"});
    server.start();
    if (const auto ready = server.wait_ready(20s); !ready) throw std::runtime_error(ready.error().message());
    say("started");
    wait_for_input_to_end();
    (void)server.stop(5s);
    return 0;
}

int listen(const Arguments& arguments) {
    Transport transport(arguments.url, options_of(arguments));
    NotificationListener listener(transport, {{.topic = arguments.topic}}, {.threads = 1});
    listener.on(Priority::info, [](const Notification& n) {
        say("told", fmt::format(R"(, "id": {})", n.payload.get<std::int64_t>()));
    });
    listener.start();
    if (const auto ready = listener.wait_ready(20s); !ready) throw std::runtime_error(ready.error().message());
    say("started");
    wait_for_input_to_end();
    (void)listener.stop(5s);
    return 0;
}

/// Asks at an even rate until it is told to stop, and then waits for what is under way.
class Drive {
public:
    explicit Drive(const Arguments& arguments)
        : deadline_(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(arguments.deadline))),
          pause_(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / arguments.rate))),
          transport_(arguments.url, options_of(arguments)),
          client_(transport_, Target{.topic = arguments.topic}),
          notifier_(transport_, {.publisher_id = "load", .topics = {arguments.topic}, .durable = arguments.durable}) {}

    void run() {
        std::atomic<bool> stop = false;
        std::thread asking([&] {
            auto next = Clock::now();
            for (std::int64_t id = 0; !stop; ++id) {
                ask(id);
                std::this_thread::sleep_until(next += pause_);
            }
        });
        say("started");
        wait_for_input_to_end();
        stop = true;
        asking.join();
        const auto limit = Clock::now() + deadline_ + 10s;
        while (under_way_ > 0 && Clock::now() < limit) std::this_thread::sleep_for(5ms);
        say("over", fmt::format(R"(, "issued": {}, "under_way": {})", issued_.load(), under_way_.load()));
    }

private:
    template <class Value>
    auto ending(std::string_view kind, std::int64_t id) {
        ++issued_;
        ++under_way_;
        return [this, kind, id, began = now()](Result<Value> result) {
            std::string_view outcome = "ok";
            if (!result) outcome = codes.at(static_cast<std::size_t>(result.error().code.value()));
            if constexpr (!std::is_void_v<Value>)
                if (result && *result != Json(id)) outcome = "another_reply";
            say("ended",
                fmt::format(R"(, "kind": "{}", "id": {}, "outcome": "{}", "began": {:.6f})", kind, id, outcome, began));
            --under_way_;
        };
    }
    void ask(std::int64_t id) {
        client_.async_call("work", {{"id", id}}, deadline_, ending<Json>("call", id));
        client_.async_cast("note", {{"id", id}}, deadline_, ending<void>("cast", id));
        notifier_.async_notify(Priority::info, "load", id, deadline_, ending<void>("notification", id));
    }

    const Duration deadline_;
    const Duration pause_;
    std::atomic<std::int64_t> issued_ = 0;
    std::atomic<std::int64_t> under_way_ = 0;
    Transport transport_;
    RpcClient client_;
    Notifier notifier_;
};

/// Many clients in one process, on one thread.
int many(const Arguments& arguments) {
    aprotic::engine::AsioReactor reactor;
    std::vector<std::unique_ptr<Transport>> transports;
    std::vector<RpcServer> servers;
    servers.reserve(arguments.count);
    for (std::size_t i = 0; i < arguments.count; ++i) {
        TransportOptions options;
        options.trace = true;
        options.log = [](const LogRecord& record) {
            if (record.event == "connection_lost") say("connection_lost");
            if (record.event == "frame" && record.text.starts_with("sent ") &&
                record.text.find(" attach{") != std::string::npos)
                say("attach");
        };
        transports.push_back(std::make_unique<Transport>(reactor, arguments.url, options));
        servers.emplace_back(*transports.back(),
                             Target{.topic = fmt::format("{}-{}", arguments.topic, i), .server = "one"});
        servers.back().handle("nothing", [] {});
        servers.back().start();
    }
    std::jthread watching([&](const std::stop_token& stop) {
        // Told each time that all are ready after not all were.
        for (bool told = false; !stop.stop_requested(); std::this_thread::sleep_for(20ms)) {
            const bool all = std::ranges::all_of(servers, [](const RpcServer& server) { return server.is_ready(); });
            if (all && !told) say("all_ready");
            told = all;
        }
    });
    wait_for_input_to_end();
    watching.request_stop();
    watching.join();
    for (auto& transport : transports) transport->close();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Arguments arguments(argc, argv);
        output();
        if (arguments.role == "serve") return serve(arguments);
        if (arguments.role == "listen") return listen(arguments);
        if (arguments.role == "many") return many(arguments);
        if (arguments.role != "drive") throw std::runtime_error("no role " + arguments.role);
        Drive(arguments).run();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "load: " << error.what() << std::endl;
        return 1;
    }
}
