#pragma once

#include <memory>
#include <string>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/broker/rabbit_topology.hpp>

namespace aprotic::engine::broker {

/// Makes a broker say what RabbitMQ 4 says of itself, and leaves to it the nodes that RabbitMQ would have.
void become_rabbit(BrokerOptions& options);

/// What a broker has beside its nodes while it resembles RabbitMQ 4: the parts of its documented contract that clients
/// depend on.
class RabbitPersonality {
public:
    /// `table` must outlive it.
    RabbitPersonality(Reactor& reactor, AddressTable& table) : reactor_(reactor), table_(table), topology_(table) {}

    RabbitTopology& topology() noexcept { return topology_; }
    /// The node for a dynamic source: direct reply-to for the capability `rabbitmq:volatile-queue`, an exclusive queue
    /// for `temporary-queue`.
    codec::Result<std::shared_ptr<Node>, codec::ErrorCondition> make_dynamic(const codec::Attach& attach);

private:
    Reactor& reactor_;
    AddressTable& table_;
    RabbitTopology topology_;
};

}  // namespace aprotic::engine::broker
