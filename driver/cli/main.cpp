// The `aprotic` command: a broker, a server and a client to try AMQP and RPC from a shell. It uses public headers only.
#include <aprotic/driver/cli/command_line.hpp>

int main(int argc, char** argv) { return aprotic::driver::cli::run_command_line(argc, argv); }
