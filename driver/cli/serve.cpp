#include <aprotic/driver/cli/tool.hpp>

#include <memory>
#include <optional>
#include <stdexcept>

#include <aprotic/driver/cli/configuration.hpp>
#include <aprotic/driver/cli/figures.hpp>
#include <aprotic/driver/cli/process.hpp>
#include <aprotic/driver/metrics.hpp>
#include <aprotic/driver/rpc_server.hpp>

namespace aprotic::driver::cli {
namespace {

struct ServeCommand {
    std::string url;
    std::vector<std::string> config_files;
    Target target;
    std::string namespace_;
    std::string version = "1.0";
    std::string command;
    double exec_timeout = 60;
    double timeout = 10;
    unsigned threads = 0;  ///< not given
    bool quiet = false;
    std::string metrics;

    Exit run(const Output& out) const {
        StopSignal stop;
        const auto config = read_config(config_files, out);
        if (!config) return out.fail(Exit::usage, config.error());
        const std::string& to = url.empty() ? config->transport_url() : url;
        if (to.empty()) return out.fail(Exit::usage, "a URL is expected, or a file that has transport_url");
        RpcServerOptions at_once;
        if (threads > 0)
            at_once.threads = threads;
        else if (!config->has("DEFAULT", "executor_thread_pool_size"))
            at_once.threads = 8;
        try {
            TransportOptions settings = config->options();
            const auto counted = metrics.empty() ? nullptr : std::make_shared<Metrics>();
            settings.metrics = counted;
            Transport transport(to, std::move(settings));
            const auto shown =
                show_metrics(metrics, transport.reactor(), [counted] { return counted->prometheus_text(); });
            if (!shown) return out.fail(Exit::usage, shown.error());
            RpcServer server(transport, target, at_once);
            std::optional<std::string> interface;
            if (!namespace_.empty()) interface = namespace_;
            driver::Endpoint& endpoint = server.dispatcher().endpoint(interface, version);
            if (command.empty()) {
                endpoint.handle("echo", [this, out](const Request& request, const Json& args) {
                    announce(out, request);
                    return args;
                });
            } else {
                endpoint.handle_others([this, out](const Request& request) {
                    announce(out, request);
                    return execute(request);
                });
            }
            server.start();
            if (const auto ready = server.wait_ready(to_duration(timeout)); !ready) return out.fail(ready.error());
            out.either("serving '" + target.topic + "' as '" + target.server + "'",
                       Json{{"event", "serving"}, {"topic", target.topic}, {"server", target.server}});
            cli::announce(*shown, out);
            stop.wait();
            static_cast<void>(server.stop(to_duration(timeout)));
            return Exit::ok;
        } catch (const std::invalid_argument& error) {
            return out.fail(Exit::usage, error.what());
        }
    }

    void announce(const Output& out, const Request& request) const {
        if (quiet) return;
        const char* kind = request.wants_reply ? "call" : "cast";
        out.either(
            target.server + ": " + kind + " " + request.method + " " + to_text(request.args),
            Json{{"event", kind}, {"server", target.server}, {"method", request.method}, {"args", request.args}});
    }

    /// Throws MethodError with the command's words when it fails.
    Json execute(const Request& request) const {
        Json input = {{"method", request.method}, {"args", request.args}};
        if (request.namespace_) input["namespace"] = *request.namespace_;
        if (request.version) input["version"] = *request.version;
        input["context"] = request.context;
        const auto finished = run_command(command, to_text(input) + "\n", request.method, to_duration(exec_timeout));
        if (!finished.ok) throw MethodError("RuntimeError", finished.problem);
        if (finished.output.find_first_not_of(" \t\r\n") == std::string::npos) return nullptr;
        const auto response = parse_json(finished.output);
        if (!response) throw MethodError("RuntimeError", "the command's output is not JSON: " + response.error());
        return *response;
    }
};

}  // namespace

void add_serve(Tool& tool) {
    auto options = std::make_shared<ServeCommand>();
    CLI::App* command =
        tool.add("serve", "Serve a topic until SIGINT or SIGTERM: the method echo, or a command of yours.",
                 [options](const Output& out) { return options->run(out); });
    command->add_option("URL", options->url,
                        "amqp://[user[:password]@]host[:port][,host…][/vhost][?option=value]; may be left out when a "
                        "file or the environment has transport_url");
    add_config_files(command, options->config_files);
    command->add_option("--topic", options->target.topic, "what to serve")->required();
    command->add_option("--server", options->target.server, "this server's name")->required()->type_name("NAME");
    command->add_option("--exchange", options->target.exchange, "scope of the topic (default: openstack)")
        ->type_name("NAME");
    command->add_option("--namespace", options->namespace_, "interface to serve (default: the one without a name)")
        ->type_name("NAME");
    command->add_option("--version", options->version, "version of it")->type_name("VERSION")->capture_default_str();
    command
        ->add_option(
            "--exec", options->command,
            "run this by /bin/sh for each request of any method: request on stdin, response on stdout, both JSON; "
            "a failing command's stderr becomes the error reply")
        ->type_name("CMD");
    command->add_option("--exec-timeout", options->exec_timeout, "the command is killed after this")
        ->check(CLI::Range(0.001, 1e6))
        ->type_name("SECONDS")
        ->capture_default_str();
    command
        ->add_option("--threads", options->threads,
                     "requests handled at the same time (default: 8, or what a file says)")
        ->check(CLI::Range(1, 1024))
        ->type_name("N");
    command->add_flag("--quiet", options->quiet, "do not print each request");
    add_metrics(command, options->metrics);
    add_timeout(command, options->timeout, "longest wait for the connection and the links (default: 10)");
}

}  // namespace aprotic::driver::cli
