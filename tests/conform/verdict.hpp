#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aprotic::conform {

struct Case;

/// What a case came to.
enum class Verdict {
    ok,             ///< as the rule wants it
    non_strict,     ///< not what the text asks for, but of a kind that partners get along with
    informational,  ///< nothing to judge: what the peer does is recorded
    unimplemented,  ///< the peer does not claim what the case needs, or says that it has it not
    failed,         ///< the peer does something that the rule forbids
    silent,         ///< the peer does nothing where it has to
    crashed,        ///< afterwards the peer does not serve anybody
    inconclusive,   ///< the ordinary steps before the question did not work
};
std::string_view name_of(Verdict verdict);
/// Whether the peer is at fault.
inline bool is_failure(Verdict v) { return v == Verdict::failed || v == Verdict::silent || v == Verdict::crashed; }

/// Ends a case at once. Thrown by the vocabulary, seldom by a case.
struct Finding {
    Verdict verdict = Verdict::failed;
    std::string expected;
    std::string actual;
};

/// Octets of one direction, in the order in which they were seen.
struct LogEntry {
    std::size_t line = 0;  ///< which connection of the case, from 0
    double seconds = 0;    ///< since the case began
    bool ours = false;     ///< the suite sent them
    std::vector<std::byte> octets;
};

struct Result {
    const Case* subject = nullptr;
    Verdict verdict = Verdict::ok;
    std::vector<std::string> ways{};   ///< which of the accepted reactions were seen
    std::vector<std::string> notes{};  ///< figures and facts for the report
    std::string expected{};
    std::string actual{};
    std::string sent{};     ///< the last frame of the suite's before the question was decided, decoded
    std::string heard{};    ///< the frame that decided it, decoded
    std::string closing{};  ///< how the connection ended, where the case was about an error
    std::string said{};     ///< the last that a client under test wrote to its standard error
    std::string known{};    ///< from the profile: why this failure is expected
    std::vector<LogEntry> log{};
    double seconds = 0;
    unsigned runs = 1;
    unsigned other_verdicts = 0;  ///< runs that did not end as this one, which is the worst of them

    bool counts_as_failure() const { return is_failure(verdict) && known.empty(); }
};

}  // namespace aprotic::conform
