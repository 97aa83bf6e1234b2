// The limit: the same octets on one TCP connection in as large writes, and nothing that looks at them but their
// numbers. A message is `--wire` octets that begin with its number, its reply `--reply` octets.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>

#include "e2e/common.hpp"

namespace {

using namespace bench;

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
    void write(const char* octets, std::size_t size) const {
        while (size > 0) {
            const ssize_t n = ::send(descriptor_, octets, size, 0);
            demand(n > 0, "send");
            octets += n;
            size -= static_cast<std::size_t>(n);
        }
    }
    /// Both at once, and without a copy before the kernel's.
    void write(const std::string& first, const std::string& second) const {
        iovec parts[] = {{const_cast<char*>(first.data()), first.size()},
                         {const_cast<char*>(second.data()), second.size()}};
        msghdr all{};
        all.msg_iov = parts;
        all.msg_iovlen = 2;
        const ssize_t n = ::sendmsg(descriptor_, &all, 0);
        demand(n > 0, "sendmsg");
        const auto done = static_cast<std::size_t>(n);
        if (done < first.size()) write(first.data() + done, first.size() - done);
        const std::size_t of_second = done < first.size() ? 0 : done - first.size();
        write(second.data() + of_second, second.size() - of_second);
    }
    /// How many octets came; 0 at the end.
    std::size_t read(char* into, std::size_t size) const {
        const ssize_t n = ::recv(descriptor_, into, size, 0);
        demand(n >= 0, "recv");
        return static_cast<std::size_t>(n);
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

int open_peer(const Arguments& arguments) {
    const int made = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = address_of(arguments);
    socklen_t size = sizeof address;
    if (!arguments.listen) {
        demand(connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
        return made;
    }
    const Socket acceptor(made);
    demand(bind(acceptor.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
    demand(::listen(acceptor.get(), 1) == 0, "listen");
    demand(getsockname(acceptor.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
    say("listening on " + arguments.host() + ":" + std::to_string(ntohs(address.sin_port)));
    return accept(acceptor.get(), nullptr, nullptr);
}

/// Takes whole messages of one size out of what comes, gives the first octets of each and whether it is the last one of
/// what was read at once.
template <class Take>
void read_all(const Socket& peer, std::size_t size, Take take) {
    std::string slab(64 * 1024, '\0');
    std::string head(head_size, '\0');
    std::size_t at = 0;  // in the message that is coming
    while (const std::size_t n = peer.read(slab.data(), slab.size())) {
        for (std::size_t i = 0; i < n;) {
            const std::size_t step = std::min(size - at, n - i);
            for (std::size_t j = 0; j < step && at + j < head.size(); ++j) head[at + j] = slab[i + j];
            i += step;
            at += step;
            if (at < size) break;
            at = 0;
            if (!take(head, n - i < size)) return;
        }
    }
}

void send(const Arguments& arguments, const Socket& peer) {
    Outgoing outgoing(arguments);
    std::string batch;
    const std::size_t wire = std::max(arguments.wire, arguments.size);
    const std::string tail(wire - arguments.size, 'x');
    while (arguments.batch == 1 && !outgoing.sent_all()) peer.write(outgoing.next(), tail);
    while (!outgoing.sent_all()) {
        batch.clear();
        for (std::uint32_t i = 0; i < arguments.batch && !outgoing.sent_all(); ++i) {
            batch += outgoing.next();
            batch.resize(batch.size() + wire - arguments.size, 'x');
        }
        peer.write(batch.data(), batch.size());
    }
    shutdown(peer.get(), SHUT_WR);
    char end = 0;
    demand(peer.read(&end, 1) == 0, "an end of stream was expected");  // the receiver has all of it
    outgoing.stop();
    outgoing.report();
}

void receive(const Arguments& arguments, const Socket& peer) {
    Incoming incoming(arguments);
    read_all(peer, std::max(arguments.wire, arguments.size),
             [&](const std::string& head, bool) { return !incoming.add(head.data(), arguments.size); });
    incoming.report();
}

void request(const Arguments& arguments, const Socket& peer) {
    Calls calls(arguments);
    std::string batch;
    const std::size_t wire = std::max(arguments.wire, arguments.size);
    const auto write = [&] {
        batch.clear();
        while (calls.may_start()) {
            batch += body(calls.start_next(), arguments.size);
            batch.resize(batch.size() + wire - arguments.size, 'x');
        }
        if (!batch.empty()) peer.write(batch.data(), batch.size());
    };
    write();
    read_all(peer, std::max(arguments.reply, arguments.size), [&](const std::string& head, bool last_of_read) {
        std::uint64_t id = 0;
        std::memcpy(&id, head.data(), sizeof id);
        demand(calls.finish(id, head.data(), arguments.size), "a reply that nobody asked for");
        if (last_of_read) write();
        return !calls.done();
    });
    calls.report();
}

void respond(const Arguments& arguments, const Socket& peer) {
    Meter meter(arguments.count, arguments.warm_up);
    std::string batch;
    const std::size_t reply = std::max(arguments.reply, arguments.size);
    read_all(peer, std::max(arguments.wire, arguments.size), [&](const std::string& head, bool last_of_read) {
        meter.add_whole(head.data(), arguments.size);
        batch += head.substr(0, std::min(head.size(), arguments.size));
        batch.resize(batch.size() + reply - std::min(head.size(), arguments.size), 'x');
        if (last_of_read) {
            peer.write(batch.data(), batch.size());
            batch.clear();
        }
        return true;
    });
    meter.report();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Arguments arguments(argc, argv);
        void (*run)(const Arguments&, const Socket&) = nullptr;
        if (arguments.mode == "send") run = send;
        if (arguments.mode == "receive") run = receive;
        if (arguments.mode == "request") run = request;
        if (arguments.mode == "respond") run = respond;
        if (run == nullptr) throw std::runtime_error(usage);
        run(arguments, Socket(open_peer(arguments)));
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
