// Client and server by Cyrus SASL talk to each other, and the input changes what crosses: octets are overwritten, left
// out, put in, cut off. Whatever becomes of it, a server lets in only who knows the password, a client believes only a
// server that knows it (CRAM-MD5 cannot), and what a security layer hands on is what was put in.
//
// First octet: the mechanism. Second: who knows the password, and the size of the pieces. Then edits of five octets:
// direction and kind, position (two), length, value.
#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/bytes.hpp>
#include <aprotic/engine/stack/sasl_layer.hpp>
#include <aprotic/engine/stack/sasl_wrap_layer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace aprotic;
using namespace aprotic::engine;
using namespace aprotic::engine::stack;

constexpr std::string_view secret = "planted-secret";
constexpr std::array mechanisms = {"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "PLAIN"};

struct Edit {
    enum class Kind { overwrite, leave_out, put_in, cut_off };
    bool to_server = false;
    Kind kind = Kind::overwrite;
    std::size_t position = 0;
    std::size_t length = 0;
    char value = 0;
};

std::vector<Edit> edits_of(std::span<const std::uint8_t> input) {
    std::vector<Edit> edits;
    for (; input.size() >= 5 && edits.size() < 8; input = input.subspan(5))
        edits.push_back({(input[0] & 1U) != 0, static_cast<Edit::Kind>(input[0] / 2 % 4),
                         static_cast<std::size_t>(input[1] * 256 + input[2]), input[3], static_cast<char>(input[4])});
    return edits;
}

/// One direction: what was said, changed at the positions that the edits name.
struct Direction {
    std::string changed(std::string_view said, bool to_server, const std::vector<Edit>& edits) {
        std::string text(said);
        // From behind, so that positions stay what they are.
        for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
            if (edit->to_server != to_server || edit->position < passed || edit->position >= passed + said.size())
                continue;
            const std::size_t at = std::min(edit->position - passed, text.size());
            switch (edit->kind) {
                case Edit::Kind::overwrite:
                    if (at < text.size()) text[at] = edit->value;
                    break;
                case Edit::Kind::leave_out: text.erase(at, edit->length); break;
                case Edit::Kind::put_in: text.insert(at, edit->length, edit->value); break;
                case Edit::Kind::cut_off: text.resize(at); break;
            }
        }
        passed += said.size();
        return text;
    }
    std::size_t passed = 0;
    std::string waiting{};
};

void check_silent(const SaslLayer& layer) {
    if (layer.status() == SaslLayer::Status::failed) APROTIC_ASSERT(!layer.failure().text.empty());
    APROTIC_ASSERT(layer.failure().text.find(secret) == std::string::npos);
    APROTIC_ASSERT(layer.progress().find(secret) == std::string::npos);
}

/// The octets come in pieces, as far as the layer takes them.
void feed(SaslLayer& layer, std::string octets, Direction& from, std::size_t piece) {
    while (!octets.empty() && layer.status() == SaslLayer::Status::going_on) {
        from.waiting += octets.substr(0, piece);
        octets.erase(0, std::min(piece, octets.size()));
        from.waiting.erase(0, layer.feed(codec::as_bytes(from.waiting)));
    }
    from.waiting += octets;
    check_silent(layer);
}

/// Text goes through the layer, changed on its way; what comes out is how it began, or nothing.
void wrap(std::unique_ptr<SaslSecurityLayer> near, std::unique_ptr<SaslSecurityLayer> far, Direction& direction,
          const std::vector<Edit>& edits) {
    SaslWrapLayer ours(std::move(near)), theirs(std::move(far));
    std::string put_in, came_out;
    for (int i = 0; i < 4; ++i) {
        const std::string text(200, static_cast<char>('a' + i));
        put_in += text;
        ours.write(codec::as_bytes(text));
        ours.flush();
        const std::string wrapped(codec::as_text(ours.output()));
        ours.commit_output(wrapped.size());
        theirs.feed(codec::as_bytes(direction.changed(wrapped, true, edits)));
        std::array<std::byte, 100> into;
        while (const std::size_t n = theirs.read(into)) came_out += codec::as_text(std::span(into).first(n));
    }
    APROTIC_ASSERT(put_in.starts_with(came_out));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string mechanism = mechanisms[data[0] % mechanisms.size()];
    const bool client_knows = (data[1] & 1U) == 0;
    const bool server_knows = (data[1] & 2U) == 0;
    const std::size_t piece = data[1] >= 128 ? 1 + data[1] % 32 : SIZE_MAX;
    const auto edits = edits_of({data + 2, size - 2});

    SaslClientOptions client_options;
    client_options.username = "me";
    client_options.password = client_knows ? std::string(secret) : "guessed";
    client_options.mechanisms = {mechanism};
    client_options.cyrus.layer_bits_max = 1;
    SaslServerOptions server_options;
    server_options.allow_anonymous = false;
    server_options.mechanisms = {mechanism};
    server_options.cyrus.layer_bits_max = 1;
    server_options.password_of = [server_knows](std::string_view user) {
        return user == "me" ? std::optional<std::string>(server_knows ? secret : "something else") : std::nullopt;
    };
    codec::Encoder from_client, from_server;
    SaslClient client(client_options, "host", {.private_stream = true, .host = "host"}, from_client);
    SaslServer server(server_options, {}, from_server);
    Direction to_server, to_client;
    server.start();
    while (from_client.size() + from_server.size() > 0) {
        const std::string to_them(codec::as_text(from_client.written()));
        from_client.truncate(0);
        feed(server, to_server.changed(to_them, true, edits), to_server, piece);
        const std::string to_us(codec::as_text(from_server.written()));
        from_server.truncate(0);
        feed(client, to_client.changed(to_us, false, edits), to_client, piece);
    }
    const bool server_believes = server.status() == SaslLayer::Status::succeeded;
    const bool client_believes = client.status() == SaslLayer::Status::succeeded;
    if (server_believes) APROTIC_ASSERT(client_knows && server_knows && server.identity().user == "me");
    if (client_believes && mechanism != "CRAM-MD5" && mechanism != "PLAIN")
        APROTIC_ASSERT(client_knows && server_knows);
    if (edits.empty() && client_knows && server_knows) APROTIC_ASSERT(server_believes && client_believes);
    if (!server_believes || !client_believes) return 0;
    auto near = client.take_security_layer(), far = server.take_security_layer();
    if (near && far) wrap(std::move(near), std::move(far), to_server, edits);
    return 0;
}
