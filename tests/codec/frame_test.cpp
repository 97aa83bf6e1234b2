#include "printing.hpp"

#include <aprotic/codec/frame.hpp>

using namespace aprotic::codec;
using namespace aprotic::test;
using Status = FrameParser::Status;

namespace {

FrameParser::Step parse(std::string_view hex, std::uint32_t max = 65536) {
    static std::vector<std::byte> octets;  // the step views them
    octets = from_hex(hex);
    return FrameParser(max).next(octets);
}

}  // namespace

TEST_CASE("protocol headers are eight octets", "[2.2-a][2.2-l][2.2-g]") {
    CHECK(to_hex(ProtocolHeader(ProtocolId::amqp).serialise()) == "414d515000010000");
    CHECK(to_hex(ProtocolHeader(ProtocolId::sasl).serialise()) == "414d515003010000");
    CHECK(to_hex(ProtocolHeader(ProtocolId::tls).serialise()) == "414d515002010000");
    const auto octets = from_hex("'AMQP' 03 01 00 00");
    for (std::size_t n = 0; n < 8; ++n)
        CHECK(ProtocolHeader::parse(std::span(octets).first(n)).error() == Errc::incomplete);
    CHECK(ProtocolHeader::parse(octets)->is(ProtocolId::sasl));
    const auto old = ProtocolHeader::parse(from_hex("'AMQP' 00 00 09 01"));
    REQUIRE(old);
    CHECK(old->minor == 9);
    CHECK_FALSE(old->is(ProtocolId::amqp));
    CHECK(ProtocolHeader::parse(from_hex("'H'")).error() == Errc::bad_protocol_header);
    CHECK(ProtocolHeader::parse(from_hex("'amqp' 00 01 00 00")).error() == Errc::bad_protocol_header);
    CHECK(ProtocolHeader::parse(from_hex("'AMQ' 00")).error() == Errc::bad_protocol_header);
}

TEST_CASE("a frame is eight octets and a body", "[2.3-a][2.3.1]") {
    const auto step = parse("00000010 02 00 0007 00 53 16 c0 03 01 52 05");
    REQUIRE(step.status == Status::frame);
    CHECK(step.size == 16);
    CHECK(step.frame.channel == 7);
    CHECK(step.frame.is(descriptor::detach));
    CHECK(step.frame.as<Detach>()->handle == 5);
    CHECK(step.frame.as<Flow>().error() == Errc::wrong_archetype);
    CHECK(step.frame.payload.empty());
    CHECK_FALSE(step.frame.empty());
}

TEST_CASE("a frame without body is legal", "[2.3.2-c]") {
    const auto step = parse("00000008 02 00 0003");
    REQUIRE(step.status == Status::frame);
    CHECK(step.frame.empty());
    CHECK(to_hex(empty_frame(3)) == "0000000802000003");
}

TEST_CASE("an extended header is stepped over", "[2.3-e]") {
    const auto step = parse("00000014 04 00 0000 deadbeefdeadbeef 00 53 17 45");
    REQUIRE(step.status == Status::frame);
    CHECK(step.frame.is(descriptor::end));
}

TEST_CASE("impossible frame headers are refused on sight", "[2.3-b][2.3-c][2.3-d][2.3-f]") {
    const auto error_of = [](std::string_view hex, std::uint32_t max = 65536) {
        const auto step = parse(hex, max);
        CHECK(step.size == 0);
        return step.error;
    };
    for (const char* hex : {"00000000", "00000001", "00000004", "00000007 02 00 0000"})
        CHECK(error_of(hex) == Errc::frame_size_too_small);
    CHECK(error_of("00000201", 512) == Errc::frame_too_large);
    CHECK(parse("00000200", 512).status == Status::need_more);
    CHECK(error_of("ffffffff") == Errc::frame_too_large);
    CHECK(error_of("00000008 00") == Errc::frame_doff_too_small);
    CHECK(error_of("00000008 01 00 0000") == Errc::frame_doff_too_small);
    CHECK(error_of("00000008 03 00 0000") == Errc::frame_doff_beyond_size);
    CHECK(error_of("00000020 ff") == Errc::frame_doff_beyond_size);
    CHECK(error_of("00000008 02 02") == Errc::unknown_frame_type);
    CHECK(error_of("00000008 02 ff 0000") == Errc::unknown_frame_type);
    CHECK(error_of("'AMQP' 00 01 00 00") == Errc::frame_too_large);
}

TEST_CASE("bodies that are not a performative are refused", "[2.3.2-a][2.3.2-b][2.3-g][1.2-g]") {
    const auto error_of = [](std::string_view body, const char* type = "00") {
        const auto octets = from_hex(body);
        auto step = parse("000000" + to_hex(std::array{static_cast<std::byte>(octets.size() + 8)}) + "02" + type +
                          "0000" + std::string(body));
        CHECK(step.size == octets.size() + 8);
        return step.error;
    };
    CHECK(error_of("40") == Errc::bad_descriptor);
    CHECK(error_of("45") == Errc::bad_descriptor);
    CHECK(error_of("00 53 70 45") == Errc::unknown_performative);
    CHECK(error_of("00 53 19 45") == Errc::unknown_performative);
    CHECK(error_of("00 a3 01 'x' 45") == Errc::unknown_performative);
    CHECK(error_of("00 52 10 45") == Errc::bad_descriptor);
    CHECK(error_of("00 53 17") == Errc::truncated);
    CHECK(error_of("00 53 17 c0 09 01") == Errc::length_out_of_bounds);
    CHECK(error_of("00 53 17 45 00 53 17 45") == Errc::unexpected_payload);
    CHECK(error_of("00 53 10 45", "01") == Errc::unknown_performative);
    CHECK(error_of("00 53 40 45", "00") == Errc::unknown_performative);
    CHECK_FALSE(error_of("00 53 44 c0 03 01 50 00", "01"));
    CHECK_FALSE(error_of("00 a3 0d 'amqp:end:list' 45"));
}

TEST_CASE("a stream of frames is the same however it is cut", "[2.3-h]") {
    std::vector<std::byte> stream;
    const auto append = [&](std::span<const std::byte> octets) {
        stream.insert(stream.end(), octets.begin(), octets.end());
    };
    append(encode_frame(0, Open{.container_id = "c"}).span());
    append(encode_frame(1, Begin{}).span());
    append(empty_frame());
    append(encode_frame(1, Transfer{.handle = 2, .delivery_id = 3}, as_bytes("payload")).span());
    append(encode_frame(0, SaslOutcome{}).span());
    append(encode_frame(1, Performative(End{})).span());
    const FrameParser parser(512);
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        std::vector<std::byte> buffer(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(cut));
        std::vector<std::uint64_t> codes;
        std::size_t at = 0;
        bool rest_added = false;
        while (true) {
            const auto step = parser.next(std::span(buffer).subspan(at));
            REQUIRE(step.status != Status::error);
            if (step.status == Status::need_more) {
                CHECK(step.size > buffer.size() - at);
                if (rest_added) break;
                buffer.insert(buffer.end(), stream.begin() + static_cast<std::ptrdiff_t>(cut), stream.end());
                rest_added = true;
                continue;
            }
            codes.push_back(step.frame.code);
            if (step.frame.is(descriptor::transfer)) CHECK(as_text(step.frame.payload) == "payload");
            if (step.frame.is(descriptor::sasl_outcome)) CHECK(step.frame.type == FrameType::sasl);
            at += step.size;
        }
        CHECK(at == stream.size());
        CHECK(codes == std::vector<std::uint64_t>{0x10, 0x11, 0, 0x14, 0x44, 0x17});
    }
}

TEST_CASE("frames are written with room for a payload sent from elsewhere", "[2.3-a]") {
    std::array<std::byte, 64> out{};
    const auto size = write_frame(out, 1, Transfer{.handle = 0}, 1000);
    REQUIRE(size);
    CHECK(to_hex(std::span(out).first(*size)) ==
          "000003f7"
          "02000001"
          "005314c0020143");
    CHECK(write_frame(std::span(out).first(10), 1, Transfer{.handle = 0}).error() == Errc::buffer_too_small);
    CHECK(write_frame(out, 9, SaslOutcome{}).value_or(0) == 16);
    CHECK(to_hex(std::span(out).first(16)) ==
          "00000010020100000053"
          "44c003015000");
    CHECK(to_hex(encode_frame(9, SaslFrame(SaslOutcome{})).span().first(8)) == "0000001002010000");
}

TEST_CASE("a plain transfer is written as any transfer with its fields", "[2.7.5]") {
    constexpr std::uint32_t numbers[] = {0, 1, 0xff, 0x100, 0xffff'ffff};
    const DeliveryTag tags[] = {DeliveryTag::from_number(0), DeliveryTag::from_number(0x1234567),
                                DeliveryTag(std::string(32, 't'))};
    std::array<std::byte, plain_transfer_max> out{};
    std::array<std::byte, 128> expected{};
    for (const std::uint32_t number : numbers) {
        for (const bool flag : {false, true}) {
            for (std::size_t i = 0; i <= std::size(tags); ++i) {
                const DeliveryTag* const tag = i < std::size(tags) ? &tags[i] : nullptr;
                const PlainTransfer plain{.handle = number,
                                          .delivery_id = ~number,
                                          .tag = tag,
                                          .message_format = number,
                                          .settled = flag,
                                          .more = !flag};
                Transfer transfer{.handle = number, .delivery_id = ~number, .settled = flag, .more = !flag};
                if (tag != nullptr) {
                    transfer.delivery_tag = *tag;
                    transfer.message_format = number;
                }
                const std::size_t size = write_plain_transfer(out.data(), 0xfedc, plain, number / 2);
                REQUIRE(size <= out.size());
                const auto wanted = write_frame(expected, 0xfedc, transfer, number / 2);
                REQUIRE(wanted);
                CHECK(to_hex(std::span(out).first(size)) == to_hex(std::span(expected).first(*wanted)));
                Transfer read;
                REQUIRE(read_plain_transfer(std::span(out).subspan(8, size - 8), read));
                CHECK(read == transfer);
                for (std::size_t cut = 8; cut < size; ++cut)
                    CHECK_FALSE(read_plain_transfer(std::span(out).subspan(8, cut - 8), read));
            }
        }
    }
}

TEST_CASE("a transfer that says more is no plain one", "[2.7.5]") {
    const auto is_plain = [](const Transfer& transfer) {
        Transfer read;
        const bool plain = read_plain_transfer(encode_as(transfer).span(), read);
        return plain && read == transfer;
    };
    CHECK(is_plain({.handle = 1}));
    CHECK(is_plain({.handle = 1, .delivery_id = 7, .more = true}));
    CHECK_FALSE(is_plain({.handle = 1, .rcv_settle_mode = ReceiverSettleMode::second}));
    CHECK_FALSE(is_plain({.handle = 1, .state = Accepted{}}));
    CHECK_FALSE(is_plain({.handle = 1, .aborted = true}));
    Transfer read;
    CHECK_FALSE(read_plain_transfer(from_hex("00 53 14 45"), read));              // no handle
    CHECK_FALSE(read_plain_transfer(from_hex("00 53 14 c0 02 01 40"), read));     // null
    CHECK_FALSE(read_plain_transfer(from_hex("00 53 14 c0 03 01 43 43"), read));  // more than it counts
    CHECK_FALSE(read_plain_transfer(from_hex("00 53 14 c0 02 02 43"), read));     // less
    CHECK_FALSE(read_plain_transfer(from_hex("00 53 15 c0 02 01 43"), read));
}

TEST_CASE("a message in one frame is read in one go, and as the general way reads it, or not at all", "[2.7.5]") {
    // Whether it was read; what it says is held against the general way.
    const auto is_read = [](std::span<const std::byte> input) {
        WholeTransfer whole;
        const std::size_t size = read_whole_transfer(input, 4096, whole);
        if (size == 0) return false;
        const FrameParser::Step step = FrameParser(4096).next(input);
        REQUIRE(step.status == FrameParser::Status::frame);
        REQUIRE(step.frame.is(descriptor::transfer));
        const auto transfer = step.frame.as<Transfer>();
        REQUIRE(transfer);
        const Transfer wanted{.handle = whole.handle,
                              .delivery_id = whole.delivery_id,
                              .delivery_tag = DeliveryTag(whole.tag),
                              .message_format = transfer->message_format,
                              .settled = transfer->settled};
        CHECK(*transfer == wanted);
        CHECK(whole.message_format == transfer->message_format.value_or(0));
        CHECK(whole.settled == transfer->settled.value_or(false));
        CHECK(whole.channel == step.frame.channel);
        CHECK(size == step.size);
        CHECK(whole.payload.data() == step.frame.payload.data());
        CHECK(whole.payload.size() == step.frame.payload.size());
        return true;
    };
    const Bytes behind = Bytes::copy_of(std::string(80, 'b'));
    const auto with = [&](const Transfer& transfer, std::string_view payload) {
        Encoder to;
        append_frame(to, 0xfedc, transfer, payload.size());
        to.append_raw(as_bytes(payload));
        to.append_raw(behind.span());
        return to.take();
    };
    const Transfer usual{.handle = 3, .delivery_id = 70000, .delivery_tag = DeliveryTag("ab"), .message_format = 0};
    CHECK(is_read(with(usual, "payload").span()));
    CHECK(is_read(with(usual, "").span()));
    CHECK(is_read(
        with({.handle = 300, .delivery_id = 0, .delivery_tag = DeliveryTag(std::string(32, 't'))}, "p").span()));
    Transfer settled = usual;
    settled.settled = true;
    CHECK(is_read(with(settled, "payload").span()));
    Transfer more = usual;
    more.more = true;
    CHECK_FALSE(is_read(with(more, "payload").span()));
    Transfer aborted = usual;
    aborted.aborted = true;
    CHECK_FALSE(is_read(with(aborted, "payload").span()));
    CHECK_FALSE(is_read(with({.handle = 3, .delivery_id = 1}, "payload").span()));
    CHECK_FALSE(is_read(with({.handle = 3, .delivery_tag = DeliveryTag("ab")}, "payload").span()));
    CHECK_FALSE(is_read(with(usual, std::string(5000, 'p')).span()));  // larger than the limit

    // Whatever octet is another, and wherever the input ends.
    for (const Transfer& transfer : {usual, settled, more}) {
        const Bytes whole = with(transfer, "payload");
        std::vector<std::byte> octets(whole.span().begin(), whole.span().end());
        for (std::size_t at = 0; at < 40; ++at) {
            const std::byte before = octets[at];
            for (unsigned value = 0; value < 256; ++value) {
                octets[at] = static_cast<std::byte>(value);
                static_cast<void>(is_read(octets));
            }
            octets[at] = before;
        }
        for (std::size_t end = 0; end < octets.size(); ++end) {
            const std::vector<std::byte> cut(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(end));
            static_cast<void>(is_read(cut));
        }
    }
}

TEST_CASE("128 octets hold every hot frame", "[2.7.4][2.7.5][2.7.6]") {
    std::array<std::byte, 128> out{};
    constexpr std::uint32_t most = 0xffff'ffff;
    CHECK(write_frame(out, 65535,
                      Transfer{.handle = most,
                               .delivery_id = most,
                               .delivery_tag = DeliveryTag(std::string(32, 'x')),
                               .message_format = most,
                               .settled = true,
                               .more = true,
                               .rcv_settle_mode = ReceiverSettleMode::second,
                               .state = Accepted{},
                               .resume = true,
                               .aborted = true,
                               .batchable = true}));
    CHECK(write_frame(out, 65535,
                      Flow{.next_incoming_id = most,
                           .incoming_window = most,
                           .next_outgoing_id = most,
                           .outgoing_window = most,
                           .handle = most,
                           .delivery_count = most,
                           .link_credit = most,
                           .available = most,
                           .drain = true,
                           .echo = true}));
    CHECK(write_frame(out, 65535,
                      Disposition{.role = Role::receiver,
                                  .first = most,
                                  .last = most,
                                  .settled = true,
                                  .state = Modified{.delivery_failed = true, .undeliverable_here = true},
                                  .batchable = true}));
}
