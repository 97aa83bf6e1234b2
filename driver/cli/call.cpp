#include <aprotic/driver/cli/tool.hpp>

#include <memory>
#include <optional>

#include <aprotic/driver/cli/configuration.hpp>
#include <aprotic/driver/rpc_client.hpp>

namespace aprotic::driver::cli {
namespace {

/// What call and cast have in common.
struct RequestCommand {
    std::string url;
    std::vector<std::string> config_files;
    Target target;
    std::string namespace_;
    std::string version;
    std::string method;
    std::string args;
    std::string context = "{}";
    double timeout = 0;  ///< not given

    void add_to(CLI::App* command) {
        command->add_option("URL", url,
                            "amqp://[user[:password]@]host[:port][,host…][/vhost][?option=value]; may be left out when "
                            "a file or the environment has transport_url");
        command->add_option("METHOD", method, "what to call");
        command->add_option("JSON-ARGS", args, "its arguments by name, a JSON object (default: {})");
        add_config_files(command, config_files);
        command->add_option("--topic", target.topic, "what the servers serve")->required();
        command->add_option("--server", target.server, "this server only (default: any of the topic)")
            ->type_name("NAME");
        command->add_option("--exchange", target.exchange, "scope of the topic (default: openstack)")
            ->type_name("NAME");
        command->add_option("--namespace", namespace_, "which interface of the servers")->type_name("NAME");
        command->add_option("--version", version, "which version of it, such as 1.2")->type_name("VERSION");
        command->add_option("--context", context, "goes along with the request, a JSON object")->type_name("JSON");
        add_timeout(command, timeout, "longest wait for everything together (default: 10, or what a file says)");
    }

    /// Connects, reads the arguments and has `send` do the rest. `timeout_option` is that of the files.
    template <class Send>
    Exit run(const Output& out, std::string_view timeout_group, std::string_view timeout_option, Send&& send) {
        const auto config = read_config(config_files, out);
        if (!config) return out.fail(Exit::usage, config.error());
        if (!looks_like_url(url)) {
            if (config->transport_url().empty())
                return out.fail(Exit::usage, "'" + url +
                                                 "' is no URL: amqp://host:port is expected first, or a file "
                                                 "that has transport_url");
            args = method;
            method = url;
            url = config->transport_url();
        }
        if (method.empty()) return out.fail(Exit::usage, "METHOD is required: what to call");
        if (args.empty()) args = "{}";
        std::optional<Duration> wait;
        if (timeout > 0)
            wait = to_duration(timeout);
        else if (!config->has(timeout_group, timeout_option))
            wait = std::chrono::seconds(10);

        const auto args_json = parse_json(args);
        if (!args_json) return out.fail(Exit::usage, "JSON-ARGS: " + args_json.error());
        if (!args_json->is_object())
            return out.fail(Exit::usage,
                            "JSON-ARGS: an object with the arguments by name is expected, such as '{\"a\": 2}'");
        const auto context_json = parse_json(context);
        if (!context_json) return out.fail(Exit::usage, "--context: " + context_json.error());

        Target to = target;
        if (!namespace_.empty()) to.namespace_ = namespace_;
        if (!version.empty()) to.version = version;
        try {
            Transport transport(url, config->options());
            const RpcClient client(transport, to, {.context = *context_json});
            return send(client, *args_json, wait);
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
    }
};

}  // namespace

void add_call(Tool& tool) {
    auto options = std::make_shared<RequestCommand>();
    CLI::App* command = tool.add("call", "Call a method and print its response as JSON.", [options](const Output& out) {
        return options->run(out, "DEFAULT", "rpc_response_timeout",
                            [&](const RpcClient& client, const Json& args, std::optional<Duration> wait) {
                                const auto response = client.try_call(options->method, args, wait);
                                if (!response) return out.fail(response.error());
                                out.either(to_text(*response), Json{{"response", *response}});
                                return Exit::ok;
                            });
    });
    options->add_to(command);
}

void add_cast(Tool& tool) {
    auto options = std::make_shared<RequestCommand>();
    auto fanout = std::make_shared<bool>(false);
    CLI::App* command = tool.add("cast", "Send a request that nobody answers.", [options, fanout](const Output& out) {
        options->target.fanout = *fanout;
        const auto send = [&](const RpcClient& client, const Json& args, std::optional<Duration> wait) {
            const auto sent = client.try_cast(options->method, args, wait);
            if (!sent) return out.fail(sent.error());
            const std::string whom =
                *fanout ? "every server of '" + options->target.topic + "'" : "'" + options->target.topic + "'";
            out.either("sent to " + whom, Json{{"sent", true}, {"topic", options->target.topic}, {"fanout", *fanout}});
            return Exit::ok;
        };
        return options->run(out, "oslo_messaging_amqp", "default_send_timeout", send);
    });
    options->add_to(command);
    command->add_flag("--fanout", *fanout, "to every server of the topic");
}

}  // namespace aprotic::driver::cli
