#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

struct RunOptions {
    Timing timing{};
    unsigned repeat = 1;                  ///< of each case; the worst verdict counts
    std::optional<std::uint64_t> seed{};  ///< shuffles the order of the cases
    /// Seconds that a server which says nothing to what is wrong gets to end the stream or the session after all, while
    /// other cases go on.
    double patience = 0;
    std::string nonce = "0";                     ///< part of the names of nodes: other runs have other ones
    std::function<bool()> alive{};               ///< whether the peer's process is still the one it was
    std::function<bool()> revive{};              ///< called when the peer serves nobody: whether it does again
    std::function<void(const Result&)> after{};  ///< called behind each case
    Clients* clients = nullptr;                  ///< for cases of clients
};

/// A run and what it found.
struct Run {
    std::string peer;
    std::string address;
    std::string date;  ///< when it began, RFC 3339
    double seconds = 0;
    bool strict = false;
    std::vector<Result> results;

    std::size_t count(Verdict verdict) const;
    /// Whether a result makes the run fail: must rules, and with `strict` also should rules and what is not strict.
    bool fails(const Result& result) const;
    bool failed() const;
};

/// Finds out whether the peer wants a SASL layer where the profile says "auto", and drops capabilities that it has not.
/// What is wrong when the peer cannot be spoken with at all, or empty.
std::string prepare(const Connector& connect, Profile& profile, Timing timing);

/// Finds out whether the clients under test connect and open. What is wrong when one does not, or empty.
std::string prepare(Clients& clients, const Profile& profile, Timing timing);

/// Puts the questions one after the other, control cases first and burdens last.
std::vector<Result> run(std::vector<const Case*> cases, const Connector& connect, const Profile& profile,
                        const RunOptions& options);

}  // namespace aprotic::conform
