#pragma once

#include <chrono>
#include <string>

namespace aprotic::driver::cli {

/// How a command ended.
struct Finished {
    bool ok = false;      ///< exit status 0, within its time and the output's bound
    std::string output;   ///< what it wrote to stdout
    std::string problem;  ///< when not ok: its stderr if it wrote there, else what happened
};

/// Runs `command` by /bin/sh with `input` as its standard input and `method` in APROTIC_METHOD. It is killed, with what
/// it started, after `timeout` or when it has written more than 16 MiB. Any thread; blocks.
Finished run_command(const std::string& command, const std::string& input, const std::string& method,
                     std::chrono::nanoseconds timeout);

}  // namespace aprotic::driver::cli
