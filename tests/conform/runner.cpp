#include "conform/runner.hpp"

#include <algorithm>
#include <exception>
#include <random>

#include "conform/clock.hpp"
#include "conform/served.hpp"
#include "conform/steps.hpp"

namespace aprotic::conform {
namespace {

class Runner {
public:
    Runner(const Connector& connect, const Profile& profile, const RunOptions& options)
        : connect_(connect), profile_(profile), options_(options) {}

    Result judge(const Case& subject) {
        Result worst = once(subject);
        for (unsigned i = 1; i < options_.repeat && worst.verdict != Verdict::unimplemented; ++i) {
            Result next = once(subject);
            const unsigned differing = worst.other_verdicts + (next.verdict == worst.verdict ? 0U : 1U);
            if (next.verdict > worst.verdict) {
                // All runs so far were of another kind than this one.
                next.other_verdicts = i;
                worst = std::move(next);
            } else {
                worst.other_verdicts = differing;
            }
            worst.runs = i + 1;
        }
        return worst;
    }

private:
    Result once(const Case& subject) {
        Result result;
        result.subject = &subject;
        for (const auto& need : subject.needs) {
            if (profile_.has(need)) continue;
            result.verdict = Verdict::unimplemented;
            result.actual = "the profile does not claim " + need + ", or the peer has it not";
            return result;
        }
        if (const auto known = profile_.known.find(subject.id); known != profile_.known.end())
            result.known = known->second;

        Context context(connect_, profile_, options_.timing, options_.nonce + "-" + std::to_string(++unique_),
                        options_.clients);
        const double began = seconds_now();
        try {
            subject.run(context);
            constexpr Verdict of_grade[] = {Verdict::ok, Verdict::informational, Verdict::non_strict};
            result.verdict = of_grade[static_cast<int>(context.outcome.grade)];
            if (result.verdict == Verdict::ok && subject.level == Level::informative)
                result.verdict = Verdict::informational;
        } catch (Finding& finding) {
            result.verdict = finding.verdict;
            result.expected = std::move(finding.expected);
            result.actual = std::move(finding.actual);
        } catch (const std::exception& error) {
            result.verdict = Verdict::inconclusive;
            result.expected = "the suite asks its question";
            result.actual = std::string("it failed itself: ") + error.what();
        }
        for (auto& line : context.lines()) result.closing = line.finish();
        if (subject.mode == Mode::client) {
            stop_client(result);
        } else {
            // What could not even be asked proves nothing about what it does to the peer on the wire.
            check_life(result, subject.negative && result.verdict != Verdict::inconclusive);
        }
        result.seconds = seconds_now() - began;
        result.ways = std::move(context.outcome.ways);
        result.notes = std::move(context.outcome.notes);
        result.sent = std::move(context.outcome.sent);
        result.heard = std::move(context.outcome.heard);
        result.log = std::move(context.log);
        for (auto& entry : result.log) entry.seconds -= began;
        return result;
    }

    /// A peer that fails in what is ordinary fails in it here too: that is no crash.
    void check_life(Result& result, bool on_the_wire) {
        std::string what;
        if (options_.alive && !options_.alive()) {
            what = "its process has ended";
        } else if (!on_the_wire) {
            return;
        } else {
            Context probe(connect_, profile_, options_.timing, options_.nonce + "-life");
            try {
                probe.opened().finish();
                return;
            } catch (const Finding& finding) {
                what = "a new connection gets no further than: " + finding.expected + "; " + finding.actual;
            }
        }
        crashed(result, "afterwards the peer serves others", what);
    }

    /// Clients are started anew for each case: one that leaves is none that has crashed.
    void stop_client(Result& result) {
        if (options_.clients == nullptr) return;
        const Ended ended = options_.clients->stop();
        result.said = ended.said;
        if (!ended.crash.empty()) crashed(result, "the client does not crash", ended.crash);
    }

    static void crashed(Result& result, std::string_view expected, const std::string& what) {
        result.verdict = Verdict::crashed;
        if (!result.expected.empty()) result.expected += "\n";
        result.expected += expected;
        if (!result.actual.empty()) result.actual += "\n";
        result.actual += what;
    }

    const Connector& connect_;
    const Profile& profile_;
    const RunOptions& options_;
    unsigned unique_ = 0;
};

/// Whether this beginning works; the finding otherwise.
std::string try_sasl(const Connector& connect, Profile profile, Timing timing, std::string sasl) {
    profile.sasl = std::move(sasl);
    Context context(connect, profile, timing, "prepare");
    try {
        Line& line = context.opened();
        // Some open a connection only to close it, since that is how they can say why.
        const Heard next = line.hear(timing.quiet);
        if (next.is(codec::descriptor::close)) return "the peer takes us; " + next.text();
        line.finish();
        return {};
    } catch (const Finding& finding) {
        return finding.expected + "; " + finding.actual;
    }
}

/// Finds out whether the peer wants a SASL layer where the profile leaves it open.
std::string prepare_sasl(const Connector& connect, Profile& profile, Timing timing) {
    if (profile.sasl != "none") {
        const std::string why = try_sasl(connect, profile, timing, "none");
        if (!why.empty()) profile.capabilities.erase("bare");
        if (profile.sasl == "auto") profile.sasl = why.empty() ? "none" : "anonymous";
        if (profile.sasl == "none") return {};
    }
    return try_sasl(connect, profile, timing, profile.sasl);
}

/// Whether a message that is sent to a queue of the profile's comes out there: where not, nothing can be asked of it.
bool has_queue(const Connector& connect, const Profile& profile, Timing timing) {
    Context context(connect, profile, timing, "prepare");
    try {
        context.fill(context.queue(), 1);
        Receiver receiver(context, context.queue());
        receiver.grant(1);
        receiver.settle(receiver.take("the message that was accepted"), codec::Accepted{});
        receiver.line.finish();
        return true;
    } catch (const Finding&) {
        return false;
    }
}

}  // namespace

std::size_t Run::count(Verdict verdict) const {
    return static_cast<std::size_t>(std::ranges::count(results, verdict, &Result::verdict));
}

bool Run::fails(const Result& result) const {
    if (!result.known.empty()) return false;
    if (result.verdict == Verdict::crashed) return true;
    if (is_failure(result.verdict)) return result.subject->level == Level::must || strict;
    return strict && result.verdict == Verdict::non_strict;
}

bool Run::failed() const {
    return std::ranges::any_of(results, [this](const Result& result) { return fails(result); });
}

std::string prepare(const Connector& connect, Profile& profile, Timing timing) {
    std::string why = prepare_sasl(connect, profile, timing);
    if (why.empty() && profile.has("queue") && !has_queue(connect, profile, timing))
        profile.capabilities.erase("queue");
    return why;
}

std::string prepare(Clients& clients, const Profile& profile, Timing timing) {
    for (const auto role : {codec::Role::sender, codec::Role::receiver}) {
        if (!clients.has(role)) continue;
        Context context({}, profile, timing, "prepare", &clients);
        std::string why;
        try {
            Served served(context, {.role = role});
            served.attach().line.finish();
        } catch (const Finding& finding) {
            why = finding.expected + "; " + finding.actual;
        }
        const Ended ended = clients.stop();
        if (!why.empty())
            return (role == codec::Role::sender ? "sender: " : "receiver: ") + why +
                   (ended.said.empty() ? "" : "; it wrote: " + ended.said);
    }
    return {};
}

std::vector<Result> run(std::vector<const Case*> cases, const Connector& connect, const Profile& profile,
                        const RunOptions& options) {
    if (options.seed) {
        std::mt19937_64 random(*options.seed);
        std::shuffle(cases.begin(), cases.end(), random);
    }
    std::stable_partition(cases.begin(), cases.end(),
                          [](const Case* one) { return std::ranges::count(one->tags, "control") != 0; });
    Runner runner(connect, profile, options);
    std::vector<Result> results;
    std::string gone;  // the case after which nobody was there any more
    for (const Case* subject : cases) {
        if (gone.empty()) {
            results.push_back(runner.judge(*subject));
            const bool missed =
                results.back().verdict == Verdict::crashed || results.back().verdict == Verdict::inconclusive;
            const bool lost = missed && subject->mode == Mode::server &&
                              !try_sasl(connect, profile, options.timing, profile.sasl).empty();
            if (lost && !(options.revive && options.revive())) gone = subject->id;
        } else {
            results.push_back({.subject = subject,
                               .verdict = Verdict::inconclusive,
                               .expected = "the peer is there",
                               .actual = "it has gone since " + gone});
        }
        if (options.after) options.after(results.back());
    }
    return results;
}

}  // namespace aprotic::conform
