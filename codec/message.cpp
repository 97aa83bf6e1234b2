#include <aprotic/codec/message.hpp>
#include <aprotic/codec/message_view.hpp>

#include <aprotic/codec/wire.hpp>

#include <utility>

namespace aprotic::codec {

namespace {

constexpr std::size_t by_reference_min = 256;  // below that, one more element in a gather list costs more than the copy

/// The sections in their order. What a data section becomes is the caller's choice.
template <class WriteData>
void write_sections(Encoder& to, const Message& message, const WriteData& write_data) {
    const auto map = [&to](std::uint64_t code, const Map& section) {
        if (section.empty()) return;
        to.write_descriptor(code);
        codec::encode(to, section);
    };
    if (message.header) codec::encode(to, *message.header);
    map(descriptor::delivery_annotations, message.delivery_annotations);
    map(descriptor::message_annotations, message.message_annotations);
    if (message.properties) codec::encode(to, *message.properties);
    map(descriptor::application_properties, message.application_properties);
    if (const auto* value = std::get_if<Value>(&message.body)) {
        to.write_descriptor(descriptor::amqp_value);
        codec::encode(to, *value);
    } else if (const auto* data = std::get_if<Message::Data>(&message.body)) {
        if (data->empty()) write_data(Bytes());  // none at all would not be a body of data
        for (const Bytes& octets : *data) write_data(octets);
    } else if (const auto* sequences = std::get_if<Message::Sequences>(&message.body)) {
        const auto sequence = [&to](const List& items) {
            to.write_descriptor(descriptor::amqp_sequence);
            codec::encode(to, items);
        };
        if (sequences->empty()) sequence({});
        for (const List& items : *sequences) sequence(items);
    }
    map(descriptor::footer, message.footer);
}

constexpr std::size_t data_head_size(std::size_t octets) noexcept { return octets <= 0xff ? 5 : 8; }

/// What stands before the octets of a data section.
void write_data_head(std::byte* to, std::size_t octets) noexcept {
    store_be(to, std::uint16_t{code::smallulong});  // 0x00 is that of a described value
    to[2] = std::byte{descriptor::data};
    if (octets <= 0xff) {
        to[3] = std::byte{code::vbin8};
        to[4] = static_cast<std::byte>(octets);
    } else {
        to[3] = std::byte{code::vbin32};
        store_be(to + 4, static_cast<std::uint32_t>(octets));
    }
}

/// The octets, if the message is one data section and nothing else.
const Bytes* only_data(const Message& message) noexcept {
    const auto* const data = std::get_if<Message::Data>(&message.body);
    if (data == nullptr || data->size() != 1 || message.header || message.properties) return nullptr;
    const bool plain = message.delivery_annotations.empty() && message.message_annotations.empty() &&
                       message.application_properties.empty() && message.footer.empty();
    return plain ? &data->front() : nullptr;
}

}  // namespace

Message Message::data(Bytes octets) {
    Message message;
    message.body.emplace<Data>().push_back(std::move(octets));
    return message;
}

EncodedMessage encode_data(std::span<const std::byte> octets) {
    APROTIC_ASSERT(octets.size() <= UINT32_MAX);
    const std::size_t head = data_head_size(octets.size());
    Slab block(head + octets.size());
    write_data_head(block.data(), octets.size());
    copy_bytes(block.span().subspan(head), octets);
    return EncodedMessage(std::move(block).bytes(head + octets.size()));
}

EncodedMessage encode_data(std::string&& octets) {
    if (octets.size() < by_reference_min) return encode_data(as_bytes(octets));
    return encode_data(Bytes::from_string(std::move(octets)));
}

EncodedMessage encode_data(const Bytes& octets) {
    if (octets.size() < by_reference_min) return encode_data(octets.span());
    APROTIC_ASSERT(octets.size() <= UINT32_MAX);
    const std::size_t head = data_head_size(octets.size());
    Slab block(head);
    write_data_head(block.data(), octets.size());
    ByteChain chain(std::move(block).bytes(head));
    chain.append(octets);
    return EncodedMessage(std::move(chain));
}

Message Message::sequence(List items) {
    Message message;
    message.body = Sequences{std::move(items)};
    return message;
}

void encode_into(Encoder& to, const Message& message) {
    write_sections(to, message, [&to](const Bytes& octets) {
        to.write_descriptor(descriptor::data);
        to.write_binary(octets.span());
    });
}

Result<EncodedMessage> try_encode(const Message& message) {
    if (const Bytes* const data = only_data(message); data != nullptr && data->size() <= UINT32_MAX) {
        EncodedMessage encoded = encode_data(*data);
        return EncodedMessage(std::move(encoded).octets(), message.message_format);
    }
    // Everything but large data goes into one block; the data are put between its parts afterwards.
    struct Reference {
        std::size_t at;
        Bytes octets;
    };
    std::vector<Reference> references;
    Encoder to;
    write_sections(to, message, [&](const Bytes& octets) {
        to.write_descriptor(descriptor::data);
        if (octets.size() < by_reference_min) return to.write_binary(octets.span());
        to.write_binary_header(octets.size());
        references.push_back({to.size(), octets});
    });
    if (!to.ok()) return to.error();
    const Bytes block = to.take();
    ByteChain chain;
    std::size_t at = 0;
    for (Reference& reference : references) {
        chain.append(block.slice(at, reference.at - at));
        chain.append(std::move(reference.octets));
        at = reference.at;
    }
    chain.append(block.slice(at));
    return EncodedMessage(std::move(chain), message.message_format);
}

EncodedMessage encode(const Message& message) {
    Result<EncodedMessage> encoded = try_encode(message);
    APROTIC_ASSERT(encoded);
    return *std::move(encoded);
}

Result<EncodedMessage> EncodedMessage::with_header(const Header& header) const {
    const MessageView view(octets_);
    if (!view.ok()) return view.error();
    ByteChain chain(encode_as(header));
    chain.append(octets_.slice(view.header_size()));
    return EncodedMessage(std::move(chain), message_format_);
}

Result<EncodedMessage> EncodedMessage::with_delivery_annotations(const Map& annotations) const {
    const MessageView view(octets_);
    if (!view.ok()) return view.error();
    ByteChain chain = octets_.slice(0, view.header_size());
    if (!annotations.empty()) {
        Encoder to;
        to.write_descriptor(descriptor::delivery_annotations);
        codec::encode(to, annotations);
        if (!to.ok()) return to.error();
        chain.append(to.take());
    }
    chain.append(octets_.slice(view.mutable_prefix()));
    return EncodedMessage(std::move(chain), message_format_);
}

Result<Message> decode_message(const ByteChain& octets, const DecodeLimits& limits) {
    return MessageView(octets, limits).to_message();
}

Result<Message> decode_message(std::span<const std::byte> octets, const DecodeLimits& limits) {
    return decode_message(ByteChain(Bytes::copy_of(octets)), limits);
}

}  // namespace aprotic::codec
