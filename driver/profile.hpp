#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/types.hpp>
#include <aprotic/driver/transport_options.hpp>

namespace aprotic::driver {

/// How replies come back to the clients of one connection.
enum class ReplyNode {
    dynamic,  ///< the peer makes a node for the link, and names it [2.6.3, dynamic]
    queue,    ///< a queue whose name is ours, Profile::reply_address
    direct,   ///< RabbitMQ's direct reply-to: a volatile queue, dynamic, whose messages come settled
};

/// What must have happened before a link to a node can be attached.
enum class NodeSetup {
    none,
    management,  ///< RabbitMQ 4: queues and bindings are declared at its node /management
    tokens,      ///< Azure: an access token is put to its node $cbs for each entity
};

/// How names become addresses: what is put into the places of an address form.
enum class NameEncoding {
    none,
    slash,    ///< "/" as "%2F", nothing else: RabbitMQ 3
    percent,  ///< all but letters, digits and "-._~": RabbitMQ 4
};

/// What the driver does otherwise at one intermediary than at another. Plain data, chosen for each connection by what
/// the peer says of itself and by the options; docs/intermediaries has a page for each.
///
/// Address forms are texts in which {name} stands for the legacy or routable address, {server} for the server's name,
/// and {id} for 32 hexadecimal digits by chance, the same for all links of a connection.
struct Profile {
    Intermediary intermediary = Intermediary::other;  ///< never Intermediary::automatic
    std::string product = {};                         ///< what the peer says, for texts
    std::string version = {};

    // Addresses.
    bool routable = false;  ///< routable names, else legacy ones
    NameEncoding encoding = NameEncoding::none;
    std::string queue_address = "{name}";                ///< of what one server takes
    std::string topic_address = "{name}";                ///< where fanouts go
    std::string subscription_address = {};               ///< where servers take them from; empty: topic_address
    std::vector<codec::Symbol> queue_capabilities = {};  ///< of termini that are queues
    std::vector<codec::Symbol> topic_capabilities = {};  ///< of termini that are topics
    bool durable_topics = true;    ///< servers may ask for durable subscriptions: who makes one for each link keeps it
    bool durable_queues = true;    ///< servers may ask for durable queues; else whoever makes those decides
    bool durable_targets = false;  ///< senders too say how durable a node is: it is made as the first one says

    // Replies.
    ReplyNode reply_node = ReplyNode::dynamic;
    std::string reply_address = {};     ///< ReplyNode::queue: the source
    std::string reply_to_address = {};  ///< what servers are told; empty: the source's address
    std::vector<codec::Symbol> reply_capabilities = {};
    std::uint32_t reply_credit_min = 0;  ///< where replies without credit are dropped

    // What it can do.
    NodeSetup setup = NodeSetup::none;
    bool durable_settled = true;     ///< takes durable messages that come settled; else they go unsettled
    bool settled_replies = true;     ///< replies may go settled; else those that wait would be dropped
    bool modified = true;            ///< understands the outcome; without it late replies are accepted
    bool session_per_link = false;   ///< ends the session where others detach the link
    std::size_t sessions_max = 500;  ///< senders beyond that share one

    friend bool operator==(const Profile&, const Profile&) = default;
};

/// The name of an intermediary as the option `intermediary` takes it, "rabbitmq-4".
std::string_view name_of(Intermediary intermediary) noexcept;

/// What `options` ask for on a connection to a peer at `host` (as in the URL, without its port) that has sent this
/// open. Options win over what the peer says; TransportOptions::adjust_profile has the last word.
Profile choose_profile(const TransportOptions& options, const codec::Open& peer, std::string_view host = {});

}  // namespace aprotic::driver
