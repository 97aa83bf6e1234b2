// What other implementations put on the wire: oslo.messaging over pyngus and Proton, qpidd, qdrouterd, the Proton
// broker.
#include "printing.hpp"

#include <aprotic/codec/described_codec.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/message_view.hpp>
#include <support/golden.hpp>

#include <map>

using namespace aprotic::codec;
using namespace aprotic::test;

namespace {

const std::filesystem::path folder = std::string(APROTIC_TEST_DATA_DIR) + "/captures";

struct Seen {
    std::size_t frames = 0;
    std::size_t messages = 0;
};

/// Reads every frame and message, and writes each again: what we write must mean the same.
void read_all(std::span<const std::byte> input, Seen& seen) {
    const FrameParser parser(1U << 24U);
    std::map<std::pair<std::uint16_t, std::uint32_t>, ByteChain> deliveries;
    while (!input.empty()) {
        if (ProtocolHeader::parse(input)) {
            input = input.subspan(ProtocolHeader::size);
            continue;
        }
        const FrameParser::Step step = parser.next(input);
        REQUIRE(step.status == FrameParser::Status::frame);
        input = input.subspan(step.size);
        ++seen.frames;
        const FrameView& frame = step.frame;
        if (frame.empty()) continue;
        if (frame.type == FrameType::sasl) {
            const auto body = frame.as<SaslFrame>();
            REQUIRE(body);
            CHECK(*decode_as<SaslFrame>(encode_as(*body).span()) == *body);
            continue;
        }
        const auto body = frame.as<Performative>();
        INFO(to_string(frame));
        REQUIRE(body);
        CHECK(*decode_as<Performative>(encode_as(*body).span()) == *body);
        const auto* transfer = std::get_if<Transfer>(&*body);
        if (transfer == nullptr) continue;
        ByteChain& delivery = deliveries[{frame.channel, transfer->handle}];
        delivery.append(Bytes::copy_of(frame.payload));
        if (transfer->more) continue;
        const MessageView view(std::exchange(delivery, {}));
        REQUIRE(view.ok());
        const Result<Message> message = view.to_message();
        REQUIRE(message);
        CHECK(*decode_message(encode(*message).octets()) == *message);
        ++seen.messages;
    }
}

}  // namespace

TEST_CASE("every captured frame and message is read and written again", "[0.2-d][1.4-i]") {
    Seen seen;
    for (const auto& file : files_below(folder, ".bin")) {
        INFO(file.string());
        read_all(read_octets(file), seen);
    }
    CHECK(seen.frames > 500);
    CHECK(seen.messages > 50);
}

TEST_CASE("every captured stream is shown in full") {
    for (const auto& file : files_below(folder, ".bin")) {
        const Dump shown = dump(DumpAs::frames, read_octets(file));
        INFO(file.string() << "\n" << shown.text);
        CHECK(shown.ok);
        CHECK(shown.frames > 0);
    }
}

TEST_CASE("captures that are cut or damaged end in an error and nothing else", "[1.2-f]") {
    for (const auto& file : files_below(folder / "kinds", ".bin")) {
        const auto octets = read_octets(file);
        for (std::size_t i = 0; i < octets.size(); i += 1 + octets.size() / 200) {
            static_cast<void>(dump(DumpAs::frames, std::span(octets).first(i)));
            auto damaged = octets;
            damaged[i] ^= std::byte{0xff};
            static_cast<void>(dump(DumpAs::frames, damaged));
        }
    }
}
