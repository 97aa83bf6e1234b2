#pragma once

#include <memory>
#include <string>

#include <aprotic/driver/cli/tool.hpp>
#include <aprotic/driver/metrics_endpoint.hpp>

namespace aprotic::engine {
class Broker;
}

namespace aprotic::driver::cli {

/// `--metrics ADDRESS` of the commands that stay.
void add_metrics(CLI::App* command, std::string& address);
/// Null without an address.
codec::Result<std::unique_ptr<MetricsEndpoint>, std::string> show_metrics(const std::string& address,
                                                                          engine::Reactor& reactor,
                                                                          MetricsEndpoint::Source source);
/// Says where it listens, if it does.
void announce(const std::unique_ptr<MetricsEndpoint>& endpoint, const Output& out);

/// What a broker has done and holds, for Prometheus. Its reactor's thread.
std::string broker_figures(const engine::Broker& broker);

}  // namespace aprotic::driver::cli
