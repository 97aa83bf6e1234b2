#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <aprotic/engine/container.hpp>

namespace aprotic::engine {

/// Whom the embedded broker resembles.
enum class BrokerPersonality {
    plain,       ///< itself
    rabbitmq_4,  ///< addresses, management node and direct reply-to of RabbitMQ 4, as documented: docs/broker.md
};

/// What the embedded broker serves and where it stops. Plain data.
struct BrokerOptions {
    std::string container_id = "aprotic-broker";
    /// With another than `plain`, patterns and topics count for nothing, `queues` are names, and SASL is a must.
    BrokerPersonality personality = BrokerPersonality::plain;
    /// Addresses that begin with one of these, or contain it as whole dot- or slash-separated parts, become queues on
    /// first use, or topics. The longest match wins, then the one further in front. An empty pattern covers every
    /// address. The defaults are the RPC driver's three. Such a node goes when it has neither links nor messages.
    std::vector<std::string> queue_patterns = {"exclusive", "unicast"};
    std::vector<std::string> topic_patterns = {"broadcast"};
    /// Nodes that exist from the start.
    std::vector<std::string> queues{};
    std::vector<std::string> topics{};
    /// Per queue. When either is reached senders get no more credit until messages have gone; what they were granted
    /// before is still taken up to twice the bound, then released. Of a topic: per subscriber, who loses the oldest
    /// messages beyond it.
    std::size_t node_messages_max = 100'000;
    std::size_t node_bytes_max = 256ull * 1024 * 1024;
    /// Nodes there may be, dynamic ones and those made by a pattern included. Beyond it the attach is refused.
    std::size_t nodes_max = 10'000;
    /// Credit a sender to a queue or topic has at most. Deliveries.
    std::uint32_t sender_credit = 1000;
    /// Transactions a connection may have declared and not discharged. Beyond it a declare is rejected.
    std::size_t transactions_max = 1000;
    /// Messages with durable=true are kept in memory like all others and do not outlive the broker. Off, they are
    /// rejected, as a node without a store should do by the letter [3.2.1-b]; many clients send nothing else.
    bool accept_durable = true;
    /// User names and passwords. When there are any, a peer must prove by SASL to be one of them, with whatever proves
    /// a password and is in `connection.sasl_server.mechanisms`: ANONYMOUS and connections without SASL are refused,
    /// whatever else `connection.sasl_server` says. Where `connection.tls` asks clients for certificates, EXTERNAL is
    /// as good.
    std::map<std::string, std::string> users{};
    /// User names and access tokens, for OAUTHBEARER and XOAUTH2: the same holds as for `users`, beside whom these may
    /// come in.
    std::map<std::string, std::string> tokens{};
    /// Limits, TLS, SASL, idle time-out of the connections accepted.
    ConnectionOptions connection{};
};

/// Figures at one moment.
struct NodeStatus {
    std::string address{};
    bool is_topic = false;
    bool is_dynamic = false;
    std::size_t messages = 0;  ///< waiting or acquired
    std::size_t bytes = 0;
    std::size_t consumers = 0;
    std::size_t producers = 0;
};

/// What a broker has done since it was made.
struct BrokerTotals {
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_closed = 0;   ///< of those opened
    std::uint64_t connections_refused = 0;  ///< ended before they were open: a login, a handshake
    std::uint64_t connection_faults = 0;    ///< ended because the peer broke the protocol
    std::uint64_t links_attached = 0;
    std::uint64_t links_refused = 0;
    // Messages that came, by what they were answered with.
    std::uint64_t accepted = 0;
    std::uint64_t rejected = 0;
    std::uint64_t released = 0;  ///< full
    std::uint64_t octets_in = 0;
    // Deliveries to consumers: those begun, browsed ones too, and those that are over by what came of them.
    std::uint64_t delivered = 0;
    std::uint64_t taken = 0;            ///< accepted, or sent settled
    std::uint64_t refused = 0;          ///< rejected
    std::uint64_t given_back = 0;       ///< released, modified, or unsent
    std::uint64_t without_outcome = 0;  ///< the consumer went first
};

/// A small in-memory AMQP 1.0 broker to embed: queues with competing consumers, topics, dynamic nodes, the anonymous
/// terminus. For tests, tools and single-process use; no persistence, no clustering. Any thread.
class Broker {
public:
    /// Runs on `container`'s reactor; the container must outlive the broker.
    Broker(Container& container, BrokerOptions options = {});
    ~Broker();  ///< closes its connections
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    /// May be called for several addresses. Returns the address in use.
    codec::Result<Address, Failure> listen(const Address& at);
    /// A client's end of an in-memory connection to this broker, on the container's reactor. Reactor's thread only.
    std::unique_ptr<Stream> connect_in_process();

    /// A snapshot; blocks for the reactor unless called on it.
    std::vector<NodeStatus> nodes() const;
    /// A snapshot, as above.
    BrokerTotals totals() const;

private:
    std::shared_ptr<struct BrokerState> state_;
};

}  // namespace aprotic::engine
