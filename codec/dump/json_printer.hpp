#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/described.hpp>

#include <string>

namespace aprotic::codec {

/// Writes values as JSON straight from their octets. Composites are objects of their fields by name, everything else is
/// as json.hpp has it: numbers and names plain where the field tells the type, lossless elsewhere. Where the octets are
/// malformed, what was understood before is there and the JSON is complete all the same.
class JsonPrinter {
public:
    explicit JsonPrinter(std::string& to) : out_(to) {}

    /// The next value. Whether something was written: nothing is when not even its beginning can be said in JSON.
    bool value(Decoder& from, bool plain = false);
    /// The fields of a composite whose descriptor was read already.
    void fields(Decoder& from, const CompositeInfo& info);

private:
    bool described(Decoder& from, bool plain);
    bool field(Decoder& from, const CompositeInfo& info, const FieldInfo& field);
    bool leaf(Decoder& from, bool plain);

    std::string& out_;
};

}  // namespace aprotic::codec
