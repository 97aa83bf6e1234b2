#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/value.hpp>

#include <cstdint>
#include <optional>
#include <span>

namespace aprotic::codec {

/// One encoded value that is looked at only when asked. It views its octets; nothing is copied or checked before it is
/// read.
class RawValue {
public:
    RawValue() noexcept = default;
    explicit RawValue(std::span<const std::byte> octets) noexcept : octets_(octets) {}

    std::span<const std::byte> octets() const noexcept { return octets_; }
    /// Empty when there is no value or its code is unassigned.
    std::optional<Type> type() const noexcept;
    bool is_null() const noexcept { return type() == Type::null; }

    // Each is empty when the value is of another type or malformed.
    std::optional<bool> boolean() const noexcept;
    std::optional<std::uint32_t> uint() const noexcept;
    std::optional<std::uint64_t> ulong() const noexcept;
    std::optional<std::int64_t> integer() const noexcept;  ///< any integer type that fits
    std::optional<Timestamp> timestamp() const noexcept;
    std::optional<Uuid> uuid() const noexcept;
    std::optional<std::string_view> string() const noexcept;
    std::optional<std::string_view> symbol() const noexcept;
    std::optional<std::string_view> text() const noexcept;  ///< string or symbol
    std::optional<std::span<const std::byte>> binary() const noexcept;
    std::optional<MessageIdView> message_id() const noexcept;

    Result<Value> value(const DecodeLimits& limits = {}) const;
    /// Everything in it is well-formed and nothing follows.
    Result<void> check(const DecodeLimits& limits = {}) const noexcept;

private:
    std::span<const std::byte> octets_;
};

/// The items of an encoded list, found one after the other. May be iterated any number of times.
class ListView {
public:
    ListView() noexcept = default;
    /// `octets` start at the list's constructor. A list that is not one yields no items; `ok()` tells.
    explicit ListView(std::span<const std::byte> octets) noexcept;

    bool ok() const noexcept { return ok_; }
    std::uint32_t size() const noexcept { return count_; }
    /// The item at `index`, empty past the end. Linear.
    RawValue operator[](std::uint32_t index) const noexcept;

    class iterator {
    public:
        using value_type = RawValue;
        using difference_type = std::ptrdiff_t;
        iterator() noexcept = default;
        RawValue operator*() const noexcept { return RawValue(current_); }
        iterator& operator++() noexcept;
        iterator operator++(int) noexcept {
            iterator old = *this;
            ++*this;
            return old;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.left_ == b.left_; }

    private:
        friend class ListView;
        iterator(std::span<const std::byte> rest, std::uint32_t left) noexcept;
        void find() noexcept;
        std::span<const std::byte> current_;
        std::span<const std::byte> rest_;
        std::uint32_t left_ = 0;
    };
    iterator begin() const noexcept { return iterator(items_, count_); }
    iterator end() const noexcept { return iterator({}, 0); }

protected:
    ListView(std::span<const std::byte> octets, bool map) noexcept;
    std::span<const std::byte> items_;
    std::uint32_t count_ = 0;
    bool ok_ = false;
};

/// The pairs of an encoded map. Equal keys are not looked for.
class MapView : private ListView {
public:
    MapView() noexcept = default;
    explicit MapView(std::span<const std::byte> octets) noexcept : ListView(octets, true) {}

    using ListView::ok;
    std::uint32_t size() const noexcept { return count_ / 2; }
    /// The first value under a string or symbol key with this text.
    std::optional<RawValue> find(std::string_view key) const noexcept;

    struct Entry {
        RawValue key;
        RawValue value;
    };
    /// Calls `f(Entry)` for each pair in order.
    template <class F>
    void for_each(F&& f) const {
        for (auto it = ListView::begin(); it != ListView::end(); ++it) {
            const RawValue key = *it;
            if (++it == ListView::end()) return;
            f(Entry{key, *it});
        }
    }
};

}  // namespace aprotic::codec
