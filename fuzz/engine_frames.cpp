// Both roles against a peer that obeys the framing and nothing else.
#include "drive_engine.hpp"
#include "frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace aprotic;
    fuzz::Chance chance({data, size});
    const bool client = chance.one_in(2);
    std::vector<std::uint8_t> input{chance.octet()};
    const std::uint8_t commands = chance.octet() & 15U;
    input.push_back(commands);
    for (unsigned i = 0; i < commands * 2U; ++i) input.push_back(chance.octet());
    fuzz::Frames frames(chance);
    for (const std::byte octet : frames.make(client)) input.push_back(std::to_integer<std::uint8_t>(octet));
    fuzz::Drive(client ? engine::EngineRole::client : engine::EngineRole::server, input).run();
    return 0;
}
