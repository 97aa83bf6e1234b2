#include <aprotic/engine/broker/rabbit_address.hpp>

#include <fmt/format.h>

namespace aprotic::engine::broker {
namespace {

constexpr std::string_view queues = "/queues/";
constexpr std::string_view exchanges = "/exchanges/";

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        const int high = text.size() - i > 2 ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0) return std::nullopt;
        result += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return result;
}

std::optional<RabbitAddress> parse_rabbit_address(std::string_view address) {
    if (address.starts_with(queues)) {
        auto queue = percent_decoded(address.substr(queues.size()));
        if (!queue || queue->empty()) return std::nullopt;
        return RabbitAddress{{}, std::move(queue)};
    }
    if (!address.starts_with(exchanges)) return std::nullopt;
    const std::string_view rest = address.substr(exchanges.size());
    const auto slash = rest.find('/');
    auto exchange = percent_decoded(rest.substr(0, slash));
    if (!exchange || exchange->empty()) return std::nullopt;
    if (slash == std::string_view::npos) return RabbitAddress{std::move(*exchange), std::nullopt};
    auto key = percent_decoded(rest.substr(slash + 1));
    if (!key || rest.find('/', slash + 1) != std::string_view::npos) return std::nullopt;
    return RabbitAddress{std::move(*exchange), std::move(key)};
}

std::string rabbit_queue_address(std::string_view queue) {
    std::string address(queues);
    for (const char c : queue)
        if (is_unreserved(c))
            address += c;
        else
            address += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return address;
}

}  // namespace aprotic::engine::broker
