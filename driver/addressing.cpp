#include <aprotic/driver/addressing.hpp>

#include <utility>

namespace aprotic::driver {

LegacyAddresser::LegacyAddresser(const TransportOptions& options, std::string virtual_host)
    : server_prefix_(options.server_request_prefix),
      broadcast_prefix_(options.broadcast_prefix),
      group_prefix_(options.group_request_prefix),
      exchange_(options.control_exchange),
      virtual_host_(std::move(virtual_host)) {}

std::string LegacyAddresser::join(const std::string& prefix, const Target& target, const std::string& last) const {
    std::string address = prefix;
    for (const std::string* part :
         {&virtual_host_, target.exchange.empty() ? &exchange_ : &target.exchange, &target.topic, &last}) {
        if (part->empty()) continue;
        if (!address.empty()) address += '.';
        address += *part;
    }
    return address;
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

}  // namespace aprotic::driver
