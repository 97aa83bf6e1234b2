#include <aprotic/engine/broker/rabbit_address.hpp>

#include <aprotic/engine/percent_encoding.hpp>

namespace aprotic::engine::broker {
namespace {

constexpr std::string_view queues = "/queues/";
constexpr std::string_view exchanges = "/exchanges/";

}  // namespace

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

std::string rabbit_queue_address(std::string_view queue) { return std::string(queues) + percent_encoded(queue); }

}  // namespace aprotic::engine::broker
