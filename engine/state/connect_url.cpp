#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include <fmt/core.h>

#include <aprotic/engine/percent_encoding.hpp>
#include <aprotic/engine/state/connect_url.hpp>

namespace aprotic::engine {
namespace {

constexpr std::string_view expected =
    "expected amqp://[USER[:PASSWORD]@]HOST[:PORT], amqps:// likewise, ws:// or wss:// likewise with a /PATH, or "
    "unix:PATH";

struct Scheme {
    std::string_view name;
    bool encrypted;
    bool web_socket;
    std::uint16_t port;
};
constexpr std::array<Scheme, 4> schemes{{{"amqp://", false, false, 5672},
                                         {"amqps://", true, false, 5671},
                                         {"ws://", false, true, 80},
                                         {"wss://", true, true, 443}}};

/// Fit for the first line of a request: no space, no control character, no fragment.
bool is_path(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '#'; });
}

}  // namespace

codec::Result<ConnectUrl, std::string> ConnectUrl::parse(std::string_view url) {
    ConnectUrl result;
    if (url.starts_with("unix:")) {
        auto address = Address::parse(url);
        if (!address) return address.error();
        result.address = *address;
        return result;
    }
    const auto scheme = std::ranges::find_if(schemes, [url](const Scheme& each) { return url.starts_with(each.name); });
    if (scheme == schemes.end()) {
        // What stands before "://" is no secret; the rest may be.
        const std::size_t end = url.find("://");
        return end == std::string_view::npos
                   ? fmt::format("the URL has no scheme: {}", expected)
                   : fmt::format("the URL has the scheme \"{}\": {}", url.substr(0, end), expected);
    }
    result.encrypted = scheme->encrypted;
    result.web_socket = scheme->web_socket;
    std::string_view rest = url.substr(scheme->name.size());
    if (const std::size_t slash = rest.find_first_of("/?#"); slash != std::string_view::npos) {
        if (result.web_socket && rest[slash] == '/' && is_path(rest.substr(slash))) {
            result.path = rest.substr(slash);
        } else if (rest.substr(slash) != "/") {
            return fmt::format("\"{}\" after the host is not understood: {}", rest.substr(slash), expected);
        }
        rest = rest.substr(0, slash);
    }
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        const std::string_view userinfo = rest.substr(0, at);
        rest = rest.substr(at + 1);
        const std::size_t colon = userinfo.find(':');
        const auto username = percent_decoded(userinfo.substr(0, colon));
        const auto password =
            percent_decoded(colon == std::string_view::npos ? std::string_view{} : userinfo.substr(colon + 1));
        if (!username || !password) {
            return fmt::format("the user or password has a '%' that two hexadecimal digits do not follow: {}",
                               expected);
        }
        if (username->empty()) return fmt::format("the user before '@' is empty: {}", expected);
        result.username = *username;
        result.password = *password;
    }
    if (rest.empty() || rest.front() == ':') return fmt::format("the URL has no host: {}", expected);
    auto address = Address::parse(rest, scheme->port);
    if (!address) return address.error();
    if (address->kind != Address::Kind::tcp) return fmt::format("\"{}\" is no host: {}", rest, expected);
    if (address->port == 0) return fmt::format("port 0 cannot be connected to: {}", expected);
    result.address = *address;
    return result;
}

}  // namespace aprotic::engine
