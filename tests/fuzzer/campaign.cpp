#include "fuzzer/campaign.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "fuzzer/shrink.hpp"

namespace aprotic::fuzzer {
namespace {

using State = Health::State;

Duration to_duration(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

Finding finding_of(Kind kind, std::string what) {
    Finding finding;
    finding.kind = kind;
    finding.what = std::move(what);
    return finding;
}

constexpr std::uint64_t sweep_every = 20;
constexpr std::uint64_t progress_every = 5;
constexpr unsigned growths = 8;  // connections on which a script must make the peer grow, to be blamed for it

}  // namespace

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::dead: return "dead";
        case Kind::hang: return "hang";
        case Kind::harmed: return "harmed";
        case Kind::memory: break;
    }
    return "memory";
}

Campaign::Campaign(Target& target, Access access, Options options, Watch watch)
    : target_(target), access_(std::move(access)), options_(std::move(options)), watch_(std::move(watch)) {}

double Campaign::seconds_now() { return std::chrono::duration<double>(target_.now()).count(); }

Connector Campaign::connector() {
    return [this](Duration patience, std::string& why) {
        if (options_.rate > 0) {
            const double now = seconds_now();
            if (next_connection_ > now) target_.wait(to_duration(next_connection_ - now));
            next_connection_ = std::max(now, next_connection_) + 1 / options_.rate;
        }
        ++summary_.connections;
        return target_.connect(patience, why);
    };
}

std::string Campaign::prepare() {
    const Health reached = find_access(connector(), access_, options_.timing);
    if (reached.state != State::well) return reached.what;
    const Health guarded = start_guard();
    if (guarded.state != State::well) return guarded.what;
    summary_.echoes = guard_.echoes();
    summary_.memory_first = summary_.memory_last = target_.memory();
    memory_base_ = memory_seen_ = summary_.memory_first.value_or(0);
    return {};
}

Health Campaign::start_guard() {
    const std::string name = "fuzz-guard-" + options_.nonce + "-" + std::to_string(++guards_);
    Health health = guard_.start(connector(), access_, options_.timing, name);
    if (health.state == State::well && summary_.echoes && !guard_.echoes())
        health = {State::harmed, "messages of a queue that nobody else uses do not come back any more"};
    return health;
}

Summary Campaign::run(std::vector<Conversation> stock) {
    const Mutator mutator(std::move(stock), options_.seed);
    const double began = seconds_now();
    for (std::uint64_t i = 0; i < options_.count; ++i) {
        if (options_.seconds > 0 && seconds_now() - began >= options_.seconds) break;
        if (summary_.findings.size() >= options_.findings_max) {
            summary_.ended_early = "enough was found";
            break;
        }
        if (!revive()) {
            summary_.ended_early = "the peer does not come back";
            break;
        }
        const std::uint64_t number = options_.first + i;
        if (i % sweep_every == 0) sweep(connector(), access_, options_.timing);
        const Script script = mutator.script(number);
        ++summary_.scripts;
        std::optional<Finding> found = trial(script, number);
        if (!found) found = over_memory(script, number);
        summary_.seconds = seconds_now() - began;
        if (found) pursue(std::move(*found));
        if (watch_.progress && i % progress_every == 0) watch_.progress(summary_);
    }
    guard_.stop();
    summary_.seconds = seconds_now() - began;
    return summary_;
}

std::optional<Finding> Campaign::replay(const Script& script, std::uint64_t number) {
    if (!revive()) return finding_of(Kind::dead, "the peer does not come back");
    auto found = trial(script, number);
    if (!found) found = over_memory(script, number);
    return found;
}

std::optional<Finding> Campaign::trial(const Script& script, std::uint64_t number) {
    for (unsigned i = 0; i < script.repeat; ++i) {
        std::string why;
        auto channel = connector()(options_.timing.answer, why);
        std::optional<Finding> found;
        Played played;
        if (!channel) {
            found = finding_of(Kind::dead, "no connection: " + why);
        } else {
            played = play(std::move(channel), script, options_.timing);
            see_oddities(played, script, number);
            const double before = seconds_now();
            found = harm();
            if (const double took = seconds_now() - before; !found && took > summary_.slowest) {
                summary_.slowest = took;
                summary_.slowest_number = number;
            }
            if (!found && played.hangs)
                found = finding_of(Kind::hang, "a close is not answered, and the stream does not end");
        }
        if (!found) continue;
        broken_ = true;
        found->number = number;
        found->script = script;
        found->steps_before = script.steps.size();
        found->log = std::move(played.log);
        return found;
    }
    return std::nullopt;
}

std::optional<Finding> Campaign::harm() {
    const Health guarded = guard_.check(options_.timing);
    const Health probed = probe(connector(), access_, options_.timing);
    const std::string besides =
        guarded.state == State::well ? std::string() : "; the connection that behaved: " + guarded.what;
    switch (probed.state) {
        case State::refused: return finding_of(Kind::dead, "no new connection: " + probed.what + besides);
        case State::silent: return finding_of(Kind::hang, "a new connection: " + probed.what + besides);
        default: break;
    }
    if (guarded.state == State::well) return std::nullopt;
    return finding_of(Kind::harmed, "a connection that behaved: " + guarded.what);
}

std::optional<Finding> Campaign::over_memory(const Script& script, std::uint64_t number) {
    const auto now = target_.memory();
    if (!now) return std::nullopt;
    summary_.memory_last = now;
    if (*now > memory_seen_ && *now - memory_seen_ > greatest_growth_) {
        greatest_growth_ = *now - memory_seen_;
        greediest_ = script;
    }
    memory_seen_ = *now;
    if (*now <= memory_base_ || *now - memory_base_ <= options_.memory_growth_max) return std::nullopt;
    auto found = finding_of(Kind::memory, "it holds " + std::to_string((*now - memory_base_) >> 10U) +
                                              " KiB more than at the start; most came with this script");
    found.number = number;
    found.script = greediest_;
    found.steps_before = greediest_.steps.size();
    broken_ = true;
    return found;
}

void Campaign::see_oddities(const Played& played, const Script& script, std::uint64_t number) {
    for (const auto& what : played.oddities) {
        Oddity& oddity = summary_.oddities[what];
        if (oddity.times++ != 0) continue;
        oddity.number = number;
        oddity.script = script;
        oddity.log = played.log;
    }
}

bool Campaign::finds_again(const Script& script, Finding& finding) {
    if (!revive()) return false;
    auto again = trial(script, finding.number);
    if (!again || again->kind != finding.kind) return false;
    finding.what = std::move(again->what);
    finding.log = std::move(again->log);
    return true;
}

/// Of the peer's memory, with each time that the script is said.
std::uint64_t Campaign::growth_of(const Script& script) {
    if (!revive()) return 0;
    const std::uint64_t before = target_.memory().value_or(0);
    for (unsigned i = 0; i < growths; ++i)
        if (trial(script, 0)) return 0;
    const std::uint64_t now = target_.memory().value_or(0);
    return now > before ? (now - before) / growths : 0;
}

void Campaign::pursue(Finding finding) {
    const bool memory = finding.kind == Kind::memory;
    std::uint64_t growth = std::exchange(greatest_growth_, 0);
    const std::uint64_t growth_least = growth / 2;
    const StillFinds again = [&](const Script& script) {
        if (!memory) return finds_again(script, finding);
        const std::uint64_t grown = growth_of(script);
        if (grown == 0 || grown < growth_least) return false;
        growth = grown;
        return true;
    };
    finding.reproduced = again(finding.script) || again(finding.script);
    if (finding.reproduced) finding.script = shrink(finding.script, again, options_.shrink_trials);
    constexpr std::uint64_t repeats_max = 1000;
    if (memory && finding.reproduced)
        finding.script.repeat =
            static_cast<unsigned>(std::min(options_.memory_growth_max / growth + 1 + growths, repeats_max));
    const bool known = std::ranges::any_of(summary_.findings, [&](const Finding& other) {
        return other.kind == finding.kind && other.script.steps == finding.script.steps;
    });
    if (known) {
        ++summary_.found_again;
        return;
    }
    finding.script.notes.push_back("finds " + std::string(name_of(finding.kind)) + ": " + finding.what);
    if (!finding.reproduced) finding.script.notes.emplace_back("said again, it did not find this again");
    summary_.findings.push_back(std::move(finding));
    if (watch_.found) watch_.found(summary_.findings.back());
}

bool Campaign::revive() {
    if (!broken_ && guard_.running()) return true;
    guard_.stop();
    target_.restart();
    constexpr int tries = 20;
    for (int i = 0; i < tries; ++i) {
        if (start_guard().state == State::well) {
            broken_ = false;
            memory_base_ = memory_seen_ = target_.memory().value_or(0);
            return true;
        }
        target_.wait(std::chrono::milliseconds(250));
    }
    return false;
}

}  // namespace aprotic::fuzzer
