#include <aprotic/engine/stack/sasl_cyrus.hpp>

#include <algorithm>
#include <cstring>

#include <openssl/crypto.h>

#include <aprotic/engine/sasl_config.hpp>
#include <aprotic/engine/stack/cyrus_connection.hpp>
#include <aprotic/engine/stack/header_exchange.hpp>

namespace aprotic::engine::stack {
namespace {

struct Known {
    const char* name;
    bool by_password;
    bool has_layer;  ///< may agree on a security layer
};

/// Strongest first.
constexpr Known known_mechanisms[] = {
    {"GSSAPI", false, true},        {"SCRAM-SHA-512", true, false}, {"SCRAM-SHA-384", true, false},
    {"SCRAM-SHA-256", true, false}, {"SCRAM-SHA-224", true, false}, {"SCRAM-SHA-1", true, false},
    {"DIGEST-MD5", true, true},     {"CRAM-MD5", true, false},
};

bool has_plugin(std::string_view name) { return std::ranges::find(cyrus_plugins(), name) != cyrus_plugins().end(); }

/// The part behind "@"; empty without one.
std::string_view realm_in(std::string_view user) {
    const std::size_t at = user.rfind('@');
    return at == std::string_view::npos ? std::string_view() : user.substr(at + 1);
}

bool set_to(const char* found, const char** value, unsigned* size) {
    if (found == nullptr) return false;
    *value = found;
    if (size != nullptr) *size = static_cast<unsigned>(std::strlen(found));
    return true;
}

// --- client --------------------------------------------------------------------------------------------------------

/// A password as Cyrus wants it, wiped at its end.
class Secret {
public:
    explicit Secret(std::string_view password)
        : size_(sizeof(sasl_secret_t) + password.size()), octets_(std::make_unique<std::byte[]>(size_)) {
        get()->len = password.size();
        std::ranges::copy(password, get()->data);
    }
    ~Secret() { OPENSSL_cleanse(octets_.get(), size_); }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;

    sasl_secret_t* get() const noexcept { return reinterpret_cast<sasl_secret_t*>(octets_.get()); }

private:
    std::size_t size_;
    std::unique_ptr<std::byte[]> octets_;
};

class ClientConnection final : public CyrusConnection {
public:
    ClientConnection(const SaslClientOptions& options, const SaslSurroundings& around)
        : options_(options), secret_(options.password) {
        add_callback(SASL_CB_GETOPT, &get_setting, this);
        add_callback(SASL_CB_USER, &get_name, this);
        add_callback(SASL_CB_AUTHNAME, &get_name, this);
        add_callback(SASL_CB_PASS, &get_password, this);
        add_callback(SASL_CB_GETREALM, &get_realm, this);
        end_callbacks();
        const std::string host = around.host.empty() ? "localhost" : around.host;
        // [5.3.2-f] Whom to act for must not get lost in a mechanism that cannot say it.
        const unsigned flags = options.authorization_id.empty() ? 0 : SASL_NEED_PROXY;
        if (sasl_client_new(options.cyrus.service.c_str(), host.c_str(), nullptr, nullptr, callbacks_.data(), flags,
                            &handle_) == SASL_OK)
            use_settings(options.cyrus, around);
    }

private:
    static int get_setting(void* self, const char*, const char* setting, const char** value, unsigned* size) {
        const auto& config = static_cast<ClientConnection*>(self)->options_.cyrus.config;
        return set_to(config ? config->find(setting) : nullptr, value, size) ? SASL_OK : SASL_FAIL;
    }
    static int get_name(void* self, int id, const char** value, unsigned* size) {
        const SaslClientOptions& options = static_cast<ClientConnection*>(self)->options_;
        set_to(id == SASL_CB_USER ? options.authorization_id.c_str() : options.username.c_str(), value, size);
        return SASL_OK;
    }
    static int get_password(sasl_conn_t*, void* self, int, sasl_secret_t** secret) {
        *secret = static_cast<ClientConnection*>(self)->secret_.get();
        return SASL_OK;
    }
    /// Ours, or that of the user's name, or the first that the server has.
    static int get_realm(void* self, int, const char** offered, const char** realm) {
        const SaslClientOptions& options = static_cast<ClientConnection*>(self)->options_;
        const std::string_view own =
            options.cyrus.realm.empty() ? realm_in(options.username) : std::string_view(options.cyrus.realm);
        // Both end with their string.
        *realm = own.empty() && offered != nullptr && *offered != nullptr ? *offered : own.data();
        if (*realm == nullptr) *realm = "";
        return SASL_OK;
    }

    const SaslClientOptions& options_;
    Secret secret_;
};

class CyrusClient final : public SaslClientExchange {
public:
    CyrusClient(const SaslClientOptions& options, const SaslSurroundings& around, const char* mechanism)
        : connection_(std::make_shared<ClientConnection>(options, around)), mechanism_(mechanism) {}

    bool ready() override {
        const char* used = nullptr;
        const char* out = nullptr;
        unsigned size = 0;
        if (connection_->handle() == nullptr) return false;
        const int result = sasl_client_start(connection_->handle(), mechanism_, nullptr, &out, &size, &used);
        if (!take(result)) return false;
        if (out != nullptr) initial_response_ = std::string(out, size);
        return true;
    }
    std::optional<std::string> initial_response() override { return std::move(initial_response_); }

    std::optional<std::string> respond(std::string_view challenge) override {
        // Some servers ask once more where nothing is left to be said.
        if (done_) return challenge.empty() ? std::optional<std::string>(std::in_place) : std::nullopt;
        const char* out = nullptr;
        unsigned size = 0;
        if (!step(challenge, out, size)) return std::nullopt;
        return out == nullptr ? std::string() : std::string(out, size);
    }

    /// [5.3.3-i] The server's last word may come here, or may have been its last challenge.
    bool finish(std::string_view data) override {
        if (done_) return true;
        const char* out = nullptr;
        unsigned size = 0;
        return step(data, out, size) && done_;
    }

    /// What Cyrus says while all goes well is about itself.
    std::string reason() const override { return failed_ ? connection_->detail() : std::string(); }
    std::unique_ptr<SaslSecurityLayer> security_layer() override {
        return CyrusConnection::security_layer(connection_);
    }

private:
    bool step(std::string_view in, const char*& out, unsigned& size) {
        const char* const octets = in.empty() ? "" : in.data();
        return take(
            sasl_client_step(connection_->handle(), octets, static_cast<unsigned>(in.size()), nullptr, &out, &size));
    }
    bool take(int result) {
        done_ = result == SASL_OK;
        failed_ = result != SASL_OK && result != SASL_CONTINUE;
        return !failed_;
    }

    std::shared_ptr<ClientConnection> connection_;
    const char* mechanism_;
    std::optional<std::string> initial_response_;
    bool done_ = false;
    bool failed_ = false;
};

// --- server --------------------------------------------------------------------------------------------------------

class ServerConnection final : public CyrusConnection {
public:
    ServerConnection(const SaslServerOptions& options, const SaslSurroundings& around, std::string_view mechanism)
        : options_(options) {
        add_callback(SASL_CB_GETOPT, &get_setting, this);
        add_callback(SASL_CB_PROXY_POLICY, &authorize, this);
        if (options.password_of) {
            look_up_.password_of = [this](std::string_view user) { return options_.password_of(without_realm(user)); };
            callbacks_.push_back({cyrus_look_up_id, nullptr, &look_up_});
        }
        end_callbacks();
        // Cyrus appends a realm of its own to the names of users. A function that knows passwords by name wants none,
        // but DIGEST-MD5 cannot do without: there the place of the host's name has one. Kerberos wants that name
        // itself.
        const std::string& realm = options.cyrus.realm;
        const bool by_host = mechanism == "GSSAPI" || (realm.empty() && !options.password_of);
        default_realm_ = by_host ? cyrus_host_name() : !realm.empty() ? realm : options.cyrus.service;
        const char* const appended = realm.empty() || options.password_of ? nullptr : realm.c_str();
        if (sasl_server_new(options.cyrus.service.c_str(), default_realm_.c_str(), appended, nullptr, nullptr,
                            callbacks_.data(), 0, &handle_) == SASL_OK)
            use_settings(options.cyrus, around);
    }

    /// As those name users who gave us their passwords.
    std::string user(int property) const {
        const std::string found = name(property);
        return options_.password_of ? std::string(without_realm(found)) : found;
    }

private:
    std::string_view without_realm(std::string_view user) const {
        if (realm_in(user) == default_realm_) user.remove_suffix(std::min(user.size(), default_realm_.size() + 1));
        return user;
    }

    static int get_setting(void* self, const char*, const char* setting, const char** value, unsigned* size) {
        const SaslServerOptions& options = static_cast<ServerConnection*>(self)->options_;
        const char* found = options.cyrus.config ? options.cyrus.config->find(setting) : nullptr;
        if (options.password_of && std::strcmp(setting, "auxprop_plugin") == 0) found = cyrus_look_up_plugin;
        return set_to(found, value, size) ? SASL_OK : SASL_FAIL;
    }
    static int authorize(sasl_conn_t*, void* context, const char* other, unsigned other_size, const char* user,
                         unsigned user_size, const char*, unsigned, propctx*) {
        const auto& self = *static_cast<ServerConnection*>(context);
        const std::string_view from = self.without_realm({user, user_size});
        const std::string_view to = self.without_realm({other, other_size});
        return may_act(self.options_, from, to) ? SASL_OK : SASL_NOAUTHZ;
    }

    const SaslServerOptions& options_;
    std::string default_realm_;
    CyrusLookUp look_up_;
};

class CyrusServer final : public SaslServerExchange {
public:
    CyrusServer(const SaslServerOptions& options, const SaslSurroundings& around, const char* mechanism)
        : connection_(std::make_shared<ServerConnection>(options, around, mechanism)), mechanism_(mechanism) {}

    /// The last word is a challenge like the others, which the client answers with nothing: clients that take no notice
    /// of an outcome's additional-data would not see our proof in it.
    Step step(std::optional<std::string_view> response) override {
        if (connection_->handle() == nullptr) return {Step::Kind::denied, {}, {}, "Cyrus SASL has not started"};
        const char* out = nullptr;
        unsigned size = 0;
        // Where the server speaks first, clients that must say something say nothing. [5.3.2-h]
        const char* const in = response && !response->empty() ? response->data() : begun_ ? "" : nullptr;
        const auto in_size = static_cast<unsigned>(response ? response->size() : 0);
        const int result = begun_ ? sasl_server_step(connection_->handle(), in, in_size, &out, &size)
                                  : sasl_server_start(connection_->handle(), mechanism_, in, in_size, &out, &size);
        begun_ = true;
        if (result != SASL_CONTINUE && result != SASL_OK) {
            // `out` is then left pointing at what was freed.
            return {Step::Kind::denied, connection_->user(SASL_AUTHUSER), {}, connection_->detail()};
        }
        std::string said = out == nullptr ? std::string() : std::string(out, size);
        if (result == SASL_CONTINUE) return {Step::Kind::challenge, std::move(said), {}, {}};
        return {Step::Kind::accepted, connection_->user(SASL_USERNAME), std::move(said), {}};
    }

    std::unique_ptr<SaslSecurityLayer> security_layer() override {
        return CyrusConnection::security_layer(connection_);
    }

private:
    std::shared_ptr<ServerConnection> connection_;
    const char* mechanism_;
    bool begun_ = false;
};

}  // namespace

bool has_cyrus() { return true; }

std::vector<SaslMechanism> cyrus_client_mechanisms(const SaslClientOptions& options, const SaslSurroundings& around) {
    std::vector<SaslMechanism> found;
    const bool has_password = !options.username.empty() && !options.password.empty();
    for (const Known& each : known_mechanisms) {
        // A ticket may be somebody else's, so it is not used for who did not ask for that.
        const bool named = !options.username.empty() && !has_password && !options.token;
        const bool ticket = named || lists(options.mechanisms, each.name);
        if (!(each.by_password ? has_password : ticket) || !has_plugin(each.name)) continue;
        found.push_back(
            {each.name,
             false,
             [&options, &around, name = each.name] { return std::make_unique<CyrusClient>(options, around, name); },
             {}});
    }
    return found;
}

std::vector<SaslMechanism> cyrus_server_mechanisms(const SaslServerOptions& options, const SaslSurroundings& around) {
    std::vector<SaslMechanism> found;
    const auto add = [&](const char* name, bool sends_password) {
        found.push_back({name, sends_password, {}, [&options, &around, name] {
                             return std::make_unique<CyrusServer>(options, around, name);
                         }});
    };
    const bool has_users = options.password_of || options.cyrus.config;
    const bool needs_layer = options.cyrus.layer_bits_min > 0 && !around.tls;
    for (const Known& each : known_mechanisms) {
        if (!(each.by_password ? has_users : lists(options.mechanisms, each.name))) continue;
        if ((each.has_layer || !needs_layer) && has_plugin(each.name)) add(each.name, false);
    }
    const bool knows_plain = options.verify_password || options.password_of;
    if (has_users && !knows_plain && !needs_layer && has_plugin("PLAIN")) add("PLAIN", true);
    return found;
}

}  // namespace aprotic::engine::stack
