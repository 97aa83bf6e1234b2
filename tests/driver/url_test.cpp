#include <aprotic/driver/transport.hpp>
#include <aprotic/driver/transport_url.hpp>

#include <catch2/catch.hpp>

using namespace aprotic::driver;

namespace {

TransportUrl parsed(std::string_view text) {
    auto url = TransportUrl::parse(text);
    INFO(text << ": " << url.error());
    REQUIRE(url);
    return *url;
}

std::string refusal(std::string_view text) {
    const auto url = TransportUrl::parse(text);
    INFO(text);
    REQUIRE_FALSE(url);
    return url.error();
}

}  // namespace

TEST_CASE("a URL without hosts means localhost and its default port") {
    for (const char* text : {"amqp://", "amqp:///", "AMQP://localhost:5672/", "amqp://,,"}) {
        const auto url = parsed(text);
        REQUIRE(url.hosts.size() == 1);
        CHECK(url.scheme == "amqp");
        CHECK(url.hosts[0] == TransportHost{.host = "localhost", .port = 5672});
        CHECK(url.virtual_host.empty());
    }
}

TEST_CASE("each host has its own port and credentials, and empty entries are skipped") {
    const auto url = parsed("amqp://me:passwd@host:5673,,backup,you@[2001:db8::1]:1234,[::1]/v");
    REQUIRE(url.hosts.size() == 4);
    CHECK(url.hosts[0] == TransportHost{.host = "host", .port = 5673, .user = "me", .password = "passwd"});
    CHECK(url.hosts[1] == TransportHost{.host = "backup"});
    CHECK(url.hosts[2] == TransportHost{.host = "2001:db8::1", .port = 1234, .user = "you"});
    CHECK(url.hosts[3] == TransportHost{.host = "::1"});
    CHECK(url.hosts[2].to_string() == "[2001:db8::1]:1234");
    CHECK(url.virtual_host == "v");
}

TEST_CASE("the last at sign ends the credentials, and they are percent-encoded") {
    const auto url = parsed("amqp://user@realm:p%40ss%3a%2F@h,u:@g,a%2Cb@i/");
    CHECK(url.hosts[0] == TransportHost{.host = "h", .user = "user@realm", .password = "p@ss:/"});
    CHECK(url.hosts[1] == TransportHost{.host = "g", .user = "u", .password = ""});
    CHECK(url.hosts[2] == TransportHost{.host = "i", .user = "a,b"});
}

TEST_CASE("the virtual host is what follows the first slash") {
    CHECK(parsed("amqp://h/v/w").virtual_host == "v/w");
    CHECK(parsed("amqp://h//").virtual_host == "/");
    CHECK(parsed("amqp://h/").virtual_host.empty());
    CHECK(parsed("amqp://h/a%20b?idle_timeout=3").virtual_host == "a b");
}

TEST_CASE("a query is kept in order and equal keys are joined") {
    const auto url = parsed("amqp://h/?pre_settled=rpc-call&idle_timeout=4&pre_settled=notify&container_name=a%26b");
    REQUIRE(url.query.size() == 3);
    CHECK(*url.find("pre_settled") == "rpc-call,notify");
    CHECK(*url.find("idle_timeout") == "4");
    CHECK(*url.find("container_name") == "a&b");
    CHECK(url.find("ssl") == nullptr);
}

TEST_CASE("embedded is a URL too") {
    CHECK(parsed("embedded:").is_embedded());
    CHECK(parsed("embedded://").is_embedded());
    CHECK(*parsed("embedded:?control_exchange=x").find("control_exchange") == "x");
    CHECK(parsed("embedded:?control_exchange=x").to_string() == "embedded:?control_exchange=x");
}

TEST_CASE("a URL comes back as text without its passwords") {
    const auto url = parsed("amqp://us%40er:p%2fw@[::1]:1,h/a%2Fb?x=1");
    CHECK(url.to_string() == "amqp://us%40er:***@[::1]:1,h:5672/a/b?x=1");
    CHECK(parsed(url.to_string_with_passwords()) == url);
}

TEST_CASE("amqps is the same over TLS, on its own port") {
    const auto url = parsed("AMQPS://u:p@h,[::1],g:99/v?ssl_ca_file=%2Fca.pem&ssl_key_password=hidden");
    CHECK(url.scheme == "amqps");
    REQUIRE(url.hosts.size() == 3);
    CHECK(url.hosts[0].port == 5671);
    CHECK(url.hosts[1].port == 5671);
    CHECK(url.hosts[2].port == 99);
    CHECK(url.to_string() == "amqps://u:***@h:5671,[::1]:5671,g:99/v?ssl_ca_file=%2Fca.pem&ssl_key_password=***");
    CHECK(parsed(url.to_string_with_passwords()) == url);
    CHECK(parsed("amqps://").hosts[0].port == 5671);
    TransportOptions options;
    REQUIRE(apply_url_options(options, url));
    CHECK(options.ssl_ca_file == "/ca.pem");
    CHECK(options.ssl_key_password == "hidden");
}

TEST_CASE("TLS settings that cannot be used are refused at once, with the file") {
    CHECK_THROWS_WITH(Transport("amqps://h/?ssl_ca_file=/nowhere/ca.pem"), Catch::Contains("/nowhere/ca.pem"));
    CHECK_THROWS_WITH(Transport("amqp://h/?ssl_cert_file=/nowhere/me.pem&ssl_key_password=hidden"),
                      Catch::Contains("/nowhere/me.pem") && !Catch::Contains("hidden"));
}

TEST_CASE("a refused URL says what was expected") {
    CHECK_THAT(refusal("localhost"), Catch::Contains("no scheme"));
    CHECK_THAT(refusal("rabbit://h"),
               Catch::Contains("'rabbit' is not a scheme known here: amqp://, amqps:// or embedded:"));
    CHECK_THAT(refusal("amqp:h"), Catch::Contains("amqp://host:port/ was expected"));
    CHECK_THAT(refusal("amqp://h:port"), Catch::Contains("'port' is no port of host 'h'"));
    CHECK_THAT(refusal("amqp://h:0"), Catch::Contains("from 1 to 65535"));
    CHECK_THAT(refusal("amqp://h:65536"), Catch::Contains("from 1 to 65535"));
    CHECK_THAT(refusal("amqp://h:"), Catch::Contains("is no port"));
    CHECK_THAT(refusal("amqp://[::1"), Catch::Contains("']'"));
    CHECK_THAT(refusal("amqp://[::1]x"), Catch::Contains("'x' after the IPv6 address"));
    CHECK_THAT(refusal("amqp://::1:5672"), Catch::Contains("in brackets"));
    CHECK_THAT(refusal("amqp://u%4:p@h"), Catch::Contains("user name has a '%'"));
    CHECK_THAT(refusal("amqp://u:%zz@h"), Catch::Contains("password has a '%'"));
    CHECK_THAT(refusal("amqp://h/v%"), Catch::Contains("virtual host has a '%'"));
    CHECK_THAT(refusal("amqp://h/?x"), Catch::Contains("option=value was expected"));
    CHECK_THAT(refusal("embedded:h"), Catch::Contains("too much"));
}

TEST_CASE("options of the query win over those given") {
    using namespace std::chrono_literals;
    TransportOptions options{.control_exchange = "mine", .rpc_response_timeout = 5s};
    const auto url = parsed(
        "amqp://h/?rpc_response_timeout=1.5&pre_settled=RPC-Call,notify&pseudo_vhost=no&reply_link_credit=7"
        "&sasl_mechanisms=PLAIN%20ANONYMOUS&connection_retry_backoff=1.5&idle_timeout=0&json_depth_max=9");
    const auto done = apply_url_options(options, url);
    INFO(done.error());
    REQUIRE(done);
    CHECK(options.control_exchange == "mine");
    CHECK(options.rpc_response_timeout == 1500ms);
    CHECK(options.pre_settled.rpc_call);
    CHECK(options.pre_settled.notify);
    CHECK_FALSE(options.pre_settled.rpc_reply);
    CHECK_FALSE(options.pre_settled.rpc_cast);
    CHECK_FALSE(options.pseudo_vhost);
    CHECK(options.reply_link_credit == 7);
    CHECK(options.sasl_mechanisms == std::vector<std::string>{"PLAIN", "ANONYMOUS"});
    CHECK(options.connection_retry_backoff == 1.5);
    CHECK_FALSE(options.idle_timeout);
    CHECK(options.json.depth_max == 9);
}

TEST_CASE("a refused option is named with what was expected") {
    const auto refused = [](const char* query) {
        TransportOptions options;
        const auto done = apply_url_options(options, parsed(std::string("amqp://h/?") + query));
        REQUIRE_FALSE(done);
        return done.error();
    };
    CHECK_THAT(refused("ssl_typo=1"), Catch::Contains("'ssl_typo'") && Catch::Contains("idle_timeout"));
    CHECK_THAT(refused("pseudo_vhost=maybe"),
               Catch::Contains("pseudo_vhost=maybe") && Catch::Contains("true or false"));
    CHECK_THAT(refused("idle_timeout=-1"), Catch::Contains("seconds"));
    CHECK_THAT(refused("idle_timeout=nan"), Catch::Contains("seconds"));
    CHECK_THAT(refused("reply_link_credit=0"), Catch::Contains("at least 1"));
    CHECK_THAT(refused("reply_link_credit=5000000000"), Catch::Contains("number"));
    CHECK_THAT(refused("pre_settled=rpc"), Catch::Contains("rpc-call"));
}

TEST_CASE("a transport refuses what it cannot use at once") {
    CHECK_THROWS_WITH(Transport("amqp://h:x"), Catch::Contains("transport URL") && Catch::Contains("'x' is no port"));
    CHECK_THROWS_WITH(Transport("amqp://h/?nonsense=1"), Catch::Contains("'nonsense'"));
    CHECK_THROWS_WITH(Transport("embedded:", {.rpc_server_credit = 0}), Catch::Contains("at least 1"));
}
