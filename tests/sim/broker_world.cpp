#include "sim/broker_world.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace aprotic::sim {
namespace brokers {

using namespace std::chrono_literals;

namespace {

const Address broker_address{.host = "broker", .port = 5672};

}  // namespace

BrokerWorld::BrokerWorld(const RunOptions& its_options) : World(its_options) {
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

BrokerWorld::~BrokerWorld() {
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

void BrokerWorld::start() {
    for (const auto& client : clients_) after(draw(500ms), [this, client] { connect(*client); });
}

void BrokerWorld::connect(Client& client) {
    if (closing_ || client.up) return;
    client.up = true;
    client.asked_in = life_;
    client.handle = container_->connect(broker_address, client.options, client.shared_from_this());
    // Links that are asked for before the connection is there are pipelined.
    for (const auto& link : client.consumers) open(*link);
    for (const auto& link : client.producers) open(*link);
}

void BrokerWorld::open(Consumer& link) {
    Client& client = *clients_[link.client];
    if (closing_ || link.up || !client.up) return;
    link.up = true;
    link.draining = false;
    link.life = std::make_shared<LinkLife>();
    link.handle = client.handle.open_receiver(fmt::format("q{}", link.queue), link.options, link.shared_from_this());
    if (link.options.credit == 0) link.handle.add_credit(5);
}

void BrokerWorld::open(Producer& link) {
    Client& client = *clients_[link.client];
    if (closing_ || link.up || !client.up) return;
    link.up = true;
    link.life = std::make_shared<LinkLife>();
    link.life->asked_in = client.asked_in;
    link.handle = client.handle.open_sender(fmt::format("q{}", link.queue), link.options, link.shared_from_this());
    link.pump();
}

void BrokerWorld::disturb() {
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

void BrokerWorld::restart() {
    say("the broker restarts");
    broker_.reset();
    listening_ = false;
    ++life_;
    after(draw(2s), [this] {
        if (!broker_) start_broker();
    });
}

void BrokerWorld::start_broker() {
    broker_.emplace(*house_, broker_options_);
    listening_ = broker_->listen(broker_address).has_value();
    if (!listening_) violated("the broker cannot listen");
}

void BrokerWorld::heal() {
    if (!broker_) start_broker();
}

bool BrokerWorld::is_done() const {
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

std::string BrokerWorld::missing() const {
    std::string text;
    for (const auto& [number, known] : known_)
        if (!known.finished) text += fmt::format("message {} was not sent; ", number);
    for (const auto& client : clients_)
        for (const auto& link : client->consumers) text += fmt::format("{} held; ", link->held);
    if (broker_)
        for (const auto& node : broker_->nodes()) text += fmt::format("{} has {}; ", node.address, node.messages);
    return text;
}

void BrokerWorld::check_done() {
    for (const auto& weak : observers)
        if (const auto observer = weak.lock()) observer->check_rest();
    // A full queue gives messages back; one that was sent settled cannot be.
    const bool never_full = broker_options_.node_messages_max >= 1000;
    for (const auto& client : clients_) {
        for (const auto& link : client->producers) {
            if (!never_full || !link->life || link->life->over) continue;
            for (const std::uint64_t number : link->life->sent) known_[number].sure = true;
        }
    }
    for (auto& [number, known] : known_) {
        const bool must = (known.accepted && *known.accepted == life_) || (known.sure && life_ == 0);
        if (must && known.consumed == 0) violated(fmt::format("message {} was accepted and is lost", number));
        if (known.receipts > known.attempts + known.returned + known.unsure) {
            violated(fmt::format("message {} came {} times: {} sent, {} returned, {} unsure", number, known.receipts,
                                 known.attempts, known.returned, known.unsure));
        }
    }
    const auto expect = [this](bool holds, const char* what) {
        if (!holds) violated(what);
    };
    for (const auto& client : clients_)
        for (const auto& link : client->producers) expect(link->handle.pending() == 0, "a sender has something left");
}

void BrokerWorld::close() {
    closing_ = true;
    for (const auto& client : clients_) {
        for (const auto& link : client->consumers) link->handle.close();
        if (client->up) client->handle.close();
    }
}

bool BrokerWorld::is_closed() const {
    return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) {
        const auto down = [](const auto& link) { return !link->up; };
        return !client->up && std::all_of(client->consumers.begin(), client->consumers.end(), down) &&
               std::all_of(client->producers.begin(), client->producers.end(), down);
    });
}

void BrokerWorld::make_client(std::size_t index) {
    auto client = std::make_shared<Client>(*this);
    client->index = index;
    client->options = draw_options("");
    client->options.sasl.enabled = !prng.one_in(3);
    clients_.push_back(client);
    const std::size_t producers = prng.between(index == 0 ? 1 : 0, 2);
    for (std::size_t i = 0; i < producers; ++i) make_producer(*client);
    if (prng.one_in(2)) make_consumer(*client, prng.below(3));
}

void BrokerWorld::make_consumer(Client& client, std::size_t queue) {
    auto link = std::make_shared<Consumer>(*this, client.index);
    link->queue = queue;
    link->options.credit = static_cast<std::uint32_t>(prng.one_in(4) ? 0 : prng.between(1, 40));
    if (prng.one_in(4)) link->options.link.rcv_settle_mode = codec::ReceiverSettleMode::second;
    client.consumers.push_back(std::move(link));
}

void BrokerWorld::make_producer(Client& client) {
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

}  // namespace brokers

std::unique_ptr<World> make_broker_world(const RunOptions& options) {
    return std::make_unique<brokers::BrokerWorld>(options);
}

}  // namespace aprotic::sim
