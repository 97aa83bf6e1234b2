// The body of a message as what it is asked for. [3.2.6] to [3.2.8]
#include <aprotic/codec/reading/section_cursor.hpp>

namespace aprotic::codec {

namespace {

std::uint8_t first_octet(const ByteChain& octets) noexcept {
    return std::to_integer<std::uint8_t>(octets.segments().front().span().front());
}

/// The octets of an encoded binary or string.
ByteChain without_constructor(const ByteChain& value) { return value.slice(1 + size_width(first_octet(value))); }

}  // namespace

/// Calls `f` with the value of each body section, constructor included.
template <class F>
void MessageView::for_each_body_section(F&& f) const {
    const Place& body = place(Section::body);
    if (!has_body()) return;
    Cursor at(octets_, body.start);
    while (at.at() < body.end) {
        at.seek(at.at() + 1);
        at.skip(limits_.depth_max);  // both were measured when the message was located: neither can fail now
        const Cursor value = at;
        at.skip(limits_.depth_max);
        f(value.slice(at.at() - value.at()));
    }
}

RawValue MessageView::raw_body_value() const {
    return body_kind_ == BodyKind::value ? RawValue(value_of(Section::body)) : RawValue();
}

Result<Value> MessageView::body_value() const {
    if (body_kind_ != BodyKind::value) return has_body() ? Errc::body_type_mismatch : Errc::missing_body;
    return raw_body_value().value(limits_);
}

Result<Message::Data> MessageView::data_sections() const {
    if (body_kind_ != BodyKind::data) return has_body() ? Errc::body_type_mismatch : Errc::missing_body;
    Message::Data sections;
    for_each_body_section([&](const ByteChain& value) { sections.push_back(without_constructor(value).contiguous()); });
    return sections;
}

Result<ByteChain> MessageView::body_data() const {
    if (!has_body()) return Errc::missing_body;
    ByteChain octets;
    if (const auto data = only_data()) {
        const Bytes& all = octets_.segments().front();
        octets.append(all.slice(static_cast<std::size_t>(as_bytes(*data).data() - all.data()), data->size()));
        return octets;
    }
    bool variable = true;
    for_each_body_section([&](const ByteChain& value) {
        const std::optional<Type> type = type_of_code(first_octet(value));
        variable = type == Type::binary || type == Type::string;
        if (variable) octets.append(without_constructor(value));
    });
    if (!variable) return Errc::body_type_mismatch;
    return octets;
}

Result<Message::Sequences> MessageView::sequences() const {
    if (body_kind_ != BodyKind::sequence) return has_body() ? Errc::body_type_mismatch : Errc::missing_body;
    Message::Sequences sequences;
    std::error_code error;
    for_each_body_section([&](const ByteChain& value) {
        if (error) return;
        Result<List> items = decode_as<List>(value.contiguous().span(), limits_);
        if (!items) {
            error = items.error();
        } else {
            sequences.push_back(*std::move(items));
        }
    });
    if (error) return error;
    return sequences;
}

Result<std::string_view> MessageView::body_text() const {
    if (body_kind_ == BodyKind::value) {
        const RawValue value = raw_body_value();
        if (const auto text = value.text()) return *text;
        if (const auto octets = value.binary()) return as_text(*octets);
        return Errc::body_type_mismatch;
    }
    if (const std::optional<std::string_view> text = only_data()) return *text;
    APROTIC_TRY_AS(const ByteChain octets, body_data());
    if (octets.segments().size() == 1) return octets.segments().front().text();  // octets_ keeps the memory
    return joined(kinds_of_section, octets).text();
}

/// The octets of a body that is one data section in one segment, as most are.
std::optional<std::string_view> MessageView::only_data() const noexcept {
    if (body_kind_ != BodyKind::data || octets_.segments().size() != 1) return std::nullopt;
    const Place& body = place(Section::body);
    const std::span<const std::byte> value =
        octets_.segments().front().span().subspan(body.value, body.end - body.value);
    const std::size_t width = size_width(std::to_integer<std::uint8_t>(value[0]));
    if (value.size() < 1 + width) return std::nullopt;
    const std::size_t length =
        width == 1 ? std::to_integer<std::size_t>(value[1]) : std::size_t{load_be<std::uint32_t>(value.data() + 1)};
    if (length != value.size() - 1 - width) return std::nullopt;  // more sections follow
    return as_text(value.subspan(1 + width));
}

template <>
std::string_view MessageView::body<std::string_view>() const {
    const Result<std::string_view> text = body_text();
    if (!text) throw std::system_error(text.error(), "message body");
    return *text;
}
template <>
std::string MessageView::body<std::string>() const {
    return std::string(body<std::string_view>());
}
template <>
Value MessageView::body<Value>() const {
    Result<Value> value = body_value();
    if (!value) throw std::system_error(value.error(), "message body");
    return *std::move(value);
}
template <>
ByteChain MessageView::body<ByteChain>() const {
    Result<ByteChain> octets = body_data();
    if (!octets) throw std::system_error(octets.error(), "message body");
    return *std::move(octets);
}

}  // namespace aprotic::codec
