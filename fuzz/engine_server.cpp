#include "drive_engine.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    aprotic::fuzz::Drive(aprotic::engine::EngineRole::server, {data, size}).run();
    return 0;
}
