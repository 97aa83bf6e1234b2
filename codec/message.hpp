#pragma once

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/result.hpp>
#include <aprotic/codec/sections.hpp>
#include <aprotic/codec/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace aprotic::codec {

/// A message as data that is owned and may be changed. [3.2]
struct Message {
    using Sequences = std::vector<List>;
    using Data = std::vector<Bytes>;
    /// Nothing, one amqp-value, data sections or amqp-sequence sections.
    using Body = std::variant<std::monostate, Value, Data, Sequences>;

    Message() = default;
    /// A body of one amqp-value: `Message{"text"}`, `Message{Map{…}}`.
    Message(Value value) : body(std::move(value)) {}
    Message(const char* text) : body(Value(text)) {}
    Message(std::string text) : body(Value(std::move(text))) {}
    /// A body of one data section that shares `octets`.
    static Message data(Bytes octets);
    static Message data(std::string_view octets) { return data(Bytes::copy_of(octets)); }
    static Message sequence(List items);

    /// Gives the message the section if it has none yet.
    Header& ensure_header() { return header ? *header : header.emplace(); }
    Properties& ensure_properties() { return properties ? *properties : properties.emplace(); }

    std::optional<Header> header;
    Map delivery_annotations;  ///< symbol keys
    Map message_annotations;   ///< symbol keys
    std::optional<Properties> properties;
    Map application_properties;  ///< string keys, simple values
    Body body;
    Map footer;  ///< symbol keys
    std::uint32_t message_format = protocol::message_format;

    friend bool operator==(const Message&, const Message&) = default;
};

/// The octets of a message, encoded once, shared by every link it is sent on. Cheap to copy, immutable, safe to share
/// between threads. Large data sections are in it by reference to the memory they were given in.
class EncodedMessage {
public:
    EncodedMessage() = default;
    /// Takes octets that are a message already, such as what a delivery brought. Nothing is checked now; see
    /// MessageView.
    explicit EncodedMessage(ByteChain octets, std::uint32_t message_format = protocol::message_format)
        : octets_(std::move(octets)), message_format_(message_format) {}

    const ByteChain& octets() const& noexcept { return octets_; }
    ByteChain octets() && noexcept { return std::move(octets_); }
    std::span<const Bytes> segments() const noexcept { return octets_.segments(); }
    std::size_t size() const noexcept { return octets_.size(); }
    bool empty() const noexcept { return octets_.empty(); }
    std::uint32_t message_format() const noexcept { return message_format_; }

    /// The same message with another header section; the bare message is shared, octet for octet. [3.2-a] Fails when
    /// the octets are not a message of format 0.
    Result<EncodedMessage> with_header(const Header& header) const;
    /// The same message with other delivery annotations (none when empty).
    Result<EncodedMessage> with_delivery_annotations(const Map& annotations) const;

    friend bool operator==(const EncodedMessage&, const EncodedMessage&) = default;

private:
    ByteChain octets_;
    std::uint32_t message_format_ = protocol::message_format;
};

/// The octets of a message that is one data section, without a Message around it: the shortest way to send octets.
/// Copies fewer than 256, in one allocation; more are in it by reference.
EncodedMessage encode_data(const Bytes& octets);
EncodedMessage encode_data(std::span<const std::byte> octets);
inline EncodedMessage encode_data(std::string_view octets) { return encode_data(as_bytes(octets)); }
/// The same; takes over the memory of 256 octets and more.
EncodedMessage encode_data(std::string&& octets);
/// Encodes every section that is there: data of 256 octets and more by reference, the rest into one block. Fails only
/// for what has no wire form, such as an array of mixed types.
Result<EncodedMessage> try_encode(const Message& message);
/// The same for messages known to have one; asserts that.
EncodedMessage encode(const Message& message);
/// Every section appended to `to`, data copied too: for a buffer that is used again and again. Allocates nothing while
/// the buffer is wide enough; `to` knows what failed.
void encode_into(Encoder& to, const Message& message);
/// The opposite; checks the order and the types of all sections.
Result<Message> decode_message(const ByteChain& octets, const DecodeLimits& limits = {});
Result<Message> decode_message(std::span<const std::byte> octets, const DecodeLimits& limits = {});

}  // namespace aprotic::codec
