#include <aprotic/engine/stack/sasl_mechanism.hpp>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/decoder.hpp>

namespace aprotic::engine::stack {
namespace {

/// RFC 4616: authorization identity, NUL, user, NUL, password.
class PlainClient final : public ClientMechanism {
public:
    explicit PlainClient(const SaslClientOptions& options) : options_(options) {}

    std::optional<std::string> initial_response() override { return message(); }
    // Some servers take no notice of the initial response and ask again. [5.3.2-i]
    std::optional<std::string> respond(std::string_view) override { return message(); }

private:
    std::string message() const {
        std::string text = options_.authorization_id;
        text += '\0';
        text += options_.username;
        text += '\0';
        text += options_.password;
        return text;
    }

    const SaslClientOptions& options_;
};

class PlainServer final : public ServerMechanism {
public:
    explicit PlainServer(const SaslServerOptions& options) : options_(options) {}

    Step step(std::optional<std::string_view> response) override {
        if (!response) return {Step::Kind::challenge, {}};
        const std::size_t first = response->find('\0');
        if (first == std::string_view::npos) return {};
        const std::size_t second = response->find('\0', first + 1);
        if (second == std::string_view::npos) return {};
        const std::string_view authorization = response->substr(0, first);
        const std::string_view user = response->substr(first + 1, second - first - 1);
        const std::string_view password = response->substr(second + 1);
        // [5.3.3-d] Every part is UTF-8, the user is not empty, and nobody may act for somebody else.
        if (user.empty() || password.find('\0') != std::string_view::npos) return {};
        if (!codec::is_utf8(codec::as_bytes(*response))) return {};
        const bool for_itself = authorization.empty() || authorization == user;
        const bool right = for_itself && options_.verify_password && options_.verify_password(user, password);
        return {right ? Step::Kind::accepted : Step::Kind::denied, std::string(user)};
    }

private:
    const SaslServerOptions& options_;
};

/// RFC 4505. The trace information says nothing about us, but some servers want to see some.
class AnonymousClient final : public ClientMechanism {
public:
    std::optional<std::string> initial_response() override { return "anonymous"; }
    std::optional<std::string> respond(std::string_view) override { return "anonymous"; }
};

class AnonymousServer final : public ServerMechanism {
public:
    Step step(std::optional<std::string_view>) override { return {Step::Kind::accepted, {}}; }
};

}  // namespace

std::span<const Mechanism> builtin_mechanisms() noexcept {
    static constexpr Mechanism mechanisms[] = {
        {"PLAIN", true, true,
         [](const SaslServerOptions& options) { return static_cast<bool>(options.verify_password); },
         [](const SaslClientOptions& options) -> std::unique_ptr<ClientMechanism> {
             return std::make_unique<PlainClient>(options);
         },
         [](const SaslServerOptions& options) -> std::unique_ptr<ServerMechanism> {
             return std::make_unique<PlainServer>(options);
         }},
        {"ANONYMOUS", false, false, [](const SaslServerOptions& options) { return options.allow_anonymous; },
         [](const SaslClientOptions&) -> std::unique_ptr<ClientMechanism> {
             return std::make_unique<AnonymousClient>();
         },
         [](const SaslServerOptions&) -> std::unique_ptr<ServerMechanism> {
             return std::make_unique<AnonymousServer>();
         }},
    };
    return mechanisms;
}

}  // namespace aprotic::engine::stack
