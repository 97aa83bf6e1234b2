#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <aprotic/engine/broker.hpp>
#include <aprotic/engine/container.hpp>

#include "sim/world.hpp"

// The embedded broker and some clients over the event layer: queues, competing consumers, a broker that restarts.

namespace aprotic::sim {
namespace {

using namespace std::chrono_literals;
using namespace engine;

const Address broker_address{.host = "broker", .port = 5672};

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
    std::vector<std::shared_ptr<Consumer>> consumers;
    std::vector<std::shared_ptr<Producer>> producers;
};

class BrokerWorld final : public World {
public:
    explicit BrokerWorld(const RunOptions& its_options) : World(its_options) {
        broker_options_.queues = {"q0", "q1", "q2"};
        broker_options_.node_messages_max = prng.one_in(3) ? prng.between(2, 20) : 1000;
        broker_options_.sender_credit = static_cast<std::uint32_t>(prng.one_in(2) ? prng.between(1, 10) : 100);
        broker_options_.connection = draw_options("broker");
        restarts_ = prng.one_in(3);
        start_broker();
        const std::size_t clients = prng.between(1, 3);
        for (std::size_t i = 0; i < clients; ++i) make_client(i);
        // Somebody must read what may be written.
        for (std::size_t queue = 0; queue < 3; ++queue) make_consumer(*clients_[prng.below(clients)], queue);
    }
    ~BrokerWorld() override {
        end();
        closing_ = true;
        broker_.reset();
        for (const auto& client : clients_) {
            client->handle = {};
            for (const auto& link : client->consumers) link->handle = {};
            for (const auto& link : client->producers) {
                link->handle = {};
                link->under_way.clear();
            }
        }
        container_.reset();
        house_.reset();
        reactor.settle();
    }

    void start() override {
        for (const auto& client : clients_) after(draw(500ms), [this, client] { connect(*client); });
    }

    void connect(Client& client) {
        if (closing_ || client.up) return;
        client.up = true;
        client.handle = container_->connect(broker_address, client.options, client.shared_from_this());
        // Links that are asked for before the connection is there are pipelined.
        for (const auto& link : client.consumers) open(*link);
        for (const auto& link : client.producers) open(*link);
    }
    void open(Consumer& link) {
        Client& client = *clients_[link.client];
        if (closing_ || link.up || !client.up) return;
        link.up = true;
        link.draining = false;
        link.life = std::make_shared<LinkLife>();
        link.handle =
            client.handle.open_receiver(fmt::format("q{}", link.queue), link.options, link.shared_from_this());
        if (link.options.credit == 0) link.handle.add_credit(5);
    }
    void open(Producer& link) {
        Client& client = *clients_[link.client];
        if (closing_ || link.up || !client.up) return;
        link.up = true;
        link.life = std::make_shared<LinkLife>();
        link.handle = client.handle.open_sender(fmt::format("q{}", link.queue), link.options, link.shared_from_this());
        link.pump();
    }
    /// What has gone comes again after a while.
    template <class T>
    void again(const std::shared_ptr<T>& what) {
        if (closing_) return;
        after(calm ? Duration(10ms) : draw(1s), [this, what] {
            if constexpr (std::is_same_v<T, Client>) {
                connect(*what);
            } else {
                open(*what);
            }
        });
    }

    void disturb() override {
        Client& client = *clients_[prng.below(clients_.size())];
        const std::uint64_t what = prng.below(7);
        if (what == 0 && restarts_) return restart();
        if (!client.up) return;
        if (what == 1) {
            say("a client closes");
            return client.handle.close();
        }
        if (what <= 4 && !client.consumers.empty()) {
            Consumer& link = *client.consumers[prng.below(client.consumers.size())];
            if (!link.up) return;
            if (what == 2) {
                say("a receiver closes");
                return link.handle.close();
            }
            if (link.draining) return;
            say("a receiver drains");
            link.draining = true;
            return link.handle.drain();
        }
        if (client.producers.empty()) return;
        Producer& link = *client.producers[prng.below(client.producers.size())];
        if (what == 5 && link.up) {
            say("a sender closes");
            link.handle.close();
        }
    }

    void restart() {
        say("the broker restarts");
        broker_.reset();
        listening_ = false;
        ++life_;
        after(draw(2s), [this] {
            if (!broker_) start_broker();
        });
    }
    void start_broker() {
        broker_.emplace(*house_, broker_options_);
        listening_ = broker_->listen(broker_address).has_value();
        if (!listening_) violated("the broker cannot listen");
    }
    void heal() override {
        if (!broker_) start_broker();
    }

    bool is_done() const override {
        for (const auto& [number, known] : known_)
            if (!known.finished) return false;
        for (const auto& client : clients_) {
            for (const auto& link : client->consumers)
                if (link->held > 0 || !link->up) return false;
        }
        if (!broker_) return false;
        for (const auto& node : broker_->nodes())
            if (node.messages > 0) return false;
        return true;
    }
    std::string missing() const override {
        std::string text;
        for (const auto& [number, known] : known_)
            if (!known.finished) text += fmt::format("message {} was not sent; ", number);
        for (const auto& client : clients_)
            for (const auto& link : client->consumers) text += fmt::format("{} held; ", link->held);
        if (broker_)
            for (const auto& node : broker_->nodes()) text += fmt::format("{} has {}; ", node.address, node.messages);
        return text;
    }

    void check_done() override {
        for (const auto& weak : observers)
            if (const auto observer = weak.lock()) observer->check_rest();
        for (const auto& client : clients_) {
            for (const auto& link : client->producers) {
                if (!link->life || link->life->over) continue;
                for (const std::uint64_t number : link->life->sent) known_[number].sure = true;
            }
        }
        for (auto& [number, known] : known_) {
            const bool must = (known.accepted && *known.accepted == life_) || (known.sure && life_ == 0);
            if (must && known.consumed == 0) violated(fmt::format("message {} was accepted and is lost", number));
            if (known.receipts > known.attempts + known.returned + known.unsure) {
                violated(fmt::format("message {} came {} times: {} sent, {} returned, {} unsure", number,
                                     known.receipts, known.attempts, known.returned, known.unsure));
            }
        }
        const auto expect = [this](bool holds, const char* what) {
            if (!holds) violated(what);
        };
        for (const auto& client : clients_)
            for (const auto& link : client->producers)
                expect(link->handle.pending() == 0, "a sender has something left");
    }

    void close() override {
        closing_ = true;
        for (const auto& client : clients_) {
            for (const auto& link : client->consumers) link->handle.close();
            if (client->up) client->handle.close();
        }
    }
    bool is_closed() const override {
        return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) {
            const auto down = [](const auto& link) { return !link->up; };
            return !client->up && std::all_of(client->consumers.begin(), client->consumers.end(), down) &&
                   std::all_of(client->producers.begin(), client->producers.end(), down);
        });
    }

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
    void make_client(std::size_t index) {
        auto client = std::make_shared<Client>(*this);
        client->index = index;
        client->options = draw_options("");
        client->options.sasl.enabled = !prng.one_in(3);
        clients_.push_back(client);
        const std::size_t producers = prng.between(index == 0 ? 1 : 0, 2);
        for (std::size_t i = 0; i < producers; ++i) make_producer(*client);
        if (prng.one_in(2)) make_consumer(*client, prng.below(3));
    }
    void make_consumer(Client& client, std::size_t queue) {
        auto link = std::make_shared<Consumer>(*this, client.index);
        link->queue = queue;
        link->options.credit = static_cast<std::uint32_t>(prng.one_in(4) ? 0 : prng.between(1, 40));
        if (prng.one_in(4)) link->options.link.rcv_settle_mode = codec::ReceiverSettleMode::second;
        client.consumers.push_back(std::move(link));
    }
    void make_producer(Client& client) {
        auto link = std::make_shared<Producer>(*this, client.index);
        link->queue = prng.below(3);
        const std::uint64_t mode = prng.below(4);
        if (mode == 0) link->options.link.snd_settle_mode = codec::SenderSettleMode::settled;
        if (mode == 1) link->options.link.snd_settle_mode = codec::SenderSettleMode::unsettled;
        if (prng.one_in(3)) link->options.queue_bytes_max = prng.between(1'000, 20'000);
        const std::size_t messages = prng.between(2, 12);
        const std::uint64_t large = prng.between(1, 15);
        const std::size_t largest = prng.one_in(16) ? 40'000 : 2'000;
        for (std::size_t i = 0; i < messages; ++i) {
            const std::uint64_t number = ++last_number_;
            sizes_[number] = prng.below(prng.one_in(large) ? largest : 200);
            Known& known = known_[number];
            known.queue = link->queue;
            known.settled = mode == 0 || (mode > 1 && prng.one_in(5));
            link->due.insert(number);
        }
        client.producers.push_back(std::move(link));
    }

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

// --- a connection --------------------------------------------------------------------------------------------------

void Client::on_open(Connection&) { world.say(fmt::format("client {} is open", index)); }

void Client::on_close(Connection&, const std::optional<Failure>& why) {
    world.say(fmt::format("client {} is closed: {}", index, why ? why->message() : "in order"));
    if (!std::exchange(up, false)) world.violated("a connection ends twice");
    for (const auto& link : consumers)
        if (link->up) world.violated("a connection ends before its links");
    world.again(shared_from_this());
}

// --- a receiver ----------------------------------------------------------------------------------------------------

void Consumer::on_open(Receiver&) { world.say("receiver open"); }

void Consumer::on_message(Receiver& receiver, Delivery& delivery) {
    const auto number = read_message(delivery.message().body_text().value_or(""));
    if (!number || !world.knows(*number)) return world.violated("a message is not what was sent");
    Known& known = world.known(*number);
    if (known.queue != queue) world.violated("a message came from another queue");
    ++known.receipts;
    world.say(fmt::format("message {} received", *number));
    if (options.credit == 0 && receiver.credit() < 3) receiver.add_credit(5);
    // Coming back from a drain it asked for at least five.
    if (options.credit != 0 && receiver.credit() > 2 * std::max<std::uint32_t>(options.credit, 5))
        world.violated("more credit than was asked for");
    const std::uint64_t how = world.calm ? 0 : world.prng.below(20);
    if (how < 14) return answer(delivery, *number, how, life);
    // Later, perhaps when the link has gone.
    ++held;
    auto kept = std::make_shared<Delivery>(std::move(delivery));
    world.after(world.draw(3s), [self = shared_from_this(), kept, number = *number, how, on = life] {
        --self->held;
        self->answer(*kept, number, how - 14, on);
    });
}

void Consumer::answer(Delivery& delivery, std::uint64_t number, std::uint64_t how,
                      const std::shared_ptr<LinkLife>& on) {
    Known& known = world.known(number);
    // A delivery that came settled is over, whatever is said about it.
    if (on->over && !delivery.is_settled()) ++known.unsure;
    switch (delivery.is_settled() ? 0 : how) {
        case 3: ++known.returned; return delivery.release();
        case 4: ++known.returned; return delivery.modify(true);
        case 5: {
            ++known.returned;
            const Delivery dropped = std::move(delivery);
            return;
        }
        case 6: delivery.reject(); break;
        default: delivery.accept(); break;
    }
    ++known.consumed;
    if (on->over) return;
    // Whether the broker has heard of it is sure only if the link lives on to the end.
    on->answered.push_back(number);
}

void Consumer::on_drained(Receiver& receiver) {
    world.say("drained");
    draining = false;
    receiver.add_credit(std::max<std::uint32_t>(options.credit, 5));
}

void Consumer::on_close(Receiver&, const std::optional<Failure>&) {
    world.say("receiver closed");
    if (!std::exchange(up, false)) world.violated("a receiver ends twice");
    life->over = true;
    for (const std::uint64_t number : life->answered) ++world.known(number).unsure;
    world.again(shared_from_this());
}

// --- a sender ------------------------------------------------------------------------------------------------------

void Producer::on_open(Sender&) {
    world.say("sender open");
    pump();
}

void Producer::on_credit(Sender&) { pump(); }

void Producer::pump() {
    while (up && !paused && !due.empty()) {
        const std::uint64_t number = *due.begin();
        due.erase(due.begin());
        send(number);
        // All at once, or one now and then.
        if (!world.calm && world.prng.one_in(4)) {
            paused = true;
            world.after(world.draw(2s), [self = shared_from_this()] {
                self->paused = false;
                self->pump();
            });
        }
    }
}

void Producer::send(std::uint64_t number) {
    Known& known = world.known(number);
    SendParameters how;
    how.settled = known.settled;
    if (!world.calm && world.prng.one_in(6)) how.timeout = world.draw(3s);
    const Tracker tracker = handle.send(codec::Message(message_text(number, world.size_of(number))), how);
    under_way[number] = tracker;
    auto calls = std::make_shared<int>(0);
    tracker.on_done([self = shared_from_this(), number, calls, on = life](const Outcome& outcome) {
        if (++*calls != 1) self->world.violated("a tracker ends twice");
        self->finished(number, outcome, on);
    });
    if (!world.calm && world.prng.one_in(20)) tracker.cancel();
}

void Producer::finished(std::uint64_t number, const Outcome& outcome, const std::shared_ptr<LinkLife>& on) {
    Known& known = world.known(number);
    world.say(fmt::format("message {}: {}", number, outcome.message()));
    if (under_way.erase(number) == 0) world.violated("a message ends that was not under way");
    switch (outcome.kind) {
        case Outcome::Kind::accepted:
            ++known.attempts;
            known.accepted = world.life();
            known.finished = true;
            if (known.settled) world.violated("a message sent settled has an outcome");
            return;
        case Outcome::Kind::sent:
            ++known.attempts;
            known.finished = true;
            if (!known.settled) world.violated("a message sent unsettled has no outcome");
            on->sent.push_back(number);
            return;
        case Outcome::Kind::rejected: return world.violated("the broker rejects a message: " + outcome.message());
        case Outcome::Kind::in_doubt:
            ++known.attempts;
            // Sending it again would be another message.
            if (known.settled) {
                known.finished = true;
                return;
            }
            break;
        case Outcome::Kind::released:
        case Outcome::Kind::modified:
        case Outcome::Kind::not_sent: break;
    }
    const Duration pause = outcome.kind == Outcome::Kind::not_sent && !on->over ? world.draw(500ms) : Duration(50ms);
    world.after(pause, [self = shared_from_this(), number] {
        self->due.insert(number);
        self->pump();
    });
}

void Producer::on_close(Sender&, const std::optional<Failure>& why) {
    world.say("sender closed");
    if (!std::exchange(up, false)) world.violated("a sender ends twice");
    for (const auto& [number, tracker] : under_way)
        if (!tracker.outcome()) world.violated("a sender ends before its messages");
    static_cast<void>(why);
    life->over = true;
    world.again(shared_from_this());
}

}  // namespace

std::unique_ptr<World> make_broker_world(const RunOptions& options) { return std::make_unique<BrokerWorld>(options); }

}  // namespace aprotic::sim
