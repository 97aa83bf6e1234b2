#include <aprotic/codec/message_view.hpp>
#include <aprotic/codec/wire.hpp>

#include <algorithm>
#include <array>

namespace aprotic::codec {

namespace {

/// Place of a section in the order of the specification; the kinds of body share one. [3.2-c]
std::optional<std::size_t> rank_of(std::uint64_t code) noexcept {
    switch (code) {
        case descriptor::header: return 0;
        case descriptor::delivery_annotations: return 1;
        case descriptor::message_annotations: return 2;
        case descriptor::properties: return 3;
        case descriptor::application_properties: return 4;
        case descriptor::data:
        case descriptor::amqp_sequence:
        case descriptor::amqp_value: return 5;
        case descriptor::footer: return 6;
        default: return std::nullopt;
    }
}

std::optional<Type> base_of(std::uint64_t code) noexcept {
    switch (code) {
        case descriptor::header:
        case descriptor::properties:
        case descriptor::amqp_sequence: return Type::list;
        case descriptor::data: return Type::binary;
        case descriptor::amqp_value: return std::nullopt;  // any
        default: return Type::map;
    }
}

std::uint8_t first_octet(const ByteChain& octets) noexcept {
    return std::to_integer<std::uint8_t>(octets.segments().front().span().front());
}

/// The octets of an encoded binary or string.
ByteChain without_constructor(const ByteChain& value) { return value.slice(1 + size_width(first_octet(value))); }

enum PropertyIndex : std::uint32_t {
    message_id_index, user_id_index, to_index, subject_index, reply_to_index, correlation_id_index, content_type_index,
    content_encoding_index, absolute_expiry_time_index, creation_time_index, group_id_index, group_sequence_index,
    reply_to_group_id_index,
};

}  // namespace

/// Walks over a chain from front to back and measures values by their sizes, wherever the segments end. [3.2-i]
class MessageView::Cursor {
public:
    explicit Cursor(const ByteChain& octets, std::size_t at = 0) : segments_(octets.segments()), size_(octets.size()) { seek(at); }

    std::size_t at() const noexcept { return at_; }
    bool at_end() const noexcept { return at_ == size_; }
    Errc error() const noexcept { return error_; }

    void seek(std::size_t to) noexcept {
        at_ = to;
        while (segment_ < segments_.size() && at_ - base_ >= segments_[segment_].size()) base_ += segments_[segment_++].size();
    }

    /// Up to `n` octets from here on, fewer only at the end; put together in `scratch` if they are in two segments.
    std::span<const std::byte> peek(std::span<std::byte> scratch) const noexcept {
        const std::size_t n = std::min(scratch.size(), size_ - at_);
        std::size_t from = at_ - base_;
        if (n == 0) return {};
        if (segments_[segment_].size() - from >= n) return segments_[segment_].span().subspan(from, n);
        std::size_t done = 0;
        for (std::size_t i = segment_; done < n; ++i, from = 0) {
            const auto piece = segments_[i].span().subspan(from);
            const std::size_t part = std::min(piece.size(), n - done);
            std::copy_n(piece.begin(), part, scratch.begin() + static_cast<std::ptrdiff_t>(done));
            done += part;
        }
        return scratch.first(n);
    }

    /// Steps over one value. False, with error(), when it does not end where the message does or earlier.
    bool skip(std::uint32_t depth_left) noexcept {
        std::array<std::byte, 5> scratch;
        const auto head = peek(scratch);
        if (head.empty()) return fail(Errc::truncated);
        const auto format_code = std::to_integer<std::uint8_t>(head[0]);
        if (!type_of_code(format_code)) {
            return fail((format_code & 0x0fU) == 0x0f ? Errc::reserved_ext_type : Errc::unknown_format_code);
        }
        if (format_code == code::described) {
            if (depth_left == 0) return fail(Errc::nesting_too_deep);
            seek(at_ + 1);
            return skip(depth_left - 1) && skip(depth_left - 1);
        }
        if (format_code < code::vbin8) return advance(1 + fixed_width(format_code), Errc::truncated);
        const std::size_t width = size_width(format_code);
        if (head.size() < 1 + width) return fail(Errc::truncated);
        const std::size_t length = width == 1 ? std::to_integer<std::size_t>(head[1]) : load_be<std::uint32_t>(head.data() + 1);
        return advance(1 + width, Errc::truncated) && advance(length, Errc::length_out_of_bounds);
    }

    bool fail(Errc error) noexcept {
        error_ = error;
        return false;
    }

    /// The next `length` octets, shared, without a search from the front of the chain.
    ByteChain slice(std::size_t length) const {
        ByteChain part;
        std::size_t from = at_ - base_;
        for (std::size_t i = segment_; length > 0; ++i, from = 0) {
            Bytes piece = segments_[i].slice(from, length);
            length -= piece.size();
            part.append(std::move(piece));
        }
        return part;
    }

private:
    bool advance(std::size_t n, Errc error) noexcept {
        if (n > size_ - at_) return fail(error);
        seek(at_ + n);
        return true;
    }

    std::span<const Bytes> segments_;
    std::size_t size_;
    std::size_t at_ = 0;
    std::size_t segment_ = 0;
    std::size_t base_ = 0;
    Errc error_{};
};

MessageView::MessageView(ByteChain octets, const DecodeLimits& limits) : octets_(std::move(octets)), limits_(limits) {
    if (octets_.size() > limits_.bytes_max) {
        fail(Errc::value_too_large, 0);
        return;
    }
    Cursor at(octets_);
    while (!at.at_end() && locate_section(at)) {
    }
}

bool MessageView::fail(Errc error, std::size_t offset) noexcept {
    error_ = make_error_code(error);
    error_offset_ = offset;
    return false;
}

bool MessageView::locate_section(Cursor& at) {
    const std::size_t start = at.at();
    constexpr std::size_t descriptor_max = 64;  // the longest symbol of a section has 32 characters
    std::array<std::byte, descriptor_max> scratch;
    Decoder head(at.peek(scratch));
    const Descriptor found = head.read_descriptor();
    if (!head.ok()) return fail(head.errc() == Errc::bad_descriptor ? Errc::unknown_section : head.errc(), start);
    const std::uint64_t code = found.resolve().value_or(0);
    const std::optional<std::size_t> rank = rank_of(code);
    if (!rank) return fail(Errc::unknown_section, start);  // [3.2-f]

    const auto section = static_cast<Section>(*rank);
    for (std::size_t later = *rank + 1; later < section_count; ++later) {
        if (!places_[later].present) continue;
        return fail(has(section) && section != Section::body ? Errc::duplicate_section : Errc::section_out_of_order, start);
    }
    if (has(section) && section != Section::body) return fail(Errc::duplicate_section, start);  // [3.2-d]
    if (section == Section::body) {
        const BodyKind kind = code == descriptor::data            ? BodyKind::data
                              : code == descriptor::amqp_sequence ? BodyKind::sequence
                                                                  : BodyKind::value;
        if (has_body() && (kind != body_kind_ || kind == BodyKind::value)) return fail(Errc::mixed_body, start);  // [3.2-e]
        body_kind_ = kind;
    }

    at.seek(start + head.offset());
    const std::size_t value = at.at();
    std::array<std::byte, 1> constructor;
    const auto first = at.peek(constructor);
    const bool sound = !first.empty();
    const std::optional<Type> type = sound ? type_of_code(std::to_integer<std::uint8_t>(first[0])) : std::nullopt;
    const std::optional<Type> base = base_of(code);
    const bool wrong_type = type && base && type != base;
    if (wrong_type || !at.skip(limits_.depth_max)) {
        if (section == Section::body && !has(section)) body_kind_ = BodyKind::none;
        return fail(wrong_type ? Errc::wrong_section_type : at.error(), start);
    }

    Place& place = places_[*rank];
    if (!place.present) place = {start, value, at.at(), true};
    place.end = at.at();
    if (section <= Section::delivery_annotations) prefix_ = at.at();
    return true;
}

std::span<const std::byte> MessageView::octets_of(Section s) const {
    const Place& where = place(s);
    if (!where.present) return {};
    std::size_t base = 0;
    for (const Bytes& segment : octets_.segments()) {
        if (where.start < base + segment.size()) {
            if (where.end > base + segment.size()) break;
            return segment.span().subspan(where.start - base, where.end - where.start);
        }
        base += segment.size();
    }
    Bytes& joined = joined_[static_cast<std::size_t>(s)];
    if (joined.empty()) joined = octets_.slice(where.start, where.end - where.start).contiguous();
    return joined.span();
}

std::span<const std::byte> MessageView::value_of(Section s) const {
    const auto octets = octets_of(s);
    return octets.empty() ? octets : octets.subspan(place(s).value - place(s).start);
}

/// Calls `f` with the value of each body section, constructor included.
template <class F>
void MessageView::for_each_body_section(F&& f) const {
    const Place& body = place(Section::body);
    if (!body.present) return;
    Cursor at(octets_, body.start);
    while (at.at() < body.end) {
        at.seek(at.at() + 1);
        at.skip(limits_.depth_max);  // both were measured when the message was located: neither can fail now
        const Cursor value = at;
        at.skip(limits_.depth_max);
        f(value.slice(at.at() - value.at()));
    }
}

// Sections as they are

Header MessageView::header() const {
    Result<Header> header = decode_as<Header>(octets_of(Section::header), limits_);
    return header ? *header : Header{};
}

Result<Properties> MessageView::properties() const {
    if (!has(Section::properties)) return Properties{};
    return decode_as<Properties>(octets_of(Section::properties), limits_);
}

RawValue MessageView::property(std::uint32_t index) const { return ListView(value_of(Section::properties))[index]; }

std::optional<MessageIdView> MessageView::message_id() const { return property(message_id_index).message_id(); }
std::optional<std::span<const std::byte>> MessageView::user_id() const { return property(user_id_index).binary(); }
std::optional<std::string_view> MessageView::to() const { return property(to_index).string(); }
std::optional<std::string_view> MessageView::subject() const { return property(subject_index).string(); }
std::optional<std::string_view> MessageView::reply_to() const { return property(reply_to_index).string(); }
std::optional<MessageIdView> MessageView::correlation_id() const { return property(correlation_id_index).message_id(); }
std::optional<std::string_view> MessageView::content_type() const { return property(content_type_index).symbol(); }
std::optional<std::string_view> MessageView::content_encoding() const { return property(content_encoding_index).symbol(); }
std::optional<Timestamp> MessageView::absolute_expiry_time() const { return property(absolute_expiry_time_index).timestamp(); }
std::optional<Timestamp> MessageView::creation_time() const { return property(creation_time_index).timestamp(); }
std::optional<std::string_view> MessageView::group_id() const { return property(group_id_index).string(); }
std::optional<std::uint32_t> MessageView::group_sequence() const { return property(group_sequence_index).uint(); }
std::optional<std::string_view> MessageView::reply_to_group_id() const { return property(reply_to_group_id_index).string(); }

MapView MessageView::delivery_annotations() const { return MapView(value_of(Section::delivery_annotations)); }
MapView MessageView::message_annotations() const { return MapView(value_of(Section::message_annotations)); }
MapView MessageView::application_properties() const { return MapView(value_of(Section::application_properties)); }
MapView MessageView::footer() const { return MapView(value_of(Section::footer)); }

// The body

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
    APROTIC_TRY_AS(const ByteChain octets, body_data());
    if (octets.segments().size() == 1) return octets.segments().front().text();  // octets_ keeps the memory
    if (joined_text_.empty()) joined_text_ = octets.contiguous();
    return joined_text_.text();
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

// All of it

Result<Map> MessageView::map_of(Section s) const {
    if (!has(s)) return Map{};
    APROTIC_TRY_AS(Map map, decode_as<Map>(value_of(s), limits_));
    const bool application = s == Section::application_properties;
    for (const Map::Entry& entry : map) {
        // [3.2.5-a], [3.2.10-c]
        const Type key = entry.first.type();
        if (application ? key != Type::string : key != Type::symbol && key != Type::ulong) return Errc::wrong_key_type;
    }
    return map;
}

Result<Message> MessageView::to_message() const {
    if (!ok()) return error_;
    Message message;
    if (has(Section::header)) {
        APROTIC_TRY_AS(message.header, decode_as<Header>(octets_of(Section::header), limits_));
    }
    APROTIC_TRY_AS(message.delivery_annotations, map_of(Section::delivery_annotations));
    APROTIC_TRY_AS(message.message_annotations, map_of(Section::message_annotations));
    if (has(Section::properties)) {
        APROTIC_TRY_AS(message.properties, properties());
    }
    APROTIC_TRY_AS(message.application_properties, map_of(Section::application_properties));
    switch (body_kind_) {
        case BodyKind::none: break;
        case BodyKind::value: {
            APROTIC_TRY_AS(message.body, body_value());
            break;
        }
        case BodyKind::data: {
            APROTIC_TRY_AS(message.body, data_sections());
            break;
        }
        case BodyKind::sequence: {
            APROTIC_TRY_AS(message.body, sequences());
            break;
        }
    }
    APROTIC_TRY_AS(message.footer, map_of(Section::footer));
    return message;
}

Result<void> MessageView::check() const {
    if (!ok()) return error_;
    if (has(Section::header)) APROTIC_TRY(decode_as<Header>(octets_of(Section::header), limits_));
    if (has(Section::properties)) APROTIC_TRY(properties());
    for (const Section s : {Section::delivery_annotations, Section::message_annotations, Section::application_properties,
                            Section::footer}) {
        APROTIC_TRY(map_of(s));
    }
    if (body_kind_ == BodyKind::value) APROTIC_TRY(raw_body_value().check(limits_));
    if (body_kind_ == BodyKind::sequence) APROTIC_TRY(sequences());
    return {};
}

}  // namespace aprotic::codec
