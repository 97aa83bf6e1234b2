#include <aprotic/driver/transport.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace aprotic::driver {
namespace {

using Done = codec::Result<void, std::string>;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return result;
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
    std::vector<std::string> parts;
    while (true) {
        const auto begin = text.find_first_not_of(separators);
        if (begin == std::string_view::npos) return parts;
        text.remove_prefix(begin);
        const auto end = std::min(text.find_first_of(separators), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

Done read(std::string_view text, std::string& value) {
    value = text;
    return {};
}

Done read(std::string_view text, std::vector<std::string>& value) {
    value = split(text, " ,");
    return {};
}

Done read(std::string_view text, bool& value) {
    const std::string word = lower(text);
    if (word == "true" || word == "1" || word == "yes" || word == "on")
        value = true;
    else if (word == "false" || word == "0" || word == "no" || word == "off")
        value = false;
    else
        return std::string("true or false was expected");
    return {};
}

template <class T>
requires std::is_arithmetic_v<T> Done read(std::string_view text, T& value) {
    T number{};
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || rest != end)
        return fmt::format("a number was expected, up to {}", std::numeric_limits<T>::max());
    value = number;
    return {};
}

Done read(std::string_view text, Duration& value) {
    double seconds = 0;
    // Ten years: far beyond any use, far below where nanoseconds run out.
    constexpr double seconds_max = 10.0 * 365 * 24 * 3600;
    if (!read(text, seconds) || !(seconds >= 0 && seconds <= seconds_max))
        return fmt::format("a time in seconds was expected, up to {}", seconds_max);
    value = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    return {};
}

Done read(std::string_view text, std::optional<Duration>& value) {
    Duration given{};
    APROTIC_TRY(read(text, given));
    value = given > Duration::zero() ? std::optional(given) : std::nullopt;
    return {};
}

Done read(std::string_view text, PreSettled& value) {
    value = {false, false, false, false};
    for (const auto& part : split(text, " ,")) {
        const std::string word = lower(part);
        if (word == "rpc-call")
            value.rpc_call = true;
        else if (word == "rpc-reply")
            value.rpc_reply = true;
        else if (word == "rpc-cast")
            value.rpc_cast = true;
        else if (word == "notify")
            value.notify = true;
        else if (word != "none")
            return std::string("a list of rpc-call, rpc-reply, rpc-cast, notify, or none was expected");
    }
    return {};
}

struct Option {
    std::string_view name;
    Done (*set)(TransportOptions& options, std::string_view text);
};

template <auto Member>
constexpr Option option(std::string_view name) {
    return {name, [](TransportOptions& options, std::string_view text) { return read(text, options.*Member); }};
}

template <class T, T TransportOptions::*Member>
Done set_at_least_one(TransportOptions& options, std::string_view text) {
    T given{};
    APROTIC_TRY(read(text, given));
    if (given < T(1)) return std::string("at least 1 was expected");
    options.*Member = given;
    return {};
}

using O = TransportOptions;
constexpr Option table[] = {
    option<&O::container_name>("container_name"),
    option<&O::control_exchange>("control_exchange"),
    option<&O::server_request_prefix>("server_request_prefix"),
    option<&O::broadcast_prefix>("broadcast_prefix"),
    option<&O::group_request_prefix>("group_request_prefix"),
    option<&O::pseudo_vhost>("pseudo_vhost"),
    option<&O::idle_timeout>("idle_timeout"),
    option<&O::connect_timeout>("connect_timeout"),
    option<&O::connection_retry_interval>("connection_retry_interval"),
    option<&O::connection_retry_backoff>("connection_retry_backoff"),
    option<&O::connection_retry_interval_max>("connection_retry_interval_max"),
    option<&O::sasl_mechanisms>("sasl_mechanisms"),
    option<&O::sasl_default_realm>("sasl_default_realm"),
    option<&O::allow_cleartext_password>("allow_cleartext_password"),
    option<&O::ssl>("ssl"),
    option<&O::ssl_ca_file>("ssl_ca_file"),
    option<&O::ssl_cert_file>("ssl_cert_file"),
    option<&O::ssl_key_file>("ssl_key_file"),
    option<&O::ssl_key_password>("ssl_key_password"),
    option<&O::ssl_verify_vhost>("ssl_verify_vhost"),
    option<&O::ssl_insecure_skip_verification>("ssl_insecure_skip_verification"),
    option<&O::rpc_response_timeout>("rpc_response_timeout"),
    option<&O::default_send_timeout>("default_send_timeout"),
    option<&O::default_reply_timeout>("default_reply_timeout"),
    option<&O::link_retry_delay>("link_retry_delay"),
    option<&O::default_sender_link_timeout>("default_sender_link_timeout"),
    {"reply_link_credit", &set_at_least_one<std::uint32_t, &O::reply_link_credit>},
    {"rpc_server_credit", &set_at_least_one<std::uint32_t, &O::rpc_server_credit>},
    option<&O::pre_settled>("pre_settled"),
    option<&O::send_queue_bytes_max>("send_queue_bytes_max"),
    {"json_bytes_max", [](O& options, std::string_view text) { return read(text, options.json.bytes_max); }},
    {"json_depth_max", [](O& options, std::string_view text) { return read(text, options.json.depth_max); }},
};

}  // namespace

codec::Result<void, std::string> apply_url_options(TransportOptions& options, const TransportUrl& url) {
    for (const auto& [name, value] : url.query) {
        const auto known = std::ranges::find(table, name, &Option::name);
        if (known == std::end(table)) {
            std::vector<std::string_view> names;
            for (const auto& each : table) names.push_back(each.name);
            return fmt::format("'{}' in the URL's query is no option; there are {}", name, fmt::join(names, ", "));
        }
        if (const auto done = known->set(options, value); !done)
            return fmt::format("option {}={} in the URL's query: {}", name, value, done.error());
    }
    return {};
}

}  // namespace aprotic::driver
