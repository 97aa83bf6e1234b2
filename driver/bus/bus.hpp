#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <aprotic/driver/addressing.hpp>
#include <aprotic/driver/bus/inbound.hpp>
#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/driver/bus/outbound.hpp>
#include <aprotic/driver/bus/reconnect.hpp>
#include <aprotic/driver/bus/replies.hpp>
#include <aprotic/driver/transport.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::driver::bus {

/// The peer, or we on its behalf, would not let us in.
bool is_login_failure(std::error_code code);
/// Whether another attempt at the same host can only come to the same: a login, or what TLS makes of certificates and
/// options.
bool is_hopeless(std::error_code code);

/// What a transport, its clients and its servers share: the one connection, and everything under way on it.
class Bus final : public std::enable_shared_from_this<Bus> {
public:
    /// Begins to connect to a host of the URL (always 0 in process). Reactor's thread.
    using Connector =
        engine::Function<engine::Connection(std::size_t host, std::shared_ptr<engine::ConnectionHandler>)>;

    Bus(engine::Reactor& reactor, TransportOptions options, TransportUrl url, std::vector<std::string> host_names,
        Connector connector);

    // ---- any thread ----

    const TransportOptions& options() const noexcept { return options_; }
    /// Only while the transport lives.
    engine::Reactor& reactor() const noexcept { return reactor_; }
    /// False, and `task` is dropped, once close() has been called.
    bool post(engine::Function<void(Bus&)> task);
    /// Whether blocking here would wait for oneself. False once closed.
    bool on_reactor_thread() const;
    void submit(LetterPtr letter);
    /// Everything ends as Errc::closed. `done` is called on the reactor's thread when that has happened.
    void close(engine::Function<void()> done = {});

    // ---- the reactor's thread ----

    void add(std::shared_ptr<Inbound> server);
    void remove(const std::shared_ptr<Inbound>& server);
    void cancel(const LetterPtr& letter);

    bool is_up() const noexcept { return up_; }
    const engine::Connection& connection() const noexcept { return connection_; }
    const std::string& host_name() const { return host_names_[reconnect_host_]; }
    const Addresser& addresser() const { return *addresser_; }
    const std::string& reply_address() const { return replies_->address(); }
    std::string random_id();
    /// To the application's hook, with "host" as the first field.
    void log(LogLevel level, std::string_view event, std::string text,
             std::vector<std::pair<std::string_view, std::string>> fields = {}) const;

    // What the parts of the bus tell.
    /// Sends a letter that has nothing to wait for any more, or waits on with it.
    void route(const LetterPtr& letter);
    void end(const LetterPtr& letter, Result<Json> result);
    void on_outcome(const LetterPtr& letter, const engine::Outcome& outcome);
    void on_refused(Outbound& outbound, const engine::Failure& why);
    void on_reply_link_open();
    void on_reply_link_lost(bool was_open, const std::optional<engine::Failure>& why);
    void on_heartbeat(const LetterPtr& call);
    /// A failure of this letter with address, host and elapsed time filled in.
    CallFailure failure_of(const Letter& letter, Errc code, std::string text) const;

private:
    struct Attempt;

    void begin(const LetterPtr& letter);
    Reconnect& reconnect();
    void act(const Reconnect::Action& action);
    void on_open(const std::shared_ptr<Attempt>& attempt);
    void on_close(const std::shared_ptr<Attempt>& attempt, const std::optional<engine::Failure>& why);
    void warn_of_cleartext();
    void on_connect_failed(const engine::Failure& why);
    void on_connection_lost(const engine::Failure& why);
    void on_deadline(const LetterPtr& letter);
    void start_monitor(const LetterPtr& call);
    void on_monitor_expired(const LetterPtr& letter);
    void give_back(const LetterPtr& letter, const engine::Outcome& outcome);
    void not_sent(const LetterPtr& letter, const engine::Outcome& outcome);
    void shut_down();
    void start_sweep();
    void sweep();
    bool is_wanted() const noexcept { return !letters_.empty() || !inbounds_.empty(); }
    std::vector<LetterPtr> letters_at(Letter::Stage stage) const;
    /// What the deadline of this letter finds.
    CallFailure expired(const LetterPtr& letter);
    CallFailure no_connection(const Letter& letter) const;

    engine::Reactor& reactor_;
    const TransportOptions options_;
    const TransportUrl url_;
    const std::vector<std::string> host_names_;
    Connector connector_;

    mutable std::mutex gate_;
    std::atomic<bool> gate_closed_ = false;  ///< changed under gate_

    // The reactor's thread only.
    std::shared_ptr<const Addresser> addresser_;  ///< of the connection there is or was
    bool warned_of_cleartext_ = false;
    std::optional<Reconnect> reconnect_;  ///< made on first use: it begins with a random host
    std::size_t reconnect_host_ = 0;
    std::shared_ptr<Attempt> attempt_;
    engine::Connection connection_;
    bool up_ = false;
    bool shut_ = false;
    std::size_t hopeless_attempts_ = 0;  ///< in a row, one for each host
    std::optional<engine::Failure> last_failure_;
    std::string last_failed_host_;
    std::uint64_t last_number_ = 0;
    std::size_t bytes_waiting_ = 0;
    std::map<std::uint64_t, LetterPtr> letters_;
    std::map<std::string, std::shared_ptr<Outbound>> outbounds_;
    std::shared_ptr<Replies> replies_;
    std::vector<std::shared_ptr<Inbound>> inbounds_;
    engine::Reactor::TimerId sweep_timer_ = 0;
};

}  // namespace aprotic::driver::bus
