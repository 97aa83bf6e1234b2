#pragma once

#include <aprotic/codec/delivery_state.hpp>
#include <aprotic/codec/described_codec.hpp>
#include <aprotic/codec/wire.hpp>

#include <tuple>
#include <utility>

namespace aprotic::codec {

/// Reads the fields of the frames that pass by the thousand as nearly every peer writes them: a descriptor of one
/// octet, a list8, numbers, tags, accepted and released. On anything else it gives up, and the general way reads the
/// composite from its start and says what is wrong, if something is.
class PlainFields {
public:
    /// How many octets the composite has; 0: gave up.
    template <Composite T>
    static std::size_t read(std::span<const std::byte> octets, T& composite) {
        constexpr std::size_t head_size = 6;  // 0x00 0x53 code, 0xc0 size count
        if (octets.size() < head_size || octets[0] != std::byte{code::described} ||
            octets[1] != std::byte{code::smallulong} || octets[2] != std::byte{Table<T>::code} ||
            octets[3] != std::byte{code::list8}) {
            return 0;
        }
        const std::size_t size = std::to_integer<std::size_t>(octets[4]);
        if (size < 1 || size > octets.size() - 5) return 0;
        PlainFields from(octets.data() + head_size, octets.data() + 5 + size);
        auto left = std::to_integer<std::uint32_t>(octets[5]);
        using Rows = std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<decltype(Table<T>::fields)>>>;
        return from.rows(composite, left, Rows()) && left == 0 && from.at_ == from.end_ ? 5 + size : 0;
    }

    /// The same for a transfer that says no more than its number, tag, format and whether it is settled and the last:
    /// the most frequent frame of all. What it says is all that is written to; `transfer` is new.
    static std::size_t read_new(std::span<const std::byte> octets, Transfer& transfer) {
        constexpr std::size_t head_size = 6;
        constexpr std::uint32_t head =
            std::uint32_t{code::smallulong} << 16U | std::uint32_t{descriptor::transfer} << 8U | code::list8;
        if (octets.size() < head_size || load_be<std::uint32_t>(octets.data()) != head) return 0;
        const std::size_t size = std::to_integer<std::size_t>(octets[4]);
        const auto count = std::to_integer<std::uint32_t>(octets[5]);
        if (size < 1 || size > octets.size() - 5 || count < 1 || count > 6) return 0;
        PlainFields from(octets.data() + head_size, octets.data() + 5 + size);
        const bool read = from.value(transfer.handle) && from.next(transfer.delivery_id, count > 1) &&
                          from.next(transfer.delivery_tag, count > 2) &&
                          from.next(transfer.message_format, count > 3) && from.next(transfer.settled, count > 4) &&
                          from.next(transfer.more, count > 5);
        return read && from.at_ == from.end_ ? 5 + size : 0;
    }

private:
    PlainFields(const std::byte* at, const std::byte* end) : at_(at), end_(end) {}

    template <class T>
    [[gnu::always_inline]] bool next(T& field, bool there) {
        if (!there) return true;
        if (at_ == end_) return false;
        if (*at_ == std::byte{code::null}) {
            ++at_;
            return true;
        }
        return value(field);
    }

    template <class T, std::size_t... I>
    [[gnu::always_inline]] bool rows(T& composite, std::uint32_t& left, std::index_sequence<I...>) {
        return (row(composite, std::get<I>(Table<T>::fields), left) && ...);
    }
    template <class T, class Member, class Default>
    [[gnu::always_inline]] bool row(T& composite, const FieldRow<T, Member, Default>& row, std::uint32_t& left) {
        detail::row_reset(composite, row);
        if (left == 0) return !row.is_mandatory;
        --left;
        if (at_ == end_) return false;
        if (*at_ == std::byte{code::null}) {
            ++at_;
            return !row.is_mandatory;
        }
        return value(composite.*row.member);
    }

    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    /// The octets behind a constructor, if that is what comes and they are there.
    [[gnu::always_inline]] const std::byte* take(std::uint8_t format_code, std::size_t octets) {
        if (left() < 1 + octets || *at_ != std::byte{format_code}) return nullptr;
        const std::byte* const found = at_ + 1;
        at_ = found + octets;
        return found;
    }

    [[gnu::always_inline]] bool value(bool& v) {
        v = *at_ == std::byte{code::true_};
        return take(v ? code::true_ : code::false_, 0) != nullptr;
    }
    [[gnu::always_inline]] bool value(Role& v) {
        bool receiver = false;
        if (!value(receiver)) return false;
        v = static_cast<Role>(receiver);
        return true;
    }
    [[gnu::always_inline]] bool value(std::uint32_t& v) {
        if (const std::byte* small = take(code::smalluint, 1)) {
            v = std::to_integer<std::uint32_t>(*small);
        } else if (const std::byte* full = take(code::uint, 4)) {
            v = load_be<std::uint32_t>(full);
        } else {
            v = 0;
            return take(code::uint0, 0) != nullptr;
        }
        return true;
    }
    [[gnu::always_inline]] bool value(DeliveryTag& v) {
        if (left() < 2) return false;
        const std::size_t size = std::to_integer<std::size_t>(at_[1]);
        if (size > DeliveryTag::size_max) return false;
        const std::byte* const octets = take(code::vbin8, 1 + size);
        if (octets == nullptr) return false;
        v = DeliveryTag(std::span(octets + 1, size));
        return true;
    }
    [[gnu::always_inline]] bool value(std::optional<DeliveryState>& v) {
        if (left() < 4 || at_[1] != std::byte{code::smallulong} || at_[3] != std::byte{code::list0}) return false;
        if (at_[0] != std::byte{code::described}) return false;
        if (at_[2] == std::byte{descriptor::accepted}) {
            v.emplace(Accepted{});
        } else if (at_[2] == std::byte{descriptor::released}) {
            v.emplace(Released{});
        } else {
            return false;
        }
        at_ += 4;
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool value(std::optional<T>& v) {
        return value(v.emplace());
    }
    /// What is rare in these frames.
    template <class T>
    [[gnu::always_inline]] bool value(T&) {
        return false;
    }

    const std::byte* at_;
    const std::byte* end_;
};

}  // namespace aprotic::codec
