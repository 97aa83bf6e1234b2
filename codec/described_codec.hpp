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

namespace detail {

template <class T>
struct NeverAbsent {
    static bool absent(const T&) noexcept { return false; }
};

/// Numbers of a restricted type with choices: the largest one. [1.3-e]
template <class E>
struct Choices;
template <> struct Choices<SenderSettleMode> { static constexpr auto last = SenderSettleMode::mixed; };
template <> struct Choices<ReceiverSettleMode> { static constexpr auto last = ReceiverSettleMode::second; };
template <> struct Choices<TerminusDurability> { static constexpr auto last = TerminusDurability::unsettled_state; };
template <> struct Choices<TerminusExpiryPolicy> { static constexpr auto last = TerminusExpiryPolicy::never; };
template <> struct Choices<StdDistMode> { static constexpr auto last = StdDistMode::copy; };
template <> struct Choices<SaslCode> { static constexpr auto last = SaslCode::sys_temp; };

/// Restricted types whose source is symbol: their names are what is written.
template <class E>
concept NamedChoice = std::same_as<E, TerminusExpiryPolicy> || std::same_as<E, StdDistMode>;

template <class E>
bool read_choice(Decoder& from, std::underlying_type_t<E> number, E& v) noexcept {
    if (!from.ok()) return false;
    if (number > static_cast<std::underlying_type_t<E>>(Choices<E>::last)) return from.fail_last(Errc::value_out_of_choice);
    v = static_cast<E>(number);
    return true;
}

}  // namespace detail

#define APROTIC_FIELD_CODEC(T, TYPE, WRITE, READ)                      \
    template <>                                                       \
    struct FieldCodec<T> : detail::NeverAbsent<T> {                    \
        static constexpr std::string_view type = TYPE;                \
        static void encode(Encoder& to, const T& v) { to.WRITE; }     \
        static bool decode(Decoder& from, T& v) {                     \
            v = T(from.READ());                                       \
            return from.ok();                                         \
        }                                                             \
    }
APROTIC_FIELD_CODEC(bool, "boolean", write_boolean(v), read_boolean);
APROTIC_FIELD_CODEC(std::uint8_t, "ubyte", write_ubyte(v), read_ubyte);
APROTIC_FIELD_CODEC(std::uint16_t, "ushort", write_ushort(v), read_ushort);
APROTIC_FIELD_CODEC(std::uint32_t, "uint", write_uint(v), read_uint);
APROTIC_FIELD_CODEC(std::uint64_t, "ulong", write_ulong(v), read_ulong);
APROTIC_FIELD_CODEC(std::int32_t, "int", write_int(v), read_int);
APROTIC_FIELD_CODEC(std::int64_t, "long", write_long(v), read_long);
APROTIC_FIELD_CODEC(double, "double", write_double(v), read_double);
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
    requires(std::is_enum_v<E> && !detail::NamedChoice<E> && requires { detail::Choices<E>::last; })
struct FieldCodec<E> : detail::NeverAbsent<E> {
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
        for (std::underlying_type_t<E> n = 0; n <= static_cast<std::underlying_type_t<E>>(detail::Choices<E>::last); ++n) {
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
    static void encode(Encoder& to, const MessageId& v);   // composites.cpp
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
        const bool known = wanted && ((*wanted == Table<Ts>::code && decode_composite(from, v.template emplace<Ts>())) || ...);
        if (known || !from.ok()) return known;
        return from.fail(wanted && !descriptor_name(*wanted).empty() ? Errc::wrong_archetype : Errc::unknown_descriptor);
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
        return from.fail_last(std::is_same_v<Member, std::vector<Symbol>> ? Errc::empty_mandatory_multiple
                                                                           : Errc::missing_mandatory_field);
    }
    if (!FieldCodec<Member>::decode(from, composite.*row.member)) return false;
    if constexpr (std::is_same_v<Member, std::vector<Symbol>>) {
        if (row.is_mandatory && (composite.*row.member).empty()) return from.fail_last(Errc::empty_mandatory_multiple);
    }
    return true;
}

}  // namespace detail

template <Composite T>
void encode_composite(Encoder& to, const T& composite) {
    to.write_descriptor(Table<T>::code);
    std::apply(
        [&](const auto&... row) {
            // The last field that is there decides the length: trailing nulls are not sent. [1.4-b]
            std::uint32_t count = 0;
            std::uint32_t index = 0;
            ((++index, count = detail::row_absent(composite, row) ? count : index), ...);
            const Encoder::Scope scope = to.begin_list();
            index = 0;
            [[maybe_unused]] const auto write = [&](const auto& r) {
                if (index++ >= count) return;
                if (detail::row_absent(composite, r)) {
                    to.write_null();
                } else {
                    FieldCodec<std::remove_cvref_t<decltype(composite.*r.member)>>::encode(to, composite.*r.member);
                }
            };
            (write(row), ...);
            to.end(scope, count);
        },
        Table<T>::fields);
}

template <Composite T>
bool decode_composite(Decoder& from, T& composite) {
    const Descriptor found = from.read_descriptor();
    if (!from.ok()) return false;
    if (found.resolve() != Table<T>::code) {
        return from.fail_last(found.resolve() && !descriptor_name(*found.resolve()).empty() ? Errc::wrong_archetype
                                                                                            : Errc::unknown_descriptor);
    }
    if (from.peek() != Type::list) return from.fail(from.ok() ? Errc::not_a_list : from.errc());
    const Decoder::Scope scope = from.enter_list();
    std::uint32_t left = scope.count;
    const bool read = std::apply(
        [&](const auto&... row) { return from.ok() && (detail::row_decode(from, composite, row, left) && ...); }, Table<T>::fields);
    if (!read) return false;
    if (left != 0) return from.fail(Errc::too_many_fields);  // [1.4-c]
    return from.leave(scope);
}

}  // namespace aprotic::codec
