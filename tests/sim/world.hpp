#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aprotic/engine/options.hpp>

#include "sim/fault_network.hpp"
#include "sim/wire_observer.hpp"
#include "support/prng.hpp"

namespace aprotic::sim {

/// One run of one world.
struct RunOptions {
    std::uint64_t seed = 1;
    std::optional<Duration> until{};          ///< stop there, whatever has become of it
    std::function<void(std::string)> show{};  ///< a line for each frame and each fault
};

struct RunResult {
    std::uint64_t hash = 0;  ///< of every octet written and everything that was done; the same for the same seed
    std::vector<std::string> violations;
    std::string kind;
    std::uint64_t frames = 0;
    std::uint64_t transfers = 0;
    std::size_t connections = 0;
    std::uint64_t steps = 0;
    Duration time{};
};

/// Draws a world from the seed, lets it run under faults, heals it, sees it to its end and checks it all the while.
RunResult run_world(const RunOptions& options);

/// What all worlds have: time, a network that fails, a journal, and two phases. Under faults only safety is asked for;
/// from heal() on everything must come to its end in time.
class World {
public:
    explicit World(const RunOptions& options);
    virtual ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    RunResult run();

protected:
    virtual void start() = 0;
    /// One more fault than those of the network, or something that a user does.
    virtual void disturb() = 0;
    /// All work is done and nothing is under way.
    virtual bool is_done() const = 0;
    /// What is still to be done, for the report of a world that never comes to rest.
    virtual std::string missing() const = 0;
    virtual void heal() {}
    virtual void check_done() = 0;
    /// Everything closes in order.
    virtual void close() = 0;
    virtual bool is_closed() const = 0;

    /// First thing in the destructor of a world: no task of its own runs any more.
    void end() { alive_.reset(); }
    void after(Duration delay, std::function<void()> task);
    Duration draw(Duration most) {
        return Duration(static_cast<Duration::rep>(prng.below(static_cast<std::uint64_t>(most.count()) + 1)));
    }
    /// Options that a connection may have, from the sensible to the barely possible.
    engine::ConnectionOptions draw_options(const char* container_id);
    void violated(const std::string& what);
    void say(const std::string& what);
    codec::Result<SimReactor::Joined, engine::Failure> join(const Address& to) { return network.connect(to); }

    RunOptions options;
    Journal journal;
    test::Prng prng;
    SimReactor reactor;
    FaultNetwork network;
    std::vector<std::weak_ptr<WireObserver>> observers;
    bool calm = false;  ///< healed

private:
    bool step_until(Instant end, const std::function<bool()>& done);
    void schedule_fault();
    void fault();

    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    std::uint64_t steps_ = 0;
    std::uint64_t octets_before_ = 0;
    bool stopped_ = false;
    std::uint64_t fault_kinds_ = 0;  // which kinds this world knows
    Duration fault_pause_{};
};

std::unique_ptr<World> make_broker_world(const RunOptions& options);
std::unique_ptr<World> make_engine_world(const RunOptions& options);

/// A message that says which one it is and can be checked octet for octet.
std::string message_text(std::uint64_t number, std::size_t size);
/// Which one it is; nullopt when it is not whole.
std::optional<std::uint64_t> read_message(std::string_view text);

}  // namespace aprotic::sim
