// aprotic-scale: what many connections and long times cost. Figures for docs/benchmarks.md.

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <aprotic/engine/container.hpp>
#include <aprotic/engine/memory_stream.hpp>

#include "sim/sim_reactor.hpp"

using namespace aprotic;
using namespace aprotic::engine;
using namespace std::chrono_literals;

namespace {

/// Resident memory of this process. Octets.
std::size_t resident() {
    std::ifstream in("/proc/self/statm");
    std::size_t size = 0;
    std::size_t pages = 0;
    in >> size >> pages;
    return pages * 4096;
}

/// Takes every link and every message.
struct Acceptor final : ConnectionHandler {
    struct Sink final : ReceiverHandler {
        explicit Sink(std::size_t& counter) : received(counter) {}
        void on_message(Receiver&, Delivery& delivery) override {
            ++received;
            delivery.accept();
        }
        std::size_t& received;
    };
    void on_receiver_requested(Connection&, LinkRequest request) override {
        static_cast<void>(request.accept_receiver({.credit = 10}, std::make_shared<Sink>(received)));
        ++links;
    }
    std::size_t links = 0;
    std::size_t received = 0;
};

struct World {
    sim::SimReactor reactor;
    Container clients{reactor, "clients"};
    Container servers{reactor, "servers"};
    std::shared_ptr<Acceptor> acceptor = std::make_shared<Acceptor>();
    std::vector<Connection> far;

    Connection connect(const ConnectionOptions& options) {
        auto [near, other] = make_memory_streams(reactor);
        far.push_back(servers.adopt(std::move(other), true, options, acceptor));
        return clients.adopt(std::move(near), false, options);
    }
};

int connections() {
    constexpr std::size_t pairs = 5'000;  // both ends are here, so that these are 10,000 connections
    constexpr std::size_t links = 10;     // of each, and so 100,000 ends of links
    World world;
    std::vector<Connection> connections;
    std::vector<Sender> senders;
    const std::size_t before = resident();
    for (std::size_t i = 0; i < pairs; ++i) {
        connections.push_back(world.connect({}));
        if (i % 100 == 0) world.reactor.settle();
    }
    world.reactor.settle();
    const std::size_t connected = resident();
    for (std::size_t i = 0; i < pairs; ++i) {
        for (std::size_t j = 0; j < links; ++j)
            senders.push_back(connections[i].open_sender(fmt::format("node {}", j)));
        if (i % 100 == 0) world.reactor.settle();
    }
    world.reactor.settle();
    const std::size_t linked = resident();
    for (std::size_t i = 0; i < senders.size(); i += links) senders[i].send(Message("alive"), {.settled = true});
    world.reactor.settle();
    fmt::print("{} connections: {} MiB, {} octets each\n{} ends of links: {} MiB more, {} octets each\n", 2 * pairs,
               (connected - before) >> 20U, (connected - before) / (2 * pairs), 2 * pairs * links,
               (linked - connected) >> 20U, (linked - connected) / (2 * pairs * links));
    return world.acceptor->links == pairs * links && world.acceptor->received == pairs ? 0 : 1;
}

int hours() {
    constexpr auto span = 1000h;
    World world;
    ConnectionOptions options;
    options.idle_timeout = 60s;
    const std::array connections{world.connect(options), world.connect(options)};
    const std::array senders{connections[0].open_sender("node"), connections[1].open_sender("node")};
    std::size_t sent = 0;
    const auto start = std::chrono::steady_clock::now();
    for (Duration done{}; done < span; done += 10min) {
        for (const Sender& sender : senders) sender.send(Message("now and then"), {.settled = true});
        sent += senders.size();
        world.reactor.run_for(10min);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print(
        "1,000 virtual hours of two connections, both ends, with idle time-outs of 60 s and {} messages: {:.1f} s\n",
        sent, seconds);
    return connections[0].is_open() && connections[1].is_open() && world.acceptor->received == sent ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
    const std::string_view what = count == 2 ? words[1] : "";
    if (what == "connections") return connections();
    if (what == "hours") return hours();
    std::fputs("aprotic-scale connections|hours\n", stderr);
    return 2;
}
