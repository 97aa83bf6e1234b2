#include <aprotic/driver/cli/tool.hpp>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include <CLI/Validators.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/message_view.hpp>

namespace aprotic::driver::cli {
namespace {

constexpr std::size_t input_bytes_max = 256 * 1024 * 1024;

/// The whole of a file, "-" being standard input; empty and a reason when it cannot be read.
std::optional<std::string> read_input(const std::string& name, std::string& why) {
    std::FILE* file = name == "-" ? stdin : std::fopen(name.c_str(), "rb");
    if (file == nullptr) {
        why = name + ": " + std::strerror(errno);
        return std::nullopt;
    }
    std::string text;
    std::vector<char> block(64 * 1024);
    for (std::size_t count = 1; count > 0 && text.size() <= input_bytes_max;) {
        count = std::fread(block.data(), 1, block.size(), file);
        text.append(block.data(), count);
    }
    const bool failed = std::ferror(file) != 0;
    if (failed) why = name + ": " + std::strerror(errno);
    if (text.size() > input_bytes_max) why = name + ": more than 256 MiB";
    if (file != stdin) std::fclose(file);
    if (failed || text.size() > input_bytes_max) return std::nullopt;
    return text;
}

/// The octets that `text` writes down as hex digits, with blanks, line ends and colons between them and comments from
/// '#' on.
std::optional<std::string> octets_of_hex(const std::string& text) {
    std::string octets;
    int high = -1;
    bool comment = false;
    for (const char c : text) {
        if (c == '#') comment = true;
        if (c == '\n') comment = false;
        if (comment || c == ':' || std::isspace(static_cast<unsigned char>(c)) != 0) continue;
        if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
        const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (high < 0) {
            high = digit;
        } else {
            octets += static_cast<char>(high * 16 + digit);
            high = -1;
        }
    }
    if (high >= 0) return std::nullopt;
    return octets;
}

struct DumpCommand {
    std::string file = "-";
    std::string kind = "stream";
    bool binary = false;
    std::size_t octets_max = codec::DumpOptions{}.octets_max;

    Exit run(const Output& out) const {
        std::string why;
        const auto input = read_input(file, why);
        if (!input) return out.fail(Exit::usage, why);
        const auto from_hex = binary ? std::nullopt : octets_of_hex(*input);
        const std::span<const std::byte> octets = codec::as_bytes(from_hex ? *from_hex : *input);

        const codec::StreamDump dump = decode(octets);
        if (out.json) {
            Json lines = Json::array();
            std::istringstream text(dump.text);
            for (std::string line; std::getline(text, line);) lines.push_back(line);
            out.line(
                Json{{"well-formed", dump.ok}, {"octets", octets.size()}, {"frames", dump.frames}, {"lines", lines}});
        } else {
            std::fwrite(dump.text.data(), 1, dump.text.size(), stdout);
        }
        return dump.ok ? Exit::ok : Exit::failed;
    }

    codec::StreamDump decode(std::span<const std::byte> octets) const {
        const codec::DumpOptions options{.octets_max = octets_max};
        if (kind == "value") return {codec::dump_value(octets, options), 0, codec::decode_value(octets).has_value()};
        if (kind == "message")
            return {codec::dump_message(octets, options), 0, codec::decode_message(octets).has_value()};
        return codec::dump_stream(octets, options);
    }
};

}  // namespace

void add_dump(Tool& tool) {
    auto options = std::make_shared<DumpCommand>();
    CLI::App* command = tool.add("dump", "Decode captured AMQP octets: a hex text or a binary file.",
                                 [options](const Output& out) { return options->run(out); });
    command->add_option("FILE", options->file, "what to read; - is standard input")->capture_default_str();
    command->add_option("--as", options->kind, "stream: one direction of a connection; message; value")
        ->check(CLI::IsMember({"stream", "message", "value"}))
        ->type_name("KIND")
        ->capture_default_str();
    command->add_flag("--binary", options->binary, "do not try to read the input as hex");
    command->add_option("--octets", options->octets_max, "show at most so many octets of each string or payload")
        ->type_name("N")
        ->capture_default_str();
    command->footer("Exit code 0 when everything is well-formed, 1 when something is not.");
}

}  // namespace aprotic::driver::cli
