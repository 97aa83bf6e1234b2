#include "conform/runner.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "conform/clock.hpp"
#include "conform/served.hpp"
#include "conform/steps.hpp"

namespace aprotic::conform {
namespace {

/// A case to which the peer has said nothing so far; its connection stays.
struct Unanswered {
    std::size_t index = 0;  ///< of its result
    std::unique_ptr<Context> context{};
    double began = 0;
};

/// What has come at last of the end of something, or empty.
std::string late_answer(Line& line) {
    line.keep_alive();
    for (;;) {
        const Heard heard = line.hear(Duration::zero());
        if (heard.kind == Heard::Kind::end) return drops().name;
        if (heard.kind == Heard::Kind::nothing || heard.kind == Heard::Kind::bad) return {};
        if (!heard.condition().empty()) return heard.text();
    }
}

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

    /// Whether the peer may still react to the case that was judged last; `index` is its result's.
    bool keep_unanswered(std::size_t index) {
        if (!unanswered_.context) return false;
        unanswered_.index = index;
        all_unanswered_.push_back(std::exchange(unanswered_, {}));
        return true;
    }
    bool has_unanswered() const { return !all_unanswered_.empty(); }

    /// Looks whether the peer has reacted by now to what it was silent about, and tells what came of it. Gives up where
    /// its time is over, or on all, where it is another process by now.
    void look_again(std::vector<Result>& results, bool give_up) {
        std::erase_if(all_unanswered_, [&](Unanswered& one) {
            Result& result = results[one.index];
            const double waited = seconds_now() - one.began;
            const std::string came = give_up ? std::string() : late_answer(one.context->lines().back());
            if (came.empty() && !give_up && waited < options_.patience) return false;
            if (!came.empty()) {
                result.verdict = Verdict::non_strict;
                result.expected.clear();
                result.actual.clear();
                one.context->took("within " + std::to_string(static_cast<int>(waited) + 1) + " s: " + came,
                                  Grade::lenient);
            }
            finish(*one.context, result);
            collect(*one.context, result, one.began);
            if (options_.after) options_.after(result);
            return true;
        });
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

        auto owned = std::make_unique<Context>(connect_, profile_, options_.timing,
                                               options_.nonce + "-" + std::to_string(++unique_), options_.clients);
        Context& context = *owned;
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
        // Of what the text leaves open nothing can be wrong. What does not come to an end of its own is told all the
        // same.
        if (subject.level == Level::informative && is_failure(result.verdict)) {
            result.verdict = Verdict::informational;
            context.took("not as expected: " + result.actual);
        }
        const bool may_react_yet = result.verdict == Verdict::silent && subject.negative && options_.repeat == 1 &&
                                   subject.mode == Mode::server && options_.patience > 0;
        if (!may_react_yet) finish(context, result);
        if (subject.mode == Mode::client) {
            stop_client(result);
        } else {
            // What could not even be asked proves nothing about what it does to the peer on the wire.
            check_life(result, subject.negative && result.verdict != Verdict::inconclusive);
        }
        result.seconds = seconds_now() - began;
        if (may_react_yet) {
            unanswered_ = {0, std::move(owned), began};
        } else {
            collect(context, result, began);
        }
        return result;
    }

    static void finish(Context& context, Result& result) {
        for (auto& line : context.lines()) result.closing = line.finish();
    }

    static void collect(Context& context, Result& result, double began) {
        result.ways = std::move(context.outcome.ways);
        result.notes = std::move(context.outcome.notes);
        result.sent = std::move(context.outcome.sent);
        result.heard = std::move(context.outcome.heard);
        result.log = std::move(context.log);
        for (auto& entry : result.log) entry.seconds -= began;
    }

    /// Whether the process is not the one it was. One whose stream has ended may be about to end itself.
    bool has_gone(const std::string& closing) const {
        using namespace std::chrono_literals;
        constexpr int looks = 10;
        for (int i = 0; options_.alive && options_.alive(); ++i) {
            if (i == looks || closing != Line::left_without_close) return false;
            std::this_thread::sleep_for(20ms);
        }
        return options_.alive != nullptr;
    }

    /// A peer that fails in what is ordinary fails in it here too: that is no crash.
    void check_life(Result& result, bool on_the_wire) {
        std::string what;
        if (has_gone(result.closing)) {
            what = "its process has ended";
        } else if (!on_the_wire) {
            return;
        } else {
            // One that has stopped in the middle of something may still serve some, from other threads.
            constexpr int many = 8;
            for (int i = result.verdict == Verdict::silent ? many : 1; i > 0 && what.empty(); --i) {
                Context probe(connect_, profile_, options_.timing, options_.nonce + "-life");
                try {
                    probe.opened().finish();
                } catch (const Finding& finding) {
                    what = "a new connection gets no further than: " + finding.expected + "; " + finding.actual;
                }
            }
            if (what.empty()) return;
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
    Unanswered unanswered_;  // the last, if it is one
    std::vector<Unanswered> all_unanswered_;
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
    // What may keep a peer busy for long comes when nobody else is asked any more.
    const auto place = [](const Case* one) {
        return std::ranges::count(one->tags, "control") != 0 ? 0 : std::ranges::count(one->tags, "burden") == 0 ? 1 : 2;
    };
    std::ranges::stable_sort(cases, {}, place);
    Runner runner(connect, profile, options);
    std::vector<Result> results;
    std::string gone;  // the case after which nobody was there any more
    for (const Case* subject : cases) {
        if (gone.empty()) {
            results.push_back(runner.judge(*subject));
            const bool waits = runner.keep_unanswered(results.size() - 1);
            if (!waits && options.after) options.after(results.back());
            const bool missed =
                results.back().verdict == Verdict::crashed || results.back().verdict == Verdict::inconclusive;
            // What ends with the process is no answer of its.
            runner.look_again(results, missed);
            if (missed && subject->mode == Mode::server) {
                const bool lost = !try_sasl(connect, profile, options.timing, profile.sasl).empty();
                // One that serves some and not others is no better.
                const bool ailing = results.back().verdict == Verdict::crashed;
                const bool revived = (lost || ailing) && options.revive && options.revive();
                if (lost && !revived) gone = subject->id;
            }
        } else {
            results.push_back({.subject = subject,
                               .verdict = Verdict::inconclusive,
                               .expected = "the peer is there",
                               .actual = "it has gone since " + gone});
            if (options.after) options.after(results.back());
        }
    }
    while (runner.has_unanswered()) {
        runner.look_again(results, !gone.empty());
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return results;
}

}  // namespace aprotic::conform
