#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/sender.hpp>
#include <aprotic/engine/state/byte_budget.hpp>
#include <aprotic/engine/state/link_state.hpp>
#include <aprotic/engine/state/tracker_state.hpp>

namespace aprotic::engine {

/// A sending link. Messages wait here until the link is open and has credit for them, and only then go to the engine:
/// so what is still here has certainly not left, whatever happens to the connection.
struct SenderState final : LinkState {
    using TrackerState = TrackerRef;

    SenderState(ConnectionState& its_connection, LinkOptions its_options, std::size_t queue_bytes_max,
                std::shared_ptr<SenderHandler> its_handler);
    ~SenderState() override;

    static Sender make_handle(const std::shared_ptr<SenderState>& state, std::shared_ptr<void> keeps) {
        return Sender(make_held(state, std::move(keeps)));
    }
    /// Any thread.
    Tracker send(codec::EncodedMessage&& message, const SendParameters& parameters,
                 std::shared_ptr<TransactionState> transaction = nullptr);
    Async<Outcome> async_send(codec::EncodedMessage message, Duration timeout, std::stop_token cancel,
                              const SendParameters& parameters);
    OutgoingDelivery begin(const SendParameters& parameters, std::uint32_t message_format);
    codec::Result<void, Failure> append(const TrackerState& tracker, codec::ByteChain part,
                                        std::optional<Duration> timeout);
    Async<void> async_append(const TrackerState& tracker, codec::ByteChain part, Duration timeout,
                             std::stop_token cancel);
    void finish_parts(const TrackerState& tracker);
    void abort_parts(const TrackerState& tracker);
    static Async<Outcome> async_wait(const TrackerState& tracker, Duration timeout, std::stop_token cancel);

    /// Takes the message back if nothing of it has left: it ends as not_sent. False: it goes on.
    bool cancel(const TrackerState& tracker, Errc why = Errc::closed);
    /// Of a resource: ends a message that was answered or acquired within a transaction.
    void settle(const TrackerState& tracker, const codec::Outcome& outcome);

    std::uint32_t credit() const;
    std::size_t pending() const;
    /// Looks at the credit again, because it changes without an event: a message has gone, a drain has ended.
    void recheck();
    /// Calls a tracker's callback; what it throws closes the connection, if that is still there.
    static void call_back(ConnectionState* on, Function<void(const Outcome&)>& callback, const Outcome& outcome);
    /// Ends a message that hangs on no link any more. Any thread.
    static void finish_unheld(const TrackerState& tracker, Outcome outcome);

    void after_attach(const std::shared_ptr<SuspendedLink>& resumed) override;
    void after_open() override;
    void flowed() override;
    void flow_properties(const codec::Map& properties) override;
    void delivery_updated(const DeliveryUpdated& event) override;
    void deliveries_settled(const DeliveriesSettled& event) override;
    void never_sent(const std::vector<DeliveryId>& deliveries) override;
    void before_detach() override;
    void after_end(const Failure& why) override;
    void forget_user() override;
    void tell_open() override;
    void tell_remote_close(const std::optional<codec::ErrorCondition>& error) override;
    void tell_close(const std::optional<Failure>& why) override;

private:
    struct HandOver;
    enum class Callback { now, later };

    /// When to take messages back that have not left.
    struct Deadlines {
        explicit Deadlines(const std::shared_ptr<Recycler>& from)
            : of(Tracker::State::Deadlines::allocator_type(from)) {}

        Tracker::State::Deadlines of;
        Reactor::TimerId timer = 0;
        Instant armed{};  ///< while there is a timer
    };

    /// What was handed over and has not ended.
    struct Messages {
        TrackerList queue;                     ///< without credit so far
        TrackerList unfinished;                ///< with the engine, whose deliveries have the tracker as their context
        std::vector<TrackerState> returned;    ///< taken back because the link goes away
        std::unique_ptr<Deadlines> deadlines;  ///< made with the first
        std::uint64_t last_number = 0;
        std::uint64_t next_tag = 0;  ///< of a resumable link: unique also among those from before
    };

    Messages& messages();
    std::size_t queued() const noexcept { return messages_ ? messages_->queue.size() : 0; }
    TrackerState new_tracker(std::size_t bytes, const SendParameters& parameters, bool here);
    TrackerState make_tracker(codec::EncodedMessage&& message, const SendParameters& parameters, bool here);
    Tracker refuse(const TrackerState& tracker, Outcome&& outcome) const;
    void hand_to_reactor(TrackerState tracker);
    bool goes_at_once(const SendParameters& parameters) const noexcept;
    Tracker send_at_once(codec::EncodedMessage&& message, const SendParameters& parameters);
    void enqueue(TrackerState tracker);
    void serve();
    void tell_available(Engine& engine);
    void hand_over(TrackerState tracker);
    /// `sent`: what the engine said.
    void with_engine(TrackerState tracker, const codec::Result<DeliveryId>& sent);
    /// What the engine tells of its delivery from now on is not for us. Null when it has been let go before.
    TrackerState let_go(Tracker::State& tracker);
    const std::shared_ptr<TrackerHome>& home();
    bool ready() const noexcept;
    codec::Result<DeliveryId> begin_parts(Engine& engine, const TrackerState& tracker);
    void add_part(const TrackerState& tracker, codec::ByteChain part);
    /// The budget for what has left of a message in parts.
    void count_parts(const TrackerState& tracker, std::size_t waiting);
    Failure ended_early(const TrackerState& tracker) const;
    void keep_for_resumption(SuspendedLink& link, const Failure& why);
    void refresh_credit();
    void look_again();
    void answered_within(const TrackerState& tracker, const codec::TransactionalState& state, bool settled);
    void hold(const TrackerState& tracker, Outcome outcome, bool settled);
    SenderHandler& handler();
    void finish(const TrackerState& tracker, Outcome outcome, Callback when);
    /// Its outcome is there.
    void tell(TrackerState tracker);
    void forget_deadline(Tracker::State& tracker) noexcept;
    /// Takes a message back if nothing of it has left. True: it is queued nowhere any more.
    bool take_back(const TrackerState& tracker);
    void arm_deadline();
    void deadline_passed();
    Outcome not_sent(Errc code, std::string text) const;

    // First what fits behind the last of LinkState.
    std::atomic<bool> has_home_ = false;
    bool may_rise_ = false;    ///< `spare_` may be too small by a message that is partly on the wire
    bool listed_ = false;      ///< for another look
    std::uint32_t spare_ = 0;  ///< credit that no message with the engine will use
    std::uint32_t available_told_ = 0;
    std::shared_ptr<SenderHandler> handler_;
    ByteBudget budget_;                   ///< any thread
    std::shared_ptr<TrackerHome> home_;   ///< of its trackers; made with the first, under `mutex`
    std::unique_ptr<Messages> messages_;  ///< made with the first
};

}  // namespace aprotic::engine
