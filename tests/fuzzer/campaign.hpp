#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzzer/exchange.hpp"
#include "fuzzer/guard.hpp"
#include "fuzzer/mutate.hpp"

namespace aprotic::fuzzer {

/// The peer under test, as far as one can reach it.
class Target {
public:
    virtual ~Target() = default;
    virtual std::unique_ptr<peer::Channel> connect(Duration patience, std::string& why) = 0;
    /// Starts the peer again, whatever state it is in; false where nobody here can.
    virtual bool restart() = 0;
    /// Octets of memory that it holds; nothing where that cannot be seen.
    virtual std::optional<std::uint64_t> memory() = 0;
    /// Time on a clock that never goes back.
    virtual Duration now() = 0;
    /// Lets time go by.
    virtual void wait(Duration how_long) = 0;
};

struct Options {
    Timing timing{};
    std::uint64_t seed = 1;
    std::uint64_t first = 0;                        ///< number of the first script
    std::uint64_t count = 1000;                     ///< of scripts
    double seconds = 0;                             ///< no new script after that; 0: no bound
    double rate = 0;                                ///< connections per second, all of them together; 0: no bound
    std::uint64_t memory_growth_max = 1ULL << 30U;  ///< octets above what the peer held when it was first seen
    unsigned findings_max = 10;                     ///< then it ends
    unsigned shrink_trials = 300;                   ///< for each finding; 0: findings stay as they are
    std::string nonce = "0";                        ///< goes into the names of the fuzzer's containers and links
};

enum class Kind { dead, hang, harmed, memory };
/// "dead", "hang", "harmed", "memory"
std::string_view name_of(Kind kind);

struct Finding {
    Kind kind{};
    std::string what;
    std::uint64_t number = 0;      ///< of the script
    Script script;                 ///< as short as it became
    std::size_t steps_before = 0;  ///< of the script that found it
    bool reproduced = false;       ///< the script, said again, has found it again
    Log log;                       ///< the last time it was found, what was said and heard on its connection
};

/// Illegal answers: reported apart, since they harm nobody.
struct Oddity {
    std::uint64_t times = 0;
    std::uint64_t number = 0;  ///< of the script that saw it first
    Script script;
    Log log;
};

struct Summary {
    std::uint64_t scripts = 0;
    std::uint64_t connections = 0;
    double seconds = 0;
    bool echoes = false;  ///< the guard's messages come back; otherwise only its flows are answered
    double slowest = 0;   ///< seconds, of the guard's checks
    std::uint64_t slowest_number = 0;
    std::optional<std::uint64_t> memory_first, memory_last;
    std::vector<Finding> findings;
    std::uint64_t found_again = 0;  ///< findings that shrank to one that was there
    std::map<std::string, Oddity> oddities;
    std::string ended_early;  ///< why; empty when count or time ended it
};

/// Called now and then from inside, for progress.
struct Watch {
    std::function<void(const Summary&)> progress{};
    std::function<void(const Finding&)> found{};
};

/// Says mutated scripts to the target, one after the other, and sees what becomes of it. After every script somebody
/// who behaves must still be served, on the connection it had and on a new one.
class Campaign {
public:
    Campaign(Target& target, Access access, Options options, Watch watch = {});

    /// Reaches the peer, finds out which SASL layer it wants and starts the guard; what is wrong, or empty.
    std::string prepare();
    /// After prepare. The stock may have recorded sessions beside the conversations.
    Summary run(std::vector<Conversation> stock);
    /// Says one script, as often as it wants, and tells what it finds. After prepare.
    std::optional<Finding> replay(const Script& script, std::uint64_t number = 0);

    const Access& access() const { return access_; }
    const Summary& summary() const { return summary_; }

private:
    Connector connector();
    /// By the target's clock.
    double seconds_now();
    std::optional<Finding> trial(const Script& script, std::uint64_t number);
    /// Of the guard and of a new connection, after a script.
    std::optional<Finding> harm();
    std::optional<Finding> over_memory(const Script& script, std::uint64_t number);
    void see_oddities(const Played& played, const Script& script, std::uint64_t number);
    bool finds_again(const Script& script, Finding& finding);
    std::uint64_t growth_of(const Script& script);
    void pursue(Finding finding);
    bool revive();
    Health start_guard();

    Target& target_;
    Access access_;
    Options options_;
    Watch watch_;
    Guard guard_;
    unsigned guards_ = 0;
    bool broken_ = false;  // something was found, and the peer has not been started again since
    Summary summary_;
    double next_connection_ = 0;
    std::uint64_t memory_base_ = 0;  // after the peer's last start
    std::uint64_t memory_seen_ = 0;
    std::uint64_t greatest_growth_ = 0;
    Script greediest_;
};

}  // namespace aprotic::fuzzer
