#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include <aprotic/codec/performatives.hpp>
#include <aprotic/engine/event.hpp>
#include <aprotic/engine/failure.hpp>
#include <aprotic/engine/link_status.hpp>
#include <aprotic/engine/options.hpp>
#include <aprotic/engine/state/completer.hpp>
#include <aprotic/engine/state/id_hash.hpp>
#include <aprotic/engine/state/loop.hpp>
#include <aprotic/engine/state/optional_id.hpp>
#include <aprotic/engine/state/packed_texts.hpp>
#include <aprotic/engine/state/remote_attach.hpp>
#include <aprotic/engine/suspended_link.hpp>

namespace aprotic::engine {

struct ConnectionState;
struct ReceiverState;
struct SessionState;

/// What the links of one connection share, as long as one of them is there: most connections have many, and most links
/// are idle.
struct LinkCommons {
    LinkCommons(std::shared_ptr<Loop> its_loop, std::string peer)
        : loop(std::move(its_loop)), peer_name(std::move(peer)) {}

    const std::shared_ptr<Loop> loop;
    const std::string peer_name;
    std::mutex mutex;
};

/// What a link has that may be attached again, or is attached in place of another.
struct Resumption {
    // Reactor's thread.
    std::shared_ptr<SuspendedLink> resuming;                          ///< until it is attached: what to attach it with
    std::shared_ptr<SuspendedLink> left;                              ///< what the engine handed over at its end
    std::weak_ptr<SuspendedLink> suspended_as;                        ///< receiving: `left`, wherever it is now
    std::unordered_map<DeliveryId, codec::DeliveryTag, IdHash> tags;  ///< receiving: of what is with the application

    // Under the link's mutex.
    std::shared_ptr<SuspendedLink> suspended;  ///< until it is taken
    std::shared_ptr<ReceiverState> successor;  ///< receiving: attached in our place
};

/// What sending and receiving links have in common: the way from attach to detach, told to threads that wait and to the
/// handler.
///
/// Members are for the reactor's thread unless they say otherwise. A link ends exactly once, by end(); from then on
/// `connection` is null and every command does nothing.
struct LinkState : std::enable_shared_from_this<LinkState> {
    LinkState(ConnectionState& its_connection, LinkOptions its_options, bool has_handler);
    virtual ~LinkState() = default;

    // --- any thread
    // --------------------------------------------------------------------------------------------------------

    const std::shared_ptr<Loop>& loop() const noexcept { return commons->loop; }
    Reactor& reactor() const noexcept { return commons->loop->reactor; }
    /// Runs `command` on the reactor's thread: at once when this is it.
    template <class F>
    void run(F command) {
        if (reactor().on_thread()) return command();
        reactor().post([self = shared_from_this(), command = std::move(command)]() mutable { command(); });
    }
    void handles_gone();
    codec::Result<void, Failure> wait_open(Duration timeout);
    Async<void> async_wait_open(Duration timeout, std::stop_token cancel);
    Async<void> async_close(Duration timeout, std::stop_token cancel, std::optional<codec::ErrorCondition> error);
    Async<PeerFlow> async_flow(Duration timeout, std::stop_token cancel, codec::Map properties);
    std::shared_ptr<SuspendedLink> take_suspended();
    bool is_open();
    std::string name() const { return std::string(texts_[0]); }
    /// Empty: a dynamic node, or none.
    std::string_view wanted_address() const noexcept { return texts_[role == codec::Role::receiver ? 1 : 2]; }
    std::string current_address();
    /// Why nothing goes any more; nullopt while the link lives.
    std::optional<Failure> over();
    /// It is about to be attached in place of another.
    bool resumes() const noexcept { return resumption && resumption->resuming; }
    /// "the sender to 'orders' at localhost:5672", for texts.
    std::string description() const;

    const std::shared_ptr<LinkCommons> commons;
    const std::unique_ptr<Resumption> resumption;  ///< null for a link that is neither resumable nor resumed

    // --- reactor's thread
    // --------------------------------------------------------------------------------------------------

    void close(std::optional<codec::ErrorCondition> error) { leave(true, std::move(error)); }
    /// Detaches without closing.
    void suspend() { leave(false, {}); }
    /// Our attach has been given to the engine under this id.
    void attached(LinkId link_id);
    /// Both halves are known, `attach` is the peer's; null: the link answers one that is known. Only the first call
    /// counts.
    void opened(const codec::Attach* attach = nullptr);
    void detaching(const LinkDetaching& event);
    void handle_flow(const LinkFlowed& event);
    /// `why` empty: closed by us.
    void end(std::optional<Failure> why);
    /// end() from outside of the user's own call.
    void end_later(std::optional<Failure> why);

    /// The link is about to be attached in place of another.
    virtual void before_attach(const SuspendedLink&) {}
    /// `resumed`: what the link was attached again with, or null.
    virtual void after_attach(const std::shared_ptr<SuspendedLink>&) {}
    virtual void after_open() {}
    virtual void flowed() {}
    virtual void flow_properties(const codec::Map&) {}
    virtual void deliveries_received(std::span<const DeliveryId>) {}
    virtual void delivery_updated(const DeliveryUpdated&) {}
    virtual void deliveries_settled(const DeliveriesSettled&) {}
    /// The engine gives these up without having sent anything of them.
    virtual void never_sent(const std::vector<DeliveryId>&) {}
    /// The link goes away: gives back what can be given back while the engine still knows it.
    virtual void before_detach() {}
    /// Ends what hangs on the link. `why` says why, also after an orderly close.
    virtual void after_end(const Failure& why) = 0;
    /// Drops handler and callbacks: nothing of the user's is called any more.
    virtual void forget_user();
    virtual void tell_open() = 0;
    virtual void tell_remote_close(const std::optional<codec::ErrorCondition>& error) = 0;
    virtual void tell_close(const std::optional<Failure>& why) = 0;

    ConnectionState* connection;
    std::shared_ptr<SessionState> session;  ///< null: one that the peer began
    RemoteAttach remote;
    /// The peer's attach; null while it is not known. The caller may keep the pointer.
    const codec::Attach* remote_attach();
    /// What a message of an open link has become that the peer settles without a word; null: nobody knows. [3.5.3]
    const codec::Outcome* default_outcome();
    /// What the link was asked for with; until it is attached.
    const LinkOptions& asked() const noexcept { return *pending_->asked; }

    // --- under the mutex in `commons`
    // -----------------------------------------------------------------------------------------------------
    /// Waits until the link has changed so that `met` says so; what it says in the end.
    template <class Condition>
    bool wait_for(std::unique_lock<std::mutex>& lock, Duration timeout, Condition&& met) {
        return seldom().changed.wait_for(lock, bounded(timeout), met);
    }
    void wake_one() noexcept {
        if (seldom_) seldom_->changed.notify_one();
    }
    void wake_all() noexcept {
        if (seldom_) seldom_->changed.notify_all();
    }
    std::unique_ptr<const Failure> ended;

private:
    /// Under the mutex: what is made when a thread first waits, or the address is not wanted_address().
    struct Seldom {
        std::condition_variable changed;
        std::string named_by_peer;
    };

    /// What a link has until it is attached, and when an operation waits for it.
    struct Pending {
        bool empty() const noexcept { return !asked && opening.empty() && ending.empty() && asking.empty(); }

        std::unique_ptr<const LinkOptions> asked;  ///< until the link is open, where its source has a default outcome
        Waiters<void> opening;
        Waiters<void> ending;
        Waiters<PeerFlow> asking;
    };

    void leave(bool closed, std::optional<codec::ErrorCondition> error);
    /// From now on nothing can be asked of the link.
    void stop(const Failure& why);
    Pending& pending();
    void leave_pending() noexcept {
        if (pending_ && pending_->empty()) pending_.reset();
    }
    Seldom& seldom();
    /// The attach of a peer who takes the link as it is.
    codec::Attach expected_attach() const;

    const PackedTexts<3> texts_;  ///< name, our source's address, our target's
    std::unique_ptr<Pending> pending_;
    std::unique_ptr<Seldom> seldom_;

public:
    OptionalId<LinkId> id;

    // Last, since derived classes go on in what is left of eight octets; and in octets of their own by who changes
    // them.
    const codec::Role role : 1;
    const codec::SenderSettleMode snd_settle_mode : 2;
    const codec::ReceiverSettleMode rcv_settle_mode : 1;
    const bool in_parts : 1;  ///< receiving: messages are told part by part
    const bool dynamic : 1;   ///< sending: the peer makes the node and names it
    const bool resumable : 1;
    const bool handled : 1;  ///< somebody else than handles holds the link open

    bool open = false;  ///< under the mutex

    bool holds : 1;  ///< the link holds its connection open
    bool opened_once : 1 = false;
    bool left_by_peer : 1 = false;  ///< `ended` says how, before the link has ended
    bool closing : 1 = false;       ///< our detach has been given
    bool given_up : 1 = false;      ///< it closes: nobody will attach the link again
};

}  // namespace aprotic::engine
