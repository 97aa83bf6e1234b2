#include <aprotic/codec/types.hpp>
#include <aprotic/codec/wire.hpp>

#include <bit>

namespace aprotic::codec {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

std::string to_hex(std::span<const std::byte> octets) {
    std::string text;
    text.reserve(2 * octets.size());
    for (const std::byte octet : octets) {
        text += hex_digits[std::to_integer<std::size_t>(octet >> 4)];
        text += hex_digits[std::to_integer<std::size_t>(octet & std::byte{0xf})];
    }
    return text;
}

std::optional<unsigned> hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    return std::nullopt;
}

constexpr std::size_t uuid_text_size = 36;
constexpr bool is_hyphen_place(std::size_t i) noexcept { return i == 8 || i == 13 || i == 18 || i == 23; }

}  // namespace

std::string Uuid::to_string() const {
    std::string text = to_hex(octets);
    for (std::size_t i = 0; i < uuid_text_size; ++i) {
        if (is_hyphen_place(i)) text.insert(i, 1, '-');
    }
    return text;
}

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
    if (text.size() != uuid_text_size) return std::nullopt;
    Uuid uuid;
    std::size_t digit = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_hyphen_place(i)) {
            if (text[i] != '-') return std::nullopt;
            continue;
        }
        const std::optional<unsigned> value = hex_value(text[i]);
        if (!value) return std::nullopt;
        std::byte& octet = uuid.octets[digit / 2];
        octet = (octet << 4) | static_cast<std::byte>(*value);
        ++digit;
    }
    return uuid;
}

DeliveryTag DeliveryTag::from_number(std::uint64_t number) noexcept {
    std::array<std::byte, 8> octets{};
    store_be(octets.data(), number);
    const auto skip = static_cast<std::size_t>(std::countl_zero(number | 1U)) / 8;
    return DeliveryTag(std::span<const std::byte>(octets).subspan(skip));
}

MessageId to_owned(const MessageIdView& id) {
    struct Owner {
        MessageId operator()(std::uint64_t v) const { return v; }
        MessageId operator()(const Uuid& v) const { return v; }
        MessageId operator()(std::span<const std::byte> v) const { return Binary(v); }
        MessageId operator()(std::string_view v) const { return std::string(v); }
    };
    return std::visit(Owner{}, id);
}

std::string to_string(const MessageId& id) {
    struct Writer {
        std::string operator()(std::uint64_t v) const { return std::to_string(v); }
        std::string operator()(const Uuid& v) const { return v.to_string(); }
        std::string operator()(const Binary& v) const { return to_hex(v.span()); }
        std::string operator()(const std::string& v) const { return v; }
    };
    return std::visit(Writer{}, id);
}

}  // namespace aprotic::codec
