#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <aprotic/codec/value.hpp>
#include <aprotic/engine/broker/address_table.hpp>

namespace aprotic::engine::broker {

/// Names an accepted connection, to whom exclusive queues belong.
using OwnerId = const void*;

/// What RabbitMQ 4 keeps of queues, exchanges and bindings, one virtual host of it. The queues themselves are nodes of
/// the address table, under their addresses of version 2.
class RabbitTopology {
public:
    struct Queue {
        bool durable = true;
        bool exclusive = false;
        bool auto_delete = false;
        codec::Map arguments{};
        OwnerId owner = nullptr;  ///< of an exclusive one

        bool is_same_as(const Queue& other) const {
            return std::tie(durable, exclusive, auto_delete, arguments) ==
                   std::tie(other.durable, other.exclusive, other.auto_delete, other.arguments);
        }
    };
    struct Exchange {
        std::string type = "direct";
        bool durable = true;
        bool auto_delete = false;
        bool internal = false;
        codec::Map arguments{};

        bool operator==(const Exchange&) const = default;
    };
    struct Binding {
        std::string source;
        std::string queue;
        std::string key;

        auto operator<=>(const Binding&) const = default;
    };

    /// Begins with the exchanges that every RabbitMQ has. `table` must outlive it.
    explicit RabbitTopology(AddressTable& table) : table_(table) {}

    enum class Declared { made, known, differs, full };
    Declared declare(const std::string& name, Queue queue);
    Declared declare(const std::string& name, Exchange exchange);
    /// Null when there is none.
    const Queue* find_queue(std::string_view name) const;
    const Exchange* find_exchange(std::string_view name) const;
    std::shared_ptr<Node> node(std::string_view queue) const;
    enum class Bound { made, unknown, full };
    /// Bound::unknown: there is no such exchange or queue.
    Bound bind(Binding binding);
    void unbind(const Binding& binding) { bindings_.erase(binding); }
    std::vector<Binding> bindings_of(std::string_view source, std::string_view queue) const;
    void remove_queue(const std::string& name);
    void remove_exchange(const std::string& name);
    /// Its exclusive queues go with it.
    void owner_gone(OwnerId owner);

    /// The queues that a message to an exchange reaches, each once; the default exchange is named "".
    std::vector<std::shared_ptr<Node>> route(std::string_view exchange, std::string_view key) const;

private:
    AddressTable& table_;
    std::map<std::string, Queue, std::less<>> queues_;
    std::map<std::string, Exchange, std::less<>> exchanges_ = {
        {"amq.direct", {.type = "direct"}}, {"amq.fanout", {.type = "fanout"}}, {"amq.topic", {.type = "topic"}}};
    std::set<Binding> bindings_;
};

/// Whether a topic exchange's binding key covers a routing key: words between dots, "*" is one of them, "#" any number.
bool topic_matches(std::string_view pattern, std::string_view key);

}  // namespace aprotic::engine::broker
