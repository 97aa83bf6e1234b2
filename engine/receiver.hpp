#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/delivery.hpp>
#include <aprotic/engine/handler.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/suspended_link.hpp>

namespace aprotic::engine {

/// A receiving link beyond its address.
struct ReceiverOptions {
    /// Name, modes, filters, capabilities, properties; termini are filled in when absent. With `link.suspended` the
    /// name and the unsettled deliveries are those of the link before.
    LinkOptions link{};
    /// Deliveries the peer may have under way: topped up as they are settled, so credit plus unsettled never exceeds
    /// it. 0: the application grants by add_credit.
    std::uint32_t credit = 100;
    /// Bytes of deliveries that the application has and has not settled: near it credit is withheld, beyond it what the
    /// peer has not used is taken back. What is on the way still comes. 0: only `credit` counts. Messages in parts have
    /// LinkOptions::stream_window instead.
    std::size_t credit_bytes = 0;
    bool dynamic = false;  ///< ask the peer to make a node and name it; the address given to open_receiver is ignored
};

/// A handle on a receiving link. Cheap to copy, any thread. The link is closed, without blocking, when the last handle
/// goes and it has no handler.
class Receiver {
public:
    Receiver() = default;  ///< names nothing

    /// The next message, for links opened without a handler. Errors: timed_out, would_deadlock, or why the link ended.
    codec::Result<Delivery, Failure> try_receive(Duration timeout) const;
    /// As try_receive; throws std::system_error with the failure's text.
    Delivery receive(Duration timeout) const;

    /// As try_receive, for a callback, a future or co_await; works on the reactor's thread. Cancelled, it takes no
    /// message.
    Async<Delivery> async_receive(Duration timeout, std::stop_token cancel = {}) const;

    codec::Result<void, Failure> wait_open(Duration timeout) const;
    Async<void> async_wait_open(Duration timeout, std::stop_token cancel = {}) const;
    /// Links with ReceiverOptions::credit 0: `more` deliveries may come.
    void add_credit(std::uint32_t more) const;
    /// Links with another ReceiverOptions::credit than 0: from now on it is `deliveries`, at least 1. What has been
    /// granted beyond that is taken back; what is on the way still comes.
    void set_credit(std::uint32_t deliveries) const;
    /// Asks for what there is and stops; ends in on_drained.
    void drain() const;
    /// Detaches with closed=true. Does not block.
    void close(std::optional<codec::ErrorCondition> error = {}) const;
    /// As close; done when the link is over on both sides. Cancelling takes nothing back.
    Async<void> async_close(Duration timeout, std::stop_token cancel = {},
                            std::optional<codec::ErrorCondition> error = {}) const;
    /// Tells the peer our flow state with `properties` (symbol keys) and asks for its own. Not before the link is
    /// attached. [2.6.7-p]
    Async<PeerFlow> async_flow(Duration timeout, std::stop_token cancel = {}, codec::Map properties = {}) const;
    /// Detaches without closing. With LinkOptions::resumable the deliveries that the application has may be settled
    /// later: the peer hears of it when the link is attached again with take_suspended(); else as close. [2.6.4]
    void detach() const;
    /// Of a link with LinkOptions::resumable that has ended without being closed, by us, the peer or a lost connection:
    /// what the next open_receiver takes as LinkOptions::suspended, on this connection or another. Null before the end,
    /// and when it was taken.
    std::shared_ptr<SuspendedLink> take_suspended() const;

    std::uint32_t credit() const;         ///< reactor's thread only
    std::uint32_t available() const;      ///< reactor's thread only; messages the sender said it has [2.6.7-m]
    bool is_open() const;                 ///< any thread; a moment's view
    const codec::Attach* remote() const;  ///< reactor's thread only, null before on_open
    /// The transaction of a message of which some frames have come and not the last; reactor's thread only. [4.4.1-e]
    std::optional<codec::Binary> partial_txn_id() const;
    std::string name() const;
    /// The source's address: once open, the peer's word, so a dynamic node's name. Any thread.
    std::string address() const;

    explicit operator bool() const noexcept { return state_ != nullptr; }

private:
    friend class Transaction;
    friend struct MessagesAtHand;
    friend struct ReceiverState;
    explicit Receiver(std::shared_ptr<struct ReceiverState> state) : state_(std::move(state)) {}
    std::shared_ptr<struct ReceiverState> state_;
};

}  // namespace aprotic::engine
