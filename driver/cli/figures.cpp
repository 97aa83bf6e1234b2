#include <aprotic/driver/cli/figures.hpp>

#include <vector>

#include <aprotic/driver/prometheus.hpp>
#include <aprotic/engine/broker.hpp>

namespace aprotic::driver::cli {

void add_metrics(CLI::App* command, std::string& address) {
    command
        ->add_option("--metrics", address,
                     "show figures for Prometheus at http://ADDRESS/metrics; [HOST]:PORT, port 0 takes a free one")
        ->type_name("ADDRESS");
}

codec::Result<std::unique_ptr<MetricsEndpoint>, std::string> show_metrics(const std::string& address,
                                                                          engine::Reactor& reactor,
                                                                          MetricsEndpoint::Source source) {
    if (address.empty()) return std::unique_ptr<MetricsEndpoint>();
    // Nobody else's business unless somebody says so: without a host it is loopback.
    const auto at = engine::Address::parse(address.front() == ':' ? "127.0.0.1" + address : address, 9464);
    if (!at) return "--metrics " + address + ": " + at.error();
    auto endpoint = MetricsEndpoint::listen(reactor, *at, std::move(source));
    if (!endpoint) return "--metrics: " + endpoint.error().message();
    return std::move(*endpoint);
}

void announce(const std::unique_ptr<MetricsEndpoint>& endpoint, const Output& out) {
    if (!endpoint) return;
    const std::string url = "http://" + endpoint->address().to_string() + "/metrics";
    out.either("metrics at " + url, {{"event", "metrics"}, {"url", url}});
}

std::string broker_figures(const engine::Broker& broker) {
    using Type = PrometheusText::Type;
    PrometheusText out;
    const engine::BrokerTotals totals = broker.totals();
    const auto total = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        out.begin(name, Type::counter, help);
        out.add({}, value);
    };
    out.begin("aprotic_broker_connections_open", Type::gauge, "Connections that are open.");
    out.add({}, totals.connections_opened - totals.connections_closed);
    total("aprotic_broker_connections_total", "Connections that were opened.", totals.connections_opened);
    total("aprotic_broker_connections_refused_total", "Connections that ended before they were open.",
          totals.connections_refused);
    total("aprotic_broker_connection_faults_total", "Connections ended because the peer broke the protocol.",
          totals.connection_faults);
    total("aprotic_broker_links_total", "Links that were attached.", totals.links_attached);
    total("aprotic_broker_links_refused_total", "Links that were refused.", totals.links_refused);
    out.begin("aprotic_broker_messages_received_total", Type::counter, "Messages from senders, by our outcome.");
    out.add({{"outcome", "accepted"}}, totals.accepted);
    out.add({{"outcome", "rejected"}}, totals.rejected);
    out.add({{"outcome", "released"}}, totals.released);
    total("aprotic_broker_received_octets_total", "Octets of messages from senders.", totals.octets_in);
    total("aprotic_broker_deliveries_begun_total", "Deliveries to receivers, browsed messages too.", totals.delivered);
    out.begin("aprotic_broker_deliveries_total", Type::counter, "Deliveries that are over, by the receiver's outcome.");
    out.add({{"outcome", "accepted"}}, totals.taken);
    out.add({{"outcome", "rejected"}}, totals.refused);
    out.add({{"outcome", "given_back"}}, totals.given_back);
    out.add({{"outcome", "none"}}, totals.without_outcome);

    // Peers choose how many dynamic nodes there are: these are one line together.
    std::vector<engine::NodeStatus> lines;
    engine::NodeStatus dynamic{.address = "_dynamic", .is_dynamic = true};
    std::size_t dynamic_nodes = 0;
    for (auto& node : broker.nodes()) {
        if (!node.is_dynamic) {
            lines.push_back(std::move(node));
            continue;
        }
        ++dynamic_nodes;
        dynamic.messages += node.messages;
        dynamic.bytes += node.bytes;
        dynamic.consumers += node.consumers;
        dynamic.producers += node.producers;
    }
    const std::size_t named_nodes = lines.size();
    lines.push_back(std::move(dynamic));
    out.begin("aprotic_broker_nodes", Type::gauge, "Queues and topics.");
    out.add({{"dynamic", "false"}}, std::uint64_t(named_nodes));
    out.add({{"dynamic", "true"}}, std::uint64_t(dynamic_nodes));
    const auto each = [&](std::string_view name, std::string_view help, std::size_t engine::NodeStatus::*figure) {
        out.begin(name, Type::gauge, help);
        for (const auto& node : lines)
            out.add({{"address", node.address}, {"kind", node.is_topic ? "topic" : "queue"}},
                    std::uint64_t(node.*figure));
    };
    each("aprotic_broker_node_messages", "Messages that wait or are acquired.", &engine::NodeStatus::messages);
    each("aprotic_broker_node_octets", "Their octets.", &engine::NodeStatus::bytes);
    each("aprotic_broker_node_consumers", "Links that receive from the node.", &engine::NodeStatus::consumers);
    each("aprotic_broker_node_producers", "Links that send to the node.", &engine::NodeStatus::producers);
    return out.text();
}

}  // namespace aprotic::driver::cli
