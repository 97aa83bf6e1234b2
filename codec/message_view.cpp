// Where the sections of a message are, and what is in each but the body: that is in message_body.cpp.
#include <aprotic/codec/reading/section_cursor.hpp>

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

/// What is known of a section by its code and of a value by its constructor, for the usual messages: looked up, since
/// every message passes here.
struct PlainSection {
    std::uint8_t rank = 0;   // counts from 1; 0 where the general way has to look
    std::uint8_t forms = 0;  // of its value: the bits below
    MessageView::BodyKind body = MessageView::BodyKind::none;
};
constexpr std::uint8_t list_form = 1, map_form = 2, binary_form = 4, string_form = 8;
constexpr auto plain_sections = [] {
    using enum MessageView::BodyKind;
    std::array<PlainSection, descriptor::footer - descriptor::header + 1> sections{};
    const auto put = [&](std::uint64_t code, PlainSection section) { sections[code - descriptor::header] = section; };
    put(descriptor::header, {1, list_form});
    put(descriptor::delivery_annotations, {2, map_form});
    put(descriptor::message_annotations, {3, map_form});
    put(descriptor::properties, {4, list_form});
    put(descriptor::application_properties, {5, map_form});
    put(descriptor::data, {6, binary_form, data});
    put(descriptor::amqp_sequence, {6, list_form, sequence});
    put(descriptor::amqp_value, {6, list_form | map_form | binary_form | string_form, value});
    put(descriptor::footer, {7, map_form});
    return sections;
}();
constexpr std::uint8_t form_of(std::uint8_t format_code) noexcept {
    switch (format_code) {
        case code::list8:
        case code::list32: return list_form;
        case code::map8:
        case code::map32: return map_form;
        case code::vbin8:
        case code::vbin32: return binary_form;
        case code::str8:
        case code::str32: return string_form;
        default: return 0;
    }
}
constexpr auto forms_by_code = [] {
    std::array<std::uint8_t, 256> forms{};
    for (std::size_t i = 0; i < forms.size(); ++i) forms[i] = form_of(static_cast<std::uint8_t>(i));
    return forms;
}();

enum PropertyIndex : std::uint32_t {
    message_id_index,
    user_id_index,
    to_index,
    subject_index,
    reply_to_index,
    correlation_id_index,
    content_type_index,
    content_encoding_index,
    absolute_expiry_time_index,
    creation_time_index,
    group_id_index,
    group_sequence_index,
    reply_to_group_id_index,
};

}  // namespace

MessageView::MessageView(ByteChain octets, const DecodeLimits& limits) : octets_(std::move(octets)), limits_(limits) {
    if (octets_.size() > limits_.bytes_max) {
        fail(Errc::value_too_large, 0);
        return;
    }
    const std::size_t located = locate_plainly();
    if (located == octets_.size()) return;
    Cursor at(octets_, located);
    while (!at.at_end() && locate_section(at)) {
    }
}

/// Most messages are in one segment and have sections in order, with descriptors of one octet and values that tell
/// their size. Locates the sections of which that is true and stops before the first other one; gives where that is.
std::size_t MessageView::locate_plainly() noexcept {
    if (octets_.segments().size() != 1) return 0;
    const std::byte* const octets = octets_.segments().front().data();
    const std::size_t size = octets_.size();
    const auto octet = [octets](std::size_t i) { return std::to_integer<std::uint8_t>(octets[i]); };
    constexpr std::size_t head_size = 3;  // 0x00 0x53 and the section's code
    std::uint8_t last = 0;
    std::size_t at = 0;
    while (size - at > head_size + 4 && load_be<std::uint16_t>(octets + at) == code::smallulong) {
        const std::size_t code = octet(at + 2) - descriptor::header;
        if (code >= plain_sections.size()) break;
        const PlainSection section = plain_sections[code];
        const std::size_t value = at + head_size;
        const std::uint8_t format_code = octet(value);
        if (section.rank <= last || (section.forms & forms_by_code[format_code]) == 0) break;
        const std::size_t end = size_width(format_code) == 1 ? value + 2 + octet(value + 1)
                                                             : value + 5 + load_be<std::uint32_t>(octets + value + 1);
        if (end > size) break;
        Place& place = places_[section.rank - 1U];
        place.start = at;
        place.value = value;
        place.end = end;
        place.present = true;
        if (section.rank <= 2) prefix_ = end;  // header and delivery annotations
        if (section.body != BodyKind::none) body_kind_ = section.body;
        last = section.rank;
        at = end;
    }
    return at;
}

std::optional<std::uint32_t> MessageView::count_sections(const ByteChain& message) noexcept {
    Cursor at(message);
    std::uint32_t sections = 0;
    for (; !at.at_end(); ++sections) {
        std::array<std::byte, 1> first;
        if (std::to_integer<std::uint8_t>(at.peek(first)[0]) != code::described) return std::nullopt;
        if (!at.skip(DecodeLimits().depth_max)) return std::nullopt;
    }
    return sections;
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
    for (std::size_t later = *rank + 1; later < kinds_of_section; ++later) {
        if (!places_[later].present) continue;
        return fail(has(section) && section != Section::body ? Errc::duplicate_section : Errc::section_out_of_order,
                    start);
    }
    if (has(section) && section != Section::body) return fail(Errc::duplicate_section, start);  // [3.2-d]
    if (section == Section::body) {
        const BodyKind kind = code == descriptor::data            ? BodyKind::data
                              : code == descriptor::amqp_sequence ? BodyKind::sequence
                                                                  : BodyKind::value;
        if (has_body() && (kind != body_kind_ || kind == BodyKind::value))
            return fail(Errc::mixed_body, start);  // [3.2-e]
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
    if (octets_.segments().size() == 1)
        return octets_.segments().front().span().subspan(where.start, where.end - where.start);
    std::size_t base = 0;
    for (const Bytes& segment : octets_.segments()) {
        if (where.start < base + segment.size()) {
            if (where.end > base + segment.size()) break;
            return segment.span().subspan(where.start - base, where.end - where.start);
        }
        base += segment.size();
    }
    return joined(static_cast<std::size_t>(s), octets_.slice(where.start, where.end - where.start)).span();
}

/// What is in more than one place, joined once.
const Bytes& MessageView::joined(std::size_t slot, const ByteChain& parts) const {
    joined_.resize(kinds_of_section + 1);
    if (joined_[slot].empty()) joined_[slot] = parts.contiguous();
    return joined_[slot];
}

std::span<const std::byte> MessageView::value_of(Section s) const {
    const auto octets = octets_of(s);
    return octets.empty() ? octets : octets.subspan(place(s).value - place(s).start);
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

RawValue MessageView::property(std::uint32_t index) const {
    if (plain_properties_ == nullptr) {
        const std::span<const std::byte> list = value_of(Section::properties);
        if (!locate_properties(list)) return ListView(list)[index];
    }
    if (index >= properties_located_) return RawValue();
    const std::uint32_t start = property_at_[index];
    return RawValue({plain_properties_ + start, property_at_[index + 1] - start});
}

/// Measures all properties at once. False when one of them is nothing that belongs here: then they are looked for one
/// by one.
bool MessageView::locate_properties(std::span<const std::byte> list) const noexcept {
    if (list.empty()) return false;
    const auto octet = [&](std::size_t i) { return std::to_integer<std::uint8_t>(list[i]); };
    std::size_t at = 3;
    std::size_t count = 0;
    if (octet(0) == code::list8 && list.size() >= 3) {
        count = octet(2);
    } else if (octet(0) == code::list32 && list.size() >= 9) {
        at = 9;
        count = load_be<std::uint32_t>(list.data() + 5);
    } else {
        return false;
    }
    if (count > property_count) return false;
    for (std::size_t i = 0; i < count; ++i) {
        property_at_[i] = static_cast<std::uint32_t>(at);
        if (at >= list.size()) return false;
        const std::uint8_t format_code = octet(at++);
        if (format_code >= code::null && format_code < code::vbin8) {
            at += fixed_width(format_code);
        } else if (format_code >= code::vbin8 && format_code <= code::sym8 && at < list.size()) {
            at += 1 + std::size_t{octet(at)};
        } else if (format_code >= code::vbin32 && format_code <= code::sym32 && list.size() - at >= 4) {
            at += 4 + std::size_t{load_be<std::uint32_t>(list.data() + at)};
        } else {
            return false;
        }
    }
    if (at != list.size() || at > UINT32_MAX) return false;
    property_at_[count] = static_cast<std::uint32_t>(at);
    properties_located_ = static_cast<std::uint32_t>(count);
    plain_properties_ = list.data();
    return true;
}

std::optional<MessageIdView> MessageView::message_id() const { return property(message_id_index).message_id(); }
std::optional<std::span<const std::byte>> MessageView::user_id() const { return property(user_id_index).binary(); }
std::optional<std::string_view> MessageView::to() const { return property(to_index).string(); }
std::optional<std::string_view> MessageView::subject() const { return property(subject_index).string(); }
std::optional<std::string_view> MessageView::reply_to() const { return property(reply_to_index).string(); }
std::optional<MessageIdView> MessageView::correlation_id() const { return property(correlation_id_index).message_id(); }
std::optional<std::string_view> MessageView::content_type() const { return property(content_type_index).symbol(); }
std::optional<std::string_view> MessageView::content_encoding() const {
    return property(content_encoding_index).symbol();
}
std::optional<Timestamp> MessageView::absolute_expiry_time() const {
    return property(absolute_expiry_time_index).timestamp();
}
std::optional<Timestamp> MessageView::creation_time() const { return property(creation_time_index).timestamp(); }
std::optional<std::string_view> MessageView::group_id() const { return property(group_id_index).string(); }
std::optional<std::uint32_t> MessageView::group_sequence() const { return property(group_sequence_index).uint(); }
std::optional<std::string_view> MessageView::reply_to_group_id() const {
    return property(reply_to_group_id_index).string();
}

MapView MessageView::delivery_annotations() const { return MapView(value_of(Section::delivery_annotations)); }
MapView MessageView::message_annotations() const { return MapView(value_of(Section::message_annotations)); }
MapView MessageView::application_properties() const { return MapView(value_of(Section::application_properties)); }
MapView MessageView::footer() const { return MapView(value_of(Section::footer)); }

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

Result<void> MessageView::check(Strictness strictness) const {
    if (!ok()) return error_;
    if (strictness == Strictness::strict) {
        bool simple = true;
        application_properties().for_each([&](const MapView::Entry& entry) {
            const std::optional<Type> type = entry.value.type();
            simple = simple && (!type || *type < Type::list);
        });
        if (!simple) return Errc::compound_property;
    }
    if (has(Section::header)) APROTIC_TRY(decode_as<Header>(octets_of(Section::header), limits_));
    if (has(Section::properties)) APROTIC_TRY(properties());
    for (const Section s : {Section::delivery_annotations, Section::message_annotations,
                            Section::application_properties, Section::footer}) {
        APROTIC_TRY(map_of(s));
    }
    if (body_kind_ == BodyKind::value) APROTIC_TRY(raw_body_value().check(limits_));
    if (body_kind_ == BodyKind::sequence) APROTIC_TRY(sequences());
    return {};
}

}  // namespace aprotic::codec
