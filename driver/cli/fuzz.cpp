#include <aprotic/driver/cli/child.hpp>
#include <aprotic/driver/cli/tool.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>
#include <CLI/Validators.hpp>

#include "conform/profile.hpp"
#include "conform/program.hpp"
#include "fuzzer/campaign.hpp"
#include "peer/tcp_channel.hpp"

namespace aprotic::driver::cli {
namespace {

namespace fz = aprotic::fuzzer;

/// Addresses of this machine alone, whatever a name server says.
bool is_loopback(const std::string& host) {
    in_addr v4{};
    in6_addr v6{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
    if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
    return host == "localhost";
}

/// A peer over TCP: one that is running, one that we start, or the embedded broker in a process of ours.
class TcpTarget final : public fz::Target {
public:
    TcpTarget(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {}

    std::unique_ptr<peer::Channel> connect(peer::Duration patience, std::string& why) override {
        return peer::TcpChannel::connect(host_, port_, patience, why);
    }
    bool restart() override {
        if (!restart_command.empty()) return std::system(restart_command.c_str()) == 0;
        return start_command.empty() ? embedded && start_broker() : start_program().empty();
    }
    std::optional<std::uint64_t> memory() override {
        const pid_t process = broker_ ? broker_->pid() : start_command.empty() ? pid : program_.pid();
        if (process <= 0) return std::nullopt;
        std::ifstream statm("/proc/" + std::to_string(process) + "/statm");
        std::uint64_t size = 0, resident = 0;
        if (!(statm >> size >> resident)) return std::nullopt;
        return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    }
    peer::Duration now() override { return std::chrono::steady_clock::now().time_since_epoch(); }
    void wait(peer::Duration how_long) override {
        const auto span = std::chrono::ceil<std::chrono::milliseconds>(how_long).count();
        ::poll(nullptr, 0, static_cast<int>(span));
    }

    bool start_broker() {
        broker_.reset();
        broker_ = std::make_unique<Child>(std::vector<std::string>{"broker", "--listen", "127.0.0.1:0", "--json",
                                                                   "--queue-patterns", "fuzz", "fuzz-guard"});
        const auto line = Json::parse(broker_->read_line(), nullptr, false);
        if (!line.is_object() || !line.contains("address")) return false;
        const auto address = line["address"].get<std::string>();
        host_ = address.substr(0, address.rfind(':'));
        port_ = address.substr(address.rfind(':') + 1);
        return true;
    }
    /// Starts the peer, anew if it is there, and waits until it takes connections. What is wrong, or empty.
    std::string start_program() {
        constexpr int limit = 300;  // of a fifth of a second each
        constexpr auto step = std::chrono::milliseconds(200);
        std::string why = program_.start(start_command);
        for (int i = 0; i < limit && why.empty(); ++i) {
            if (program_.has_ended(peer::Duration::zero())) return "it ended; it wrote: " + program_.last_said();
            std::string not_yet;
            if (connect(step, not_yet)) return {};
            wait(step);
        }
        return why.empty() ? "it takes no connections" : why;
    }
    std::string name() const { return host_ + ":" + port_; }

    pid_t pid = 0;
    std::string start_command;
    std::string restart_command;
    bool embedded = false;

private:
    std::string host_;
    std::string port_;
    std::unique_ptr<Child> broker_;
    conform::Program program_;
};

struct FuzzCommand {
    std::string url;
    bool self = false;
    std::vector<std::string> allowed;
    fz::Access access;
    fz::Options options;
    std::optional<std::uint64_t> seed;
    std::vector<std::string> sessions;
    std::string replay_file;
    std::string folder = ".";
    pid_t pid = 0;
    double memory_limit = 1024;  // MiB
    double timeout = 3;
    std::string start_command;
    std::string restart_command;

    Exit run(const Output& out) {
        conform::Profile profile;  // reads URLs
        if (self == !url.empty()) return out.fail(Exit::usage, "give the peer's URL, or --self");
        if (!url.empty()) {
            const std::string why = profile.read_url(url);
            if (!why.empty()) return out.fail(Exit::usage, url + ": " + why);
            const bool named = std::find(allowed.begin(), allowed.end(), profile.host) != allowed.end();
            if (!is_loopback(profile.host) && !named)
                return out.fail(Exit::usage, profile.host +
                                                 " is not this machine: a fuzzer breaks what it speaks "
                                                 "with. If it may, say --allow-host " +
                                                 profile.host);
            access.hostname = profile.hostname;
            if (!profile.user.empty()) {
                access.sasl = fz::Access::Sasl::plain;
                access.user = profile.user;
                access.password = profile.password;
            }
        }
        std::vector<fz::Conversation> recorded;
        for (const auto& file : sessions) {
            std::string why;
            recorded.push_back({file, read(file, why)});
            if (!why.empty()) return out.fail(Exit::usage, file + ": " + why);
        }
        std::optional<fz::Script> replayed;
        if (!replay_file.empty()) {
            std::string why;
            replayed = read(replay_file, why);
            if (!why.empty()) return out.fail(Exit::usage, replay_file + ": " + why);
        }

        TcpTarget target(profile.host, profile.port);
        target.pid = pid;
        target.start_command = start_command;
        target.restart_command = restart_command;
        target.embedded = self;
        if (!start_command.empty() && (self || pid != 0 || !restart_command.empty()))
            return out.fail(Exit::usage, "--start goes without --self, --pid and --restart");
        if (!start_command.empty()) {
            const std::string why = target.start_program();
            if (!why.empty()) return out.fail(Exit::unreachable, "the peer does not start: " + why);
        }
        if (self && !target.start_broker()) return out.fail(harness_fault, "the embedded broker did not start");
        if (pid != 0 && !target.memory())
            return out.fail(Exit::usage, "no process " + std::to_string(pid) + " here whose memory can be read");

        options.seed = seed.value_or(static_cast<std::uint64_t>(std::time(nullptr)));
        options.nonce = std::to_string(std::time(nullptr));
        options.timing.answer = to_duration(timeout);
        options.memory_growth_max = static_cast<std::uint64_t>(memory_limit * 1024 * 1024);
        fz::Campaign campaign(target, access, options, watch(out));
        const std::string why = campaign.prepare();
        if (!why.empty())
            return out.fail(Exit::unreachable, target.name() + " does not serve somebody who behaves: " + why);
        if (replayed) return replay(out, campaign, *replayed);
        auto stock = fz::conversations(campaign.access());
        stock.insert(stock.end(), recorded.begin(), recorded.end());
        const auto summary = campaign.run(std::move(stock));
        clear_progress();
        return conclude(out, summary);
    }

private:
    /// The fuzzer itself failed.
    static constexpr Exit harness_fault = static_cast<Exit>(4);

    /// A script, or one direction of a recorded connection.
    static fz::Script read(const std::string& file, std::string& why) {
        std::ifstream in(file, std::ios::binary);
        std::ostringstream octets;
        octets << in.rdbuf();
        const std::string text = std::move(octets).str();
        if (!in) {
            why = "cannot be read";
        } else if (text.starts_with("AMQP")) {
            return fz::script_of_stream(codec::as_bytes(text));
        } else {
            auto script = fz::read_script(text);
            if (script) return *script;
            why = script.error();
        }
        return {};
    }

    fz::Watch watch(const Output& out) {
        fz::Watch watch;
        watch.found = [this, &out](const fz::Finding& finding) {
            clear_progress();
            tell(out, finding);
        };
        // A line that is written over, for people only.
        if (!out.json && ::isatty(STDERR_FILENO) != 0)
            watch.progress = [](const fz::Summary& summary) {
                const double each = summary.seconds > 0 ? static_cast<double>(summary.scripts) / summary.seconds : 0;
                std::fprintf(stderr, "\r\x1b[K%llu scripts, %.0f per second, %zu findings",
                             static_cast<unsigned long long>(summary.scripts), each, summary.findings.size());
            };
        return watch;
    }
    static void clear_progress() {
        if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\x1b[K");
    }

    static Json json_of(const fz::Finding& finding, const std::string& file) {
        return {{"finding", name_of(finding.kind)},
                {"what", finding.what},
                {"number", finding.number},
                {"reproduced", finding.reproduced},
                {"steps", finding.script.steps.size()},
                {"steps-before", finding.steps_before},
                {"file", file},
                {"script", to_text(finding.script)},
                {"log", finding.log.lines()}};
    }

    void tell(const Output& out, const fz::Finding& finding) {
        const std::string file = write(std::string(name_of(finding.kind)), finding.number, finding.script);
        std::string text = std::string(name_of(finding.kind)) + ": " + finding.what + "\n" + to_text(finding.script);
        text += "what was said and heard:\n";
        for (const auto& line : finding.log.lines()) text += "    " + line + "\n";
        text += file.empty() ? "it could not be written to " + folder : "written to " + file;
        out.either(text, json_of(finding, file));
    }

    std::string write(const std::string& kind, std::uint64_t number, const fz::Script& script) const {
        const std::string file =
            folder + "/fuzz-" + std::to_string(options.seed) + "-" + std::to_string(number) + "-" + kind + ".script";
        std::ofstream to(file, std::ios::binary);
        to << to_text(script);
        to.close();
        return to.fail() ? std::string() : file;
    }

    Exit replay(const Output& out, fz::Campaign& campaign, const fz::Script& script) const {
        const auto found = campaign.replay(script);
        if (!found) {
            out.either("nothing found", {{"found", false}});
            return Exit::ok;
        }
        std::string text = std::string(name_of(found->kind)) + ": " + found->what;
        for (const auto& line : found->log.lines()) text += "\n    " + line;
        out.either(text, json_of(*found, replay_file));
        return Exit::failed;
    }

    Exit conclude(const Output& out, const fz::Summary& summary) const {
        for (const auto& [what, oddity] : summary.oddities) {
            const std::string file = write("answer", oddity.number, oddity.script);
            std::string text = "illegal answer, " + std::to_string(oddity.times) + " times: " + what;
            for (const auto& line : oddity.log.lines()) text += "\n    " + line;
            out.either(text + "\nwritten to " + file, {{"illegal-answer", what},
                                                       {"times", oddity.times},
                                                       {"number", oddity.number},
                                                       {"file", file},
                                                       {"log", oddity.log.lines()}});
        }
        Json object = {{"seed", options.seed},
                       {"first", options.first},
                       {"scripts", summary.scripts},
                       {"connections", summary.connections},
                       {"seconds", summary.seconds},
                       {"findings", summary.findings.size()},
                       {"found-again", summary.found_again},
                       {"illegal-answers", summary.oddities.size()},
                       {"messages-return", summary.echoes},
                       {"slowest-answer", {{"seconds", summary.slowest}, {"number", summary.slowest_number}}},
                       {"ended-early", summary.ended_early}};
        char numbers[160];
        std::snprintf(numbers, sizeof numbers, " in %.1f s, slowest answer %.3f s after number %llu", summary.seconds,
                      summary.slowest, static_cast<unsigned long long>(summary.slowest_number));
        std::string text = "seed " + std::to_string(options.seed) + ": " + std::to_string(summary.scripts) +
                           " scripts on " + std::to_string(summary.connections) + " connections" + numbers + "\n";
        if (!summary.echoes)
            text += "the connection that behaves could not receive what it sends: it asked for flows\n";
        if (summary.memory_first && summary.memory_last) {
            text += "memory of the peer: " + std::to_string(*summary.memory_first >> 20U) + " MiB at first, " +
                    std::to_string(*summary.memory_last >> 20U) + " MiB at last\n";
            object["memory"] = {{"first", *summary.memory_first}, {"last", *summary.memory_last}};
        }
        if (!summary.ended_early.empty()) text += "ended early: " + summary.ended_early + "\n";
        text += std::to_string(summary.findings.size()) + " findings, " + std::to_string(summary.oddities.size()) +
                " kinds of illegal answers";
        out.either(text, object);
        return summary.findings.empty() ? Exit::ok : Exit::failed;
    }
};

}  // namespace

void add_fuzz(Tool& tool) {
    auto options = std::make_shared<FuzzCommand>();
    CLI::App* command = tool.add("fuzz", "Look for what breaks an AMQP 1.0 peer.",
                                 [options](const Output& out) { return options->run(out); });
    auto& settings = options->options;
    command->add_option("URL", options->url, "amqp://[USER:PASSWORD@]HOST[:PORT]");
    command->add_flag("--self", options->self, "fuzz the embedded broker, in a process of its own");
    // One value each: what follows may be the URL.
    const auto add_several = [command](const std::string& name, std::vector<std::string>& to, const std::string& text) {
        const auto add = [&to](const std::string& value) { to.push_back(value); };
        return command->add_option_function<std::string>(name, add, text)->trigger_on_parse();
    };
    add_several("--allow-host", options->allowed, "a HOST beyond loopback that may be broken")->type_name("HOST");
    command->add_option("--seed", options->seed, "the same seed says the same (default: the time)")->type_name("N");
    command->add_option("--first", settings.first, "number of the first script (default 0)")->type_name("N");
    command->add_option("--count", settings.count, "how many scripts (default 1000)")->type_name("N");
    command->add_option("--time", settings.seconds, "no new script after that")
        ->check(CLI::Range(0.001, 1e9))
        ->type_name("SECONDS");
    command->add_option("--rate", settings.rate, "connections per second, at most")
        ->check(CLI::Range(0.001, 1e9))
        ->type_name("N");
    add_timeout(command, options->timeout, "how long an answer may take (default 3)");
    command->add_option("--pid", options->pid, "the peer's process, to watch its memory")->type_name("N");
    command->add_option("--memory-limit", options->memory_limit, "how much it may grow (default 1024)")
        ->check(CLI::Range(1.0, 1e9))
        ->type_name("MIB");
    command
        ->add_option("--start", options->start_command,
                     "shell command that starts the peer in the foreground, again where it has ended; its memory is "
                     "watched")
        ->type_name("COMMAND");
    command->add_option("--restart", options->restart_command, "shell command that starts the peer again")
        ->type_name("COMMAND");
    command->add_option("--address", options->access.address, "node that the conversations are about (default fuzz)")
        ->type_name("ADDRESS");
    command
        ->add_option("--guard-address", options->access.guard_address,
                     "queue of the connection that behaves (default fuzz-guard)")
        ->type_name("ADDRESS");
    add_several("--session", options->sessions, "recorded conversations: scripts, or streams of a client")
        ->type_name("FILE");
    command->add_option("--findings", settings.findings_max, "end after so many (default 10)")
        ->check(CLI::Range(1U, 100'000U))
        ->type_name("N");
    command->add_option("--shrink", settings.shrink_trials, "tries to shorten a finding (default 300)")->type_name("N");
    command->add_option("--out", options->folder, "folder for the scripts that found something (default .)")
        ->check(CLI::ExistingDirectory)
        ->type_name("FOLDER");
    command->add_option("--replay", options->replay_file, "say this script, and nothing else")->type_name("FILE");
    command->footer(
        "Exit codes: 0 nothing found, 1 findings, 2 usage, 3 the peer is not there, 4 the fuzzer itself failed.\n"
        "More: docs/fuzzing.md.");
}

}  // namespace aprotic::driver::cli
