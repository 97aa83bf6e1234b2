#pragma once

#include <aprotic/codec/bytes.hpp>
#include <aprotic/codec/message.hpp>
#include <aprotic/codec/value_view.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace aprotic::codec {

/// A message read where it lies. Making one shares the chain's memory, locates the sections by their sizes and checks
/// their order; nothing is decoded or copied before it is asked for. Views it returns live as long as this object (or
/// the one it was moved into): what lies across two segments is joined once into memory that the object keeps. Not for
/// concurrent use.
class MessageView {
public:
    MessageView() = default;
    explicit MessageView(ByteChain octets, const DecodeLimits& limits = {});
    explicit MessageView(const EncodedMessage& message) : MessageView(message.octets()) {}

    /// Another message in place of this one, within the same limits: what a view is made of anew is used again. Views
    /// returned before are gone.
    void assign(ByteChain&& octets);

    /// What is wrong with the sequence of sections; what came before the fault can still be read. A message without a
    /// body is not an error here: see has_body(). [3.2-c] to [3.2-h]
    std::error_code error() const noexcept { return ok() ? std::error_code() : make_error_code(error_); }
    bool ok() const noexcept { return error_ == Errc{}; }
    /// Octet at which the fault is.
    std::size_t error_offset() const noexcept { return error_offset_; }
    /// What `check` holds against a message. `lenient` lets pass what the specification forbids but brokers and clients
    /// in use send all the same: lists, maps, arrays and described values as values of application properties.
    /// [3.2.5-b]
    enum class Strictness : std::uint8_t { lenient, strict };
    /// Decodes everything and checks it, the body included.
    Result<void> check(Strictness strictness = Strictness::lenient) const;

    const ByteChain& octets() const& noexcept { return octets_; }
    /// To move from; nothing can be read any more, before something else is assigned.
    ByteChain&& octets() && noexcept { return std::move(octets_); }
    std::size_t size() const noexcept { return octets_.size(); }

    /// The header section, or its defaults when it is missing or malformed. [3.2.1-a]
    Header header() const;
    bool has_header() const noexcept { return has(Section::header); }
    Result<Properties> properties() const;

    // Single properties without decoding the rest; empty when absent, malformed or of another type.
    std::optional<MessageIdView> message_id() const;
    std::optional<std::span<const std::byte>> user_id() const;
    std::optional<std::string_view> to() const;
    std::optional<std::string_view> subject() const;
    std::optional<std::string_view> reply_to() const;
    std::optional<MessageIdView> correlation_id() const;
    std::optional<std::string_view> content_type() const;
    std::optional<std::string_view> content_encoding() const;
    std::optional<Timestamp> absolute_expiry_time() const;
    std::optional<Timestamp> creation_time() const;
    std::optional<std::string_view> group_id() const;
    std::optional<std::uint32_t> group_sequence() const;
    std::optional<std::string_view> reply_to_group_id() const;

    // Empty when the section is missing.
    MapView delivery_annotations() const;
    MapView message_annotations() const;
    MapView application_properties() const;
    MapView footer() const;

    enum class BodyKind : std::uint8_t { none, data, sequence, value };
    BodyKind body_kind() const noexcept { return body_kind_; }
    bool has_body() const noexcept { return body_kind_ != BodyKind::none; }

    /// Text of an amqp-value string, symbol or binary, or the octets of the data sections as they are. Joined if it is
    /// in more than one place.
    Result<std::string_view> body_text() const;
    /// Octets of the data sections, or of an amqp-value binary or string; by reference to where they were received.
    Result<ByteChain> body_data() const;
    /// The amqp-value, owned.
    Result<Value> body_value() const;
    /// The amqp-value, to look at. An empty RawValue when the body is another.
    RawValue raw_body_value() const;
    /// Each data section by itself, shared.
    Result<Message::Data> data_sections() const;
    Result<Message::Sequences> sequences() const;

    /// `body<std::string_view>()`, `body<std::string>()`, `body<Value>()`, `body<ByteChain>()`, or a type a Value can
    /// hold such as `body<std::int32_t>()` or `body<Map>()`. Throws std::system_error when the body is something else;
    /// the functions above return instead.
    template <class T>
    T body() const;

    Result<Message> to_message() const;

    /// Octets of the header section, and of header and delivery annotations together, in front of the rest: for whoever
    /// replaces them.
    std::size_t header_size() const noexcept { return has(Section::header) ? place(Section::header).end : 0; }
    std::size_t mutable_prefix() const noexcept {
        return has(Section::delivery_annotations) ? place(Section::delivery_annotations).end : header_size();
    }

    /// How many sections a message has, measured by their sizes alone: neither their kinds nor their order are looked
    /// at, so it also counts in other message formats. Empty when anything but whole sections is there. For positions
    /// in a message [3.4.1]
    static std::optional<std::uint32_t> count_sections(const ByteChain& message) noexcept;

private:
    enum class Section : std::uint8_t {
        header,
        delivery_annotations,
        message_annotations,
        properties,
        application_properties,
        body,
        footer
    };
    static constexpr std::size_t kinds_of_section = 7;
    static constexpr std::size_t property_count = 13;
    /// Where a section is, its descriptor included; its value starts at `value`.
    struct Place {
        std::uint32_t start = 0;
        std::uint32_t value = 0;
        std::uint32_t end = 0;
    };
    class Cursor;

    void locate();
    bool fail(Errc error, std::size_t offset) noexcept;
    static constexpr std::uint8_t bit_of(std::size_t section) noexcept {
        return static_cast<std::uint8_t>(1U << section);
    }
    bool has(Section s) const noexcept { return (sections_ & bit_of(static_cast<std::size_t>(s))) != 0; }
    const Place& place(Section s) const noexcept { return places_[static_cast<std::size_t>(s)]; }
    const Bytes& joined(std::size_t slot, const ByteChain& parts) const;
    std::optional<std::string_view> only_data() const noexcept;
    std::span<const std::byte> octets_of(Section s) const;
    std::span<const std::byte> value_of(Section s) const;
    std::size_t locate_plainly() noexcept;
    bool locate_section(Cursor& at);
    bool locate_properties(std::span<const std::byte> list) const noexcept;
    std::span<const std::byte> far_property(std::uint32_t index) const;
    Result<Map> map_of(Section s) const;
    std::span<const std::byte> property(std::uint32_t index) const;
    std::optional<std::string_view> text_property(std::uint32_t index) const;
    std::optional<std::string_view> symbol_property(std::uint32_t index) const;
    std::optional<MessageIdView> id_property(std::uint32_t index) const;
    template <class F>
    void for_each_body_section(F&& f) const;

    ByteChain octets_;
    DecodeLimits limits_;
    // Of those in `sections_`; body: from the first section's descriptor to the end of the last.
    std::array<Place, kinds_of_section> places_{};
    mutable std::vector<Bytes> joined_;  // by section, and the text of the body last; empty while nothing was joined
    /// Where each property starts in its list and, behind the last, where that ends; once one was asked for.
    mutable std::array<std::uint32_t, property_count + 1> property_at_{};
    mutable std::uint32_t properties_located_ = 0;
    mutable const std::byte* plain_properties_ = nullptr;  // in octets_, or in what was joined
    std::uint8_t sections_ = 0;                            // a bit for each that is there
    BodyKind body_kind_ = BodyKind::none;
    Errc error_{};
    std::size_t error_offset_ = 0;
};

template <class T>
T MessageView::body() const {
    Result<Value> value = body_value();
    if (!value) throw std::system_error(value.error(), "message body");
    auto* held = value->template get_if<T>();
    if (held == nullptr) throw std::system_error(make_error_code(Errc::body_type_mismatch), "message body");
    return static_cast<T>(std::move(*held));
}
template <>
std::string_view MessageView::body<std::string_view>() const;
template <>
std::string MessageView::body<std::string>() const;
template <>
Value MessageView::body<Value>() const;
template <>
ByteChain MessageView::body<ByteChain>() const;

}  // namespace aprotic::codec
