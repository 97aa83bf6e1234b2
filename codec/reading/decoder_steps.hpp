#pragma once

// The steps that every read of the decoder is made of, so that they are inlined in each of its files.

#include <aprotic/codec/decoder.hpp>

namespace aprotic::codec {

inline constexpr std::uint8_t no_code = 0xff;  // what take_code returns after an error; never assigned [1.2-d]

inline bool Decoder::need(std::size_t n) noexcept {
    if (!ok()) return false;
    return static_cast<std::size_t>(end_ - at_) >= n || fail_at(Errc::truncated, value_at_);
}

inline const std::byte* Decoder::take(std::size_t n) noexcept {
    if (!need(n)) return nullptr;
    const std::byte* taken = at_;
    at_ += n;
    return taken;
}

template <class T>
T Decoder::take_be() noexcept {
    const std::byte* at = take(sizeof(T));
    return at != nullptr ? load_be<T>(at) : T{};
}

inline std::uint8_t Decoder::take_code() noexcept {
    if (!ok()) return no_code;
    value_at_ = at_;
    if (forced_code_ != 0) return forced_code_;
    if (at_ == end_) {
        // Inside a compound its count asked for more than its size holds. [1.2.3-c]
        fail(open_scopes_ > 0 ? Errc::compound_size_mismatch : Errc::truncated);
        return no_code;
    }
    return std::to_integer<std::uint8_t>(*at_++);
}

inline bool Decoder::deeper() noexcept {
    if (depth_ >= limits_.depth_max) return fail_at(Errc::nesting_too_deep, value_at_);
    ++depth_;
    return true;
}

inline bool Decoder::spend(std::uint32_t elements) noexcept {
    if (elements > limits_.elements_max - elements_) return fail_at(Errc::too_many_elements, value_at_);
    elements_ += elements;
    return true;
}

inline std::size_t Decoder::take_size(std::uint8_t format_code) noexcept {
    return size_width(format_code) == 1 ? take_be<std::uint8_t>() : take_be<std::uint32_t>();
}

inline std::span<const std::byte> Decoder::take_variable(std::uint8_t format_code) noexcept {
    const std::size_t length = take_size(format_code);
    if (!ok()) return {};
    // Compared with what is left, never added to a position: 2^32 - 1 must not wrap anything. [1.2.2-b]
    if (length > static_cast<std::size_t>(end_ - at_))
        return fail_at(Errc::length_out_of_bounds, value_at_), std::span<const std::byte>();
    return {take(length), length};
}

}  // namespace aprotic::codec
