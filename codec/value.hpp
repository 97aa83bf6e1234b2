#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/encoder.hpp>
#include <aprotic/codec/types.hpp>

#include <compare>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace aprotic::codec {

class Value;
using List = std::vector<Value>;

/// Pairs in the order in which they were put or received: order is significant on the wire. [1.6.23-c] Keys may be of
/// any type; a string key and a symbol key with the same text are two keys. Lookup is linear: these maps are small.
class Map {
public:
    using Entry = std::pair<Value, Value>;
    using iterator = std::vector<Entry>::iterator;
    using const_iterator = std::vector<Entry>::const_iterator;

    Map() noexcept;
    Map(std::initializer_list<Entry> entries);  ///< the last of equal keys wins
    Map(const Map&);
    Map(Map&&) noexcept;
    Map& operator=(const Map&);
    Map& operator=(Map&&) noexcept;
    ~Map();

    bool empty() const noexcept;
    std::size_t size() const noexcept;
    iterator begin() noexcept;
    iterator end() noexcept;
    const_iterator begin() const noexcept;
    const_iterator end() const noexcept;

    /// The value under a string or a symbol key with this text; null when there is none.
    const Value* find(std::string_view key) const noexcept;
    Value* find(std::string_view key) noexcept;
    const Value* find(const char* key) const noexcept { return find(std::string_view(key)); }
    Value* find(const char* key) noexcept { return find(std::string_view(key)); }
    const Value* find(const std::string& key) const noexcept { return find(std::string_view(key)); }
    Value* find(const std::string& key) noexcept { return find(std::string_view(key)); }
    /// The value under exactly this key.
    const Value* find(const Value& key) const noexcept;
    Value* find(const Value& key) noexcept;
    const Value* find(const Symbol& key) const noexcept;
    Value* find(const Symbol& key) noexcept;
    bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }
    /// As `find`; throws std::out_of_range when there is none.
    const Value& at(std::string_view key) const;

    /// The value under exactly this key (a text literal is a string key), inserted as null when there is none.
    Value& operator[](const Value& key);
    void set(Value key, Value value);
    /// Adds at the end without looking for an equal key.
    void append(Value key, Value value);
    /// Whether something was removed.
    bool erase(const Value& key);
    void clear() noexcept;
    void reserve(std::size_t entries);

    /// Same pairs in the same order.
    friend bool operator==(const Map& a, const Map& b) noexcept;

private:
    std::vector<Entry> entries_;
};

/// Elements of one type. `elements` hold the plain values; if the array's constructor is described, `descriptors` holds
/// its descriptors from the outside in. The element type is kept so that an empty array stays what it was. [1.6.24-b]
class Array {
public:
    explicit Array(Type element_type = Type::null) noexcept;
    /// Element type from the first element.
    explicit Array(std::vector<Value> elements);
    Array(Type element_type, std::vector<Value> elements);
    Array(Type element_type, std::vector<Value> elements, std::vector<Value> descriptors);
    Array(const Array&);
    Array(Array&&) noexcept;
    Array& operator=(const Array&);
    Array& operator=(Array&&) noexcept;
    ~Array();

    Type element_type() const noexcept { return element_type_; }
    std::span<const Value> descriptors() const noexcept;
    std::span<const Value> elements() const noexcept;
    std::size_t size() const noexcept;
    bool empty() const noexcept { return size() == 0; }

    friend bool operator==(const Array& a, const Array& b) noexcept;

private:
    std::vector<Value> items_;  // descriptors, then elements
    std::uint32_t descriptor_count_ = 0;
    Type element_type_;
};

/// A value with a descriptor that gives it a meaning. [1.5]
class Described {
public:
    Described(Value descriptor, Value value);
    Described(const Described&);
    Described(Described&&) noexcept;
    Described& operator=(const Described&);
    Described& operator=(Described&&) noexcept;
    ~Described();

    const Value& descriptor() const noexcept;
    const Value& value() const noexcept;
    Value& value() noexcept;
    /// The numeric descriptor, also where a symbol of the specification was used; empty otherwise.
    std::optional<std::uint64_t> code() const noexcept;

    friend bool operator==(const Described& a, const Described& b) noexcept;

private:
    std::vector<Value> parts_;  // descriptor, value
};

namespace detail {

template <std::size_t Size, bool Signed>
struct WireInteger;
template <>
struct WireInteger<1, false> {
    using type = std::uint8_t;
};
template <>
struct WireInteger<2, false> {
    using type = std::uint16_t;
};
template <>
struct WireInteger<4, false> {
    using type = std::uint32_t;
};
template <>
struct WireInteger<8, false> {
    using type = std::uint64_t;
};
template <>
struct WireInteger<1, true> {
    using type = std::int8_t;
};
template <>
struct WireInteger<2, true> {
    using type = std::int16_t;
};
template <>
struct WireInteger<4, true> {
    using type = std::int32_t;
};
template <>
struct WireInteger<8, true> {
    using type = std::int64_t;
};

template <class T>
concept CharacterLike =
    std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> || std::same_as<T, char16_t>;
template <class T>
concept PlainInteger = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char32_t> && !CharacterLike<T>;

/// The type that holds a T inside a Value: integers by width and sign, so that `long` and `long long` are both `long`.
template <class T>
struct Held {
    using type = T;
};
template <PlainInteger T>
struct Held<T> {
    using type = typename WireInteger<sizeof(T), std::is_signed_v<T>>::type;
};

/// Carries a number to the constructor for exactly its type.
template <class T>
struct Scalar {
    T v;
};

}  // namespace detail

/// Any AMQP value, owned. Constructors take the C++ type that says what is meant: `Value(1u)` is a uint, `Value("x")` a
/// string, `Value(Symbol("x"))` a symbol. Two values are equal when type and content are; floats compare by their bits,
/// so that NaN equals itself and 0.0 differs from -0.0.
class Value {
public:
    Value() noexcept;  ///< null
    Value(std::nullptr_t) noexcept : Value() {}
    template <std::same_as<bool> T>
    Value(T v) noexcept : Value(detail::Scalar<bool>{v}) {}
    template <detail::PlainInteger T>
    Value(T v) noexcept
        : Value(detail::Scalar<typename detail::Held<T>::type>{static_cast<typename detail::Held<T>::type>(v)}) {}
    Value(char) = delete;  // number, text or char32_t: say which
    Value(float v) noexcept;
    Value(double v) noexcept;
    Value(char32_t v) noexcept;
    Value(Decimal32 v) noexcept;
    Value(Decimal64 v) noexcept;
    Value(Decimal128 v) noexcept;
    Value(Timestamp v) noexcept;
    Value(Uuid v) noexcept;
    Value(Binary v) noexcept;
    Value(const char* v);
    Value(std::string_view v);
    Value(std::string v) noexcept;
    Value(Symbol v) noexcept;
    Value(List v) noexcept;
    Value(Map v) noexcept;
    Value(Array v) noexcept;
    Value(Described v) noexcept;
    // All of them are in value.cpp: a variant of so many types costs whoever instantiates it half a second.
    Value(const Value&);
    Value(Value&&) noexcept;
    Value& operator=(const Value&);
    Value& operator=(Value&&) noexcept;
    ~Value();

    Type type() const noexcept { return static_cast<Type>(data_.index()); }
    bool is_null() const noexcept { return type() == Type::null; }

    template <class T>
    bool is() const noexcept {
        return std::holds_alternative<typename detail::Held<T>::type>(data_);
    }
    /// Null when the value is of another type.
    template <class T>
    const typename detail::Held<T>::type* get_if() const noexcept {
        return std::get_if<typename detail::Held<T>::type>(&data_);
    }
    template <class T>
    typename detail::Held<T>::type* get_if() noexcept {
        return std::get_if<typename detail::Held<T>::type>(&data_);
    }
    /// Throws std::bad_variant_access when the value is of another type.
    template <class T>
    const typename detail::Held<T>::type& as() const {
        return std::get<typename detail::Held<T>::type>(data_);
    }
    template <class T>
    typename detail::Held<T>::type& as() {
        return std::get<typename detail::Held<T>::type>(data_);
    }

    /// Any integer type whose number fits; empty otherwise.
    std::optional<std::int64_t> to_int64() const noexcept;
    std::optional<std::uint64_t> to_uint64() const noexcept;
    std::optional<bool> to_bool() const noexcept;
    /// Text of a string or a symbol.
    std::optional<std::string_view> to_text() const noexcept;

    friend bool operator==(const Value& a, const Value& b) noexcept;
    /// A total order over all values, by type first; for sorting and finding, not for meaning.
    static std::strong_ordering compare(const Value& a, const Value& b) noexcept;

    template <class F>
    decltype(auto) visit(F&& f) const {
        return std::visit(std::forward<F>(f), data_);
    }

private:
    template <class T>
    explicit Value(detail::Scalar<T> v) noexcept;

    // In the order of enum class Type.
    std::variant<std::monostate, bool, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, std::int8_t,
                 std::int16_t, std::int32_t, std::int64_t, float, double, Decimal32, Decimal64, Decimal128, char32_t,
                 Timestamp, Uuid, Binary, std::string, Symbol, List, Map, Array, Described>
        data_;
};

void encode(Encoder& to, const Value& value);
void encode(Encoder& to, const Map& map);
void encode(Encoder& to, const List& list);
/// Reads the next value, whatever it is. On failure the decoder says why and a partial value must not be used.
bool decode(Decoder& from, Value& value);
bool decode(Decoder& from, Map& map);
bool decode(Decoder& from, List& list);

/// Exactly one value and nothing behind it.
Result<Value> decode_value(std::span<const std::byte> input, const DecodeLimits& limits = {});
Bytes encode_value(const Value& value);

}  // namespace aprotic::codec
