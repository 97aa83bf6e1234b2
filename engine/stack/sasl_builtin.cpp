#include <aprotic/engine/stack/sasl_mechanism.hpp>

#include <algorithm>
#include <cctype>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/decoder.hpp>
#include <aprotic/engine/stack/header_exchange.hpp>
#include <aprotic/engine/stack/sasl_cyrus.hpp>
#include <aprotic/engine/stack/wipe.hpp>

namespace aprotic::engine::stack {
namespace {

using Client = SaslClientExchange;
using Server = SaslServerExchange;

/// One message says all, whenever the server asks for it. Some servers take no notice of the initial response and ask
/// again. [5.3.2-i]
class SingleMessage : public Client {
public:
    std::optional<std::string> initial_response() override { return message(); }
    std::optional<std::string> respond(std::string_view) override { return message(); }

private:
    virtual std::string message() const = 0;
};

/// RFC 4616: authorization identity, NUL, user, NUL, password.
class PlainClient final : public SingleMessage {
public:
    explicit PlainClient(const SaslClientOptions& options) : options_(options) {}

private:
    std::string message() const override {
        std::string text;
        // No copies are left behind by a string that grows.
        text.reserve(options_.authorization_id.size() + options_.username.size() + options_.password.size() + 2);
        text += options_.authorization_id;
        text += '\0';
        text += options_.username;
        text += '\0';
        text += options_.password;
        return text;
    }

    const SaslClientOptions& options_;
};

bool is_password(const SaslServerOptions& options, std::string_view user, std::string_view password) {
    if (options.verify_password) return options.verify_password(user, password);
    auto right = options.password_of(user);
    const bool same = same_secret(password, right ? std::string_view(*right) : std::string_view()) && right;
    if (right) wipe(*right);
    return same;
}

class PlainServer final : public Server {
public:
    explicit PlainServer(const SaslServerOptions& options) : options_(options) {}

    Step step(std::optional<std::string_view> response) override {
        if (!response) return {Step::Kind::challenge, {}, {}};
        const std::size_t first = response->find('\0');
        if (first == std::string_view::npos) return {};
        const std::size_t second = response->find('\0', first + 1);
        if (second == std::string_view::npos) return {};
        const std::string_view authorization = response->substr(0, first);
        const std::string_view user = response->substr(first + 1, second - first - 1);
        const std::string_view password = response->substr(second + 1);
        // [5.3.3-d] Every part is UTF-8, and the user is not empty.
        if (user.empty() || password.find('\0') != std::string_view::npos) return {};
        if (!codec::is_utf8(codec::as_bytes(*response))) return {};
        const bool right = is_password(options_, user, password) && may_act(options_, user, authorization);
        if (!right) return {Step::Kind::denied, std::string(user), {}, {}};
        return {Step::Kind::accepted, std::string(authorization.empty() ? user : authorization), {}, {}};
    }

private:
    const SaslServerOptions& options_;
};

/// RFC 4505. The trace information says nothing about us, but some servers want to see some.
class AnonymousClient final : public SingleMessage {
    std::string message() const override { return "anonymous"; }
};

class AnonymousServer final : public Server {
public:
    Step step(std::optional<std::string_view>) override { return {Step::Kind::accepted, {}, {}}; }
};

/// RFC 4422, appendix A: who we are was proved below, so all that can be said is whom to act for.
class ExternalClient final : public SingleMessage {
public:
    explicit ExternalClient(const SaslClientOptions& options) : options_(options) {}

private:
    std::string message() const override { return options_.authorization_id; }

    const SaslClientOptions& options_;
};

class ExternalServer final : public Server {
public:
    ExternalServer(const SaslServerOptions& options, const SaslSurroundings& around)
        : options_(options), around_(around) {}

    Step step(std::optional<std::string_view> response) override {
        if (!response) return {Step::Kind::challenge, {}, {}};
        const TlsStatus& peer = *around_.tls;
        const auto user = options_.user_of_certificate ? options_.user_of_certificate(peer)
                                                       : std::optional<std::string>(peer.common_name);
        if (!user || user->empty()) return {Step::Kind::denied, peer.subject, {}};
        if (!may_act(options_, *user, *response)) return {Step::Kind::denied, *user, {}, {}};
        return {Step::Kind::accepted, response->empty() ? *user : std::string(*response), {}, {}};
    }

private:
    const SaslServerOptions& options_;
    const SaslSurroundings& around_;
};

constexpr char separator = '\1';  // of RFC 7628 and of what came before it
constexpr std::string_view bearer = "auth=Bearer ";

/// What both token mechanisms have in common: a server that does not take the token says why in a challenge, and the
/// client answers that so that the exchange can end.
class TokenClient : public Client {
public:
    TokenClient(const SaslClientOptions& options, std::string acknowledgement)
        : options_(options), acknowledgement_(std::move(acknowledgement)) {}

    std::optional<std::string> initial_response() override {
        std::string token = options_.token();
        std::string text;
        text.reserve(token.size() + size_beside_token());
        append_message(text, token);
        wipe(token);
        return text;
    }
    std::optional<std::string> respond(std::string_view challenge) override {
        if (challenge.empty()) return initial_response();
        reason_ = printable(challenge, 200);
        return acknowledgement_;
    }
    std::string reason() const override { return reason_; }

protected:
    /// `text` has room, so that no copies are left behind by growing.
    virtual void append_message(std::string& text, const std::string& token) const = 0;
    virtual std::size_t size_beside_token() const {
        return 64 + 3 * (options_.username.size() + options_.authorization_id.size());
    }

    const SaslClientOptions& options_;

private:
    std::string acknowledgement_;
    std::string reason_;
};

/// RFC 7628.
class BearerClient final : public TokenClient {
public:
    BearerClient(const SaslClientOptions& options, std::string host)
        : TokenClient(options, std::string(1, separator)), host_(std::move(host)) {}

private:
    void append_message(std::string& text, const std::string& token) const override {
        text += "n,";
        const std::string& acts_for = options_.authorization_id.empty() ? options_.username : options_.authorization_id;
        if (!acts_for.empty()) {
            text += "a=";
            for (const char c : acts_for) {  // RFC 5801: the two that would end the name
                if (c == ',') {
                    text += "=2C";
                } else if (c == '=') {
                    text += "=3D";
                } else {
                    text += c;
                }
            }
        }
        text += ',';
        text += separator;
        if (!host_.empty()) text.append("host=").append(host_) += separator;
        text.append(bearer).append(token) += separator;
        text += separator;
    }
    std::size_t size_beside_token() const override { return TokenClient::size_beside_token() + host_.size(); }

    std::string host_;
};

class XOAuth2Client final : public TokenClient {
public:
    explicit XOAuth2Client(const SaslClientOptions& options) : TokenClient(options, {}) {}

private:
    void append_message(std::string& text, const std::string& token) const override {
        text.append("user=").append(options_.username) += separator;
        text.append(bearer).append(token) += separator;
        text += separator;
    }
};

class TokenServer final : public Server {
public:
    explicit TokenServer(const SaslServerOptions& options) : options_(options) {}

    Step step(std::optional<std::string_view> response) override {
        if (refused_) return {Step::Kind::denied, {}, {}};
        if (!response) return {Step::Kind::challenge, {}, {}};
        const std::size_t begin = response->find(std::string(1, separator).append(bearer));
        if (begin == std::string_view::npos) return refuse();
        const std::string_view token = response->substr(begin + 1 + bearer.size());
        const std::size_t end = token.find(separator);
        // The last thing is an empty pair.
        if (end == std::string_view::npos || response->substr(response->size() - 2) != "\1\1") return refuse();
        const auto user = options_.verify_token(token.substr(0, end));
        if (!user) return refuse();
        const auto claimed = claimed_user(*response);
        if (!claimed || (!claimed->empty() && *claimed != *user)) return refuse();
        return {Step::Kind::accepted, *user, {}};
    }

private:
    Step refuse() {
        refused_ = true;
        return {Step::Kind::challenge, R"({"status":"invalid_token"})", {}};
    }

    /// Whom the client wants to be; empty when it does not say, absent when it cannot be understood.
    static std::optional<std::string> claimed_user(std::string_view response) {
        constexpr std::string_view user = "user=";
        if (response.starts_with(user)) return std::string(response.substr(user.size(), response.find(separator) - 5));
        // "n," or "y,": no channel binding, which is all that we could check.
        if (!response.starts_with("n,") && !response.starts_with("y,")) return std::nullopt;
        const std::string_view rest = response.substr(2);
        const std::size_t comma = rest.find(',');
        if (comma == std::string_view::npos || comma > rest.find(separator)) return std::nullopt;
        std::string_view encoded = rest.substr(0, comma);
        if (encoded.empty()) return std::string();
        if (!encoded.starts_with("a=")) return std::nullopt;
        encoded.remove_prefix(2);
        std::string name;
        while (!encoded.empty()) {
            const bool comma_here = encoded.starts_with("=2C");
            if (comma_here || encoded.starts_with("=3D")) {
                name += comma_here ? ',' : '=';
                encoded.remove_prefix(3);
            } else if (encoded.front() == '=') {
                return std::nullopt;
            } else {
                name += encoded.front();
                encoded.remove_prefix(1);
            }
        }
        return name;
    }

    const SaslServerOptions& options_;
    bool refused_ = false;
};

template <class Exchange, class... Arguments>
auto made(const Arguments&... arguments) {
    return [arguments...] { return std::make_unique<Exchange>(arguments...); };
}

constexpr std::string_view mechanism_names[] = {
    "EXTERNAL",      "OAUTHBEARER", "XOAUTH2",    "GSSAPI",   "SCRAM-SHA-512", "SCRAM-SHA-384", "SCRAM-SHA-256",
    "SCRAM-SHA-224", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "PLAIN",         "ANONYMOUS",
};

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

bool lists(const std::vector<std::string>& names, std::string_view name) {
    return std::ranges::any_of(names, [&](const auto& each) { return same_name(each, name); });
}

bool may_act(const SaslServerOptions& options, std::string_view user, std::string_view other) {
    return other.empty() || other == user || (options.may_act_for && options.may_act_for(user, other));
}

std::vector<SaslMechanism> client_mechanisms(const SaslClientOptions& options, const SaslSurroundings& around) {
    std::vector<SaslMechanism> found;
    const auto listed = [&](std::string_view name) { return lists(options.mechanisms, name); };
    const auto add = [&](SaslMechanism mechanism) {
        if (options.mechanisms.empty() || listed(mechanism.name)) found.push_back(std::move(mechanism));
    };
    for (const SaslMechanism& own : options.own_mechanisms) {
        if (own.make_client) add(own);
    }
    const std::reference_wrapper to(options);
    const bool has_token = static_cast<bool>(options.token);
    const bool nobody = options.username.empty() && !has_token;
    // Who gave a name or a token means that, and not the certificate, unless that was said too.
    if ((nobody && around.has_certificate) || listed("EXTERNAL"))
        add({"EXTERNAL", false, made<ExternalClient>(to), {}});
    if (has_token) {
        add({"OAUTHBEARER", true, made<BearerClient>(to, around.host), {}});
        if (!options.username.empty()) add({"XOAUTH2", true, made<XOAuth2Client>(to), {}});
    }
    for (SaslMechanism& each : cyrus_client_mechanisms(options, around)) add(std::move(each));
    if (!options.username.empty() && !(has_token && options.password.empty()))
        add({"PLAIN", true, made<PlainClient>(to), {}});
    // Who gave a user name does not want to come in as nobody.
    if (nobody || listed("ANONYMOUS")) add({"ANONYMOUS", false, made<AnonymousClient>(), {}});
    return found;
}

std::vector<SaslMechanism> server_mechanisms(const SaslServerOptions& options, const SaslSurroundings& around) {
    std::vector<SaslMechanism> found;
    const auto add = [&](SaslMechanism mechanism) {
        if (options.mechanisms.empty() || lists(options.mechanisms, mechanism.name))
            found.push_back(std::move(mechanism));
    };
    for (const SaslMechanism& own : options.own_mechanisms) {
        if (own.make_server) add(own);
    }
    const std::reference_wrapper to(options);
    if (options.allow_external && around.tls && around.tls->verified)
        add({"EXTERNAL", false, {}, made<ExternalServer>(to, std::reference_wrapper(around))});
    if (options.verify_token) {
        add({"OAUTHBEARER", true, {}, made<TokenServer>(to)});
        add({"XOAUTH2", true, {}, made<TokenServer>(to)});
    }
    for (SaslMechanism& each : cyrus_server_mechanisms(options, around)) add(std::move(each));
    if (options.verify_password || options.password_of) add({"PLAIN", true, {}, made<PlainServer>(to)});
    if (options.allow_anonymous) add({"ANONYMOUS", false, {}, made<AnonymousServer>()});
    return found;
}

}  // namespace aprotic::engine::stack

namespace aprotic::engine {

std::span<const std::string_view> sasl_mechanism_names() noexcept { return stack::mechanism_names; }

}  // namespace aprotic::engine
