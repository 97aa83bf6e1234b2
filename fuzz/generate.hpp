#pragma once

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>
#include <aprotic/codec/encoder.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace aprotic::fuzz {

/// Choices taken from the fuzzer's octets; all zero once these are used up, so that everything ends.
class Chance {
public:
    explicit Chance(std::span<const std::uint8_t> octets) : octets_(octets) {}

    std::uint8_t octet() {
        if (octets_.empty()) return 0;
        const std::uint8_t first = octets_.front();
        octets_ = octets_.subspan(1);
        return first;
    }
    /// 0 … bound - 1
    std::uint32_t below(std::uint32_t bound) { return octet() % bound; }
    bool one_in(std::uint32_t n) { return below(n) == 0; }
    std::uint64_t number(std::size_t octets) {
        std::uint64_t v = 0;
        while (octets-- > 0) v = v << 8U | octet();
        return v;
    }
    bool empty() const { return octets_.empty(); }

private:
    std::span<const std::uint8_t> octets_;
};

/// Writes well-formed encodings of every kind, also those that our encoder never chooses, from the field tables of the
/// specification's composites. What it writes must be read by everything that reads such a value.
class Generator {
public:
    explicit Generator(Chance& chance) : chance_(chance) {}

    std::span<const std::byte> written() const { return to_.written(); }

    /// A composite with each mandatory field, and some others.
    void composite(const codec::CompositeInfo& info, unsigned depth = 0) {
        descriptor(info.code);
        const std::uint32_t last_mandatory = [&] {
            std::uint32_t last = 0;
            for (std::uint32_t i = 0; i < info.fields.size(); ++i) last = info.fields[i].mandatory ? i + 1 : last;
            return last;
        }();
        const auto spare = static_cast<std::uint32_t>(info.fields.size()) - last_mandatory;
        const std::uint32_t count = last_mandatory + chance_.below(spare + 1);
        compound(codec::code::list8, codec::code::list32, count, [&] {
            for (std::uint32_t i = 0; i < count; ++i) {
                if (!info.fields[i].mandatory && chance_.one_in(3)) {
                    to_.write_null();
                } else {
                    field(info, info.fields[i], depth);
                }
            }
        });
    }

    /// The sections of a message in their order, with one kind of body.
    void message() {
        const auto section = [&](std::uint64_t code) {
            if (!chance_.one_in(3)) composite(*codec::find_composite(code));
        };
        const auto annotations = [&](std::uint64_t code, std::string_view key_type) {
            if (!chance_.one_in(3)) return;
            descriptor(code);
            map(key_type, 1);
        };
        section(codec::descriptor::header);
        annotations(codec::descriptor::delivery_annotations, "symbol");
        annotations(codec::descriptor::message_annotations, "symbol");
        section(codec::descriptor::properties);
        annotations(codec::descriptor::application_properties, "string");
        const std::uint32_t kind = chance_.below(4);
        for (std::uint32_t i = kind == 0 ? 0 : 1 + (kind == 1 ? 0 : chance_.below(3)); i > 0; --i) {
            if (kind == 1) {
                descriptor(codec::descriptor::amqp_value);
                value(0);
            } else if (kind == 2) {
                descriptor(codec::descriptor::data);
                of_type("binary");
            } else {
                descriptor(codec::descriptor::amqp_sequence);
                list(1);
            }
        }
        annotations(codec::descriptor::footer, "symbol");
    }

    void value(unsigned depth) {
        constexpr std::array<std::string_view, 21> simple{
            "null",       "boolean", "ubyte",     "ushort", "uint",   "ulong",     "byte",
            "short",      "int",     "long",      "float",  "double", "decimal32", "decimal64",
            "decimal128", "char",    "timestamp", "uuid",   "binary", "string",    "symbol"};
        constexpr unsigned depth_max = 5;
        const std::uint32_t choice =
            chance_.below(static_cast<std::uint32_t>(simple.size()) + (depth < depth_max ? 5 : 0));
        if (choice < simple.size()) return of_type(simple[choice]);
        switch (choice - simple.size()) {
            case 0: return list(depth + 1);
            case 1: return map("*", depth + 1);
            case 2: return array();
            case 3: return composite(any_composite(), depth + 1);
            default:
                to_.append_u8(codec::code::described);
                of_type(chance_.one_in(2) ? "symbol" : "ulong");
                return value(depth + 1);
        }
    }

    const codec::CompositeInfo& any_composite() {
        const auto all = codec::composites();
        return all[chance_.below(static_cast<std::uint32_t>(all.size()))];
    }

private:
    void descriptor(std::uint64_t code) {
        const std::uint32_t form = chance_.below(8);
        if (form == 0) return to_.write_descriptor(codec::descriptor_symbol(code));
        if (form > 1) return to_.write_descriptor(code);
        to_.append_u8(codec::code::described);
        to_.append_u8(codec::code::ulong);
        to_.append_u64(code);
    }

    /// `write` writes the items. The wide form where the narrow one is too small, and now and then.
    template <class F>
    void compound(std::uint8_t code8, std::uint8_t code32, std::uint32_t count, const F& write) {
        if (count == 0 && code8 == codec::code::list8 && chance_.one_in(2)) return to_.append_u8(codec::code::list0);
        const bool wide = chance_.one_in(2);
        codec::Encoder outer = std::exchange(to_, codec::Encoder());
        write();
        const std::span<const std::byte> items = to_.written();
        if (wide || items.size() >= 0xff || count > 0xff) {
            outer.append_u8(code32);
            outer.append_u32(static_cast<std::uint32_t>(items.size() + 4));
            outer.append_u32(count);
        } else {
            outer.append_u8(code8);
            outer.append_u8(static_cast<std::uint8_t>(items.size() + 1));
            outer.append_u8(static_cast<std::uint8_t>(count));
        }
        outer.append_raw(items);
        to_ = std::move(outer);
    }

    void list(unsigned depth) {
        const std::uint32_t count = chance_.below(5);
        compound(codec::code::list8, codec::code::list32, count, [&] {
            for (std::uint32_t i = 0; i < count; ++i) value(depth);
        });
    }
    void map(std::string_view key_type, unsigned depth) {
        const std::uint32_t pairs = chance_.below(5);
        compound(codec::code::map8, codec::code::map32, 2 * pairs, [&] {
            for (std::uint32_t i = 0; i < pairs; ++i) {
                // No key twice.
                const std::string key = "k" + std::to_string(i) + text(4);
                if (key_type == "symbol" || (key_type == "*" && chance_.one_in(2))) {
                    variable(codec::code::sym8, codec::code::sym32, key);
                } else {
                    variable(codec::code::str8, codec::code::str32, key);
                }
                value(depth);
            }
        });
    }
    void array() {
        constexpr std::array<std::uint8_t, 9> codes{codec::code::smalluint, codec::code::uint,  codec::code::ulong,
                                                    codec::code::sym8,      codec::code::sym32, codec::code::str8,
                                                    codec::code::boolean,   codec::code::null,  codec::code::list0};
        const std::uint8_t code = codes[chance_.below(codes.size())];
        const std::uint32_t count = chance_.below(6);
        compound(codec::code::array8, codec::code::array32, count, [&] {
            if (chance_.one_in(4)) to_.write_descriptor(std::string_view("a:descriptor"));
            to_.append_u8(code);
            for (std::uint32_t i = 0; i < count; ++i) body(code);
        });
    }
    void body(std::uint8_t code) {
        if (code == codec::code::boolean) return to_.append_u8(chance_.octet() & 1U);
        if (code < codec::code::vbin8) {
            for (std::size_t i = codec::fixed_width(code); i > 0; --i) to_.append_u8(chance_.octet());
            return;
        }
        const std::string octets = text(8);
        if (codec::size_width(code) == 1) {
            to_.append_u8(static_cast<std::uint8_t>(octets.size()));
        } else {
            to_.append_u32(static_cast<std::uint32_t>(octets.size()));
        }
        to_.append_raw(codec::as_bytes(octets));
    }

    std::string text(std::uint32_t size_max) {
        std::string octets(chance_.below(size_max + 1), '\0');
        for (char& c : octets) c = static_cast<char>(0x20 + chance_.below(0x5f));
        return octets;
    }
    void variable(std::uint8_t code8, std::uint8_t code32, std::string_view octets) {
        if (octets.size() > 0xff || chance_.one_in(4)) {
            to_.append_u8(code32);
            to_.append_u32(static_cast<std::uint32_t>(octets.size()));
        } else {
            to_.append_u8(code8);
            to_.append_u8(static_cast<std::uint8_t>(octets.size()));
        }
        to_.append_raw(codec::as_bytes(octets));
    }

    /// One of a fixed-width type's encodings.
    void number(std::uint8_t code) {
        to_.append_u8(code);
        for (std::size_t i = codec::fixed_width(code); i > 0; --i) to_.append_u8(chance_.octet());
    }
    void of_type(std::string_view type) {
        namespace code = codec::code;
        const auto one_of = [&](auto... codes) {
            const std::array<std::uint8_t, sizeof...(codes)> all{codes...};
            number(all[chance_.below(static_cast<std::uint32_t>(all.size()))]);
        };
        if (type == "null") return to_.write_null();
        if (type == "boolean") {
            if (!chance_.one_in(3)) return one_of(code::true_, code::false_);
            to_.append_u8(code::boolean);
            return to_.append_u8(chance_.octet() & 1U);
        }
        if (type == "ubyte") return one_of(code::ubyte);
        if (type == "ushort") return one_of(code::ushort);
        if (type == "uint") return one_of(code::uint0, code::smalluint, code::uint);
        if (type == "ulong") return one_of(code::ulong0, code::smallulong, code::ulong);
        if (type == "byte") return one_of(code::byte);
        if (type == "short") return one_of(code::short_);
        if (type == "int") return one_of(code::smallint, code::int_);
        if (type == "long") return one_of(code::smalllong, code::long_);
        if (type == "float") return one_of(code::float_);
        if (type == "double") return one_of(code::double_);
        if (type == "decimal32") return one_of(code::decimal32);
        if (type == "decimal64") return one_of(code::decimal64);
        if (type == "decimal128") return one_of(code::decimal128);
        if (type == "timestamp") return one_of(code::timestamp);
        if (type == "uuid") return one_of(code::uuid);
        if (type == "char") return to_.write_char(static_cast<char32_t>(chance_.number(2) % 0xd800));
        if (type == "binary") return variable(code::vbin8, code::vbin32, text(chance_.one_in(8) ? 200 : 20));
        if (type == "symbol") return variable(code::sym8, code::sym32, text(12));
        if (type == "string")
            return variable(code::str8, code::str32, chance_.one_in(6) ? "\xc3\xa9\xe2\x82\xac" + text(255) : text(12));
        value(4);
    }

    void field(const codec::CompositeInfo& info, const codec::FieldInfo& field, unsigned depth) {
        const auto is = [&](std::string_view name) { return field.name == name; };
        if (field.multiple) return symbols(field.mandatory);
        // Restricted types with choices, and those that are one of several types.
        if (is("snd-settle-mode")) return choice(3);
        if (is("rcv-settle-mode")) return choice(2);
        if (is("durable") && field.type == "uint") return to_.write_uint(chance_.below(3));
        if (info.code == codec::descriptor::sasl_outcome && is("code")) return choice(5);
        if (is("expiry-policy")) {
            constexpr std::array<std::string_view, 4> names{"link-detach", "session-end", "connection-close", "never"};
            return variable(codec::code::sym8, codec::code::sym32, names[chance_.below(4)]);
        }
        if (is("distribution-mode"))
            return variable(codec::code::sym8, codec::code::sym32, chance_.one_in(2) ? "move" : "copy");
        if (is("message-id") || is("correlation-id")) {
            constexpr std::array<std::string_view, 4> types{"ulong", "uuid", "binary", "string"};
            return of_type(types[chance_.below(4)]);
        }
        if (is("delivery-tag")) return variable(codec::code::vbin8, codec::code::vbin32, text(32));
        if (is("state") || is("default-outcome") || is("outcome")) {
            using namespace codec::descriptor;
            constexpr std::array<std::uint64_t, 4> outcomes{accepted, rejected, released, modified};
            return composite(*codec::find_composite(outcomes[chance_.below(4)]), depth + 1);
        }
        if (is("target")) {
            return composite(
                *codec::find_composite(chance_.one_in(4) ? codec::descriptor::coordinator : codec::descriptor::target),
                depth + 1);
        }
        if (field.type == "map") return map("symbol", depth + 1);
        for (const codec::CompositeInfo& other : codec::composites()) {
            if (other.name == field.type) return composite(other, depth + 1);
        }
        if (field.type == "*") return value(depth + 3);
        of_type(field.type);
    }
    void choice(std::uint32_t choices) { to_.write_ubyte(static_cast<std::uint8_t>(chance_.below(choices))); }
    void symbols(bool at_least_one) {
        if (chance_.one_in(3)) return variable(codec::code::sym8, codec::code::sym32, text(12));
        const std::uint32_t count = (at_least_one ? 1 : 0) + chance_.below(4);
        compound(codec::code::array8, codec::code::array32, count, [&] {
            const std::uint8_t code = chance_.one_in(2) ? codec::code::sym8 : codec::code::sym32;
            to_.append_u8(code);
            for (std::uint32_t i = 0; i < count; ++i) body(code);
        });
    }

    Chance& chance_;
    codec::Encoder to_;
};

}  // namespace aprotic::fuzz
