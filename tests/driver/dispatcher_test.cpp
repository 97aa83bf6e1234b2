#include <aprotic/driver/dispatcher.hpp>

#include <catch2/catch.hpp>

using namespace aprotic::driver;

namespace {

Reply ask(Dispatcher& dispatcher, Request request) {
    std::optional<Reply> answer;
    dispatcher.dispatch(std::move(request), Responder([&](Reply reply) {
                            REQUIRE_FALSE(answer);
                            answer = std::move(reply);
                        }));
    REQUIRE(answer);
    return *answer;
}

int free_function(int a) { return a + 1; }

}  // namespace

TEST_CASE("methods take and return typed values or JSON") {
    Dispatcher dispatcher;
    auto& endpoint = dispatcher.endpoint();
    endpoint.handle("add", [](int a, int b) { return a + b; }, {"a", "b"})
        .handle("echo", [](const Json& args) { return args; })
        .handle("nothing", [] {})
        .handle("free", free_function, {"a"})
        .handle("who",
                [](const Request& request, const Json& args) {
                    return Json{request.method, request.context["user"], args};
                })
        .handle("greet",
                [](const Request&, const std::string& name, std::optional<int> times) {
                    return name + std::to_string(times.value_or(1));
                },
                {"name", "times"})
        .handle("one", [](Json value) { return value; }, {"value"})
        .handle("sum",
                [](std::vector<double> values) {
                    double all = 0;
                    for (double v : values) all += v;
                    return all;
                },
                {"values"});

    CHECK(*ask(dispatcher, {.method = "add", .args = {{"a", 2}, {"b", 3}}}) == 5);
    CHECK(*ask(dispatcher, {.method = "echo", .args = {{"x", {1, 2}}}}) == Json{{"x", {1, 2}}});
    CHECK(ask(dispatcher, {.method = "nothing"})->is_null());
    CHECK(*ask(dispatcher, {.method = "free", .args = {{"a", 1}}}) == 2);
    CHECK(*ask(dispatcher, {.method = "who", .args = {{"k", 1}}, .context = {{"user", "alice"}}}) ==
          Json{"who", "alice", {{"k", 1}}});
    CHECK(*ask(dispatcher, {.method = "greet", .args = {{"name", "x"}}}) == "x1");
    CHECK(*ask(dispatcher, {.method = "greet", .args = {{"name", "x"}, {"times", nullptr}}}) == "x1");
    CHECK(*ask(dispatcher, {.method = "greet", .args = {{"name", "x"}, {"times", 3}}}) == "x3");
    CHECK(*ask(dispatcher, {.method = "one", .args = {{"value", "v"}}}) == "v");
    CHECK(*ask(dispatcher, {.method = "sum", .args = {{"values", {1, 2.5}}}}) == 3.5);
}

TEST_CASE("arguments that do not fit are a TypeError that names them") {
    Dispatcher dispatcher;
    dispatcher.endpoint()
        .handle("add", [](int a, bool b) { return b ? a : 0; }, {"a", "b"})
        .handle("small", [](std::uint8_t a, std::string s) { return a + s.size(); }, {"a", "s"});
    const auto refusal = [&](const char* method, Json args) {
        const auto reply = ask(dispatcher, {.method = method, .args = std::move(args)});
        REQUIRE_FALSE(reply);
        CHECK(reply.error().type == "TypeError");
        CHECK(reply.error().module == "builtins");
        CHECK(reply.error().args == Json::array({reply.error().message}));
        return reply.error().message;
    };
    CHECK(refusal("add", {{"a", 1}}) == "add() missing required argument: 'b'");
    CHECK(refusal("add", {{"a", 1}, {"b", true}, {"c", 1}}) == "add() got an unexpected argument 'c'");
    CHECK(refusal("add", {{"a", 2.5}, {"b", true}}) == "add() argument 'a': an integer is expected");
    CHECK(refusal("add", {{"a", true}, {"b", true}}) == "add() argument 'a': an integer is expected");
    CHECK(refusal("add", {{"a", 5'000'000'000}, {"b", true}}) == "add() argument 'a': the integer is out of range");
    CHECK(refusal("add", {{"a", 1}, {"b", 1}}) == "add() argument 'b': a boolean is expected");
    CHECK(refusal("small", {{"a", -1}, {"s", ""}}) == "small() argument 'a': the integer is out of range");
    CHECK_THAT(refusal("small", {{"a", 1}, {"s", 1}}), Catch::Contains("argument 's'"));
}

TEST_CASE("a throwing method answers with its exception") {
    Dispatcher dispatcher;
    dispatcher.endpoint()
        .handle("runtime", [] { throw std::runtime_error("oops"); })
        .handle("chosen", [] { throw MethodError("ValueError", "bad value"); })
        .handle("whole",
                [] {
                    throw MethodError(
                        RemoteError{"MyErr", "my.module", "custom", {"line\n"}, {"custom", 1}, {{"code", 7}}});
                })
        .handle("odd", [] { throw 1; });
    CHECK(ask(dispatcher, {.method = "runtime"}).error() ==
          RemoteError{"RuntimeError", "builtins", "oops", {}, Json::array({"oops"}), Json::object()});
    CHECK(ask(dispatcher, {.method = "chosen"}).error().type == "ValueError");
    CHECK(ask(dispatcher, {.method = "whole"}).error().kwargs == Json{{"code", 7}});
    CHECK(ask(dispatcher, {.method = "odd"}).error().type == "RuntimeError");
}

TEST_CASE("namespace, version and method choose the first endpoint that fits") {
    Dispatcher dispatcher;
    dispatcher.endpoint({}, "1.3").handle("v", [] { return "plain 1.3"; });
    dispatcher.endpoint({}, "2.1").handle("v", [] { return "plain 2.1"; });
    dispatcher.endpoint({}, "1.5").handle("v", [] { return "plain 1.5"; }).handle("new", [] { return 1; });
    dispatcher.endpoint("ns", "1.0").handle("v", [] { return "ns"; });

    CHECK(*ask(dispatcher, {.method = "v"}) == "plain 1.3");
    CHECK(*ask(dispatcher, {.method = "v", .version = "1.4"}) == "plain 1.5");
    CHECK(*ask(dispatcher, {.method = "v", .version = "2.0"}) == "plain 2.1");
    CHECK(*ask(dispatcher, {.method = "v", .namespace_ = "ns"}) == "ns");
    CHECK(*ask(dispatcher, {.method = "new", .version = "1.2"}) == 1);

    // The texts are part of the contract. [oslo features 12]
    const auto missing = ask(dispatcher, {.method = "missing"}).error();
    CHECK(missing.type == "NoSuchMethod");
    CHECK(missing.module == "oslo_messaging.rpc.dispatcher");
    CHECK(missing.message == "Endpoint does not support RPC method missing");
    CHECK(missing.args == Json::array({missing.message}));
    const auto unsupported = ask(dispatcher, {.method = "echo", .version = "3.0"}).error();
    CHECK(unsupported.type == "UnsupportedVersion");
    CHECK(unsupported.message == "Endpoint does not support RPC version 3.0. Attempted method: echo");
    CHECK(ask(dispatcher, {.method = "v", .namespace_ = "other"}).error().message ==
          "Endpoint does not support RPC version 1.0. Attempted method: v");
}

TEST_CASE("a method may answer later, and one that never does answers by being dropped") {
    Dispatcher dispatcher;
    std::optional<Responder> kept;
    dispatcher.endpoint()
        .handle_async("later", [&](Request, Responder respond) { kept = std::move(respond); })
        .handle_async("never", [](Request, Responder) {})
        .handle_async("throws", [](Request, Responder) { throw 1; });
    std::optional<Reply> answer;
    dispatcher.dispatch({.method = "later"}, Responder([&](Reply reply) { answer = std::move(reply); }));
    CHECK_FALSE(answer);
    kept->reply(5);
    kept->reply(6);
    REQUIRE(answer);
    CHECK(**answer == 5);
    for (const char* method : {"never", "throws"}) {
        const auto dropped = ask(dispatcher, {.method = method});
        REQUIRE_FALSE(dropped);
        CHECK_THAT(dropped.error().message, Catch::Contains("dropped"));
    }
}

TEST_CASE("what is left to handle_others begins with no underscore unless that is allowed") {
    Dispatcher dispatcher;
    dispatcher.endpoint().handle("_given", [] { return "given"; }).handle_others([](const Request& request) {
        return request.method;
    });
    dispatcher.endpoint("open", "1.0")
        .handle_others([](const Request& request) { return request.method; }, AccessPolicy::legacy);
    CHECK(*ask(dispatcher, {.method = "any"}) == "any");
    CHECK(ask(dispatcher, {.method = "_any"}).error().message == "Endpoint does not support RPC method _any");
    CHECK(ask(dispatcher, {.method = "__init__"}).error().type == "NoSuchMethod");
    CHECK(*ask(dispatcher, {.method = "_given"}) == "given");  // its name was given: that exposes it
    CHECK(*ask(dispatcher, {.method = "_any", .namespace_ = "open"}) == "_any");
    // Without handle_others only what was given can be called, whatever its name.
    Dispatcher given_only;
    given_only.endpoint().handle("m", [] { return 1; });
    CHECK(ask(given_only, {.method = "other"}).error().type == "NoSuchMethod");
}

TEST_CASE("an endpoint answers to its legacy namespaces too") {
    Dispatcher dispatcher;
    dispatcher.endpoint("new", "1.2").legacy_namespaces({"old", std::nullopt}).handle("m", [] { return "new 1.2"; });
    dispatcher.endpoint("old", "2.0").handle("m", [] { return "old 2.0"; });
    CHECK(*ask(dispatcher, {.method = "m", .namespace_ = "new", .version = "1.1"}) == "new 1.2");
    CHECK(*ask(dispatcher, {.method = "m", .namespace_ = "old", .version = "1.1"}) == "new 1.2");
    CHECK(*ask(dispatcher, {.method = "m", .namespace_ = "old", .version = "2.0"}) == "old 2.0");
    CHECK(*ask(dispatcher, {.method = "m"}) == "new 1.2");
    CHECK(ask(dispatcher, {.method = "m", .namespace_ = "other"}).error().type == "UnsupportedVersion");
}
