#include <aprotic/engine/broker/address_table.hpp>

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace aprotic::engine::broker {

namespace {

using codec::ErrorCondition;
namespace condition = codec::condition;

// No pattern makes nodes below it: a late reply to a dynamic node that has gone must not bring a queue to life.
constexpr std::string_view dynamic_prefix = "_dynamic/";

/// As much of a peer's text as fits into an address or a description, cut between characters.
std::string_view shortened(std::string_view text) {
    constexpr std::size_t size_max = 256;
    if (text.size() <= size_max) return text;
    std::size_t size = size_max;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0u) == 0x80u) --size;
    return text.substr(0, size);
}

bool separates(char c) { return c == '.' || c == '/'; }

}  // namespace

ErrorCondition failed(std::string_view symbol, std::string text) {
    return {codec::Symbol(symbol), std::move(text), {}};
}

std::optional<Match> match(std::string_view pattern, std::string_view address) {
    if (address.starts_with(pattern)) return Match{pattern.size(), 0};
    for (auto at = address.find(pattern, 1); at != std::string_view::npos; at = address.find(pattern, at + 1)) {
        const auto end = at + pattern.size();
        if (separates(address[at - 1]) && (end == address.size() || separates(address[end])))
            return Match{pattern.size(), at};
    }
    return std::nullopt;
}

AddressTable::AddressTable(Reactor& reactor, const BrokerOptions& options) : reactor_(reactor), options_(options) {
    for (const auto& address : options_.queues) make({address, NodeKind::queue, Lifetime::forever, false});
    for (const auto& address : options_.topics) make({address, NodeKind::topic, Lifetime::forever, false});
}

AddressTable::~AddressTable() = default;

codec::Result<std::shared_ptr<Node>, ErrorCondition> AddressTable::resolve(std::string_view address) {
    if (const auto known = nodes_.find(address); known != nodes_.end()) return known->second;
    if (address.starts_with(dynamic_prefix))
        return failed(condition::not_found,
                      fmt::format("the dynamic node '{}' does not exist or has gone", shortened(address)));

    std::optional<Match> best;
    NodeKind kind = NodeKind::queue;
    auto consider = [&](const std::vector<std::string>& patterns, NodeKind made) {
        for (const auto& pattern : patterns) {
            const auto found = match(pattern, address);
            if (!found) continue;
            const bool better = !best || found->length > best->length ||
                                (found->length == best->length && found->position < best->position);
            if (better) best = found, kind = made;
        }
    };
    consider(options_.queue_patterns, NodeKind::queue);
    consider(options_.topic_patterns, NodeKind::topic);
    if (!best) {
        return failed(
            condition::not_found,
            fmt::format("there is no node '{}', and neither queue_patterns ({}) nor topic_patterns ({}) covers it",
                        shortened(address), fmt::join(options_.queue_patterns, ", "),
                        fmt::join(options_.topic_patterns, ", ")));
    }
    if (nodes_.size() >= options_.nodes_max)
        return failed(condition::resource_limit_exceeded,
                      fmt::format("no node '{}' can be made: there are nodes_max = {} nodes", shortened(address),
                                  options_.nodes_max));
    return make({std::string(address), kind, Lifetime::links_and_messages, false});
}

codec::Result<std::shared_ptr<Node>, ErrorCondition> AddressTable::make_dynamic(std::string_view container_id,
                                                                                std::string_view link_name,
                                                                                Lifetime lifetime) {
    if (nodes_.size() >= options_.nodes_max)
        return failed(condition::resource_limit_exceeded,
                      fmt::format("no dynamic node can be made: there are nodes_max = {} nodes", options_.nodes_max));
    // The number makes it unique among links of one name, and hard to guess for others.
    std::string address;
    do {
        address = fmt::format("{}{}/{}/{:016x}", dynamic_prefix, shortened(container_id), shortened(link_name),
                              reactor_.random());
    } while (nodes_.contains(address));
    return make({std::move(address), NodeKind::queue, lifetime, true});
}

std::shared_ptr<Node> AddressTable::find(std::string_view address) const {
    const auto known = nodes_.find(address);
    return known == nodes_.end() ? nullptr : known->second;
}

std::shared_ptr<Node> AddressTable::add(Node::Identity identity) {
    if (nodes_.size() >= options_.nodes_max) return nullptr;
    return make(std::move(identity));
}

void AddressTable::remove(std::string_view address) {
    if (const auto known = nodes_.find(address); known != nodes_.end()) drop(*known->second);
}

std::vector<NodeStatus> AddressTable::status() const {
    std::vector<NodeStatus> all;
    for (const auto& [address, node] : nodes_) {
        all.push_back({address, node->is_topic(), node->identity().dynamic, node->messages(), node->bytes(),
                       node->consumers(), node->producers()});
    }
    return all;
}

std::shared_ptr<Node> AddressTable::make(Node::Identity identity) {
    std::string address = identity.address;
    const NodeLimits limits{options_.node_messages_max, options_.node_bytes_max, options_.sender_credit};
    auto node =
        std::make_shared<Node>(reactor_, std::move(identity), limits, spares_, [this](Node& unused) { drop(unused); });
    nodes_.insert_or_assign(std::move(address), node);
    return node;
}

void AddressTable::drop(Node& node) {
    const auto at = nodes_.find(node.identity().address);
    if (at == nodes_.end() || at->second.get() != &node) return;
    const auto dropped = std::move(at->second);
    nodes_.erase(at);
    dropped->shut_down();
}

}  // namespace aprotic::engine::broker
