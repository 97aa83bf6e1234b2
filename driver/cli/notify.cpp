#include <aprotic/driver/cli/tool.hpp>

#include <memory>
#include <optional>
#include <stdexcept>

#include <aprotic/driver/cli/configuration.hpp>
#include <aprotic/driver/notifier.hpp>

namespace aprotic::driver::cli {
namespace {

struct NotifyCommand {
    std::string url;
    std::string payload;
    std::vector<std::string> config_files;
    std::vector<std::string> topics;
    std::vector<std::string> drivers;
    std::vector<std::string> pools;
    std::string priority = "info";
    std::string event_type;
    std::string publisher_id = "aprotic";
    std::string exchange;
    std::string context = "{}";
    std::optional<int> retry;
    bool durable = false;
    double timeout = 0;  ///< not given

    Exit run(const Output& out) {
        const auto config = read_config(config_files, out);
        if (!config) return out.fail(Exit::usage, config.error());
        if (!looks_like_url(url)) {
            if (config->notification_url().empty())
                return out.fail(Exit::usage, "'" + url +
                                                 "' is no URL: amqp://host:port is expected first, or a file "
                                                 "that has transport_url");
            if (!url.empty()) payload = url;
            url = config->notification_url();
        }
        if (payload.empty()) payload = "null";
        if (payload.ends_with('\0')) payload.pop_back();  // main() marks what CLI11 must not take apart
        const auto payload_json = parse_json(payload);
        if (!payload_json) return out.fail(Exit::usage, "JSON: " + payload_json.error());
        const auto level = priority_named(priority);
        if (!level)
            return out.fail(Exit::usage, "--priority " + priority +
                                             ": audit, debug, info, warn, error, critical or sample is expected");
        auto options = config->notifier(publisher_id);
        if (const auto done = change(options); !done) return out.fail(Exit::usage, done.error());

        std::optional<Duration> wait;
        if (timeout > 0)
            wait = to_duration(timeout);
        else if (!config->has("oslo_messaging_amqp", "default_notify_timeout"))
            wait = std::chrono::seconds(10);
        try {
            Transport transport(url, config->options());
            const Notifier notifier(transport, options);
            if (const auto sent = notifier.try_notify(*level, event_type, *payload_json, wait); !sent)
                return out.fail(sent.error());
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
        std::string all;
        for (const auto& topic : options.topics) all += (all.empty() ? "'" : ", '") + topic + "'";
        out.either(
            "sent to " + all,
            Json{
                {"sent", true}, {"topics", options.topics}, {"priority", name_of(*level)}, {"event_type", event_type}});
        return Exit::ok;
    }

    /// What the command line has to say about the options of the files.
    codec::Result<void, std::string> change(NotifierOptions& options) const {
        if (!topics.empty()) options.topics = topics;
        if (!drivers.empty() || options.drivers.empty()) options.drivers.clear();
        for (const auto& name : drivers) {
            const auto driver = notifier_driver_named(name);
            if (!driver || (*driver != NotifierDriver::messaging && *driver != NotifierDriver::messagingv2))
                return "--driver " + name + ": messaging or messagingv2 is expected";
            options.drivers.push_back(*driver);
        }
        if (options.drivers.empty()) options.drivers = {NotifierDriver::messaging};
        const auto context_json = parse_json(context);
        if (!context_json) return "--context: " + context_json.error();
        options.context = *context_json;
        options.exchange = exchange;
        options.pools = pools;
        options.durable = durable;
        if (retry) options.retry = *retry;
        return {};
    }
};

}  // namespace

void add_notify(Tool& tool) {
    auto options = std::make_shared<NotifyCommand>();
    CLI::App* command = tool.add("notify", "Send a notification to whoever listens.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("URL", options->url,
                        "amqp://[user[:password]@]host[:port][,host…][/vhost][?option=value]; may be left out when a "
                        "file or the environment has transport_url");
    command->add_option("JSON", options->payload, "the payload, any JSON (default: null)");
    add_config_files(command, options->config_files);
    command->add_option("--event-type", options->event_type, "what has happened, such as compute.instance.create.start")
        ->required()
        ->type_name("NAME");
    command->add_option("--topic", options->topics, "where to send it; may be repeated (default: notifications)")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command->add_option("--priority", options->priority, "audit, debug, info, warn, error, critical or sample")
        ->type_name("NAME")
        ->capture_default_str();
    command->add_option("--publisher", options->publisher_id, "who tells it")->type_name("NAME")->capture_default_str();
    command->add_option("--exchange", options->exchange, "scope of the topics (default: openstack)")->type_name("NAME");
    command->add_option("--pool", options->pools, "send it to this pool of listeners too; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command
        ->add_option("--driver", options->drivers, "messaging or messagingv2 (default: messaging, or what a file says)")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command->add_option("--context", options->context, "goes along with it, a JSON object")->type_name("JSON");
    command->add_option("--retry", options->retry, "further attempts; -1: until the timeout (default: -1)")
        ->check(CLI::Range(-1, 1'000'000))
        ->type_name("N");
    command->add_flag("--durable", options->durable, "the broker is to keep it");
    add_timeout(command, options->timeout, "longest wait for everything together (default: 10, or what a file says)");
}

}  // namespace aprotic::driver::cli
