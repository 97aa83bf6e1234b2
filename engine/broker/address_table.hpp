#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/error_condition.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/broker/node.hpp>

namespace aprotic::engine::broker {

codec::ErrorCondition failed(std::string_view symbol, std::string text);

/// Which addresses exist and which come into being when they are first used.
class AddressTable {
public:
    /// `options` must outlive the table; its queues and topics are made now.
    AddressTable(Reactor& reactor, const BrokerOptions& options);
    ~AddressTable();

    /// The node behind an address, made if a pattern covers it. The condition says what a peer should be told.
    codec::Result<std::shared_ptr<Node>, codec::ErrorCondition> resolve(std::string_view address);
    /// A queue with an address of its own making. [3.5.3-b], [3.5.3-c]
    codec::Result<std::shared_ptr<Node>, codec::ErrorCondition> make_dynamic(std::string_view container_id,
                                                                             std::string_view link_name,
                                                                             Lifetime lifetime);
    /// The node at exactly this address, or null; none is made.
    std::shared_ptr<Node> find(std::string_view address) const;
    /// Makes a node at an address that has none; null when there are nodes_max.
    std::shared_ptr<Node> add(Node::Identity identity);
    /// Its links are told that it has gone.
    void remove(std::string_view address);
    /// In order of their addresses.
    std::vector<NodeStatus> status() const;

private:
    std::shared_ptr<Node> make(Node::Identity identity);
    void drop(Node& node);

    Reactor& reactor_;
    const BrokerOptions& options_;
    const std::shared_ptr<Spares> spares_ = std::make_shared<Spares>();
    std::map<std::string, std::shared_ptr<Node>, std::less<>> nodes_;
};

/// How well a pattern covers an address: longer patterns first, then those that stand further in front. Empty: not at
/// all.
struct Match {
    std::size_t length = 0;
    std::size_t position = 0;
};
std::optional<Match> match(std::string_view pattern, std::string_view address);

}  // namespace aprotic::engine::broker
