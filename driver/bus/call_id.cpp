#include <aprotic/driver/bus/call_id.hpp>

#include <tuple>

namespace aprotic::driver::bus {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

/// Of characters; more than 15: it is no digit.
constexpr auto values = [] {
    std::array<std::uint8_t, 256> made{};
    made.fill(0xff);
    for (std::size_t i = 0; i < digits.size(); ++i)
        made[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
    return made;
}();

}  // namespace

CallId::Text CallId::text() const noexcept {
    Text text;
    for (std::size_t i = 0; i < 16; ++i) {
        text[15 - i] = digits[(high >> (4 * i)) & 0xf];
        text[31 - i] = digits[(low >> (4 * i)) & 0xf];
    }
    return text;
}

std::optional<CallId> CallId::parse(std::string_view text) noexcept {
    if (text.size() != std::tuple_size<Text>()) return std::nullopt;
    unsigned seen = 0;
    const auto half = [&](std::size_t from) {
        std::uint64_t value = 0;
        for (std::size_t i = from; i < from + 16; ++i) {
            const std::uint8_t digit = values[static_cast<unsigned char>(text[i])];
            seen |= digit;
            value = value << 4U | (digit & 0xfU);
        }
        return value;
    };
    const CallId id{half(0), half(16)};
    return seen > 0xf ? std::nullopt : std::optional(id);
}

}  // namespace aprotic::driver::bus
