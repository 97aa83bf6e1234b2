#pragma once

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/performatives.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/codec/sasl_frames.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace aprotic::codec {

enum class ProtocolId : std::uint8_t { amqp = 0, tls = 2, sasl = 3 };

/// The eight octets before the first frame of each layer: "AMQP", id, version. [2.2]
struct ProtocolHeader {
    static constexpr std::size_t size = 8;

    std::uint8_t id = 0;  ///< a ProtocolId, or whatever the peer sent
    std::uint8_t major = protocol::major;
    std::uint8_t minor = protocol::minor;
    std::uint8_t revision = protocol::revision;

    constexpr ProtocolHeader() = default;
    constexpr ProtocolHeader(ProtocolId protocol_id) : id(static_cast<std::uint8_t>(protocol_id)) {}
    constexpr ProtocolHeader(std::uint8_t i, std::uint8_t ma, std::uint8_t mi, std::uint8_t re)
        : id(i), major(ma), minor(mi), revision(re) {}

    constexpr bool is(ProtocolId protocol_id) const noexcept { return *this == ProtocolHeader(protocol_id); }
    std::array<std::byte, size> serialise() const noexcept;
    /// `incomplete` while the octets so far could become a header, `bad_protocol_header` as soon as they cannot. Any id
    /// and version parse: whether they are acceptable is the caller's question.
    static Result<ProtocolHeader> parse(std::span<const std::byte> input) noexcept;

    friend constexpr bool operator==(const ProtocolHeader&, const ProtocolHeader&) = default;
};

enum class FrameType : std::uint8_t { amqp = 0, sasl = 1 };

/// [2.3.1]
struct FrameHeader {
    static constexpr std::size_t size_min = 8;

    std::uint32_t size = 0;  ///< octets of the whole frame
    std::uint8_t doff = 2;   ///< where the body starts, in units of four octets
    std::uint8_t type = 0;
    std::uint16_t channel = 0;  ///< meaningless in SASL frames
};

/// A frame in the buffer in which it was received. Everything views that buffer.
struct FrameView {
    FrameType type = FrameType::amqp;
    std::uint16_t channel = 0;
    std::uint64_t code = 0;  ///< descriptor of the performative, numeric also where a symbol was sent; 0: no body
    std::span<const std::byte> frame;         ///< all of it
    std::span<const std::byte> body;          ///< performative and payload
    std::span<const std::byte> performative;  ///< from its 0x00 on
    std::span<const std::byte> payload;       ///< what follows the performative; only a transfer may have one

    /// No body: traffic for the idle time-out and nothing else. [2.3.2-c]
    bool empty() const noexcept { return body.empty(); }
    /// Which performative it is: `frame.is(descriptor::transfer)`.
    bool is(std::uint64_t descriptor_code) const noexcept { return code == descriptor_code; }
    /// Reads the performative as a T; fails when it is another. `frame.as<Flow>()`. Does not allocate for Transfer,
    /// Flow and Disposition without maps, strings or long binaries.
    template <class T>
    Result<T> as(const DecodeLimits& limits = {}) const {
        return decode_as<T>(performative, limits);
    }
    /// The same into `into`, which must not be used when this fails.
    template <class T>
    Result<void> read(T& into, const DecodeLimits& limits = {}) const {
        Decoder from(performative, limits);
        if (!decode(from, into) || !from.expect_end()) return from.error();
        return {};
    }
};

/// Takes frames off the front of a buffer. It keeps nothing but its limit, so bytes stay where they were received; the
/// caller calls `next` again with more. Not thread-safe.
class FrameParser {
public:
    /// `frame_size_max`: larger frames are refused on sight of their header. [2.3-b]
    explicit FrameParser(std::uint32_t frame_size_max = protocol::min_max_frame_size) noexcept : max_(frame_size_max) {}

    void set_frame_size_max(std::uint32_t octets) noexcept { max_ = octets; }
    std::uint32_t frame_size_max() const noexcept { return max_; }

    enum class Status : std::uint8_t {
        need_more,  ///< `size` octets are needed from the start of the input before there is a frame
        frame,      ///< `frame` is valid and `size` octets are consumed by it
        error  ///< the stream cannot go on; `error` says why. With `size` not 0 the header was right and the body is
               ///< bad
    };
    struct Step {
        Status status = Status::need_more;
        std::size_t size = 0;
        FrameView frame;
        std::error_code error;
    };
    Step next(std::span<const std::byte> input) const noexcept;

private:
    std::uint32_t max_;
};

/// Frame header and performative, written into `out`; the frame's SIZE counts `payload_size` octets more, which the
/// caller sends behind it. Returns the octets written. Fails with `buffer_too_small`. T is any performative,
/// Performative, any SASL frame or SaslFrame; SASL types make SASL frames, for which `channel` is ignored. 128 octets
/// hold every transfer (without state), flow (without properties) and disposition with a plain outcome.
template <class T>
Result<std::size_t> write_frame(std::span<std::byte> out, std::uint16_t channel, const T& performative,
                                std::size_t payload_size = 0);
/// The same appended to a growing encoder.
template <class T>
void append_frame(Encoder& to, std::uint16_t channel, const T& performative, std::size_t payload_size = 0);

/// What nearly every transfer says, and nothing else.
struct PlainTransfer {
    std::uint32_t handle = 0;
    std::uint32_t delivery_id = 0;
    const DeliveryTag* tag = nullptr;  ///< of the first frame of a delivery, which also says the format; else null
    std::uint32_t message_format = 0;
    bool settled = false;
    bool more = false;
};
constexpr std::size_t plain_transfer_max = 80;  ///< octets of it in a frame, the frame's header included
/// The same as write_frame for a transfer with these fields; `out` has plain_transfer_max octets. Returns those
/// written.
std::size_t write_plain_transfer(std::byte* out, std::uint16_t channel, const PlainTransfer& transfer,
                                 std::size_t payload_size) noexcept;

/// Reads such a transfer, with nothing behind it, into a new struct. False, and what is in the struct means nothing: it
/// says more, or something is wrong with it, which FrameView::read tells.
bool read_plain_transfer(std::span<const std::byte> performative, Transfer& into);

/// A frame of such a transfer that begins and ends its delivery, where it was received: a message that fits into one
/// frame.
struct WholeTransfer {
    std::uint16_t channel = 0;
    bool settled = false;
    std::uint32_t handle = 0;
    std::uint32_t delivery_id = 0;
    std::uint32_t message_format = 0;    ///< 0 also where the frame says none [2.7.5-f]
    std::span<const std::byte> tag;      ///< at most DeliveryTag::size_max octets
    std::span<const std::byte> payload;  ///< views `input`, as the tag does
};
/// Looks for one at the front of `input`, in one go; more may come behind it. Returns the octets of the frame. 0, and
/// what is in `into` means nothing: it is another frame, or not all there, or near the end of `input`, or something is
/// wrong with it; FrameParser says which.
std::size_t read_whole_transfer(std::span<const std::byte> input, std::uint32_t frame_size_max,
                                WholeTransfer& into) noexcept;

/// A whole frame in its own memory. For anything that is not hot.
template <class T>
Bytes encode_frame(std::uint16_t channel, const T& performative, std::span<const std::byte> payload = {}) {
    Encoder to;
    append_frame(to, channel, performative, payload.size());
    to.append_raw(payload);
    return to.take();
}

/// A frame without body. [2.3.2-c]
std::array<std::byte, FrameHeader::size_min> empty_frame(std::uint16_t channel = 0) noexcept;

}  // namespace aprotic::codec
