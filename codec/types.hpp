#pragma once

#include <aprotic/codec/assert.hpp>
#include <aprotic/codec/bytes.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace aprotic::codec {

/// A name from a constrained domain, ASCII on the wire. Distinct from string: the two are never equal as values.
/// [1.6.21]
class Symbol {
public:
    Symbol() = default;
    Symbol(std::string text) : text_(std::move(text)) {}
    Symbol(std::string_view text) : text_(text) {}
    Symbol(const char* text) : text_(text) {}

    const std::string& str() const noexcept { return text_; }
    std::string_view view() const noexcept { return text_; }
    operator std::string_view() const noexcept { return text_; }
    std::size_t size() const noexcept { return text_.size(); }
    bool empty() const noexcept { return text_.empty(); }

    friend bool operator==(const Symbol& a, const Symbol& b) noexcept { return a.text_ == b.text_; }
    friend bool operator==(const Symbol& a, std::string_view b) noexcept { return a.text_ == b; }
    friend bool operator==(const Symbol& a, const std::string& b) noexcept { return a.text_ == b; }
    friend bool operator==(const Symbol& a, const char* b) noexcept { return a.text_ == b; }
    friend std::strong_ordering operator<=>(const Symbol& a, const Symbol& b) noexcept { return a.text_ <=> b.text_; }

private:
    std::string text_;
};

/// An absolute time in milliseconds since 1970-01-01T00:00:00Z; the whole int64 range is legal. [1.6.17]
struct Timestamp {
    std::int64_t ms = 0;

    /// From a point in time of std::chrono::system_clock, of any precision; what is below a millisecond is cut off.
    template <class TimePoint>
    requires requires { typename TimePoint::duration::period; }
    static constexpr Timestamp from(const TimePoint& time) noexcept {
        // Without <chrono>, which would double what everybody pays for including this file.
        using Period = typename TimePoint::duration::period;
        if constexpr (Period::den % (1000 * Period::num) == 0) {
            return {time.time_since_epoch().count() / (Period::den / (1000 * Period::num))};
        } else {
            static_assert(1000 * Period::num % Period::den == 0);
            return {time.time_since_epoch().count() * (1000 * Period::num / Period::den)};
        }
    }
    /// As a point in time of `Clock`, for instance std::chrono::system_clock, if its range allows.
    template <class Clock>
    constexpr typename Clock::time_point to() const noexcept {
        using Duration = typename Clock::duration;
        using Period = typename Duration::period;
        static_assert(Period::den % (1000 * Period::num) == 0);
        return typename Clock::time_point(Duration(ms * (Period::den / (1000 * Period::num))));
    }
    friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

/// Sixteen octets in the order of RFC 4122. [1.6.18]
struct Uuid {
    std::array<std::byte, 16> octets{};

    /// "00112233-4455-6677-8899-aabbccddeeff"
    std::string to_string() const;
    /// Reads the form that to_string writes (either case, hyphens required); empty when it is not one.
    static std::optional<Uuid> parse(std::string_view text) noexcept;

    friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

/// IEEE 754-2008 decimals are carried bit by bit; there is no arithmetic on them here. Network byte order. [1.6.13]
struct Decimal32 {
    std::array<std::byte, 4> octets{};
    friend auto operator<=>(const Decimal32&, const Decimal32&) = default;
};
struct Decimal64 {
    std::array<std::byte, 8> octets{};
    friend auto operator<=>(const Decimal64&, const Decimal64&) = default;
};
struct Decimal128 {
    std::array<std::byte, 16> octets{};
    friend auto operator<=>(const Decimal128&, const Decimal128&) = default;
};

/// Owned octets; short ones without allocation. For large payloads use `Bytes`, which is shared instead of copied.
/// [1.6.19]
class Binary {
public:
    Binary() = default;
    explicit Binary(std::string octets) : octets_(std::move(octets)) {}
    explicit Binary(std::string_view octets) : octets_(octets) {}
    explicit Binary(const char* octets) : octets_(octets) {}
    explicit Binary(std::span<const std::byte> octets) : octets_(as_text(octets)) {}

    const std::byte* data() const noexcept { return span().data(); }
    std::size_t size() const noexcept { return octets_.size(); }
    bool empty() const noexcept { return octets_.empty(); }
    std::span<const std::byte> span() const noexcept { return as_bytes(octets_); }
    std::string_view text() const noexcept { return octets_; }

    friend auto operator<=>(const Binary&, const Binary&) = default;

private:
    std::string octets_;
};

/// A sequence number compared as RFC 1982 says: a value is "before" another when it is up to 2^31 - 1 steps behind it.
/// [2.8.10]
class SerialNumber {
public:
    constexpr explicit SerialNumber(std::uint32_t value = 0) noexcept : value_(value) {}

    constexpr std::uint32_t value() const noexcept { return value_; }
    constexpr SerialNumber operator+(std::uint32_t steps) const noexcept { return SerialNumber(value_ + steps); }
    constexpr SerialNumber operator-(std::uint32_t steps) const noexcept { return SerialNumber(value_ - steps); }
    constexpr SerialNumber& operator++() noexcept {
        ++value_;
        return *this;
    }
    constexpr SerialNumber operator++(int) noexcept { return SerialNumber(value_++); }
    constexpr SerialNumber& operator+=(std::uint32_t steps) noexcept {
        value_ += steps;
        return *this;
    }

    /// Steps from `earlier` to `*this`; negative when `*this` is the earlier one.
    constexpr std::int32_t distance_from(SerialNumber earlier) const noexcept {
        return static_cast<std::int32_t>(value_ - earlier.value_);
    }
    constexpr bool is_before(SerialNumber other) const noexcept { return distance_from(other) < 0; }

    constexpr bool operator==(const SerialNumber&) const noexcept = default;

private:
    std::uint32_t value_;
};

/// Identity of a delivery on its link: up to 32 octets, held in place. [2.8.7]
class DeliveryTag {
public:
    static constexpr std::size_t size_max = 32;

    DeliveryTag() noexcept = default;
    /// Asserts that the octets fit; check the size of foreign input first.
    explicit DeliveryTag(std::span<const std::byte> octets) noexcept : size_(static_cast<std::uint8_t>(octets.size())) {
        APROTIC_ASSERT(octets.size() <= size_max);
        copy_short(octets_.data(), octets);
    }
    explicit DeliveryTag(std::string_view octets) noexcept : DeliveryTag(as_bytes(octets)) {}
    /// Other octets in place of these; they must fit, too.
    void assign(std::span<const std::byte> octets) noexcept {
        APROTIC_ASSERT(octets.size() <= size_max);
        copy_short(octets_.data(), octets);
        size_ = static_cast<std::uint8_t>(octets.size());
    }
    /// A counter as the shortest tag that holds it.
    static DeliveryTag from_number(std::uint64_t number) noexcept;

    std::span<const std::byte> span() const noexcept { return {octets_.data(), size_}; }
    std::string_view text() const noexcept { return as_text(span()); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    friend bool operator==(const DeliveryTag& a, const DeliveryTag& b) noexcept { return a.text() == b.text(); }
    friend std::strong_ordering operator<=>(const DeliveryTag& a, const DeliveryTag& b) noexcept {
        return a.text() <=> b.text();
    }

private:
    std::array<std::byte, size_max> octets_{};
    std::uint8_t size_ = 0;
};

using Milliseconds = std::uint32_t;  ///< on the wire [2.8.9]
using Seconds = std::uint32_t;       ///< on the wire [2.8.8]

/// The four types that may identify a message. [3.2.11] to [3.2.14]
using MessageId = std::variant<std::uint64_t, Uuid, Binary, std::string>;
/// The same without owning anything; valid as long as the bytes it was read from.
using MessageIdView = std::variant<std::uint64_t, Uuid, std::span<const std::byte>, std::string_view>;

MessageId to_owned(const MessageIdView& id);
/// For logs: a string as it is, a number in decimal, a uuid in its usual form, binary in hex.
std::string to_string(const MessageId& id);

}  // namespace aprotic::codec

template <>
struct std::hash<aprotic::codec::Symbol> {
    std::size_t operator()(const aprotic::codec::Symbol& s) const noexcept { return std::hash<std::string>{}(s.str()); }
};
template <>
struct std::hash<aprotic::codec::Binary> {
    std::size_t operator()(const aprotic::codec::Binary& b) const noexcept {
        return std::hash<std::string_view>{}(b.text());
    }
};
template <>
struct std::hash<aprotic::codec::Uuid> {
    std::size_t operator()(const aprotic::codec::Uuid& u) const noexcept {
        return std::hash<std::string_view>{}(aprotic::codec::as_text(u.octets));
    }
};
template <>
struct std::hash<aprotic::codec::DeliveryTag> {
    std::size_t operator()(const aprotic::codec::DeliveryTag& t) const noexcept {
        return std::hash<std::string_view>{}(t.text());
    }
};
