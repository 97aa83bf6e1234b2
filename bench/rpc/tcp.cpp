// The limit: octets there and octets back on one TCP connection, and nothing that looks at them.
//
//   PROGRAM listen --at HOST:PORT --count N --size REQUEST --reply REPLY
//   PROGRAM ask --at HOST:PORT --count N --size REQUEST --reply REPLY

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <stdexcept>

#include "e2e/common.hpp"

namespace {

using bench::Arguments;
using bench::Clock;

void demand(bool holds, const char* what) {
    if (!holds) throw std::runtime_error(what);
}

class Socket {
public:
    explicit Socket(int descriptor) : descriptor_(descriptor) {
        demand(descriptor >= 0, "no socket");
        const int on = 1;
        setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() { close(descriptor_); }
    int get() const { return descriptor_; }
    void write(const std::string& octets) const {
        demand(::send(descriptor_, octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size()), "send");
    }
    void read(std::string& into) const {
        std::size_t have = 0;
        while (have < into.size()) {
            const ssize_t n = ::recv(descriptor_, into.data() + have, into.size() - have, 0);
            demand(n > 0, "recv");
            have += static_cast<std::size_t>(n);
        }
    }

private:
    int descriptor_;
};

sockaddr_in address_of(const Arguments& arguments) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(arguments.port())));
    demand(inet_pton(AF_INET, arguments.host().c_str(), &address.sin_addr) == 1, "an IPv4 address is expected");
    return address;
}

void listen(const Arguments& arguments) {
    const Socket acceptor(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address = address_of(arguments);
    socklen_t size = sizeof address;
    demand(bind(acceptor.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
    demand(::listen(acceptor.get(), 1) == 0, "listen");
    demand(getsockname(acceptor.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
    bench::say("listening on " + arguments.host() + ":" + std::to_string(ntohs(address.sin_port)));
    const Socket peer(accept(acceptor.get(), nullptr, nullptr));
    bench::Digest digest;
    std::string request(arguments.size, 'x');
    for (std::uint64_t i = 0; i < arguments.count; ++i) {
        peer.read(request);
        digest.add(request.data(), request.size());
        std::string reply = bench::body(i, arguments.reply);
        std::memcpy(reply.data(), request.data(), sizeof i);
        peer.write(reply);
    }
    bench::report(digest, 0);
}

void ask(const Arguments& arguments) {
    const sockaddr_in address = address_of(arguments);
    const Socket peer(socket(AF_INET, SOCK_STREAM, 0));
    demand(connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
    bench::Digest digest;
    std::vector<double> latencies;
    latencies.reserve(arguments.count);
    std::string reply(arguments.reply, 'x');
    const auto begin = Clock::now();
    for (std::uint64_t i = 0; i < arguments.count; ++i) {
        const auto start = Clock::now();
        peer.write(bench::body(i, arguments.size));
        peer.read(reply);
        latencies.push_back(bench::seconds_since(start));
        digest.add(reply.data(), arguments.size);
    }
    bench::report(digest, bench::seconds_since(begin), std::move(latencies));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Arguments arguments(argc, argv);
        if (arguments.mode == "listen")
            listen(arguments);
        else if (arguments.mode == "ask")
            ask(arguments);
        else
            throw std::runtime_error(bench::usage);
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
