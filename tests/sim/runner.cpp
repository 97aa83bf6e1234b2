#include "sim/world.hpp"

namespace aprotic::sim {

RunResult run_world(const RunOptions& options) {
    test::Prng prng(options.seed);
    const bool engines = prng.one_in(2);
    const auto world = engines ? make_engine_world(options) : make_broker_world(options);
    RunResult result = world->run();
    result.kind = engines ? "engines" : "broker";
    return result;
}

}  // namespace aprotic::sim
