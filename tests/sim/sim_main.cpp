// aprotic-sim: runs worlds by their seeds. See docs/simulation.md.

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <aprotic/codec/bytes.hpp>

#include "sim/world.hpp"
#include "support/alloc_counter.hpp"

using namespace aprotic;

namespace {

struct Arguments {
    std::uint64_t first = 1;
    std::uint64_t last = 1;
    std::optional<sim::Duration> until;
    bool trace = false;
    bool summary = false;
};

[[noreturn]] void usage() {
    std::fputs(
        "aprotic-sim --seed N [--until SECONDS] [--trace frames]   one world, the same every time\n"
        "aprotic-sim --seeds FIRST-LAST                            many; stops at the first that fails\n",
        stderr);
    std::exit(2);
}

template <class T>
T number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) usage();
    return value;
}

Arguments read(int count, char** words) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (i + 1 == count) usage();
        const std::string_view value = words[++i];
        if (word == "--seed") {
            arguments.first = arguments.last = number<std::uint64_t>(value);
            arguments.summary = true;
        } else if (word == "--seeds") {
            const auto dash = value.find('-');
            if (dash == std::string_view::npos) usage();
            arguments.first = number<std::uint64_t>(value.substr(0, dash));
            arguments.last = number<std::uint64_t>(value.substr(dash + 1));
        } else if (word == "--until") {
            arguments.until =
                std::chrono::duration_cast<sim::Duration>(std::chrono::duration<double>(number<double>(value)));
        } else if (word == "--trace" && value == "frames") {
            arguments.trace = true;
        } else {
            usage();
        }
    }
    return arguments;
}

/// What a world has allocated and not given back is a leak: nothing of it lives any more.
sim::RunResult run(const sim::RunOptions& options) {
    const std::uint64_t before = test::live_blocks();
    sim::RunResult result = sim::run_world(options);
    codec::release_kept_memory();
    const std::uint64_t left = test::live_blocks() - before;
    // The result of a good run has no memory of its own.
    if (result.violations.empty() && left != 0)
        result.violations.push_back(fmt::format("{} blocks of memory were not given back", left));
    return result;
}

}  // namespace

int main(int count, char** words) {
    const Arguments arguments = read(count, words);
    sim::RunOptions options;
    options.until = arguments.until;
    for (options.seed = 1; options.seed <= 2; ++options.seed)
        sim::run_world(options);  // whatever is made once in a process is made now
    codec::release_kept_memory();
    if (arguments.trace) options.show = [](const std::string& line) { std::puts(line.c_str()); };
    std::uint64_t frames = 0;
    std::uint64_t transfers = 0;
    for (options.seed = arguments.first; options.seed <= arguments.last; ++options.seed) {
        const sim::RunResult result = run(options);
        frames += result.frames;
        transfers += result.transfers;
        if (!result.violations.empty()) {
            fmt::print("seed {} ({}) fails:\n", options.seed, result.kind);
            for (const auto& violation : result.violations) fmt::print("  {}\n", violation);
            fmt::print("again, with every frame:\n  {} --seed {} --trace frames\n", words[0], options.seed);
            return 1;
        }
        if (arguments.summary) {
            fmt::print("seed {} ({}): {:.3f} s, {} connections, {} frames, {} transfers, {} steps, trace {:016x}\n",
                       options.seed, result.kind, std::chrono::duration<double>(result.time).count(),
                       result.connections, result.frames, result.transfers, result.steps, result.hash);
        }
    }
    if (!arguments.summary)
        fmt::print("{} worlds, {} frames, {} transfers\n", arguments.last - arguments.first + 1, frames, transfers);
    return 0;
}
