#include <aprotic/codec/dump/json_printer.hpp>
#include <aprotic/codec/dump/text_printer.hpp>
#include <aprotic/codec/json.hpp>

#include <cstdint>

namespace aprotic::codec {

bool JsonPrinter::value(Decoder& from, bool plain) {
    return from.peek() == Type::described ? described(from, plain) : leaf(from, plain);
}

/// A composite or a section by its name; described values of others stay what they are.
bool JsonPrinter::described(Decoder& from, bool plain) {
    Decoder ahead = from;
    const Descriptor found = ahead.read_descriptor();
    if (!ahead.ok()) return leaf(from, plain);
    const CompositeInfo* info = find_composite(found.resolve().value_or(0));
    if (info == nullptr || ahead.peek() != Type::list) return leaf(from, plain);
    from = ahead;
    out_ += "{\"";
    out_ += info->name;
    out_ += "\":";
    fields(from, *info);
    out_ += '}';
    return true;
}

void JsonPrinter::fields(Decoder& from, const CompositeInfo& info) {
    const Decoder::Scope scope = from.enter_list();
    out_ += '{';
    bool first = true;
    for (std::uint32_t i = 0; i < scope.count && from.ok(); ++i) {
        if (from.try_null()) continue;
        const std::size_t start = out_.size();
        if (!first) out_ += ',';
        out_ += '"';
        if (i < info.fields.size()) {
            out_ += info.fields[i].name;
        } else {
            out_ += "field-" + std::to_string(i + 1);
        }
        out_ += "\":";
        if (i < info.fields.size() ? field(from, info, info.fields[i]) : value(from)) {
            first = false;
        } else {
            out_.resize(start);
        }
    }
    out_ += '}';
    from.leave(scope);
}

bool JsonPrinter::field(Decoder& from, const CompositeInfo& info, const FieldInfo& field) {
    if (const std::string_view choice = take_choice(from, info, field.name); !choice.empty()) {
        append_json_string(out_, choice);
        return true;
    }
    if (is_secret(info, field.name) && from.peek() == Type::binary) {
        const std::size_t octets = from.read_binary().size();
        if (!from.ok()) return false;
        out_ += "{\"hidden-octets\":" + std::to_string(octets) + '}';
        return true;
    }
    // A field that can only be one composite does not say which.
    Decoder ahead = from;
    const Descriptor found = ahead.read_descriptor();
    if (ahead.ok() && ahead.peek() == Type::list) {
        const CompositeInfo* inner = find_composite(found.resolve().value_or(0));
        if (inner != nullptr && inner->name == field.type) {
            from = ahead;
            fields(from, *inner);
            return true;
        }
    }
    return value(from, field.type != "*" && field.type != "map");
}

bool JsonPrinter::leaf(Decoder& from, bool plain) {
    Decoder ahead = from;
    const std::span<const std::byte> octets = ahead.read_raw();
    if (!ahead.ok()) {
        from = ahead;
        return false;
    }
    const JsonOptions options{.form = plain ? JsonForm::plain : JsonForm::lossless};
    if (append_json(out_, octets, options, from.limits())) {
        from = ahead;
        return true;
    }
    // Where in the value the fault is; only equal keys are not seen this way, and they are told by whoever reads it as
    // a value.
    from.skip_checked();
    return false;
}

}  // namespace aprotic::codec
