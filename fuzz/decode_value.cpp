// Any octets as a value: reading ends in a value or an error, and what was read means the same when written again.
#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/value.hpp>
#include <aprotic/codec/value_view.hpp>

#include <cstdint>

using namespace aprotic::codec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> input(reinterpret_cast<const std::byte*>(data), size);
    Decoder checking(input);
    checking.skip_checked();
    const bool sound = checking.expect_end();

    const Result<Value> value = decode_value(input);
    // Only an owned map looks for equal keys; in everything else the two must agree.
    APROTIC_ASSERT(sound == value.has_value() || value.error() == Errc::duplicate_key);
    if (value) {
        const Bytes again = encode_value(*value);
        const Result<Value> same = decode_value(again.span());
        APROTIC_ASSERT(same && *same == *value);
        APROTIC_ASSERT(encode_value(*same) == again);
    }
    Decoder skipping(input);
    skipping.skip();
    APROTIC_ASSERT(skipping.ok() || !sound);

    std::size_t items = 0;
    for ([[maybe_unused]] const RawValue item : ListView(input)) ++items;
    APROTIC_ASSERT(items <= size);
    static_cast<void>(MapView(input).find("key"));
    static_cast<void>(dump(DumpAs::value, input));
    return 0;
}
