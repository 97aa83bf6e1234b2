#include "peer/tcp_channel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace aprotic::peer {
namespace {

using Clock = std::chrono::steady_clock;

/// Whether `events` came up before `deadline`.
bool wait_for(int socket, short events, Clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd entry{.fd = socket, .events = events, .revents = 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::clamp<long long>(left, 0, 1'000'000)));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
        if (ready == 0 && left <= 1'000'000) return false;
    }
}

void make_nonblocking(int socket) { ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK); }

int connect_to(const addrinfo& address, Clock::time_point deadline, std::string& why) {
    const int socket = ::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol);
    if (socket < 0) {
        why = std::strerror(errno);
        return -1;
    }
    make_nonblocking(socket);
    int error = ::connect(socket, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        socklen_t size = sizeof error;
        error = ETIMEDOUT;
        if (wait_for(socket, POLLOUT, deadline)) ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) return socket;
    why = std::strerror(error);
    ::close(socket);
    return -1;
}

}  // namespace

TcpChannel::TcpChannel(int socket) : socket_(socket) {
    make_nonblocking(socket_);
    // A script's pieces go out as it makes them.
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

TcpChannel::~TcpChannel() { ::close(socket_); }

std::unique_ptr<TcpChannel> TcpChannel::connect(const std::string& host, const std::string& port, Duration patience,
                                                std::string& why) {
    const auto deadline = Clock::now() + patience;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
        why = ::gai_strerror(error);
        return nullptr;
    }
    int socket = -1;
    for (const addrinfo* address = found; address != nullptr && socket < 0; address = address->ai_next)
        socket = connect_to(*address, deadline, why);
    ::freeaddrinfo(found);
    return socket < 0 ? nullptr : std::make_unique<TcpChannel>(socket);
}

void TcpChannel::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(socket_, POLLOUT, Clock::now() + std::chrono::seconds(10))) return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

std::vector<std::byte> TcpChannel::read(Duration patience) {
    const auto deadline = Clock::now() + patience;
    std::array<std::byte, 64 * 1024> block;
    while (!ended_) {
        const ssize_t count = ::recv(socket_, block.data(), block.size(), 0);
        if (count > 0) return {block.begin(), block.begin() + count};
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!wait_for(socket_, POLLIN, deadline)) return {};
            continue;
        }
        ended_ = true;
        reset_ = count < 0;
    }
    return {};
}

bool TcpChannel::at_end() { return ended_; }

void TcpChannel::end_of_stream() { ::shutdown(socket_, SHUT_WR); }

TcpListener::TcpListener(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (socket_ < 0 || ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(socket_, 64) != 0 || ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        const int error = errno;
        if (socket_ >= 0) ::close(socket_);
        throw std::system_error(error, std::generic_category(), "port " + std::to_string(port) + " of 127.0.0.1");
    }
    make_nonblocking(socket_);
    port_ = ntohs(address.sin_port);
}

TcpListener::~TcpListener() { ::close(socket_); }

std::unique_ptr<TcpChannel> TcpListener::accept(Duration patience) {
    const auto deadline = Clock::now() + patience;
    while (wait_for(socket_, POLLIN, deadline)) {
        const int socket = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket >= 0) return std::make_unique<TcpChannel>(socket);
        if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED) return nullptr;
    }
    return nullptr;
}

}  // namespace aprotic::peer
