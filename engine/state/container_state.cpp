#include <algorithm>
#include <stdexcept>

#include <aprotic/engine/state/container_state.hpp>

namespace aprotic::engine {

ContainerState::ContainerState(std::shared_ptr<Loop> its_loop, std::string its_id)
    : loop(std::move(its_loop)), id(std::move(its_id)) {}

ContainerState::~ContainerState() {
    for (const auto& [number, connection] : std::exchange(connections_, {})) connection->abandon();
}

std::shared_ptr<ConnectionState> ContainerState::make_connection(EngineRole role, ConnectionOptions options,
                                                                 std::shared_ptr<ConnectionHandler> handler,
                                                                 std::string peer_name) {
    if (options.container_id.empty()) options.container_id = id;
    if (const auto valid = validate(options); !valid) throw std::invalid_argument(valid.error());
    return std::make_shared<ConnectionState>(shared_from_this(), role, std::move(options), std::move(handler),
                                             std::move(peer_name));
}

void ContainerState::add(const std::shared_ptr<ConnectionState>& connection) {
    connections_.emplace(++last_number_, connection);
    connection->number = last_number_;
    {
        const std::lock_guard lock(mutex);
        empty = false;
    }
    if (shutting_down_) connection->close({});
}

void ContainerState::remove(ConnectionState& connection) {
    const auto self = shared_from_this();
    const auto entry = connections_.extract(connection.number);
    if (!connections_.empty()) return;
    if (cut_timer_ != 0) loop->reactor.cancel_timer(std::exchange(cut_timer_, 0));
    const std::lock_guard lock(mutex);
    empty = true;
    changed.notify_all();
}

void ContainerState::shut_down() {
    if (std::exchange(shutting_down_, true) || connections_.empty()) return;
    Duration longest = Duration::zero();
    const auto connections = connections_;
    for (const auto& [number, connection] : connections) {
        longest = std::max(longest, connection->close_timeout);
        connection->close({});
    }
    // The engine gives a silent peer up after close_timeout; this is for what the engine cannot see, and it keeps us
    // alive.
    const Instant last = loop->reactor.now() + longest + longest / 4;
    cut_timer_ = loop->reactor.start_timer(last, [self = shared_from_this()] {
        self->cut_timer_ = 0;
        self->cut_all();
    });
}

void ContainerState::cut_all() {
    shutting_down_ = true;
    const auto connections = connections_;
    for (const auto& [number, connection] : connections) connection->cut();
}

}  // namespace aprotic::engine
