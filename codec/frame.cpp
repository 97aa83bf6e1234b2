#include <aprotic/codec/frame.hpp>
#include <aprotic/codec/wire.hpp>

#include <algorithm>

namespace aprotic::codec {

namespace {

constexpr std::array<std::byte, 4> magic{std::byte{'A'}, std::byte{'M'}, std::byte{'Q'}, std::byte{'P'}};
constexpr std::uint8_t doff_min = 2;

/// The same for what nearly every peer sends: a descriptor of one octet and a list8. False, and nothing done, on
/// anything else.
bool split_plainly(FrameView& view) noexcept {
    const std::span<const std::byte> body = view.body;
    if (view.type != FrameType::amqp || body.size() < 5 || load_be<std::uint16_t>(body.data()) != code::smallulong)
        return false;
    const auto found = std::to_integer<std::uint8_t>(body[2]);
    if (found < descriptor::open || found > descriptor::close || body[3] != std::byte{code::list8}) return false;
    const std::size_t size = 5 + std::to_integer<std::size_t>(body[4]);
    if (size > body.size() || (size < body.size() && found != descriptor::transfer)) return false;
    view.code = found;
    view.performative = body.first(size);
    view.payload = body.subspan(size);
    return true;
}

/// Splits a body into performative and payload without reading the performative. [2.3.2]
Errc split(FrameView& view) noexcept {
    if (split_plainly(view)) return {};
    Decoder from(view.body);
    const Descriptor found = from.read_descriptor();
    if (!from.ok()) return from.errc();
    const std::optional<std::uint64_t> code = found.resolve();
    const bool sasl = view.type == FrameType::sasl;
    const std::uint64_t first = sasl ? descriptor::sasl_mechanisms : descriptor::open;
    const std::uint64_t last = sasl ? descriptor::sasl_outcome : descriptor::close;
    if (!code || *code < first || *code > last) return Errc::unknown_performative;  // [2.3.2-a]
    from.skip();
    if (!from.ok()) return from.errc();
    view.code = *code;
    view.performative = view.body.first(from.offset());
    view.payload = view.body.subspan(from.offset());
    if (!view.payload.empty() && view.code != descriptor::transfer) return Errc::unexpected_payload;  // [2.3.2-b]
    return {};
}

template <class T>
constexpr bool is_sasl = Table<T>::code >= descriptor::sasl_mechanisms;
template <>
constexpr bool is_sasl<SaslFrame> = true;
template <>
constexpr bool is_sasl<Performative> = false;

}  // namespace

std::array<std::byte, ProtocolHeader::size> ProtocolHeader::serialise() const noexcept {
    return {magic[0],      magic[1],         magic[2],         magic[3],
            std::byte{id}, std::byte{major}, std::byte{minor}, std::byte{revision}};
}

Result<ProtocolHeader> ProtocolHeader::parse(std::span<const std::byte> input) noexcept {
    const std::size_t n = std::min(input.size(), magic.size());
    if (!std::equal(magic.begin(), magic.begin() + static_cast<std::ptrdiff_t>(n), input.begin()))
        return Errc::bad_protocol_header;
    if (input.size() < size) return Errc::incomplete;
    const auto octet = [&](std::size_t i) { return std::to_integer<std::uint8_t>(input[i]); };
    return ProtocolHeader(octet(4), octet(5), octet(6), octet(7));
}

FrameParser::Step FrameParser::next(std::span<const std::byte> input) const noexcept {
    Step step;
    const auto refuse = [&](Errc error, std::size_t size) {
        step.status = Status::error;
        step.size = size;
        step.error = make_error_code(error);
        return step;
    };
    if (input.size() < 4) {
        step.size = FrameHeader::size_min;
        return step;
    }
    // Each octet of the header is judged as soon as it is there: nobody waits for the rest of an impossible frame.
    const std::uint32_t size = load_be<std::uint32_t>(input.data());
    if (size < FrameHeader::size_min) return refuse(Errc::frame_size_too_small, 0);  // [2.3-b]
    if (size > max_) return refuse(Errc::frame_too_large, 0);
    if (input.size() > 4) {
        const auto doff = std::to_integer<std::uint8_t>(input[4]);
        if (doff < doff_min) return refuse(Errc::frame_doff_too_small, 0);                 // [2.3-c]
        if (std::size_t{doff} * 4 > size) return refuse(Errc::frame_doff_beyond_size, 0);  // [2.3-d]
    }
    if (input.size() > 5 && std::to_integer<std::uint8_t>(input[5]) > static_cast<std::uint8_t>(FrameType::sasl)) {
        return refuse(Errc::unknown_frame_type, 0);  // [2.3-f]
    }
    step.size = size;
    if (input.size() < size) return step;

    step.frame.frame = input.first(size);
    step.frame.type = static_cast<FrameType>(input[5]);
    step.frame.channel =
        step.frame.type == FrameType::amqp ? load_be<std::uint16_t>(input.data() + 6) : std::uint16_t{0};
    step.frame.body = step.frame.frame.subspan(4 * std::to_integer<std::size_t>(input[4]));  // extended header: [2.3-e]
    step.status = Status::frame;
    if (!step.frame.body.empty()) {
        if (const Errc error = split(step.frame); error != Errc{}) return refuse(error, size);
    }
    return step;
}

template <class T>
void append_frame(Encoder& to, std::uint16_t channel, const T& performative, std::size_t payload_size) {
    const std::size_t start = to.size();
    to.append_u32(0);
    to.append_u8(doff_min);
    to.append_u8(static_cast<std::uint8_t>(is_sasl<T> ? FrameType::sasl : FrameType::amqp));
    to.append_u16(is_sasl<T> ? std::uint16_t{0} : channel);
    encode(to, performative);
    const std::size_t size = to.size() - start + payload_size;
    if (size > 0xffff'ffff) to.fail(Errc::too_large_to_encode);
    to.patch_u32(start, static_cast<std::uint32_t>(size));
}

template <class T>
Result<std::size_t> write_frame(std::span<std::byte> out, std::uint16_t channel, const T& performative,
                                std::size_t payload_size) {
    Encoder to(out);
    append_frame(to, channel, performative, payload_size);
    if (!to.ok()) return to.error();
    return to.size();
}

std::size_t write_plain_transfer(std::byte* out, std::uint16_t channel, const PlainTransfer& transfer,
                                 std::size_t payload_size) noexcept {
    constexpr std::size_t fields_at = 14;  // behind the frame's header, descriptor and the list's size and count
    std::byte* at = out + fields_at;
    const auto octet = [&at](std::uint8_t value) { *at++ = static_cast<std::byte>(value); };
    const auto number = [&at](std::uint32_t value) {
        if (value > 0xff) {
            *at = std::byte{code::uint};
            store_be(at + 1, value);
            at += 5;
        } else if (value == 0) {
            *at++ = std::byte{code::uint0};
        } else {
            *at = std::byte{code::smalluint};
            at[1] = static_cast<std::byte>(value);
            at += 2;
        }
    };
    number(transfer.handle);
    number(transfer.delivery_id);
    if (transfer.tag != nullptr) {
        const auto tag = transfer.tag->span();
        octet(code::vbin8);
        octet(static_cast<std::uint8_t>(tag.size()));
        copy_short(at, tag);
        at += tag.size();
        number(transfer.message_format);
    } else {
        octet(code::null);
        octet(code::null);
    }
    octet(transfer.settled ? code::true_ : code::false_);
    if (transfer.more) octet(code::true_);
    const auto size = static_cast<std::size_t>(at - out);
    store_be(out, static_cast<std::uint32_t>(size + payload_size));
    store_be(out + 4, static_cast<std::uint32_t>(std::uint32_t{doff_min} << 24U | channel));
    constexpr std::uint32_t head =
        std::uint32_t{code::smallulong} << 16U | std::uint32_t{descriptor::transfer} << 8U | code::list8;
    store_be(out + 8, head);
    out[12] = static_cast<std::byte>(size - 13);  // the count is part of it
    out[13] = std::byte{transfer.more ? std::uint8_t{6} : std::uint8_t{5}};
    return size;
}

namespace {

/// Steps over a uint; five octets from `at` on can be read.
[[gnu::always_inline]] inline bool take_number(const std::byte*& at, std::uint32_t& value) noexcept {
    if (*at == std::byte{code::smalluint}) {
        value = std::to_integer<std::uint32_t>(at[1]);
        at += 2;
    } else if (*at == std::byte{code::uint}) {
        value = load_be<std::uint32_t>(at + 1);
        at += 5;
    } else {
        value = 0;
        return *at++ == std::byte{code::uint0};
    }
    return true;
}

}  // namespace

std::size_t read_whole_transfer(std::span<const std::byte> input, std::uint32_t frame_size_max,
                                WholeTransfer& into) noexcept {
    constexpr std::size_t fields_at = 14;
    // Of handle, id, tag with its constructor and length, format, settled, more. With so much there no field needs a
    // look at where the frame or the input ends: what is beyond the list's end is seen when all have been read.
    constexpr std::size_t fields_max = 5 + 5 + 2 + DeliveryTag::size_max + 5 + 1 + 1;
    if (input.size() < fields_at + fields_max) return 0;
    const std::byte* const frame = input.data();
    const std::size_t size = load_be<std::uint32_t>(frame);
    constexpr std::uint32_t head =
        std::uint32_t{code::smallulong} << 16U | std::uint32_t{descriptor::transfer} << 8U | code::list8;
    if (size > input.size() || size > frame_size_max || load_be<std::uint16_t>(frame + 4) != doff_min << 8U ||
        load_be<std::uint32_t>(frame + 8) != head) {
        return 0;
    }
    const auto count = std::to_integer<std::uint8_t>(frame[13]);
    const std::byte* const end = frame + 13 + std::to_integer<std::size_t>(frame[12]);  // the count is part of it
    if (count < 3 || count > 6 || end > frame + size) return 0;

    const std::byte* at = frame + fields_at;
    if (!take_number(at, into.handle) || !take_number(at, into.delivery_id) || *at != std::byte{code::vbin8}) return 0;
    const std::size_t tag_size = std::to_integer<std::size_t>(at[1]);
    if (tag_size > DeliveryTag::size_max) return 0;
    into.tag = {at + 2, tag_size};
    at += 2 + tag_size;
    into.message_format = 0;
    into.settled = false;
    if (count > 3) {
        if (*at == std::byte{code::null}) {
            ++at;
        } else if (!take_number(at, into.message_format)) {
            return 0;
        }
    }
    if (count > 4) {
        into.settled = *at == std::byte{code::true_};
        if (!into.settled && *at != std::byte{code::false_} && *at != std::byte{code::null}) return 0;
        ++at;
    }
    if (count > 5) {
        if (*at != std::byte{code::false_} && *at != std::byte{code::null}) return 0;
        ++at;
    }
    if (at != end) return 0;
    into.channel = load_be<std::uint16_t>(frame + 6);
    into.payload = {at, frame + size};
    return size;
}

#define APROTIC_FRAME(T)                                                                                  \
    template Result<std::size_t> write_frame(std::span<std::byte>, std::uint16_t, const T&, std::size_t); \
    template void append_frame(Encoder&, std::uint16_t, const T&, std::size_t);
APROTIC_FRAME(Open)
APROTIC_FRAME(Begin)
APROTIC_FRAME(Attach)
APROTIC_FRAME(Flow)
APROTIC_FRAME(Transfer)
APROTIC_FRAME(Disposition)
APROTIC_FRAME(Detach)
APROTIC_FRAME(End)
APROTIC_FRAME(Close)
APROTIC_FRAME(Performative)
APROTIC_FRAME(SaslMechanisms)
APROTIC_FRAME(SaslInit)
APROTIC_FRAME(SaslChallenge)
APROTIC_FRAME(SaslResponse)
APROTIC_FRAME(SaslOutcome)
APROTIC_FRAME(SaslFrame)
#undef APROTIC_FRAME

std::array<std::byte, FrameHeader::size_min> empty_frame(std::uint16_t channel) noexcept {
    std::array<std::byte, FrameHeader::size_min> frame{};
    store_be(frame.data(), static_cast<std::uint32_t>(frame.size()));
    frame[4] = std::byte{doff_min};
    store_be(frame.data() + 6, channel);
    return frame;
}

}  // namespace aprotic::codec
