#include "fuzzer/fields.hpp"

#include <array>
#include <limits>

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>
#include <aprotic/codec/dump.hpp>

namespace aprotic::fuzzer {
namespace {

using codec::Value;

template <class T, std::size_t N>
const T& one_of(Prng& chance, const std::array<T, N>& choices) {
    return choices[chance.below(N)];
}

template <class T>
T border_number(Prng& chance) {
    constexpr T highest = std::numeric_limits<T>::max();
    constexpr T middle = highest / 2;
    constexpr std::array<T, 14> borders{
        0,          1,      2,          3,           4,           7,       100,
        middle - 1, middle, middle + 1, highest - 2, highest - 1, highest, std::numeric_limits<T>::min()};
    return chance.one_in(6) ? static_cast<T>(chance.next()) : one_of(chance, borders);
}

std::string border_text(Prng& chance) {
    constexpr std::array<std::size_t, 11> sizes{0, 0, 1, 3, 10, 32, 33, 255, 256, 1000, 9000};
    if (chance.one_in(4)) {
        constexpr std::array<std::string_view, 7> texts{"fuzz", "out",      "in",         "control",
                                                        "tag0", "$txn-id$", "\xc3\xbc/*#"};
        return std::string(one_of(chance, texts));
    }
    return chance.text(one_of(chance, sizes));
}

codec::Symbol border_symbol(Prng& chance) {
    using namespace codec;
    constexpr std::array<std::string_view, 12> names{"amqp:accepted:list",
                                                     "amqp:rejected:list",
                                                     "amqp:received:list",
                                                     condition::internal_error,
                                                     condition::link_redirect,
                                                     txn_capability::local_transactions,
                                                     "session-end",
                                                     "never",
                                                     "copy",
                                                     "ANONYMOUS",
                                                     "PLAIN",
                                                     "x"};
    if (chance.one_in(3)) {
        std::string text = border_text(chance);
        for (char& c : text) c = static_cast<char>(c & 0x7f);
        return Symbol(std::move(text));
    }
    return Symbol(one_of(chance, names));
}

codec::Map border_map(Prng& chance, unsigned depth) {
    codec::Map map;
    const std::uint64_t count = chance.one_in(40) ? 60 : chance.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
        Value key = chance.one_in(4) ? border_value(chance, "binary") : Value(border_symbol(chance));
        map.append(chance.one_in(8) ? any_value(chance, depth + 1) : std::move(key), any_value(chance, depth + 1));
    }
    return map;
}

/// Fields from the composite's own table: few, or all.
Value composite_value(Prng& chance, std::uint64_t code, unsigned depth) {
    codec::List fields;
    if (const auto* info = codec::find_composite(code)) {
        const std::uint64_t count = chance.below(info->fields.size() + 1);
        for (const auto& field : info->fields.first(count))
            fields.push_back(chance.one_in(3) && depth < 3 ? border_value(chance, field.type) : Value());
    }
    return codec::Described(code, Value(std::move(fields)));
}

Value nested(Prng& chance) {
    // [1.6.22] a receiver has to bound this
    constexpr std::array<unsigned, 4> depths{3, 30, 70, 300};
    Value value(std::uint8_t{1});
    for (unsigned depth = one_of(chance, depths); depth > 0; --depth) {
        codec::List list;  // not from braces, which would copy all that is inside
        list.push_back(std::move(value));
        value = Value(std::move(list));
    }
    return value;
}

}  // namespace

codec::Value border_value(Prng& chance, std::string_view type) {
    if (type == "boolean") return chance.one_in(2);
    if (type == "ubyte") return border_number<std::uint8_t>(chance);
    if (type == "ushort") return border_number<std::uint16_t>(chance);
    if (type == "uint") return border_number<std::uint32_t>(chance);
    if (type == "ulong") return border_number<std::uint64_t>(chance);
    if (type == "int") return border_number<std::int32_t>(chance);
    if (type == "long") return border_number<std::int64_t>(chance);
    if (type == "timestamp") return codec::Timestamp{border_number<std::int64_t>(chance)};
    if (type == "string") return border_text(chance);
    if (type == "symbol") {
        if (!chance.one_in(3)) return border_symbol(chance);
        std::vector<Value> names;
        for (std::uint64_t i = chance.below(4); i > 0; --i) names.emplace_back(border_symbol(chance));
        return codec::Array(codec::Type::symbol, std::move(names));
    }
    if (type == "binary") return codec::Binary(border_text(chance));
    if (type == "map") return border_map(chance, 0);
    for (const auto& composite : codec::composites())
        if (composite.name == type) return composite_value(chance, composite.code, 0);
    return any_value(chance);
}

codec::Value any_value(Prng& chance, unsigned depth) {
    using namespace codec;
    switch (chance.below(depth > 2 ? 14 : 20)) {
        case 0: return {};
        case 1: return chance.one_in(2);
        case 2: return border_number<std::uint8_t>(chance);
        case 3: return border_number<std::uint16_t>(chance);
        case 4: return border_number<std::uint32_t>(chance);
        case 5: return border_number<std::uint64_t>(chance);
        case 6: return border_number<std::int32_t>(chance);
        case 7: return border_number<std::int64_t>(chance);
        case 8: return chance.one_in(2) ? Value(0.0) : Value(-1.5F);
        case 9: return chance.one_in(2) ? Value(Uuid{}) : Value(Decimal128{});
        case 10: return Timestamp{border_number<std::int64_t>(chance)};
        case 11: return border_text(chance);
        case 12: return border_symbol(chance);
        case 13: return Binary(border_text(chance));
        case 14: return border_map(chance, depth);
        case 15: return nested(chance);
        case 16: {
            List list;
            for (std::uint64_t i = chance.below(4); i > 0; --i) list.push_back(any_value(chance, depth + 1));
            return list;
        }
        case 17: {
            // [1.2.4-e] elements without octets: much is announced by little
            const std::size_t count = chance.one_in(10) ? 5000 : chance.below(5);
            return Array(Type::boolean, std::vector<Value>(count, Value(true)));
        }
        case 18: return Described(any_value(chance, depth + 1), any_value(chance, depth + 1));
        default: {
            const auto all = codec::composites();
            return composite_value(chance, all[chance.below(all.size())].code, depth + 1);
        }
    }
}

std::string mutate_fields(Prng& chance, codec::Described& composite) {
    const auto* info = codec::find_composite(composite.code().value_or(0));
    auto* list = composite.value().get_if<codec::List>();
    if (info == nullptr || info->fields.empty() || list == nullptr) {
        composite.value() = any_value(chance);
        return "another body: " + to_string(composite.value()).substr(0, 60);
    }
    const std::size_t number = chance.below(info->fields.size());
    const auto& field = info->fields[number];
    const std::string name = std::string(info->name) + "." + std::string(field.name);
    if (list->size() <= number) list->resize(number + 1);
    Value& value = (*list)[number];
    if (auto* inner = value.get_if<codec::Described>(); inner != nullptr && !chance.one_in(4))
        return name + ": " + mutate_fields(chance, *inner);
    switch (chance.below(8)) {
        case 0: value = Value(); break;
        case 1: value = any_value(chance); break;
        case 2: {
            // The field of another place, as peers that count wrongly send it.
            Value taken = (*list)[chance.below(list->size())];
            value = std::move(taken);
            break;
        }
        default: value = border_value(chance, field.type); break;
    }
    return name + " = " + to_string(value).substr(0, 60);
}

}  // namespace aprotic::fuzzer
