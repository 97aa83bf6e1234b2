#include <aprotic/driver/bus/call_id.hpp>
#include <aprotic/driver/bus/envelope.hpp>

#include <catch2/catch.hpp>

#include "driver/captures.hpp"

using namespace aprotic;
using namespace aprotic::driver;
using namespace aprotic::driver::bus;
using namespace std::chrono_literals;
using test::Captured;

namespace {

codec::MessageView view_of(const codec::Message& message) { return codec::MessageView(codec::encode(message)); }
std::string octets_of(const codec::EncodedMessage& message) { return message.octets().to_string(); }

Request read(const codec::Message& message) {
    auto request = read_request(view_of(message), {});
    INFO(request.error());
    REQUIRE(request);
    return *request;
}

Json failure_of(const Captured& capture) {
    const auto outer = parse_json(capture.text());
    REQUIRE(outer);
    const auto inner = parse_json((*outer)["failure"].get<std::string>());
    REQUIRE(inner);
    return *inner;
}

}  // namespace

TEST_CASE("a call is the captured one, without the expiry time that was wrong there", "[oslo-3]") {
    const Captured capture("call-anycast");
    auto expected = capture.message();
    expected.properties->absolute_expiry_time.reset();

    Request request{
        .method = "echo", .args = {{"text", "h\xc3\xa9llo"}, {"n", 42}}, .namespace_ = "ns1", .version = "1.3"};
    request.context = {{"user", "alice"}, {"request_id", "req-1"}};
    const auto ours = encode_message({.to = "unicast.openstack.t1",
                                      .message_id = *expected.properties->message_id,
                                      .reply_to = expected.properties->reply_to,
                                      .ttl = 8s},
                                     request_text(request));
    CHECK(octets_of(ours) == octets_of(codec::encode(expected)));
}

TEST_CASE("a cast and a fanout are the captured ones, octet for octet", "[oslo-3]") {
    for (const char* kind : {"cast-anycast", "fanout"}) {
        const Captured capture(kind);
        const auto expected = capture.message();
        const auto request = read(expected);
        CHECK_FALSE(request.wants_reply);
        const auto ours = encode_message({.to = *expected.properties->to}, request_text(request));
        CHECK(octets_of(ours) == codec::as_text(capture.frame.payload));
        CHECK(capture.performative<codec::Transfer>().settled == true);
    }
}

TEST_CASE("a monitored call carries the monitor's time in its body", "[oslo-4]") {
    const Captured capture("call-monitored");
    const auto request = read(capture.message());
    CHECK(request.call_monitor_timeout == 4s);
    CHECK(request.wants_reply);
    CHECK(request.namespace_ == "ns1");
    CHECK(request.version == "1.3");
    CHECK(request_text(request) == capture.text());
    Request fraction{.method = "m"};
    fraction.call_monitor_timeout = 1500ms;
    CHECK(request_text(fraction) ==
          R"({"request": {"method": "m", "args": {}}, "context": {}, "call_monitor_timeout": 1.5})");
}

TEST_CASE("a reply is the captured one, octet for octet", "[oslo-3]") {
    const Captured capture("reply");
    const auto expected = capture.message();
    const auto content = read_reply(view_of(expected), {});
    REQUIRE(content);
    const auto ours =
        encode_message({.to = *expected.properties->to, .correlation_id = *expected.properties->correlation_id},
                       reply_text(Reply(std::get<Json>(*content))));
    CHECK(octets_of(ours) == codec::as_text(capture.frame.payload));
    CHECK(reply_text(Reply(Json())) == R"({"response": null})");
}

TEST_CASE("error replies are the captured ones, octet for octet", "[oslo-4]") {
    for (const char* kind : {"reply-error-builtin", "reply-error-custom-kwargs", "reply-error-nosuchmethod",
                             "reply-error-unsupportedversion"}) {
        INFO(kind);
        const Captured capture(kind);
        const auto expected = capture.message();
        const auto content = read_reply(view_of(expected), {});
        REQUIRE(content);
        const auto& error = std::get<RemoteError>(*content);
        const auto ours =
            encode_message({.to = *expected.properties->to, .correlation_id = *expected.properties->correlation_id},
                           reply_text(Reply(error)));
        CHECK(octets_of(ours) == codec::as_text(capture.frame.payload));
    }
}

TEST_CASE("our dispatcher's errors differ from the captured ones in the traceback alone", "[oslo-4]") {
    Dispatcher dispatcher;
    dispatcher.endpoint({}, "1.3").handle("boom", [](const Json&) { throw MethodError("ValueError", "bad value"); });
    const auto answer = [&](Request request) {
        Json inner;
        dispatcher.dispatch(std::move(request), Responder([&](Reply reply) {
                                inner = *parse_json((*parse_json(reply_text(reply)))["failure"].get<std::string>());
                            }));
        inner.erase("tb");
        return inner;
    };
    const auto captured = [](const char* kind) {
        Json inner = failure_of(Captured(kind));
        inner.erase("tb");
        return inner;
    };
    CHECK(answer({.method = "missing"}) == captured("reply-error-nosuchmethod"));
    CHECK(answer({.method = "echo", .version = "2.0"}) == captured("reply-error-unsupportedversion"));
    CHECK(answer({.method = "boom", .args = {{"why", "bad value"}}}) == captured("reply-error-builtin"));
    CHECK(code_of({.type = "NoSuchMethod", .module = "oslo_messaging.rpc.dispatcher"}) == Errc::no_such_method);
    CHECK(code_of({.type = "UnsupportedVersion", .module = "oslo_messaging.rpc.dispatcher"}) ==
          Errc::unsupported_version);
    CHECK(code_of({.type = "NoSuchMethod", .module = "mine"}) == Errc::remote_error);
}

TEST_CASE("a heartbeat is the captured one, octet for octet, and has no body", "[oslo-4]") {
    const Captured capture("heartbeat");
    const auto expected = capture.message();
    const auto ours = encode_message(
        {.to = *expected.properties->to, .correlation_id = *expected.properties->correlation_id, .ttl = 4s},
        std::nullopt);
    CHECK(octets_of(ours) == codec::as_text(capture.frame.payload));
    CHECK(std::holds_alternative<Heartbeat>(*read_reply(codec::MessageView(ours), {})));
    auto with_null = *codec::decode_message(ours.octets());
    with_null.body = codec::Value();
    CHECK(std::holds_alternative<Heartbeat>(*read_reply(view_of(with_null), {})));
    // What RabbitMQ 3 makes of it.
    CHECK(std::holds_alternative<Heartbeat>(*read_reply(view_of(codec::Message::data("")), {})));
}

TEST_CASE("bodies as binary and data sections are understood", "[oslo-5]") {
    const std::string text = R"({"request": {"method": "m", "args": {"a": 1}}, "context": {}})";
    codec::Message binary;
    binary.body = codec::Value(codec::Binary(text));
    for (const auto& message : {codec::Message(text), codec::Message::data(text), binary}) {
        const auto request = read(message);
        CHECK(request.method == "m");
        CHECK(request.args == Json{{"a", 1}});
    }
}

TEST_CASE("defaults stand for what a request leaves out", "[oslo-4]") {
    const auto request = read(codec::Message(R"({"request": {"method": "m"}})"));
    CHECK(request.args == Json::object());
    CHECK_FALSE(request.namespace_);
    CHECK_FALSE(request.version);
    CHECK(request.context == Json::object());
}

TEST_CASE("a request in an envelope of version 2 is unwrapped", "[oslo-4]") {
    const auto wrapped = [](const char* version) {
        return codec::Message(to_json_text(
            {{"request", {{"oslo.version", version}, {"oslo.message", R"({"method": "m", "args": {"a": 1}})"}}},
             {"context", Json::object()}}));
    };
    CHECK(read(wrapped("2.0")).method == "m");
    CHECK_FALSE(read_request(view_of(wrapped("2.1")), {}));
    CHECK_FALSE(read_request(view_of(wrapped("1.0")), {}));
}

TEST_CASE("what is no request says why") {
    codec::Message map;
    map.body = codec::Value(codec::Map{{"request", "x"}});
    for (const auto& message : {map, codec::Message("not json"), codec::Message("[]"), codec::Message("{}"),
                                codec::Message(R"({"request": 1})"), codec::Message(R"({"request": {}})"),
                                codec::Message(R"({"request": {"method": 1}})"),
                                codec::Message(R"({"request": {"method": "m", "args": [1]}})"), codec::Message()}) {
        const auto request = read_request(view_of(message), {});
        REQUIRE_FALSE(request);
        CHECK_FALSE(request.error().empty());
    }
}

TEST_CASE("a failure may lack keys, and anything else is no reply", "[oslo-4]") {
    const auto content =
        read_reply(view_of(codec::Message(R"({"failure": "{\"message\": \"m\", \"class\": null, \"tb\": 1}"})")), {});
    REQUIRE(content);
    const auto& error = std::get<RemoteError>(*content);
    CHECK(error.message == "m");
    CHECK(error.type.empty());
    CHECK(error.traceback.empty());
    CHECK(std::get<Json>(*read_reply(view_of(codec::Message(R"({"failure": null, "response": 5})")), {})) == 5);
    CHECK(std::get<Json>(*read_reply(view_of(codec::Message("{}")), {})).is_null());
    for (const char* text : {"[]", "x", R"({"failure": "x"})", R"({"failure": "[]"})", R"({"failure": 1})"}) {
        INFO(text);
        CHECK_FALSE(read_reply(view_of(codec::Message(text)), {}));
    }
}

TEST_CASE("the octets are those that the codec makes of the same message") {
    const codec::MessageId ids[] = {std::uint64_t{7}, codec::Uuid{}, codec::Binary("octets"), std::string(300, 'i')};
    const std::string long_address(300, 'a');
    Extras extras;
    extras.cancellable = true;
    extras.trace = TraceContext{"parent", "state"};
    for (const auto& id : ids)
        for (const std::size_t size : {0, 1, 200, 255, 256, 70000}) {
            codec::Message same;
            same.ensure_header().durable = true;
            same.header->ttl = 256;
            same.ensure_properties().message_id = id;
            same.properties->to = long_address;
            same.properties->reply_to = "r";
            same.properties->correlation_id = id;
            same.application_properties = {
                {"aprotic-cancellable", true}, {"traceparent", "parent"}, {"tracestate", "state"}};
            same.body = codec::Value(std::string(size, 'x'));
            const auto ours = encode_message({.to = long_address,
                                              .message_id = id,
                                              .reply_to = "r",
                                              .correlation_id = id,
                                              .ttl = 256ms,
                                              .durable = true,
                                              .extras = &extras},
                                             std::string(size, 'x'));
            CHECK(octets_of(ours) == octets_of(codec::encode(same)));
        }
    codec::Message least;
    least.ensure_header();
    least.ensure_properties().to = "";
    CHECK(octets_of(encode_message({}, std::nullopt)) == octets_of(codec::encode(least)));
}

TEST_CASE("an id is 32 hexadecimal digits") {
    const CallId id{0x0123456789abcdef, 1};
    CHECK(as_text(id.text()) == "0123456789abcdef0000000000000001");
    CHECK(CallId::parse("0123456789abcdef0000000000000001") == id);
    for (const char* text : {"", "0123456789abcdef000000000000001", "0123456789abcdef00000000000000001",
                             "0123456789ABCDEF0000000000000001", "0123456789abcdeg0000000000000001"})
        CHECK_FALSE(CallId::parse(text));
}
