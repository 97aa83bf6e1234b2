#pragma once

#include <string>
#include <vector>

#include <aprotic/driver/cli/tool.hpp>
#include <aprotic/driver/config.hpp>

namespace aprotic::driver::cli {

/// Adds `--config-file FILE`, which may be given several times.
void add_config_files(CLI::App* command, std::vector<std::string>& files);

/// Reads them and the environment. Transports made by it tell on stderr what the end of a command does not.
codec::Result<Config, std::string> read_config(const std::vector<std::string>& files, const Output& out);

/// Whether a word of the command line is a transport URL.
bool looks_like_url(const std::string& word);

}  // namespace aprotic::driver::cli
