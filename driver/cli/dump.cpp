#include <aprotic/driver/cli/tool.hpp>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <CLI/Validators.hpp>
#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/driver/cli/capture/capture_dump.hpp>

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
    std::string as;
    bool binary = false;
    std::vector<std::uint16_t> ports;
    std::size_t octets_max = codec::DumpOptions{}.octets_max;

    Exit run(const Output& out) const {
        std::string why;
        const auto input = read_input(file, why);
        if (!input) return out.fail(Exit::usage, why);
        if (CaptureFile::is_capture(codec::as_bytes(*input))) {
            if (!as.empty() && as != "frames")
                return out.fail(Exit::usage, file + " is a packet capture: it has frames, no " + as);
            return dump_capture(out, codec::as_bytes(*input));
        }
        if (!ports.empty()) return out.fail(Exit::usage, "--port is for packet captures, and " + file + " is none");
        const auto from_hex = binary ? std::nullopt : octets_of_hex(*input);
        return dump_octets(out, codec::as_bytes(from_hex ? *from_hex : *input), from_hex ? "hex" : "binary");
    }

private:
    codec::DumpOptions options(const Output& out) const {
        return {.octets_max = octets_max, .form = out.json ? codec::DumpForm::json : codec::DumpForm::text};
    }

    static void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

    Exit dump_octets(const Output& out, std::span<const std::byte> octets, const char* source) const {
        auto kind = codec::guess_dump(octets);
        for (const auto known : {codec::DumpAs::frames, codec::DumpAs::message, codec::DumpAs::value})
            if (name_of(known) == as) kind = known;
        const bool guessed = as.empty();
        if (out.json) {
            out.line(Json{{"kind", "input"},
                          {"source", source},
                          {"octets", octets.size()},
                          {"as", name_of(kind)},
                          {"guessed", guessed}});
        } else {
            print("# " + std::to_string(octets.size()) + " octets, " + source + ", " + (guessed ? "guessed" : "told") +
                  " to be: " + std::string(name_of(kind)) + "\n");
        }
        const codec::Dump shown = codec::dump(kind, octets, options(out));
        print(shown.text);
        if (out.json) out.line(Json{{"kind", "summary"}, {"well-formed", shown.ok}, {"frames", shown.frames}});
        return shown.ok ? Exit::ok : Exit::failed;
    }

    Exit dump_capture(const Output& out, std::span<const std::byte> octets) const {
        std::set<std::uint16_t> known(ports.begin(), ports.end());
        known.insert(codec::protocol::port);
        CaptureDump capture(print, options(out), known);
        capture.run(octets);
        const std::string found = std::to_string(capture.packets()) + " packets, " +
                                  std::to_string(capture.segments()) + " of TCP, " +
                                  std::to_string(capture.connections()) + " AMQP connections, " +
                                  std::to_string(capture.frames()) + " frames";
        out.either("# " + found, Json{{"kind", "summary"},
                                      {"well-formed", capture.ok()},
                                      {"packets", capture.packets()},
                                      {"segments", capture.segments()},
                                      {"connections", capture.connections()},
                                      {"frames", capture.frames()}});
        if (capture.connections() == 0)
            return out.fail(Exit::failed, "no AMQP connection in " + file + "; --port N says where to look");
        return capture.ok() ? Exit::ok : Exit::failed;
    }
};

}  // namespace

void add_dump(Tool& tool) {
    auto options = std::make_shared<DumpCommand>();
    CLI::App* command =
        tool.add("dump", "Decode AMQP octets: hex text, a binary file, or a packet capture (pcap, pcapng).",
                 [options](const Output& out) { return options->run(out); });
    command->add_option("FILE", options->file, "what to read; - is standard input")->capture_default_str();
    command
        ->add_option("--as", options->as,
                     "frames: one direction of a connection; message; value. Without it that is guessed, and told")
        ->check(CLI::IsMember({"frames", "message", "value"}))
        ->type_name("KIND");
    command->add_flag("--binary", options->binary, "do not try to read the input as hex");
    command
        ->add_option("--port", options->ports,
                     "of a capture: this port, too, is AMQP; 5672 is, and what starts with a protocol header")
        ->type_name("N");
    command->add_option("--octets", options->octets_max, "show at most so many octets of each string or payload")
        ->type_name("N")
        ->capture_default_str();
    command->footer("Exit code 0 when everything is well-formed, 1 when something is not or is cut short.");
}

}  // namespace aprotic::driver::cli
