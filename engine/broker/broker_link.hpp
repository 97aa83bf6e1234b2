#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <aprotic/engine/broker/address_table.hpp>
#include <aprotic/engine/broker/node.hpp>
#include <aprotic/engine/broker/rabbit_personality.hpp>
#include <aprotic/engine/broker/transaction_table.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::engine::broker {

/// What the links of a broker share.
struct LinkContext {
    LinkContext(Reactor& world, BrokerOptions settings) : reactor(world), options(std::move(settings)) {
        if (options.personality == BrokerPersonality::rabbitmq_4)
            rabbit = std::make_unique<RabbitPersonality>(reactor, table);
    }

    Reactor& reactor;
    const BrokerOptions options;
    AddressTable table{reactor, options};
    ConsumerId last_consumer = 0;
    BrokerTotals totals{};
    bool over = false;  ///< the broker has ended: what still comes goes back, because nobody would find it here
    std::unique_ptr<RabbitPersonality> rabbit{};  ///< null for a broker that is itself
};

/// Answers the peer's wish to receive: joins a link to the node its source names, or refuses it.
void serve_consumer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<TransactionTable>& transactions,
                    const Connection& connection, LinkRequest request);
/// Answers the peer's wish to send: to the node its target names, or, without an address, to whatever each message's
/// `to` names, or to the coordinator of the connection's transactions.
void serve_producer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<TransactionTable>& transactions,
                    const Connection& connection, LinkRequest request);

}  // namespace aprotic::engine::broker
