#pragma once

#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/options.hpp>

namespace aprotic::engine::broker {

/// The options of accepted connections: BrokerOptions::connection with the broker's name, what it offers, and who may
/// come in.
ConnectionOptions accepted_options(const BrokerOptions& options);

}  // namespace aprotic::engine::broker
