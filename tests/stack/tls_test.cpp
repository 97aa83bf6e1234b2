#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/engine/trace.hpp>
#include <catch2/catch.hpp>

#include "stack/tls_pair.hpp"
#include "support/prng.hpp"

using namespace aprotic;
using namespace aprotic::test;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;
using engine::Authenticated;
using engine::CertificateSummary;
using engine::ClientCertificate;
using engine::EngineRole;
using engine::Errc;
using engine::TlsContext;
using engine::TlsOptions;
using engine::TlsStatus;
using engine::TraceSink;

namespace {

using Pieces = std::initializer_list<std::size_t>;

engine::ConnectionOptions client_with(const TlsOptions& tls = tls_client()) {
    return TlsPair::with(client_options(), TlsContext::make_client(tls));
}
engine::ConnectionOptions server_with(const TlsOptions& tls = tls_server()) {
    return TlsPair::with(server_options(), TlsContext::make_server(tls));
}

}  // namespace

TEST_CASE("TLS from the first octet, both roles, in pieces of every kind", "[5.2-f] [5.2-c] [5.2-d] [5.1-b]") {
    for (const std::size_t piece : Pieces{SIZE_MAX, 1, 3, 64, 1000}) {
        TlsPair pair(tls_client(), tls_server(), piece);
        REQUIRE(pair.open());
        CHECK(pair.client_said.substr(0, 2) == "\x16\x03");
        CHECK(contains(pair.client_said, "host.test"));  // SNI
        const auto seen_by_client = pair.client.skip_to_event<Authenticated>().identity;
        REQUIRE(seen_by_client.tls);
        CHECK(seen_by_client.tls->version == "TLSv1.3");
        CHECK(seen_by_client.tls->protocol == "amqp");
        CHECK(seen_by_client.tls->verified);
        CHECK(seen_by_client.tls->subject == "CN=The Server");
        const auto seen_by_server = pair.server.skip_to_event<Authenticated>().identity;
        REQUIRE(seen_by_server.tls);
        CHECK_FALSE(seen_by_server.tls->verified);
        CHECK(seen_by_server.tls->subject.empty());
    }
}

TEST_CASE("TLS by AMQP's header, both roles, in pieces of every kind", "[5.2-a] [5.2-d]") {
    for (const std::size_t piece : Pieces{SIZE_MAX, 1, 7}) {
        auto client = client_with();
        client.tls.by_header = true;
        client.sasl.username = "guest";
        client.sasl.password = "guest";
        TlsPair pair(client, server_with(), piece);
        REQUIRE(pair.open());
        CHECK(pair.client_said.substr(0, 10) == "AMQP\2\1\0\0\x16\3"sv);
        CHECK(pair.server_said.substr(0, 10) == "AMQP\2\1\0\0\x16\3"sv);
        CHECK_FALSE(contains(pair.client_said, "guest"));
        CHECK(pair.server.skip_to_event<Authenticated>().identity.user == "guest");
    }
}

TEST_CASE("a password may go over TLS, and not without", "[5.3.2-f]") {
    auto client = client_with();
    client.sasl.username = "guest";
    client.sasl.password = "guest";
    TlsPair encrypted(client, server_with());
    CHECK(encrypted.open());
    CHECK(encrypted.client.skip_to_event<Authenticated>().identity.mechanism == "PLAIN");
    client.tls = {};
    TlsPair clear(client, server_options());
    CHECK(contains(clear.client_failure(), "amqps"));
    CHECK(clear.client.failure()->code == Errc::cleartext_refused);
    CHECK_FALSE(contains(clear.client_said, "guest"));
}

TEST_CASE("messages of all sizes cross TLS both ways at once") {
    for (const std::size_t piece : Pieces{SIZE_MAX, 4096, 1001}) {
        TlsPair pair(tls_client(), tls_server(), piece);
        REQUIRE(pair.open());
        exchange(pair, {0, 1, 100, 255, 256, 5000, 16383, 16384, 16385, 70000, 1000000, 3});
        pair.client->close();
        pair.settle();
        CHECK(pair.client.closed());
        CHECK_FALSE(pair.client.failure());
    }
}

TEST_CASE("the cipher is chosen by option, and no version below TLS 1.2 is spoken") {
    auto chosen = tls_client();
    chosen.cipher_suites = "TLS_AES_128_GCM_SHA256";
    TlsPair pair(chosen, tls_server());
    REQUIRE(pair.open());
    CHECK(pair.client.skip_to_event<Authenticated>().identity.tls->cipher == "TLS_AES_128_GCM_SHA256");
    // A hello of TLS 1.1 with one cipher.
    Machine server = make_machine(EngineRole::server, server_with());
    std::string hello = "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x02"s + std::string(32, 'r') +
                        "\x00\x00\x02\xc0\x0a\x01\x00\x00\x00"s;
    hello.resize(5 + 0x2f, '\0');
    server.feed(codec::as_bytes(hello));
    REQUIRE(server.failure());
    CHECK(server.failure()->code == Errc::tls_failed);
}

TEST_CASE("a certificate that cannot be trusted is refused with the reason", "[5.2-b]") {
    const Authority other("Other CA");
    const Wanted good{.common_name = "srv", .hosts = {"host.test"}};
    auto with_days = [&](int from, int until) {
        Wanted wanted = good;
        wanted.from_days = from;
        wanted.until_days = until;
        return authority().issue(wanted);
    };
    struct Row {
        Identity identity;
        std::string_view text;
    };
    const Row rows[] = {
        {with_days(-10, -2), "expired on"},
        {with_days(2, 10), "not valid before"},
        {self_signed(good), "signed by itself"},
        {other.issue(good), "\"CN=Other CA\", which is not among those we trust: see tls.ca_file"},
        {authority().issue({.common_name = "srv", .hosts = {"elsewhere.test", "10.9.9.9"}}),
         "is for DNS:elsewhere.test, IP Address:10.9.9.9, not for host.test"},
        {authority().issue({.common_name = "host.evil.test", .hosts = {}}), "not for host.test"},
    };
    for (const Row& row : rows) {
        TlsPair pair(tls_client(), tls_server(row.identity));
        CHECK_FALSE(pair.open());
        INFO(pair.client_failure());
        CHECK(contains(pair.client_failure(), row.text));
        CHECK(pair.client.failure()->code == Errc::certificate_refused);
        CHECK(pair.client.closed());
        CHECK(contains(pair.server_failure(), "refused our certificate"));
        CHECK(pair.server.failure()->code == Errc::tls_failed);
        CHECK(pair.server.closed());
    }
}

TEST_CASE("a trace sees the peer's certificates, trusted or not, and frames as they are inside of TLS") {
    struct Trace final : TraceSink {
        void frame(bool outgoing, std::span<const std::byte> bytes) override {
            (outgoing ? sent : received) += codec::as_text(bytes);
        }
        void certificates(std::span<const CertificateSummary> peers) override {
            chain.assign(peers.begin(), peers.end());
        }
        void secured(const TlsStatus& agreed) override { status = agreed; }
        std::string sent, received;
        std::vector<CertificateSummary> chain;
        std::optional<TlsStatus> status;
    };
    for (const bool trusted : {true, false}) {
        INFO(trusted);
        const Authority other("Other CA");
        const Wanted wanted{.common_name = "srv", .hosts = {"host.test"}};
        const auto trace = std::make_shared<Trace>();
        const auto servers = std::make_shared<Trace>();
        auto client = client_options();
        client.trace = trace;
        auto server = server_options();
        server.trace = servers;
        TlsOptions ours = tls_client();
        const Identity me = authority().issue({.common_name = "me"});
        ours.certificate_pem = me.certificate;
        ours.key_pem = me.key;
        TlsOptions theirs = tls_server((trusted ? authority() : other).issue(wanted));
        theirs.ca_pem = authority().certificate();
        theirs.client_certificate = ClientCertificate::wanted;
        TlsPair pair(TlsPair::with(std::move(client), TlsContext::make_client(ours)),
                     TlsPair::with(std::move(server), TlsContext::make_server(theirs)));
        CHECK(pair.open() == trusted);
        REQUIRE_FALSE(trace->chain.empty());
        CHECK(trace->chain[0].subject == "CN=srv");
        CHECK(trace->chain[0].issuer == (trusted ? "CN=Test CA" : "CN=Other CA"));
        CHECK(trace->chain[0].hosts == "DNS:host.test");
        CHECK(contains(trace->chain[0].valid_from, "GMT"));
        CHECK(contains(trace->chain[0].valid_until, "GMT"));
        CHECK(trace->status.has_value() == trusted);
        if (!trusted) {
            CHECK(servers->received.empty());
            CHECK(trace->received.empty());
            continue;
        }
        CHECK(trace->status->verified);
        CHECK(trace->sent == servers->received);
        CHECK(trace->received == servers->sent);
        CHECK(trace->sent.starts_with("AMQP"));
        REQUIRE_FALSE(servers->chain.empty());
        CHECK(servers->chain[0].subject == "CN=me");
    }
}

TEST_CASE("a revoked certificate is refused") {
    const Identity revoked = authority().issue({.common_name = "srv", .hosts = {"host.test"}});
    const TemporaryFile list(authority().revoke({revoked}));
    auto client = tls_client();
    client.crl_file = list.path();
    TlsPair bad(client, tls_server(revoked));
    CHECK(contains(bad.client_failure(), "is revoked (tls.crl_file)"));
    TlsPair good(client, tls_server());
    CHECK(good.open());
}

TEST_CASE("the host name may be an address, and must be there") {
    auto client = client_with();
    client.tls.server_name = "10.1.2.3";
    TlsPair address(client, server_with());
    CHECK(address.open());
    client.tls.server_name = "10.1.2.4";
    TlsPair wrong(client, server_with());
    CHECK(contains(wrong.client_failure(), "not for 10.1.2.4"));
    client.tls.server_name = "";
    TlsPair none(client, server_with());
    CHECK(contains(none.client_failure(), "tls.server_name"));
    client.hostname = "host.test";
    TlsPair by_open(client, server_with());
    CHECK(by_open.open());
}

TEST_CASE("only what is called insecure takes a certificate that is wrong") {
    const Authority other;
    const Identity wrong_host = authority().issue({.common_name = "srv", .hosts = {"elsewhere.test"}});
    const Identity wrong_ca = other.issue({.common_name = "srv", .hosts = {"host.test"}});
    auto name_only = tls_client();
    name_only.insecure_skip_host_name = true;
    CHECK(TlsPair(name_only, tls_server(wrong_host)).open());
    CHECK_FALSE(TlsPair(name_only, tls_server(wrong_ca)).open());
    TlsOptions anybody;
    anybody.insecure_skip_verification = true;
    TlsPair pair(anybody, tls_server(wrong_ca));
    REQUIRE(pair.open());
    CHECK_FALSE(pair.client.skip_to_event<Authenticated>().identity.tls->verified);
}

TEST_CASE("a client's certificate is who it is, by EXTERNAL", "[5.3.2-h]") {
    const Identity me = authority().issue({.common_name = "me"});
    auto client = tls_client();
    client.certificate_pem = me.certificate;
    client.key_pem = me.key;
    auto server = tls_server();
    server.ca_pem = authority().certificate();
    server.client_certificate = ClientCertificate::required;
    auto client_options = client_with(client);
    client_options.sasl.enabled = true;
    {
        TlsPair pair(client_options, server_with(server));
        REQUIRE(pair.open());
        const auto who = pair.server.skip_to_event<Authenticated>().identity;
        CHECK(who.mechanism == "EXTERNAL");
        CHECK(who.user == "me");
        CHECK(who.tls->verified);
        CHECK(pair.client.skip_to_event<Authenticated>().identity.mechanism == "EXTERNAL");
    }
    {
        auto mapped = server_with(server);
        mapped.sasl_server.user_of_certificate = [](const engine::TlsStatus& peer) {
            return std::optional<std::string>(peer.subject + "!");
        };
        TlsPair pair(client_options, mapped);
        REQUIRE(pair.open());
        CHECK(pair.server.skip_to_event<Authenticated>().identity.user == "CN=me!");
        mapped.sasl_server.user_of_certificate = [](const engine::TlsStatus&) { return std::optional<std::string>(); };
        TlsPair unknown(client_options, mapped);
        CHECK(contains(unknown.client_failure(), "certificate"));
        CHECK(unknown.client.failure()->code == Errc::authentication_failed);
    }
    {
        auto other = client_options;
        other.sasl.authorization_id = "somebody else";
        TlsPair pair(other, server_with(server));
        CHECK_FALSE(pair.open());
    }
    {
        TlsPair pair(tls_client(), server);
        CHECK(contains(pair.client_failure(), "set tls.certificate_file"));
        CHECK(contains(pair.server_failure(), "sent no certificate"));
    }
    {
        const Authority other;
        const Identity stranger = other.issue({.common_name = "me"});
        auto wrong = client;
        wrong.certificate_pem = stranger.certificate;
        wrong.key_pem = stranger.key;
        TlsPair pair(wrong, server);
        INFO(pair.client_failure());
        CHECK(contains(pair.client_failure(), "refused our certificate"));
        INFO(pair.server_failure());
        CHECK(pair.server.failure()->code == Errc::certificate_refused);
    }
}

TEST_CASE("EXTERNAL is not offered to a peer without a verified certificate") {
    auto options = client_with();
    options.sasl.enabled = true;
    options.sasl.mechanisms = {"EXTERNAL"};
    TlsPair pair(options, server_with());
    CHECK(pair.client_failure() != "");
    CHECK(pair.client.failure()->code == Errc::no_common_mechanism);
}

TEST_CASE("a plain client and a server that demands TLS tell each other what is missing", "[2.2-e]") {
    TlsPair pair(client_options(), server_with());
    CHECK(contains(pair.server_failure(), "tls.required"));
    CHECK(contains(pair.client_failure(), "amqps"));
    CHECK(pair.server_said == "AMQP\2\1\0\0"sv);
    auto optional = server_with();
    optional.tls.required = false;
    TlsPair plain(client_options(), optional);
    CHECK(plain.open());
    CHECK_FALSE(plain.server.skip_to_event<Authenticated>().identity.tls);
    TlsPair encrypted(client_with(), optional);
    CHECK(encrypted.open());
    CHECK(encrypted.server.skip_to_event<Authenticated>().identity.tls);
}

TEST_CASE("a TLS client and a server without TLS tell what happened") {
    TlsPair pair(client_with(), server_options());
    CHECK(contains(pair.server_failure(), "no certificate (tls.context)"));
    CHECK(contains(pair.client_failure(), "does not speak TLS on this port, it says AMQP 1.0.0"));
    CHECK(pair.client.failure()->code == Errc::tls_failed);
    auto by_header = client_with();
    by_header.tls.by_header = true;
    TlsPair header(by_header, server_options());
    CHECK(contains(header.server_failure(), "wants TLS"));
    CHECK(contains(header.client_failure(), "tls.by_header"));
}

TEST_CASE("an unknown version of the TLS header is answered with the one that is taken", "[5.2-g]") {
    peer::check_splits([](peer::Plan& plan) {
        Stage stage(EngineRole::server, server_with(), plan);
        stage.peer.send_raw("AMQP\2\2\0\0"sv);
        stage.peer.expect_header(codec::ProtocolId::tls);
        stage.peer.expect_end_of_stream();
    });
}

TEST_CASE("nothing in the clear is taken for what came over TLS", "[5.2-h]") {
    TlsPair pair(client_options(), server_with());
    const std::string injected = "AMQP\2\1\0\0AMQP\0\1\0\0"s + std::string(peer::open().encode(0).text());
    pair.server.feed(codec::as_bytes(injected));
    REQUIRE(pair.server.failure());
    CHECK(pair.server.failure()->code == Errc::tls_failed);
    CHECK(pair.server->remote_open() == nullptr);
}

TEST_CASE("a second connection takes the session of the first up again, unless the context was reloaded") {
    {
        const auto client = client_with();
        const auto server = server_with();
        const auto resumed = [&] {
            TlsPair pair(client, server);
            REQUIRE(pair.open());
            const auto seen = pair.client.skip_to_event<Authenticated>().identity.tls;
            CHECK(seen->verified);
            CHECK(seen->subject == "CN=The Server");
            return seen->resumed;
        };
        CHECK_FALSE(resumed());
        CHECK(resumed());
        auto elsewhere = client;
        elsewhere.tls.server_name = "10.1.2.3";
        TlsPair other(elsewhere, server);
        REQUIRE(other.open());
        CHECK_FALSE(other.client.skip_to_event<Authenticated>().identity.tls->resumed);
        REQUIRE(std::const_pointer_cast<TlsContext>(client.tls.context)->reload());
        CHECK_FALSE(resumed());
    }
    auto off = tls_client();
    off.resume_sessions = false;
    const auto client = client_with(off);
    const auto server = server_with();
    for (int i = 0; i < 2; ++i) {
        TlsPair pair(client, server);
        REQUIRE(pair.open());
        CHECK_FALSE(pair.client.skip_to_event<Authenticated>().identity.tls->resumed);
    }
}

TEST_CASE("a reload takes effect for new connections, and only if it is usable") {
    const Identity first = authority().issue({.common_name = "first", .hosts = {"host.test"}});
    const Identity second = authority().issue({.common_name = "second", .hosts = {"host.test"}});
    const TemporaryFile certificate(first.certificate), key(first.key);
    TlsOptions settings;
    settings.certificate_file = certificate.path();
    settings.key_file = key.path();
    const auto made = TlsContext::make_server(settings);
    REQUIRE(made);
    const auto server = TlsPair::with(server_options(), made);
    const auto name = [&] {
        TlsPair pair(client_with(), server);
        REQUIRE(pair.open());
        return pair.client.skip_to_event<Authenticated>().identity.tls->common_name;
    };
    TlsPair before(client_with(), server);
    REQUIRE(before.open());
    certificate.write(second.certificate);
    const auto half = (*made)->reload();
    REQUIRE_FALSE(half);
    CHECK(contains(half.error().text, "does not belong to the certificate"));
    CHECK(name() == "first");
    key.write(second.key);
    REQUIRE((*made)->reload());
    CHECK(name() == "second");
    exchange(before, {10, 20});
}

TEST_CASE("settings that cannot be used are told with option, file and reason") {
    const Wanted wanted{.common_name = "x", .key_password = "very secret"};
    const Identity locked = authority().issue(wanted);
    const TemporaryFile locked_key(locked.key), nonsense("nonsense");
    const auto text = [](const TlsContext::Made& made) { return made ? std::string() : made.error().text; };
    TlsOptions options;
    CHECK(contains(text(TlsContext::make_server(options)), "tls.certificate_file"));
    options.certificate_file = "/nowhere/x.pem";
    CHECK(contains(text(TlsContext::make_server(options)), "'/nowhere/x.pem': No such file"));
    options.certificate_file = nonsense.path();
    CHECK(contains(text(TlsContext::make_server(options)), "no certificate in PEM"));
    options.certificate_file.clear();
    options.certificate_pem = locked.certificate;
    options.key_file = locked_key.path();
    CHECK(contains(text(TlsContext::make_server(options)), "tls.key_password is missing"));
    options.key_password = "planted wrong one";
    CHECK(contains(text(TlsContext::make_server(options)), "tls.key_password is wrong"));
    CHECK_FALSE(contains(text(TlsContext::make_server(options)), "planted"));
    options.key_password = "very secret";
    CHECK(text(TlsContext::make_server(options)) == "");
    options.client_certificate = ClientCertificate::wanted;
    CHECK(contains(text(TlsContext::make_server(options)), "tls.ca_file"));
    options.client_certificate = ClientCertificate::none;
    options.insecure_skip_verification = true;
    CHECK(contains(text(TlsContext::make_server(options)), "insecure"));
    options.insecure_skip_verification = false;
    options.ciphers = "NONE-OF-THESE";
    CHECK(contains(text(TlsContext::make_server(options)), "NONE-OF-THESE"));

    TlsOptions client;
    client.ca_file = "/nowhere/ca.pem";
    CHECK(contains(text(TlsContext::make_client(client)), "tls.ca_file '/nowhere/ca.pem'"));
    client.ca_file = nonsense.path();
    CHECK(contains(text(TlsContext::make_client(client)), "certificates in PEM expected"));
    client.ca_file.clear();
    client.ca_directory = "/nowhere";
    CHECK(contains(text(TlsContext::make_client(client)), "tls.ca_directory"));
    client.ca_directory.clear();
    client.ca_pem = "nonsense";
    CHECK(contains(text(TlsContext::make_client(client)), "tls.ca_pem"));
    client.ca_pem = authority().certificate();
    client.crl_file = nonsense.path();
    CHECK(contains(text(TlsContext::make_client(client)), "tls.crl_file"));
    client.crl_file.clear();
    client.key_pem = locked.key;
    CHECK(contains(text(TlsContext::make_client(client)), "without tls.certificate_file"));
}

TEST_CASE("a peer that stops in the middle of the handshake is told with what to look at", "[5.1-a]") {
    Machine client = make_machine(EngineRole::client, client_with());
    static_cast<void>(client->open());
    CHECK_FALSE(client.take_output(SIZE_MAX).empty());
    SECTION("silence") {
        client.pass(11s);
        REQUIRE(client.failure());
        CHECK(client.failure()->code == Errc::connect_timed_out);
        CHECK(contains(client.failure()->text, "TLS hello"));
        CHECK(client.take_output(SIZE_MAX).empty());
        CHECK(client.closed());
    }
    SECTION("the end") {
        client.end_of_input();
        REQUIRE(client.failure());
        CHECK(client.failure()->code == Errc::connection_lost);
        CHECK(contains(client.failure()->text, "5671"));
        CHECK(client.take_output(SIZE_MAX).empty());
        CHECK(client.closed());
    }
    SECTION("something else than TLS") {
        client.feed(codec::as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
        REQUIRE(client.failure());
        CHECK(contains(client.failure()->text, "it says HTTP"));
        client.take_output(SIZE_MAX);
        CHECK(client.closed());
    }
}

TEST_CASE("a TLS stream that breaks anywhere ends in order") {
    for (const auto how : {peer::Cut::reset, peer::Cut::eof, peer::Cut::silence}) {
        for (std::size_t steps = 0; steps < 12; ++steps) {
            TlsPair pair(tls_client(), tls_server(), 300);
            for (std::size_t i = 0; i < steps; ++i) {
                pair.move(pair.client, pair.server, pair.client_said, pair.to_server);
                pair.move(pair.server, pair.client, pair.server_said, pair.to_client);
            }
            pair.client.cut(how);
            pair.server.cut(how);
        }
    }
}

TEST_CASE("one wrong octet anywhere in TLS ends in order", "[5.2]") {
    Prng prng(7);
    for (int round = 0; round < 150; ++round) {
        TlsPair pair(tls_client(), tls_server(), 500);
        const std::size_t victim = prng.below(3000);
        std::size_t crossed = 0;
        const bool towards_server = prng.one_in(2);
        for (int i = 0; i < 60; ++i) {
            Machine& from = i % 2 == 0 ? pair.client : pair.server;
            Machine& to = i % 2 == 0 ? pair.server : pair.client;
            auto bytes = from.take_output(500);
            if ((i % 2 == 0) == towards_server) {
                if (victim >= crossed && victim < crossed + bytes.size())
                    bytes[victim - crossed] ^= std::byte{static_cast<unsigned char>(1 + prng.below(255))};
                crossed += bytes.size();
            }
            to.feed(bytes);
        }
        // Both end by themselves or by the clock, and neither believes what was changed.
        for (Machine* const side : {&pair.client, &pair.server}) {
            side->pass(20s);
            if (side->failure()) CHECK_FALSE(side->failure()->text.empty());
        }
    }
}

TEST_CASE("a flood before the handshake is over has a bound") {
    auto options = server_with();
    options.limits.handshake_bytes_max = 20000;
    Machine server = make_machine(EngineRole::server, options);
    // Handshake records that announce a large message and bring it slowly.
    std::string flood = "\x16\x03\x01\x40\x00\x01\x00\xff\xff"s;
    flood.resize(5 + 0x4000, 'x');
    std::size_t fed = 0;
    for (int i = 0; i < 10 && !server.failure(); ++i) fed += server.feed(codec::as_bytes(flood));
    REQUIRE(server.failure());
    CHECK(fed <= 40000);
}

TEST_CASE("frames of SASL without an end have a bound", "[5.3.3-k]") {
    auto options = server_options();
    options.limits.handshake_bytes_max = 5000;
    options.sasl_server.own_mechanisms = {{.name = "ENDLESS", .make_server = [] {
                                               struct Endless final : engine::SaslServerExchange {
                                                   Step step(std::optional<std::string_view>) override {
                                                       return {Step::Kind::challenge, "more", {}};
                                                   }
                                               };
                                               return std::make_unique<Endless>();
                                           }}};
    Machine server = make_machine(EngineRole::server, options);
    server.feed(codec::as_bytes("AMQP\3\1\0\0"sv));
    server.feed(peer::sasl_init("ENDLESS").encode(0).span());
    for (int i = 0; i < 1000 && !server.failure(); ++i) {
        server.feed(peer::sasl_response("and more").encode(0).span());
        server.take_output(SIZE_MAX);
    }
    REQUIRE(server.failure());
    CHECK(contains(server.failure()->text, "limits.handshake_bytes_max"));
}

TEST_CASE("last words that nobody reads are given up", "[5.2-e]") {
    TlsPair pair(tls_client(), tls_server());
    REQUIRE(pair.open());
    pair.client->close();
    pair.settle();
    CHECK(contains(pair.client_said.substr(pair.client_said.size() - 60), "\x17\x03\x03"));
    TlsPair silent(tls_client(), tls_server());
    REQUIRE(silent.open());
    silent.client.end_of_input();
    std::array<codec::ConstBuffer, 4> last_words;
    CHECK(silent.client->prepare_write(last_words, silent.client.now()) == 1);
    CHECK_FALSE(silent.client.closed());
    silent.client.pass(5s);
    CHECK(silent.client.closed());
}
