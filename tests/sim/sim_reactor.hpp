#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <aprotic/engine/reactor.hpp>

namespace aprotic::sim {

using engine::Address;
using engine::Duration;
using engine::Instant;

/// A world in one thread: a virtual clock that jumps to the next thing due, one ordered queue, chance from a seed, and
/// streams in memory between named addresses. Whoever calls step(), run_until() or run_for() drives it and is its
/// thread; everything that is posted runs in the order of its due time, and in order of posting within the same
/// instant.
///
/// Two runs with the same seed and the same commands do the same. Post from other threads only what need not be
/// reproducible.
class SimReactor final : public engine::Reactor {
public:
    using Joined = std::pair<std::unique_ptr<engine::Stream>, std::unique_ptr<engine::Stream>>;

    explicit SimReactor(std::uint64_t seed = 1);
    /// Runs what is due now, so that closes just asked for still go out, and drops the rest.
    ~SimReactor() override;

    // --- driving it
    // --------------------------------------------------------------------------------------------------------

    /// Runs the next task, however far in the future. False: there is none.
    bool step();
    /// Steps until `done()` is true, nothing is left or the clock would pass `limit` from now. Returns what `done()`
    /// says then.
    template <class Predicate>
    bool run_until(Predicate&& done, Duration limit = std::chrono::seconds(60)) {
        const Instant end = now() + limit;
        while (!done()) {
            if (!step_before(end)) return done();
        }
        return true;
    }
    /// Runs everything due within `span`; the clock stands `span` later then.
    void run_for(Duration span);
    /// Runs until nothing is due at the present instant.
    void settle() { run_for(Duration::zero()); }

    /// Time since the world began.
    Duration elapsed() const { return now() - Instant{}; }

    /// From now on nobody answers at `host`: attempts to connect wait for their deadline.
    void silence(const std::string& host);

    /// What lies between those who connect and those who listen: both ends of a connection (the first is the one who
    /// asked), or why there is none. Without one, streams in memory that lose nothing and take no time.
    using Network = engine::Function<codec::Result<Joined, engine::Failure>(const Address& to)>;
    void set_network(Network network) { network_ = std::move(network); }

    /// The clock jumps ahead, as after a sleep of the machine: what was due in between comes late.
    void jump(Duration ahead);

    // --- Reactor
    // -----------------------------------------------------------------------------------------------------------

    Instant now() const override;
    /// The world begins with the year 2026.
    engine::WallTime wall_time() const override;
    void post(engine::Function<void()> task) override;
    bool on_thread() const override { return std::this_thread::get_id() == thread_; }
    TimerId start_timer(Instant when, engine::Function<void()> task) override;
    void cancel_timer(TimerId timer) override;
    /// Hosts that end in ".invalid" do not resolve; an address nobody listens at refuses.
    ConnectId connect(const Address& to, Instant deadline, Connected done) override;
    void cancel_connect(ConnectId attempt) override;
    codec::Result<std::unique_ptr<engine::Acceptor>, engine::Failure> listen(const Address& at,
                                                                             Accepted accepted) override;
    std::uint64_t random() override;

private:
    class SimAcceptor;
    using Key = std::pair<Instant, std::uint64_t>;  // due, number

    std::uint64_t enqueue(Instant when, engine::Function<void()> task);
    bool step_before(Instant end);
    void finish_connect(const Address& to, Instant deadline, ConnectId id);

    mutable std::mutex mutex_;  // posts may come from other threads
    std::map<Key, engine::Function<void()>> queue_;
    std::map<TimerId, Instant> due_;
    std::uint64_t last_number_ = 0;
    Instant now_{};
    std::mt19937_64 generator_;
    std::thread::id thread_ = std::this_thread::get_id();

    std::map<std::string, std::shared_ptr<Accepted>> listening_;
    std::map<std::string, bool> silent_;
    std::map<ConnectId, Connected> attempts_;
    ConnectId last_attempt_ = 0;
    std::uint16_t last_port_ = 49151;
    Network network_;
};

}  // namespace aprotic::sim
