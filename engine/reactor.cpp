#include <aprotic/engine/reactor.hpp>

#include <charconv>
#include <optional>

#include <fmt/core.h>

namespace aprotic::engine {
namespace {

constexpr std::string_view expected = "expected HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH";

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return port;
}

}  // namespace

std::size_t Stream::try_write(std::span<const codec::ConstBuffer>) { return 0; }
std::optional<Stream::Read> Stream::try_read(std::span<std::byte>) { return std::nullopt; }

codec::Result<Address, std::string> Address::parse(std::string_view text, std::uint16_t default_port) {
    constexpr std::string_view unix_prefix = "unix:";
    if (text.starts_with(unix_prefix)) {
        const std::string_view path = text.substr(unix_prefix.size());
        if (path.empty()) return fmt::format("\"{}\" has no path: {}", text, expected);
        return Address{.kind = Kind::unix_socket, .host = std::string(path), .port = 0};
    }
    if (text.empty()) return fmt::format("the address is empty: {}", expected);

    std::string_view host;
    std::string_view rest;  // ":port" or nothing
    if (text.front() == '[') {
        const std::size_t bracket = text.find(']');
        if (bracket == std::string_view::npos) return fmt::format("\"{}\" lacks a closing bracket: {}", text, expected);
        host = text.substr(1, bracket - 1);
        rest = text.substr(bracket + 1);
        if (host.empty()) return fmt::format("\"{}\" has nothing between its brackets: {}", text, expected);
    } else {
        const std::size_t colon = text.find(':');
        if (colon != text.rfind(':')) {
            return fmt::format("\"{}\" has several colons, an IPv6 address goes into brackets: {}", text, expected);
        }
        host = text.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
    }

    Address address{.kind = Kind::tcp, .host = std::string(host), .port = default_port};
    if (rest.empty()) return address;
    if (rest.front() != ':') return fmt::format("\"{}\" goes on after its bracket: {}", text, expected);
    const auto port = parse_port(rest.substr(1));
    if (!port) {
        return fmt::format("\"{}\" has the port \"{}\", not a number from 0 to 65535: {}", text, rest.substr(1),
                           expected);
    }
    address.port = *port;
    return address;
}

std::string Address::to_string() const {
    if (kind == Kind::unix_socket) return fmt::format("unix:{}", host);
    if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, port);
    return fmt::format("{}:{}", host, port);
}

}  // namespace aprotic::engine
