#include <aprotic/codec/message.hpp>
#include <aprotic/codec/message_view.hpp>

#include <utility>

namespace aprotic::codec {

namespace {

constexpr std::size_t by_reference_min = 256;  // below that, one more element in a gather list costs more than the copy

/// Everything but large data goes into one block; the data are put between its parts afterwards.
class MessageWriter {
public:
    void section(std::uint64_t code, const Map& map) {
        if (map.empty()) return;
        to_.write_descriptor(code);
        codec::encode(to_, map);
    }
    template <class T>
    void section(const std::optional<T>& composite) {
        if (composite) codec::encode(to_, *composite);
    }
    void body(std::monostate) {}
    void body(const Value& value) {
        to_.write_descriptor(descriptor::amqp_value);
        codec::encode(to_, value);
    }
    void body(const Message::Data& sections) {
        if (sections.empty()) data({});  // none at all would not be a body of data
        for (const Bytes& octets : sections) data(octets);
    }
    void body(const Message::Sequences& sections) {
        if (sections.empty()) sequence({});
        for (const List& items : sections) sequence(items);
    }

    Result<EncodedMessage> finish(std::uint32_t message_format) {
        if (!to_.ok()) return to_.error();
        const Bytes block = to_.take();
        ByteChain chain;
        std::size_t at = 0;
        for (Reference& reference : references_) {
            chain.append(block.slice(at, reference.at - at));
            chain.append(std::move(reference.octets));
            at = reference.at;
        }
        chain.append(block.slice(at));
        return EncodedMessage(std::move(chain), message_format);
    }

private:
    struct Reference {
        std::size_t at;
        Bytes octets;
    };

    void data(const Bytes& octets) {
        to_.write_descriptor(descriptor::data);
        if (octets.size() < by_reference_min) {
            to_.write_binary(octets.span());
        } else {
            to_.write_binary_header(octets.size());
            references_.push_back({to_.size(), octets});
        }
    }
    void sequence(const List& items) {
        to_.write_descriptor(descriptor::amqp_sequence);
        codec::encode(to_, items);
    }

    Encoder to_;
    std::vector<Reference> references_;
};

}  // namespace

Message Message::data(Bytes octets) {
    Message message;
    message.body = Data{std::move(octets)};
    return message;
}

Message Message::sequence(List items) {
    Message message;
    message.body = Sequences{std::move(items)};
    return message;
}

Result<EncodedMessage> try_encode(const Message& message) {
    MessageWriter writer;
    writer.section(message.header);
    writer.section(descriptor::delivery_annotations, message.delivery_annotations);
    writer.section(descriptor::message_annotations, message.message_annotations);
    writer.section(message.properties);
    writer.section(descriptor::application_properties, message.application_properties);
    std::visit([&](const auto& body) { writer.body(body); }, message.body);
    writer.section(descriptor::footer, message.footer);
    return writer.finish(message.message_format);
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
