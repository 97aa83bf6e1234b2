#include "conform/wire.hpp"

#include <cctype>

namespace aprotic::conform::wire {

std::string hex(std::string_view digits) {
    std::string octets;
    int high = -1;
    for (const char c : digits) {
        if (std::isxdigit(static_cast<unsigned char>(c)) == 0) continue;
        const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (high >= 0) octets += static_cast<char>(high * 16 + digit);
        high = high >= 0 ? -1 : digit;
    }
    return octets;
}

std::string be(std::uint64_t number, unsigned octets) {
    std::string text;
    for (unsigned i = octets; i > 0; --i) text += static_cast<char>(number >> (8 * (i - 1)) & 0xff);
    return text;
}

std::string frame(std::string_view body, const FrameOptions& options) {
    const std::int64_t size =
        static_cast<std::int64_t>(8 + options.extended.size() + body.size()) + options.size_offset;
    return be(static_cast<std::uint64_t>(size), 4) + be(options.doff, 1) + be(options.type, 1) +
           be(options.channel, 2) + options.extended + std::string(body);
}

std::string value(const codec::Value& value) {
    codec::Encoder to;
    codec::encode(to, value);
    return std::string(codec::as_text(to.written()));
}

std::string described(std::uint64_t code, std::string_view encoded) {
    return hex("00 53") + be(code, 1) + std::string(encoded);
}

std::string list(const std::vector<std::string>& items, int count_offset, int size_offset) {
    std::string content;
    for (const auto& item : items) content += item;
    return hex("d0") + be(static_cast<std::uint64_t>(static_cast<std::int64_t>(content.size()) + 4 + size_offset), 4) +
           be(static_cast<std::uint64_t>(static_cast<std::int64_t>(items.size()) + count_offset), 4) + content;
}

std::string str(std::string_view text) { return hex("a1") + be(text.size(), 1) + std::string(text); }
std::string sym(std::string_view text) { return hex("a3") + be(text.size(), 1) + std::string(text); }

std::string map_of(const std::string& key, const std::string& value) {
    return hex("d1") + be(4 + key.size() + value.size(), 4) + be(2, 4) + key + value;
}

std::string value_body(std::string_view encoded) { return described(codec::descriptor::amqp_value, encoded); }
std::string plain_body() { return value_body(str("plai")); }

std::string composite(std::uint64_t code, const std::vector<Field>& fields) {
    std::vector<std::string> items;
    for (const auto& field : fields) items.push_back(field.octets);
    return described(code, list(items));
}

}  // namespace aprotic::conform::wire
