#pragma once

#include <memory>

#include <aprotic/engine/broker/broker_link.hpp>
#include <aprotic/engine/broker/rabbit_management.hpp>

namespace aprotic::engine::broker {

/// What one accepted connection has of its own.
struct RabbitGuest {
    std::map<std::string, std::shared_ptr<RabbitManagement>> pairs{};  ///< by link name
};

// The links that only RabbitMQ has: to exchanges, to the anonymous terminus by its addresses, and to /management.
// False, and `request` is as it was: a queue's link, as of any broker. Other addresses are refused.
bool serve_rabbit_consumer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<RabbitGuest>& guest,
                           LinkRequest& request);
bool serve_rabbit_producer(const std::shared_ptr<LinkContext>& context, const std::shared_ptr<RabbitGuest>& guest,
                           LinkRequest& request);

}  // namespace aprotic::engine::broker
