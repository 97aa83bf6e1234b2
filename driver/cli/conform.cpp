#include <aprotic/driver/cli/child.hpp>
#include <aprotic/driver/cli/tool.hpp>

#include <charconv>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include <CLI/Validators.hpp>

#include "conform/client_process.hpp"
#include "conform/clock.hpp"
#include "conform/report.hpp"
#include "conform/runner.hpp"
#include "conform/selection.hpp"
#include "conform/server_process.hpp"
#include "peer/tcp_channel.hpp"

namespace aprotic::driver::cli {
namespace {

std::optional<std::string> content_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) return std::nullopt;
    return std::move(text).str();
}

std::string date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

/// This executable as a word of a shell's command.
std::string self_as_word() {
    std::string word = "'";
    for (const char octet : std::filesystem::read_symlink("/proc/self/exe").string())
        octet == '\'' ? word += "'\\''" : word += octet;
    return word + "'";
}

struct ConformCommand {
    std::vector<std::string> words;
    bool self = false;
    std::string start;
    std::string listen;
    conform::ClientCommands clients;
    std::string mode;
    std::string profile_file;
    std::vector<std::string> without;
    std::vector<std::string> levels;
    bool strict = false;
    bool list = false;
    bool dry_run = false;
    bool verbose = false;
    unsigned repeat = 1;
    std::optional<std::uint64_t> seed;
    double timeout = 3;
    double patience = 30;
    double factor = 1;
    std::string json_file, junit_file, html_file;
    std::vector<std::string> compare;

    Exit run(const Output& out) {
        if (!compare.empty()) return compare_runs(out);
        std::string url;
        if (!words.empty() && words.front().find("://") != std::string::npos) {
            url = words.front();
            words.erase(words.begin());
        }
        std::vector<std::string> unknown;
        const bool serves = !listen.empty() || !clients.sender.empty() || !clients.receiver.empty();
        const auto wants = [&](conform::Mode one, bool given) {
            return mode.empty() ? (self || list || given) : name_of(one) == mode;
        };
        const bool of_clients = wants(conform::Mode::client, serves);
        const bool of_servers = wants(conform::Mode::server, !serves);
        const auto chosen = [&](conform::Mode one, bool wanted) {
            auto cases = conform::select(conform::all_cases(), selection(one), unknown);
            if (!wanted) cases.clear();
            return cases;
        };
        const auto for_clients = chosen(conform::Mode::client, of_clients);
        const auto for_servers = chosen(conform::Mode::server, of_servers);
        if (!unknown.empty())
            return out.fail(Exit::usage, "no case, clause, section or tag is called " + unknown.front() +
                                             "; aprotic conform --list shows what there is");
        if (for_clients.empty() && for_servers.empty()) return out.fail(Exit::usage, "the selection leaves no case");
        auto all = for_servers;
        all.insert(all.end(), for_clients.begin(), for_clients.end());
        if (list) return show(out, all);

        conform::Profile profile;
        if (!profile_file.empty()) {
            const auto text = content_of(profile_file);
            const std::string why = text ? profile.read(*text) : "cannot be read";
            if (!why.empty()) return out.fail(Exit::usage, profile_file + ": " + why);
        }
        if (!url.empty()) {
            const std::string why = profile.read_url(url);
            if (!why.empty()) return out.fail(Exit::usage, url + ": " + why);
        }
        if (!self && of_servers && url.empty() && profile_file.empty())
            return out.fail(Exit::usage, "give the peer's URL, or a profile with its host, or --self");
        if (self && (!url.empty() || serves || !start.empty()))
            return out.fail(Exit::usage, "--self judges this command's own broker and client, and no others");
        if (!self && of_clients && clients.sender.empty() && clients.receiver.empty())
            return out.fail(Exit::usage, "give the command of a client: --sender, --receiver, or both");
        const auto port = port_to_listen_on();
        if (!port) return out.fail(Exit::usage, "--listen is 127.0.0.1:PORT; clients are started on this machine");
        if (dry_run) return show(out, all);

        conform::Run run;
        run.date = date_now();
        run.strict = strict;
        run.peer = self ? "aprotic" : profile.name;
        const double began = conform::seconds_now();
        std::optional<Exit> failed;
        if (!for_servers.empty()) failed = judge_server(out, for_servers, profile, run);
        if (!failed && !for_clients.empty()) failed = judge_clients(out, for_clients, *port, profile, run);
        if (failed) return *failed;
        run.seconds = conform::seconds_now() - began;
        return report(out, run);
    }

private:
    /// The suite itself failed: what it found is worth nothing.
    static constexpr Exit harness_fault = static_cast<Exit>(4);
    /// Seconds that a server gets to start, and one that somebody else starts again to come back.
    static constexpr double start_limit = 120;
    static constexpr double return_limit = 5;

    conform::Selection selection(conform::Mode one) const {
        conform::Selection selection{.words = words, .without = without, .mode = one};
        for (const auto level : {conform::Level::must, conform::Level::should, conform::Level::informative})
            for (const auto& name : levels)
                if (name_of(level) == name) selection.levels.push_back(level);
        return selection;
    }

    static Exit show(const Output& out, const std::vector<const conform::Case*>& cases) {
        for (const auto* one : cases) {
            std::string text = conform::text_of(*one);
            text.pop_back();
            out.either(text, {{"id", one->id},
                              {"level", name_of(one->level)},
                              {"rule", one->rule},
                              {"sends", one->sends},
                              {"accepts", one->accepts},
                              {"negative", one->negative},
                              {"needs", one->needs},
                              {"tags", one->tags}});
        }
        out.either(std::to_string(cases.size()) + " cases", {{"cases", cases.size()}});
        return Exit::ok;
    }

    std::optional<std::uint16_t> port_to_listen_on() const {
        const auto colon = listen.rfind(':');
        const std::string host = colon == std::string::npos ? "127.0.0.1" : listen.substr(0, colon);
        const std::string text = listen.empty() ? "0" : listen.substr(colon == std::string::npos ? 0 : colon + 1);
        std::uint16_t port = 0;
        const auto end = std::from_chars(text.data(), text.data() + text.size(), port);
        const bool whole = end.ec == std::errc() && end.ptr == text.data() + text.size();
        if (!whole || (host != "127.0.0.1" && host != "localhost")) return std::nullopt;
        return port;
    }

    conform::RunOptions run_options(const Output& out) const {
        conform::RunOptions options;
        options.timing.answer = to_duration(timeout);
        options.timing = options.timing.scaled(factor);
        options.patience = patience * factor;
        options.repeat = repeat;
        options.seed = seed;
        options.nonce = std::to_string(std::time(nullptr));
        options.after = [this, &out](const conform::Result& result) { tell(out, result); };
        return options;
    }

    static void add(conform::Run& run, const std::string& address, std::vector<conform::Result> results) {
        run.address += (run.address.empty() ? "" : ", ") + address;
        for (auto& result : results) run.results.push_back(std::move(result));
    }

    /// How the command ends when the peer cannot be judged at all.
    std::optional<Exit> judge_server(const Output& out, const std::vector<const conform::Case*>& chosen,
                                     conform::Profile& profile, conform::Run& run) const {
        std::unique_ptr<Child> broker;
        if (self) {
            broker = std::make_unique<Child>(std::vector<std::string>{"broker", "--listen", "127.0.0.1:0", "--json",
                                                                      "--queue-patterns", "conform", "unicast"});
            const auto line = Json::parse(broker->read_line(), nullptr, false);
            if (!line.is_object() || !line.contains("address"))
                return out.fail(harness_fault, "the embedded broker did not start");
            profile.read_url("amqp://" + line["address"].get<std::string>());
        }
        const conform::Connector connect = [&](peer::Duration at_most, std::string& why) {
            return peer::TcpChannel::connect(profile.host, profile.port, at_most, why);
        };
        auto options = run_options(out);
        // One that is there has to answer at once; programs take their time to start, and so do those who start them.
        const peer::Duration at_first = start.empty() ? peer::Duration::zero() : to_duration(start_limit);
        conform::ServerProcess server(start, connect, options.timing);
        const std::string address = profile.host + ":" + profile.port;
        const bool claims_queue = profile.has("queue");
        const std::string why = server.bring_up(profile, at_first);
        if (!why.empty())
            return out.fail(Exit::unreachable, address + " does not get us to an open connection: " + why);
        if (claims_queue && !profile.has("queue") && !out.json)
            out.line("the queue \"" + profile.queue + "\" hands nothing on: what needs one is not judged");
        options.alive = [&] { return broker != nullptr ? broker->running() : server.alive(); };
        options.revive = [&] {
            conform::Profile same = profile;
            return broker == nullptr &&
                   server.bring_up(same, to_duration(start.empty() ? return_limit : start_limit)).empty();
        };
        add(run, address, conform::run(chosen, connect, profile, options));
        return std::nullopt;
    }

    std::optional<Exit> judge_clients(const Output& out, const std::vector<const conform::Case*>& chosen,
                                      std::uint16_t port, const conform::Profile& profile, conform::Run& run) const {
        conform::ClientCommands commands = clients;
        if (self) {
            commands.sender =
                "exec " + self_as_word() + " send {url} {address} --count {count} --body-size {size} --timeout 5";
            commands.receiver =
                "exec " + self_as_word() + " receive {url} {address} --count {count} --timeout 5 --connect-timeout 5";
        }
        std::optional<conform::ClientProcesses> processes;
        try {
            processes.emplace(commands, port);
        } catch (const std::system_error& error) {
            return out.fail(Exit::usage, std::string("--listen: ") + error.what());
        }
        auto options = run_options(out);
        options.clients = &*processes;
        const std::string why = conform::prepare(*processes, profile, options.timing);
        if (!why.empty()) return out.fail(Exit::unreachable, "the client does not get as far as a link: " + why);
        add(run, "clients at 127.0.0.1:" + std::to_string(processes->port()),
            conform::run(chosen, {}, profile, options));
        return std::nullopt;
    }

    void tell(const Output& out, const conform::Result& result) const {
        if (out.json) {
            out.line(Json{{"id", result.subject->id},
                          {"verdict", name_of(result.verdict)},
                          {"ways", result.ways},
                          {"notes", result.notes},
                          {"expected", result.expected},
                          {"actual", result.actual},
                          {"seconds", result.seconds}});
            return;
        }
        std::string text = conform::text_of(result, verbose);
        text.pop_back();
        out.line(text);
    }

    Exit report(const Output& out, const conform::Run& run) const {
        const std::pair<std::string, std::function<std::string()>> files[] = {
            {json_file, [&] { return conform::json_of(run); }},
            {junit_file, [&] { return conform::junit_of(run); }},
            {html_file, [&] { return conform::html_of(run); }}};
        for (const auto& [file, text] : files)
            if (!file.empty() && !write(file, text())) return out.fail(harness_fault, file + " cannot be written");
        if (!out.json) out.line(conform::text_of(run));
        return run.failed() ? Exit::failed : Exit::ok;
    }

    Exit compare_runs(const Output& out) const {
        std::vector<conform::PastRun> runs;
        for (const auto& file : compare) {
            const auto text = content_of(file);
            std::string why = "cannot be read";
            if (text) {
                why.clear();
                runs.push_back(conform::read_json_report(*text, why));
            }
            if (!why.empty()) return out.fail(Exit::usage, file + ": " + why);
        }
        if (!html_file.empty() && !write(html_file, conform::compare_as_html(runs)))
            return out.fail(harness_fault, html_file + " cannot be written");
        out.line(conform::compare_as_text(runs));
        return Exit::ok;
    }

    static bool write(const std::string& file, const std::string& text) {
        std::ofstream to(file, std::ios::binary);
        to << text;
        to.close();
        return !to.fail();
    }
};

}  // namespace

void add_conform(Tool& tool) {
    auto options = std::make_shared<ConformCommand>();
    CLI::App* command = tool.add("conform", "Judge any AMQP 1.0 peer, clause by clause.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("PEER-AND-CASES", options->words,
                        "amqp://[USER:PASSWORD@]HOST[:PORT], then which cases: ids, clauses (2.5.6-c), sections (2.5), "
                        "@tags; none: all");
    command->add_flag("--self", options->self,
                      "judge the embedded broker and this command's client, in processes of their own");
    command
        ->add_option("--start", options->start,
                     "shell command that starts the server under test in the foreground; it is started again where a "
                     "case has ended it")
        ->type_name("COMMAND");
    command
        ->add_option("--listen", options->listen,
                     "judge clients: the port where they find the suite (default: a free one)")
        ->type_name("127.0.0.1:PORT");
    command
        ->add_option("--sender", options->clients.sender,
                     "shell command of a client that sends {count} messages of {size} octets to {address} at {url}, or "
                     "{host} and {port}")
        ->type_name("COMMAND");
    command
        ->add_option("--receiver", options->clients.receiver,
                     "shell command of a client that receives {count} messages from {address}")
        ->type_name("COMMAND");
    command->add_option("--mode", options->mode, "only cases of servers, or of clients")
        ->check(CLI::IsMember({"server", "client"}))
        ->type_name("MODE");
    command->add_option("--profile", options->profile_file, "JSON file that tells what the peer can do")
        ->type_name("FILE");
    command->add_option("--exclude", options->without, "cases to leave out, named as above")->type_name("CASES");
    command->add_option("--level", options->levels, "only rules of these levels")
        ->check(CLI::IsMember({"must", "should", "informative"}))
        ->type_name("LEVEL");
    command->add_flag("--strict", options->strict, "should rules, and what is not strict, count as failures");
    command->add_flag("--list", options->list, "show the chosen cases and end");
    command->add_flag("--dry-run", options->dry_run, "do everything but speak with the peer");
    command->add_flag("--verbose", options->verbose, "show the whole conversation of each case that fails");
    command->add_option("--repeat", options->repeat, "run each case so often; the worst verdict counts")
        ->check(CLI::Range(1U, 100'000U))
        ->type_name("N");
    command->add_option("--seed", options->seed, "shuffle the order of the cases")->type_name("N");
    add_timeout(command, options->timeout, "how long an answer may take (default 3)");
    command
        ->add_option("--patience", options->patience,
                     "how long a server that was silent may take to react, while other cases go on (default 30)")
        ->check(CLI::Range(0.0, 3600.0))
        ->type_name("SECONDS");
    command->add_option("--timeout-factor", options->factor, "makes all waiting longer: slow peers, slow machines")
        ->check(CLI::Range(0.01, 1000.0))
        ->type_name("F");
    command->add_option("--json-report", options->json_file, "write a JSON report")->type_name("FILE");
    command->add_option("--junit", options->junit_file, "write a JUnit XML report")->type_name("FILE");
    command->add_option("--html", options->html_file, "write an HTML page, also of --compare")->type_name("FILE");
    command->add_option("--compare", options->compare, "show JSON reports of earlier runs beside each other")
        ->type_name("FILE");
    command->footer(
        "Exit codes: 0 no fault found, 1 faults, 2 usage or nothing matched, 3 the peer is unreachable, 4 the suite "
        "itself failed.\nMore: docs/conformance.md.");
}

}  // namespace aprotic::driver::cli
