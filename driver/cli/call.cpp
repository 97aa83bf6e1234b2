#include <aprotic/driver/cli/tool.hpp>

#include <memory>
#include <optional>

#include <aprotic/driver/rpc_client.hpp>

namespace aprotic::driver::cli {
namespace {

/// What call and cast have in common.
struct RequestCommand {
    std::string url;
    Target target;
    std::string namespace_;
    std::string version;
    std::string method;
    std::string args = "{}";
    std::string context = "{}";
    double timeout = 10;

    void add_to(CLI::App* command) {
        command->add_option("URL", url, "amqp://[user[:password]@]host[:port][,host…][/vhost][?option=value]")
            ->required();
        command->add_option("METHOD", method, "what to call")->required();
        command->add_option("JSON-ARGS", args, "its arguments by name, a JSON object")->capture_default_str();
        command->add_option("--topic", target.topic, "what the servers serve")->required();
        command->add_option("--server", target.server, "this server only (default: any of the topic)")
            ->type_name("NAME");
        command->add_option("--exchange", target.exchange, "scope of the topic (default: openstack)")
            ->type_name("NAME");
        command->add_option("--namespace", namespace_, "which interface of the servers")->type_name("NAME");
        command->add_option("--version", version, "which version of it, such as 1.2")->type_name("VERSION");
        command->add_option("--context", context, "goes along with the request, a JSON object")->type_name("JSON");
        add_timeout(command, timeout, "longest wait for everything together (default: 10)");
    }

    /// Connects, reads the arguments and has `send` do the rest.
    template <class Send>
    Exit run(const Output& out, Send&& send) const {
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
            Transport transport(url);
            const RpcClient client(transport, to, {.context = *context_json});
            return send(client, *args_json);
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
    }
};

}  // namespace

void add_call(Tool& tool) {
    auto options = std::make_shared<RequestCommand>();
    CLI::App* command = tool.add("call", "Call a method and print its response as JSON.", [options](const Output& out) {
        return options->run(out, [&](const RpcClient& client, const Json& args) {
            const auto response = client.try_call(options->method, args, to_duration(options->timeout));
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
        return options->run(out, [&](const RpcClient& client, const Json& args) {
            const auto sent = client.try_cast(options->method, args, to_duration(options->timeout));
            if (!sent) return out.fail(sent.error());
            const std::string whom =
                *fanout ? "every server of '" + options->target.topic + "'" : "'" + options->target.topic + "'";
            out.either("sent to " + whom, Json{{"sent", true}, {"topic", options->target.topic}, {"fanout", *fanout}});
            return Exit::ok;
        });
    });
    options->add_to(command);
    command->add_flag("--fanout", *fanout, "to every server of the topic");
}

}  // namespace aprotic::driver::cli
