#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

struct SenderState;

struct Tracker::State {
    enum class Stage { queued, with_engine, finished };

    State(std::shared_ptr<Loop> its_loop, std::weak_ptr<SenderState> its_sender, codec::EncodedMessage its_message)
        : loop(std::move(its_loop)),
          sender(std::move(its_sender)),
          message(std::move(its_message)),
          bytes(message.size()) {}

    /// Sets the outcome and wakes who waits. Returns the callback that is due now, if any. The first outcome counts.
    [[nodiscard]] Function<void(const Outcome&)> finish(Outcome how);

    const std::shared_ptr<Loop> loop;
    const std::weak_ptr<SenderState> sender;

    // Reactor's thread, and the sending thread before it has handed the message over.
    codec::EncodedMessage message;  ///< empty once the engine has it
    SendOptions options;
    const std::size_t bytes;
    std::optional<Instant> deadline;
    std::uint64_t number = 0;  ///< order in which the sender took it
    DeliveryId id;
    Stage stage = Stage::queued;
    bool cancelled = false;  ///< before the sender took it
    bool counted = false;    ///< holds a part of the sender's budget

    std::mutex mutex;  // for what follows
    std::condition_variable done;
    std::optional<Outcome> outcome;
    Function<void(const Outcome&)> callback;
};

}  // namespace aprotic::engine
