#pragma once

#include <aprotic/codec/assert.hpp>

#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace aprotic::codec {

/// Everything that can be wrong with bytes or with values to be encoded. Every illegal encoding has its own enumerator,
/// so that a test, a log line and a conformance report can name exactly one rule. `clause_of()` gives that rule.
enum class Errc {
    // One encoded value. [1.2], [1.6]
    incomplete = 1,             ///< more bytes are needed; only from readers of a stream
    truncated,                  ///< a value ends before its constructor says
    unknown_format_code,        ///< an unassigned format code
    reserved_ext_type,          ///< a format code with subtype 0xF: none is assigned
    nesting_too_deep,           ///< deeper than DecodeLimits::depth_max
    too_many_elements,          ///< more than DecodeLimits::elements_max or zero_width_max
    value_too_large,            ///< more bytes than DecodeLimits::bytes_max
    string_too_long,            ///< more octets in one binary, string or symbol than DecodeLimits::string_max
    allocation_too_large,       ///< an owned value would need more memory than DecodeLimits::allocation_max
    length_out_of_bounds,       ///< a length or size runs past what encloses it
    compound_size_too_small,    ///< the size does not even cover the count
    compound_size_mismatch,     ///< the items do not fill the size exactly
    array_without_constructor,  ///< the size leaves no room for the element constructor
    array_size_mismatch,        ///< the elements do not fill the size exactly
    bad_boolean,                ///< 0x56 followed by neither 0 nor 1
    bad_char,                   ///< not a Unicode scalar value
    bad_utf8,
    bad_symbol,  ///< an octet above 0x7f
    odd_map,
    duplicate_key,
    trailing_bytes,  ///< bytes after a complete value where nothing may follow

    // Described types. [1.3], [1.4], [1.5]
    wrong_type,
    wrong_archetype,           ///< a type that does not provide what the field requires
    missing_mandatory_field,   ///< null or left out
    value_out_of_choice,       ///< none of the values of a restricted type
    not_a_list,                ///< a composite whose base is not a list
    too_many_fields,           ///< more items than the composite has fields
    multiple_as_list,          ///< a `multiple` field given as a list
    multiple_element_type,     ///< a `multiple` field given as an array of something else
    empty_mandatory_multiple,  ///< `multiple` and mandatory, but without a value
    bad_descriptor,            ///< neither symbol nor ulong, or not described at all
    unknown_descriptor,
    wrong_key_type,         ///< a key of a type that this kind of map does not allow
    delivery_tag_too_long,  ///< more than 32 octets [2.8.7]

    // Protocol headers and frames. [2.2], [2.3]
    bad_protocol_header,
    frame_size_too_small,    ///< SIZE below 8
    frame_too_large,         ///< SIZE above the agreed maximum
    frame_doff_too_small,    ///< DOFF below 2
    frame_doff_beyond_size,  ///< DOFF * 4 above SIZE
    unknown_frame_type,
    unexpected_payload,  ///< bytes behind a performative other than transfer
    unknown_performative,

    // Messages. [3.2]
    unknown_section,
    section_out_of_order,
    duplicate_section,
    mixed_body,          ///< body sections of more than one kind, or two amqp-value sections
    missing_body,        ///< no body section at all
    wrong_section_type,  ///< a section whose value is not of the section's type
    compound_property,   ///< an application property that is not of a simple type; only where strictness is asked for
    body_type_mismatch,  ///< the body is legal but not what the caller asked for

    // Encoding: the caller's faults.
    buffer_too_small,     ///< the fixed output buffer is full
    too_large_to_encode,  ///< over 2^32 - 1 octets or items
    mixed_array,          ///< elements of more than one type in an array
};

const std::error_category& codec_category() noexcept;

inline std::error_code make_error_code(Errc e) noexcept { return {static_cast<int>(e), codec_category()}; }

/// The clause that the error breaks, as in docs/conformance ("1.6.20-b"); empty for our own limits and caller's faults.
std::string_view clause_of(Errc e) noexcept;

/// The error condition to tell a peer whose bytes caused `ec`: "amqp:decode-error", "amqp:connection:framing-error",
/// "amqp:invalid-field", … `amqp:internal-error` for a code of another category. [2.8.15]
std::string_view condition_of(std::error_code ec) noexcept;

template <class T, class E = std::error_code>
class Result;

namespace detail {
template <class T>
inline constexpr bool is_result = false;
template <class T, class E>
inline constexpr bool is_result<Result<T, E>> = true;
}  // namespace detail

/// A value or the reason why there is none. `value()`, `*` and `->` assert that there is one; nothing here throws by
/// itself.
template <class T, class E>
class [[nodiscard]] Result {
public:
    using value_type = T;
    using error_type = E;

    Result(const T& value) : state_(std::in_place_index<0>, value) {}
    Result(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}
    template <class U>
    requires(std::is_convertible_v<U&&, T> && !std::is_convertible_v<U&&, E> &&
             !std::is_same_v<std::remove_cvref_t<U>, T> && !detail::is_result<std::remove_cvref_t<U>>) Result(U&& value)
        : state_(std::in_place_index<0>, std::forward<U>(value)) {}
    Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}
    Result(Errc error) requires std::is_same_v<E, std::error_code>
        : state_(std::in_place_index<1>, make_error_code(error)) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    T& value() & { return checked(); }
    const T& value() const& { return const_cast<Result*>(this)->checked(); }
    T&& value() && { return std::move(checked()); }
    T& operator*() & { return checked(); }
    const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
    T&& operator*() && { return std::move(checked()); }
    T* operator->() { return &checked(); }
    const T* operator->() const { return &const_cast<Result*>(this)->checked(); }

    template <class U>
    T value_or(U&& fallback) const& {
        return has_value() ? **this : static_cast<T>(std::forward<U>(fallback));
    }

    /// The reason; a default-constructed E when there is a value.
    E error() const { return has_value() ? E{} : *std::get_if<1>(&state_); }

private:
    T& checked() {
        APROTIC_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
public:
    using value_type = void;
    using error_type = E;

    Result() = default;
    Result(E error) : error_(std::move(error)) {}
    Result(Errc error) requires std::is_same_v<E, std::error_code> : error_(make_error_code(error)) {}

    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    void value() const { APROTIC_ASSERT(has_value()); }
    E error() const { return error_ ? *error_ : E{}; }

private:
    std::optional<E> error_;  // nothing is made where nothing is wrong
};

}  // namespace aprotic::codec

template <>
struct std::is_error_code_enum<aprotic::codec::Errc> : std::true_type {};

#define APROTIC_CONCAT_(a, b) a##b
#define APROTIC_CONCAT(a, b) APROTIC_CONCAT_(a, b)

/// `APROTIC_TRY(f());` returns f's error from the enclosing function if there is one.
#define APROTIC_TRY(...)                                                                  \
    do {                                                                                  \
        if (auto&& aprotic_try = (__VA_ARGS__); !aprotic_try) return aprotic_try.error(); \
    } while (false)

/// `APROTIC_TRY_AS(auto x, f());` declares x from f's value, or returns f's error from the enclosing function.
#define APROTIC_TRY_AS(declaration, ...) \
    APROTIC_TRY_AS_(APROTIC_CONCAT(aprotic_try_, __LINE__), declaration, __VA_ARGS__)
#define APROTIC_TRY_AS_(name, declaration, ...) \
    auto name = (__VA_ARGS__);                  \
    if (!name) return name.error();             \
    declaration = std::move(name).value()
