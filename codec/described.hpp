#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/encoder.hpp>
#include <aprotic/codec/value.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace aprotic::codec {

/// A composite type is a plain aggregate and, next to it, a specialisation of `Table` with its name, its descriptor and
/// one row per field in the order of the specification. Encode, decode and dump come from the table.
///
///     struct Detach { std::uint32_t handle = 0; bool closed = false; std::optional<ErrorCondition> error; };
///     template <> struct Table<Detach> {
///         static constexpr std::string_view name = "detach";
///         static constexpr std::uint64_t code = 0x16;
///         static constexpr auto fields = std::tuple{mandatory("handle", &Detach::handle),
///                                                   field("closed", &Detach::closed, false), field("error",
///                                                   &Detach::error)};
///     };
///
/// A member's C++ type says how its field is read: `std::optional<X>` may be absent, `std::vector<X>` is `multiple`,
/// an empty `Map` is absent, anything else is mandatory or has a default. To give a struct of your own a wire form,
/// write its table and include <aprotic/codec/described_codec.hpp> where you call encode_composite / decode_composite.
template <class T>
struct Table;

/// A row of a table. `Default` is `NoDefault` or the type of the value that is never written.
template <class T, class Member, class Default>
struct FieldRow {
    std::string_view name;
    Member T::*member;
    bool is_mandatory;
    Default fallback;
};
struct NoDefault {};

template <class T, class Member>
constexpr auto field(std::string_view name, Member T::*member) {
    return FieldRow<T, Member, NoDefault>{name, member, false, {}};
}
template <class T, class Member>
constexpr auto field(std::string_view name, Member T::*member, std::type_identity_t<Member> fallback) {
    return FieldRow<T, Member, Member>{name, member, false, fallback};
}
template <class T, class Member>
constexpr auto mandatory(std::string_view name, Member T::*member) {
    return FieldRow<T, Member, NoDefault>{name, member, true, {}};
}

namespace detail {

/// Converts to anything, in unevaluated code only.
struct AnyMember {
    template <class T>
    operator T() const;
};
template <std::size_t>
using AnyMemberAt = AnyMember;

template <class T, std::size_t... I>
constexpr bool has_members(std::index_sequence<I...>) {
    return requires { T{AnyMemberAt<I>{}...}; };
}
/// Number of members of an aggregate.
template <class T, std::size_t N = 0>
constexpr std::size_t member_count() {
    if constexpr (has_members<T>(std::make_index_sequence<N + 1>{})) {
        return member_count<T, N + 1>();
    } else {
        return N;
    }
}

}  // namespace detail

/// A struct with a table that has a row for every member: a member added without its row does not compile.
template <class T>
concept Composite = std::is_aggregate_v<T> && requires {
    { Table<T>::name } -> std::convertible_to<std::string_view>;
    { Table<T>::code } -> std::convertible_to<std::uint64_t>;
    Table<T>::fields;
} && std::tuple_size_v<std::remove_cvref_t<decltype(Table<T>::fields)>>
== detail::member_count<T>();

/// Declares encode and decode of a composite of this library. They are compiled once, in composites.cpp, and its table
/// is checked there: who includes the header does not pay for that again.
///  * `encode` writes descriptor and list; fields at their default and trailing nulls are left out. [1.4-b]
///  * `decode` reads them, with numeric or symbolic descriptor, and replaces the whole struct. On failure it returns
///  false, the
///    decoder knows why and where, and the struct must not be used.
#define APROTIC_COMPOSITE(T)                      \
    void encode(Encoder& to, const T& composite); \
    bool decode(Decoder& from, T& composite)

/// Exactly one T (composite or variant of them) and nothing behind it.
template <class T>
Result<T> decode_as(std::span<const std::byte> input, const DecodeLimits& limits = {}) {
    Decoder from(input, limits);
    T composite{};
    if (!decode(from, composite) || !from.expect_end()) return from.error();
    return composite;
}

template <class T>
Bytes encode_as(const T& composite) {
    Encoder to;
    encode(to, composite);
    APROTIC_ASSERT(to.ok());
    return to.take();
}

/// The tables at run time: for dumps, generators and checks against the specification.
struct FieldInfo {
    std::string_view name;
    std::string_view type;  ///< primitive type, "error", or "*" for one of several types
    bool mandatory = false;
    bool multiple = false;
    std::string default_text;  ///< as in the specification ("4294967295", "mixed", "false"); empty for none
};
struct CompositeInfo {
    std::string_view name;  ///< "open"
    std::uint64_t code = 0;
    std::span<const FieldInfo> fields;
};

/// Every composite of the specification, by descriptor.
std::span<const CompositeInfo> composites();
const CompositeInfo* find_composite(std::uint64_t code) noexcept;

/// Name of a described type of the specification ("open", "amqp-value"); empty for others.
std::string_view descriptor_name(std::uint64_t code) noexcept;
/// "amqp:open:list" → 0x10
std::optional<std::uint64_t> descriptor_code(std::string_view symbol) noexcept;
/// 0x10 → "amqp:open:list"; empty for others.
std::string_view descriptor_symbol(std::uint64_t code) noexcept;

}  // namespace aprotic::codec
