#pragma once

#include <array>
#include <memory>
#include <string>

#include <aprotic/driver/target.hpp>
#include <aprotic/driver/transport.hpp>

namespace aprotic::driver {

/// How targets become addresses. Chosen anew for each connection. Immutable; any thread.
class Addresser {
public:
    virtual ~Addresser() = default;

    /// Where to send: fanout before server before topic.
    virtual std::string rpc_address(const Target& target) const = 0;
    /// Where a server listens: its own address, that of the fanout, that of its topic, attached in this order.
    virtual std::array<std::string, 3> server_addresses(const Target& target) const = 0;
};

/// The addresses of brokers that know queues by prefix, such as qpidd: `exclusive[.vhost].exchange.topic.server`,
/// `unicast[.vhost].exchange.topic`, `broadcast[.vhost].exchange.topic.all`. Empty parts are left out.
class LegacyAddresser final : public Addresser {
public:
    /// `virtual_host` is empty unless it is to be part of addresses (TransportOptions::pseudo_vhost).
    LegacyAddresser(const TransportOptions& options, std::string virtual_host);

    std::string rpc_address(const Target& target) const override;
    std::array<std::string, 3> server_addresses(const Target& target) const override;

private:
    std::string join(const std::string& prefix, const Target& target, const std::string& last) const;

    std::string server_prefix_;
    std::string broadcast_prefix_;
    std::string group_prefix_;
    std::string exchange_;
    std::string virtual_host_;
};

}  // namespace aprotic::driver
