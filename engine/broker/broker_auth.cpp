#include <aprotic/engine/broker/broker_auth.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace aprotic::engine::broker {

ConnectionOptions accepted_options(const BrokerOptions& options) {
    ConnectionOptions accepted = options.connection;
    if (accepted.container_id.empty()) accepted.container_id = options.container_id;
    const codec::Symbol relay("ANONYMOUS-RELAY");
    if (std::ranges::find(accepted.offered_capabilities, relay) == accepted.offered_capabilities.end())
        accepted.offered_capabilities.push_back(relay);
    // No "product" here: oslo.messaging takes a product it does not know for a router and then uses addresses that our
    // patterns do not cover. The addresses this broker is made for are chosen for peers without one.
    accepted.properties.set(codec::Symbol("implementation"), "aprotic");
    // Not where it resembles another.
    if (accepted.properties.find("version") == nullptr)
        accepted.properties.set(codec::Symbol("version"), APROTIC_VERSION);
    SaslServerOptions& sasl = accepted.sasl_server;
    if (!options.users.empty() || !options.tokens.empty()) {
        sasl.offer = true;
        sasl.required = true;
        sasl.allow_anonymous = false;
        sasl.verify_password = nullptr;
        sasl.password_of = nullptr;
        sasl.verify_token = nullptr;
    }
    if (!options.users.empty()) {
        sasl.password_of = [users = options.users](std::string_view user) {
            const auto known = users.find(std::string(user));
            return known == users.end() ? std::nullopt : std::optional(known->second);
        };
    }
    if (!options.tokens.empty()) {
        sasl.verify_token = [tokens = options.tokens](std::string_view token) -> std::optional<std::string> {
            for (const auto& [user, right] : tokens) {
                if (same_secret(token, right)) return user;
            }
            return std::nullopt;
        };
    }
    return accepted;
}

}  // namespace aprotic::engine::broker
