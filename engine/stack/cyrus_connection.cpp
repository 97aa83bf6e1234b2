#include <aprotic/engine/stack/cyrus_connection.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sasl/saslplug.h>

#include <aprotic/engine/stack/header_exchange.hpp>

namespace aprotic::engine::stack {
namespace {

/// Nothing goes to the system's log. What is worth knowing is in sasl_errdetail().
int drop_log_line(void*, int, const char*) { return SASL_OK; }

void* make_mutex() { return new (std::nothrow) std::mutex; }
int lock_mutex(void* mutex) {
    static_cast<std::mutex*>(mutex)->lock();
    return SASL_OK;
}
int unlock_mutex(void* mutex) {
    static_cast<std::mutex*>(mutex)->unlock();
    return SASL_OK;
}
void free_mutex(void* mutex) { delete static_cast<std::mutex*>(mutex); }

/// A user whom nobody knows has a password too, which nobody knows either: the exchange then fails where one with a
/// wrong password does, and does not tell which names there are.
std::optional<std::string> invented_password() {
    std::array<unsigned char, 32> chance{};
    if (RAND_bytes(chance.data(), static_cast<int>(chance.size())) != 1) return std::nullopt;
    std::string password(chance.size(), '\0');
    std::ranges::transform(chance, password.begin(), [](unsigned char c) { return static_cast<char>('a' + c % 16); });
    return password;
}

int look_up(void*, sasl_server_params_t* params, unsigned flags, const char* user, unsigned size) {
    const sasl_utils_t& utils = *params->utils;
    CyrusFunction function = nullptr;
    void* context = nullptr;
    const int found = utils.getcallback(utils.conn, cyrus_look_up_id, &function, &context);
    // A connection of somebody else's, or of ours without a function.
    if ((found != SASL_OK && found != SASL_INTERACT) || context == nullptr) return SASL_NOUSER;
    if ((flags & SASL_AUXPROP_AUTHZID) != 0) return SASL_OK;
    auto password = static_cast<const CyrusLookUp*>(context)->password_of(std::string_view(user, size));
    if (!password) password = invented_password();
    if (!password) return SASL_FAIL;
    for (const propval* each = utils.prop_get(params->propctx); each != nullptr && each->name != nullptr; ++each) {
        if (std::strcmp(each->name, SASL_AUX_PASSWORD) != 0) continue;
        if (each->values != nullptr) utils.prop_erase(params->propctx, each->name);
        utils.prop_set(params->propctx, each->name, password->data(), static_cast<int>(password->size()));
    }
    OPENSSL_cleanse(password->data(), password->size());
    return SASL_OK;
}

int make_look_up(const sasl_utils_t*, int max_version, int* version, sasl_auxprop_plug_t** plugin, const char*) {
    if (max_version < SASL_AUXPROP_PLUG_VERSION) return SASL_BADVERS;
    static std::string name = cyrus_look_up_plugin;
    static sasl_auxprop_plug_t made = {0, 0, nullptr, nullptr, &look_up, name.data(), nullptr};
    *version = SASL_AUXPROP_PLUG_VERSION;
    *plugin = &made;
    return SASL_OK;
}

std::vector<std::string> start_cyrus() {
    static const sasl_callback_t callbacks[] = {
        {SASL_CB_LOG, reinterpret_cast<CyrusFunction>(reinterpret_cast<void (*)()>(&drop_log_line)), nullptr},
        {SASL_CB_LIST_END, nullptr, nullptr}};
    std::vector<std::string> names;
    sasl_set_mutex(&make_mutex, &lock_mutex, &unlock_mutex, &free_mutex);
    // Without an application's name no file of settings is looked for.
    if (sasl_client_init(callbacks) != SASL_OK || sasl_server_init(callbacks, nullptr) != SASL_OK) return names;
    if (sasl_auxprop_add_plugin(cyrus_look_up_plugin, &make_look_up) != SASL_OK) return names;
    for (const char** name = sasl_global_listmech(); name != nullptr && *name != nullptr; ++name)
        names.emplace_back(*name);
    return names;
}

class CyrusLayer final : public SaslSecurityLayer {
public:
    CyrusLayer(std::shared_ptr<CyrusConnection> connection, unsigned bits, std::size_t plain_max)
        : connection_(std::move(connection)), bits_(bits), plain_max_(plain_max) {}

    unsigned bits() const override { return bits_; }
    std::size_t plain_max() const override { return plain_max_; }
    bool wrap(std::span<const std::byte> plain, std::vector<std::byte>& wrapped) override {
        return pass(&sasl_encode, plain, wrapped);
    }
    bool unwrap(std::span<const std::byte> wrapped, std::vector<std::byte>& plain) override {
        return pass(&sasl_decode, wrapped, plain);
    }
    std::string reason() const override { return connection_->detail(); }

private:
    bool pass(decltype(&sasl_encode) function, std::span<const std::byte> from, std::vector<std::byte>& to) {
        const char* made = nullptr;
        unsigned size = 0;
        const auto* octets = reinterpret_cast<const char*>(from.data());
        if (function(connection_->handle(), octets, static_cast<unsigned>(from.size()), &made, &size) != SASL_OK)
            return false;
        const auto* begin = reinterpret_cast<const std::byte*>(made);
        to.insert(to.end(), begin, begin + size);
        return true;
    }

    std::shared_ptr<CyrusConnection> connection_;
    unsigned bits_;
    std::size_t plain_max_;
};

}  // namespace

const std::vector<std::string>& cyrus_plugins() {
    static const std::vector<std::string> names = start_cyrus();
    return names;
}

const char* cyrus_host_name() {
    static const std::array<char, 256> name = [] {
        std::array<char, 256> read{};
        if (::gethostname(read.data(), read.size() - 1) != 0) std::strcpy(read.data(), "localhost");
        return read;
    }();
    return name.data();
}

std::string CyrusConnection::detail() const {
    // "SASL(-13): authentication failure: …": the number is for nobody.
    std::string_view text = handle_ == nullptr ? std::string_view() : sasl_errdetail(handle_);
    if (const std::size_t colon = text.find(": "); text.starts_with("SASL(") && colon != std::string_view::npos)
        text.remove_prefix(colon + 2);
    return printable(text, 200);
}

std::string CyrusConnection::name(int property) const {
    const void* value = nullptr;
    if (sasl_getprop(handle_, property, &value) != SASL_OK || value == nullptr) return {};
    return static_cast<const char*>(value);
}

void CyrusConnection::use_settings(const SaslCyrusOptions& options, const SaslSurroundings& around) {
    sasl_security_properties_t wanted{};
    const bool has_tls = around.tls.has_value();
    wanted.min_ssf = has_tls ? 0 : options.layer_bits_min;
    wanted.max_ssf = has_tls ? 0 : options.layer_bits_max;
    // What one wrapped piece may hold; 64 KiB is the most that DIGEST-MD5 can say.
    wanted.maxbufsize = wanted.max_ssf > 0 ? 0xffff : 0;
    sasl_setprop(handle_, SASL_SEC_PROPS, &wanted);
}

std::unique_ptr<SaslSecurityLayer> CyrusConnection::security_layer(std::shared_ptr<CyrusConnection> connection) {
    const auto number = [&](int property) {
        const void* value = nullptr;
        const bool got = sasl_getprop(connection->handle(), property, &value) == SASL_OK && value != nullptr;
        return got ? *static_cast<const unsigned*>(value) : 0u;
    };
    const unsigned bits = number(SASL_SSF);
    if (bits == 0) return nullptr;
    const std::size_t plain_max = std::max(number(SASL_MAXOUTBUF), 1u);
    return std::make_unique<CyrusLayer>(std::move(connection), bits, plain_max);
}

}  // namespace aprotic::engine::stack
