// Any octets as a dump, in both forms: JSON is JSON, and a stream is shown the same however it is cut.
#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/json.hpp>
#include <aprotic/codec/message_view.hpp>

#include <cstdint>

using namespace aprotic::codec;

namespace {

void check_lines(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        APROTIC_ASSERT(end != std::string_view::npos);
        APROTIC_ASSERT(text.front() == '{');
        DecodeLimits limits;
        limits.depth_max = 256;  // values are as deep as they were, in objects of ours
        const auto line = parse_json(text.substr(0, end), limits);
        APROTIC_ASSERT(line || line.error().fault == JsonFault::reserved_name ||
                       line.error().fault == JsonFault::wrong_content ||
                       line.error().fault == JsonFault::unknown_type || line.error().fault == JsonFault::out_of_range);
        text.remove_prefix(end + 1);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::uint8_t choice = data[0];
    const std::span<const std::byte> input(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    static_cast<void>(guess_dump(input));
    for (const DumpAs as : {DumpAs::frames, DumpAs::message, DumpAs::value}) {
        const Dump text = dump(as, input, {.octets_max = choice});
        const Dump json = dump(as, input, {.form = DumpForm::json});
        APROTIC_ASSERT(text.ok == json.ok && text.frames == json.frames);
        APROTIC_ASSERT(text.ok || !text.text.empty());
        APROTIC_ASSERT(text.text.empty() || text.text.back() == '\n');
        for (const char c : text.text) APROTIC_ASSERT(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
        check_lines(json.text);
        if (as == DumpAs::message) APROTIC_ASSERT(text.ok == decode_message(input).has_value());
    }
    StreamDumper whole, parts, holes;
    std::string in_one = whole.feed(input), in_parts, in_holes = holes.skip(choice & 3U);
    const std::size_t piece = 1 + choice % 64U;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        const auto part = input.subspan(at, std::min(piece, input.size() - at));
        in_parts += parts.feed(part);
        in_holes += holes.feed(part);
        if ((at / piece) % 5 == 4) in_holes += holes.skip(choice & 7U);
    }
    in_one += whole.finish();
    in_parts += parts.finish();
    in_holes += holes.finish();
    APROTIC_ASSERT(in_one == in_parts && whole.ok() == parts.ok());
    return 0;
}
