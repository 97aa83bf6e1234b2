// Any octets as JSON text and as a value: what is read is the same when it was written and read again.
#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/json.hpp>

#include <cstdint>

using namespace aprotic::codec;

namespace {

void there_and_back(const Value& value) {
    for (const std::uint8_t indent : {std::uint8_t{0}, std::uint8_t{2}}) {
        const auto back = parse_json(to_json(value, {.indent = indent}));
        APROTIC_ASSERT(back && *back == value);
    }
    // The plain form loses types, but it is JSON.
    static_cast<void>(parse_json(to_json(value, {.form = JsonForm::plain})));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> input(reinterpret_cast<const std::byte*>(data), size);
    if (const auto value = parse_json(as_text(input))) {
        there_and_back(*value);
        const Result<Value> decoded = decode_value(encode_value(*value).span());
        APROTIC_ASSERT(decoded && *decoded == *value);
    } else {
        APROTIC_ASSERT(value.error().offset <= size);
        APROTIC_ASSERT(!value.error().to_string().empty());
    }
    if (const Result<Value> value = decode_value(input)) there_and_back(*value);
    std::string text;
    append_json_string(text, as_text(input));
    const auto string = parse_json(text);
    APROTIC_ASSERT(string && string->type() == Type::string);
    return 0;
}
