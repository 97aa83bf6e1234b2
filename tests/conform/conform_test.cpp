// The judge judged: selection, verdicts and reports, with a server in memory whose faults can be switched on.
#include <algorithm>
#include <string>
#include <vector>

#include <aprotic/codec/json.hpp>
#include <catch2/catch.hpp>

#include "conform/faulty_server.hpp"
#include "conform/report.hpp"
#include "conform/runner.hpp"
#include "conform/selection.hpp"
#include "conform/server_process.hpp"

using namespace aprotic;
using namespace aprotic::conform;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::vector<const Case*> chosen(std::vector<std::string> words, std::vector<std::string> without = {}) {
    std::vector<std::string> unknown;
    auto cases = select(all_cases(), {.words = std::move(words), .without = std::move(without)}, unknown);
    REQUIRE(unknown.empty());
    return cases;
}

/// The profile of the server in memory: no SASL.
Profile plain_profile() {
    Profile profile;
    profile.name = "faulty server";
    profile.capabilities = {"bare", "several-sessions", "queue", "multiple-frames"};
    profile.sasl = "none";
    return profile;
}

Run judged(std::set<std::string, std::less<>> faults, std::vector<std::string> words, RunOptions options = {}) {
    Faults all{std::move(faults)};
    const Profile profile = plain_profile();
    Run run;
    run.peer = profile.name;
    run.address = "memory";
    run.date = "2026-11-23T00:00:00Z";
    run.results = conform::run(chosen(std::move(words)), connector_to(all), profile, options);
    return run;
}

Result judged_one(std::set<std::string, std::less<>> faults, const std::string& id) {
    Run run = judged(std::move(faults), {id});
    const auto found = std::ranges::find(run.results, id,
                                         [](const Result& result) -> const std::string& { return result.subject->id; });
    REQUIRE(found != run.results.end());
    return std::move(*found);
}

}  // namespace

TEST_CASE("every case of the suite is written down whole and has an id of its own") {
    std::set<std::string> ids;
    for (const auto& one : all_cases()) {
        INFO(one.id);
        CHECK(ids.insert(one.id).second);
        CHECK(one.id.find('-') != std::string::npos);
        CHECK(one.id.find_first_of(" \t\"<>&") == std::string::npos);
        CHECK_FALSE(chapter_of(one.section()).title.empty());
        CHECK_FALSE(one.rule.empty());
        CHECK_FALSE(one.sends.empty());
        CHECK_FALSE(one.accepts.empty());
        CHECK(one.run);
        for (const auto& need : one.needs)
            CHECK(std::ranges::count(known_capabilities(), need, &Capability::name) == 1);
    }
    CHECK(std::ranges::is_sorted(all_cases(), section_before, &Case::section));
}

TEST_CASE("cases are chosen by id, clause, section, tag and level") {
    CHECK(chosen({}).size() == static_cast<std::size_t>(std::ranges::count(all_cases(), Mode::server, &Case::mode)));
    CHECK(chosen({"2.3-b/size-7"}).size() == 1);
    CHECK(chosen({"2.3-b"}).size() == 4);
    CHECK(chosen({"2.3-b"}, {"2.3-b/size-7"}).size() == 3);
    for (const auto* one : chosen({"2.3"})) CHECK((one->section() == "2.3" || one->section() == "2.3.2"));
    for (const auto* one : chosen({"@negative"})) CHECK(one->negative);
    CHECK(chosen({"@control"}).size() >= 3);

    std::vector<std::string> unknown;
    select(all_cases(), {.words = {"2.3-b", "2.33", "@no"}, .without = {"9.9-z"}}, unknown);
    CHECK(unknown == std::vector<std::string>{"2.33", "@no", "9.9-z"});
    for (const auto* one : select(all_cases(), {.levels = {Level::informative}}, unknown))
        CHECK(one->level == Level::informative);
}

TEST_CASE("sections are in the order of the specification") {
    CHECK(section_before("2.4.9", "2.4.10"));
    CHECK(section_before("2.4", "2.4.1"));
    CHECK_FALSE(section_before("3.2", "2.10"));
    CHECK(chapter_of("2.5.6").title == "Sessions");
    CHECK(chapter_of("1.6.20").title == "Types");
}

TEST_CASE("a server without the fault passes the case that names it, with the fault it fails") {
    struct Planted {
        std::string fault;
        std::string id;
        Verdict verdict;
        std::string actual;
    };
    const std::vector<Planted> planted = {
        {"any header will do", "2.2-e/2.0.0", Verdict::silent, "nothing"},
        {"wrong headers are not answered", "2.2-e/2.0.0", Verdict::non_strict, ""},
        {"framing errors are passed over", "2.3-b/size-7", Verdict::silent, "nothing"},
        {"errors only end the stream", "2.3-b/size-7", Verdict::non_strict, ""},
        {"framing errors kill", "2.3-b/size-7", Verdict::crashed, "connection refused"},
        {"undecodable frames are passed over", "2.3.2-a/null", Verdict::failed, "went on as if nothing had been"},
        {"begins before it opens", "2.4.1-a", Verdict::failed, "begin"},
        {"close is not answered", "2.4.3-d", Verdict::silent, "nothing"},
        {"speaks after close", "2.4.3-d", Verdict::failed, "a frame after its close"},
        {"begin names another channel", "2.5.1-b", Verdict::failed, "remote-channel=9"},
        {"begin is not answered", "2.5.1-b", Verdict::silent, "nothing"},
        {"begin names another channel", "2.5.1-h/with-end", Verdict::failed, "remote-channel=9"},
        {"sessions that end at once are passed over", "2.5.1-h/with-end", Verdict::informational, ""},
        {"begin names another channel", "2.3-h/one-write", Verdict::failed, "remote-channel=1"},
        {"credit counts from now", "2.6.7-c", Verdict::failed, "10 transfers"},
        {"what is settled is answered", "2.6.12-e", Verdict::non_strict, ""},
        {"what is settled is answered", "2.6.12-e/last-frame", Verdict::non_strict, ""},
        {"what is settled is answered", "2.7.5-h", Verdict::non_strict, ""},
        {"all messages are durable", "3.2.1-a", Verdict::non_strict, ""},
        {"all messages are durable", "3.2.10-a", Verdict::ok, ""},
    };
    for (const auto& [fault, id, verdict, actual] : planted) {
        INFO(fault << " in " << id);
        const Result good = judged_one({}, id);
        CHECK(good.verdict == Verdict::ok);
        const Result bad = judged_one({fault}, id);
        CHECK(name_of(bad.verdict) == name_of(verdict));
        CHECK(contains(bad.actual, actual));
    }
}

TEST_CASE("an ordinary step that fails leaves the question open") {
    const Result result = judged_one({"begins before it opens"}, "2.5.1-b");
    CHECK(result.verdict == Verdict::inconclusive);
    CHECK(contains(result.actual, "begin"));
}

TEST_CASE("where a case has ended the peer the others are not held against it") {
    const Run run = judged({"framing errors kill"}, {"2.3-b"});
    REQUIRE(run.results.size() == 4);
    CHECK(run.count(Verdict::crashed) == 1);
    CHECK(run.count(Verdict::inconclusive) == 3);
    CHECK(contains(run.results.back().actual, run.results.front().subject->id));
}

TEST_CASE("a peer that reacts late was not silent, and one that does not was") {
    RunOptions options;
    std::vector<std::string> told;
    options.after = [&](const Result& result) { told.push_back(result.subject->id); };
    options.patience = 0.2;
    for (const char* fault : {"framing errors are answered late", "framing errors are passed over"}) {
        INFO(fault);
        const bool late = std::string_view(fault).ends_with("late");
        told.clear();
        const Run run = judged({fault}, {"2.3-b"}, options);
        CHECK(run.count(late ? Verdict::non_strict : Verdict::silent) == 4);
        CHECK(told.size() == 4);
        for (const auto& result : run.results) {
            const std::string text = text_of(result, true);
            CHECK(contains(text, late ? "within 1 s: channel 0 close" : "actual:"));
            CHECK_FALSE(result.log.empty());
        }
    }
    options.patience = 0;
    CHECK(judged({"framing errors are answered late"}, {"2.3-b/size-7"}, options).count(Verdict::silent) == 1);
}

TEST_CASE("a peer that serves only some behind a case it was silent to has not survived it") {
    Faults faults{{"framing errors are passed over", "each third connection is not served"}};
    unsigned revived = 0;
    RunOptions options;
    options.timing.answer = std::chrono::milliseconds(20);
    options.revive = [&] { return ++revived > 0; };
    const auto results = conform::run(chosen({"2.3-b/size-7"}), connector_to(faults), plain_profile(), options);
    CHECK(name_of(results.front().verdict) == name_of(Verdict::crashed));
    CHECK(contains(results.front().actual, "a new connection gets no further"));
    CHECK(revived == 1);
}

TEST_CASE("what fails among what the text leaves open is told and is no fault") {
    const Run run = judged({"names are cut"}, {"2.6.1-e/1-KiB"});
    CHECK(name_of(run.results.front().verdict) == name_of(Verdict::informational));
    CHECK(contains(text_of(run.results.front(), false), "not as expected"));
}

TEST_CASE("where the peer comes back after a case has ended it the suite goes on") {
    Faults faults{{"framing errors kill"}};
    unsigned revived = 0;
    RunOptions options;
    options.revive = [&] {
        faults.dead = false;
        return ++revived < 3;
    };
    const auto results = conform::run(chosen({"2.3-b"}), connector_to(faults), plain_profile(), options);
    CHECK(revived == 3);
    CHECK(std::ranges::count(results, Verdict::crashed, &Result::verdict) == 3);
    CHECK(results.back().verdict == Verdict::inconclusive);
}

TEST_CASE("a process that has ended is seen at whatever case ended it") {
    Faults faults;
    RunOptions options;
    options.alive = [] { return false; };
    const auto results = conform::run(chosen({"2.4.3-d"}), connector_to(faults), plain_profile(), options);
    CHECK(results.front().verdict == Verdict::crashed);
    CHECK(contains(results.front().actual, "its process has ended"));
}

TEST_CASE("a server that the suite starts is waited for and told to be missing") {
    using namespace std::chrono_literals;
    Profile profile = plain_profile();
    Faults faults;
    SECTION("it comes") {
        ServerProcess server("sleep 1000", connector_to(faults), {});
        CHECK(server.bring_up(profile, 10s) == "");
        CHECK(server.alive());
    }
    SECTION("it is looked after by others") {
        faults.dead = true;
        ServerProcess server("", connector_to(faults), {});
        CHECK(contains(server.bring_up(profile, 0s), "connection refused"));
        CHECK(profile.has("bare"));
        CHECK(server.alive());
    }
    SECTION("it ends") {
        faults.dead = true;
        ServerProcess server("echo alas >&2; exit 1", connector_to(faults), {});
        CHECK(contains(server.bring_up(profile, 60s), "the program has ended; it wrote: alas"));
        CHECK_FALSE(server.alive());
    }
}

TEST_CASE("what the profile does not claim is not asked, and said so") {
    Faults faults;
    Profile profile = plain_profile();
    profile.capabilities.clear();
    const auto results = conform::run(chosen({"2.2-d"}), connector_to(faults), profile, {});
    CHECK(results.front().verdict == Verdict::unimplemented);
    CHECK(contains(results.front().actual, "bare"));
}

TEST_CASE("a failure that the profile knows of does not make the run fail") {
    Faults faults{{"close is not answered"}};
    Profile profile = plain_profile();
    profile.known["2.4.3-d"] = "it is old";
    profile.known["2.4.3-d/with-error"] = "it is old";
    Run run;
    run.results = conform::run(chosen({"2.4.3-d"}), connector_to(faults), profile, {});
    CHECK(is_failure(run.results.front().verdict));
    CHECK_FALSE(run.failed());
    CHECK(contains(text_of(run.results.front(), false), "it is old"));
}

TEST_CASE("strictness decides whether lenient reactions fail a run") {
    Run run = judged({"errors only end the stream"}, {"2.3-b/size-7"});
    CHECK_FALSE(run.failed());
    run.strict = true;
    CHECK(run.failed());
}

TEST_CASE("cases are repeated, shuffled by seed, and control cases come first") {
    RunOptions options;
    options.repeat = 3;
    const Run repeated = judged({"close is not answered"}, {"2.4.3-d"}, options);
    CHECK(repeated.results.front().runs == 3);
    CHECK(repeated.results.front().other_verdicts == 0);

    const auto order = [](std::uint64_t seed) {
        RunOptions shuffled;
        shuffled.seed = seed;
        std::vector<std::string> ids;
        for (const auto& result : judged({}, {"2.2", "2.3"}, shuffled).results) ids.push_back(result.subject->id);
        return ids;
    };
    CHECK(order(1) == order(1));
    CHECK(order(1) != order(2));
    CHECK(order(1).front() == "2.2-d");

    const Run all = judged({}, {"1.2", "2.2"});
    CHECK(all.results.front().subject->id == "2.2-d");
    CHECK(std::ranges::count(all.results.back().subject->tags, "burden") == 1);
}

TEST_CASE("the profile is read from JSON and from a URL") {
    Profile profile;
    CHECK(profile.read(R"({"name": "x", "queue": "/queue/%", "without": ["transactions"], "known": {"2.2-d": "why"}})")
              .empty());
    CHECK(profile.queue == "/queue/%");
    CHECK(profile.has("queue"));
    CHECK_FALSE(profile.has("transactions"));
    CHECK(profile.known.at("2.2-d") == "why");
    CHECK(contains(profile.read(R"({"without": ["everything"]})"), "everything"));
    CHECK(contains(profile.read(R"({"color": "red"})"), "color"));
    CHECK(contains(profile.read("{"), "syntax"));
    CHECK(contains(profile.read(R"({"sasl": "maybe"})"), "plain"));

    CHECK(profile.read_url("amqp://al%40ice:se:cret@[::1]:7777/ignored").empty());
    CHECK(profile.host == "::1");
    CHECK(profile.port == "7777");
    CHECK(profile.user == "al@ice");
    CHECK(profile.password == "se:cret");
    CHECK(profile.sasl == "plain");
    CHECK_FALSE(profile.read_url("http://x").empty());
    CHECK_FALSE(profile.read_url("amqp://").empty());
}

TEST_CASE("a failure shows what was expected and what came, both frames and the octets") {
    const Run run = judged({"begin names another channel"}, {"2.5.1-b"});
    const Result& result = run.results.front();
    CHECK(contains(result.sent, "begin"));
    const std::string text = text_of(result, true);
    for (const char* part :
         {"failed", "2.5.1-b", "expected:", "remote-channel 0", "actual:", "remote-channel=9", "->", "<-", "414d5150"})
        CHECK(contains(text, part));
}

TEST_CASE("reports in JSON, JUnit XML and HTML tell the same") {
    const Run run = judged({"begin names another channel", "errors only end the stream"}, {"2.2", "2.3", "2.4", "2.5"});
    CHECK(run.count(Verdict::failed) >= 1);
    CHECK(run.count(Verdict::non_strict) >= 5);

    const std::string json = json_of(run);
    REQUIRE(codec::parse_json(json));
    std::string why;
    const PastRun past = read_json_report(json, why);
    CHECK(why.empty());
    REQUIRE(past.cases.size() == run.results.size());
    for (std::size_t i = 0; i < past.cases.size(); ++i) CHECK(past.cases[i].verdict == name_of(run.results[i].verdict));
    read_json_report("[1]", why);
    CHECK_FALSE(why.empty());

    const std::string junit = junit_of(run);
    CHECK(contains(junit, "classname=\"amqp10.2.5.1\" name=\"2.5.1-b\""));
    CHECK(contains(junit, "<failure type=\"failed\""));
    CHECK(contains(junit, "<property name=\"verdict\" value=\"non-strict\"/>"));

    const std::string html = html_of(run);
    CHECK(contains(html, "<!DOCTYPE html>"));
    CHECK(contains(html, "2.5.1-b"));
    CHECK_FALSE(contains(html, "http://"));  // self-contained
    for (const auto& score : scores_of(run)) CHECK(contains(html, score.chapter.title));
}

TEST_CASE("runs beside each other show where they differ") {
    const auto past = [](std::set<std::string, std::less<>> faults) {
        std::string why;
        return read_json_report(json_of(judged(std::move(faults), {"2.4", "2.5.1-b"})), why);
    };
    const std::vector<PastRun> runs = {past({}), past({"begin is not answered"})};
    const std::string text = compare_as_text(runs);
    const std::string differing = text.substr(text.find("where they differ"));
    CHECK(contains(differing, "2.5.1-b"));
    CHECK(contains(differing, "failed-silent"));
    CHECK_FALSE(contains(differing, "2.4.1-a"));
    CHECK(contains(compare_as_html(runs), "failed-silent"));
}
