#include <aprotic/driver/cli/tool.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <mutex>

#include <CLI/Validators.hpp>

#include <aprotic/engine/reactor.hpp>

namespace aprotic::driver::cli {
namespace {

void write_line(std::FILE* to, std::string text) {
    static std::mutex one_at_a_time;
    text += '\n';
    const std::lock_guard lock(one_at_a_time);
    std::fwrite(text.data(), 1, text.size(), to);
    std::fflush(to);
}

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

void Output::line(const std::string& text) const { write_line(stdout, text); }
void Output::line(const Json& object) const { write_line(stdout, to_text(object)); }

Exit Output::fail(Exit exit, const std::string& what) const { return fail(exit, what, Json::object()); }

Exit Output::fail(Exit exit, const std::string& what, Json details) const {
    Json object = {{"error", what}, {"exit", static_cast<int>(exit)}};
    object.update(details);
    write_line(stderr, json ? to_text(object) : "aprotic: " + what);
    return exit;
}

Exit Output::fail(const engine::Failure& failure) const { return fail(exit_of(failure.code), failure.message()); }

Exit Output::fail(const CallFailure& failure) const {
    Json details = {{"address", failure.address},
                    {"host", failure.host},
                    {"seconds", std::chrono::duration<double>(failure.elapsed).count()}};
    if (failure.condition)
        details["condition"] = {{"name", failure.condition->condition.str()},
                                {"description", failure.condition->description.value_or("")}};
    if (failure.remote)
        details["remote"] = {
            {"type", failure.remote->type}, {"module", failure.remote->module}, {"message", failure.remote->message}};
    return fail(exit_of(failure.code), failure.message(), std::move(details));
}

void Output::tell(const LogRecord& record) const {
    Json object = {{"event", record.event}, {"level", name_of(record.level)}, {"text", record.text}};
    for (const auto& [name, value] : record.fields) object[std::string(name)] = value;
    write_line(stderr, json ? to_text(object) : "aprotic: " + record.text);
}

namespace {

Exit exit_of(engine::Errc code) {
    switch (code) {
        case engine::Errc::invalid_url:
        case engine::Errc::invalid_option: return Exit::usage;
        case engine::Errc::resolve_failed:
        case engine::Errc::connect_failed:
        case engine::Errc::connect_timed_out:
        case engine::Errc::idle_timed_out:
        case engine::Errc::connection_lost:
        case engine::Errc::tls_failed:
        case engine::Errc::certificate_refused:
        case engine::Errc::web_socket_failed:
        case engine::Errc::proxy_failed:
        case engine::Errc::header_mismatch:
        case engine::Errc::authentication_failed:
        case engine::Errc::no_common_mechanism:
        case engine::Errc::cleartext_refused: return Exit::unreachable;
        case engine::Errc::timed_out: return Exit::no_answer;
        default: return Exit::failed;
    }
}

Exit exit_of(Errc code) {
    switch (code) {
        case Errc::unreachable:
        case Errc::authentication_failed: return Exit::unreachable;
        case Errc::not_sent:
        case Errc::undeliverable:
        case Errc::in_doubt:
        case Errc::no_reply:
        case Errc::executing:
        case Errc::timed_out: return Exit::no_answer;
        case Errc::invalid_target:
        case Errc::version_capped: return Exit::usage;
        default: return Exit::failed;
    }
}

}  // namespace

Exit exit_of(std::error_code code) {
    if (code.category() == engine::engine_category()) return exit_of(static_cast<engine::Errc>(code.value()));
    if (code.category() == driver_category()) return exit_of(static_cast<Errc>(code.value()));
    return Exit::failed;
}

CLI::App* Tool::add(const std::string& name, const std::string& description,
                    std::function<Exit(const Output&)> action) {
    CLI::App* command = app.add_subcommand(name, description);
    command->add_flag("--json", out.json, "one JSON object per line instead of text, errors included");
    command->callback([this, action = std::move(action)] { run = [this, action] { return action(out); }; });
    return command;
}

void add_timeout(CLI::App* command, double& seconds, const std::string& description) {
    command->add_option("--timeout", seconds, description)->check(CLI::Range(0.001, 1e6))->type_name("SECONDS");
}

void add_sasl(CLI::App* command, std::vector<std::string>& mechanisms, engine::SaslCyrusOptions& cyrus) {
    command->add_option("--sasl-mechanism", mechanisms, "use no other than these; without it the strongest there is")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("NAME[,NAME...]");
    command->add_option("--sasl-realm", cyrus.realm, "where user names without @ belong")->type_name("REALM");
    command->add_option("--sasl-service", cyrus.service, "first part of Kerberos' name for the server (default: amqp)")
        ->type_name("NAME");
    command
        ->add_option_function<unsigned>(
            "--sasl-layer-bits",
            [&cyrus](const unsigned& bits) {
                cyrus.layer_bits_min = bits;
                cyrus.layer_bits_max = 256;
            },
            "without TLS, integrity (1) or encryption (56 and more) of at least so much by SASL itself")
        ->check(CLI::Range(1, 256))
        ->type_name("BITS");
    command->add_option("--sasl-frame-size", cyrus.frame_size_max, "largest SASL frame; tickets may want more than 512")
        ->check(CLI::Range(512, 1 << 20))
        ->type_name("OCTETS");
}

codec::Result<void, std::string> check_mechanisms(std::vector<std::string>& names) {
    const auto known = engine::sasl_mechanism_names();
    for (std::string& name : names) {
        for (char& c : name)
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (std::ranges::find(known, name) != known.end()) continue;
        std::string all;
        for (const std::string_view each : known) all.append(all.empty() ? "" : ", ").append(each);
        return "--sasl-mechanism " + name + ": there are " + all;
    }
    return {};
}

void add_way(CLI::App* command, Way& way) {
    command->add_flag("--allow-cleartext-password", way.sasl.allow_cleartext_password,
                      "let a password leave this machine unencrypted");
    command->add_option("--proxy", way.proxy, "go through this HTTP proxy")->type_name("[USER:PASSWORD@]HOST:PORT");
    engine::TlsOptions& tls = way.tls;
    command->add_option("--tls-ca", tls.ca_file, "whom to trust, PEM; without it the system's CA certificates")
        ->type_name("FILE");
    command->add_option("--tls-cert", tls.certificate_file, "our certificate and its chain, PEM")->type_name("FILE");
    command->add_option("--tls-key", tls.key_file, "its key, PEM; without it the key is with the certificate")
        ->type_name("FILE");
    command->add_option("--tls-key-password", tls.key_password, "of an encrypted key")->type_name("PASSWORD");
    command->add_flag("--tls-insecure-skip-verification", tls.insecure_skip_verification, "anybody may be the server");
    add_sasl(command, way.sasl.mechanisms, way.sasl.cyrus);
    command
        ->add_option("--sasl-token-file", way.token_file,
                     "an access token, for OAUTHBEARER and XOAUTH2; read at each authentication")
        ->type_name("FILE");
    command->add_option("--sasl-act-for", way.sasl.authorization_id, "be taken for this user, if the server lets us")
        ->type_name("USER");
}

namespace {

std::optional<std::string> read_token(const std::string& file) {
    std::ifstream in(file);
    std::string token;
    in >> token;
    return token.empty() ? std::nullopt : std::optional(token);
}

}  // namespace

codec::Result<void, std::string> use_way(engine::ConnectionOptions& connection, std::string_view url, Way way) {
    if (auto done = check_mechanisms(way.sasl.mechanisms); !done) return done;
    if (!way.token_file.empty()) {
        if (!read_token(way.token_file))
            return "--sasl-token-file " + way.token_file + " has no token in its first line";
        way.sasl.token = [file = way.token_file] { return read_token(file).value_or(""); };
    }
    way.sasl.enabled = connection.sasl.enabled || !way.sasl.mechanisms.empty() || way.sasl.cyrus.layer_bits_min > 0;
    connection.sasl = std::move(way.sasl);
    if (!way.proxy.empty()) {
        const std::size_t at = way.proxy.rfind('@');
        const std::size_t host = at == std::string::npos ? 0 : at + 1;
        const std::string user = way.proxy.substr(0, host == 0 ? 0 : at);
        const auto address = engine::Address::parse(std::string_view(way.proxy).substr(host), 8080);
        if (!address) return "--proxy: " + address.error();
        const std::size_t colon = std::min(user.find(':'), user.size());
        connection.proxy.host = address->host;
        connection.proxy.port = address->port;
        connection.proxy.username = user.substr(0, colon);
        connection.proxy.password = user.substr(std::min(colon + 1, user.size()));
    }
    const engine::TlsOptions& tls = way.tls;
    if (!url.starts_with("amqps://") && !url.starts_with("wss://")) {
        const bool given = !tls.ca_file.empty() || !tls.certificate_file.empty() || !tls.key_file.empty() ||
                           tls.insecure_skip_verification;
        if (given) return std::string("the --tls options need a URL with amqps:// or wss://");
        return {};
    }
    auto context = engine::TlsContext::make_client(tls);
    if (!context) return context.error().text;
    connection.tls.context = *context;
    return {};
}

codec::Result<void, engine::Failure> wait_open(const engine::Connection& connection,
                                               const engine::ConnectionOptions& options) {
    return connection.wait_open(options.connect_timeout + std::chrono::seconds(1));
}

std::chrono::nanoseconds to_duration(double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

StopSignal::StopSignal() {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void StopSignal::wait() {
    const sigset_t set = stop_signals();
    int signal = 0;
    sigwait(&set, &signal);
}

}  // namespace aprotic::driver::cli
