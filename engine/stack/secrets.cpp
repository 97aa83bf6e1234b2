#include <aprotic/engine/stack/secrets.hpp>

#include <aprotic/engine/stack/wipe.hpp>

#include <openssl/crypto.h>

namespace aprotic::engine {

bool same_secret(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace stack {

void wipe(std::span<const std::byte> octets) noexcept {
    OPENSSL_cleanse(const_cast<std::byte*>(octets.data()), octets.size());
}

void wipe(std::string& text) noexcept {
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

void wipe_secrets(ConnectionOptions& options) noexcept {
    wipe(options.sasl.password);
    wipe(options.proxy.password);
}

}  // namespace stack
}  // namespace aprotic::engine
