#include <aprotic/driver/cli/tool.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <aprotic/driver/cli/figures.hpp>
#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/sasl_config.hpp>

namespace aprotic::driver::cli {
namespace {

struct BrokerCommand {
    std::string listen = "127.0.0.1:5672";
    std::vector<std::string> queue_patterns;
    std::vector<std::string> topic_patterns;
    std::vector<std::string> queues;
    std::vector<std::string> topics;
    std::vector<std::string> users;
    std::vector<std::string> tokens;
    std::optional<std::string> sasl_config_dir;
    std::optional<std::string> sasl_config_name;
    std::vector<std::string> mechanisms;
    engine::SaslCyrusOptions cyrus;
    engine::TlsOptions tls;
    bool tls_optional = false;
    bool web_socket = false;
    bool web_socket_only = false;
    std::string web_socket_path;
    std::vector<std::string> web_socket_origins;
    std::string metrics;
    std::string personality = "plain";

    Exit run(const Output& out) {
        engine::BrokerOptions options;
        if (!queue_patterns.empty()) options.queue_patterns = queue_patterns;
        if (!topic_patterns.empty()) options.topic_patterns = topic_patterns;
        options.queues = queues;
        if (personality == "rabbitmq4")
            options.personality = engine::BrokerPersonality::rabbitmq_4;
        else if (personality != "plain")
            return out.fail(Exit::usage, "--personality " + personality + ": plain or rabbitmq4 was expected");
        options.topics = topics;
        if (const auto done = read_users(options); !done) return out.fail(Exit::usage, done.error());
        if (const auto done = use_sasl(options.connection.sasl_server); !done)
            return out.fail(Exit::usage, done.error());
        if (!tls.certificate_file.empty()) {
            if (!tls.ca_file.empty()) tls.client_certificate = engine::ClientCertificate::required;
            auto context = engine::TlsContext::make_server(tls);
            if (!context) return out.fail(Exit::usage, context.error().text);
            options.connection.tls.context = *context;
            options.connection.tls.required = !tls_optional;
        } else if (!tls.ca_file.empty() || !tls.key_file.empty() || tls_optional) {
            return out.fail(Exit::usage, "TLS needs a certificate: give --tls-cert");
        }
        options.connection.web_socket.required = web_socket_only;
        options.connection.web_socket.enabled =
            web_socket || web_socket_only || !web_socket_path.empty() || !web_socket_origins.empty();
        options.connection.web_socket.path = web_socket_path;
        options.connection.web_socket.origins = web_socket_origins;
        const auto address = engine::Address::parse(listen);
        if (!address) return out.fail(Exit::usage, "--listen " + listen + ": " + address.error());

        StopSignal stop;
        engine::Container container;
        engine::Broker broker(container, options);
        const auto bound = broker.listen(*address);
        if (!bound) return out.fail(Exit::failed, bound.error().message());
        const auto shown = show_metrics(metrics, container.reactor(), [&broker] { return broker_figures(broker); });
        if (!shown) return out.fail(Exit::usage, shown.error());
        const std::string at = bound->to_string();
        out.either("listening on " + at, {{"event", "listening"}, {"address", at}});
        announce(*shown, out);
        stop.wait();
        return Exit::ok;
    }

    codec::Result<void, std::string> read_users(engine::BrokerOptions& options) const {
        const auto read = [](const std::vector<std::string>& pairs, auto& into) {
            for (const auto& pair : pairs) {
                const auto colon = pair.find(':');
                if (colon == 0 || colon == std::string::npos) return false;
                into[pair.substr(0, colon)] = pair.substr(colon + 1);
            }
            return true;
        };
        // What was given instead may be a secret.
        if (!read(users, options.users)) return std::string("--user expects NAME:PASSWORD");
        if (!read(tokens, options.tokens)) return std::string("--token expects NAME:TOKEN");
        return {};
    }

    /// Whoever says how peers are to prove who they are wants them to.
    codec::Result<void, std::string> use_sasl(engine::SaslServerOptions& sasl) {
        if (auto done = check_mechanisms(mechanisms); !done) return done;
        const bool has_config = sasl_config_dir || sasl_config_name;
        if (has_config && !(users.empty() && tokens.empty()))
            return std::string("--user, --token and --sasl-config-dir all say who the users are: the last goes alone");
        sasl.cyrus = cyrus;
        if (has_config) {
            auto config = engine::SaslConfig::read(sasl_config_dir.value_or(""), sasl_config_name.value_or(""));
            if (!config) return config.error().text + " (--sasl-config-dir, --sasl-config-name)";
            sasl.cyrus.config = *config;
        }
        sasl.mechanisms = mechanisms;
        sasl.required = has_config || !mechanisms.empty() || cyrus.layer_bits_min > 0;
        sasl.allow_anonymous = !has_config && (mechanisms.empty() || std::ranges::count(mechanisms, "ANONYMOUS") > 0);
        return {};
    }
};

}  // namespace

void add_broker(Tool& tool) {
    auto options = std::make_shared<BrokerCommand>();
    CLI::App* command = tool.add("broker", "Run the small in-memory broker until SIGINT or SIGTERM.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("--listen", options->listen, "HOST:PORT, [V6]:PORT or unix:PATH; port 0 takes a free one")
        ->type_name("ADDRESS")
        ->capture_default_str();
    command
        ->add_option("--queue-patterns", options->queue_patterns,
                     "addresses with these parts become queues on first use (default: exclusive unicast)")
        ->type_name("PATTERN");
    command
        ->add_option("--topic-patterns", options->topic_patterns,
                     "addresses with these parts become topics on first use (default: broadcast)")
        ->type_name("PATTERN");
    command->add_option("--queue", options->queues, "queues that exist from the start")->type_name("ADDRESS");
    command->add_option("--topic", options->topics, "topics that exist from the start")->type_name("ADDRESS");
    command
        ->add_option("--personality", options->personality,
                     "plain, or rabbitmq4: addresses, management node and direct reply-to of RabbitMQ 4")
        ->type_name("NAME");
    command->add_option("--user", options->users, "let in only these users; without it anybody")
        ->type_name("NAME:PASSWORD");
    command->add_option("--token", options->tokens, "let in only whoever has this access token, or is a --user")
        ->type_name("NAME:TOKEN");
    command
        ->add_option("--sasl-config-dir", options->sasl_config_dir,
                     "let in only whom Cyrus SASL knows by its settings here (default: /etc/sasl2)")
        ->type_name("DIR");
    command->add_option("--sasl-config-name", options->sasl_config_name, "NAME.conf has them (default: amqp)")
        ->type_name("NAME");
    add_sasl(command, options->mechanisms, options->cyrus);
    command->add_option("--tls-cert", options->tls.certificate_file, "our certificate and its chain, PEM: take TLS")
        ->type_name("FILE");
    command->add_option("--tls-key", options->tls.key_file, "its key, PEM; without it the key is with the certificate")
        ->type_name("FILE");
    command->add_option("--tls-key-password", options->tls.key_password, "of an encrypted key")->type_name("PASSWORD");
    command
        ->add_option("--tls-client-ca", options->tls.ca_file,
                     "clients must have a certificate of this CA, PEM, and may come in with it (SASL EXTERNAL)")
        ->type_name("FILE");
    command->add_flag("--tls-optional", options->tls_optional, "take clients without TLS too");
    command->add_flag("--websocket", options->web_socket, "take AMQP inside of WebSocket too, on the same port");
    command->add_flag("--websocket-only", options->web_socket_only, "take nobody without WebSocket");
    command->add_option("--websocket-path", options->web_socket_path, "only at this path")->type_name("PATH");
    command
        ->add_option("--websocket-origin", options->web_socket_origins,
                     "from browsers only on pages of these, https://example.com or *")
        ->type_name("URL");
    add_metrics(command, options->metrics);
}

}  // namespace aprotic::driver::cli
