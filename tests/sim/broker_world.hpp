#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/container.hpp>

#include "sim/world.hpp"

// The embedded broker and some clients over the event layer: queues, competing consumers, a broker that restarts.

namespace aprotic::sim::brokers {

using namespace engine;

/// What is known of one message, from all sides.
struct Known {
    std::size_t queue = 0;
    bool settled = false;         // sent settled
    std::size_t attempts = 0;     // that may have reached the broker
    std::optional<int> accepted;  // by the broker of this life
    bool sure = false;            // sent settled on a link that lived on
    bool finished = false;        // nothing will be sent any more
    std::size_t receipts = 0;
    std::size_t returned = 0;  // released, modified, dropped
    std::size_t unsure = 0;    // answered on a link that went before the end
    std::size_t consumed = 0;  // accepted or rejected
};

/// One life of one link.
struct LinkLife {
    int asked_in = 0;  ///< the life of the broker in which the connection was asked for
    bool over = false;
    std::vector<std::uint64_t> answered;  // messages accepted or rejected on it
    std::vector<std::uint64_t> sent;      // messages sent settled on it
};

class BrokerWorld;

struct Consumer final : ReceiverHandler, std::enable_shared_from_this<Consumer> {
    Consumer(BrokerWorld& in, std::size_t its_client) : world(in), client(its_client) {}

    void on_open(Receiver& receiver) override;
    void on_message(Receiver& receiver, Delivery& delivery) override;
    void on_drained(Receiver& receiver) override;
    void on_close(Receiver&, const std::optional<Failure>&) override;
    void answer(Delivery& delivery, std::uint64_t number, std::uint64_t how, const std::shared_ptr<LinkLife>& on);

    BrokerWorld& world;
    std::size_t client;
    std::size_t queue = 0;
    ReceiverOptions options;
    Receiver handle;
    std::shared_ptr<LinkLife> life;
    std::size_t held = 0;
    bool draining = false;
    bool up = false;
};

struct Producer final : SenderHandler, std::enable_shared_from_this<Producer> {
    Producer(BrokerWorld& in, std::size_t its_client) : world(in), client(its_client) {}

    void on_open(Sender&) override;
    void on_credit(Sender&) override;
    void on_close(Sender&, const std::optional<Failure>&) override;
    void pump();
    void send(std::uint64_t number);
    void finished(std::uint64_t number, const Outcome& outcome, const std::shared_ptr<LinkLife>& on);

    BrokerWorld& world;
    std::size_t client;
    std::size_t queue = 0;
    SenderOptions options;
    Sender handle;
    std::shared_ptr<LinkLife> life;
    std::set<std::uint64_t> due;
    std::map<std::uint64_t, Tracker> under_way;
    bool paused = false;
    bool up = false;
};

struct Client final : ConnectionHandler, std::enable_shared_from_this<Client> {
    explicit Client(BrokerWorld& in) : world(in) {}

    void on_open(Connection&) override;
    void on_close(Connection&, const std::optional<Failure>&) override;

    BrokerWorld& world;
    std::size_t index = 0;
    ConnectionOptions options;
    Connection handle;
    bool up = false;
    int asked_in = 0;  ///< the life of the broker
    std::vector<std::shared_ptr<Consumer>> consumers;
    std::vector<std::shared_ptr<Producer>> producers;
};

class BrokerWorld final : public World {
public:
    explicit BrokerWorld(const RunOptions& its_options);
    ~BrokerWorld() override;

    void start() override;

    void connect(Client& client);
    void open(Consumer& link);
    void open(Producer& link);
    /// What has gone comes again after a while.
    template <class T>
    void again(const std::shared_ptr<T>& what) {
        if (closing_) return;
        after(calm ? std::chrono::milliseconds(10) : draw(std::chrono::seconds(1)), [this, what] {
            if constexpr (std::is_same_v<T, Client>) {
                connect(*what);
            } else {
                open(*what);
            }
        });
    }

    void disturb() override;

    void restart();
    void start_broker();
    void heal() override;

    bool is_done() const override;
    std::string missing() const override;

    void check_done() override;

    void close() override;
    bool is_closed() const override;

    using World::after;
    using World::calm;
    using World::draw;
    using World::prng;
    using World::reactor;
    using World::say;
    using World::violated;

    int life() const { return life_; }
    Known& known(std::uint64_t number) { return known_[number]; }
    bool knows(std::uint64_t number) const { return known_.contains(number); }
    std::size_t size_of(std::uint64_t number) const { return sizes_.at(number); }

private:
    void make_client(std::size_t index);
    void make_consumer(Client& client, std::size_t queue);
    void make_producer(Client& client);

    BrokerOptions broker_options_;
    std::optional<Container> house_{std::in_place, reactor, "house"};
    std::optional<Container> container_{std::in_place, reactor, "clients"};
    std::optional<Broker> broker_;
    std::vector<std::shared_ptr<Client>> clients_;
    std::map<std::uint64_t, Known> known_;
    std::map<std::uint64_t, std::size_t> sizes_;
    std::uint64_t last_number_ = 0;
    int life_ = 0;
    bool restarts_ = false;
    bool listening_ = false;
    bool closing_ = false;
};

}  // namespace aprotic::sim::brokers
