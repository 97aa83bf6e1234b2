#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <aprotic/driver/bus/deadlines.hpp>
#include <aprotic/driver/bus/direct_client.hpp>
#include <aprotic/driver/bus/direct_server.hpp>
#include <aprotic/driver/bus/inbound.hpp>
#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/driver/bus/peer.hpp>
#include <aprotic/driver/metrics.hpp>
#include <aprotic/driver/transport.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::driver::bus {

/// The peer, or we on its behalf, would not let us in.
bool is_login_failure(std::error_code code);
/// Whether another attempt at the same host can only come to the same: a login, or what TLS makes of certificates and
/// options.
bool is_hopeless(std::error_code code);

/// What a transport, its clients and its servers share: the letters under way, and the peers they go to: one at a time,
/// a broker, or in direct mode every server.
class Bus final : public std::enable_shared_from_this<Bus> {
public:
    /// Begins to connect to a host of the URL (always 0 in process). Reactor's thread.
    using Connector =
        engine::Function<engine::Connection(std::size_t host, std::shared_ptr<engine::ConnectionHandler>)>;
    /// Listens where servers are reached without a broker. Reactor's thread.
    using Listen = engine::Function<codec::Result<engine::Listener, engine::Failure>(engine::HandlerFactory)>;

    static std::shared_ptr<Bus> make(engine::Reactor& reactor, TransportOptions options, TransportUrl url,
                                     std::vector<std::string> host_names, Connector connector, Listen listen);

    /// What makes a message unmistakable: when, and 128 random bits.
    struct Stamp {
        engine::WallTime time{};
        std::uint64_t high = 0;
        std::uint64_t low = 0;
    };

    // ---- any thread ----

    const TransportOptions& options() const noexcept { return options_; }
    const TransportUrl& url() const noexcept { return url_; }
    const std::string& host_name(std::size_t host) const { return host_names_[host]; }
    bool is_direct() const noexcept { return direct_client_ != nullptr; }
    bool is_closed() const noexcept { return gate_closed_; }
    /// Only while the transport lives.
    engine::Reactor& reactor() const noexcept { return reactor_; }
    /// False, and `task` is dropped, once close() has been called.
    bool post(engine::Function<void(Bus&)> task);
    /// Whether blocking here would wait for oneself. False once closed.
    bool on_reactor_thread() const;
    /// The reactor's time on any thread; nullopt once closed.
    std::optional<engine::Instant> now() const;
    /// Null unless somebody counts.
    MetricsSink* metrics() const noexcept { return options_.metrics.get(); }
    /// Begins a letter on the reactor's thread.
    void submit(LetterPtr letter);
    /// Accepts a message there.
    void accept(engine::Delivery delivery);
    /// Zeroes once closed.
    Stamp stamp() const;
    /// Everything ends as Errc::closed. `done` is called on the reactor's thread when that has happened.
    void close(engine::Function<void()> done = {});

    // ---- the reactor's thread ----

    void add(std::shared_ptr<Inbound> server);
    void remove(const std::shared_ptr<Inbound>& server);
    /// From a server in direct mode: its clients are to send nothing more; Inbound::quiet tells when that is so.
    void drain(const Inbound& server);
    void cancel(const LetterPtr& letter);

    // The broker, or in direct mode some server.
    bool is_up() const noexcept { return peer().is_up(); }
    const engine::Connection& connection() const noexcept { return peer().connection(); }
    const std::string& host_name() const { return peer().host_name(); }
    const Addresser& addresser() const { return peer().addresser(); }
    /// At which servers have their links, where there is a broker.
    Peer& peer_of_servers() const noexcept { return peer(); }
    /// That of a connection whose peer has said nothing of itself.
    std::shared_ptr<const Addresser> addresser_without_peer() const;
    /// Of the URL. Names nothing once the transport has gone.
    engine::Connection connect(std::size_t host, std::shared_ptr<engine::ConnectionHandler> handler);
    /// Whether anybody has a use for connections.
    bool is_wanted() const noexcept { return is_direct() || !letters_.empty() || !inbounds_.empty(); }
    codec::Result<engine::Listener, engine::Failure> listen(engine::HandlerFactory make_guest);
    void begin(const LetterPtr& letter);
    CallId new_call_id();
    /// The same as text.
    std::string random_id();
    /// Runs what tells an application something, or asks it: what it submits meanwhile is begun at its end, so that it
    /// leaves with this turn of the reactor.
    template <class Task>
    void tell(Task task) {
        Telling telling(*this);
        task();
        telling.is_over = true;
        if (telling_ == 1) begin_submitted();
    }
    /// The address of a letter that has a target, on a connection.
    const std::string& address_of(const Letter& letter, const std::shared_ptr<const Addresser>& addresser) {
        return address_book_.address_of(letter, addresser);
    }
    /// It ends with others, which have one.
    void forget_deadline(const Letter& letter) { deadlines_.remove(letter); }
    /// To the application's hook, with "host" as the first field.
    void log(LogLevel level, std::string_view event, std::string text,
             std::vector<std::pair<std::string_view, std::string>> fields = {}) const;

    // What the parts of the bus tell.
    /// Sends a letter that has nothing to wait for any more, or waits on with it.
    void route(const LetterPtr& letter);
    void end(const LetterPtr& letter, Result<Json> result);
    void on_outcome(const LetterPtr& letter, const engine::Outcome& outcome);
    void on_up(Peer& peer);
    void on_connect_failed(Peer& peer);
    void on_connection_lost(Peer& peer, const engine::Failure& why);
    void on_ready(const std::string& address);
    void on_unused(const std::string& address);
    void on_refused(const Peer& peer, const std::string& address, const engine::Failure& why);
    void on_reply_link_open(Peer& peer);
    void on_reply_link_lost(Peer& peer, bool was_open, const std::optional<engine::Failure>& why);
    void on_heartbeat(const LetterPtr& call);
    void start_monitor(const LetterPtr& call);
    /// A connection or a letter has gone. With the last of them goes the timer, which would keep the owner of a
    /// borrowed io_context from its end.
    void rest();
    /// A failure of this letter with address, host and elapsed time filled in.
    CallFailure failure_of(const Letter& letter, Errc code, std::string text) const;
    CallFailure no_connection(const Peer& peer, const Letter& letter) const;

private:
    Bus(engine::Reactor& reactor, TransportOptions options, TransportUrl url, std::vector<std::string> host_names,
        Connector connector, Listen listen);

    Peer& peer() const noexcept { return *peers_.front(); }
    /// Notes that something waits in `submitted_` or `accepted_`. Under the gate.
    void call_for_submitted();
    void begin_submitted();
    void call_for_rest();
    /// A tell() is under way.
    struct Telling {
        explicit Telling(Bus& on) : bus(on) { ++bus.telling_; }
        ~Telling();
        Telling(const Telling&) = delete;
        Telling& operator=(const Telling&) = delete;
        Bus& bus;
        bool is_over = false;  ///< without an exception
    };
    void arm_deadlines();
    void on_deadlines();
    /// The one place where letters end that have begun.
    void finish(const LetterPtr& letter, Result<Json> result);
    void on_deadline(const LetterPtr& letter);
    /// Whether a letter of which nothing more can be known is sent again, from Stage::waiting; else it has ended.
    [[nodiscard]] bool goes_again(const LetterPtr& letter, CallFailure failure);
    void send_again(const LetterPtr& letter);
    void tell_server(const LetterPtr& call);
    void on_monitor_expired(const LetterPtr& letter);
    void give_back(const LetterPtr& letter, const engine::Outcome& outcome);
    void not_sent(const LetterPtr& letter, const engine::Outcome& outcome);
    void shut_down();
    /// Those of a peer.
    std::vector<LetterPtr> letters_at(const Peer& peer, Letter::Stage stage) const;
    /// What the deadline of this letter finds.
    CallFailure expired(const LetterPtr& letter);

    engine::Reactor& reactor_;
    const TransportOptions options_;
    const TransportUrl url_;
    const std::vector<std::string> host_names_;
    Connector connector_;
    Listen listen_;

    mutable std::mutex gate_;
    std::atomic<bool> gate_closed_ = false;  ///< changed under gate_
    // Under the gate: what is on its way to the reactor's thread, which is called once for all of it.
    std::vector<LetterPtr> submitted_;
    std::vector<engine::Delivery> accepted_;
    bool is_called_ = false;

    // The reactor's thread only.
    std::vector<std::shared_ptr<Peer>> peers_;     ///< one that has all hosts, or in direct mode one for each
    std::unique_ptr<DirectClient> direct_client_;  ///< null with a broker
    std::shared_ptr<DirectServer> direct_server_;  ///< null with a broker
    bool shut_ = false;
    std::uint64_t last_number_ = 0;
    std::size_t bytes_waiting_ = 0;
    LetterList letters_;
    Deadlines deadlines_;
    engine::Reactor::TimerId deadline_timer_ = 0;
    engine::Instant armed_for_{};  ///< while there is a timer
    AddressBook address_book_;
    std::vector<LetterPtr> beginning_;  ///< as submitted_, taken over; both keep their memory
    std::vector<engine::Delivery> accepting_;
    bool is_beginning_ = false;
    unsigned telling_ = 0;
    std::vector<std::shared_ptr<Inbound>> inbounds_;
};

}  // namespace aprotic::driver::bus
