#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <aprotic/driver/error.hpp>
#include <aprotic/driver/notification.hpp>
#include <aprotic/driver/serializer.hpp>
#include <aprotic/driver/target.hpp>
#include <aprotic/driver/transport.hpp>
#include <aprotic/engine/function.hpp>

namespace aprotic::driver {

/// What an endpoint made of a notification.
enum class NotificationResult {
    handled,
    requeue,  ///< the peer is to give it to somebody again, if NotificationListenerOptions::allow_requeue
};

/// Which notifications an endpoint is given: each pattern is a regular expression as Python writes it and must match
/// the beginning of the value; `$` behind it matches the whole. What is missing, or is no string, matches nothing.
struct NotificationFilter {
    std::optional<std::string> publisher_id = {};
    std::optional<std::string> event_type = {};
    std::map<std::string, std::string> context = {};   ///< by key of the context
    std::map<std::string, std::string> metadata = {};  ///< by "message_id" and "timestamp"
    std::map<std::string, std::string> payload = {};   ///< by key of the payload
};

/// Functions for notifications of some priorities. Made by NotificationListener::endpoint.
class NotificationEndpoint {
public:
    NotificationEndpoint(const NotificationEndpoint&) = delete;
    NotificationEndpoint& operator=(const NotificationEndpoint&) = delete;
    ~NotificationEndpoint();

    /// A function that takes `const Notification&` and returns NotificationResult, or void for handled. What it throws
    /// counts as requeue. Called from several threads at once when the listener has several.
    template <class F>
    NotificationEndpoint& on(Priority priority, F function) {
        return add(priority, [function = std::move(function)](const Notification& notification) mutable {
            if constexpr (std::is_void_v<std::invoke_result_t<F&, const Notification&>>) {
                function(notification);
                return NotificationResult::handled;
            } else {
                return NotificationResult(function(notification));
            }
        });
    }
    /// A function for all of a batch that have this priority and pass the filter: it takes
    /// `const std::vector<Notification>&`, and its result is that of all of them.
    template <class F>
    NotificationEndpoint& on_batch(Priority priority, F function) {
        return add_batch(priority, [function = std::move(function)](const std::vector<Notification>& batch) mutable {
            if constexpr (std::is_void_v<std::invoke_result_t<F&, const std::vector<Notification>&>>) {
                function(batch);
                return NotificationResult::handled;
            } else {
                return NotificationResult(function(batch));
            }
        });
    }

private:
    friend class NotificationListener;
    struct Impl;
    explicit NotificationEndpoint(NotificationFilter filter);
    NotificationEndpoint& add(Priority priority, engine::Function<NotificationResult(const Notification&)> function);
    NotificationEndpoint& add_batch(Priority priority,
                                    engine::Function<NotificationResult(const std::vector<Notification>&)> function);
    std::unique_ptr<Impl> impl_;
};

struct NotificationListenerOptions {
    /// As RpcServerOptions::threads. With one, a link's notifications are handled in the order in which they came.
    std::optional<unsigned> threads = {};
    /// Off: what asks for a requeue is accepted all the same, and gone.
    bool allow_requeue = false;
    /// Handle so many together. A batch that is not full waits for more until `batch_timeout` after its first; without
    /// one, for ever.
    std::size_t batch_size = 1;
    std::optional<Duration> batch_timeout = {};
    /// Listeners with one name are a pool, which gets each notification once. Pools get what notifiers send to them:
    /// NotifierOptions::pools, or topics with the pool's name behind a dot.
    std::string pool = {};
    /// Turns context and payload back, in this order; what it refuses is rejected. Null: they are taken as they are.
    std::shared_ptr<const Serializer> serializer = {};
};

/// Gives the notifications of some topics to its endpoints, each under every priority for which there is a function.
/// Accepted when all endpoints have had it: when this process ends before, another listener gets it. What is no
/// notification is rejected. Links come back after every loss.
class NotificationListener {
public:
    /// Of the targets exchange and topic count; std::invalid_argument when there is none or one has no topic.
    NotificationListener(Transport& transport, std::vector<Target> targets, NotificationListenerOptions options = {});
    /// stop(), waiting for running endpoints unless on the reactor's thread.
    ~NotificationListener();
    NotificationListener(NotificationListener&&) noexcept;
    NotificationListener& operator=(NotificationListener&&) = delete;

    /// Another endpoint; it lives as long as the listener. Each gets every notification that passes its filter, in the
    /// order in which they were made, until one says requeue. A pattern that is none: std::invalid_argument, whose text
    /// says what was expected. Before start().
    NotificationEndpoint& endpoint(NotificationFilter filter = {});
    /// An endpoint without a filter and with this function alone.
    template <class F>
    NotificationListener& on(Priority priority, F function) {
        endpoint().on(priority, std::move(function));
        return *this;
    }
    template <class F>
    NotificationListener& on_batch(Priority priority, F function) {
        endpoint().on_batch(priority, std::move(function));
        return *this;
    }

    /// Begins to listen: returns at once, connected or not. std::logic_error when no endpoint has a function.
    void start();
    /// Waits until all links are open, or tells what keeps them from it.
    Result<void> wait_ready(Duration timeout) const;
    bool is_ready() const;  ///< all links are open at this moment; any thread
    /// As RpcServer::stop. What has been taken and not begun goes back to the peer.
    Result<void> stop(Duration timeout = std::chrono::seconds(30));

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace aprotic::driver
