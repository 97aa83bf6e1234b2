#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/engine/stack/sasl_layer.hpp>
#include <catch2/catch.hpp>

#include "peer/frames.hpp"

using namespace aprotic;
using namespace aprotic::engine::stack;
using namespace std::string_view_literals;
using engine::Errc;
using engine::SaslClientOptions;
using engine::SaslServerOptions;

namespace {

// A sasl-init of another implementation, as it was on the wire: PLAIN, guest, guest.
constexpr auto captured_init =
    "\x00\x00\x00\x23\x02\x01\x00\x00\x00\x53\x41\xc0\x16\x02\xa3\x05PLAIN\xa0\x0c\0guest\0guest"sv;

/// On a stream that is private, or is not.
SaslSurroundings around(bool private_stream) { return {.private_stream = private_stream}; }

std::string octets_of(const codec::Encoder& output) { return std::string(codec::as_text(output.written())); }

template <class T, class Self>
std::size_t feed(SaslLayer& layer, const peer::FrameOf<T, Self>& frame) {
    return layer.feed(frame.encode(0).span());
}
std::size_t feed(SaslLayer& layer, std::string_view octets) { return layer.feed(codec::as_bytes(octets)); }

template <class T>
T only_frame(codec::Encoder& output) {
    const codec::Bytes octets = codec::Bytes::copy_of(output.written());
    output.truncate(0);
    const auto step = codec::FrameParser().next(octets.span());
    REQUIRE(step.status == codec::FrameParser::Status::frame);
    REQUIRE(step.size == octets.size());
    CHECK(step.frame.type == codec::FrameType::sasl);
    auto body = step.frame.as<T>();
    REQUIRE(body);
    return *body;
}

SaslClientOptions guest() {
    SaslClientOptions options;
    options.username = "guest";
    options.password = "guest";
    return options;
}

SaslServerOptions guests_only() {
    SaslServerOptions options;
    options.verify_password = [](std::string_view user, std::string_view password) {
        return user == "guest" && password == "guest";
    };
    return options;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Keeps everything that was traced.
struct Recorder final : engine::TraceSink {
    void frame(bool, std::span<const std::byte> bytes) override { seen += codec::as_text(bytes); }
    std::string seen;
};

}  // namespace

// --- client --------------------------------------------------------------------------------------------------------

TEST_CASE("a client proves itself by PLAIN with the octets other implementations send", "[5.3.3-d]") {
    const auto options = guest();
    codec::Encoder output;
    SaslClient client(options, std::nullopt, around(true), output);
    client.start();
    CHECK(output.size() == 0);

    feed(client, peer::sasl_mechanisms({"ANONYMOUS", "PLAIN"}));
    CHECK(octets_of(output) == captured_init);
    CHECK(client.status() == SaslLayer::Status::going_on);

    feed(client, peer::sasl_outcome(codec::SaslCode::ok));
    CHECK(client.status() == SaslLayer::Status::succeeded);
    CHECK(client.identity().mechanism == "PLAIN");
    CHECK(client.identity().user == "guest");
}

TEST_CASE("one mechanism may come as a bare symbol or as an array of any width", "[5.3.2-c]") {
    const auto options = guest();
    for (const auto frame : {"\0\0\0\x15\2\1\0\0\0\x53\x40\xc0\x08\x01\xa3\x05PLAIN"sv,
                             "\0\0\0\x18\2\1\0\0\0\x53\x40\xc0\x0b\x01\xe0\x08\x01\xa3\x05PLAIN"sv,
                             "\0\0\0\x1e\2\1\0\0\0\x53\x40\xc0\x11\x01\xf0\0\0\0\x0b\0\0\0\x01\xa3\x05PLAIN"sv}) {
        codec::Encoder output;
        SaslClient client(options, std::nullopt, around(true), output);
        feed(client, frame);
        INFO(client.failure().text);
        CHECK(octets_of(output) == captured_init);
    }
}

TEST_CASE("a client without a user name goes in as nobody", "[5.3.2-f]") {
    SaslClientOptions options;
    options.enabled = true;
    codec::Encoder output;
    SaslClient client(options, "host", around(true), output);
    feed(client, peer::sasl_mechanisms({"PLAIN", "ANONYMOUS"}));
    const auto init = only_frame<codec::SaslInit>(output);
    CHECK(init.mechanism == "ANONYMOUS");
    CHECK(init.hostname == "host");
    feed(client, peer::sasl_outcome(codec::SaslCode::ok));
    CHECK(client.identity().user.empty());
    CHECK(client.identity().mechanism == "ANONYMOUS");
}

TEST_CASE("a client answers challenges, also empty ones", "[5.3.2-i]") {
    const auto options = guest();
    codec::Encoder output;
    SaslClient client(options, std::nullopt, around(true), output);
    feed(client, peer::sasl_mechanisms({"PLAIN"}));
    output.truncate(0);
    for (int i = 0; i < 3; ++i) {
        feed(client, peer::sasl_challenge(""));
        CHECK(only_frame<codec::SaslResponse>(output).response.text() == "\0guest\0guest"sv);
    }
    CHECK(client.status() == SaslLayer::Status::going_on);
}

TEST_CASE("a client never uses a mechanism that was not offered or not allowed", "[5.3.2-b]") {
    codec::Encoder output;
    SECTION("nothing it knows") {
        const auto options = guest();
        SaslClient client(options, std::nullopt, around(true), output);
        feed(client, peer::sasl_mechanisms({"X-FOO", "GSSAPI"}));
        CHECK(client.status() == SaslLayer::Status::failed);
        CHECK(client.failure().code == Errc::no_common_mechanism);
        CHECK(contains(client.failure().text, "X-FOO, GSSAPI"));
        CHECK(contains(client.failure().text, "user 'guest'"));
        CHECK(contains(client.failure().text, "sasl.mechanisms"));
        CHECK_FALSE(contains(client.failure().text, "guest guest"));
    }
    SECTION("a user is not let fall to nobody") {
        const auto options = guest();
        SaslClient client(options, std::nullopt, around(true), output);
        feed(client, peer::sasl_mechanisms({"ANONYMOUS"}));
        CHECK(client.failure().code == Errc::no_common_mechanism);
    }
    SECTION("unless that was said too") {
        auto options = guest();
        options.mechanisms = {"plain", "anonymous"};
        SaslClient client(options, std::nullopt, around(true), output);
        feed(client, peer::sasl_mechanisms({"ANONYMOUS"}));
        CHECK(only_frame<codec::SaslInit>(output).mechanism == "ANONYMOUS");
    }
    SECTION("the list of what is allowed") {
        auto options = guest();
        options.mechanisms = {"EXTERNAL"};
        SaslClient client(options, std::nullopt, around(true), output);
        feed(client, peer::sasl_mechanisms({"PLAIN", "ANONYMOUS"}));
        CHECK(client.failure().code == Errc::no_common_mechanism);
    }
}

TEST_CASE("a password does not go out readable unless that was allowed", "[5.3.2-f]") {
    auto options = guest();
    codec::Encoder output;
    {
        SaslClient client(options, std::nullopt, around(false), output);
        feed(client, peer::sasl_mechanisms({"PLAIN"}));
        CHECK(client.failure().code == Errc::cleartext_refused);
        CHECK(contains(client.failure().text, "sasl.allow_cleartext_password"));
        CHECK(contains(client.failure().text, "user 'guest'"));
        CHECK(output.size() == 0);
    }
    options.allow_cleartext_password = true;
    SaslClient client(options, std::nullopt, around(false), output);
    feed(client, peer::sasl_mechanisms({"PLAIN"}));
    CHECK(octets_of(output) == captured_init);
    feed(client, peer::sasl_outcome(codec::SaslCode::ok));
    CHECK(client.identity().sent_in_clear);

    SaslClient unheard(options, std::nullopt, around(true), output);
    feed(unheard, peer::sasl_mechanisms({"PLAIN"}));
    feed(unheard, peer::sasl_outcome(codec::SaslCode::ok));
    CHECK_FALSE(unheard.identity().sent_in_clear);

    options = {};
    options.enabled = true;
    SaslClient nobody(options, std::nullopt, around(false), output);
    feed(nobody, peer::sasl_mechanisms({"ANONYMOUS"}));
    feed(nobody, peer::sasl_outcome(codec::SaslCode::ok));
    CHECK_FALSE(nobody.identity().sent_in_clear);
}

TEST_CASE("the names of the mechanisms are those there are, strongest first") {
    auto options = guest();
    options.mechanisms = {"EXTERNAL", "ANONYMOUS", "GSSAPI"};
    options.token = [] { return std::string("token"); };
    SaslSurroundings around{.has_certificate = true};
    const auto names = engine::sasl_mechanism_names();
    for (const std::string_view name : names) options.mechanisms.emplace_back(name);
    auto next = names.begin();
    for (const auto& mechanism : engine::stack::client_mechanisms(options, around)) {
        INFO(mechanism.name);
        next = std::find(next, names.end(), mechanism.name);
        REQUIRE(next != names.end());
    }
    CHECK(names.front() == "EXTERNAL");
    CHECK(*next == "ANONYMOUS");
}

TEST_CASE("secrets are the same or not") {
    CHECK(engine::same_secret("", ""));
    CHECK(engine::same_secret("abc", "abc"));
    CHECK_FALSE(engine::same_secret("abc", "abd"));
    CHECK_FALSE(engine::same_secret("abc", "ab"));
}

TEST_CASE("every outcome but ok is a failure, and tells what kind", "[5.3.3-f] [5.3.3-g] [5.3.3-h]") {
    const auto outcome = [](std::string_view frame) {
        const auto options = guest();
        codec::Encoder output;
        SaslClient client(options, std::nullopt, around(true), output);
        feed(client, peer::sasl_mechanisms({"PLAIN"}));
        feed(client, frame);
        CHECK(client.status() == SaslLayer::Status::failed);
        return client.failure();
    };
    const auto code = [&](codec::SaslCode value) { return outcome(peer::sasl_outcome(value).encode(0).text()); };
    CHECK(code(codec::SaslCode::auth).code == Errc::authentication_failed);
    CHECK(contains(code(codec::SaslCode::auth).text, "user 'guest'"));
    CHECK(contains(code(codec::SaslCode::auth).text, "sasl.password"));
    CHECK(code(codec::SaslCode::auth).initiator == engine::Initiator::peer);
    CHECK(contains(code(codec::SaslCode::sys).text, "outcome sys:"));
    CHECK(contains(code(codec::SaslCode::sys_perm).text, "sys-perm"));
    CHECK(contains(code(codec::SaslCode::sys_temp).text, "try again"));
    // Code 5 is none.
    CHECK(outcome("\x00\x00\x00\x10\x02\x01\x00\x00\x00\x53\x44\xc0\x03\x01\x50\x05"sv).code ==
          Errc::protocol_violation);
}

TEST_CASE("what comes out of turn ends the exchange", "[5.3-c] [5.3-g] [5.3-h] [5.3-i] [5.3.3-a]") {
    const auto fails = [](SaslLayer& layer, std::string_view octets) {
        feed(layer, octets);
        CHECK(layer.status() == SaslLayer::Status::failed);
        CHECK(layer.failure().code == Errc::protocol_violation);
        return layer.failure().text;
    };
    const auto text = [](const auto& frame) { return frame.encode(0); };
    const auto options = guest();
    const auto users = guests_only();
    codec::Encoder output;
    SaslClient client(options, std::nullopt, around(true), output);
    SaslServer server(users, {}, output);

    SECTION("an outcome before there was a choice") {
        CHECK(contains(fails(client, text(peer::sasl_outcome(codec::SaslCode::ok)).text()), "sasl-outcome"));
    }
    SECTION("a client's frame to a client") {
        CHECK(contains(fails(client, text(peer::sasl_init("PLAIN")).text()), "sasl-init"));
    }
    SECTION("mechanisms twice") {
        feed(client, peer::sasl_mechanisms({"PLAIN"}));
        fails(client, text(peer::sasl_mechanisms({"PLAIN"})).text());
    }
    SECTION("no mechanisms") { fails(client, text(peer::sasl_mechanisms({})).text()); }
    SECTION("a response before init") { fails(server, text(peer::sasl_response("")).text()); }
    SECTION("a server's frame to a server") { fails(server, text(peer::sasl_mechanisms({"PLAIN"})).text()); }
    SECTION("an open, as AMQP and as SASL frame") {
        std::string octets(text(peer::open()).text());
        SECTION("AMQP") { fails(server, octets); }
        SECTION("SASL") {
            octets[5] = 1;
            fails(server, octets);
        }
    }
    SECTION("an empty frame") { CHECK(contains(fails(server, "\0\0\0\x08\2\1\0\0"sv), "an empty frame")); }
    SECTION("a frame above 512 octets") {
        const std::string long_text(600, 'x');
        CHECK(contains(fails(server, text(peer::sasl_init("PLAIN").initial_response(long_text)).text()), "512"));
    }
    SECTION("an init without mechanism") { fails(server, "\0\0\0\x0c\2\1\0\0\0\x53\x41\x45"sv); }
    SECTION("garbage") { fails(server, std::string(64, '\xff')); }
}

TEST_CASE("channel and extended header of a SASL frame mean nothing", "[5.3-d]") {
    const auto users = guests_only();
    codec::Encoder output;
    SaslServer server(users, {}, output);
    std::string octets(captured_init);
    octets[7] = 9;
    octets.insert(8, "abcd");
    octets[4] = 3;
    octets[3] = static_cast<char>(octets.size());
    CHECK(feed(server, octets) == octets.size());
    CHECK(server.status() == SaslLayer::Status::succeeded);
}

TEST_CASE("credentials too long for a SASL frame are refused before anything is sent", "[5.3-f]") {
    auto options = guest();
    options.password = std::string(600, 'p');
    codec::Encoder output;
    SaslClient client(options, std::nullopt, around(true), output);
    feed(client, peer::sasl_mechanisms({"PLAIN"}));
    CHECK(client.failure().code == Errc::invalid_option);
    CHECK_FALSE(contains(client.failure().text, "ppp"));
    CHECK(output.size() == 0);
}

// --- server --------------------------------------------------------------------------------------------------------

TEST_CASE("a server speaks first, of what its options allow", "[5.3.2-a]") {
    const auto offered = [](const SaslServerOptions& options) {
        codec::Encoder output;
        SaslServer server(options, {}, output);
        server.start();
        return only_frame<codec::SaslMechanisms>(output).sasl_server_mechanisms;
    };
    auto options = guests_only();
    CHECK(offered(options) == std::vector<codec::Symbol>{"PLAIN", "ANONYMOUS"});
    options.allow_anonymous = false;
    CHECK(offered(options) == std::vector<codec::Symbol>{"PLAIN"});
    CHECK(offered({}) == std::vector<codec::Symbol>{"ANONYMOUS"});
    options.verify_password = nullptr;
    CHECK_FALSE(offered(options).empty());
}

TEST_CASE("a server lets the right password in, and only that", "[5.3.3-d] [5.3.3-j]") {
    struct Row {
        std::string_view response;
        bool right;
    };
    const Row rows[] = {
        {"\0guest\0guest"sv, true},
        {"guest\0guest\0guest"sv, true},
        {"other\0guest\0guest"sv, false},
        {"\0guest\0wrong"sv, false},
        {"\0nobody\0guest"sv, false},
        {"\0guest\0"sv, false},
        {"\0\0guest"sv, false},
        {"\0\0"sv, false},
        {"guest"sv, false},
        {"guest\0guest"sv, false},
        {""sv, false},
        {"\0guest\0guest\0"sv, false},
        {"\0guest\0\xff\xfe"sv, false},
    };
    const auto users = guests_only();
    for (const Row& row : rows) {
        codec::Encoder output;
        SaslServer server(users, {}, output);
        feed(server, peer::sasl_init("PLAIN").initial_response(row.response));
        const auto outcome = only_frame<codec::SaslOutcome>(output);
        CHECK(outcome.code == (row.right ? codec::SaslCode::ok : codec::SaslCode::auth));
        CHECK_FALSE(outcome.additional_data);
        CHECK(server.status() == (row.right ? SaslLayer::Status::succeeded : SaslLayer::Status::failed));
        if (row.right) {
            CHECK(server.identity().user == "guest");
        } else {
            CHECK(server.failure().code == Errc::authentication_failed);
            CHECK_FALSE(contains(server.failure().text, "wrong"));
        }
    }
}

TEST_CASE("a client may send its first response later", "[5.3.2-h]") {
    const auto users = guests_only();
    codec::Encoder output;
    SaslServer server(users, {}, output);
    feed(server, peer::sasl_init("PLAIN"));
    CHECK(only_frame<codec::SaslChallenge>(output).challenge.empty());
    feed(server, peer::sasl_response("\0guest\0guest"sv));
    CHECK(only_frame<codec::SaslOutcome>(output).code == codec::SaslCode::ok);
    CHECK(server.status() == SaslLayer::Status::succeeded);
}

TEST_CASE("a mechanism that was not offered fails", "[5.3.3-b]") {
    for (const char* name : {"BOGUS", "PLAIN", ""}) {
        const SaslServerOptions anonymous_only;
        codec::Encoder output;
        SaslServer server(anonymous_only, {}, output);
        feed(server, peer::sasl_init(name).initial_response("\0guest\0guest"sv));
        CHECK(only_frame<codec::SaslOutcome>(output).code == codec::SaslCode::auth);
        CHECK(server.failure().code == Errc::no_common_mechanism);
    }
}

TEST_CASE("ANONYMOUS needs no response", "[5.3.2-h]") {
    const SaslServerOptions options;
    codec::Encoder output;
    SaslServer server(options, {}, output);
    feed(server, peer::sasl_init("ANONYMOUS"));
    CHECK(server.status() == SaslLayer::Status::succeeded);
    CHECK(server.identity().user.empty());
    CHECK(server.identity().mechanism == "ANONYMOUS");
}

TEST_CASE("nothing behind the end of the exchange is consumed", "[5.3.3-e] [5.3.3-l]") {
    const SaslServerOptions options;
    codec::Encoder output;
    SaslServer server(options, {}, output);
    const codec::Bytes init = peer::sasl_init("ANONYMOUS").encode(0);
    const std::string both = std::string(init.text()) + "AMQP\0\1\0\0";
    CHECK(feed(server, both) == init.size());
    CHECK(feed(server, "AMQP") == 0);
}

TEST_CASE("no secret reaches the trace", "[5.3.3]") {
    Recorder recorder;
    const auto options = guest();
    const auto users = guests_only();
    codec::Encoder output;
    SaslClient client(options, std::nullopt, around(true), output);
    client.set_trace(&recorder);
    feed(client, peer::sasl_mechanisms({"PLAIN"}));
    feed(client, peer::sasl_challenge(""));
    SaslServer server(users, {}, output);
    server.set_trace(&recorder);
    feed(server, peer::sasl_init("PLAIN"));
    feed(server, peer::sasl_response("\0guest\0guest"sv));
    CHECK(contains(recorder.seen, "PLAIN"));
    CHECK_FALSE(contains(recorder.seen, "guest"));
}
