#include <aprotic/driver/bus/management.hpp>

#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>
#include <aprotic/engine/percent_encoding.hpp>

namespace aprotic::driver::bus {
namespace {

/// A queue whose server has gone for this long goes too, as oslo.messaging's do at RabbitMQ.
constexpr std::int64_t unused_queue_ms = 30 * 60 * 1000;

codec::Map queue_properties(bool durable, bool exclusive, bool expires) {
    codec::Map arguments;
    if (expires) arguments.set("x-expires", unused_queue_ms);
    codec::Map properties;
    properties.set("durable", durable);
    properties.set("exclusive", exclusive);
    properties.set("auto_delete", false);
    properties.set("arguments", std::move(arguments));
    return properties;
}

/// What is wrongly encoded is left, for the peer to refuse.
std::string decoded(std::string_view text) { return engine::percent_decoded(text).value_or(std::string(text)); }

/// HTTP's codes in AMQP's words.
std::string_view condition_of(int status) {
    switch (status) {
        case 400: return codec::condition::invalid_field;
        case 401:
        case 403: return codec::condition::unauthorized_access;
        case 404: return codec::condition::not_found;
        case 409: return codec::condition::precondition_failed;
        default: return codec::condition::internal_error;
    }
}

std::string body_text(const codec::Message& message) {
    const auto* value = std::get_if<codec::Value>(&message.body);
    const auto* text = value != nullptr ? value->get_if<std::string>() : nullptr;
    return text != nullptr ? *text : std::string();
}

int status_of(const codec::Message& answer) {
    const auto& subject = answer.properties ? answer.properties->subject : std::nullopt;
    int status = 0;
    for (const char c : subject.value_or("")) {
        if (c < '0' || c > '9' || status > 999) return 0;
        status = status * 10 + (c - '0');
    }
    return status;
}

}  // namespace

Management::Management(Peer& peer)
    : peer_(peer.weak_from_this()),
      pair_(std::make_shared<RequestPair>(peer, RequestPair::Node{.address = "/management",
                                                                  .paired = true,
                                                                  .settled = true,
                                                                  .patience = peer.bus()->options().connect_timeout})) {
}

std::vector<Management::Step> Management::steps_for(const NodeRef& node) const {
    constexpr std::string_view queues = "/queues/";
    constexpr std::string_view exchanges = "/exchanges/";
    const auto peer = peer_.lock();
    const auto bus = peer ? peer->bus() : nullptr;
    // Exchanges are the operator's, the predeclared ones are there, and what is no address of this kind is its owner's.
    if (!bus || node.kind == NodeKind::given || !node.address.starts_with(queues)) return {};
    std::vector<Step> steps;
    const bool durable = !node.ours_alone;
    // Queues that are to outlive everything are durable by option, and never expire.
    const bool expires = !node.ours_alone && !bus->options().amqp_durable_queues;
    steps.push_back({"PUT", node.address, queue_properties(durable, node.ours_alone, expires)});
    if (!node.published_at.starts_with(exchanges)) return steps;
    const std::string_view route = std::string_view(node.published_at).substr(exchanges.size());
    const auto slash = route.find('/');
    codec::Map binding;
    binding.set("source", decoded(route.substr(0, slash)));
    binding.set("destination_queue", decoded(std::string_view(node.address).substr(queues.size())));
    binding.set("binding_key", slash == std::string_view::npos ? std::string() : decoded(route.substr(slash + 1)));
    binding.set("arguments", codec::Map());
    steps.push_back({"POST", "/bindings", std::move(binding)});
    return steps;
}

void Management::lay(const NodeRef& node, Done done) {
    if (declared_.contains(node.address)) return done(std::nullopt);
    auto steps = steps_for(node);
    if (steps.empty()) return done(std::nullopt);
    auto& waiting = waiting_[node.address];
    waiting.push_back(std::move(done));
    if (waiting.size() == 1) go(node.address, std::move(steps));
}

void Management::go(const std::string& address, std::vector<Step> left) {
    Step step = std::move(left.front());
    left.erase(left.begin());
    codec::Message request{codec::Value(std::move(step.body))};
    request.ensure_properties().to = step.path;
    request.properties->subject = step.method;
    pair_->ask(std::move(request), [self = weak_from_this(), address, step = step.method + " " + step.path,
                                    left = std::move(left)](RequestPair::Answer answer) mutable {
        const auto alive = self.lock();
        if (!alive) return;
        if (!answer) return alive->end(address, answer.error());
        const int status = status_of(*answer);
        constexpr int conflict = 409;
        if ((status < 200 || status > 299) && status != conflict) {
            std::string said = body_text(*answer);
            return alive->end(
                address,
                engine::Failure{engine::Errc::refused, engine::Initiator::peer,
                                codec::ErrorCondition{codec::Symbol(condition_of(status)), std::move(said), {}},
                                fmt::format("{} at the peer's node '/management' ended with {}", step,
                                            status == 0 ? "an answer without a status" : fmt::format("{}", status))});
        }
        if (!left.empty()) return alive->go(address, std::move(left));
        alive->declared_.insert(address);
        alive->end(address, std::nullopt);
    });
}

void Management::end(const std::string& address, const std::optional<engine::Failure>& why) {
    const auto waiting = waiting_.extract(address);
    if (!waiting) return;
    for (auto& done : waiting.mapped()) done(why);
}

void Management::close() {
    waiting_.clear();
    pair_->close();
}

}  // namespace aprotic::driver::bus
