#pragma once

#include "core/endpoint.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <optional>

namespace aprotic::test {

/// Two endpoints that talk to each other. Bytes cross in pieces of at most `chunk`.
class Pair {
public:
    explicit Pair(ConnectionOptions client_options = options("client"),
                  ConnectionOptions server_options = options("server"))
        : client(EngineRole::client, std::move(client_options), now),
          server(EngineRole::server, std::move(server_options), now) {
        client.open().value();
        server.open().value();
    }

    /// Moves bytes and events until both are quiet.
    void settle_down() {
        while (transfer(client, server) + transfer(server, client) > 0) {
        }
    }

    template <class T>
    std::optional<T> next(std::deque<Event>& events) {
        while (!events.empty()) {
            Event event = std::move(events.front());
            events.pop_front();
            if (T* const found = std::get_if<T>(&event)) return std::move(*found);
        }
        return std::nullopt;
    }

    void advance(Duration by) {
        const Instant end = now + by;
        for (;;) {
            settle_down();
            std::optional<Instant> deadline;
            for (const Endpoint* side : {&client, &server}) {
                const auto own = side->poll_timeout();
                if (own && (!deadline || *own < *deadline)) deadline = own;
            }
            if (!deadline || *deadline > end) break;
            now = std::max(now, *deadline);
            client.handle_timeout(now);
            server.handle_timeout(now);
        }
        now = end;
    }

    /// Moves what `from` has to say to `to` and leaves the events where they are, unless `after_each` piece takes them.
    template <class F>
    std::size_t move(Endpoint& from, Endpoint& to, F after_each) {
        std::size_t moved = 0;
        std::array<codec::ConstBuffer, 16> buffers;
        while (const std::size_t count = from.prepare_write(buffers, now)) {
            std::size_t written = 0;
            for (const codec::ConstBuffer& buffer : std::span(buffers).first(count)) {
                std::span<const std::byte> left(buffer.data, buffer.size);
                while (!left.empty()) {
                    const auto room = to.prepare_read();
                    if (room.empty()) break;
                    const std::size_t n = std::min({room.size(), left.size(), chunk});
                    std::copy_n(left.begin(), n, room.begin());
                    to.commit_read(n, now);
                    after_each();
                    left = left.subspan(n);
                    written += n;
                }
                if (!left.empty()) break;
            }
            if (written == 0) break;
            from.commit_write(written, now);
            moved += written;
        }
        return moved;
    }
    std::size_t move(Endpoint& from, Endpoint& to) {
        return move(from, to, [] {});
    }

    Instant now = start_of_time();
    std::size_t chunk = SIZE_MAX;
    Endpoint client;
    Endpoint server;
    std::deque<Event> client_events;
    std::deque<Event> server_events;

private:
    std::size_t transfer(Endpoint& from, Endpoint& to) {
        poll();
        const std::size_t moved = move(from, to, [this] { poll(); });
        poll();
        return moved;
    }
    void poll() {
        while (auto event = client.poll_event()) client_events.push_back(std::move(*event));
        while (auto event = server.poll_event()) server_events.push_back(std::move(*event));
    }
};

}  // namespace aprotic::test
