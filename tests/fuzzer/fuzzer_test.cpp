#include <catch2/catch.hpp>

#include <algorithm>

#include "fuzzer/campaign.hpp"
#include "fuzzer/conversations.hpp"
#include "fuzzer/planted_server.hpp"
#include "fuzzer/script.hpp"
#include "fuzzer/shrink.hpp"
#include "support/golden.hpp"
#include "support/hex.hpp"

using namespace aprotic;
using namespace aprotic::fuzzer;

namespace {

Summary campaign_against(PlantedServer& server, const Options& options) {
    Campaign campaign(server, {}, options);
    REQUIRE(campaign.prepare() == "");
    return campaign.run(conversations(campaign.access()));
}

/// The fault is found and shrunk, and its script finds it again on a server that has just started.
Finding found(const std::string& fault, Kind kind, std::size_t steps_max, Options options = {}) {
    INFO(fault);
    options.count = 2000;
    options.findings_max = 1;
    PlantedServer server(fault);
    const Summary summary = campaign_against(server, options);
    REQUIRE(summary.findings.size() == 1);
    Finding finding = summary.findings[0];
    INFO(to_text(finding.script));
    CHECK(finding.kind == kind);
    CHECK(finding.reproduced);
    CHECK(finding.script.steps.size() <= steps_max);
    CHECK(finding.steps_before >= finding.script.steps.size());

    const auto again = read_script(to_text(finding.script));
    REQUIRE(again);
    CHECK(*again == finding.script);
    PlantedServer fresh(fault);
    Campaign replay(fresh, {}, options);
    REQUIRE(replay.prepare() == "");
    const auto replayed = replay.replay(*again);
    REQUIRE(replayed);
    CHECK(replayed->kind == kind);

    PlantedServer sound;
    Campaign against_sound(sound, {}, options);
    REQUIRE(against_sound.prepare() == "");
    CHECK_FALSE(against_sound.replay(*again));
    return finding;
}

}  // namespace

TEST_CASE("a server that does what it should is blamed for nothing") {
    PlantedServer server;
    Options options;
    options.count = 400;
    const Summary summary = campaign_against(server, options);
    CHECK(summary.scripts == 400);
    CHECK(summary.echoes);
    CHECK(summary.findings.empty());
    for (const auto& [what, oddity] : summary.oddities) FAIL_CHECK(what << "\n" << to_text(oddity.script));
    CHECK(server.restarts == 0);
}

TEST_CASE("a server that dies of one field is found, and the script is header, open, begin and attach") {
    const Finding finding = found("dies of a handle", Kind::dead, 4);
    const auto& last = finding.script.steps.back();
    const auto parts = take_apart(last.octets);
    REQUIRE(parts);
    CHECK(parts->code() == codec::descriptor::attach);
    // What the fault does not need is gone: no source, no target, a short name.
    const auto& fields = parts->performative.as<codec::Described>().value().as<codec::List>();
    CHECK(fields.size() <= 3);
}

TEST_CASE("a server that hangs for everybody is found") { found("hangs of an id", Kind::hang, 3); }

TEST_CASE("a server that leaves one connection without an answer is found") { found("keeps its peace", Kind::hang, 4); }

TEST_CASE("a server that ends connections of others is found") { found("ends others", Kind::harmed, 3); }

TEST_CASE("a server that leaks is found, with the script that makes it grow") {
    Options options;
    options.memory_growth_max = 100U << 20U;
    const Finding finding = found("leaks links", Kind::memory, 204, options);
    CHECK(finding.script.repeat > 1);
    const auto attach = std::ranges::find_if(finding.script.steps, [](const Step& step) {
        const auto parts = take_apart(step.octets);
        return parts && parts->code() == codec::descriptor::attach;
    });
    CHECK(attach != finding.script.steps.end());
}

TEST_CASE("illegal answers are told apart from findings") {
    PlantedServer server("speaks after close");
    Options options;
    options.count = 2000;
    const Summary summary = campaign_against(server, options);
    CHECK(summary.findings.empty());
    REQUIRE(summary.oddities.size() == 1);
    CHECK(summary.oddities.begin()->first.find("behind its close") != std::string::npos);
    CHECK_FALSE(summary.oddities.begin()->second.script.steps.empty());
}

TEST_CASE("a peer that is gone and stays gone ends the run, with what ended it as it was") {
    PlantedServer server("dies of a handle");
    server.can_restart = false;
    Options options;
    options.count = 2000;
    const Summary summary = campaign_against(server, options);
    REQUIRE(summary.findings.size() == 1);
    CHECK(summary.findings[0].kind == Kind::dead);
    CHECK_FALSE(summary.findings[0].reproduced);
    CHECK(summary.ended_early == "the peer does not come back");
}

TEST_CASE("the same seed makes the same scripts, and finds the same") {
    const auto stock = conversations({});
    const Mutator one(stock, 7), same(stock, 7), other(stock, 8);
    std::size_t alike = 0;
    for (std::uint64_t number = 0; number < 100; ++number) {
        const Script script = one.script(number);
        CHECK(script == same.script(number));
        CHECK(script.notes.size() >= 2);
        if (script.steps == other.script(number).steps) ++alike;
    }
    CHECK(alike < 10);

    const auto run = [] {
        PlantedServer server("ends others");
        Options options;
        options.seed = 3;
        options.count = 300;
        options.findings_max = 2;
        return campaign_against(server, options);
    };
    const Summary first = run(), second = run();
    REQUIRE(first.findings.size() == second.findings.size());
    CHECK(first.scripts == second.scripts);
    for (std::size_t i = 0; i < first.findings.size(); ++i) {
        CHECK(first.findings[i].number == second.findings[i].number);
        CHECK(first.findings[i].script == second.findings[i].script);
    }
}

TEST_CASE("every mutated script survives being written down") {
    const Mutator mutator(conversations({}), 11);
    for (std::uint64_t number = 0; number < 100; ++number) {
        const Script script = mutator.script(number);
        // A step that was emptied says nothing, and stands in no line of its own worth.
        const auto again = read_script(to_text(script));
        REQUIRE(again);
        CHECK(again->steps == script.steps);
        CHECK(again->notes == script.notes);
    }
}

TEST_CASE("the rate holds for all connections together") {
    PlantedServer server;
    Options options;
    options.count = 50;
    options.rate = 1000;
    const Summary summary = campaign_against(server, options);
    CHECK(summary.connections == server.connected_at.size());
    CHECK(server.connected_at.size() > 50);
    for (std::size_t i = 1; i < server.connected_at.size(); ++i) {
        const auto apart = server.connected_at[i] - server.connected_at[i - 1];
        // A clock in nanoseconds and a rate in floating point meet within a microsecond.
        CHECK(apart >= std::chrono::microseconds(999));
        CHECK(apart <= std::chrono::microseconds(1001));
    }
}

TEST_CASE("no script begins when the time is over") {
    PlantedServer server;
    Options options;
    options.count = 1'000'000;
    options.seconds = 0.1;
    const Summary summary = campaign_against(server, options);
    CHECK(summary.scripts > 10);
    CHECK(summary.scripts <= 1000);
    CHECK(summary.seconds >= 0.1);
}

TEST_CASE("conversations are legal, and hold every performative") {
    std::set<std::uint64_t> codes;
    Access access;
    access.sasl = Access::Sasl::plain;
    for (const auto& conversation : conversations(access)) {
        INFO(conversation.name);
        for (const auto& step : conversation.script.steps) {
            if (step.octets.starts_with("AMQP")) continue;
            const auto next = codec::FrameParser(UINT32_MAX).next(codec::as_bytes(step.octets));
            REQUIRE(next.status == codec::FrameParser::Status::frame);
            codes.insert(next.frame.code);
            codec::Decoder from(next.frame.performative);
            codec::Performative performative;
            if (next.frame.type == codec::FrameType::amqp) CHECK(decode(from, performative));
            const auto parts = take_apart(step.octets);
            REQUIRE(parts);
            CHECK(put_together(*parts) == step.octets);
        }
    }
    for (auto code = codec::descriptor::open; code <= codec::descriptor::close; ++code) CHECK(codes.contains(code));
    CHECK(codes.contains(codec::descriptor::sasl_init));
}

TEST_CASE("a recorded session becomes a script that waits where its client did") {
    std::size_t sessions = 0;
    for (const auto& file : test::files_below(APROTIC_CAPTURES, "client-to-broker.bin")) {
        const auto octets = test::read_octets(file);
        const Script script = script_of_stream(octets);
        std::string all;
        for (const auto& step : script.steps) all += step.octets;
        CHECK(all == codec::as_text(octets));
        CHECK(script.steps.size() > 4);
        CHECK(std::ranges::any_of(script.steps, [](const Step& step) { return step.awaits == "open"; }));
        ++sessions;
    }
    CHECK(sessions > 10);
}

TEST_CASE("scripts are read as people write them, and what is wrong names the line") {
    const auto script = read_script(
        "aprotic fuzz script\n"
        "# by hand\n"
        "repeat 3\n"
        "send 414d 5150|00010000  # AMQP header\n"
        "await header\n"
        "\n"
        "frame 2 {\"$described\":[{\"$ulong\":24},[]]}\n");
    REQUIRE(script);
    CHECK(script->notes == std::vector<std::string>{"by hand"});
    CHECK(script->repeat == 3);
    REQUIRE(script->steps.size() == 2);
    CHECK(script->steps[0].octets == std::string("AMQP\0\1\0\0", 8));
    CHECK(script->steps[0].splits == std::vector<std::size_t>{4});
    CHECK(script->steps[0].awaits == "header");
    CHECK(describe(script->steps[1].octets).find("close") != std::string::npos);

    const auto wrong = [](const std::string& line) {
        return read_script("aprotic fuzz script\nsend 00\n" + line).error();
    };
    CHECK(wrong("send 0").starts_with("line 3: "));
    CHECK(wrong("send 0g").starts_with("line 3: "));
    CHECK(wrong("sing 00").starts_with("line 3: "));
    CHECK(wrong("repeat 0").starts_with("line 3: "));
    CHECK(wrong("frame x {}").starts_with("line 3: "));
    CHECK(wrong("frame 0 {").starts_with("line 3: "));
    CHECK(read_script("hello\n").error().starts_with("line 1: "));
    CHECK_FALSE(read_script("").error().empty());
}

TEST_CASE("a script's mark stands for the transaction that was declared", "[4.4.1-a]") {
    const auto all = conversations({});
    const auto transactions =
        std::ranges::find_if(all, [](const Conversation& one) { return one.name == "transactions"; });
    REQUIRE(transactions != all.end());
    std::size_t marked = 0;
    for (const auto& step : transactions->script.steps) {
        const std::string said = with_transaction(step.octets, "a longer id than that");
        CHECK(said.find(transaction_mark) == std::string::npos);
        CHECK(take_apart(said).has_value() == take_apart(step.octets).has_value());
        if (said != step.octets) ++marked;
    }
    CHECK(marked == 4);
}

TEST_CASE("shrinking keeps what matters of octets that are no frame") {
    Script script;
    for (int i = 0; i < 20; ++i) script.steps.push_back({std::string(50, static_cast<char>('a' + i)), {7}, "open"});
    unsigned asked = 0;
    const StillFinds finds = [&](const Script& candidate) {
        ++asked;
        return std::ranges::any_of(candidate.steps,
                                   [](const Step& step) { return step.octets.find("ff") != std::string::npos; });
    };
    const Script least = shrink(script, finds, 300);
    REQUIRE(least.steps.size() == 1);
    CHECK(least.steps[0] == Step{"ff", {}, ""});
    CHECK(asked <= 300);
    asked = 0;
    shrink(script, finds, 5);
    CHECK(asked == 5);
}
