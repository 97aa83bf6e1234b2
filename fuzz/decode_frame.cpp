// Any octets as a stream of frames: the parser never reads past what it was given, and a performative that was
// understood means the same when written again.
#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/frame.hpp>

#include <cstdint>

using namespace aprotic::codec;

namespace {

template <class T>
void round_trip(const FrameView& frame) {
    const Result<T> body = frame.as<T>();
    if (!body) return;
    Encoder to;
    encode(to, *body);
    APROTIC_ASSERT(to.ok());
    const Result<T> again = decode_as<T>(to.written());
    APROTIC_ASSERT(again && *again == *body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> input(reinterpret_cast<const std::byte*>(data), size);
    static_cast<void>(ProtocolHeader::parse(input));
    const FrameParser parser(4096);
    for (std::size_t at = 0; at < size;) {
        const FrameParser::Step step = parser.next(input.subspan(at));
        if (step.status == FrameParser::Status::need_more) {
            APROTIC_ASSERT(step.size > size - at);
            break;
        }
        APROTIC_ASSERT(step.size <= size - at);
        if (step.status == FrameParser::Status::error) {
            APROTIC_ASSERT(step.error);
            if (step.size == 0) break;
        } else if (step.frame.type == FrameType::sasl) {
            round_trip<SaslFrame>(step.frame);
        } else {
            round_trip<Performative>(step.frame);
        }
        static_cast<void>(to_string(step.frame));
        at += step.size;
    }
    static_cast<void>(dump(DumpAs::frames, input));
    return 0;
}
