#include <aprotic/codec/dump/walk.hpp>
#include <aprotic/codec/message_view.hpp>

namespace aprotic::codec {

namespace {

bool keys_are_legal(const Map& map, bool application) {
    for (const Map::Entry& entry : map) {
        const Type key = entry.first.type();
        if (application ? key != Type::string : key != Type::symbol && key != Type::ulong) return false;
    }
    return true;
}

/// Reads a section that reads as a value once more as what it claims to be.
void read_strictly(Decoder& from) {
    Decoder ahead = from;
    const std::uint64_t code = ahead.read_descriptor().resolve().value_or(0);
    if (code == descriptor::header) {
        Header header;
        decode(from, header);
        return;
    }
    if (code == descriptor::properties) {
        Properties properties;
        decode(from, properties);
        return;
    }
    from = ahead;
    if (code == descriptor::data) {
        from.read_binary();
    } else if (code == descriptor::amqp_value) {
        Value value;
        decode(from, value);
    } else if (code == descriptor::amqp_sequence) {
        List items;
        decode(from, items);
    } else {
        Map map;
        const bool application = code == descriptor::application_properties;
        if (decode(from, map) && !keys_are_legal(map, application))
            from.fail_last(Errc::wrong_key_type);  // [3.2.5-a], [3.2.10-c]
    }
}

}  // namespace

bool report_message(Report& to, std::span<const std::byte> input, std::uint64_t base, bool inner) {
    // Where the order of sections is broken; what is wrong inside of one is found below.
    const MessageView view(ByteChain(Bytes::copy_of(input)));
    bool sound = true;
    for (std::size_t at = 0; at < input.size();) {
        Decoder from(input.subspan(at));  // limits count for each section by itself
        Decoder strict = from;
        to.value(base + at, from, inner);
        if (!from.ok()) {
            to.fault(base + at + from.error_offset(), from.errc());
            return false;
        }
        if (!view.ok() && view.error_offset() == at) {
            to.fault(base + at, static_cast<Errc>(view.error().value()));
            sound = false;
        } else if (view.ok() || at < view.error_offset()) {
            read_strictly(strict);
            if (!strict.ok()) to.fault(base + at + strict.error_offset(), strict.errc());
            sound = sound && strict.ok();
        }
        at += from.offset();
    }
    return sound;
}

bool report_values(Report& to, std::span<const std::byte> input) {
    bool sound = true;
    std::size_t at = 0;
    do {
        Decoder from(input.subspan(at));
        Decoder strict = from;
        to.value(at, from, false);
        if (!from.ok()) {
            to.fault(at + from.error_offset(), from.errc());
            return false;
        }
        if (Value value; !decode(strict, value)) {
            to.fault(at + strict.error_offset(), strict.errc());
            sound = false;
        }
        at += from.offset();
    } while (at < input.size());
    return sound;
}

}  // namespace aprotic::codec
