#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/types.hpp>
#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/reactor.hpp>

namespace aprotic::driver::bus {

/// One message on its way, from the request to its end. Filled on any thread, then used by the bus on the reactor's
/// thread.
struct Letter {
    enum class Kind {
        call,
        cast,
        reply,
        heartbeat,
        connect,  ///< no message: somebody waits for the connection
    };
    /// How far it has come: what a deadline finds missing.
    enum class Stage {
        waiting,   ///< for the connection, or for the reply link
        queued,    ///< at its outbound, whose link is not there
        handed,    ///< to the link, which has not told an outcome
        accepted,  ///< the peer is responsible for it (or it went settled); a call waits for its reply
        ended,
    };

    Letter() = default;
    Letter(const Letter&) = delete;
    Letter& operator=(const Letter&) = delete;
    /// A letter that is dropped ends as closed: nobody waits for ever.
    ~Letter();

    // What is asked.
    Kind kind = Kind::cast;
    Target target;                    ///< call, cast
    std::string address;              ///< reply, heartbeat: given; else that of the target on the connection
    std::optional<std::string> text;  ///< the body
    std::optional<codec::MessageId> correlation_id;
    bool settled = false;
    Duration timeout{};
    std::optional<Duration> ttl;
    std::optional<Duration> call_monitor_timeout;
    int retries = -1;                           ///< further attempts; -1: until the deadline
    std::optional<CallFailure> unsendable;      ///< known before it was begun
    engine::Function<void(Result<Json>)> done;  ///< called once; null for a cast

    // How it goes.
    std::uint64_t number = 0;  ///< order of submission
    Stage stage = Stage::waiting;
    engine::Instant started{};
    engine::Reactor::TimerId deadline_timer = 0;
    engine::Reactor::TimerId monitor_timer = 0;
    std::string message_id;  ///< calls
    std::string host;        ///< where it was handed over
    engine::Tracker tracker;
    unsigned heartbeats = 0;
    unsigned given_back = 0;  ///< released or modified so often

    bool is_request() const noexcept { return kind == Kind::call || kind == Kind::cast; }
    std::size_t size() const noexcept { return text ? text->size() : 0; }
    void end(Result<Json> result);
};

using LetterPtr = std::shared_ptr<Letter>;

}  // namespace aprotic::driver::bus
