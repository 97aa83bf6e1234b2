#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <aprotic/engine/sender.hpp>
#include <aprotic/engine/state/byte_budget.hpp>
#include <aprotic/engine/state/link_state.hpp>
#include <aprotic/engine/state/tracker_state.hpp>

namespace aprotic::engine {

/// A sending link. Messages wait here until the link is open and has credit for them, and only then go to the engine:
/// so what is still here has certainly not left, whatever happens to the connection.
struct SenderState final : LinkState {
    using TrackerState = std::shared_ptr<Tracker::State>;

    SenderState(std::shared_ptr<Loop> its_loop, ConnectionState& its_connection, LinkOptions its_options,
                std::size_t queue_bytes_max, std::shared_ptr<SenderHandler> its_handler);
    ~SenderState() override;

    static Sender make_handle(const std::shared_ptr<SenderState>& state, std::shared_ptr<void> keeps) {
        return Sender(make_held(state, std::move(keeps)));
    }
    /// Any thread.
    Tracker send(codec::EncodedMessage message, const SendParameters& parameters);
    void cancel(const TrackerState& tracker);

    std::uint32_t credit() const;
    std::size_t pending() const;
    /// Looks at the credit again, because it changes without an event: a message has gone, a drain has ended.
    void recheck();
    /// Calls a tracker's callback; what it throws closes the connection, if that is still there.
    static void call_back(ConnectionState* on, Function<void(const Outcome&)>& callback, const Outcome& outcome);

    void after_open() override;
    void flowed() override;
    void delivery_updated(const DeliveryUpdated& event) override;
    void before_detach() override;
    void after_end(const Failure& why) override;
    void forget_user() override;
    void tell_open() override;
    void tell_remote_close(const std::optional<codec::ErrorCondition>& error) override;
    void tell_close(const std::optional<Failure>& why) override;

private:
    struct HandOver;
    struct IdHash {
        std::size_t operator()(DeliveryId id) const noexcept {
            return static_cast<std::size_t>(id.index) ^ (static_cast<std::size_t>(id.generation) << 32U);
        }
    };
    enum class Callback { now, later };

    void enqueue(TrackerState tracker);
    void serve();
    void hand_over(const TrackerState& tracker);
    void refresh_credit();
    void look_again();
    void finish(const TrackerState& tracker, Outcome outcome, Callback when);
    /// Takes a message back if nothing of it has left. True: it is queued nowhere any more.
    bool take_back(const TrackerState& tracker);
    void arm_deadline();
    void deadline_passed();
    Outcome not_sent(Errc code, std::string text) const;

    std::shared_ptr<SenderHandler> handler_;
    ByteBudget budget_;
    std::deque<TrackerState> queue_;  ///< those taken back in between are finished already
    std::size_t queued_ = 0;          ///< of these, not finished
    std::unordered_map<DeliveryId, TrackerState, IdHash> unfinished_;  ///< with the engine
    std::vector<TrackerState> returned_;                               ///< taken back because the link goes away
    std::multimap<Instant, std::weak_ptr<Tracker::State>> deadlines_;
    Reactor::TimerId deadline_timer_ = 0;
    std::optional<Instant> deadline_armed_;
    std::uint64_t last_number_ = 0;
    std::uint32_t spare_ = 0;  ///< credit that no message with the engine will use
    std::uint32_t available_told_ = 0;
    bool may_rise_ = false;  ///< `spare_` may be too small by a message that is partly on the wire
    bool listed_ = false;    ///< for another look
};

}  // namespace aprotic::engine
