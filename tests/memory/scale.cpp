// aprotic-scale: what many connections and long times cost. Figures for docs/benchmarks.md.

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
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
        explicit Sink(std::atomic<std::size_t>& counter) : received(counter) {}
        void on_message(Receiver&, Delivery& delivery) override {
            ++received;
            delivery.accept();
        }
        std::atomic<std::size_t>& received;
    };
    void on_receiver_requested(Connection&, LinkRequest request) override {
        static_cast<void>(request.accept_receiver({.credit = 10}, sink));
        ++links;
    }
    std::atomic<std::size_t> links = 0;
    std::atomic<std::size_t> received = 0;
    const std::shared_ptr<Sink> sink = std::make_shared<Sink>(received);
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

/// A word to the other process, or from it.
void tell(int to, std::uint64_t word) {
    if (write(to, &word, sizeof(word)) != sizeof(word)) _exit(1);
}
std::uint64_t hear(int from) {
    std::uint64_t word = 0;
    if (read(from, &word, sizeof(word)) != sizeof(word)) _exit(1);
    return word;
}

/// Tells its port, then how much memory it has and how many links whenever it is asked.
[[noreturn]] void serve(int parent) {
    const auto acceptor = std::make_shared<Acceptor>();
    Container container("servers");
    const auto listener = container.listen({.host = "127.0.0.1", .port = 0}, {}, [&] { return acceptor; });
    if (!listener) _exit(1);
    tell(parent, listener->address().port);
    while (hear(parent) != 0) {
        tell(parent, resident());
        tell(parent, acceptor->links);
    }
    _exit(0);
}

/// What people have: over TCP, the other end in a process of its own.
int sockets() {
    constexpr std::size_t links = 10;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const std::size_t count = std::min<std::size_t>(10'000, limit.rlim_cur - 100);
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return 1;
    const pid_t child = fork();  // before there are threads
    if (child < 0) return 1;
    if (child == 0) {
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    const int server = ends[0];
    const std::string url = fmt::format("amqp://127.0.0.1:{}", hear(server));
    Container container("clients");
    std::vector<Connection> connections;
    std::vector<Sender> senders;
    connections.reserve(count);
    senders.reserve(count * links);
    const auto measure = [&] {
        tell(server, 1);
        const std::size_t theirs = hear(server);
        static_cast<void>(hear(server));
        return std::array{resident(), theirs};
    };
    const auto before = measure();
    bool open = true;
    for (std::size_t i = 0; i < count; ++i) {
        connections.push_back(container.connect(url));
        if (i % 50 == 49 || i + 1 == count) {
            for (std::size_t j = i / 50 * 50; j <= i; ++j) open = open && connections[j].wait_open(10s);
        }
    }
    const auto connected = measure();
    for (const Connection& connection : connections) {
        for (std::size_t j = 0; j < links; ++j) senders.push_back(connection.open_sender(fmt::format("node {}", j)));
        open = open && senders.back().wait_open(10s);
    }
    const auto linked = measure();
    tell(server, 1);
    static_cast<void>(hear(server));
    const bool complete = open && hear(server) == count * links;
    for (const std::size_t side : {0U, 1U}) {
        fmt::print("{}: {} connections {} MiB, {} octets each; {} links {} MiB more, {} octets each\n",
                   side == 0 ? "client" : "server", count, (connected[side] - before[side]) >> 20U,
                   (connected[side] - before[side]) / count, count * links, (linked[side] - connected[side]) >> 20U,
                   (linked[side] - connected[side]) / (count * links));
    }
    tell(server, 0);
    waitpid(child, nullptr, 0);
    std::fflush(stdout);
    _exit(complete ? 0 : 1);  // without closing them all one after the other
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
    if (what == "sockets") return sockets();
    if (what == "hours") return hours();
    std::fputs("aprotic-scale connections|sockets|hours\n", stderr);
    return 2;
}
