// An RPC server or client, notifier or listener on our driver, with the methods and steps of oslo_peer.py. Each line of
// output is one JSON object.
//
//     rpc_peer URL server TOPIC NAME          serves until standard input ends
//     rpc_peer URL client TOPIC STEP...       runs the steps one after the other
//     rpc_peer URL listener TOPIC [N,SECONDS] prints notifications, or batches of N, until standard input ends
//     rpc_peer URL notifier TOPIC STEP...     sends notifications: DRIVER:PRIORITY:EVENT

#include <chrono>
#include <future>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <aprotic/driver/notification_listener.hpp>
#include <aprotic/driver/notifier.hpp>
#include <aprotic/driver/rpc.hpp>

namespace {

using namespace aprotic::driver;

const Json context = {{"user", "alice"}, {"request_id", "req-1"}};

void say(const Json& what) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    std::cout << to_json_text(what) << std::endl;
}

int serve(Transport& transport, const std::string& topic, const std::string& name) {
    RpcServer server(transport, Target{.topic = topic, .namespace_ = "interop", .version = "1.5", .server = name});
    server.handle("echo",
                  [name](const Request& request, Json value) {
                      return Json{{"value", value}, {"server", name}, {"context", request.context}};
                  },
                  {"value"});
    server.handle("boom", [](std::string why) { throw MethodError("ValueError", why); }, {"why"});
    server.handle("custom", [] {
        RemoteError trouble;
        trouble.type = "Trouble";
        trouble.module = "interop";
        trouble.message = "custom trouble";
        trouble.args = Json::array({"custom trouble"});
        trouble.kwargs = Json{{"code", 7}};
        throw MethodError(trouble);
    });
    server.handle("slow",
                  [](double seconds) {
                      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
                      return "slept";
                  },
                  {"seconds"});
    server.handle("note",
                  [name](std::string text) {
                      say({{"event", "note"}, {"server", name}, {"text", text}});
                  },
                  {"text"});
    server.start();
    if (const auto ready = server.wait_ready(20s); !ready) {
        std::cerr << "rpc_peer: " << ready.error().message() << std::endl;
        return 1;
    }
    say({{"event", "started"}, {"server", name}});
    for (std::string line; std::getline(std::cin, line);) {
    }
    return server.stop() ? 0 : 1;
}

Result<Json> run_step(const RpcClient& client, const std::string& topic, const std::string& step) {
    const auto equals = step.find('=');
    const std::string word = step.substr(0, equals);
    const std::string argument = equals == std::string::npos ? "" : step.substr(equals + 1);
    if (word == "echo") {
        const Json value = {{"text", "h\u00e9llo \U0001f600 \"quoted\" \\"},
                            {"n", 9007199254740992},
                            {"f", 1.5},
                            {"none", nullptr},
                            {"list", {1, "two", {{"three", 3}}}},
                            {"yes", true},
                            {"large", std::string(200'000, 'x')}};
        CallOptions options;
        if (!argument.empty()) options.server = argument;
        auto reply = client.prepare(options).try_call("echo", {{"value", value}}, 20s);
        if (!reply) return reply;
        return Json{
            {"same", reply->at("value") == value}, {"server", reply->at("server")}, {"context", reply->at("context")}};
    }
    if (word == "plain") return client.try_call("echo", {{"value", 1}}, 20s);
    if (word == "boom") return client.try_call("boom", {{"why", "bad \u20ac value"}}, 20s);
    if (word == "custom" || word == "missing") return client.try_call(word, {}, 20s);
    if (word == "version") return client.prepare({.version = "2.0"}).try_call("echo", {{"value", 1}}, 20s);
    if (word == "slow")
        return client.prepare({.call_monitor_timeout = 2s}).try_call("slow", {{"seconds", std::stod(argument)}}, 20s);
    if (word == "marked") {
        // All that the original does not know, at once.
        const CallOptions all = {
            .cancellable = true,
            .idempotent = true,
            .trace = TraceContext{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "v=1"}};
        auto reply = client.prepare(all).try_call("echo", {{"value", 5}}, 20s);
        return reply ? Result<Json>(reply->at("value")) : reply;
    }
    if (word == "giveup") {
        CallOptions options = {.cancellable = true};
        if (!argument.empty()) options.server = argument;
        std::promise<Result<Json>> ended;
        const CallHandle call = client.prepare(options).async_call(
            "slow", {{"seconds", 1}}, 20s, [&ended](Result<Json> result) { ended.set_value(std::move(result)); });
        std::this_thread::sleep_for(300ms);
        call.cancel();
        return ended.get_future().get();
    }
    if (word == "nobody") return client.prepare({.topic = topic + "-nobody"}).try_call("echo", {{"value", 1}}, 2s);
    const auto sent = client.prepare({.fanout = word == "fanout"}).try_cast("note", {{"text", argument}});
    if (!sent) return sent.error();
    return Json();
}

int call(Transport& transport, const std::string& topic, const std::vector<std::string>& steps) {
    const RpcClient client(transport, Target{.topic = topic, .namespace_ = "interop", .version = "1.3"},
                           {.context = context});
    for (const auto& step : steps) {
        const auto reply = run_step(client, topic, step);
        Json line = {{"step", step}};
        if (reply) {
            line["result"] = *reply;
        } else if (const auto& remote = reply.error().remote) {
            line["remote"] = remote->type;
            line["message"] = remote->message;
            line["module"] = remote->module;
            line["kwargs"] = remote->kwargs;
            line["traceback"] = remote->traceback.size();
        } else {
            line["raised"] = reply.error().code.message();
            line["message"] = reply.error().message();
        }
        say(line);
    }
    return 0;
}

int listen(Transport& transport, const std::string& topic, const std::string& batch) {
    NotificationListenerOptions options{.threads = 1, .allow_requeue = true};
    bool again = true;
    const auto result = [&again](const std::string& event) {
        const bool requeue = event == "again" && again;
        again = again && !requeue;
        return requeue ? NotificationResult::requeue : NotificationResult::handled;
    };
    if (const auto comma = batch.find(','); comma != std::string::npos) {
        options.batch_size = std::stoul(batch.substr(0, comma));
        options.batch_timeout =
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::stod(batch.substr(comma + 1))));
    }
    NotificationListener listener(transport, {{.topic = topic}}, options);
    for (const auto priority : all_priorities) {
        if (options.batch_size > 1) {
            listener.on_batch(priority, [&, priority](const std::vector<Notification>& all) {
                Json events = Json::array();
                for (const auto& each : all) events.push_back(each.event_type);
                say({{"event", "batch"}, {"priority", name_of(priority)}, {"events", events}});
                for (const auto& each : all)
                    if (result(each.event_type) == NotificationResult::requeue) return NotificationResult::requeue;
                return NotificationResult::handled;
            });
        } else {
            listener.on(priority, [&](const Notification& notification) {
                Json line = {{"event", "notification"}};
                line.update(to_json(notification));
                line["priority"] = name_of(notification.priority);
                line["context"] = notification.context;
                line["metadata"] = {{"message_id", notification.message_id.size()},
                                    {"timestamp", notification.timestamp.size()}};
                say(line);
                return result(notification.event_type);
            });
        }
    }
    listener.start();
    if (const auto ready = listener.wait_ready(20s); !ready) {
        std::cerr << "rpc_peer: " << ready.error().message() << std::endl;
        return 1;
    }
    say({{"event", "started"}});
    for (std::string line; std::getline(std::cin, line);) {
    }
    return listener.stop() ? 0 : 1;
}

int notify(Transport& transport, const std::string& topic, const std::vector<std::string>& steps) {
    const Json payload = {
        {"text", "h\u00e9llo \U0001f600"}, {"n", 5}, {"none", nullptr}, {"list", {1.5, {{"x", true}}}}};
    for (const auto& step : steps) {
        const auto first = step.find(':');
        const auto second = step.find(':', first + 1);
        NotifierOptions options{.publisher_id = "pub.host1", .topics = {topic}, .retry = 3, .context = context};
        options.drivers = {notifier_driver_named(step.substr(0, first)).value()};
        const auto priority = priority_named(step.substr(first + 1, second - first - 1)).value();
        const auto sent = Notifier(transport, options).try_notify(priority, step.substr(second + 1), payload);
        if (!sent) {
            std::cerr << "rpc_peer: " << sent.error().message() << std::endl;
            return 1;
        }
        say({{"step", step}});
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::cerr << "rpc_peer URL server TOPIC NAME | URL client TOPIC STEP... | URL listener TOPIC [N,SECONDS] | URL "
                     "notifier TOPIC STEP..."
                  << std::endl;
        return 2;
    }
    try {
        Transport transport(argv[1]);
        const std::string role = argv[2];
        if (role == "listener") return listen(transport, argv[3], argc > 4 ? argv[4] : "");
        if (role == "notifier") return notify(transport, argv[3], std::vector<std::string>(argv + 4, argv + argc));
        if (role == "server" && argc > 4) return serve(transport, argv[3], argv[4]);
        return call(transport, argv[3], std::vector<std::string>(argv + 4, argv + argc));
    } catch (const std::exception& error) {
        std::cerr << "rpc_peer: " << error.what() << std::endl;
        return 1;
    }
}
