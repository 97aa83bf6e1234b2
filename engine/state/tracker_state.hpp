#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <aprotic/codec/message.hpp>
#include <aprotic/engine/core/intrusive_list.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/ids.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/state/byte_budget.hpp>
#include <aprotic/engine/state/completer.hpp>
#include <aprotic/engine/state/loop.hpp>

namespace aprotic::engine {

struct SenderState;
struct TransactionState;

/// What the trackers of one sender share; they may outlive it.
struct TrackerHome : std::enable_shared_from_this<TrackerHome> {
    TrackerHome(std::shared_ptr<Loop> its_loop, std::weak_ptr<SenderState> its_sender)
        : loop(std::move(its_loop)), sender(std::move(its_sender)) {}

    const std::shared_ptr<Loop> loop;
    const std::weak_ptr<SenderState> sender;
    std::mutex mutex;  ///< of what few trackers have: those who wait, and provisional outcomes
};

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

/// A counted pointer to a tracker's state. Any thread, one object on one thread at a time.
class TrackerRef {
public:
    TrackerRef() noexcept = default;
    TrackerRef(std::nullptr_t) noexcept {}
    explicit TrackerRef(Tracker::State* state) noexcept;
    TrackerRef(const TrackerRef& other) noexcept : TrackerRef(other.state_) {}
    TrackerRef(TrackerRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    TrackerRef& operator=(TrackerRef other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~TrackerRef();

    /// Takes over a reference that is counted already, and gives one away that stays counted.
    static TrackerRef adopt(Tracker::State* state) noexcept {
        TrackerRef ref;
        ref.state_ = state;
        return ref;
    }
    Tracker::State* leave() noexcept { return std::exchange(state_, nullptr); }
    /// Gives it up on the reactor's thread, where its memory is at hand for the next.
    void drop_here() noexcept;

    Tracker::State* get() const noexcept { return state_; }
    Tracker::State& operator*() const noexcept { return *state_; }
    Tracker::State* operator->() const noexcept { return state_; }
    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    Tracker::State* state_ = nullptr;
};

struct Tracker::State {
    enum class Stage {
        queued,
        with_engine,
        provisional,  ///< answered; its transaction decides
        finished
    };
    using Deadlines = std::multimap<Instant, State*, std::less<>, RecyclingAllocator<std::pair<const Instant, State*>>>;

    State(TrackerHome& its_home, std::size_t message_bytes) : home(&its_home), bytes(message_bytes) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    /// Before anybody else knows of it.
    void retain_first() noexcept { references_.store(2, std::memory_order_relaxed); }
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(false);
    }
    void release_here() noexcept {
        // Nobody else is left who could make it more.
        if (references_.load(std::memory_order_acquire) == 1 ||
            references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            destroy(true);
    }

    /// Null while it is not known. Any thread.
    const Outcome* outcome() const noexcept {
        return (marks_.load(std::memory_order_acquire) & finished) != 0 ? outcome_ : nullptr;
    }
    /// Sets the outcome and wakes who waits. Returns the callback that is due now, if any. The first outcome counts.
    /// Reactor's thread, or before anybody else knows of the tracker.
    [[nodiscard]] Function<void(const Outcome&)> finish(Outcome&& how);
    /// The same for an outcome that says no more than this.
    [[nodiscard]] Function<void(const Outcome&)> finish(Outcome::Kind how);
    /// The two halves of that, for who ends several at once.
    void conclude(Outcome::Kind how);
    [[nodiscard]] Function<void(const Outcome&)> take_due_callback() noexcept;
    /// False: nobody will call `done`, which is untouched; the outcome is known. Any thread.
    bool on_done(Function<void(const Outcome&)>& done);
    /// Waits for the outcome; null when `timeout` has passed. Any other thread.
    const Outcome* wait_for(Duration timeout);
    /// Any thread. `waiter` is told the outcome.
    void add_waiter(Completer<Outcome> waiter);
    /// Reactor's thread. Nobody is called any more.
    void forget_user();

    /// Lives at least as long as the sender that made the tracker.
    TrackerHome* const home;
    /// Whatever is, or will be, on none of that sender's lists keeps the home itself. The others, and they are most, go
    /// without a count that all of them share. Reactor's thread, or before anybody else knows of the tracker.
    void hold_home() {
        if (!held_home_) held_home_ = home->shared_from_this();
    }
    bool is_shared() const noexcept { return references_.load(std::memory_order_acquire) != 1; }

    // Reactor's thread, and the sending thread before it has handed the message over.
    codec::EncodedMessage message;  ///< while it waits for credit
    SendOptions options;
    const std::size_t bytes;
    std::optional<Instant> deadline;
    std::optional<Deadlines::iterator> in_deadlines;  ///< of its sender
    std::uint64_t number = 0;                         ///< order in which the sender took it
    DeliveryId id;
    Stage stage = Stage::queued;
    bool counted = false;                           ///< holds a part of the sender's budget
    std::unique_ptr<OutgoingParts> parts;           ///< null for those sent whole
    std::shared_ptr<TransactionState> transaction;  ///< ours, that it is sent in
    void* context = nullptr;
    core::ListHook<State> of_sender;  ///< of what it has queued, or of what is with the engine

    std::unique_ptr<const Outcome> provisional;  ///< under home->mutex

private:
    /// Who waits, by a thread or by an operation. Under home->mutex.
    struct Waiting {
        std::condition_variable done;
        std::vector<Completer<Outcome>> operations;
    };

    // What `marks_` has. Whoever adds `called` owns the callback until then; whoever finds it owns it from then on.
    static constexpr unsigned finished = 1;   // `outcome_` is there
    static constexpr unsigned called = 2;     // `callback_` is there
    static constexpr unsigned forgotten = 4;  // no callback is wanted any more
    static constexpr unsigned waited = 8;     // `waiting_` may be there

    ~State() = default;
    void destroy(bool here) noexcept;
    void conclude_with(const Outcome* how);
    void wake();

    std::shared_ptr<TrackerHome> held_home_;
    std::atomic<std::uint32_t> references_{1};
    std::atomic<unsigned> marks_{0};
    const Outcome* outcome_ = nullptr;
    std::unique_ptr<const Outcome> own_outcome_;  // where `outcome_` is none of those that say only a kind
    Function<void(const Outcome&)> callback_;
    bool callback_due_ = false;  // the reactor's thread's: it was there when the outcome came
    std::unique_ptr<Waiting> waiting_;
};

inline TrackerRef::TrackerRef(Tracker::State* state) noexcept : state_(state) {
    if (state_ != nullptr) state_->retain();
}
inline TrackerRef::~TrackerRef() {
    if (state_ != nullptr) state_->release();
}
inline void TrackerRef::drop_here() noexcept {
    if (state_ != nullptr) std::exchange(state_, nullptr)->release_here();
}

/// Trackers in order, each of them counted.
class TrackerList {
public:
    bool empty() const noexcept { return list_.empty(); }
    std::size_t size() const noexcept { return list_.size(); }
    void push_back(TrackerRef tracker) noexcept { list_.push_back(*tracker.leave()); }
    TrackerRef pop_front() {
        list_.front()->hold_home();
        return TrackerRef::adopt(&list_.pop_front());
    }
    /// It is in one of these lists.
    static bool contains(const Tracker::State& tracker) noexcept { return List::contains(tracker); }
    /// It is in this list.
    TrackerRef remove(Tracker::State& tracker) {
        tracker.hold_home();
        list_.remove(tracker);
        return TrackerRef::adopt(&tracker);
    }
    /// The same for one that has ended: it goes at once, or only handles of its user's are left.
    TrackerRef remove_ended(Tracker::State& tracker) {
        if (tracker.is_shared()) tracker.hold_home();
        list_.remove(tracker);
        return TrackerRef::adopt(&tracker);
    }
    TrackerRef pop_front_ended() { return remove_ended(*list_.front()); }
    /// Calls `visit` for each, which may remove the one it is given.
    template <class F>
    void for_each(F visit) const {
        list_.for_each(visit);
    }
    TrackerList() = default;
    TrackerList(const TrackerList&) = delete;
    TrackerList& operator=(const TrackerList&) = delete;
    ~TrackerList() {
        while (!empty()) static_cast<void>(pop_front());
    }

private:
    using List = core::IntrusiveList<Tracker::State, &Tracker::State::of_sender>;
    List list_;
};

}  // namespace aprotic::engine
