#include <string_view>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/engine/stack/header_exchange.hpp>
#include <catch2/catch.hpp>

using namespace aprotic;
using namespace aprotic::engine::stack;
using namespace std::string_view_literals;
using engine::EngineRole;

namespace {

constexpr auto amqp = "AMQP\0\1\0\0"sv;
constexpr auto sasl = "AMQP\3\1\0\0"sv;
constexpr auto amqp_0_9_1 = "AMQP\0\0\x09\x01"sv;

HeaderStep judge(const HeaderPolicy& policy, std::string_view octets, bool ended = false) {
    return judge_header(policy, codec::as_bytes(octets), ended);
}

constexpr HeaderPolicy server{EngineRole::server, true, true};
constexpr HeaderPolicy sasl_only_server{EngineRole::server, false, true};
constexpr HeaderPolicy plain_server{EngineRole::server, true, false};
constexpr HeaderPolicy plain_client{EngineRole::client, true, false};
constexpr HeaderPolicy sasl_client{EngineRole::client, false, true};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a header is judged when all of it is there, whatever follows", "[2.2-l]") {
    for (std::size_t size = 0; size < amqp.size(); ++size) {
        CHECK(judge(server, amqp.substr(0, size)).status == HeaderStep::Status::need_more);
    }
    CHECK(judge(server, amqp).status == HeaderStep::Status::agreed);
    CHECK(judge(server, "AMQP\0\1\0\0\0\0\0\x10"sv).status == HeaderStep::Status::agreed);
}

TEST_CASE("a server finds out by itself whether the client wants SASL", "[2.2-d] [5.3-a]") {
    CHECK(judge(server, amqp).header.is(codec::ProtocolId::amqp));
    CHECK(judge(server, sasl).header.is(codec::ProtocolId::sasl));
    CHECK(judge(server, sasl).status == HeaderStep::Status::agreed);
}

TEST_CASE("a server answers what it does not take with what it takes", "[2.2-e] [2.2-f] [2.2-g] [2.2-h] [5.3-b]") {
    struct Row {
        HeaderPolicy policy;
        std::string_view octets;
        codec::ProtocolId answer;
        std::string_view text;
    };
    const Row rows[] = {
        {server, "AMQP\0\1\1\0"sv, codec::ProtocolId::amqp, "AMQP 1.1.0"},
        {server, "AMQP\0\2\0\0"sv, codec::ProtocolId::amqp, "AMQP 2.0.0"},
        {server, amqp_0_9_1, codec::ProtocolId::amqp, "AMQP 0-9-1"},
        {server, "AMQP\1\1\0\x0a"sv, codec::ProtocolId::amqp, "AMQP 0-10"},
        {server, "AMQP\2\1\0\0"sv, codec::ProtocolId::amqp, "wants TLS"},
        {server, "AMQP\xff\1\0\0"sv, codec::ProtocolId::amqp, "unknown protocol id 255"},
        {server, "AMQP\3\2\0\0"sv, codec::ProtocolId::sasl, "AMQP 2.0.0 with SASL"},
        {server, "GET / HTTP/1.1\r\n"sv, codec::ProtocolId::amqp, "HTTP"},
        {server, "\x16\x03\x01\x02\x00\x01\x00\x01"sv, codec::ProtocolId::amqp, "wants TLS"},
        {server, "SSH-2.0-x"sv, codec::ProtocolId::amqp, "SSH"},
        {server, "amqp\0\1\0\0"sv, codec::ProtocolId::amqp, "\"amqp\\x00\\x01\\x00\\x00\""},
        {server, "\0\0\0\0\0\0\0\0"sv, codec::ProtocolId::amqp, "\\x00"},
        {sasl_only_server, amqp, codec::ProtocolId::sasl, "sasl_server.required"},
        {plain_server, sasl, codec::ProtocolId::amqp, "sasl_server.offer"},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const HeaderStep step = judge(row.policy, row.octets);
        CHECK(step.status == HeaderStep::Status::refused);
        CHECK(step.header.is(row.answer));
        INFO(step.text);
        CHECK(contains(step.text, row.text));
    }
}

TEST_CASE("a client takes only the header it sent and says what to change", "[2.2-j]") {
    CHECK(judge(plain_client, amqp).status == HeaderStep::Status::agreed);
    CHECK(judge(sasl_client, sasl).status == HeaderStep::Status::agreed);

    const HeaderStep insists = judge(plain_client, sasl);
    CHECK(insists.status == HeaderStep::Status::refused);
    CHECK(contains(insists.text, "sasl.enabled"));
    CHECK(contains(insists.text, "sasl.username"));

    const HeaderStep without = judge(sasl_client, amqp);
    CHECK(without.status == HeaderStep::Status::refused);
    CHECK(contains(without.text, "does not take SASL"));

    CHECK(contains(judge(plain_client, "AMQP\2\1\0\0"sv).text, "TLS"));
    CHECK(contains(judge(plain_client, amqp_0_9_1).text, "AMQP 0-9-1"));
    CHECK(contains(judge(plain_client, "HTTP/1.1 400 Bad Request"sv).text, "HTTP"));
}

TEST_CASE("an answer shorter than a header is named when the stream has ended", "[2.2-j]") {
    constexpr auto alert = "\x15\x03\x01\x00\x02\x02\x46"sv;
    CHECK(judge(plain_client, alert).status == HeaderStep::Status::need_more);
    const HeaderStep step = judge(plain_client, alert, true);
    CHECK(step.status == HeaderStep::Status::refused);
    CHECK(contains(step.text, "insists on TLS"));
}
