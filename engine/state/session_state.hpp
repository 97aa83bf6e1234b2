#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

struct ConnectionState;

/// A session we begin. Reactor's thread but for handles_gone().
struct SessionState : std::enable_shared_from_this<SessionState> {
    SessionState(std::shared_ptr<ConnectionState> its_connection, SessionOptions its_options, bool is_common);

    /// Any thread.
    void handles_gone();
    void end(std::optional<codec::ErrorCondition> error);
    /// Ends the session when nobody uses it any more; the common one stays.
    void end_unused();

    const std::weak_ptr<ConnectionState> connection;
    const std::shared_ptr<Loop> loop;
    const SessionOptions options;
    const bool common;
    std::optional<SessionId> id;  ///< none before begin and after the end
    std::size_t links = 0;
    bool held = false;
    bool over = false;
};

}  // namespace aprotic::engine
