#include <aprotic/driver/cli/tool.hpp>

#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include <unistd.h>

#include <aprotic/driver/cli/configuration.hpp>
#include <aprotic/driver/notification_listener.hpp>
#include <aprotic/driver/notifier.hpp>

namespace aprotic::driver::cli {
namespace {

/// Counts what comes, and ends the wait for a signal by one of its own when enough has come, or nothing for too long.
class Watch {
public:
    Watch(std::size_t wanted, std::optional<Duration> patience)
        : wanted_(wanted), patience_(patience), thread_([this] { run(); }) {}
    ~Watch() { end(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// False: enough had come before.
    bool count() {
        const std::lock_guard lock(mutex_);
        if (wanted_ > 0 && counted_ == wanted_) return false;
        ++counted_;
        changed_.notify_all();
        return true;
    }
    void end() {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }
    std::size_t counted() const {
        const std::lock_guard lock(mutex_);
        return counted_;
    }
    /// Nothing came for too long.
    bool was_silent() const {
        const std::lock_guard lock(mutex_);
        return silent_;
    }

private:
    void run() {
        std::unique_lock lock(mutex_);
        while (!ended_ && (wanted_ == 0 || counted_ < wanted_)) {
            const auto news = [this, before = counted_] { return ended_ || counted_ != before; };
            if (!patience_) {
                changed_.wait(lock, news);
            } else if (!changed_.wait_for(lock, *patience_, news)) {
                silent_ = true;
                break;
            }
        }
        if (!ended_) ::kill(::getpid(), SIGTERM);
    }

    const std::size_t wanted_;
    const std::optional<Duration> patience_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t counted_ = 0;
    bool ended_ = false;
    bool silent_ = false;
    std::thread thread_;  ///< last: it uses the others
};

struct ListenCommand {
    std::string url;
    std::vector<std::string> config_files;
    std::vector<std::string> topics;
    std::vector<std::string> priorities;
    std::string exchange;
    std::string pool;
    std::string event_type;
    std::string publisher_id;
    std::size_t count = 0;
    bool requeue = false;
    std::optional<double> timeout;
    double connect_timeout = 10;

    Exit run(const Output& out) {
        StopSignal stop;
        const auto config = read_config(config_files, out);
        if (!config) return out.fail(Exit::usage, config.error());
        const std::string& to = url.empty() ? config->notification_url() : url;
        if (to.empty()) return out.fail(Exit::usage, "a URL is expected, or a file that has transport_url");
        std::vector<Priority> wanted;
        for (const auto& name : priorities) {
            const auto priority = priority_named(name);
            if (!priority)
                return out.fail(Exit::usage, "--priority " + name +
                                                 ": audit, debug, info, warn, error, critical or sample is expected");
            wanted.push_back(*priority);
        }
        if (wanted.empty()) wanted.assign(all_priorities.begin(), all_priorities.end());
        if (topics.empty()) topics = config->notifier().topics;
        std::vector<Target> targets;
        for (const auto& topic : topics) targets.push_back({.exchange = exchange, .topic = topic});
        NotificationFilter filter;
        if (!event_type.empty()) filter.event_type = event_type;
        if (!publisher_id.empty()) filter.publisher_id = publisher_id;

        try {
            Transport transport(to, config->options());
            std::optional<Watch> watch;
            NotificationListener listener(transport, targets, {.threads = 1, .allow_requeue = true, .pool = pool});
            NotificationEndpoint& endpoint = listener.endpoint(filter);
            for (const auto priority : wanted)
                endpoint.on(priority, [&](const Notification& notification) {
                    if (!watch->count()) return NotificationResult::requeue;
                    print(out, notification);
                    return requeue ? NotificationResult::requeue : NotificationResult::handled;
                });
            std::optional<Duration> patience;
            if (timeout) patience = to_duration(*timeout);
            watch.emplace(count, patience);
            listener.start();
            if (const auto ready = listener.wait_ready(to_duration(connect_timeout)); !ready) {
                watch->end();
                return out.fail(ready.error());
            }
            stop.wait();
            watch->end();
            static_cast<void>(listener.stop(to_duration(connect_timeout)));
            if (watch->was_silent() && (count > 0 || watch->counted() == 0))
                return out.fail(Exit::no_answer, missing(watch->counted()));
            return Exit::ok;
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
    }

    static void print(const Output& out, const Notification& notification) {
        Json object = to_json(notification);
        object["context"] = notification.context;
        out.either(notification.timestamp + " " + std::string(name_of(notification.priority)) + " " +
                       notification.publisher_id + " " + notification.event_type + " " + to_text(notification.payload),
                   object);
    }

    std::string missing(std::size_t counted) const {
        const std::string what = counted == 0 ? "no notification came"
                                              : std::to_string(counted) + " of " + std::to_string(count) +
                                                    " notifications came, then nothing";
        return what + " for " + Json(*timeout).dump() + " s (--timeout)";
    }
};

}  // namespace

void add_listen(Tool& tool) {
    auto options = std::make_shared<ListenCommand>();
    CLI::App* command = tool.add("listen", "Print notifications, one a line, and accept them.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("URL", options->url,
                        "amqp://[user[:password]@]host[:port][,host…][/vhost][?option=value]; may be left out when a "
                        "file or the environment has transport_url");
    add_config_files(command, options->config_files);
    command->add_option("--topic", options->topics, "what to listen to; may be repeated (default: notifications)")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command->add_option("--priority", options->priorities, "only these; may be repeated (default: all)")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command->add_option("--exchange", options->exchange, "scope of the topics (default: openstack)")->type_name("NAME");
    command->add_option("--pool", options->pool, "one of several listeners that together get what is sent to this pool")
        ->type_name("NAME");
    command
        ->add_option("--event-type", options->event_type,
                     "print only those whose event type begins like this; others are "
                     "accepted too")
        ->type_name("REGEX");
    command->add_option("--publisher", options->publisher_id, "the same for who tells it")->type_name("REGEX");
    command->add_option("--count", options->count, "end after so many (default: go on for ever)")->type_name("N");
    command->add_flag("--requeue", options->requeue,
                      "give each back instead of accepting it: it comes again, here or elsewhere");
    command->add_option("--timeout", options->timeout, "end when none came for so long (default: wait for ever)")
        ->check(CLI::Range(0.001, 1e6))
        ->type_name("SECONDS");
    command->add_option("--connect-timeout", options->connect_timeout, "longest wait for the connection and the links")
        ->check(CLI::Range(0.001, 1e6))
        ->type_name("SECONDS")
        ->capture_default_str();
    command->footer("Exit code 4 when --timeout passed before --count notifications, or before any, had come.");
}

}  // namespace aprotic::driver::cli
