#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/driver/cli/configuration.hpp>
#include <aprotic/driver/cli/tool.hpp>

namespace aprotic::driver::cli {
namespace {

/// A value as a file has it, so that it is read as it was.
std::string written(const std::string& value) {
    std::string text;
    for (const char c : value) text += c == '$' ? "$$" : c == '\n' ? "\n    " : std::string(1, c);
    constexpr std::string_view stripped = " \t\"'";
    const bool quoted = !text.empty() && (stripped.find(text.front()) != std::string_view::npos ||
                                          stripped.find(text.back()) != std::string_view::npos);
    return quoted ? '"' + text + '"' : text;
}

/// Lines that are a configuration file themselves.
std::string section_of(const Config::Setting& setting) {
    const OptionInfo& info = setting.info;
    std::string text = "# " + std::string(info.help) + '\n';
    if (!info.remark.empty()) text += "# Note: " + std::string(info.remark) + ".\n";
    text += "# " + std::string(info.type) + "; from " + setting.source;
    if (setting.source != "default")
        text += "; default: " + (setting.default_value.empty() ? "(empty)" : setting.default_value);
    return text + '\n' + std::string(info.name) + " = " + written(setting.value) + '\n';
}

Json object_of(const Config::Setting& setting) {
    const OptionInfo& info = setting.info;
    Json object = {
        {"group", info.group},      {"name", info.name}, {"value", setting.value}, {"default", setting.default_value},
        {"source", setting.source}, {"type", info.type}, {"help", info.help}};
    if (!info.remark.empty()) object["note"] = info.remark;
    if (!info.old_name.empty()) object["old_name"] = info.old_name;
    return object;
}

}  // namespace

void add_config(Tool& tool) {
    struct Options {
        std::vector<std::string> files;
        std::string url;
    };
    auto options = std::make_shared<Options>();
    CLI::App* command = tool.add("config", "Print every option in effect, where it comes from and what it means.",
                                 [options](const Output& out) {
                                     const auto config = read_config(options->files, out);
                                     if (!config) return out.fail(Exit::usage, config.error());
                                     const auto settings = config->settings(options->url);
                                     if (!settings) return out.fail(Exit::usage, "transport URL: " + settings.error());
                                     std::string_view group;
                                     for (const auto& setting : *settings) {
                                         if (!out.json && setting.info.group != group)
                                             out.line("[" + std::string(setting.info.group) + "]\n");
                                         group = setting.info.group;
                                         out.either(section_of(setting), object_of(setting));
                                     }
                                     return Exit::ok;
                                 });
    command->add_option("URL", options->url, "as call takes it; its query is the last word");
    add_config_files(command, options->files);
}

}  // namespace aprotic::driver::cli
