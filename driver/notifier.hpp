#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/json.hpp>
#include <aprotic/driver/notification.hpp>
#include <aprotic/driver/notification_routing.hpp>
#include <aprotic/driver/operation.hpp>
#include <aprotic/driver/serializer.hpp>
#include <aprotic/driver/transport.hpp>

namespace aprotic::driver {

/// What a notifier sends, where, and how hard it tries. `Config::notifier()` has what files say.
struct NotifierOptions {
    std::string publisher_id = {};
    std::vector<std::string> topics = {"notifications"};                ///< each gets every notification
    std::vector<NotifierDriver> drivers = {NotifierDriver::messaging};  ///< none: nothing is sent
    std::string exchange = {};  ///< scope of the topics; empty: what the transport has as its default
    /// Names of NotificationListenerOptions::pool: each gets every notification too.
    std::vector<std::string> pools = {};
    int retry = -1;                        ///< further attempts after a failed one; -1: until the deadline
    std::optional<Duration> timeout = {};  ///< else the transport's default_notify_timeout
    bool durable = false;                  ///< the peer is to keep them; also with the option amqp_durable_queues
    Json context = Json::object();         ///< goes with each
    NotificationRouting routing = {};      ///< of NotifierDriver::routing
    /// Turns payload and context into what is sent; null: they are sent as they are.
    std::shared_ptr<const Serializer> serializer = {};
};

/// What prepare() changes. Only what is set counts.
struct NotifierChanges {
    std::optional<std::string> publisher_id = {};
    std::optional<int> retry = {};
    std::optional<Duration> timeout = {};
    std::optional<bool> durable = {};
    std::optional<Json> context = {};
};

/// Tells whoever listens what has happened. Cheap to copy; any thread.
///
/// Success means that the peer has taken the notification for every topic: a broker has stored it, a router has brought
/// it to a listener. (With the option pre_settled=notify: that it has been written.) It is never told in doubt: what
/// was sent and not answered is Errc::in_doubt, and nothing of that kind is sent again. When some topics have it and
/// another has not, that is Errc::in_doubt too, and the text says which.
///
/// Blocking, try_ and asynchronous forms, and what may be given as token, are as with RpcClient.
class Notifier {
public:
    explicit Notifier(Transport& transport, NotifierOptions options = {});

    /// A notifier for the same transport: `notifier.prepare({.publisher_id = "compute.host1"})`. Shares what the driver
    /// test has collected.
    Notifier prepare(NotifierChanges changes) const;
    const NotifierOptions& options() const noexcept { return *options_; }
    /// Whether anything is done at all: there is a driver.
    bool is_enabled() const noexcept { return !options_->drivers.empty(); }

    void audit(std::string event_type, Json payload = {}) const;
    void debug(std::string event_type, Json payload = {}) const;
    void info(std::string event_type, Json payload = {}) const;
    void warn(std::string event_type, Json payload = {}) const;
    void error(std::string event_type, Json payload = {}) const;
    void critical(std::string event_type, Json payload = {}) const;
    void sample(std::string event_type, Json payload = {}) const;

    void notify(Priority priority, std::string event_type, Json payload = {},
                std::optional<Duration> timeout = {}) const;
    Result<void> try_notify(Priority priority, std::string event_type, Json payload = {},
                            std::optional<Duration> timeout = {}) const;
    /// A callback takes (std::error_code) or (Result<void>).
    template <class Token>
    auto async_notify(Priority priority, std::string event_type, Json payload, std::optional<Duration> timeout,
                      Token&& token) const {
        return detail::start<void>(operation(priority, std::move(event_type), std::move(payload), timeout),
                                   std::forward<Token>(token));
    }

    /// What the driver test was told, oldest first.
    std::vector<Notification> collected() const;
    void clear_collected() const;

private:
    struct Collection;

    detail::Operation<void> operation(Priority priority, std::string event_type, Json payload,
                                      std::optional<Duration> timeout) const;

    std::shared_ptr<bus::Bus> bus_;
    std::shared_ptr<const NotifierOptions> options_;
    std::shared_ptr<Collection> collection_;
};

}  // namespace aprotic::driver
