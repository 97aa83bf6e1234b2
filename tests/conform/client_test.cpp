// The judge of clients judged, with a client in memory whose faults can be switched on, and with processes of this
// machine.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "conform/client_process.hpp"
#include "conform/faulty_client.hpp"
#include "conform/report.hpp"
#include "conform/runner.hpp"
#include "conform/selection.hpp"

using namespace aprotic;
using namespace aprotic::conform;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::vector<const Case*> of_clients(std::vector<std::string> words) {
    std::vector<std::string> unknown;
    auto cases = select(all_cases(), {.words = std::move(words), .mode = Mode::client}, unknown);
    REQUIRE(unknown.empty());
    return cases;
}

std::vector<Result> judged(Clients& clients, std::vector<std::string> words) {
    Profile profile;
    RunOptions options;
    options.clients = &clients;
    return conform::run(of_clients(std::move(words)), {}, profile, options);
}

Result judged_one(std::set<std::string, std::less<>> faults, const std::string& id) {
    Faults all{std::move(faults)};
    FaultyClients clients(all);
    auto results = judged(clients, {id});
    REQUIRE(results.size() == 1);
    return std::move(results.front());
}

}  // namespace

TEST_CASE("there are cases of clients and none of them is asked of a server") {
    CHECK(of_clients({}).size() >= 60);
    std::vector<std::string> unknown;
    for (const auto* one : select(all_cases(), {}, unknown)) CHECK(one->mode == Mode::server);
    CHECK(contains(text_of(*of_clients({"2.6.7-a/client"}).front()), "of clients"));
}

TEST_CASE("a client without the fault passes the case that names it and fails with it") {
    struct Planted {
        std::string fault;
        std::string id;
        Verdict verdict;
        std::string actual;
    };
    const std::vector<Planted> planted = {
        {"any header will do", "2.2-j/client-version-2.0.0", Verdict::silent, "nothing"},
        {"framing errors are passed over", "2.3-b/client-size-7", Verdict::silent, "nothing"},
        {"framing errors kill", "2.3-b/client-size-7", Verdict::crashed, "signal"},
        {"close is not answered", "2.4.3-d/client", Verdict::silent, "nothing"},
        {"frames are cut too large", "2.7.1-h/client", Verdict::failed, "octets that are no frame"},
        {"windows are passed over", "2.5.6-b/client", Verdict::failed, "10 transfers"},
        {"windows count from now", "2.5.6-c/client-stale", Verdict::failed, "5 transfers"},
        {"credit is passed over", "2.6.7-a/client", Verdict::failed, "deliveries"},
        {"credit counts from now", "2.6.7-b/client", Verdict::failed, "5 deliveries"},
        {"drain is not answered", "2.6.7-h/client", Verdict::silent, "nothing"},
        {"unattached handles are passed over", "2.6.2-e/client-flow", Verdict::silent, "nothing"},
        {"refused links are active", "2.6.3-b/client-credit-target", Verdict::non_strict, ""},
        {"detach is not answered", "2.6.6-a/client", Verdict::silent, "nothing"},
        {"settled deliveries are settled again", "2.6.12-e/client", Verdict::non_strict, ""},
        {"roles are passed over", "2.7.6-c/client", Verdict::failed, "close"},
        {"max-message-size is passed over", "2.7.3-m/client", Verdict::non_strict, ""},
        {"one mechanism is none", "5.3.2-c/client-symbol", Verdict::failed, "the end of the stream"},
    };
    for (const auto& [fault, id, verdict, actual] : planted) {
        INFO(fault << " in " << id);
        const Result good = judged_one({}, id);
        CHECK(name_of(good.verdict) == name_of(Verdict::ok));
        CHECK(good.actual == "");
        const Result bad = judged_one({fault}, id);
        CHECK(name_of(bad.verdict) == name_of(verdict));
        CHECK(contains(bad.actual, actual));
    }
}

TEST_CASE("what a client wrote stands in the report of a case that failed") {
    const Result bad = judged_one({"close is not answered"}, "2.4.3-d/client");
    CHECK(contains(text_of(bad, false), "faulty as ever"));
}

TEST_CASE("a case whose client is missing is not judged and says so") {
    const Result result = judged_one({"there is no sender"}, "2.6.7-a/client");
    CHECK(result.verdict == Verdict::unimplemented);
    CHECK(contains(result.actual, "a client that sends"));
    CHECK(judged_one({"there is no sender"}, "2.4.1-a/client").verdict == Verdict::ok);
    CHECK(judged_one({"does not start"}, "2.4.1-a/client").verdict == Verdict::inconclusive);
    CHECK(contains(judged_one({"does not connect"}, "2.4.1-a/client").actual, "no connection"));
}

TEST_CASE("a client that makes nothing of its user is not asked for PLAIN alone") {
    for (const char* id : {"5.3.2-c/client-symbol", "5.3.2-c/client-array8", "5.3-d/client"}) {
        INFO(id);
        const Result without = judged_one({"makes nothing of its user"}, id);
        CHECK(name_of(without.verdict) == name_of(Verdict::unimplemented));
        CHECK(contains(without.actual, "makes nothing of the user"));
    }
}

TEST_CASE("before a run it is told whether the clients get as far as a link") {
    Faults faults;
    FaultyClients clients(faults);
    CHECK(prepare(clients, Profile(), Timing()) == "");
    faults.switched_on.insert("does not connect");
    CHECK(contains(prepare(clients, Profile(), Timing()), "sender: the client under test connects"));
}

TEST_CASE("a client's command is told where to go and what to do") {
    const Task task{.role = codec::Role::sender, .count = 3, .size = 20, .login = false, .node = "q"};
    CHECK(filled_in("c {url} {host} {port} {address} {count} {size} {none}", task, 7) ==
          "c amqp://127.0.0.1:7 127.0.0.1 7 q 3 20 {none}");
    Task login = task;
    login.login = true;
    CHECK(filled_in("{url}", login, 7) == "amqp://conform:secret@127.0.0.1:7");
}

TEST_CASE("clients that are processes are started and heard and ended") {
    using namespace std::chrono_literals;
    std::string why;
    SECTION("one that leaves") {
        ClientProcesses clients({"echo alas >&2; exit 3", ""}, 0);
        CHECK(clients.has(codec::Role::sender));
        CHECK_FALSE(clients.has(codec::Role::receiver));
        REQUIRE(clients.start({}) == "");
        CHECK(clients.accept(10s, why) == nullptr);
        CHECK(contains(why, "ended without a connection; it wrote: alas"));
        const Ended ended = clients.stop();
        CHECK(ended.by_itself);
        CHECK(ended.exit_code == 3);
        CHECK(ended.crash == "");
        CHECK(ended.said == "alas");
    }
    SECTION("one that crashes") {
        ClientProcesses clients({"kill -SEGV $$", ""}, 0);
        REQUIRE(clients.start({}) == "");
        CHECK(clients.wait(10s) == std::nullopt);
        CHECK(contains(clients.stop().crash, "signal"));
    }
    SECTION("one that stays, with a child of its own") {
        ClientProcesses clients({"", "sleep 1000 & wait"}, 0);
        REQUIRE(clients.start({.role = codec::Role::receiver}) == "");
        CHECK(clients.wait(1ms) == std::nullopt);
        const Ended ended = clients.stop();
        CHECK_FALSE(ended.by_itself);
        CHECK(ended.crash == "");
    }
    SECTION("one that connects, and whose late connection is not the next one's") {
        ClientProcesses clients({"true", ""}, 0);
        REQUIRE(clients.start({}) == "");
        const auto from_before = peer::TcpChannel::connect("127.0.0.1", std::to_string(clients.port()), 5s, why);
        REQUIRE(from_before);
        REQUIRE(clients.start({}) == "");
        CHECK(clients.accept(10s, why) == nullptr);
    }
}
