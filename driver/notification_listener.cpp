#include <aprotic/driver/notification_listener.hpp>

#include <algorithm>
#include <limits>
#include <set>
#include <stdexcept>

#include <fmt/core.h>

#include <aprotic/driver/bus/listening.hpp>
#include <aprotic/driver/bus/notice.hpp>
#include <aprotic/driver/bus/pattern.hpp>
#include <aprotic/driver/bus/tally.hpp>

namespace aprotic::driver {
namespace {

using Patterns = std::map<std::string, bus::Pattern>;

bus::Pattern compiled(std::string_view text) {
    auto pattern = bus::Pattern::compile(text);
    if (!pattern) throw std::invalid_argument("a notification filter: " + pattern.error());
    return std::move(pattern).value();
}

Patterns compiled(const std::map<std::string, std::string>& texts) {
    Patterns patterns;
    for (const auto& [key, text] : texts) patterns.emplace(key, compiled(text));
    return patterns;
}

bool all_match(const Patterns& patterns, const Json& object) {
    return std::ranges::all_of(patterns, [&](const auto& each) {
        if (!object.is_object()) return false;
        const auto at = object.find(each.first);
        return at != object.end() && at->is_string() && each.second.matches(at->template get_ref<const std::string&>());
    });
}

}  // namespace

struct NotificationEndpoint::Impl {
    struct Function {
        Priority priority = Priority::info;
        engine::Function<NotificationResult(const Notification&)> one = {};
        engine::Function<NotificationResult(const std::vector<Notification>&)> batch = {};
    };

    explicit Impl(const NotificationFilter& filter)
        : context(compiled(filter.context)), metadata(compiled(filter.metadata)), payload(compiled(filter.payload)) {
        if (filter.publisher_id) publisher_id = compiled(*filter.publisher_id);
        if (filter.event_type) event_type = compiled(*filter.event_type);
    }

    bool passes(const Notification& notification) const {
        if (publisher_id && !publisher_id->matches(notification.publisher_id)) return false;
        if (event_type && !event_type->matches(notification.event_type)) return false;
        if (!all_match(context, notification.context) || !all_match(payload, notification.payload)) return false;
        return metadata.empty() || all_match(metadata, Json{{"message_id", notification.message_id},
                                                            {"timestamp", notification.timestamp}});
    }

    std::optional<bus::Pattern> publisher_id;
    std::optional<bus::Pattern> event_type;
    Patterns context;
    Patterns metadata;
    Patterns payload;
    std::vector<Function> functions;
};

NotificationEndpoint::NotificationEndpoint(NotificationFilter filter) : impl_(std::make_unique<Impl>(filter)) {}
NotificationEndpoint::~NotificationEndpoint() = default;

NotificationEndpoint& NotificationEndpoint::add(Priority priority,
                                                engine::Function<NotificationResult(const Notification&)> function) {
    impl_->functions.push_back({.priority = priority, .one = std::move(function)});
    return *this;
}

NotificationEndpoint& NotificationEndpoint::add_batch(
    Priority priority, engine::Function<NotificationResult(const std::vector<Notification>&)> function) {
    impl_->functions.push_back({.priority = priority, .batch = std::move(function)});
    return *this;
}

struct NotificationListener::Impl final : bus::Listening {
    Impl(std::shared_ptr<bus::Bus> on, std::vector<Target> listened, const NotificationListenerOptions& asked,
         unsigned threads)
        : Listening(std::move(on), listened.front().topic, threads), targets(std::move(listened)), options(asked) {}

    struct Arrival {
        engine::Delivery delivery;
        engine::Instant when;
    };
    using Batch = std::vector<Arrival>;
    /// One notification on its way through the endpoints.
    struct Item {
        Arrival arrival;
        Notification notification;
        bus::Tally tally;
        bool begun = false;
        bool requeue = false;
        bool failed = false;  ///< an endpoint has thrown
    };

    const std::vector<Target> targets;
    const NotificationListenerOptions options;
    std::vector<std::unique_ptr<NotificationEndpoint>> endpoints;

    // The reactor's thread only.
    Batch waiting;
    engine::Reactor::TimerId timer = 0;

    bus::Subscription subscription() const;
    void take(engine::Delivery delivery, const RoundPtr& round) override;
    void drop_waiting() override;
    void flush();
    void process(Batch batch);
    codec::Result<Notification, std::string> read(const codec::MessageView& message) const;
    void offer(NotificationEndpoint::Impl& endpoint, NotificationEndpoint::Impl::Function& function,
               std::vector<Item>& items);
    /// What `call` says; when it throws, true, and `failed` too.
    template <class F>
    bool wants_requeue(const Notification& first, bool& failed, F&& call);
};

bus::Subscription NotificationListener::Impl::subscription() const {
    std::set<Priority> priorities;
    for (const auto& endpoint : endpoints)
        for (const auto& function : endpoint->impl_->functions) priorities.insert(function.priority);
    if (priorities.empty()) throw std::logic_error("a NotificationListener needs a function for some priority: on()");
    bus::Subscription all;
    all.nodes = [listened = targets, pool = options.pool, priorities](const Addresser& addresser) {
        std::vector<bus::NodeRef> nodes;
        for (auto target : listened) {
            target.topic = bus::pool_topic(target.topic, pool);
            for (const auto priority : priorities)
                nodes.push_back({.address = addresser.notification_address(target, name_of(priority))});
        }
        return nodes;
    };
    // With less than a batch of credit a batch from one link would never be full.
    constexpr std::size_t credit_max = std::numeric_limits<std::int32_t>::max();
    all.credit = std::max(bus().options().notify_server_credit,
                          static_cast<std::uint32_t>(std::min(options.batch_size, credit_max)));
    return all;
}

void NotificationListener::Impl::take(engine::Delivery delivery, const RoundPtr&) {
    auto& reactor = bus().reactor();
    waiting.push_back({std::move(delivery), reactor.now()});
    if (waiting.size() >= options.batch_size) return flush();
    if (waiting.size() > 1 || !options.batch_timeout) return;
    timer = reactor.start_timer(reactor.now() + *options.batch_timeout, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) static_cast<Impl&>(*self).flush();
    });
}

void NotificationListener::Impl::drop_waiting() {
    if (timer != 0) bus().reactor().cancel_timer(std::exchange(timer, 0));
    waiting.clear();
}

void NotificationListener::Impl::flush() {
    Batch batch = std::exchange(waiting, {});
    drop_waiting();
    if (batch.empty()) return;
    // Held until the batch is settled.
    const auto stay = std::make_shared<const Stay>(enter());
    run(*stay, [self = std::static_pointer_cast<Impl>(shared_from_this()), stay, batch = std::move(batch)]() mutable {
        self->process(std::move(batch));
    });
}

codec::Result<Notification, std::string> NotificationListener::Impl::read(const codec::MessageView& message) const {
    APROTIC_TRY_AS(auto notification, bus::read_notification(message, bus().options().json));
    if (!options.serializer) return notification;
    try {
        notification.context = options.serializer->deserialize_context(std::move(notification.context));
        notification.payload =
            options.serializer->deserialize_entity(notification.context, std::move(notification.payload));
    } catch (const std::exception& thrown) {
        return fmt::format("the serializer refuses the notification: {}", thrown.what());
    }
    return notification;
}

void NotificationListener::Impl::process(Batch batch) {
    std::vector<Item> items;
    for (auto& arrival : batch) {
        auto& delivery = arrival.delivery;
        const bus::Tally tally(bus(), MessageKind::notification, delivery.payload().size());
        auto notification = read(delivery.message());
        if (notification) {
            items.push_back({std::move(arrival), std::move(notification).value(), tally});
        } else {
            tally.unserved(bus(), Unserved::malformed);
            delivery.reject(codec::ErrorCondition{codec::condition::decode_error, notification.error(), {}});
        }
    }
    for (const auto& endpoint : endpoints)
        for (auto& function : endpoint->impl_->functions) offer(*endpoint->impl_, function, items);
    for (auto& item : items) {
        if (item.begun)
            item.tally.end(bus(), item.failed ? ServeOutcome::failed : ServeOutcome::replied);
        else
            item.tally.unserved(bus(), Unserved::filtered);
        if (item.requeue && options.allow_requeue)
            item.arrival.delivery.release();
        else
            item.arrival.delivery.accept();
    }
}

void NotificationListener::Impl::offer(NotificationEndpoint::Impl& endpoint,
                                       NotificationEndpoint::Impl::Function& function, std::vector<Item>& items) {
    std::vector<Item*> its;
    for (auto& item : items) {
        if (item.requeue || item.notification.priority != function.priority || !endpoint.passes(item.notification))
            continue;
        its.push_back(&item);
        if (!std::exchange(item.begun, true)) item.tally.begin(bus(), item.arrival.when);
    }
    if (its.empty()) return;
    if (function.one) {
        for (auto* item : its) {
            const auto call = [&] { return function.one(item->notification); };
            item->requeue = wants_requeue(item->notification, item->failed, call);
        }
        return;
    }
    std::vector<Notification> together;
    for (const auto* item : its) together.push_back(item->notification);
    bool failed = false;
    const bool requeue = wants_requeue(together.front(), failed, [&] { return function.batch(together); });
    for (auto* item : its) {
        item->requeue = requeue;
        item->failed = failed;
    }
}

template <class F>
bool NotificationListener::Impl::wants_requeue(const Notification& first, bool& failed, F&& call) {
    std::string why;
    try {
        return call() == NotificationResult::requeue;
    } catch (const std::exception& error) {
        why = error.what();
    } catch (...) {
        why = "an exception of an unknown kind";
    }
    failed = true;
    if (const auto& log = bus().options().log)
        log({LogLevel::error,
             "notification_failed",
             fmt::format("an endpoint failed with the notification '{}' of '{}', which is {}: {}", first.event_type,
                         first.publisher_id, options.allow_requeue ? "given back" : "accepted all the same", why),
             {{"event_type", first.event_type}, {"message_id", first.message_id}}});
    return true;
}

NotificationListener::NotificationListener(Transport& transport, std::vector<Target> targets,
                                           NotificationListenerOptions options) {
    const bool without_topic = std::ranges::any_of(targets, [](const Target& each) { return each.topic.empty(); });
    if (targets.empty() || without_topic)
        throw std::invalid_argument("a NotificationListener's targets need a topic each: Target{.topic = …}");
    if (options.batch_size == 0) throw std::invalid_argument("a NotificationListener's batch_size is at least 1");
    const unsigned threads =
        options.threads.value_or(transport.owns_reactor() ? transport.options().executor_thread_pool_size : 0);
    impl_ = std::make_shared<Impl>(transport.bus(), std::move(targets), options, threads);
}

NotificationListener::~NotificationListener() {
    if (impl_) static_cast<void>(impl_->leave(std::chrono::seconds(30)));
}

NotificationListener::NotificationListener(NotificationListener&&) noexcept = default;

NotificationEndpoint& NotificationListener::endpoint(NotificationFilter filter) {
    impl_->endpoints.push_back(std::unique_ptr<NotificationEndpoint>(new NotificationEndpoint(std::move(filter))));
    return *impl_->endpoints.back();
}

void NotificationListener::start() { impl_->start(impl_->subscription()); }
Result<void> NotificationListener::wait_ready(Duration timeout) const { return impl_->wait_ready(timeout); }
bool NotificationListener::is_ready() const { return impl_->is_ready(); }
Result<void> NotificationListener::stop(Duration timeout) { return impl_->stop(timeout); }

}  // namespace aprotic::driver
