#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/result.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace aprotic::codec {

namespace detail {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "aprotic: %s:%d: broken invariant: %s\n", file, line, expression);
    std::abort();
}

}  // namespace detail

namespace {

struct ErrcInfo {
    std::string_view text;
    std::string_view clause;
    std::string_view condition = condition::decode_error;
};

ErrcInfo info_of(Errc e) noexcept {
    using namespace condition;
    switch (e) {
        case Errc::incomplete: return {"more octets are needed", "1.2-f"};
        case Errc::truncated: return {"the value ends before its constructor says", "1.2-f"};
        case Errc::unknown_format_code: return {"unassigned format code", "1.2-c"};
        case Errc::reserved_ext_type: return {"format code with an extension type; none is assigned", "1.2-d"};
        case Errc::nesting_too_deep: return {"nested deeper than the limit", "1.2-h"};
        case Errc::too_many_elements: return {"more elements than the limit", "1.2.4-e"};
        case Errc::value_too_large: return {"more octets than the limit", "1.2-i"};
        case Errc::string_too_long: return {"a text or binary longer than the limit", "1.2-i"};
        case Errc::allocation_too_large: return {"more memory for owned values than the limit", "1.2-i"};
        case Errc::length_out_of_bounds: return {"a length runs past what encloses it", "1.2.2-b"};
        case Errc::compound_size_too_small: return {"the size of a compound does not cover its count", "1.2.3-b"};
        case Errc::compound_size_mismatch: return {"the items of a compound do not fill its size", "1.2.3-c"};
        case Errc::array_without_constructor: return {"an array without element constructor", "1.2.4-b"};
        case Errc::array_size_mismatch: return {"the elements of an array do not fill its size", "1.2.4-g"};
        case Errc::bad_boolean: return {"a boolean octet other than 0 and 1", "1.6.2-c"};
        case Errc::bad_char: return {"not a Unicode character", "1.6.16-b"};
        case Errc::bad_utf8: return {"a string that is not UTF-8", "1.6.20-b"};
        case Errc::bad_symbol: return {"a symbol that is not ASCII", "1.6.21-b"};
        case Errc::odd_map: return {"a map with an odd number of items", "1.6.23-a"};
        case Errc::duplicate_key: return {"a map with two equal keys", "1.6.23-b"};
        case Errc::trailing_bytes: return {"octets after the end of the value", "1.2-g"};
        case Errc::wrong_type: return {"a value of another type than the field has", "1.3-a"};
        case Errc::wrong_archetype: return {"a described type that does not belong here", "1.3-b", invalid_field};
        case Errc::missing_mandatory_field: return {"a mandatory field is null or missing", "1.3-c", invalid_field};
        case Errc::value_out_of_choice:
            return {"a value that the restricted type does not allow", "1.3-e", invalid_field};
        case Errc::not_a_list: return {"a composite that is not a list", "1.4-a"};
        case Errc::too_many_fields: return {"more items than the composite has fields", "1.4-c"};
        case Errc::multiple_as_list: return {"a field of multiple values given as a list", "1.4-f", invalid_field};
        case Errc::multiple_element_type:
            return {"a field of multiple values given as an array of another type", "1.4-h", invalid_field};
        case Errc::empty_mandatory_multiple:
            return {"a mandatory field of multiple values without a value", "1.4-g", invalid_field};
        case Errc::bad_descriptor: return {"neither a symbol nor a ulong as descriptor", "1.5-c"};
        case Errc::unknown_descriptor: return {"an unknown descriptor", "1.5-d", not_implemented};
        case Errc::wrong_key_type: return {"a map key of a type that this map does not allow", "3.2.10-c"};
        case Errc::delivery_tag_too_long: return {"a delivery-tag of more than 32 octets", "2.8.7-a", invalid_field};
        case Errc::bad_protocol_header: return {"not a protocol header", "2.2-g", framing_error};
        case Errc::frame_size_too_small: return {"a frame size below 8", "2.3-b", framing_error};
        case Errc::frame_too_large: return {"a frame above the maximum frame size", "2.7.1-i", framing_error};
        case Errc::frame_doff_too_small: return {"a frame data offset below 2", "2.3-c", framing_error};
        case Errc::frame_doff_beyond_size:
            return {"a frame data offset behind the end of the frame", "2.3-d", framing_error};
        case Errc::unknown_frame_type: return {"an unknown frame type", "2.3-f", framing_error};
        case Errc::unexpected_payload:
            return {"octets behind a performative that has no payload", "2.3.2-b", framing_error};
        case Errc::unknown_performative: return {"not a performative", "2.3.2-a", not_implemented};
        case Errc::unknown_section: return {"an unknown message section", "3.2-f"};
        case Errc::section_out_of_order: return {"message sections out of order", "3.2-c"};
        case Errc::duplicate_section: return {"a message section twice", "3.2-d"};
        case Errc::mixed_body: return {"message body sections that do not go together", "3.2-e"};
        case Errc::missing_body: return {"a message without body", "3.2-e"};
        case Errc::wrong_section_type: return {"a message section of another type", "3.2-h"};
        case Errc::compound_property: return {"an application property that is not of a simple type", "3.2.5-b"};
        case Errc::body_type_mismatch:
            return {"the message body is of another kind than was asked for", "", internal_error};
        case Errc::buffer_too_small: return {"the output buffer is too small", "", internal_error};
        case Errc::too_large_to_encode: return {"too large to encode", "", internal_error};
        case Errc::mixed_array: return {"an array of more than one type cannot be encoded", "", internal_error};
    }
    return {"unknown error", "", condition::internal_error};
}

class CodecCategory final : public std::error_category {
public:
    const char* name() const noexcept override { return "aprotic.codec"; }
    std::string message(int value) const override { return std::string(info_of(static_cast<Errc>(value)).text); }
};

}  // namespace

const std::error_category& codec_category() noexcept {
    static const CodecCategory category;
    return category;
}

std::string_view clause_of(Errc e) noexcept { return info_of(e).clause; }

std::string_view condition_of(std::error_code ec) noexcept {
    return ec.category() == codec_category() ? info_of(static_cast<Errc>(ec.value())).condition
                                             : condition::internal_error;
}

}  // namespace aprotic::codec
