#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/dump/text_printer.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace aprotic::codec {

void TextPrinter::value(Decoder& from, bool plain) {
    const std::optional<Type> type = from.peek();
    if (!type) return;
    const std::size_t start = out_.size();
    scalar_or_compound(from, *type, plain);
    const bool compound = *type == Type::list || *type == Type::map || *type == Type::array || *type == Type::described;
    if (!from.ok() && !compound) out_.resize(start);  // what a failed read returns was never understood
}

void TextPrinter::scalar_or_compound(Decoder& from, Type type, bool plain) {
    switch (type) {
        case Type::null: from.read_null(); return put("null");
        case Type::boolean: return put("{}", from.read_boolean());
        case Type::ubyte: return number(type, plain, from.read_ubyte());
        case Type::ushort: return number(type, plain, from.read_ushort());
        case Type::uint: return number(type, plain, from.read_uint());
        case Type::ulong: return number(type, plain, from.read_ulong());
        case Type::byte: return number(type, plain, from.read_byte());
        case Type::short_: return number(type, plain, from.read_short());
        case Type::int_: return number(type, plain, from.read_int());
        case Type::long_: return number(type, plain, from.read_long());
        case Type::float_: return number(type, false, from.read_float());
        case Type::double_: return number(type, false, from.read_double());
        case Type::decimal32: return hex(type, from.read_decimal32().octets);
        case Type::decimal64: return hex(type, from.read_decimal64().octets);
        case Type::decimal128: return hex(type, from.read_decimal128().octets);
        case Type::char_: return put("char:U+{:04X}", static_cast<std::uint32_t>(from.read_char()));
        case Type::timestamp: return number(type, plain, from.read_timestamp().ms);
        case Type::uuid: return put("uuid:{}", from.read_uuid().to_string());
        case Type::binary: out_ += 'b'; return quoted(from.read_binary(), false);
        case Type::string: return quoted(as_bytes(from.read_string()), true);
        case Type::symbol: out_ += ':'; return symbol(from.read_symbol());
        case Type::list: return items(from, from.enter_list());
        case Type::map: return map(from);
        case Type::array: return array(from);
        case Type::described: return described(from);
    }
}

template <class T>
void TextPrinter::number(Type type, bool plain, T v) {
    if (!plain) put("{}:", name_of(type));
    put("{}", v);
}
void TextPrinter::hex(Type type, std::span<const std::byte> octets) {
    put("{}:", name_of(type));
    for (const std::byte octet : octets) put("{:02x}", std::to_integer<unsigned>(octet));
}
void TextPrinter::symbol(std::string_view text) {
    for (const char c : text.substr(0, octets_max_)) escaped(c, false);
    if (text.size() > octets_max_) put("...({} octets)", text.size());
}
void TextPrinter::quoted(std::span<const std::byte> octets, bool utf8) {
    std::size_t shown = std::min(octets.size(), octets_max_);
    // Not in the middle of a character.
    while (utf8 && shown < octets.size() && shown > 0 && (octets[shown] & std::byte{0xc0}) == std::byte{0x80}) --shown;
    out_ += '"';
    for (std::size_t i = 0; i < shown; ++i) {
        // The control characters U+0080 to U+009F are two octets.
        const bool control = utf8 && octets[i] == std::byte{0xc2} && i + 1 < shown && octets[i + 1] < std::byte{0xa0};
        escaped(static_cast<char>(octets[i]), utf8 && !control);
        if (control) escaped(static_cast<char>(octets[++i]), false);
    }
    out_ += '"';
    if (octets.size() > octets_max_) put("...({} octets)", octets.size());
}

/// Nothing a peer sends may move a terminal's cursor or end a line of a log.
void TextPrinter::escaped(char c, bool utf8) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
    } else if (octet < 0x20 || octet == 0x7f || (octet >= 0x80 && !utf8)) {
        put("\\x{:02x}", octet);
    } else {
        out_ += c;
    }
}

void TextPrinter::items(Decoder& from, const Decoder::Scope& scope) {
    if (!from.ok()) return;
    out_ += '[';
    for (std::uint32_t i = 0; i < scope.count && from.ok(); ++i) {
        if (i != 0) put(", ");
        value(from);
    }
    if (from.leave(scope)) out_ += ']';
}
void TextPrinter::map(Decoder& from) {
    const Decoder::Scope scope = from.enter_map();
    if (!from.ok()) return;
    out_ += '{';
    for (std::uint32_t i = 0; i < scope.count && from.ok(); i += 2) {
        if (i != 0) put(", ");
        value(from);
        out_ += '=';
        value(from);
    }
    if (from.leave(scope)) out_ += '}';
}
void TextPrinter::array(Decoder& from) {
    const Decoder::Scope scope = from.enter_array();
    if (!from.ok()) return;
    for (auto rest = scope.descriptors; !rest.empty();) {
        Decoder descriptor(rest.subspan(1), from.limits());
        out_ += '@';
        value(descriptor, true);
        out_ += ' ';
        if (!descriptor.ok()) break;
        rest = descriptor.rest();
    }
    put("{}", name_of(*type_of_code(scope.element_code)));
    items(from, scope);
}

void TextPrinter::described(Decoder& from) {
    Decoder ahead = from;
    const Descriptor found = ahead.read_descriptor();
    if (ahead.ok()) {
        const std::uint64_t code = found.resolve().value_or(0);
        const CompositeInfo* info = find_composite(code);
        if (info != nullptr && ahead.peek() == Type::list) {
            from = ahead;
            return composite(from, *info);
        }
    }
    if (!from.enter_described()) return;
    const std::string_view name = ahead.ok() ? descriptor_name(found.resolve().value_or(0)) : std::string_view();
    if (name.empty()) {
        out_ += '@';
        value(from, true);
    } else {
        from.skip();
        out_ += name;
    }
    out_ += ' ';
    value(from);
    if (from.ok()) from.leave_described();
}

void TextPrinter::composite(Decoder& from, const CompositeInfo& info) {
    put("{}", info.name);
    const Decoder::Scope scope = from.enter_list();
    if (!from.ok()) return;
    if (scope.count != 0) out_ += '{';
    bool first = true;
    for (std::uint32_t i = 0; i < scope.count && from.ok(); ++i) {
        if (from.try_null()) continue;
        if (!first) out_ += ' ';
        first = false;
        if (i < info.fields.size()) {
            put("{}=", info.fields[i].name);
            field(from, info, info.fields[i].name);
        } else {
            put("?=");
            value(from);
        }
    }
    if (from.leave(scope) && scope.count != 0) out_ += '}';
}

void TextPrinter::field(Decoder& from, const CompositeInfo& info, std::string_view name) {
    if (const std::string_view choice = take_choice(from, info, name); !choice.empty()) return put("{}", choice);
    if (is_secret(info, name) && from.peek() == Type::binary) {
        const std::size_t octets = from.read_binary().size();
        if (from.ok()) put("({} octets)", octets);
        return;
    }
    value(from, true);
}

std::string_view take_choice(Decoder& from, const CompositeInfo& composite, std::string_view field) {
    Decoder ahead = from;
    const auto named = [&]<class E>(E v, E last) -> std::string_view {
        if (!ahead.ok() || v > last) return {};
        from = ahead;
        return name_of(v);
    };
    const std::optional<Type> type = ahead.peek();
    if (field == "role" && type == Type::boolean) return named(static_cast<Role>(ahead.read_boolean()), Role::receiver);
    if (field == "snd-settle-mode" && type == Type::ubyte) {
        return named(static_cast<SenderSettleMode>(ahead.read_ubyte()), SenderSettleMode::mixed);
    }
    if (field == "rcv-settle-mode" && type == Type::ubyte) {
        return named(static_cast<ReceiverSettleMode>(ahead.read_ubyte()), ReceiverSettleMode::second);
    }
    if (field == "durable" && type == Type::uint) {
        return named(static_cast<TerminusDurability>(ahead.read_uint()), TerminusDurability::unsettled_state);
    }
    if (composite.code == descriptor::sasl_outcome && field == "code" && type == Type::ubyte) {
        return named(static_cast<SaslCode>(ahead.read_ubyte()), SaslCode::sys_temp);
    }
    return {};
}

bool is_secret(const CompositeInfo& composite, std::string_view field) noexcept {
    // In the simplest mechanisms these hold the password.
    return (composite.code == descriptor::sasl_init && field == "initial-response") ||
           composite.code == descriptor::sasl_response;
}

}  // namespace aprotic::codec
