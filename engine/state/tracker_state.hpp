#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/state/byte_budget.hpp>
#include <aprotic/engine/state/completer.hpp>
#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

struct SenderState;
struct TransactionState;

/// What a message that is handed over in parts has beside the others.
struct OutgoingParts {
    explicit OutgoingParts(std::size_t bytes_max) : budget(mutex, bytes_max) {}

    std::mutex mutex;   ///< the budget's
    ByteBudget budget;  ///< any thread

    // Reactor's thread.
    codec::ByteChain before;  ///< what was appended before its turn came
    std::size_t counted = 0;  ///< bytes of the budget that wait here or with the engine
    bool whole = false;       ///< no part comes any more
};

struct Tracker::State {
    enum class Stage {
        queued,
        with_engine,
        provisional,  ///< answered; its transaction decides
        finished
    };

    State(std::shared_ptr<Loop> its_loop, std::weak_ptr<SenderState> its_sender, codec::EncodedMessage its_message)
        : loop(std::move(its_loop)),
          sender(std::move(its_sender)),
          message(std::move(its_message)),
          bytes(message.size()) {}

    /// Sets the outcome and wakes who waits. Returns the callback that is due now, if any. The first outcome counts.
    [[nodiscard]] Function<void(const Outcome&)> finish(Outcome how);
    /// Any thread. `waiter` is told the outcome.
    void add_waiter(Completer<Outcome> waiter);
    /// Any thread. Nobody is called any more.
    void forget_user();

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
    bool counted = false;                           ///< holds a part of the sender's budget
    std::unique_ptr<OutgoingParts> parts;           ///< null for those sent whole
    std::shared_ptr<TransactionState> transaction;  ///< ours, that it is sent in
    void* context = nullptr;

    std::mutex mutex;  // for what follows
    std::condition_variable done;
    std::optional<Outcome> outcome;
    std::optional<Outcome> provisional;
    Function<void(const Outcome&)> callback;
    std::vector<Completer<Outcome>> waiters;
};

}  // namespace aprotic::engine
