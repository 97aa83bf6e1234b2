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

MessageView::BodyKind body_kind_of(std::uint64_t code) noexcept {
    switch (code) {
        case descriptor::data: return MessageView::BodyKind::data;
        case descriptor::amqp_sequence: return MessageView::BodyKind::sequence;
        default: return MessageView::BodyKind::value;
    }
}

/// What is known of a section by its code and of a value by its constructor, for the usual messages: looked up, since
/// every message passes here.
struct PlainSection {
    std::uint8_t rank = 0;   // counts from 1; 0 where the general way has to look
    std::uint8_t forms = 0;  // of its value: the bits below
};
constexpr std::uint8_t list_form = 1, map_form = 2, binary_form = 4, string_form = 8;
constexpr std::array<PlainSection, 16> plain_sections = [] {
    std::array<PlainSection, 16> sections{};
    const auto put = [&](std::uint64_t code, PlainSection section) { sections[code - descriptor::header] = section; };
    put(descriptor::header, {1, list_form});
    put(descriptor::delivery_annotations, {2, map_form});
    put(descriptor::message_annotations, {3, map_form});
    put(descriptor::properties, {4, list_form});
    put(descriptor::application_properties, {5, map_form});
    put(descriptor::data, {6, binary_form});
    put(descriptor::amqp_sequence, {6, list_form});
    put(descriptor::amqp_value, {6, list_form | map_form | binary_form | string_form});
    put(descriptor::footer, {7, map_form});
    return sections;
}();
constexpr std::array<std::uint8_t, 256> forms_by_code = [] {
    std::array<std::uint8_t, 256> forms{};
    forms[code::list8] = forms[code::list32] = list_form;
    forms[code::map8] = forms[code::map32] = map_form;
    forms[code::vbin8] = forms[code::vbin32] = binary_form;
    forms[code::str8] = forms[code::str32] = string_form;
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

/// Octets behind the constructor of a number, `item_size_max` plus those of the length of a text or binary, and
/// for anything else more than there can be.
constexpr std::size_t item_size_max = 16;
constexpr std::array<std::size_t, 256> plain_items = [] {
    std::array<std::size_t, 256> sizes{};
    sizes.fill(SIZE_MAX);
    for (std::size_t i = code::null; i < code::vbin8; ++i) sizes[i] = fixed_width(static_cast<std::uint8_t>(i));
    for (const std::uint8_t i : {code::vbin8, code::str8, code::sym8}) sizes[i] = item_size_max + 1;
    for (const std::uint8_t i : {code::vbin32, code::str32, code::sym32}) sizes[i] = item_size_max + 4;
    return sizes;
}();

/// A text or binary with a length of one octet, and nothing behind it.
bool is_short(std::span<const std::byte> octets, std::uint8_t format_code) noexcept {
    return octets.size() >= 2 && octets[0] == std::byte{format_code} &&
           octets.size() - 2 == std::to_integer<std::size_t>(octets[1]);
}

}  // namespace

MessageView::MessageView(ByteChain octets, const DecodeLimits& limits) : octets_(std::move(octets)), limits_(limits) {
    locate();
}

void MessageView::assign(ByteChain&& octets) {
    octets_ = std::move(octets);
    sections_ = 0;
    joined_.clear();
    properties_located_ = 0;
    plain_properties_ = nullptr;
    body_kind_ = BodyKind::none;
    error_ = {};
    error_offset_ = 0;
    locate();
}

void MessageView::locate() {
    if (octets_.size() > std::min<std::size_t>(limits_.bytes_max, UINT32_MAX)) {
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
    std::size_t at = 0;
    std::uint8_t last = 0;
    std::uint8_t found = 0;
    constexpr std::size_t head_size = 4;  // 0x00 0x53, the section's code, the constructor of its value
    while (at + head_size + 4 <= size) {
        const auto head = load_be<std::uint32_t>(octets + at);
        const std::uint32_t code = (head >> 8U) - (code::smallulong * 0x100U + unsigned{descriptor::header});
        if (code >= plain_sections.size()) break;
        const PlainSection& section = plain_sections[code];
        const auto format_code = static_cast<std::uint8_t>(head);
        if (section.rank <= last || (section.forms & forms_by_code[format_code]) == 0) break;
        const std::size_t size_at = at + head_size;
        const std::size_t end = size_width(format_code) == 1
                                    ? size_at + 1 + std::to_integer<std::size_t>(octets[size_at])
                                    : size_at + 4 + std::size_t{load_be<std::uint32_t>(octets + size_at)};
        if (end > size) break;
        last = section.rank;
        found |= bit_of(last - 1U);
        places_[last - 1U] = {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size_at - 1),
                              static_cast<std::uint32_t>(end)};
        at = end;
    }
    sections_ = found;
    if (has(Section::body))
        body_kind_ = body_kind_of(std::to_integer<std::uint8_t>(octets[place(Section::body).start + 2]));
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
    error_ = error;
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
        if (!has(static_cast<Section>(later))) continue;
        return fail(has(section) && section != Section::body ? Errc::duplicate_section : Errc::section_out_of_order,
                    start);
    }
    if (has(section) && section != Section::body) return fail(Errc::duplicate_section, start);  // [3.2-d]
    if (section == Section::body) {
        // [3.2-e]
        if (has_body() && (body_kind_of(code) != body_kind_ || body_kind_ == BodyKind::value))
            return fail(Errc::mixed_body, start);
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
        return fail(wrong_type ? Errc::wrong_section_type : at.error(), start);
    }

    Place& place = places_[*rank];
    if (!has(section)) place = {static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(value)};
    sections_ |= bit_of(*rank);
    place.end = static_cast<std::uint32_t>(at.at());
    if (section == Section::body) body_kind_ = body_kind_of(code);
    return true;
}

std::span<const std::byte> MessageView::octets_of(Section s) const {
    const Place& where = place(s);
    if (!has(s)) return {};
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

std::span<const std::byte> MessageView::property(std::uint32_t index) const {
    if (index >= properties_located_)
        return plain_properties_ == nullptr ? far_property(index) : std::span<const std::byte>();
    const std::uint32_t start = property_at_[index];
    return {plain_properties_ + start, property_at_[index + 1] - start};
}

/// The first one that is asked for, or any in a list that is not plain.
std::span<const std::byte> MessageView::far_property(std::uint32_t index) const {
    const std::span<const std::byte> list = value_of(Section::properties);
    return locate_properties(list) ? property(index) : ListView(list)[index].octets();
}

/// Measures all properties at once. False when one of them is nothing that belongs here: then they are looked for one
/// by one.
bool MessageView::locate_properties(std::span<const std::byte> list) const noexcept {
    if (list.size() < 3) return false;
    const std::byte* const octets = list.data();
    const std::byte* const end = octets + list.size();
    const std::byte* at = octets + 3;
    std::size_t count = std::to_integer<std::size_t>(octets[2]);
    if (octets[0] != std::byte{code::list8}) {
        if (octets[0] != std::byte{code::list32} || list.size() < 9) return false;
        at = octets + 9;
        count = load_be<std::uint32_t>(octets + 5);
    }
    if (count > property_count) return false;
    for (std::size_t i = 0; i < count; ++i) {
        property_at_[i] = static_cast<std::uint32_t>(at - octets);
        if (at == end) return false;
        const auto format_code = std::to_integer<std::size_t>(*at++);
        std::size_t size = plain_items[format_code];
        if (size > item_size_max) {
            const std::size_t length_width = size - item_size_max;
            if (static_cast<std::size_t>(end - at) < length_width) return false;
            size = length_width + (length_width == 1 ? std::to_integer<std::size_t>(*at) : load_be<std::uint32_t>(at));
        }
        if (static_cast<std::size_t>(end - at) < size) return false;
        at += size;
    }
    if (at != end) return false;
    property_at_[count] = static_cast<std::uint32_t>(at - octets);
    properties_located_ = static_cast<std::uint32_t>(count);
    plain_properties_ = octets;
    return true;
}

// Short texts and numbers as most are written are read here, anything else by RawValue.

std::optional<std::string_view> MessageView::text_property(std::uint32_t index) const {
    const std::span<const std::byte> octets = property(index);
    if (!is_short(octets, code::str8)) return RawValue(octets).string();
    const std::span<const std::byte> text = octets.subspan(2);
    return is_utf8(text) ? std::optional(as_text(text)) : std::nullopt;
}
std::optional<std::string_view> MessageView::symbol_property(std::uint32_t index) const {
    return RawValue(property(index)).symbol();
}
std::optional<MessageIdView> MessageView::id_property(std::uint32_t index) const {
    const std::span<const std::byte> octets = property(index);
    if (octets.size() == 2 && octets[0] == std::byte{code::smallulong})
        return std::to_integer<std::uint64_t>(octets[1]);
    if (octets.size() == 9 && octets[0] == std::byte{code::ulong}) return load_be<std::uint64_t>(octets.data() + 1);
    return RawValue(octets).message_id();
}

std::optional<MessageIdView> MessageView::message_id() const { return id_property(message_id_index); }
std::optional<std::span<const std::byte>> MessageView::user_id() const {
    return RawValue(property(user_id_index)).binary();
}
std::optional<std::string_view> MessageView::to() const { return text_property(to_index); }
std::optional<std::string_view> MessageView::subject() const { return text_property(subject_index); }
std::optional<std::string_view> MessageView::reply_to() const { return text_property(reply_to_index); }
std::optional<MessageIdView> MessageView::correlation_id() const { return id_property(correlation_id_index); }
std::optional<std::string_view> MessageView::content_type() const { return symbol_property(content_type_index); }
std::optional<std::string_view> MessageView::content_encoding() const {
    return symbol_property(content_encoding_index);
}
std::optional<Timestamp> MessageView::absolute_expiry_time() const {
    return RawValue(property(absolute_expiry_time_index)).timestamp();
}
std::optional<Timestamp> MessageView::creation_time() const {
    return RawValue(property(creation_time_index)).timestamp();
}
std::optional<std::string_view> MessageView::group_id() const { return text_property(group_id_index); }
std::optional<std::uint32_t> MessageView::group_sequence() const {
    return RawValue(property(group_sequence_index)).uint();
}
std::optional<std::string_view> MessageView::reply_to_group_id() const {
    return text_property(reply_to_group_id_index);
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
    if (!ok()) return error();
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
    if (!ok()) return error();
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
