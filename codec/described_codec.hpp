#pragma once

// The templates behind the field tables. Included where tables are instantiated (composites.cpp) and by users who give
// structs of their own a wire form; nobody else pays for compiling it.

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/described.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/codec/value.hpp>

#include <array>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

namespace aprotic::codec {

/// How one member type is written and read. Specialise it for a member type of your own.
///
///     static constexpr std::string_view type;       the specification's name of the wire type
///     static bool absent(const T&);                  written as null
///     static void encode(Encoder&, const T&);
///     static bool decode(Decoder&, T&);              the next value, which is not null
template <class T>
struct FieldCodec;

template <Composite T>
void encode_composite(Encoder& to, const T& composite);
template <Composite T>
bool decode_composite(Decoder& from, T& composite);

/// The struct as a value, described as its table says, and back: for maps, message bodies and JSON.
template <Composite T>
Result<Value> composite_to_value(const T& composite, const DecodeLimits& limits = {});
template <Composite T>
Result<T> composite_from_value(const Value& value, const DecodeLimits& limits = {});

namespace detail {

/// The list of fields without its header; the number of items is returned.
template <class T>
std::uint32_t encode_fields(Encoder& to, const T& composite);
/// The list behind the descriptor.
template <class T>
bool decode_fields(Decoder& from, T& composite);
template <class T>
bool is_described_as(Decoder& from, const Descriptor& found) noexcept;

template <class Member>
inline constexpr bool is_multiple = false;
template <class T>
inline constexpr bool is_multiple<std::vector<T>> = !std::is_same_v<T, Value>;  // that is a list

/// One bare value, for which `read` gets an empty scope, or an array of them.
template <class T, class Read>
bool read_multiple(Decoder& from, std::vector<T>& v, Read&& read) {
    v.clear();
    const std::optional<Type> type = from.peek();
    if (!type) return false;
    if (*type == Type::list && !std::is_same_v<T, List>) return from.fail(Errc::multiple_as_list);  // [1.4-f]
    if (*type != Type::array) return read(Decoder::Scope{}, v.emplace_back());
    const Decoder::Scope scope = from.enter_array();
    for (std::uint32_t i = 0; i < scope.count && from.ok(); ++i) {
        if (!from.charge(sizeof(T)) || !read(scope, v.emplace_back())) return false;
    }
    return from.leave(scope);
}

template <class T>
struct NeverAbsent {
    static bool absent(const T&) noexcept { return false; }
};

/// Numbers of a restricted type with choices: the largest one. [1.3-e]
template <class E>
struct Choices;
template <>
struct Choices<SenderSettleMode> {
    static constexpr auto last = SenderSettleMode::mixed;
};
template <>
struct Choices<ReceiverSettleMode> {
    static constexpr auto last = ReceiverSettleMode::second;
};
template <>
struct Choices<TerminusDurability> {
    static constexpr auto last = TerminusDurability::unsettled_state;
};
template <>
struct Choices<TerminusExpiryPolicy> {
    static constexpr auto last = TerminusExpiryPolicy::never;
};
template <>
struct Choices<StdDistMode> {
    static constexpr auto last = StdDistMode::copy;
};
template <>
struct Choices<SaslCode> {
    static constexpr auto last = SaslCode::sys_temp;
};

/// Restricted types whose source is symbol: their names are what is written.
template <class E>
concept NamedChoice = std::same_as<E, TerminusExpiryPolicy> || std::same_as<E, StdDistMode>;

template <class E>
bool read_choice(Decoder& from, std::underlying_type_t<E> number, E& v) noexcept {
    if (!from.ok()) return false;
    if (number > static_cast<std::underlying_type_t<E>>(Choices<E>::last))
        return from.fail_last(Errc::value_out_of_choice);
    v = static_cast<E>(number);
    return true;
}

}  // namespace detail

#define APROTIC_FIELD_CODEC(T, TYPE, WRITE, READ)                 \
    template <>                                                   \
    struct FieldCodec<T> : detail::NeverAbsent<T> {               \
        static constexpr std::string_view type = TYPE;            \
        static void encode(Encoder& to, const T& v) { to.WRITE; } \
        static bool decode(Decoder& from, T& v) {                 \
            v = T(from.READ());                                   \
            return from.ok();                                     \
        }                                                         \
    }
APROTIC_FIELD_CODEC(bool, "boolean", write_boolean(v), read_boolean);
APROTIC_FIELD_CODEC(std::uint8_t, "ubyte", write_ubyte(v), read_ubyte);
APROTIC_FIELD_CODEC(std::uint16_t, "ushort", write_ushort(v), read_ushort);
APROTIC_FIELD_CODEC(std::uint32_t, "uint", write_uint(v), read_uint);
APROTIC_FIELD_CODEC(std::uint64_t, "ulong", write_ulong(v), read_ulong);
APROTIC_FIELD_CODEC(std::int8_t, "byte", write_byte(v), read_byte);
APROTIC_FIELD_CODEC(std::int16_t, "short", write_short(v), read_short);
APROTIC_FIELD_CODEC(std::int32_t, "int", write_int(v), read_int);
APROTIC_FIELD_CODEC(std::int64_t, "long", write_long(v), read_long);
APROTIC_FIELD_CODEC(float, "float", write_float(v), read_float);
APROTIC_FIELD_CODEC(double, "double", write_double(v), read_double);
APROTIC_FIELD_CODEC(Decimal32, "decimal32", write_decimal32(v), read_decimal32);
APROTIC_FIELD_CODEC(Decimal64, "decimal64", write_decimal64(v), read_decimal64);
APROTIC_FIELD_CODEC(Decimal128, "decimal128", write_decimal128(v), read_decimal128);
APROTIC_FIELD_CODEC(char32_t, "char", write_char(v), read_char);
APROTIC_FIELD_CODEC(Timestamp, "timestamp", write_timestamp(v), read_timestamp);
APROTIC_FIELD_CODEC(Uuid, "uuid", write_uuid(v), read_uuid);
APROTIC_FIELD_CODEC(Binary, "binary", write_binary(v.span()), read_binary);
APROTIC_FIELD_CODEC(DeliveryTag, "binary", write_binary(v.span()), read_delivery_tag);
APROTIC_FIELD_CODEC(std::string, "string", write_string(v), read_string);
APROTIC_FIELD_CODEC(Symbol, "symbol", write_symbol(v.view()), read_symbol);
#undef APROTIC_FIELD_CODEC

template <>
struct FieldCodec<Role> : detail::NeverAbsent<Role> {
    static constexpr std::string_view type = "boolean";
    static void encode(Encoder& to, Role v) { to.write_boolean(v == Role::receiver); }
    static bool decode(Decoder& from, Role& v) {
        v = static_cast<Role>(from.read_boolean());
        return from.ok();
    }
};

template <class E>
requires(std::is_enum_v<E> && !detail::NamedChoice<E> && requires { detail::Choices<E>::last; }) struct FieldCodec<E>
    : detail::NeverAbsent<E> {
    using Number = std::underlying_type_t<E>;
    static constexpr std::string_view type = FieldCodec<Number>::type;
    static void encode(Encoder& to, E v) { FieldCodec<Number>::encode(to, static_cast<Number>(v)); }
    static bool decode(Decoder& from, E& v) {
        Number number{};
        return FieldCodec<Number>::decode(from, number) && detail::read_choice(from, number, v);
    }
};

template <detail::NamedChoice E>
struct FieldCodec<E> : detail::NeverAbsent<E> {
    static constexpr std::string_view type = "symbol";
    static void encode(Encoder& to, E v) { to.write_symbol(name_of(v)); }
    static bool decode(Decoder& from, E& v) {
        const std::string_view name = from.read_symbol();
        if (!from.ok()) return false;
        for (std::underlying_type_t<E> n = 0; n <= static_cast<std::underlying_type_t<E>>(detail::Choices<E>::last);
             ++n) {
            v = static_cast<E>(n);
            if (name_of(v) == name) return true;
        }
        return from.fail_last(Errc::value_out_of_choice);
    }
};

template <>
struct FieldCodec<Value> {
    static constexpr std::string_view type = "*";
    static bool absent(const Value& v) noexcept { return v.is_null(); }
    static void encode(Encoder& to, const Value& v) { codec::encode(to, v); }
    static bool decode(Decoder& from, Value& v) { return codec::decode(from, v); }
};

/// An empty map says the same as none, except where the member is optional<Map>.
template <>
struct FieldCodec<Map> {
    static constexpr std::string_view type = "map";
    static bool absent(const Map& v) noexcept { return v.empty(); }
    static void encode(Encoder& to, const Map& v) { codec::encode(to, v); }
    static bool decode(Decoder& from, Map& v) { return codec::decode(from, v); }
};

/// `multiple`: absent, one bare symbol or an array of symbols is read; an array is written. [1.4-e]
template <>
struct FieldCodec<std::vector<Symbol>> {
    static constexpr std::string_view type = "symbol";
    static bool absent(const std::vector<Symbol>& v) noexcept { return v.empty(); }
    static void encode(Encoder& to, const std::vector<Symbol>& v) { to.write_symbol_array(v); }
    static bool decode(Decoder& from, std::vector<Symbol>& v);  // composites.cpp
};

template <>
struct FieldCodec<List> : detail::NeverAbsent<List> {
    static constexpr std::string_view type = "list";
    static void encode(Encoder& to, const List& v) { codec::encode(to, v); }
    static bool decode(Decoder& from, List& v) { return codec::decode(from, v); }
};

/// `multiple` of another type: absent, one bare value or an array of them is read; an array is written. [1.4-e]
template <class T>
requires std::is_constructible_v<Value, T>
struct FieldCodec<std::vector<T>> {
    static constexpr std::string_view type = FieldCodec<T>::type;
    static bool absent(const std::vector<T>& v) noexcept { return v.empty(); }
    static void encode(Encoder& to, const std::vector<T>& v) {
        codec::encode(to, Value(Array(std::vector<Value>(v.begin(), v.end()))));
    }
    static bool decode(Decoder& from, std::vector<T>& v) {
        return detail::read_multiple(
            from, v, [&](const Decoder::Scope&, T& element) { return FieldCodec<T>::decode(from, element); });
    }
};

/// `multiple` of a composite: the descriptor stands once, in the array's constructor. [1.2.4-c]
template <Composite T>
struct FieldCodec<std::vector<T>> {
    static constexpr std::string_view type = Table<T>::name;
    static bool absent(const std::vector<T>& v) noexcept { return v.empty(); }
    static void encode(Encoder& to, const std::vector<T>& v) {
        const Encoder::Scope array = to.begin_array();
        to.write_descriptor(Table<T>::code);
        to.write_code(code::list32);
        for (const T& element : v) {
            const Encoder::Scope fields = to.begin_wide_body();
            to.end_wide_body(fields, detail::encode_fields(to, element));
        }
        to.end_array(array, static_cast<std::uint32_t>(v.size()));
    }
    static bool decode(Decoder& from, std::vector<T>& v) {
        return detail::read_multiple(from, v, [&](const Decoder::Scope& array, T& element) {
            if (array.element_code == 0) return decode_composite(from, element);
            Decoder described_by(array.descriptors);
            const Descriptor found = described_by.read_descriptor();
            if (!described_by.expect_end()) return from.fail_last(Errc::multiple_element_type);  // [1.4-h]
            return detail::is_described_as<T>(from, found) && detail::decode_fields(from, element);
        });
    }
};

template <class T>
struct FieldCodec<std::optional<T>> {
    static constexpr std::string_view type = FieldCodec<T>::type;
    static bool absent(const std::optional<T>& v) noexcept { return !v.has_value(); }
    static void encode(Encoder& to, const std::optional<T>& v) { FieldCodec<T>::encode(to, *v); }
    static bool decode(Decoder& from, std::optional<T>& v) { return FieldCodec<T>::decode(from, v.emplace()); }
};

template <>
struct FieldCodec<MessageId> : detail::NeverAbsent<MessageId> {
    static constexpr std::string_view type = "*";
    static void encode(Encoder& to, const MessageId& v);  // composites.cpp
    static bool decode(Decoder& from, MessageId& v);
};

template <Composite T>
struct FieldCodec<T> : detail::NeverAbsent<T> {
    static constexpr std::string_view type = Table<T>::name;
    static void encode(Encoder& to, const T& v) { encode_composite(to, v); }
    static bool decode(Decoder& from, T& v) { return decode_composite(from, v); }
};

/// One of several composites, told apart by descriptor.
template <Composite... Ts>
struct FieldCodec<std::variant<Ts...>> : detail::NeverAbsent<std::variant<Ts...>> {
    static constexpr std::string_view type = "*";
    static void encode(Encoder& to, const std::variant<Ts...>& v) {
        std::visit([&to](const auto& composite) { encode_composite(to, composite); }, v);
    }
    static bool decode(Decoder& from, std::variant<Ts...>& v) {
        Decoder ahead = from;
        const Descriptor found = ahead.read_descriptor();
        if (!ahead.ok()) return from.fail(ahead.errc());
        const std::optional<std::uint64_t> wanted = found.resolve();
        const bool known =
            wanted && ((*wanted == Table<Ts>::code && decode_composite(from, v.template emplace<Ts>())) || ...);
        if (known || !from.ok()) return known;
        return from.fail(wanted && !descriptor_name(*wanted).empty() ? Errc::wrong_archetype
                                                                     : Errc::unknown_descriptor);
    }
};

namespace detail {

template <class T, class Member, class Default>
bool row_absent(const T& composite, const FieldRow<T, Member, Default>& row) {
    if constexpr (!std::is_same_v<Default, NoDefault>) {
        return composite.*row.member == row.fallback;
    } else {
        return !row.is_mandatory && FieldCodec<Member>::absent(composite.*row.member);
    }
}

/// Starts from the default: a struct that is decoded into need not be new.
template <class T, class Member, class Default>
void row_reset(T& composite, const FieldRow<T, Member, Default>& row) {
    if constexpr (!std::is_same_v<Default, NoDefault>) {
        composite.*row.member = row.fallback;
    } else {
        composite.*row.member = Member{};
    }
}

template <class T, class Member, class Default>
bool row_decode(Decoder& from, T& composite, const FieldRow<T, Member, Default>& row, std::uint32_t& left) {
    row_reset(composite, row);
    if (left == 0) return !row.is_mandatory || from.fail(Errc::missing_mandatory_field);
    --left;
    if (from.try_null()) {
        // [1.3-c], [1.4-g]
        if (!row.is_mandatory) return true;
        return from.fail_last(is_multiple<Member> ? Errc::empty_mandatory_multiple : Errc::missing_mandatory_field);
    }
    if (!FieldCodec<Member>::decode(from, composite.*row.member)) return false;
    if constexpr (is_multiple<Member>) {
        if (row.is_mandatory && (composite.*row.member).empty()) return from.fail_last(Errc::empty_mandatory_multiple);
    }
    return true;
}

}  // namespace detail

template <class T>
std::uint32_t detail::encode_fields(Encoder& to, const T& composite) {
    return std::apply(
        [&](const auto&... row) {
            // The last field that is there decides the length: trailing nulls are not sent. [1.4-b]
            std::uint32_t count = 0;
            std::uint32_t index = 0;
            ((++index, count = row_absent(composite, row) ? count : index), ...);
            index = 0;
            [[maybe_unused]] const auto write = [&](const auto& r) {
                if (index++ >= count) return;
                if (row_absent(composite, r)) {
                    to.write_null();
                } else {
                    FieldCodec<std::remove_cvref_t<decltype(composite.*r.member)>>::encode(to, composite.*r.member);
                }
            };
            (write(row), ...);
            return count;
        },
        Table<T>::fields);
}

template <class T>
bool detail::is_described_as(Decoder& from, const Descriptor& found) noexcept {
    if (!from.ok()) return false;
    if (found.numeric && found.code == Table<T>::code) return true;
    const std::optional<std::uint64_t> code = found.resolve();
    if (code == Table<T>::code) return true;
    return from.fail_last(code && !descriptor_name(*code).empty() ? Errc::wrong_archetype : Errc::unknown_descriptor);
}

template <class T>
bool detail::decode_fields(Decoder& from, T& composite) {
    if (from.peek() != Type::list) return from.fail(from.ok() ? Errc::not_a_list : from.errc());
    const Decoder::Scope scope = from.enter_list();
    std::uint32_t left = scope.count;
    const bool read =
        std::apply([&](const auto&... row) { return from.ok() && (row_decode(from, composite, row, left) && ...); },
                   Table<T>::fields);
    if (!read) return false;
    if (left != 0) return from.fail(Errc::too_many_fields);  // [1.4-c]
    return from.leave(scope);
}

template <Composite T>
void encode_composite(Encoder& to, const T& composite) {
    to.write_descriptor(Table<T>::code);
    const Encoder::Scope scope = to.begin_list(true);
    to.end(scope, detail::encode_fields(to, composite));
}

template <Composite T>
bool decode_composite(Decoder& from, T& composite) {
    return detail::is_described_as<T>(from, from.read_descriptor()) && detail::decode_fields(from, composite);
}

template <Composite T>
Result<Value> composite_to_value(const T& composite, const DecodeLimits& limits) {
    Encoder to;
    encode_composite(to, composite);
    if (!to.ok()) return to.error();
    return decode_value(to.written(), limits);
}

template <Composite T>
Result<T> composite_from_value(const Value& value, const DecodeLimits& limits) {
    Encoder to;
    encode(to, value);
    if (!to.ok()) return to.error();
    Decoder from(to.written(), limits);
    T composite{};
    if (!decode_composite(from, composite)) return from.error();
    return composite;
}

}  // namespace aprotic::codec
