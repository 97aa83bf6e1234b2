// Any octets as a message, cut in two where the first octet says: the view must not depend on where the cut is.
#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/dump.hpp>
#include <aprotic/codec/message_view.hpp>

#include <cstdint>

using namespace aprotic::codec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes octets = Bytes::copy_of(std::span(reinterpret_cast<const std::byte*>(data) + 1, size - 1));
    const std::size_t cut = octets.size() * data[0] / 256;
    ByteChain chain(octets.slice(0, cut));
    chain.append(octets.slice(cut));

    const MessageView whole{ByteChain(octets)};
    const MessageView split(chain);
    APROTIC_ASSERT(whole.error() == split.error() && whole.error_offset() == split.error_offset());
    APROTIC_ASSERT(whole.to() == split.to() && whole.subject() == split.subject());
    static_cast<void>(split.header());
    static_cast<void>(split.correlation_id());
    static_cast<void>(split.application_properties().find("key"));
    const auto text = split.body_text();
    const auto whole_text = whole.body_text();
    APROTIC_ASSERT(text.has_value() == whole_text.has_value() && (!text || *text == *whole_text));

    const Result<Message> message = split.to_message();
    APROTIC_ASSERT(whole.to_message().has_value() == message.has_value());
    if (message) {
        const Result<Message> again = decode_message(encode(*message).octets());
        APROTIC_ASSERT(again && *again == *message);
    }
    const EncodedMessage encoded(chain);
    if (const auto changed = encoded.with_header(Header{.delivery_count = 1})) {
        const MessageView view(*changed);
        APROTIC_ASSERT(view.ok() && view.header().delivery_count == 1);
        APROTIC_ASSERT(changed->octets().slice(view.header_size()) == chain.slice(split.header_size()));
    }
    static_cast<void>(dump(DumpAs::message, octets.span()));
    return 0;
}
