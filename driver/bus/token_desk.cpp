#include <aprotic/driver/bus/token_desk.hpp>

#include <utility>

#include <fmt/core.h>

#include <aprotic/driver/bus/bus.hpp>

namespace aprotic::driver::bus {
namespace {

/// What a token is asked for: subscriptions and partitions are their entity's.
std::string entity_of(const std::string& address) {
    for (const std::string_view part : {"/Subscriptions/", "/subscriptions/", "/ConsumerGroups/"})
        if (const auto at = address.find(part); at != std::string::npos) return address.substr(0, at);
    return address;
}

struct TokenStatus {
    std::int64_t code = 0;
    std::string text;
};

/// [amqp-man 3.2] statusCode; Azure writes it with a dash, in one of several types.
TokenStatus token_status(const codec::Message& answer) {
    TokenStatus status;
    for (const char* key : {"status-code", "statusCode"})
        if (const auto* value = answer.application_properties.find(key))
            if (const auto number = value->to_int64()) status.code = *number;
    for (const char* key : {"status-description", "statusDescription"})
        if (const auto* value = answer.application_properties.find(key))
            status.text = std::string(value->to_text().value_or(""));
    return status;
}

}  // namespace

TokenDesk::TokenDesk(Peer& peer)
    : peer_(peer.weak_from_this()),
      pair_(std::make_shared<RequestPair>(
          peer, RequestPair::Node{.address = "$cbs", .patience = peer.bus()->options().connect_timeout})) {}

void TokenDesk::lay(const NodeRef& node, Done done) {
    const std::string name = entity_of(node.address);
    Entity& entity = entities_[name];
    if (entity.open) return done(std::nullopt);
    entity.waiting.push_back(std::move(done));
    if (entity.waiting.size() == 1) put(name);
}

void TokenDesk::forget(const std::string& address) {
    const auto at = entities_.find(entity_of(address));
    if (at != entities_.end()) at->second.open = false;
}

void TokenDesk::put(const std::string& name) {
    const auto peer = peer_.lock();
    const auto bus = peer ? peer->bus() : nullptr;
    if (!bus || closed_) return;
    const TransportOptions& options = bus->options();
    const std::string audience = fmt::format("amqps://{}/{}", peer->host(), name);
    const AccessToken token = options.make_access_token
                                  ? options.make_access_token(audience)
                                  : AccessToken{.text = options.access_token,
                                                .type = options.access_token.starts_with("SharedAccessSignature ")
                                                            ? "servicebus.windows.net:sastoken"
                                                            : "jwt"};
    codec::Message request{codec::Value(token.text)};
    request.application_properties.set("operation", "put-token");
    request.application_properties.set("type", token.type);
    request.application_properties.set("name", audience);
    constexpr Duration least = std::chrono::seconds(1);
    const Duration until_next = std::max<Duration>(token.valid_for * 4 / 5, least);
    pair_->ask(std::move(request), [self = weak_from_this(), name, until_next](RequestPair::Answer answer) {
        const auto alive = self.lock();
        if (!alive) return;
        if (!answer) return alive->end(name, answer.error());
        const TokenStatus status = token_status(*answer);
        if (status.code < 200 || status.code > 299)
            return alive->end(
                name, engine::Failure{engine::Errc::refused, engine::Initiator::peer,
                                      codec::ErrorCondition{codec::Symbol(codec::condition::unauthorized_access),
                                                            fmt::format("{} {}", status.code, status.text),
                                                            {}},
                                      fmt::format("the peer's node '$cbs' does not take the access token for '{}' "
                                                  "(option access_token)",
                                                  name)});
        const auto its_peer = alive->peer_.lock();
        if (const auto on = its_peer ? its_peer->bus() : nullptr)
            alive->entities_[name].timer = on->reactor().start_timer(on->reactor().now() + until_next, [self, name] {
                if (const auto again = self.lock()) again->put(name);
            });
        alive->entities_[name].open = true;
        alive->end(name, std::nullopt);
    });
}

void TokenDesk::end(const std::string& name, const std::optional<engine::Failure>& why) {
    Entity& entity = entities_[name];
    if (why) entity.open = false;  // of a token that was to be renewed: the peer ends what it does not cover any more
    for (auto& done : std::exchange(entity.waiting, {})) done(why);
}

void TokenDesk::close() {
    closed_ = true;
    const auto peer = peer_.lock();
    const auto bus = peer ? peer->bus() : nullptr;
    for (const auto& [name, entity] : std::exchange(entities_, {}))
        if (bus && entity.timer != 0) bus->reactor().cancel_timer(entity.timer);
    pair_->close();
}

}  // namespace aprotic::driver::bus
