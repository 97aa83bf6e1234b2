#pragma once

namespace aprotic::driver::cli {

/// The whole command: reads the arguments, runs what they ask for and gives the process's exit code, one of `Exit`.
int run_command_line(int argc, char** argv);

}  // namespace aprotic::driver::cli
