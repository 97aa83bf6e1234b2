#include <aprotic/driver/addressing.hpp>

#include <initializer_list>
#include <string_view>
#include <utility>

#include <aprotic/driver/bus/profile_addresser.hpp>
#include <aprotic/driver/profile.hpp>

namespace aprotic::driver {
namespace {

std::string join_parts(char separator, std::initializer_list<std::string_view> parts) {
    std::string address;
    for (const auto part : parts) {
        if (part.empty()) continue;
        if (!address.empty()) address += separator;
        address += part;
    }
    return address;
}

std::string first_given(const std::string& one, const std::string& other, const char* last) {
    if (!one.empty()) return one;
    return other.empty() ? std::string(last) : other;
}

}  // namespace

LegacyAddresser::LegacyAddresser(const TransportOptions& options, std::string virtual_host)
    : server_prefix_(options.server_request_prefix),
      broadcast_prefix_(options.broadcast_prefix),
      group_prefix_(options.group_request_prefix),
      exchange_(options.control_exchange),
      virtual_host_(std::move(virtual_host)) {}

std::string LegacyAddresser::join(const std::string& prefix, const Target& target, const std::string& last) const {
    return join_parts(
        '.', {prefix, virtual_host_, target.exchange.empty() ? exchange_ : target.exchange, target.topic, last});
}

std::string LegacyAddresser::rpc_address(const Target& target) const {
    if (target.fanout) return join(broadcast_prefix_, target, "all");
    if (!target.server.empty()) return join(server_prefix_, target, target.server);
    return join(group_prefix_, target, {});
}

std::array<std::string, 3> LegacyAddresser::server_addresses(const Target& target) const {
    return {join(server_prefix_, target, target.server), join(broadcast_prefix_, target, "all"),
            join(group_prefix_, target, {})};
}

std::string LegacyAddresser::notification_address(const Target& target, std::string_view priority) const {
    return join(group_prefix_, target, std::string(priority));
}

RoutableAddresser::RoutableAddresser(const TransportOptions& options, std::string virtual_host)
    : prefix_(options.rpc_address_prefix),
      notify_prefix_(options.notify_address_prefix),
      unicast_(options.unicast_address),
      multicast_(options.multicast_address),
      anycast_(options.anycast_address),
      exchange_(first_given(options.default_rpc_exchange, options.control_exchange, "openstack")),
      notify_exchange_(first_given(options.default_notification_exchange, options.control_exchange, "openstack")),
      virtual_host_(std::move(virtual_host)) {}

std::string RoutableAddresser::join(const std::string& kind, const Target& target, const std::string& last) const {
    return join_parts(
        '/', {prefix_, kind, virtual_host_, target.exchange.empty() ? exchange_ : target.exchange, target.topic, last});
}

std::string RoutableAddresser::rpc_address(const Target& target) const {
    if (target.fanout) return join(multicast_, target, {});
    if (!target.server.empty()) return join(unicast_, target, target.server);
    return join(anycast_, target, {});
}

std::array<std::string, 3> RoutableAddresser::server_addresses(const Target& target) const {
    return {join(unicast_, target, target.server), join(multicast_, target, {}), join(anycast_, target, {})};
}

std::string RoutableAddresser::notification_address(const Target& target, std::string_view priority) const {
    return join_parts(
        '/', {notify_prefix_, anycast_, virtual_host_, target.exchange.empty() ? notify_exchange_ : target.exchange,
              join_parts('.', {target.topic, priority})});
}

std::shared_ptr<const Addresser> make_addresser(const TransportOptions& options, const std::string& virtual_host,
                                                const codec::Open* peer) {
    if (peer != nullptr) return bus::make_addresser(options, virtual_host, *peer, choose_profile(options, *peer), {});
    const std::string in_address = options.pseudo_vhost ? virtual_host : std::string();
    if (options.addressing_mode == AddressingMode::routable)
        return std::make_shared<RoutableAddresser>(options, in_address);
    return std::make_shared<LegacyAddresser>(options, in_address);
}

}  // namespace aprotic::driver
