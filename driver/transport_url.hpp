#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/scheme.hpp>

namespace aprotic::driver {

/// One broker of a transport URL.
struct TransportHost {
    std::string host = "localhost";  ///< name or literal address, IPv6 without brackets
    std::uint16_t port = 5672;
    std::optional<std::string> user = {};
    std::optional<std::string> password = {};

    /// "host:port", "[v6]:port"; never the credentials.
    std::string to_string() const;
    bool operator==(const TransportHost&) const = default;
};

/// `amqp://[user[:password]@]host[:port][,[user[:password]@]host[:port]…]/[vhost][?option=value&…]`, the same with
/// `amqps` for TLS (then the port is 5671 if there is none) or a scheme of the application's own, or `embedded:[?…]`
/// for a broker inside this process. `amqp+direct` and `amqps+direct` name servers instead of brokers: docs/direct.md.
/// User, password, vhost, option names and values are percent-encoded.
struct TransportUrl {
    std::string scheme = "amqp";       ///< in lower case
    std::vector<TransportHost> hosts;  ///< at least one unless embedded; credentials belong to their host alone
    std::string virtual_host;          ///< empty: none
    std::vector<std::pair<std::string, std::string>> query;  ///< in order; of equal keys the values are joined with ","

    /// The error's text says what was expected and where.
    static codec::Result<TransportUrl, std::string> parse(std::string_view text, const Schemes& schemes = {});

    /// A scheme that ends in "+direct": the hosts are servers, or the place to listen at, and there is no broker.
    bool is_direct() const noexcept { return scheme.ends_with("+direct"); }
    bool is_embedded() const noexcept { return scheme == "embedded"; }
    const std::string* find(std::string_view option) const noexcept;

    /// For texts and logs: passwords, that of a key and an access token in the query too, are shown as "***".
    std::string to_string() const;
    /// The URL again, to be stored where a password may be.
    std::string to_string_with_passwords() const;

    bool operator==(const TransportUrl&) const = default;
};

}  // namespace aprotic::driver
