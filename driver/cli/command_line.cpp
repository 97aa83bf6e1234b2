#include <aprotic/driver/cli/command_line.hpp>

#include <algorithm>
#include <csignal>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/Error.hpp>
#include <aprotic/driver/cli/tool.hpp>

namespace aprotic::driver::cli {

namespace {

/// The arguments as CLI11 wants them, last one first. It would take a message such as [1, 2] for a list; a NUL at the
/// end, which no argument can have by itself, keeps it whole.
std::vector<std::string> arguments(int argc, char** argv) {
    std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
    if (!all.empty() && (all.front() == "send" || all.front() == "notify"))
        for (auto& argument : all)
            if (argument.starts_with('[') && argument.ends_with(']')) argument += '\0';
    std::reverse(all.begin(), all.end());
    return all;
}

}  // namespace

int run_command_line(int argc, char** argv) {
    // A reader that goes away shows as an error of write.
    std::signal(SIGPIPE, SIG_IGN);

    Tool tool;
    tool.app.name("aprotic");
    tool.app.description("AMQP 1.0 and RPC from the command line.");
    tool.app.set_version_flag("--version", "aprotic " APROTIC_VERSION);
    tool.app.require_subcommand(1);
    tool.app.footer(
        "Exit codes: 0 done, 1 refused or an error reply, 2 usage, 3 unreachable, 4 no answer in time.\n"
        "More: aprotic COMMAND --help, and docs/cli.md.");
    add_broker(tool);
    add_serve(tool);
    add_call(tool);
    add_cast(tool);
    add_notify(tool);
    add_listen(tool);
    add_config(tool);
    add_send(tool);
    add_receive(tool);
    add_dump(tool);
    add_doctor(tool);
    add_conform(tool);
    add_fuzz(tool);

    try {
        tool.app.parse(arguments(argc, argv));
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return tool.app.exit(error);
        // The flag may not have been read yet when parsing fails.
        for (int i = 1; i < argc; ++i) tool.out.json = tool.out.json || std::string_view(argv[i]) == "--json";
        const auto chosen = tool.app.get_subcommands();
        const std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
        return static_cast<int>(
            tool.out.fail(Exit::usage, std::string(error.what()) + " (see aprotic" + command + " --help)"));
    }
    try {
        return static_cast<int>(tool.run());
    } catch (const std::exception& error) {
        return static_cast<int>(tool.out.fail(Exit::failed, error.what()));
    }
}

}  // namespace aprotic::driver::cli
