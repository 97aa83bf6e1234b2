#include <aprotic/driver/transport_url.hpp>

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include <aprotic/engine/percent_encoding.hpp>

namespace aprotic::driver {
namespace {

using Done = codec::Result<void, std::string>;

Done decode(std::string_view text, std::string_view what, std::string& into) {
    auto plain = engine::percent_decoded(text);
    if (!plain)
        return fmt::format("the {} has a '%' that is not followed by two hexadecimal digits (write '%25' for '%')",
                           what);
    into = std::move(*plain);
    return {};
}

codec::Result<TransportHost, std::string> parse_host(std::string_view text, std::uint16_t default_port) {
    TransportHost result;
    result.port = default_port;
    std::string_view place = text;
    // The last '@' ends the credentials, so that "user@realm:password@host" works unescaped.
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        place = text.substr(at + 1);
        const auto credentials = text.substr(0, at);
        const auto colon = credentials.find(':');
        APROTIC_TRY(decode(credentials.substr(0, colon), "user name", result.user.emplace()));
        if (colon != std::string_view::npos) {
            APROTIC_TRY(decode(credentials.substr(colon + 1), "password", result.password.emplace()));
        }
    }
    std::string_view port;
    bool has_port = false;
    if (place.starts_with('[')) {
        const auto end = place.find(']');
        if (end == std::string_view::npos) return fmt::format("'{}' has no ']' after its IPv6 address", place);
        result.host = place.substr(1, end - 1);
        const auto rest = place.substr(end + 1);
        has_port = rest.starts_with(':');
        if (has_port)
            port = rest.substr(1);
        else if (!rest.empty())
            return fmt::format("'{}' after the IPv6 address of '{}': ':port' or nothing was expected", rest, place);
    } else {
        const auto colon = place.find(':');
        if (colon != std::string_view::npos && place.find(':', colon + 1) != std::string_view::npos)
            return fmt::format("'{}' has more than one ':': write IPv6 addresses in brackets, as in [::1]:5672", place);
        APROTIC_TRY(decode(place.substr(0, colon), "host", result.host));
        has_port = colon != std::string_view::npos;
        if (has_port) port = place.substr(colon + 1);
    }
    if (result.host.empty()) result.host = "localhost";
    if (has_port) {
        const char* const end = port.data() + port.size();
        const auto [rest, error] = std::from_chars(port.data(), end, result.port);
        if (error != std::errc() || rest != end || result.port == 0)
            return fmt::format("'{}' is no port of host '{}': a number from 1 to 65535 was expected", port,
                               result.host);
    }
    return result;
}

Done parse_query(std::string_view text, TransportUrl& url) {
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto pair = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos || equals == 0)
            return fmt::format("'{}' in the query: option=value was expected", pair);
        std::string name;
        std::string value;
        APROTIC_TRY(decode(pair.substr(0, equals), "query", name));
        APROTIC_TRY(decode(pair.substr(equals + 1), "query", value));
        const auto same = std::ranges::find(url.query, name, &std::pair<std::string, std::string>::first);
        if (same == url.query.end())
            url.query.emplace_back(std::move(name), std::move(value));
        else
            same->second += "," + value;
    }
    return {};
}

std::string write(const TransportUrl& url, bool with_passwords) {
    std::string text = url.scheme + ":";
    if (!url.is_embedded()) {
        text += "//";
        const char* separator = "";
        for (const auto& host : url.hosts) {
            text += separator;
            if (host.user) {
                text += engine::percent_encoded(*host.user);
                if (host.password) text += ":" + (with_passwords ? engine::percent_encoded(*host.password) : "***");
                text += "@";
            }
            text += host.to_string();
            separator = ",";
        }
        text += "/" + engine::percent_encoded(url.virtual_host, "/");
    }
    char separator = '?';
    for (const auto& [name, value] : url.query) {
        const bool secret = (name == "ssl_key_password" || name == "access_token") && !with_passwords;
        text += fmt::format("{}{}={}", separator, engine::percent_encoded(name),
                            secret ? "***" : engine::percent_encoded(value, ","));
        separator = '&';
    }
    return text;
}

}  // namespace

std::string TransportHost::to_string() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

codec::Result<TransportUrl, std::string> TransportUrl::parse(std::string_view text, const Schemes& schemes) {
    TransportUrl url;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0)
        return fmt::format("'{}' has no scheme: {} was expected", text, schemes.expected());
    url.scheme = text.substr(0, colon);
    std::ranges::transform(url.scheme, url.scheme.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    std::string_view rest = text.substr(colon + 1);
    std::string_view query;
    const auto cut_query = [&] {
        if (const auto question = rest.find('?'); question != std::string_view::npos) {
            query = rest.substr(question + 1);
            rest = rest.substr(0, question);
        }
    };
    if (url.scheme == "embedded") {
        cut_query();
        if (!rest.empty() && rest != "//" && rest != "///")
            return fmt::format("'{}' after embedded: is too much: there is no host, only ?option=value", rest);
    } else if (const Scheme* const scheme = schemes.find(url.scheme)) {
        // What follows may have a password in it, and is not shown.
        if (!rest.starts_with("//")) return fmt::format("after '{0}:', {0}://host:port/ was expected", url.scheme);
        const std::uint16_t default_port = scheme->port;
        rest.remove_prefix(2);
        // Passwords may have '?' and '/' only percent-encoded.
        cut_query();
        const auto slash = rest.find('/');
        std::string_view hosts = rest.substr(0, slash);
        if (slash != std::string_view::npos) {
            APROTIC_TRY(decode(rest.substr(slash + 1), "virtual host", url.virtual_host));
        }
        while (!hosts.empty()) {
            const auto comma = hosts.find(',');
            const auto entry = hosts.substr(0, comma);
            hosts = comma == std::string_view::npos ? std::string_view() : hosts.substr(comma + 1);
            if (entry.empty()) continue;
            APROTIC_TRY_AS(TransportHost host, parse_host(entry, default_port));
            url.hosts.push_back(std::move(host));
        }
        if (url.hosts.empty()) url.hosts.emplace_back().port = default_port;
    } else {
        return fmt::format("'{}' is not a scheme known here: {} was expected", url.scheme, schemes.expected());
    }
    APROTIC_TRY(parse_query(query, url));
    return url;
}

const std::string* TransportUrl::find(std::string_view option) const noexcept {
    const auto at = std::ranges::find(query, option, &std::pair<std::string, std::string>::first);
    return at == query.end() ? nullptr : &at->second;
}

std::string TransportUrl::to_string() const { return write(*this, false); }
std::string TransportUrl::to_string_with_passwords() const { return write(*this, true); }

}  // namespace aprotic::driver
