#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <aprotic/engine/state/loop.hpp>
#include <aprotic/engine/state/tracker_state.hpp>
#include <aprotic/engine/transaction.hpp>

namespace aprotic::engine {

struct CoordinatorState;
struct LinkState;
struct ReceiverState;

/// The same outcome as a state of a delivery.
inline codec::DeliveryState to_state(codec::Outcome outcome) {
    return std::visit([](auto& which) { return codec::DeliveryState(std::move(which)); }, outcome);
}

/// A thread that waits for what the reactor's thread will say once.
template <class T>
struct Waiter {
    void tell(T what) {
        const std::lock_guard lock(mutex);
        told.emplace(std::move(what));
        changed.notify_all();
    }
    std::optional<T> wait(Duration timeout) {
        std::unique_lock lock(mutex);
        changed.wait_for(lock, bounded(timeout), [this] { return told.has_value(); });
        return std::exchange(told, std::nullopt);
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::optional<T> told;
};

/// An answer that holds only if its transaction is committed. Shared by the delivery, which is the application's, and
/// the transaction, which is the reactor's.
struct ProvisionalAnswer {
    enum class Stage {
        pending,
        dropped,   ///< pending, and nobody has the delivery any more
        applied,   ///< the transaction was committed
        reverted,  ///< it was not: the delivery may be answered again
    };

    ProvisionalAnswer(std::shared_ptr<ReceiverState> its_receiver, DeliveryId its_delivery, std::size_t its_bytes,
                      codec::Outcome its_outcome)
        : receiver(std::move(its_receiver)),
          delivery(its_delivery),
          bytes(its_bytes),
          outcome(std::move(its_outcome)) {}

    /// The delivery goes. True: the transaction sees to the message.
    bool drop() noexcept {
        Stage before = Stage::pending;
        return stage.compare_exchange_strong(before, Stage::dropped) || before == Stage::applied;
    }

    const std::shared_ptr<ReceiverState> receiver;
    const DeliveryId delivery;
    const std::size_t bytes;
    const codec::Outcome outcome;
    std::atomic<Stage> stage = Stage::pending;
};

/// A transaction from its declaration to its discharge. Reactor's thread but for what is const.
struct TransactionState : std::enable_shared_from_this<TransactionState> {
    using TrackerState = TrackerRef;

    TransactionState(std::shared_ptr<CoordinatorState> its_coordinator, codec::Binary its_id);

    /// Any thread.
    template <class F>
    void run(F command) {
        if (loop->reactor.on_thread()) return command();
        loop->reactor.post(std::move(command));
    }

    const std::shared_ptr<CoordinatorState> coordinator;
    const std::shared_ptr<Loop> loop;
    const codec::Binary id;
    const std::shared_ptr<const codec::DeliveryState> state;  ///< of every frame that belongs to it
    const CoordinatorCapabilities capabilities;

    /// Whether the link may take part. [4.5-b]
    bool admits(const LinkState& link) const;
    bool live() const noexcept { return phase_ == Phase::live; }
    /// Something may still be done within it that was begun before its end was asked for.
    bool open() const noexcept { return phase_ == Phase::live || phase_ == Phase::finishing; }
    bool over() const noexcept { return phase_ == Phase::over; }
    bool committed() const noexcept { return committed_; }

    /// False: no message can be sent within it any more.
    bool add_post(const TrackerState& tracker, const LinkState& link);
    /// A post's provisional outcome has come.
    void post_answered(const Outcome& outcome);
    /// A post has ended before it was answered.
    void post_ended(const Outcome& outcome);
    /// A post was taken back on purpose.
    void post_withdrawn();
    void add_answer(std::shared_ptr<ProvisionalAnswer> answer);
    void add_receiver(const std::shared_ptr<ReceiverState>& receiver);
    /// The credit of a receiver has come back.
    void drained();
    /// It can only be rolled back from now on.
    void doom(Failure why);

    void discharge(bool commits, Duration timeout, Transaction::Discharged done);
    /// The coordinator has answered, or is lost.
    void discharged(const Outcome& outcome);
    void lost(const Failure& why);
    void forget_user();

private:
    enum class Phase { live, finishing, discharging, over };
    enum class Fate { committed, rolled_back, in_doubt };

    void proceed();
    void send_discharge();
    void timed_out();
    void end(Fate fate);
    void end_posts(Fate fate);
    void tell(const codec::Result<void, Failure>& how);
    void later(Function<void()> task);
    std::string description() const;

    Phase phase_ = Phase::live;
    bool wanted_ = false;   // the application wants it to be committed
    bool commits_ = false;  // and nothing has come in between
    bool taken_back_ = false;
    bool committed_ = false;
    std::optional<Failure> doomed_;
    std::vector<TrackerState> posts_;
    std::size_t unanswered_ = 0;  // of these
    std::vector<std::shared_ptr<ProvisionalAnswer>> answers_;
    std::vector<std::shared_ptr<ReceiverState>> receivers_;
    std::size_t draining_ = 0;  // of these
    Transaction::Discharged done_;
    Reactor::TimerId timer_ = 0;
};

}  // namespace aprotic::engine
