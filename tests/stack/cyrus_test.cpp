#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/engine/sasl_config.hpp>
#include <aprotic/engine/stack/sasl_layer.hpp>
#include <aprotic/engine/stack/sasl_wrap_layer.hpp>
#include <catch2/catch.hpp>

#include "peer/frames.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

using namespace aprotic;
using namespace aprotic::engine::stack;
using engine::Errc;
using engine::SaslClientOptions;
using engine::SaslConfig;
using engine::SaslServerOptions;

namespace {

constexpr std::string_view secret = "planted-53cr3t";
const std::vector<std::string> by_password = {"SCRAM-SHA-512", "SCRAM-SHA-384", "SCRAM-SHA-256", "SCRAM-SHA-224",
                                              "SCRAM-SHA-1",   "DIGEST-MD5",    "CRAM-MD5"};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

SaslClientOptions me(std::vector<std::string> mechanisms = {}) {
    SaslClientOptions options;
    options.username = "me";
    options.password = secret;
    options.mechanisms = std::move(mechanisms);
    return options;
}

SaslServerOptions users() {
    SaslServerOptions options;
    options.allow_anonymous = false;
    options.password_of = [](std::string_view user) {
        return user == "me" || user == "root" ? std::optional<std::string>(secret) : std::nullopt;
    };
    return options;
}

/// Cyrus' DIGEST-MD5 plug-in loses what it encrypts with: not ours to report.
struct WithoutLeakCheck {
#ifdef __SANITIZE_ADDRESS__
    WithoutLeakCheck() { __lsan_disable(); }
    ~WithoutLeakCheck() { __lsan_enable(); }
#endif
};

struct Recorder final : engine::TraceSink {
    void frame(bool, std::span<const std::byte> bytes) override { seen += codec::as_text(bytes); }
    std::string seen;
};

/// A client and a server with nothing between them but pieces of at most `piece` octets.
struct Both {
    Both(const SaslClientOptions& client_options, const SaslServerOptions& server_options, std::size_t size = 1 << 20)
        : piece(size),
          client(client_options, "host.test", {.private_stream = true, .host = "host.test"}, to_server),
          server(server_options, {}, to_client) {
        client.set_trace(&recorder);
        server.set_trace(&recorder);
        server.start();
        for (bool moved = true; moved;) {
            moved = pass(to_client, client, client_input);
            moved = pass(to_server, server, server_input) || moved;
        }
    }

    bool succeeded() const {
        return client.status() == SaslLayer::Status::succeeded && server.status() == SaslLayer::Status::succeeded;
    }
    std::string words() const { return client.failure().text + server.failure().text + recorder.seen; }

    std::size_t piece;
    std::size_t longest = 0;  // that was said at once
    codec::Encoder to_server, to_client;
    std::string server_input, client_input;
    SaslClient client;
    SaslServer server;
    Recorder recorder;

private:
    bool pass(codec::Encoder& from, SaslLayer& to, std::string& input) {
        const std::string octets(codec::as_text(from.written()));
        from.truncate(0);
        longest = std::max(longest, octets.size());
        for (std::size_t at = 0; at < octets.size(); at += piece) {
            input += octets.substr(at, piece);
            input.erase(0, to.feed(codec::as_bytes(input)));
        }
        return !octets.empty();
    }
};

/// A directory for the length of a test, with users of Cyrus' own and a file of settings.
struct Folder {
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "aprotic-sasl-").string() + std::string(6, 'X');
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    void write(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }
    bool add_user(const std::string& user, const std::string& realm) const {
        const std::string database = (path / "users.db").string();
        return std::system(("printf %s '" + std::string(secret) + "' | PATH=$PATH:/usr/sbin saslpasswd2 -p -c -f '" +
                            database + "' -u " + realm + " " + user)
                               .c_str()) == 0;
    }
    std::filesystem::path path;
};

}  // namespace

TEST_CASE("each mechanism lets the right password in, cut anywhere", "[5.3.2-f] [5.3.3-i]") {
    for (const std::string& name : by_password) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1 << 20}}) {
            const auto options = me({name});
            const auto server = users();
            Both both(options, server, piece);
            INFO(name << " " << both.client.failure().text << both.server.failure().text);
            REQUIRE(both.succeeded());
            CHECK(both.server.identity().mechanism == name);
            CHECK(both.server.identity().user == "me");
            CHECK(both.client.identity().mechanism == name);
            CHECK_FALSE(contains(both.words(), secret));
        }
    }
}

TEST_CASE("what crosses may come in pieces of every size", "[5.3-f]") {
    for (const char* name : {"SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5"}) {
        const auto options = me({name});
        const auto server = users();
        std::size_t cut = 1;
        for (std::size_t longest = 2; cut < longest; ++cut) {
            Both both(options, server, cut);
            INFO(name << " cut at " << cut);
            REQUIRE(both.succeeded());
            longest = both.longest;
        }
        CHECK(cut > 90);
    }
}

TEST_CASE("frames larger than agreed, repeated or left out end an exchange by Cyrus", "[5.3-f] [5.3-g]") {
    const auto known = users();
    const auto init = [](std::string_view text) {
        return peer::sasl_init(codec::Symbol("SCRAM-SHA-256")).initial_response(text).encode(0);
    };
    constexpr std::string_view first = "n,,n=me,r=abcdefghijklmnop";
    struct Row {
        std::vector<codec::Bytes> frames;
        Errc code;
        std::string_view text;
    };
    const Row rows[] = {
        {{init(std::string(first) + std::string(600, 'x'))}, Errc::protocol_violation, "sasl.cyrus.frame_size_max"},
        {{init(first), init(first)}, Errc::protocol_violation, "sasl-init"},
        {{peer::sasl_response("c=biws").encode(0)}, Errc::protocol_violation, "sasl-response"},
        {{init(first), peer::sasl_outcome(codec::SaslCode::ok).encode(0)}, Errc::protocol_violation, "sasl-outcome"},
        {{init(first), peer::sasl_response("c=biws,r=abc,p=AAAA").encode(0)}, Errc::authentication_failed, "SCRAM"},
    };
    for (const Row& row : rows) {
        codec::Encoder output;
        SaslServer server(known, {}, output);
        server.start();
        for (const codec::Bytes& frame : row.frames) static_cast<void>(server.feed(frame.span()));
        INFO(server.failure().text);
        CHECK(server.failure().code == row.code);
        CHECK(contains(server.failure().text, row.text));
    }
}

TEST_CASE("a wrong password and an unknown user fail alike, and nothing tells a secret", "[5.3.3-j]") {
    for (const std::string& name : by_password) {
        auto options = me({name});
        const auto server = users();
        options.password = "other-53cr3t";
        Both wrong(options, server);
        options.username = "nobody";
        Both unknown(options, server);
        for (const Both* each : {&wrong, &unknown}) {
            INFO(name << each->words());
            CHECK(each->client.failure().code == Errc::authentication_failed);
            CHECK(each->server.failure().code == Errc::authentication_failed);
            CHECK(contains(each->client.failure().text, name));
            CHECK(contains(each->client.failure().text, "sasl.password"));
            CHECK_FALSE(contains(each->words(), "53cr3t"));
        }
    }
}

TEST_CASE("the strongest that both have is used", "[5.3.2-b]") {
    const auto options = me();
    const auto all = users();
    CHECK(Both(options, all).client.identity().mechanism == "SCRAM-SHA-512");
    auto server = users();
    server.mechanisms = {"plain", "cram-md5", "SCRAM-SHA-1"};
    CHECK(Both(options, server).client.identity().mechanism == "SCRAM-SHA-1");
    server.mechanisms = {"PLAIN", "CRAM-MD5"};
    CHECK(Both(options, server).client.identity().mechanism == "CRAM-MD5");
    server.mechanisms = {"PLAIN"};
    CHECK(Both(options, server).client.identity().mechanism == "PLAIN");
    const auto picky = me({"SCRAM-SHA-256"});
    const auto failure = Both(picky, server).client.failure();
    CHECK(failure.code == Errc::no_common_mechanism);
    CHECK(contains(failure.text, "PLAIN; usable for user 'me' would be SCRAM-SHA-256 (sasl.mechanisms"));
}

TEST_CASE("who may act for another is the server's to say", "[5.3.2-f]") {
    for (const char* name : {"SCRAM-SHA-256", "DIGEST-MD5", "PLAIN"}) {
        auto options = me({name});
        options.authorization_id = "root";
        auto server = users();
        CHECK(Both(options, server).server.status() == SaslLayer::Status::failed);
        server.may_act_for = [](std::string_view user, std::string_view other) {
            return user == "me" && other == "root";
        };
        Both both(options, server);
        INFO(name << both.words());
        CHECK(both.succeeded());
        CHECK(both.server.identity().user == "root");
    }
    // CRAM-MD5 has no place for it.
    auto options = me({"CRAM-MD5"});
    options.authorization_id = "root";
    const auto server = users();
    const auto failure = Both(options, server).client.failure();
    CHECK(failure.code == Errc::no_common_mechanism);
    CHECK(contains(failure.text, "CRAM-MD5 cannot be used here"));
}

TEST_CASE("garbage in any step ends the exchange", "[5.3-g]") {
    for (const std::string& name : by_password) {
        const auto options = me({name});
        const auto known = users();
        for (const std::string_view garbage : {std::string_view(), std::string_view("\0\xff\xfe=,", 5),
                                               std::string_view("r=,s=,i=0"), std::string_view("v=AAAA")}) {
            INFO(name << " " << garbage);
            codec::Encoder output;
            SaslServer server(known, {}, output);
            static_cast<void>(
                server.feed(peer::sasl_init(codec::Symbol(name)).initial_response(garbage).encode(0).span()));
            for (int i = 0; i < 4 && server.status() == SaslLayer::Status::going_on; ++i)
                static_cast<void>(server.feed(peer::sasl_response(garbage).encode(0).span()));
            CHECK(server.status() == SaslLayer::Status::failed);
            SaslClient client(options, std::nullopt, {.private_stream = true}, output);
            static_cast<void>(client.feed(peer::sasl_mechanisms({codec::Symbol(name)}).encode(0).span()));
            for (int i = 0; i < 4 && client.status() == SaslLayer::Status::going_on; ++i)
                static_cast<void>(client.feed(peer::sasl_challenge(garbage).encode(0).span()));
            static_cast<void>(client.feed(peer::sasl_outcome(codec::SaslCode::ok).encode(0).span()));
            // CRAM-MD5 proves nothing about the server.
            if (name != "CRAM-MD5") CHECK(client.status() == SaslLayer::Status::failed);
        }
    }
}

TEST_CASE("a server that says ok before it has proved itself is left", "[5.3.3-i]") {
    for (const char* name : {"SCRAM-SHA-256", "DIGEST-MD5"}) {
        const auto options = me({name});
        codec::Encoder output;
        SaslClient client(options, std::nullopt, {.private_stream = true}, output);
        static_cast<void>(client.feed(peer::sasl_mechanisms({codec::Symbol(name)}).encode(0).span()));
        static_cast<void>(client.feed(peer::sasl_outcome(codec::SaslCode::ok).encode(0).span()));
        CHECK(client.failure().code == Errc::authentication_failed);
        CHECK(contains(client.failure().text, "has not proved"));
    }
}

TEST_CASE("users of Cyrus' own file", "[5.3.2-f]") {
    Folder folder;
    REQUIRE(folder.add_user("me", "realm.test"));
    folder.write("ours.conf", "# for one listener\nsasldb_path: " + (folder.path / "users.db").string() +
                                  "\nauxprop_plugin: sasldb\n");
    const auto config = SaslConfig::read(folder.path.string(), "ours");
    REQUIRE(config);
    SaslServerOptions server;
    server.allow_anonymous = false;
    server.cyrus.config = *config;
    server.cyrus.realm = "realm.test";
    auto names = by_password;
    names.emplace_back("PLAIN");
    for (const std::string& name : names) {
        for (const char* user : {"me", "me@realm.test"}) {
            auto options = me({name});
            options.username = user;
            Both both(options, server);
            INFO(name << " " << user << " " << both.words());
            if (name != "DIGEST-MD5" || options.username == "me") CHECK(both.succeeded());
            if (both.succeeded()) CHECK(both.server.identity().user == "me@realm.test");
            options.password = "wrong";
            CHECK(Both(options, server).server.failure().code == Errc::authentication_failed);
        }
    }
}

TEST_CASE("settings that cannot be read are told with the file and the line") {
    Folder folder;
    folder.write("bad.conf", "a: b\nno colon\n");
    const auto bad = SaslConfig::read(folder.path.string(), "bad");
    REQUIRE_FALSE(bad);
    CHECK(contains(bad.error().text, "line 2"));
    CHECK(contains(bad.error().text, "bad.conf"));
    const auto missing = SaslConfig::read(folder.path.string(), "none");
    REQUIRE_FALSE(missing);
    CHECK(contains(missing.error().text, "none.conf"));
    CHECK_FALSE(SaslConfig::read(folder.path.string(), "../x"));
}

TEST_CASE("DIGEST-MD5 agrees on integrity or encryption, and what was changed on the way is refused", "[5.3.3-e]") {
    [[maybe_unused]] const WithoutLeakCheck without;
    for (const unsigned bits : {1u, 128u}) {
        auto options = me({"DIGEST-MD5"});
        options.cyrus.layer_bits_min = 1;
        options.cyrus.layer_bits_max = bits;
        auto server = users();
        server.cyrus.layer_bits_max = 256;
        Both both(options, server);
        INFO(both.words());
        REQUIRE(both.succeeded());
        CHECK(both.client.identity().sasl_layer_bits == bits);
        CHECK(both.server.identity().sasl_layer_bits == bits);
        SaslWrapLayer ours(both.client.take_security_layer());
        SaslWrapLayer theirs(both.server.take_security_layer());
        const std::string text(300'000, 'x');
        std::string got;
        std::size_t sent = 0;
        std::string last;
        while (got.size() < text.size()) {
            sent += ours.write(codec::as_bytes(text).subspan(sent));
            ours.flush();
            const auto out = ours.output();
            const auto room = theirs.prepare_input();
            const std::size_t n = std::min({out.size(), room.size(), std::size_t{1000}});
            last = codec::as_text(out.first(n));
            codec::copy_bytes(room.first(n), out.first(n));
            theirs.commit_input(n);
            ours.commit_output(n);
            std::vector<std::byte> into(4096);
            while (const std::size_t count = theirs.read(into)) got += codec::as_text(std::span(into).first(count));
            REQUIRE(theirs.status() == ByteLayer::Status::open);
        }
        CHECK(got == text);
        if (bits > 1) CHECK_FALSE(contains(last, "xxxxxxxx"));
        static_cast<void>(ours.write(codec::as_bytes("more")));
        ours.flush();
        std::vector<std::byte> changed(ours.output().begin(), ours.output().end());
        changed.back() ^= std::byte{1};
        theirs.feed(changed);
        std::vector<std::byte> into(64);
        CHECK(theirs.read(into) == 0);
        CHECK(theirs.status() == ByteLayer::Status::failed);
        CHECK(contains(theirs.failure().text, "layer_bits"));
    }
}

TEST_CASE("a minimum of the security layer rules out what has none") {
    [[maybe_unused]] const WithoutLeakCheck without;
    auto options = me({"SCRAM-SHA-256", "PLAIN"});
    options.cyrus.layer_bits_min = options.cyrus.layer_bits_max = 56;
    const auto server = users();
    const auto failure = Both(options, server).client.failure();
    CHECK(contains(failure.text, "layer"));
    auto strict = users();
    strict.cyrus.layer_bits_min = 56;
    strict.cyrus.layer_bits_max = 256;
    auto any = me();
    any.cyrus.layer_bits_max = 256;
    Both both(any, strict);
    CHECK(both.client.identity().mechanism == "DIGEST-MD5");
    CHECK(both.server.identity().sasl_layer_bits >= 56);
}
