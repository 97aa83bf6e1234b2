#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/log.hpp>
#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/tls.hpp>

namespace aprotic::driver::cli {

/// What the process tells its caller; the table is in docs/cli.md.
enum class Exit : int {
    ok = 0,
    failed = 1,       ///< the peer answered, and the answer is no: an error reply, rejected, refused, malformed
    usage = 2,        ///< the command line makes no sense
    unreachable = 3,  ///< no connection: no such host, nobody there, turned away
    no_answer = 4,    ///< connected, but what was waited for did not come in time
};

/// Says things, as text or as one JSON object per line. Any thread.
class Output {
public:
    bool json = false;

    /// One line on stdout, written at once.
    void line(const std::string& text) const;
    void line(const Json& object) const;
    /// `text`, or with --json `object`.
    void either(const std::string& text, const Json& object) const { json ? line(object) : line(text); }
    /// "aprotic: <what happened>" on stderr, or with --json {"error": …, "exit": …}. Returns `exit` for the caller to
    /// return.
    Exit fail(Exit exit, const std::string& what) const;
    Exit fail(const engine::Failure& failure) const;
    Exit fail(const CallFailure& failure) const;
    /// Like fail(), of something that ends nothing.
    void tell(const LogRecord& record) const;

private:
    Exit fail(Exit exit, const std::string& what, Json details) const;
};

/// How a failure of the engine or of the driver ends this process.
Exit exit_of(std::error_code code);

/// The command line being built: each command adds itself and puts into `run` what to do when it is chosen.
struct Tool {
    CLI::App app;
    Output out;
    std::function<Exit()> run;

    /// A subcommand with --json, whose `action` runs after parsing.
    CLI::App* add(const std::string& name, const std::string& description, std::function<Exit(const Output&)> action);
};

/// Adds `--timeout SECONDS` to a command, "0.5" and the like allowed.
void add_timeout(CLI::App* command, double& seconds, const std::string& description);
std::chrono::nanoseconds to_duration(double seconds);

/// Adds the `--sasl-…` options that both roles have.
void add_sasl(CLI::App* command, std::vector<std::string>& mechanisms, engine::SaslCyrusOptions& cyrus);
/// Names of mechanisms in capitals, or which of them is none and what there is.
codec::Result<void, std::string> check_mechanisms(std::vector<std::string>& names);

/// How `send`, `receive` and `doctor` get to the server, and as whom.
struct Way {
    std::string proxy{};
    engine::TlsOptions tls{};
    engine::SaslClientOptions sasl{};  ///< without the credentials, which are in the URL
    std::string token_file{};
};
/// Adds `--proxy`, `--allow-cleartext-password`, and the `--tls-…` and `--sasl-…` options of a client.
void add_way(CLI::App* command, Way& way);
/// Puts them into `connection`, those for TLS where the URL is one for that. The error's text is for people.
codec::Result<void, std::string> use_way(engine::ConnectionOptions& connection, std::string_view url, Way way);

/// Waits a little longer than the connection itself, whose failure says what it was waiting for.
codec::Result<void, engine::Failure> wait_open(const engine::Connection& connection,
                                               const engine::ConnectionOptions& options);

/// Compact JSON text; octets that are not UTF-8 are replaced.
std::string to_text(const Json& value);

void add_broker(Tool& tool);
void add_serve(Tool& tool);
void add_call(Tool& tool);
void add_cast(Tool& tool);
void add_notify(Tool& tool);
void add_listen(Tool& tool);
void add_config(Tool& tool);
void add_send(Tool& tool);
void add_receive(Tool& tool);
void add_dump(Tool& tool);
void add_doctor(Tool& tool);
void add_conform(Tool& tool);
void add_fuzz(Tool& tool);

/// Holds SIGINT and SIGTERM back in this thread and in all started after it, so that wait() can end the program in
/// order.
class StopSignal {
public:
    StopSignal();
    /// Blocks until one of them comes.
    void wait();
};

}  // namespace aprotic::driver::cli
