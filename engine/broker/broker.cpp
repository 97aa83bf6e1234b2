#include <aprotic/engine/broker.hpp>

#include <algorithm>
#include <future>
#include <stdexcept>
#include <utility>
#include <vector>

#include <aprotic/engine/broker/broker_auth.hpp>
#include <aprotic/engine/broker/broker_link.hpp>
#include <aprotic/engine/broker/rabbit_links.hpp>
#include <aprotic/engine/memory_stream.hpp>

namespace aprotic::engine {

/// Used on the reactor's thread only.
struct BrokerState {
    BrokerState(Container& owner, BrokerOptions options)
        : container(owner),
          accepted(broker::accepted_options(options)),
          links(std::make_shared<broker::LinkContext>(owner.reactor(), std::move(options))) {}

    void shut_down() {
        links->over = true;
        listeners.clear();
        const codec::ErrorCondition why{codec::Symbol(codec::condition::connection_forced), "the broker ends", {}};
        for (const auto& connection : std::exchange(connections, {})) connection.close(why);
    }

    Container& container;
    const ConnectionOptions accepted;
    const std::shared_ptr<broker::LinkContext> links;
    std::vector<Listener> listeners;
    std::vector<Connection> connections;
};

namespace {

/// One accepted connection. It does not keep the broker alive.
class AcceptedConnection final : public ConnectionHandler {
public:
    explicit AcceptedConnection(const std::shared_ptr<BrokerState>& broker)
        : broker_(broker),
          transactions_(std::make_shared<broker::TransactionTable>(broker->links->options.transactions_max)) {}

    void on_open(Connection& connection) override {
        const auto broker = broker_.lock();
        if (!broker) return connection.close();
        broker->connections.push_back(connection);
        ++broker->links->totals.connections_opened;
    }
    void on_sender_requested(Connection& connection, LinkRequest request) override {
        const auto broker = broker_.lock();
        if (!broker) return;
        if (broker->links->rabbit && broker::serve_rabbit_consumer(broker->links, rabbit_guest(), request)) return;
        broker::serve_consumer(broker->links, transactions_, connection, std::move(request));
    }
    void on_receiver_requested(Connection& connection, LinkRequest request) override {
        const auto broker = broker_.lock();
        if (!broker) return;
        if (broker->links->rabbit && broker::serve_rabbit_producer(broker->links, rabbit_guest(), request)) return;
        broker::serve_producer(broker->links, transactions_, connection, std::move(request));
    }
    void on_close(Connection& connection, const std::optional<Failure>& why) override {
        const auto broker = broker_.lock();
        if (!broker) return;
        if (guest_) broker->links->rabbit->topology().owner_gone(guest_.get());
        BrokerTotals& totals = broker->links->totals;
        ++(std::erase(broker->connections, connection) != 0 ? totals.connections_closed : totals.connections_refused);
        if (why && why->code == Errc::protocol_violation) ++totals.connection_faults;
    }

private:
    const std::shared_ptr<broker::RabbitGuest>& rabbit_guest() {
        if (!guest_) guest_ = std::make_shared<broker::RabbitGuest>();
        return guest_;
    }

    const std::weak_ptr<BrokerState> broker_;
    const std::shared_ptr<broker::TransactionTable> transactions_;
    std::shared_ptr<broker::RabbitGuest> guest_;  ///< of a broker with that personality
};

BrokerOptions checked(BrokerOptions options) {
    auto demand = [](bool holds, const char* text) {
        if (!holds) throw std::invalid_argument(text);
    };
    demand(options.node_messages_max > 0, "BrokerOptions::node_messages_max must be at least 1");
    demand(options.node_bytes_max > 0, "BrokerOptions::node_bytes_max must be at least 1");
    demand(options.nodes_max > 0, "BrokerOptions::nodes_max must be at least 1");
    demand(options.transactions_max > 0, "BrokerOptions::transactions_max must be at least 1");
    demand(options.sender_credit > 0, "BrokerOptions::sender_credit must be at least 1");
    if (options.personality == BrokerPersonality::rabbitmq_4) broker::become_rabbit(options);
    if (const auto valid = validate(options.connection); !valid)
        throw std::invalid_argument("BrokerOptions::connection: " + valid.error());
    return options;
}

/// Runs `task` on the reactor's thread: now if that is where we are.
void run_on(Reactor& reactor, Function<void()> task) {
    if (reactor.on_thread())
        task();
    else
        reactor.post(std::move(task));
}

/// What `look` sees on the reactor's thread.
template <class Look>
auto snapshot(const std::shared_ptr<BrokerState>& state, Look look) {
    using Seen = decltype(look(*state));
    auto& reactor = state->container.reactor();
    if (reactor.on_thread()) return look(*state);
    auto seen = std::make_shared<std::promise<Seen>>();
    auto answer = seen->get_future();
    reactor.post([state, look, seen = std::move(seen)] { seen->set_value(look(*state)); });
    try {
        return answer.get();
    } catch (const std::future_error&) {
        return Seen();  // the reactor stopped first and dropped the task
    }
}

}  // namespace

Broker::Broker(Container& container, BrokerOptions options)
    : state_(std::make_shared<BrokerState>(container, checked(std::move(options)))) {}

Broker::~Broker() {
    auto& reactor = state_->container.reactor();
    run_on(reactor, [state = std::move(state_)] { state->shut_down(); });
}

codec::Result<Address, Failure> Broker::listen(const Address& at) {
    auto listener = state_->container.listen(at, state_->accepted, [weak = std::weak_ptr(state_)] {
        const auto state = weak.lock();
        return std::shared_ptr<ConnectionHandler>(state ? std::make_shared<AcceptedConnection>(state) : nullptr);
    });
    if (!listener) return listener.error();
    Address address = listener->address();
    run_on(state_->container.reactor(),
           [state = state_, kept = std::move(*listener)]() mutable { state->listeners.push_back(std::move(kept)); });
    return address;
}

std::unique_ptr<Stream> Broker::connect_in_process() {
    auto [ours, theirs] = make_memory_streams(state_->container.reactor());
    state_->container.adopt(std::move(ours), true, state_->accepted, std::make_shared<AcceptedConnection>(state_));
    return std::move(theirs);
}

std::vector<NodeStatus> Broker::nodes() const {
    return snapshot(state_, [](const BrokerState& state) { return state.links->table.status(); });
}

BrokerTotals Broker::totals() const {
    return snapshot(state_, [](const BrokerState& state) { return state.links->totals; });
}

}  // namespace aprotic::engine
