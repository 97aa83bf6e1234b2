// The exchange of SASL frames alone, client or server as the first octet says, with every built-in mechanism and one of
// several steps. What is written are whole frames of 512 octets at most, nothing follows the end, and only a peer that
// said the password, the token or the right answers gets in.
#include <aprotic/codec/assert.hpp>
#include <aprotic/engine/stack/sasl_layer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace aprotic;
using engine::stack::SaslLayer;

constexpr std::string_view secret = "planted-secret";

bool has_secret(std::span<const std::uint8_t> stream) {
    return std::string_view(reinterpret_cast<const char*>(stream.data()), stream.size()).find(secret) !=
           std::string_view::npos;
}

/// Three steps: the answer to each challenge is the challenge, the other way round.
class MirrorClient final : public engine::SaslClientExchange {
public:
    std::optional<std::string> initial_response() override { return std::nullopt; }
    std::optional<std::string> respond(std::string_view challenge) override {
        if (challenge.empty() || challenge.size() > 600) return std::nullopt;
        return std::string(challenge.rbegin(), challenge.rend());
    }
    bool finish(std::string_view additional_data) override { return additional_data != "no"; }
};

class MirrorServer final : public engine::SaslServerExchange {
public:
    Step step(std::optional<std::string_view> response) override {
        if (steps_ > 0 && response.value_or("") != std::to_string(steps_ + 20))
            return {Step::Kind::denied, "mirror", {}};
        if (++steps_ > 3) return {Step::Kind::accepted, "mirror", "well done"};
        const std::string answer = std::to_string(steps_ + 20);
        return {Step::Kind::challenge, std::string(answer.rbegin(), answer.rend()), {}};
    }

private:
    int steps_ = 0;
};

engine::SaslMechanism mirror() {
    engine::SaslMechanism mechanism;
    mechanism.name = "X-MIRROR";
    mechanism.make_client = [] { return std::make_unique<MirrorClient>(); };
    mechanism.make_server = [] { return std::make_unique<MirrorServer>(); };
    return mechanism;
}

void check_written(const codec::Encoder& output) {
    auto rest = output.written();
    const codec::FrameParser parser(codec::protocol::min_max_frame_size);
    while (!rest.empty()) {
        const auto step = parser.next(rest);
        APROTIC_ASSERT(step.status == codec::FrameParser::Status::frame);
        APROTIC_ASSERT(step.frame.type == codec::FrameType::sasl && !step.frame.empty());
        rest = rest.subspan(step.size);
    }
}

/// The stream in pieces, so that frames are cut anywhere.
void feed(SaslLayer& layer, const codec::Encoder& output, std::span<const std::uint8_t> input, std::size_t piece) {
    layer.start();
    std::vector<std::byte> waiting;
    std::size_t done = 0;
    while (done < input.size() && layer.status() == SaslLayer::Status::going_on) {
        const auto next = input.subspan(done, std::min(piece, input.size() - done));
        std::transform(next.begin(), next.end(), std::back_inserter(waiting),
                       [](std::uint8_t o) { return std::byte{o}; });
        done += next.size();
        const std::size_t consumed = layer.feed(waiting);
        APROTIC_ASSERT(consumed <= waiting.size());
        waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(consumed));
        // No frame may be larger, so no more of one can be waited for.
        if (layer.status() == SaslLayer::Status::going_on)
            APROTIC_ASSERT(waiting.size() < codec::protocol::min_max_frame_size);
        check_written(output);
    }
    const std::size_t written = output.size();
    if (layer.status() != SaslLayer::Status::going_on) {
        APROTIC_ASSERT(layer.feed(waiting) == 0);
        APROTIC_ASSERT(output.size() == written);
    }
    if (layer.status() == SaslLayer::Status::failed) APROTIC_ASSERT(!layer.failure().text.empty());
    // What the peer says itself, it may read again.
    if (has_secret(input)) return;
    APROTIC_ASSERT(layer.failure().text.find(secret) == std::string::npos);
    APROTIC_ASSERT(layer.progress().find(secret) == std::string::npos);
}

void be_client(std::uint8_t flags, std::size_t piece, std::span<const std::uint8_t> input) {
    engine::SaslClientOptions options;
    options.enabled = true;
    if ((flags & 2U) != 0) {
        options.username = (flags & 64U) != 0 ? std::string(600, 'u') : "user";
        options.password = secret;
    }
    if ((flags & 4U) != 0) options.token = [] { return std::string(secret); };
    if ((flags & 8U) != 0) options.own_mechanisms.push_back(mirror());
    if ((flags & 16U) != 0) options.authorization_id = "other";
    const engine::stack::SaslSurroundings around{.private_stream = (flags & 32U) != 0, .host = "server"};
    codec::Encoder output;
    engine::stack::SaslClient client(options, "server", around, output);
    feed(client, output, input, piece);
}

void be_server(std::uint8_t flags, std::size_t piece, std::span<const std::uint8_t> input) {
    engine::SaslServerOptions options;
    options.allow_anonymous = (flags & 2U) != 0;
    options.verify_password = [](std::string_view user, std::string_view password) {
        return user == "user" && password == secret;
    };
    options.verify_token = [](std::string_view token) {
        return token == secret ? std::optional<std::string>("user") : std::nullopt;
    };
    if ((flags & 4U) != 0) options.own_mechanisms.push_back(mirror());
    engine::stack::SaslSurroundings around{.private_stream = (flags & 8U) != 0};
    if ((flags & 16U) != 0) {
        around.tls.emplace();
        around.tls->verified = true;
        around.tls->common_name = "certified";
    }
    codec::Encoder output;
    engine::stack::SaslServer server(options, around, output);
    feed(server, output, input, piece);
    if (server.status() != SaslLayer::Status::succeeded) return;
    const auto& who = server.identity();
    if (who.mechanism == "ANONYMOUS") APROTIC_ASSERT(options.allow_anonymous && who.user.empty());
    if (who.mechanism == "EXTERNAL") APROTIC_ASSERT(around.tls && who.user == "certified");
    if (who.user == "user") APROTIC_ASSERT(has_secret(input));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::span<const std::uint8_t> rest(data + 2, size - 2);
    const std::size_t piece = data[1] == 0 ? SIZE_MAX : data[1];
    if ((data[0] & 1U) == 0) {
        be_client(data[0], piece, rest);
    } else {
        be_server(data[0], piece, rest);
    }
    return 0;
}
