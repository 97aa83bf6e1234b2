#pragma once

#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/engine/connection.hpp>
#include <aprotic/engine/core/rare.hpp>
#include <aprotic/engine/engine.hpp>
#include <aprotic/engine/io/pump.hpp>
#include <aprotic/engine/state/completer.hpp>
#include <aprotic/engine/state/link_state.hpp>
#include <aprotic/engine/state/link_table.hpp>
#include <aprotic/engine/state/loop.hpp>
#include <aprotic/engine/state/session_state.hpp>
#include <aprotic/engine/state/signal.hpp>

namespace aprotic::engine {

struct ContainerState;
struct CoordinatorState;
struct MessagesAtHand;
struct SenderState;

/// One connection from the attempt to connect until its stream is closed. Owns the engine through the pump, and all
/// links.
///
/// Members are for the reactor's thread unless they say otherwise. What is asked before there is a stream waits in
/// order.
struct ConnectionState final : io::Pump::Client, std::enable_shared_from_this<ConnectionState> {
    ConnectionState(const std::shared_ptr<ContainerState>& its_container, EngineRole its_role,
                    ConnectionOptions its_options, std::shared_ptr<ConnectionHandler> its_handler, std::string peer);
    ~ConnectionState() override;

    // --- any thread
    // --------------------------------------------------------------------------------------------------------

    template <class F>
    void run(F command) {
        if (loop->reactor.on_thread()) return command();
        loop->reactor.post([self = shared_from_this(), command = std::move(command)]() mutable { command(); });
    }
    void handles_gone();
    static Connection make_handle(const std::shared_ptr<ConnectionState>& state) {
        return Connection(make_held(state));
    }
    static Sender open_sender(const std::shared_ptr<ConnectionState>& state, std::shared_ptr<void> keeps,
                              std::shared_ptr<SessionState> session, const std::string& address, SenderOptions options,
                              std::shared_ptr<SenderHandler> handler);
    static Receiver open_receiver(const std::shared_ptr<ConnectionState>& state, std::shared_ptr<void> keeps,
                                  std::shared_ptr<SessionState> session, const std::string& address,
                                  ReceiverOptions options, std::shared_ptr<ReceiverHandler> handler);
    /// The link to the peer's coordinator: it does not keep the connection open. Reactor's thread.
    static Sender open_coordinator(ConnectionState& state, std::shared_ptr<SessionState> session, SenderOptions options,
                                   std::shared_ptr<SenderHandler> handler);
    static Session open_session(const std::shared_ptr<ConnectionState>& state, std::shared_ptr<void> keeps,
                                SessionOptions options);
    std::string next_link_name() const;
    codec::Result<void, Failure> wait_open(Duration timeout);
    codec::Result<void, Failure> wait_closed(Duration timeout);
    Async<void> async_wait_open(Duration timeout, std::stop_token cancel);
    Async<void> async_close(Duration timeout, std::stop_token cancel, std::optional<codec::ErrorCondition> error);
    bool is_open();
    /// Why it is over; nullopt while it lives.
    std::optional<Failure> ended();

    const std::shared_ptr<Loop> loop;
    const std::weak_ptr<ContainerState> container;
    const EngineRole role;
    const std::shared_ptr<LinkCommons> commons;
    const std::string& peer_name = commons->peer_name;

    // --- reactor's thread
    // --------------------------------------------------------------------------------------------------

    void connect(const Address& to);
    /// Goes on over `stream`.
    void start(std::unique_ptr<Stream> stream);
    void close(std::optional<codec::ErrorCondition> error);
    /// Closes the stream at once, without a word to the peer.
    void cut();
    /// The reactor will not run again. Ends everything and lets go of the user's handlers and callbacks uncalled: what
    /// they refer to may be gone, and they may hold handles to what holds them.
    void abandon();
    bool over() const noexcept { return over_; }
    bool finished() const noexcept { return finished_; }

    /// Runs a handler's callback; what it throws closes the connection.
    template <class F>
    void call(F&& callback) {
        try {
            callback();
        } catch (const std::exception& thrown) {
            handler_threw(thrown.what());
        } catch (...) {
            handler_threw("something that is no std::exception");
        }
    }
    /// Runs `task` from the pump, after the present callback or command has returned.
    void later(Function<void()> task);
    /// The pump must go round: a command was given to the engine, with so many bytes of a message.
    void wake(std::size_t bytes = 0);
    /// Null before there is a stream, and when the connection is over.
    Engine* engine() noexcept { return pump_ && !over_ ? &pump_->engine() : nullptr; }
    const codec::Open* remote_open() const { return pump_ ? pump_->engine().remote_open() : nullptr; }
    void add_link(const std::shared_ptr<LinkState>& link);
    MessagesAtHand& messages_at_hand();
    /// The sender looks for credit again in the next turn.
    void recheck(std::shared_ptr<SenderState> sender) { rechecks_.push_back(std::move(sender)); }
    /// Ends the link after the present callback or command has returned, and before the connection ends.
    void end_later(std::shared_ptr<LinkState> link, std::optional<Failure> why);
    /// The link has been closed before it was attached.
    void forget_waiting(const LinkState& link);
    /// It may have been the last thing that held the connection.
    void link_ended(const LinkState& link);
    void close_unheld();
    /// Our side of the coordinator for this session (null: the common one), made when it is first asked for.
    std::shared_ptr<CoordinatorState> coordinator(std::shared_ptr<SessionState> session);
    void forget_coordinator(const CoordinatorState& coordinator);
    /// A request is answered: hands the link to the engine under the id the peer's attach has.
    void accept_link(const std::shared_ptr<LinkState>& link, LinkId id);

    core::Rare<PeerIdentity> identity;  ///< of a peer who has proved something
    const Duration close_timeout;
    std::uint64_t number = 0;  ///< the container's

private:
    friend struct SessionState;

    void on_event(Event& event) override;
    void on_received(LinkId link, std::span<const DeliveryId> deliveries) override;
    void on_events_done() override;
    void on_finished() override;

    void handle(Authenticated& event);
    void handle(ConnectionOpened& event);
    void handle(ConnectionClosedByPeer& event);
    void handle(ConnectionEnded& event);
    void handle(SessionOpened&) {}
    void handle(SessionEnded& event);
    void handle(LinkRequested& event);
    void handle(LinkOpened& event);
    void handle(LinkDetaching& event);
    void handle(LinkDetached& event);
    void handle(LinkFlowed& event);
    void handle(DeliveryReceived& event);
    void handle(DeliveryUpdated& event);
    void handle(DeliveriesSettled& event);

    void connected(codec::Result<std::unique_ptr<Stream>, Failure> result);
    void attach(const std::shared_ptr<LinkState>& link);
    const std::shared_ptr<SessionState>& common_session();
    codec::Result<SessionId> begun(const std::shared_ptr<SessionState>& session);
    std::shared_ptr<LinkState> find(LinkId id) const { return links_.find(id); }
    void end_cut_off();
    /// Tells links and handler that it is over. `why` empty: closed by us in order.
    void end(std::optional<Failure> why);
    void end_put_off();
    void end_without_stream(std::optional<Failure> why);
    void handler_threw(const char* what);

    std::shared_ptr<ConnectionHandler> handler_;
    std::unique_ptr<ConnectionOptions> options_;  ///< until there is a stream, whose engine goes by them
    std::shared_ptr<io::Pump> pump_;
    Reactor::ConnectId connecting_ = 0;
    Instant connect_deadline_{};
    std::shared_ptr<SessionState> common_session_;
    std::map<SessionId, std::shared_ptr<SessionState>> sessions_;
    LinkTable links_;
    std::vector<std::shared_ptr<LinkState>> waiting_;  ///< links asked for before there is a stream
    std::vector<std::pair<std::shared_ptr<LinkState>, LinkDetached>>
        cut_off_;  ///< gone with a session or the connection
    std::vector<std::pair<std::shared_ptr<LinkState>, std::optional<Failure>>> ending_links_;
    std::vector<std::shared_ptr<CoordinatorState>> coordinators_;
    std::vector<Function<void()>> later_;
    std::vector<std::shared_ptr<SenderState>> rechecks_;
    std::unique_ptr<MessagesAtHand> at_hand_;  ///< made when a message first comes
    core::Rare<Failure> threw_;
    Waiters<void> opening_;
    Waiters<void> ending_;
    std::size_t handled_links_ = 0;
    bool held_ = true;
    bool closing_ = false;
    bool over_ = false;
    bool finished_ = false;

    std::mutex mutex_;  // for what follows
    Signal changed_;
    bool opened_ = false;
    core::Rare<Failure> ended_;
    const std::uint64_t name_seed_;
    mutable std::atomic<std::uint64_t> link_names_ = 0;
};

}  // namespace aprotic::engine
