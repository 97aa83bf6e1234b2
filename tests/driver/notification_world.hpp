#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <aprotic/driver/notification_listener.hpp>
#include <aprotic/driver/notifier.hpp>

#include "driver/world.hpp"

namespace aprotic::test {

/// Notifies in virtual time, and what came of it.
inline Result<void> notify(sim::SimReactor& reactor, const Notifier& notifier, Priority priority = Priority::info,
                           std::string event_type = "e", Json payload = {}) {
    std::optional<Result<void>> result;
    notifier.async_notify(priority, std::move(event_type), std::move(payload), std::nullopt, [&](Result<void> ended) {
        REQUIRE_FALSE(result);
        result = std::move(ended);
    });
    CHECK_FALSE(result);
    REQUIRE(reactor.run_until([&] { return result.has_value(); }, std::chrono::hours(1)));
    return *result;
}

/// A listener for all priorities that keeps what comes.
struct Received {
    std::vector<Notification> all;
    std::function<NotificationResult(const Notification&)> answer = [](const Notification&) {
        return NotificationResult::handled;
    };
    NotificationListener listener;

    explicit Received(Transport& transport, std::vector<Target> targets = {{.topic = "notifications"}},
                      NotificationListenerOptions options = {})
        : listener(transport, std::move(targets), std::move(options)) {
        for (const auto priority : all_priorities)
            listener.on(priority, [this](const Notification& notification) {
                all.push_back(notification);
                return answer(notification);
            });
        listener.start();
    }
};

}  // namespace aprotic::test
