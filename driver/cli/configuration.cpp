#include <aprotic/driver/cli/configuration.hpp>

namespace aprotic::driver::cli {

void add_config_files(CLI::App* command, std::vector<std::string>& files) {
    command
        ->add_option("--config-file", files,
                     "an application's configuration as oslo.messaging has it: [oslo_messaging_amqp], [DEFAULT] "
                     "transport_url; may be repeated")
        ->type_name("FILE")
        ->allow_extra_args(false);
}

codec::Result<Config, std::string> read_config(const std::vector<std::string>& files, const Output& out) {
    TransportOptions defaults;
    defaults.log = [out](const LogRecord& record) {
        // A command that cannot connect, or loses its connection, says so when it gives up.
        const bool told_later = record.event == "connect_failed" || record.event == "connection_lost";
        if ((record.level >= LogLevel::warning && !told_later) || record.event == "frame") out.tell(record);
    };
    return Config::read(files, Config::of_process(), std::move(defaults));
}

bool looks_like_url(const std::string& word) {
    return word.find("://") != std::string::npos || word.starts_with("embedded:");
}

}  // namespace aprotic::driver::cli
