#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/message_view.hpp>
#include <aprotic/engine/async.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/function.hpp>
#include <aprotic/engine/time.hpp>

namespace aprotic::engine {

class TrackerList;
class TrackerRef;

/// How one sent message ended.
struct Outcome {
    enum class Kind {
        accepted,  ///< the receiver is responsible for it now
        rejected,  ///< the receiver calls it invalid; `condition` says why
        released,  ///< not processed; may be sent again
        modified,  ///< not processed; `delivery_failed` and `undeliverable_here` say more
        sent,      ///< sent settled and written to the stream: nothing more will be known
        /// Nothing of it left this process, or only a part that the peer must drop; `failure` says why. Safe to send
        /// again.
        not_sent,
        in_doubt,     ///< it left, and the link was lost before an outcome: it may or may not have been taken
        rolled_back,  ///< sent within a transaction that took no effect: nothing came of it
    };
    Kind kind = Kind::in_doubt;
    std::optional<codec::ErrorCondition> condition{};  ///< rejected
    bool delivery_failed = false;                      ///< modified
    bool undeliverable_here = false;                   ///< modified
    std::optional<Failure> failure{};                  ///< not_sent, in_doubt, rolled_back
    std::optional<codec::Binary> declared{};           ///< accepted, by a coordinator: the transaction's id [4.5.5]

    bool accepted() const noexcept { return kind == Kind::accepted; }
    /// One line for people.
    std::string message() const;
};

/// The kind in words: "accepted", "not sent".
std::string_view name_of(Outcome::Kind kind) noexcept;

/// Follows one sent message to its end. Cheap to copy; any thread.
class Tracker {
public:
    Tracker() = default;
    Tracker(const Tracker& other) noexcept;
    Tracker(Tracker&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Tracker& operator=(Tracker other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~Tracker();

    /// The outcome if it is known.
    std::optional<Outcome> outcome() const;
    /// Waits for the outcome. Errc::timed_out leaves the message on its way: its outcome may still come. Refuses to run
    /// on the reactor's thread.
    codec::Result<Outcome> try_wait(Duration timeout) const;
    /// As try_wait; throws std::system_error.
    Outcome wait(Duration timeout) const;
    /// As try_wait, for a callback, a future or co_await; works on the reactor's thread. Cancelled or timed out, the
    /// message is taken back if nothing of it has left: not_sent. Otherwise this ends as in_doubt, while the message
    /// goes on and the tracker still gets its outcome.
    Async<Outcome> async_wait(Duration timeout, std::stop_token cancel = {}) const;
    /// Calls `done` once on the reactor's thread, also when the outcome is already known. At most one per tracker.
    void on_done(Function<void(const Outcome&)> done) const;
    /// Takes the message back if nothing of it has left: it then ends as not_sent(closed). Otherwise nothing happens.
    void cancel() const;
    /// What the receiver will have made of it if the transaction it was sent in is committed; outcome() follows the
    /// discharge. [4.4.1-f]
    std::optional<Outcome> provisional() const;
    /// SendParameters::context.
    void* context() const;
    /// For a resource of transactions, on the reactor's thread: ends a message that its receiver answered, or acquired,
    /// within a transaction. The receiver is told `outcome`, unless it has settled. [4.4.2] [4.4.3]
    void settle(const codec::Outcome& outcome) const;

private:
    friend class OutgoingDelivery;
    friend class Sender;
    friend class Transaction;
    friend struct SenderState;
    friend struct Suspension;
    friend struct TransactionState;
    friend class TrackerList;
    friend class TrackerRef;
    struct State;
    explicit Tracker(const TrackerRef& state) noexcept;
    explicit Tracker(TrackerRef&& state) noexcept;
    TrackerRef ref() const noexcept;
    State* state_ = nullptr;  // counted
};

/// One received message and the duty to answer it. Movable, not copyable. Any thread, one at a time. Settled at most
/// once: later calls do nothing. Dropped unsettled, it is released, so that nothing is lost by an early return or an
/// exception.
///
/// On a link with LinkOptions::stream_window it may be there before its end has come: read() gives it part by part.
/// Settled or dropped before its end, the rest is not wanted and the sender is told so.
class Delivery {
public:
    Delivery(Delivery&&) noexcept;
    Delivery& operator=(Delivery&&) noexcept;
    ~Delivery();

    /// A lazy view of the content, borrowed: it lives as long as this object, wherever it is moved. Of a message that
    /// comes in parts there is nothing here.
    const codec::MessageView& message() const;
    /// The message's bytes, shared: keep or forward them without a copy. Empty when it comes in parts.
    const codec::ByteChain& payload() const;
    std::uint32_t message_format() const;
    const codec::DeliveryTag& tag() const;
    /// The sender sent it settled: no answer is expected, and giving one does nothing.
    bool is_settled() const;

    /// It comes in parts: message() and payload() are empty, read() has them.
    bool is_in_parts() const;
    /// What has come since the last call, as much as there is; empty at the message's end, and then always. Without a
    /// time-out also on the reactor's thread. Errors: timed_out, would_deadlock, aborted when the sender took the
    /// message back, wrong_state when it does not come in parts, or why the link ended.
    codec::Result<codec::ByteChain, Failure> try_read(Duration timeout);
    /// As try_read; throws std::system_error with the failure's text.
    codec::ByteChain read(Duration timeout);
    /// As try_read, for a callback, a future or co_await. One at a time.
    Async<codec::ByteChain> async_read(Duration timeout, std::stop_token cancel = {});

    /// The transaction that the peer names with it: one that it was sent in or, of ours, acquired in. The answers below
    /// then name it too. Null outside of one. [4.4]
    const codec::Binary* txn_id() const;

    void accept();
    void reject(std::optional<codec::ErrorCondition> why = {});
    void release();
    void modify(bool delivery_failed, bool undeliverable_here = false, codec::Map annotations = {});
    /// Settles with exactly this state, whatever the delivery's transaction.
    void settle(codec::DeliveryState state);
    /// Settles with any outcome and tells when the peer cannot have missed it: on a link whose receiver settles second,
    /// when the sender has settled too [2.6.12-g]; else when it is on its way. Errors: why the link ended before,
    /// wrong_state when it is settled already. Cancelled or timed out, the outcome still goes to the peer.
    Async<void> async_settle(codec::DeliveryState outcome, Duration timeout, std::stop_token cancel = {});

private:
    friend struct MessagesAtHand;
    friend struct ReceiverState;
    friend class Transaction;
    struct State;
    void answer(codec::Outcome outcome);
    explicit Delivery(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace aprotic::engine
