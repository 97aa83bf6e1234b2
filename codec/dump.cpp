#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/dump/text_printer.hpp>
#include <aprotic/codec/dump/walk.hpp>

#include <fmt/format.h>

namespace aprotic::codec {

namespace {

constexpr std::size_t log_octets_max = 128;

std::string line_of(std::span<const std::byte> input) {
    TextPrinter to(log_octets_max);
    Decoder from(input);
    to.value(from);
    if (!from.ok()) to.put(" ! {} at octet {}", from.error().message(), from.error_offset());
    return to.take();
}

template <class T>
std::string line_of_encoded(const T& v) {
    Encoder to;
    encode(to, v);
    if (!to.ok()) return fmt::format("! {}", to.error().message());
    return line_of(to.written());
}

}  // namespace

std::string to_string(const Value& value) { return line_of_encoded(value); }
std::string to_string(const Map& map) { return line_of_encoded(map); }
std::string to_string(const Performative& performative) { return line_of_encoded(performative); }
std::string to_string(const SaslFrame& frame) { return line_of_encoded(frame); }
std::string to_string(const ErrorCondition& error) { return line_of_encoded(error); }
std::string to_string(const DeliveryState& state) { return line_of_encoded(state); }

std::string to_string(const Message& message) {
    const Result<EncodedMessage> encoded = try_encode(message);
    if (!encoded) return fmt::format("! {}", encoded.error().message());
    const Bytes octets = encoded->octets().contiguous();
    std::string text;
    for (Decoder from(octets.span()); from.ok() && !from.at_end();) {
        if (!text.empty()) text += ' ';
        text += line_of(from.read_raw());
    }
    return text;
}

std::string to_string(const FrameView& frame) {
    std::string text = frame.type == FrameType::sasl ? "sasl " : fmt::format("channel {} ", frame.channel);
    if (frame.empty()) return text + "empty frame";
    text += line_of(frame.performative.empty() ? frame.body : frame.performative);
    if (frame.is(descriptor::transfer)) text += fmt::format(" payload={}", frame.payload.size());
    return text;
}

std::string_view name_of(DumpAs as) noexcept {
    switch (as) {
        case DumpAs::frames: return "frames";
        case DumpAs::message: return "message";
        case DumpAs::value: return "value";
    }
    return {};
}

Dump dump(DumpAs as, std::span<const std::byte> input, const DumpOptions& options) {
    if (as == DumpAs::frames) {
        StreamDumper dumper(options);
        std::string text = dumper.feed(input);
        text += dumper.finish();
        return {std::move(text), dumper.frames(), dumper.ok()};
    }
    const std::unique_ptr<Report> to = make_report(options);
    const bool ok = as == DumpAs::message ? report_message(*to, input, 0, false) : report_values(*to, input);
    return {to->take(), 0, ok};
}

}  // namespace aprotic::codec
