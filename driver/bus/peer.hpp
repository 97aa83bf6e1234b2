#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <aprotic/driver/addressing.hpp>
#include <aprotic/driver/bus/groundwork.hpp>
#include <aprotic/driver/bus/letter.hpp>
#include <aprotic/driver/bus/outbound.hpp>
#include <aprotic/driver/bus/reconnect.hpp>
#include <aprotic/driver/bus/replies.hpp>
#include <aprotic/driver/log.hpp>
#include <aprotic/driver/profile.hpp>
#include <aprotic/engine/connection.hpp>

namespace aprotic::driver::bus {

class Bus;

/// One connection at a time to one of some hosts, made when wanted and made again when lost, with its links for
/// requests and its link for replies. Reactor's thread only.
class Peer final : public std::enable_shared_from_this<Peer> {
public:
    /// `hosts`: which of the bus's.
    Peer(Bus& bus, std::vector<std::size_t> hosts);

    /// Connects unless that has been done.
    void want();
    bool is_up() const noexcept { return up_; }
    /// An attempt to connect is under way.
    bool is_trying() const noexcept { return reconnect_ && reconnect_->status() == Reconnect::Status::connecting; }
    /// Every host has turned us away, and would again.
    bool is_turned_away() const noexcept { return hopeless_attempts_ >= hosts_.size(); }
    /// Sends a letter that has nothing to wait for any more, or waits on with it.
    void route(const LetterPtr& letter);
    /// Ends everything here, letters excepted.
    void shut_down();

    std::shared_ptr<Bus> bus() const noexcept { return bus_.lock(); }
    const engine::Connection& connection() const noexcept { return connection_; }
    /// Of the connection there is, or of the attempt there was last.
    const std::string& host_name() const;
    /// Of the connection there is or was.
    const Addresser& addresser() const { return *addresser_; }
    const std::shared_ptr<const Addresser>& shared_addresser() const { return addresser_; }
    /// How this peer is dealt with; of the connection there is or was.
    const Profile& profile() const noexcept { return profile_; }
    /// As in the URL, without the port.
    const std::string& host() const;
    const std::string& reply_address() const { return replies_->address(); }
    /// Whose reply it was is of no interest any more.
    void forget(const CallId& call);
    /// Made when there is none; only while up.
    Outbound& outbound(const std::string& address, NodeKind kind = NodeKind::given);
    /// Does what the peer wants to have done before a link to the node is attached, and tells then.
    void prepare(const NodeRef& node, Groundwork::Done done);
    /// The peer refused the node that had been prepared.
    void forget_preparation(const std::string& address);
    /// On the common session, or where the profile says so on one of the link's own.
    engine::Sender open_sender(const std::string& address, engine::SenderOptions options,
                               std::shared_ptr<engine::SenderHandler> handler);
    engine::Receiver open_receiver(const std::string& address, engine::ReceiverOptions options,
                                   std::shared_ptr<engine::ReceiverHandler> handler);
    /// Whether a link that ended like this, before it was open, has been refused: by a detach, or by the end of a
    /// session that was its own. When a session that it shared has ended, links get their own from now on, so that the
    /// next attempt tells.
    bool was_refused(const engine::Failure& why, bool was_open);
    /// Whether replies can come; begins to make that so.
    bool open_replies();
    /// Null when there is no link to the address, nor one on its way.
    Outbound* find(const std::string& address) const;
    /// Why there is no connection; nullopt before the first failure and after a success.
    const std::optional<engine::Failure>& last_failure() const noexcept { return last_failure_; }
    const std::string& last_failed_host() const noexcept { return last_failed_host_; }
    /// To the application's hook, with "host" as the first field.
    void log(LogLevel level, std::string_view event, std::string text,
             std::vector<std::pair<std::string_view, std::string>> fields = {}) const;

    /// From an outbound: the peer refuses the link.
    void on_refused(Outbound& outbound, const engine::Failure& why);

private:
    struct Attempt;

    Reconnect& reconnect(Bus& bus);
    void act(Bus& bus, const Reconnect::Action& action);
    void on_open(Bus& bus);
    void on_close(Bus& bus, const std::optional<engine::Failure>& why);
    void warn_of_cleartext();
    void connect_failed(Bus& bus, const engine::Failure& why);
    void connection_lost(Bus& bus, const engine::Failure& why);
    void connect_again(Bus& bus, const Reconnect::Action& action);
    void choose_profile(Bus& bus);
    void start_sweep(Bus& bus);
    void sweep();

    const std::weak_ptr<Bus> bus_;
    const std::vector<std::size_t> hosts_;
    std::shared_ptr<const Addresser> addresser_;
    Profile profile_;
    std::shared_ptr<Groundwork> groundwork_;  ///< null where there is nothing to do, and without a connection
    bool warned_of_cleartext_ = false;
    std::optional<Reconnect> reconnect_;  ///< made on first use: it begins with a random host
    std::size_t host_;                    ///< the bus's number of it
    std::shared_ptr<Attempt> attempt_;
    engine::Connection connection_;
    bool up_ = false;
    bool shut_ = false;
    std::size_t hopeless_attempts_ = 0;  ///< in a row, one for each host
    std::optional<engine::Failure> last_failure_;
    std::string last_failed_host_;
    engine::Instant attempt_began_{};
    std::optional<engine::Instant> lost_at_;  ///< there was a connection until then
    std::map<std::string, std::shared_ptr<Outbound>, std::less<>> outbounds_;
    std::shared_ptr<Replies> replies_;
    engine::Reactor::TimerId sweep_timer_ = 0;
};

}  // namespace aprotic::driver::bus
