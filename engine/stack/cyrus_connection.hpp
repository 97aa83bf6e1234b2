#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sasl/sasl.h>

#include <aprotic/engine/security.hpp>
#include <aprotic/engine/stack/sasl_mechanism.hpp>

namespace aprotic::engine::stack {

/// The one type that Cyrus has for all functions.
using CyrusFunction = int (*)();

/// Starts Cyrus at first use, for the life of the process: others in it may use Cyrus too, which counts its users and
/// keeps what the first of them said. So nothing but its log and its locks is set for the process, and all else goes by
/// connection. Empty when it cannot be started, else the names of the mechanisms that there are plug-ins for.
const std::vector<std::string>& cyrus_plugins();

/// This host's name, where Cyrus' realm for users is without another word.
const char* cyrus_host_name();

/// Where Cyrus calls when a user's password is asked for: the auxiliary property plug-in named so finds the function in
/// the connection's own callbacks, by this number.
constexpr const char* cyrus_look_up_plugin = "aprotic";
constexpr unsigned long cyrus_look_up_id = 0x41505231;
struct CyrusLookUp {
    std::function<std::optional<std::string>(std::string_view user)> password_of;
};

/// One Cyrus connection with what its callbacks read. Stays where it is.
class CyrusConnection {
public:
    CyrusConnection() = default;
    virtual ~CyrusConnection() { sasl_dispose(&handle_); }
    CyrusConnection(const CyrusConnection&) = delete;
    CyrusConnection& operator=(const CyrusConnection&) = delete;

    sasl_conn_t* handle() const noexcept { return handle_; }
    /// What Cyrus says of the latest failure, fit for a line of ours.
    std::string detail() const;
    /// A name that Cyrus has found out, such as SASL_USERNAME; empty when it has not.
    std::string name(int property) const;
    /// Null when no layer was agreed on.
    static std::unique_ptr<SaslSecurityLayer> security_layer(std::shared_ptr<CyrusConnection> connection);

protected:
    template <class Function>
    void add_callback(unsigned long id, Function* function, void* context) {
        // By way of the one type that any function's may be cast to in peace.
        callbacks_.push_back({id, reinterpret_cast<CyrusFunction>(reinterpret_cast<void (*)()>(function)), context});
    }
    void end_callbacks() { callbacks_.push_back({SASL_CB_LIST_END, nullptr, nullptr}); }
    void use_settings(const SaslCyrusOptions& options, const SaslSurroundings& around);

    std::vector<sasl_callback_t> callbacks_;
    sasl_conn_t* handle_ = nullptr;
};

}  // namespace aprotic::engine::stack
