#include <aprotic/engine/broker/rabbit_topology.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

#include <aprotic/engine/broker/rabbit_address.hpp>

namespace aprotic::engine::broker {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        const auto dot = text.find('.');
        words.push_back(text.substr(0, dot));
        if (dot == std::string_view::npos) return words;
        text.remove_prefix(dot + 1);
    }
}

}  // namespace

bool topic_matches(std::string_view pattern, std::string_view key) {
    const auto asked = words_of(pattern);
    const auto given = words_of(key);
    // reached[n]: the words of the pattern so far cover the first n of the key. In proportion to both, whatever they
    // are.
    std::vector<bool> reached(given.size() + 1, false);
    reached[0] = true;
    for (const auto word : asked) {
        std::vector<bool> next(given.size() + 1, false);
        for (std::size_t n = 0; n <= given.size(); ++n) {
            if (word == "#")
                next[n] = reached[n] || (n > 0 && next[n - 1]);
            else
                next[n] = n > 0 && reached[n - 1] && (word == "*" || word == given[n - 1]);
        }
        reached = std::move(next);
    }
    return reached.back();
}

RabbitTopology::Declared RabbitTopology::declare(const std::string& name, Queue queue) {
    if (queues_.contains(name) && !node(name)) remove_queue(name);  // it went with its last link
    if (const auto known = queues_.find(name); known != queues_.end())
        return known->second.is_same_as(queue) && known->second.owner == queue.owner ? Declared::known
                                                                                     : Declared::differs;
    const auto lifetime = queue.auto_delete ? Lifetime::links : Lifetime::forever;
    if (!table_.add({.address = rabbit_queue_address(name), .kind = NodeKind::queue, .lifetime = lifetime}))
        return Declared::full;
    queues_.emplace(name, std::move(queue));
    return Declared::made;
}

RabbitTopology::Declared RabbitTopology::declare(const std::string& name, Exchange exchange) {
    constexpr std::size_t exchanges_max = 1000;
    if (const auto known = exchanges_.find(name); known != exchanges_.end())
        return known->second == exchange ? Declared::known : Declared::differs;
    if (exchanges_.size() >= exchanges_max) return Declared::full;
    exchanges_.emplace(name, std::move(exchange));
    return Declared::made;
}

const RabbitTopology::Queue* RabbitTopology::find_queue(std::string_view name) const {
    const auto at = queues_.find(name);
    // One that is deleted with its last link is gone from the table first.
    return at != queues_.end() && node(name) ? &at->second : nullptr;
}

const RabbitTopology::Exchange* RabbitTopology::find_exchange(std::string_view name) const {
    const auto at = exchanges_.find(name);
    return at == exchanges_.end() ? nullptr : &at->second;
}

std::shared_ptr<Node> RabbitTopology::node(std::string_view queue) const {
    return table_.find(rabbit_queue_address(queue));
}

RabbitTopology::Bound RabbitTopology::bind(Binding binding) {
    constexpr std::size_t bindings_max = 100'000;
    if (find_exchange(binding.source) == nullptr || find_queue(binding.queue) == nullptr) return Bound::unknown;
    if (bindings_.size() >= bindings_max && !bindings_.contains(binding)) return Bound::full;
    bindings_.insert(std::move(binding));
    return Bound::made;
}

std::vector<RabbitTopology::Binding> RabbitTopology::bindings_of(std::string_view source,
                                                                 std::string_view queue) const {
    std::vector<Binding> found;
    std::ranges::copy_if(bindings_, std::back_inserter(found),
                         [&](const Binding& each) { return each.source == source && each.queue == queue; });
    return found;
}

void RabbitTopology::remove_queue(const std::string& name) {
    queues_.erase(name);
    std::erase_if(bindings_, [&](const Binding& each) { return each.queue == name; });
    table_.remove(rabbit_queue_address(name));
}

void RabbitTopology::remove_exchange(const std::string& name) {
    exchanges_.erase(name);
    std::erase_if(bindings_, [&](const Binding& each) { return each.source == name; });
}

void RabbitTopology::owner_gone(OwnerId owner) {
    std::vector<std::string> gone;
    for (const auto& [name, queue] : queues_)
        if (queue.exclusive && queue.owner == owner) gone.push_back(name);
    for (const auto& name : gone) remove_queue(name);
}

std::vector<std::shared_ptr<Node>> RabbitTopology::route(std::string_view exchange, std::string_view key) const {
    std::set<std::string, std::less<>> reached;
    if (exchange.empty()) reached.emplace(key);
    const Exchange* const from = find_exchange(exchange);
    for (const auto& binding : bindings_) {
        if (from == nullptr || binding.source != exchange) continue;
        const bool matches =
            from->type == "fanout" || (from->type == "topic" ? topic_matches(binding.key, key) : binding.key == key);
        if (matches) reached.insert(binding.queue);
    }
    std::vector<std::shared_ptr<Node>> nodes;
    for (const auto& name : reached)
        if (auto found = node(name)) nodes.push_back(std::move(found));
    return nodes;
}

}  // namespace aprotic::engine::broker
