#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "stack/engines.hpp"

using namespace aprotic;
using namespace aprotic::test;
using namespace std::string_view_literals;
using engine::Authenticated;
using engine::EngineRole;
using engine::Errc;
using peer::check_failures;
using peer::check_splits;
using peer::Plan;

namespace {

engine::ConnectionOptions with_token(std::string username = {}) {
    auto options = client_options();
    options.sasl.username = std::move(username);
    options.sasl.token = [] { return std::string("abc.def"); };
    return options;
}

engine::ConnectionOptions token_server() {
    auto options = server_options();
    options.sasl_server.verify_token = [](std::string_view token) {
        return token == "abc.def" ? std::optional<std::string>("me,=you") : std::nullopt;
    };
    return options;
}

/// Asks three times for as many letters more.
struct CountClient final : engine::SaslClientExchange {
    explicit CountClient(bool trusts) : trusts_(trusts) {}
    std::optional<std::string> initial_response() override { return std::nullopt; }
    std::optional<std::string> respond(std::string_view challenge) override {
        if (challenge.size() > 3) return std::nullopt;
        return std::string(challenge) + "x";
    }
    bool finish(std::string_view data) override { return trusts_ && data == "done"; }
    std::string reason() const override { return "counting"; }
    bool trusts_;
};

struct CountServer final : engine::SaslServerExchange {
    Step step(std::optional<std::string_view> response) override {
        const std::string so_far(response.value_or(""));
        if (so_far.size() < 3) return {Step::Kind::challenge, so_far, {}};
        return {Step::Kind::accepted, "counter", "done"};
    }
};

engine::SaslMechanism counting(bool trusts = true) {
    return {.name = "COUNT",
            .make_client = [trusts] { return std::make_unique<CountClient>(trusts); },
            .make_server = [] { return std::make_unique<CountServer>(); }};
}

/// Runs the script whole, cut at every octet and broken at every step.
template <class Script>
void check_all(Script script) {
    check_splits(script);
    check_failures(script);
}

/// What a server answers to one initial response: the user, or nobody.
std::optional<std::string> let_in(const engine::ConnectionOptions& options, const char* mechanism,
                                  std::string_view response) {
    std::optional<std::string> user;
    check_splits([&](Plan& plan) {
        Stage stage(EngineRole::server, options, plan);
        stage.peer.send_header(codec::ProtocolId::sasl);
        stage.peer.expect_header(codec::ProtocolId::sasl);
        stage.peer.expect_sasl_mechanisms();
        stage.peer.send(peer::sasl_init(mechanism).initial_response(response));
        try {
            user = stage.engine.expect_event<Authenticated>().identity.user;
        } catch (const peer::ScriptError&) {
            // Refused at once, or after the client has taken note of why.
            if (!stage.engine.has_ended()) stage.peer.send(peer::sasl_response("\1"));
            CHECK(stage.engine.has_ended());
        }
    });
    return user;
}

engine::Failure failure_of(Stage& stage) {
    const auto ended = stage.engine.skip_to_event<engine::ConnectionEnded>();
    REQUIRE(ended.failure);
    return *ended.failure;
}

}  // namespace

TEST_CASE("OAUTHBEARER says the token as RFC 7628 has it", "[5.3.2]") {
    check_all([](Plan& plan) {
        auto options = with_token("me,=you");
        options.hostname = "host.test";
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"PLAIN", "XOAUTH2", "OAUTHBEARER"}));
        stage.peer.expect(peer::sasl_init("OAUTHBEARER")
                              .initial_response("n,a=me=2C=3Dyou,\1host=host.test\1auth=Bearer abc.def\1\1"sv)
                              .hostname("host.test"));
        stage.peer.send(peer::sasl_outcome(codec::SaslCode::ok));
        stage.peer.expect_header().respond();
        CHECK(stage.engine.expect_event<Authenticated>().identity.mechanism == "OAUTHBEARER");
        stage.peer.expect_open();
    });
}

TEST_CASE("XOAUTH2 needs a user name") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::client, with_token("me"), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"XOAUTH2"}));
        stage.peer.expect(peer::sasl_init("XOAUTH2").initial_response("user=me\1auth=Bearer abc.def\1\1"sv));
    });
    check_splits([](Plan& plan) {
        Stage stage(EngineRole::client, with_token(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"XOAUTH2", "ANONYMOUS"}));
        CHECK(failure_of(stage).code == Errc::no_common_mechanism);
    });
}

TEST_CASE("a token that is not taken is answered, and its reason is told without the token", "[5.3.3-f]") {
    check_all([](Plan& plan) {
        Stage stage(EngineRole::client, with_token(), plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"OAUTHBEARER"}));
        stage.peer.expect_sasl_init();
        stage.peer.send(peer::sasl_challenge(R"({"status":"invalid_token"})"));
        stage.peer.expect(peer::sasl_response("\1"));
        stage.peer.send(peer::sasl_outcome(codec::SaslCode::auth));
        const auto failure = failure_of(stage);
        CHECK(failure.code == Errc::authentication_failed);
        CHECK(contains(failure.text, "invalid_token"));
        CHECK(contains(failure.text, "sasl.token"));
        CHECK_FALSE(contains(failure.text, "abc.def"));
    });
}

TEST_CASE("each authentication asks for a fresh token") {
    int asked = 0;
    auto options = client_options();
    options.sasl.token = [&] { return "token" + std::to_string(++asked); };
    for (int i = 1; i <= 2; ++i) {
        Plan plan;
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"OAUTHBEARER"}));
        stage.peer.expect(
            peer::sasl_init("OAUTHBEARER").initial_response("n,,\1auth=Bearer token" + std::to_string(i) + "\1\1"));
    }
}

TEST_CASE("a token does not leave unencrypted unless that is allowed", "[5.3.2-f]") {
    for (const bool allowed : {false, true}) {
        Plan plan;
        auto options = with_token();
        options.sasl.allow_cleartext_password = allowed;
        Stage stage(EngineRole::client, options, plan, false);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"OAUTHBEARER"}));
        if (allowed) {
            stage.peer.expect_sasl_init();
        } else {
            CHECK(contains(failure_of(stage).text, "the token"));
        }
    }
}

TEST_CASE("a server takes tokens that its verifier knows, in both forms") {
    const auto server = token_server();
    CHECK(let_in(server, "OAUTHBEARER", "n,,\1auth=Bearer abc.def\1\1") == "me,=you");
    CHECK(let_in(server, "OAUTHBEARER", "n,a=me=2C=3Dyou,\1host=h\1port=1\1auth=Bearer abc.def\1\1") == "me,=you");
    CHECK(let_in(server, "XOAUTH2", "user=me,=you\1auth=Bearer abc.def\1\1") == "me,=you");
    for (const std::string_view bad :
         {""sv, "n,,"sv, "n,,\1auth=Bearer abc.deg\1\1"sv, "n,,\1auth=Bearer abc.def"sv, "n,,\1auth=Bearer abc.def\1"sv,
          "n,a=you,\1auth=Bearer abc.def\1\1"sv, "n,a=me=2,\1auth=Bearer abc.def\1\1"sv,
          "p=tls,,\1auth=Bearer abc.def\1\1"sv, "n\1auth=Bearer abc.def\1\1"sv, "user=you\1auth=Bearer abc.def\1\1"sv,
          "\1auth=Bearer abc.def\1\1"sv, "n,,\1auth=Bearer \1\1"sv, "n,b=x,\1auth=Bearer abc.def\1\1"sv}) {
        INFO(bad);
        CHECK_FALSE(let_in(server, "OAUTHBEARER", bad));
    }
    CHECK_FALSE(let_in(server_options(), "OAUTHBEARER", "n,,\1auth=Bearer abc.def\1\1"));
}

TEST_CASE("an own mechanism goes before those built in, in both roles", "[5.3.2-f] [5.3.2-i] [5.3.3-i]") {
    check_all([](Plan& plan) {
        auto options = client_options();
        options.sasl.username = "guest";
        options.sasl.password = "guest";
        options.sasl.own_mechanisms = {counting()};
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"PLAIN", "COUNT"}));
        stage.peer.expect(peer::sasl_init("COUNT"));
        stage.peer.send(peer::sasl_challenge("aa"));
        stage.peer.expect(peer::sasl_response("aax"));
        stage.peer.send(peer::sasl_outcome(codec::SaslCode::ok).additional_data("done"));
        stage.peer.expect_header().respond();
        CHECK(stage.engine.expect_event<Authenticated>().identity.mechanism == "COUNT");
        stage.peer.expect_open();
    });
    check_all([](Plan& plan) {
        auto options = server_options();
        options.sasl_server.own_mechanisms = {counting()};
        Stage stage(EngineRole::server, options, plan);
        stage.peer.send_header(codec::ProtocolId::sasl);
        stage.peer.expect_header(codec::ProtocolId::sasl);
        stage.peer.expect(peer::sasl_mechanisms({"COUNT", "PLAIN", "ANONYMOUS"}));
        stage.peer.send(peer::sasl_init("COUNT"));
        stage.peer.expect(peer::sasl_challenge(""));
        stage.peer.send(peer::sasl_response("xx"));
        stage.peer.expect(peer::sasl_challenge("xx"));
        stage.peer.send(peer::sasl_response("xxx"));
        stage.peer.expect(peer::sasl_outcome(codec::SaslCode::ok).additional_data("done"));
        stage.peer.send_header();
        stage.peer.expect_header();
        CHECK(stage.engine.expect_event<Authenticated>().identity.user == "counter");
    });
}

TEST_CASE("a server that has not proved itself is left, and so is a challenge that cannot be answered", "[5.3.3-i]") {
    for (const std::string_view said : {"done"sv, "gone"sv}) {
        check_splits([&](Plan& plan) {
            auto options = client_options();
            options.sasl.own_mechanisms = {counting(said != "done")};
            Stage stage(EngineRole::client, options, plan);
            static_cast<void>(stage.engine->open());
            stage.peer.expect_header(codec::ProtocolId::sasl).respond();
            stage.peer.send(peer::sasl_mechanisms({"COUNT"}));
            stage.peer.expect_sasl_init();
            stage.peer.send(peer::sasl_outcome(codec::SaslCode::ok).additional_data(said));
            const auto failure = failure_of(stage);
            CHECK(failure.code == Errc::authentication_failed);
            CHECK(contains(failure.text, "counting"));
        });
    }
    check_splits([&](Plan& plan) {
        auto options = client_options();
        options.sasl.own_mechanisms = {counting()};
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"COUNT"}));
        stage.peer.expect_sasl_init();
        stage.peer.send(peer::sasl_challenge("aaaaa"));
        CHECK(contains(failure_of(stage).text, "not acceptable: counting"));
    });
}

TEST_CASE("the allow-list holds for every mechanism") {
    auto options = with_token("me");
    options.sasl.password = "p";
    options.sasl.own_mechanisms = {counting()};
    for (const char* name : {"COUNT", "oauthbearer", "XOAUTH2", "PLAIN", "ANONYMOUS", "EXTERNAL"}) {
        Plan plan;
        options.sasl.mechanisms = {name};
        Stage stage(EngineRole::client, options, plan);
        static_cast<void>(stage.engine->open());
        stage.peer.expect_header(codec::ProtocolId::sasl).respond();
        stage.peer.send(peer::sasl_mechanisms({"EXTERNAL", "COUNT", "OAUTHBEARER", "XOAUTH2", "PLAIN", "ANONYMOUS"}));
        std::string expected = name;
        if (expected == "oauthbearer") expected = "OAUTHBEARER";
        CHECK(stage.peer.expect_sasl_init()->mechanism == expected);
    }
}
