#include <aprotic/driver/notifier.hpp>

#include <algorithm>
#include <mutex>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/driver/bus/notice.hpp>
#include <aprotic/driver/bus/wait.hpp>

namespace aprotic::driver {

struct Notifier::Collection {
    std::mutex mutex;
    std::vector<Notification> notifications;
};

namespace {

/// One notification's letters, and the one result they come to.
class Gathered {
public:
    Gathered(std::size_t letters, engine::Function<void(Result<void>)> done)
        : letters_(letters), waiting_(letters), done_(std::move(done)) {}

    void add(const std::string& address, Result<Json> result) {
        {
            const std::lock_guard lock(mutex_);
            if (result) {
                taken_ += (taken_.empty() ? "'" : ", '") + address + "'";
            } else if (!failure_ || result.error().is(Errc::in_doubt)) {
                failure_ = result.error();
            }
            if (--waiting_ > 0) return;
        }
        if (!failure_) return done_({});
        if (!taken_.empty() && letters_ > 1) {
            // Whoever sends it again sends it twice to some.
            failure_->text =
                fmt::format("{} had taken it; for '{}': {}", taken_, failure_->address, failure_->message());
            failure_->code = Errc::in_doubt;
            failure_->condition.reset();
        }
        done_(std::move(*failure_));
    }

private:
    const std::size_t letters_;
    std::mutex mutex_;
    std::size_t waiting_;
    std::string taken_;
    std::optional<CallFailure> failure_;
    engine::Function<void(Result<void>)> done_;
};

LogLevel level_of(Priority priority) {
    switch (priority) {
        case Priority::debug: return LogLevel::debug;
        case Priority::warn: return LogLevel::warning;
        case Priority::error:
        case Priority::critical: return LogLevel::error;
        case Priority::audit:
        case Priority::info:
        case Priority::sample: break;
    }
    return LogLevel::info;
}

/// A copy in which the values of keys that sound like secrets are stars.
Json without_secrets(Json value) {
    static constexpr std::string_view words[] = {"password", "passwd", "secret", "token", "auth_key", "private_key"};
    if (value.is_array())
        for (auto& each : value) each = without_secrets(std::move(each));
    if (!value.is_object()) return value;
    for (auto& [key, each] : value.items()) {
        std::string lower = key;
        std::ranges::transform(lower, lower.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        const bool secret =
            std::ranges::any_of(words, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
        each = secret ? Json("***") : without_secrets(std::move(each));
    }
    return value;
}

LogRecord record_of(const Notification& notification) {
    LogRecord record{level_of(notification.priority), "notification",
                     to_json_text(without_secrets(to_json(notification)))};
    record.fields = {{"event_type", notification.event_type},
                     {"publisher_id", notification.publisher_id},
                     {"priority", std::string(name_of(notification.priority))},
                     {"message_id", notification.message_id}};
    return record;
}

bus::LetterPtr refused_letter(std::string why) {
    auto letter = std::make_shared<bus::Letter>();
    letter->kind = bus::Letter::Kind::notification;
    letter->target = std::make_shared<const Target>();
    letter->unsendable = std::make_unique<CallFailure>();
    letter->unsendable->code = Errc::invalid_target;
    letter->unsendable->text = std::move(why);
    return letter;
}

template <class T>
void put(T& into, std::optional<T>& change) {
    if (change) into = std::move(*change);
}

}  // namespace

Notifier::Notifier(Transport& transport, NotifierOptions options)
    : bus_(transport.bus()),
      options_(std::make_shared<const NotifierOptions>(std::move(options))),
      collection_(std::make_shared<Collection>()) {}

Notifier Notifier::prepare(NotifierChanges changes) const {
    NotifierOptions options = *options_;
    put(options.publisher_id, changes.publisher_id);
    put(options.retry, changes.retry);
    if (changes.timeout) options.timeout = changes.timeout;
    put(options.durable, changes.durable);
    put(options.context, changes.context);
    Notifier changed(*this);
    changed.options_ = std::make_shared<const NotifierOptions>(std::move(options));
    return changed;
}

detail::Operation<void> Notifier::operation(Priority priority, std::string event_type, Json payload,
                                            std::optional<Duration> timeout) const {
    const auto stamp = bus_->stamp();
    Notification notification{.publisher_id = options_->publisher_id,
                              .event_type = std::move(event_type),
                              .priority = priority,
                              .payload = std::move(payload),
                              .context = options_->context,
                              .message_id = bus::uuid_text(stamp.high, stamp.low),
                              .timestamp = bus::timestamp_text(stamp.time)};
    std::vector<bus::LetterPtr> letters;
    std::vector<NotifierDriver> drivers;
    if (options_->serializer) {
        try {
            const auto& serializer = *options_->serializer;
            notification.payload = serializer.serialize_entity(notification.context, std::move(notification.payload));
            notification.context = serializer.serialize_context(std::move(notification.context));
        } catch (const std::exception& thrown) {
            letters.push_back(
                refused_letter(fmt::format("the serializer refuses the notification: {}", thrown.what())));
        }
    }
    for (const auto driver : options_->drivers) {
        if (!letters.empty()) break;
        if (driver != NotifierDriver::routing) {
            drivers.push_back(driver);
            continue;
        }
        const auto chosen = options_->routing.drivers_for(notification);
        drivers.insert(drivers.end(), chosen.begin(), chosen.end());
    }

    const auto address_to = [&](const std::string& topic, const std::string& text) {
        auto letter = topic.empty() ? refused_letter("the notifier has no topic") : std::make_shared<bus::Letter>();
        letter->kind = bus::Letter::Kind::notification;
        letter->target = std::make_shared<const Target>(Target{.exchange = options_->exchange, .topic = topic});
        letter->priority = name_of(priority);
        letter->text = text;
        letter->durable = options_->durable;
        letter->settled = bus_->options().pre_settled.notify;
        letter->retries = options_->retry;
        letter->timeout =
            bus::bounded(timeout.value_or(options_->timeout.value_or(bus_->options().default_notify_timeout)));
        letters.push_back(std::move(letter));
    };
    for (const auto driver : drivers) {
        if (driver != NotifierDriver::messaging && driver != NotifierDriver::messagingv2) continue;
        const std::string text = bus::notification_text(notification, driver == NotifierDriver::messagingv2);
        if (options_->topics.empty()) address_to({}, text);
        for (const auto& topic : options_->topics) {
            address_to(topic, text);
            for (const auto& pool : options_->pools) address_to(bus::pool_topic(topic, pool), text);
        }
    }
    std::vector<LogRecord> records;
    for (const auto driver : drivers)
        if (driver == NotifierDriver::log && bus_->options().log) records.push_back(record_of(notification));
    const auto to_collect = std::ranges::count(drivers, NotifierDriver::test);

    return [bus = bus_, letters = std::move(letters), records = std::move(records), collection = collection_,
            to_collect, notification = std::move(notification)](engine::Function<void(Result<void>)> done) mutable {
        if (to_collect > 0) {
            const std::lock_guard lock(collection->mutex);
            collection->notifications.insert(collection->notifications.end(), static_cast<std::size_t>(to_collect),
                                             notification);
        }
        if (!records.empty())
            bus->post([records = std::move(records)](bus::Bus& on) {
                for (const auto& record : records) on.options().log(record);
            });
        const bool nothing_to_send = letters.empty();
        if (nothing_to_send) letters.push_back(std::make_shared<bus::Letter>());
        const auto gathered = std::make_shared<Gathered>(letters.size(), std::move(done));
        CallHandle handle(bus);
        for (const auto& letter : letters) {
            handle.more_.push_back(letter);
            letter->done = [gathered, at = std::weak_ptr(letter)](Result<Json> result) {
                const auto letter_of_it = at.lock();
                gathered->add(letter_of_it ? letter_of_it->address : std::string(), std::move(result));
            };
        }
        // One that only says that all has been done, in its turn.
        if (nothing_to_send)
            bus->post([letter = letters.front()](bus::Bus&) { letter->end(Json()); });
        else
            for (const auto& letter : letters) bus->submit(letter);
        letters.clear();
        return handle;
    };
}

Result<void> Notifier::try_notify(Priority priority, std::string event_type, Json payload,
                                  std::optional<Duration> timeout) const {
    if (bus_->on_reactor_thread()) {
        CallFailure failure;
        failure.code = Errc::would_deadlock;
        failure.text = "notify on the reactor's own thread; use async_notify";
        return failure;
    }
    return bus::wait_for<void>(operation(priority, std::move(event_type), std::move(payload), timeout));
}

void Notifier::notify(Priority priority, std::string event_type, Json payload, std::optional<Duration> timeout) const {
    if (const auto result = try_notify(priority, std::move(event_type), std::move(payload), timeout); !result)
        throw RpcError(result.error());
}

void Notifier::audit(std::string event_type, Json payload) const {
    notify(Priority::audit, std::move(event_type), std::move(payload));
}
void Notifier::debug(std::string event_type, Json payload) const {
    notify(Priority::debug, std::move(event_type), std::move(payload));
}
void Notifier::info(std::string event_type, Json payload) const {
    notify(Priority::info, std::move(event_type), std::move(payload));
}
void Notifier::warn(std::string event_type, Json payload) const {
    notify(Priority::warn, std::move(event_type), std::move(payload));
}
void Notifier::error(std::string event_type, Json payload) const {
    notify(Priority::error, std::move(event_type), std::move(payload));
}
void Notifier::critical(std::string event_type, Json payload) const {
    notify(Priority::critical, std::move(event_type), std::move(payload));
}
void Notifier::sample(std::string event_type, Json payload) const {
    notify(Priority::sample, std::move(event_type), std::move(payload));
}

std::vector<Notification> Notifier::collected() const {
    const std::lock_guard lock(collection_->mutex);
    return collection_->notifications;
}

void Notifier::clear_collected() const {
    const std::lock_guard lock(collection_->mutex);
    collection_->notifications.clear();
}

}  // namespace aprotic::driver
