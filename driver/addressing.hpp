#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <aprotic/driver/target.hpp>
#include <aprotic/driver/transport_options.hpp>

namespace aprotic::driver {

/// How targets become addresses, on one connection. Immutable; any thread.
class Addresser {
public:
    virtual ~Addresser() = default;

    /// Where to send: fanout before server before topic.
    virtual std::string rpc_address(const Target& target) const = 0;
    /// Where a server listens: its own address, that of the fanout, that of its topic, attached in this order.
    virtual std::array<std::string, 3> server_addresses(const Target& target) const = 0;
    /// Where notifications of a topic and priority ("info") go and where their listeners are: exchange and topic of the
    /// target count, its other parts do not.
    virtual std::string notification_address(const Target& target, std::string_view priority) const = 0;
};

/// The addresses of brokers that know queues by prefix, such as qpidd: `exclusive[.vhost].exchange.topic.server`,
/// `unicast[.vhost].exchange.topic`, `broadcast[.vhost].exchange.topic.all`, and for notifications
/// `unicast[.vhost].exchange.topic.priority`. Empty parts are left out.
class LegacyAddresser final : public Addresser {
public:
    /// `virtual_host` is empty unless it is to be part of addresses (TransportOptions::pseudo_vhost).
    LegacyAddresser(const TransportOptions& options, std::string virtual_host);

    std::string rpc_address(const Target& target) const override;
    std::array<std::string, 3> server_addresses(const Target& target) const override;
    std::string notification_address(const Target& target, std::string_view priority) const override;

private:
    std::string join(const std::string& prefix, const Target& target, const std::string& last) const;

    std::string server_prefix_;
    std::string broadcast_prefix_;
    std::string group_prefix_;
    std::string exchange_;
    std::string virtual_host_;
};

/// The addresses of routers, which distribute by prefix: `openstack.org/om/rpc/unicast[/vhost]/exchange/topic/server`,
/// `…/anycast[/vhost]/exchange/topic`, `…/multicast[/vhost]/exchange/topic`, and for notifications
/// `openstack.org/om/notify/anycast[/vhost]/exchange/topic.priority`. Empty parts are left out.
class RoutableAddresser final : public Addresser {
public:
    /// `virtual_host` as above.
    RoutableAddresser(const TransportOptions& options, std::string virtual_host);

    std::string rpc_address(const Target& target) const override;
    std::array<std::string, 3> server_addresses(const Target& target) const override;
    std::string notification_address(const Target& target, std::string_view priority) const override;

private:
    std::string join(const std::string& kind, const Target& target, const std::string& last) const;

    std::string prefix_;
    std::string notify_prefix_;
    std::string unicast_;
    std::string multicast_;
    std::string anycast_;
    std::string exchange_;
    std::string notify_exchange_;
    std::string virtual_host_;
};

/// What `options` ask for on a connection to a peer that has sent this open, in the forms of its Profile; null: nothing
/// is known of the peer, legacy addresses in case of doubt.
std::shared_ptr<const Addresser> make_addresser(const TransportOptions& options, const std::string& virtual_host,
                                                const codec::Open* peer);

}  // namespace aprotic::driver
