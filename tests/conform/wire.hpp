#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <aprotic/codec/described_codec.hpp>
#include <aprotic/codec/frame.hpp>

/// Octets written down by hand, for what no encoder makes.
namespace aprotic::conform::wire {

/// The octets of hex digits with blanks between them: hex("00 53 10 45").
std::string hex(std::string_view digits);
/// A number in network byte order.
std::string be(std::uint64_t number, unsigned octets);

/// A frame around this body, with the right size unless told.
struct FrameOptions {
    std::uint16_t channel = 0;
    std::uint8_t type = 0;
    std::uint8_t doff = 2;
    std::string extended{};        ///< extended header; DOFF is not derived from it
    std::int64_t size_offset = 0;  ///< added to the size that the header tells
};
std::string frame(std::string_view body, const FrameOptions& options = {});

/// An encoded value of codec::Value.
std::string value(const codec::Value& value);
/// 0x00, a descriptor as smallulong, and an encoded value.
std::string described(std::uint64_t code, std::string_view encoded);
/// A list32 of values that are encoded already; `count_offset` and `size_offset` make it wrong.
std::string list(const std::vector<std::string>& items, int count_offset = 0, int size_offset = 0);

/// A string8 and a symbol8.
std::string str(std::string_view text);
std::string sym(std::string_view text);
/// A map32 of one key and one value, encoded already.
std::string map_of(const std::string& key, const std::string& value);
/// An amqp-value section of a value that is encoded already, and one of a short string.
std::string value_body(std::string_view encoded);
std::string plain_body();

/// A field of a composite, encoded, with what the table says of it.
struct Field {
    std::string name;
    std::string type;  ///< "uint", "string", …; "*" for several, or a composite's name
    bool mandatory = false;
    std::string octets;  ///< null when it is absent
};

/// The fields of a composite in the order of the specification, all of them.
template <codec::Composite T>
std::vector<Field> fields_of(const T& composite) {
    std::vector<Field> fields;
    std::apply(
        [&](const auto&... row) {
            const auto add = [&](const auto& r) {
                using Member = std::remove_cvref_t<decltype(composite.*r.member)>;
                codec::Encoder to;
                if (codec::detail::row_absent(composite, r)) {
                    to.write_null();
                } else {
                    codec::FieldCodec<Member>::encode(to, composite.*r.member);
                }
                fields.push_back({std::string(r.name), std::string(codec::FieldCodec<Member>::type), r.is_mandatory,
                                  std::string(codec::as_text(to.written()))});
            };
            (add(row), ...);
        },
        codec::Table<T>::fields);
    return fields;
}

/// A composite of such fields.
std::string composite(std::uint64_t code, const std::vector<Field>& fields);

}  // namespace aprotic::conform::wire
