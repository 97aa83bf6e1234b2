#include <aprotic/engine/stack/secrets.hpp>

#include <aprotic/engine/stack/wipe.hpp>

namespace aprotic::engine::stack {

void wipe_secrets(ConnectionOptions& options) noexcept {
    wipe(options.sasl.password);
    wipe(options.proxy.password);
}

}  // namespace aprotic::engine::stack
