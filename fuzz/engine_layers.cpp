// A WebSocket server, a WebSocket client, or a client behind a proxy, as the first octet says; then what the others
// take.
#include "drive_engine.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using aprotic::engine::EngineRole;
    using aprotic::fuzz::Drive;
    if (size == 0) return 0;
    const std::span<const std::uint8_t> rest(data + 1, size - 1);
    switch (data[0] % 3) {
        case 0: Drive(EngineRole::server, rest, Drive::Layers::web_socket).run(); break;
        case 1: Drive(EngineRole::client, rest, Drive::Layers::web_socket).run(); break;
        default: Drive(EngineRole::client, rest, Drive::Layers::proxy).run(); break;
    }
    return 0;
}
