#pragma once

#include <aprotic/codec/definitions.hpp>
#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/described.hpp>
#include <aprotic/codec/encoder.hpp>
#include <aprotic/codec/types.hpp>
#include <aprotic/codec/value.hpp>

#include <optional>
#include <tuple>
#include <variant>

namespace aprotic::codec {

/// Writes what most messages and frames have in their lists and maps - numbers, short texts, identifiers - into the
/// room that an encoder has already. It keeps its position to itself, where an encoder has to store it after each
/// octet, since that might be a part of the encoder; so everything is inlined here. On anything else, or when the room
/// is too small, it gives up and nothing was written: the general way follows.
class PlainWriter {
public:
    template <Composite T>
    static bool write(Encoder& to, const T& composite) {
        PlainWriter writer(to.spare());
        if (!writer.begin(6)) return false;
        constexpr std::uint32_t head = std::uint32_t{code::smallulong} << 16U | std::uint32_t{Table<T>::code} << 8U;
        writer.head(head | code::list8);
        using Rows = std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<decltype(Table<T>::fields)>>>;
        return writer.rows(composite, Rows()) && writer.end(to, writer.count_);
    }

    static bool write(Encoder& to, const Map& map) {
        constexpr std::size_t pairs_max = 127;  // of a map8
        PlainWriter writer(to.spare());
        if (map.size() > pairs_max || !writer.begin(3)) return false;
        writer.begin_[0] = std::byte{code::map8};
        for (const Map::Entry& entry : map) {
            if (!writer.any(entry.first) || !writer.any(entry.second)) return false;
        }
        return writer.end(to, static_cast<std::uint32_t>(2 * map.size()));
    }

private:
    explicit PlainWriter(std::span<std::byte> room) noexcept
        : begin_(room.data()), at_(room.data()), end_(room.data() + room.size()) {}

    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    [[gnu::always_inline]] bool begin(std::size_t head_size) noexcept {
        if (left() < head_size) return false;
        at_ += head_size;
        items_ = at_;
        return true;
    }
    void head(std::uint32_t octets) noexcept { store_be(begin_, octets); }

    /// Size and count of the list or map, which must be a narrow one.
    [[gnu::always_inline]] bool end(Encoder& to, std::uint32_t count) noexcept {
        const auto size = static_cast<std::size_t>(at_ - items_) + 1;
        if (size > 0xff || count > 0xff) return false;
        if (count == 0 && items_[-3] == std::byte{code::list8}) {
            items_[-3] = std::byte{code::list0};
            at_ -= 2;
        } else {
            items_[-2] = static_cast<std::byte>(size);
            items_[-1] = static_cast<std::byte>(count);
        }
        to.commit(static_cast<std::size_t>(at_ - begin_));
        return true;
    }

    template <class T, std::size_t... I>
    [[gnu::always_inline]] bool rows(const T& composite, std::index_sequence<I...>) {
        return (row(composite, std::get<I>(Table<T>::fields)) && ...);
    }
    /// Nulls are held back until a field follows: trailing ones are not sent. [1.4-b]
    template <class T, class Member, class Default>
    [[gnu::always_inline]] bool row(const T& composite, const FieldRow<T, Member, Default>& row) {
        const Member& member = composite.*row.member;
        bool absent = is_absent(member);
        if constexpr (!std::is_same_v<Default, NoDefault>) absent = member == row.fallback;
        ++index_;
        if (absent && !row.is_mandatory) return true;
        for (++count_; count_ < index_; ++count_) {
            if (!put(code::null)) return false;
        }
        return value(member);
    }
    template <class T>
    [[gnu::always_inline]] static bool is_absent(const T&) noexcept {
        return false;
    }
    template <class T>
    [[gnu::always_inline]] static bool is_absent(const std::optional<T>& v) noexcept {
        return !v.has_value();
    }
    [[gnu::always_inline]] static bool is_absent(const Map& v) noexcept { return v.empty(); }

    [[gnu::always_inline]] bool put(std::uint8_t octet) noexcept {
        if (at_ == end_) return false;
        *at_++ = static_cast<std::byte>(octet);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool number(std::uint8_t format_code, T v) noexcept {
        if (left() < 1 + sizeof v) return false;
        *at_ = static_cast<std::byte>(format_code);
        store_be(at_ + 1, v);
        at_ += 1 + sizeof v;
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool shortest(std::uint8_t code0, std::uint8_t code8, std::uint8_t code_full, T v) noexcept {
        if (v > 0xff) return number(code_full, v);
        return v == 0 ? put(code0) : number(code8, static_cast<std::uint8_t>(v));
    }
    template <class T>
    [[gnu::always_inline]] bool signed_number(std::uint8_t code8, std::uint8_t code_full, T v) noexcept {
        if (v >= -128 && v <= 127) return number(code8, static_cast<std::uint8_t>(v));
        return number(code_full, static_cast<std::make_unsigned_t<T>>(v));
    }
    [[gnu::always_inline]] bool variable(std::uint8_t code8, std::span<const std::byte> v) noexcept {
        const std::size_t size = v.size();
        if (size > 0xff || left() < 2 + size) return false;
        at_[0] = static_cast<std::byte>(code8);
        at_[1] = static_cast<std::byte>(size);
        copy_short(at_ + 2, v);
        at_ += 2 + size;
        return true;
    }

    [[gnu::always_inline]] bool value(bool v) noexcept { return put(v ? code::true_ : code::false_); }
    [[gnu::always_inline]] bool value(Role v) noexcept { return value(v == Role::receiver); }
    [[gnu::always_inline]] bool value(std::uint8_t v) noexcept { return number(code::ubyte, v); }
    [[gnu::always_inline]] bool value(std::uint32_t v) noexcept {
        return shortest(code::uint0, code::smalluint, code::uint, v);
    }
    [[gnu::always_inline]] bool value(std::uint64_t v) noexcept {
        return shortest(code::ulong0, code::smallulong, code::ulong, v);
    }
    [[gnu::always_inline]] bool value(std::int32_t v) noexcept { return signed_number(code::smallint, code::int_, v); }
    [[gnu::always_inline]] bool value(std::int64_t v) noexcept {
        return signed_number(code::smalllong, code::long_, v);
    }
    [[gnu::always_inline]] bool value(Timestamp v) noexcept {
        return number(code::timestamp, static_cast<std::uint64_t>(v.ms));
    }
    [[gnu::always_inline]] bool value(const std::string& v) noexcept { return variable(code::str8, as_bytes(v)); }
    [[gnu::always_inline]] bool value(const Symbol& v) noexcept { return variable(code::sym8, as_bytes(v.view())); }
    [[gnu::always_inline]] bool value(const Binary& v) noexcept { return variable(code::vbin8, v.span()); }
    [[gnu::always_inline]] bool value(const DeliveryTag& v) noexcept { return variable(code::vbin8, v.span()); }
    [[gnu::always_inline]] bool value(const MessageId& v) noexcept {
        if (const auto* number = std::get_if<std::uint64_t>(&v)) return value(*number);
        if (const auto* text = std::get_if<std::string>(&v)) return value(*text);
        return false;
    }
    [[gnu::always_inline]] bool value(const DeliveryState& v) noexcept {
        const std::uint64_t descriptor = std::holds_alternative<Accepted>(v)   ? descriptor::accepted
                                         : std::holds_alternative<Released>(v) ? descriptor::released
                                                                               : 0;
        if (descriptor == 0 || left() < 4) return false;
        store_be(at_,
                 std::uint32_t{code::smallulong} << 16U | static_cast<std::uint32_t>(descriptor) << 8U | code::list0);
        at_ += 4;
        return true;
    }
    [[gnu::always_inline]] bool any(const Value& v) noexcept {
        if (const auto* text = v.get_if<std::string>()) return value(*text);  // keys, and most values
        if (const auto* symbol = v.get_if<Symbol>()) return value(*symbol);
        if (const auto* number = v.get_if<std::int32_t>()) return value(*number);
        if (const auto* number = v.get_if<std::int64_t>()) return value(*number);
        if (const auto* number = v.get_if<std::uint32_t>()) return value(*number);
        if (const auto* number = v.get_if<std::uint64_t>()) return value(*number);
        if (const auto* truth = v.get_if<bool>()) return value(*truth);
        return v.is_null() && put(code::null);
    }
    template <class T>
    [[gnu::always_inline]] bool value(const std::optional<T>& v) noexcept {
        return value(*v);
    }
    /// What is rare.
    template <class T>
    [[gnu::always_inline]] bool value(const T&) noexcept {
        return false;
    }

    std::byte* begin_;
    std::byte* at_;
    std::byte* end_;
    std::byte* items_ = nullptr;
    std::uint32_t index_ = 0;  // fields seen
    std::uint32_t count_ = 0;  // fields written
};

}  // namespace aprotic::codec
