#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <aprotic/engine/container.hpp>
#include <aprotic/engine/state/connection_state.hpp>
#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

/// What lives on when a Container is destroyed, until its last connection has gone.
struct ContainerState : std::enable_shared_from_this<ContainerState> {
    ContainerState(std::shared_ptr<Loop> its_loop, std::string its_id);
    /// With connections left only when a borrowed reactor was destroyed before they had ended.
    ~ContainerState();

    /// Any thread. Throws std::invalid_argument when an option is out of its range.
    std::shared_ptr<ConnectionState> make_connection(EngineRole role, ConnectionOptions options,
                                                     std::shared_ptr<ConnectionHandler> handler, std::string peer_name);
    static Connection make_handle(const std::shared_ptr<ConnectionState>& connection) {
        return ConnectionState::make_handle(connection);
    }

    const std::shared_ptr<Loop> loop;
    const std::string id;

    // --- reactor's thread
    // --------------------------------------------------------------------------------------------------

    void add(const std::shared_ptr<ConnectionState>& connection);
    void remove(ConnectionState& connection);
    /// Closes every connection, and cuts those whose peer has not answered in time.
    void shut_down();
    void cut_all();

    // --- under `mutex`
    // -----------------------------------------------------------------------------------------------------
    std::mutex mutex;
    std::condition_variable changed;
    bool empty = true;

private:
    std::map<std::uint64_t, std::shared_ptr<ConnectionState>> connections_;  // by number: an order that every run has
    std::uint64_t last_number_ = 0;
    bool shutting_down_ = false;
    Reactor::TimerId cut_timer_ = 0;
};

}  // namespace aprotic::engine
