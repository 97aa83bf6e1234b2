#pragma once

#include <aprotic/codec/decoder.hpp>
#include <aprotic/codec/described.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace aprotic::codec {

/// Writes values as text straight from their octets, so that what is malformed is shown up to the fault.
class TextPrinter {
public:
    /// At most `octets_max` octets of each string, symbol and binary.
    explicit TextPrinter(std::size_t octets_max) : octets_max_(octets_max) {}

    std::string take() { return std::exchange(out_, {}); }
    const std::string& text() const noexcept { return out_; }
    /// Forgets what was written after the first `size` characters.
    void truncate(std::size_t size) { out_.resize(size); }

    template <class... Args>
    void put(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    }
    /// The next value. `plain`: its type is known from the field, so numbers need no type in front.
    void value(Decoder& from, bool plain = false);

private:
    void scalar_or_compound(Decoder& from, Type type, bool plain);
    template <class T>
    void number(Type type, bool plain, T v);
    void hex(Type type, std::span<const std::byte> octets);
    void symbol(std::string_view text);
    void quoted(std::span<const std::byte> octets, bool utf8);
    void escaped(char c, bool utf8);
    void items(Decoder& from, const Decoder::Scope& scope);
    void map(Decoder& from);
    void array(Decoder& from);
    void described(Decoder& from);
    void composite(Decoder& from, const CompositeInfo& info);
    void field(Decoder& from, const CompositeInfo& info, std::string_view name);

    std::size_t octets_max_;
    std::string out_;
};

/// The choice of the specification that the next value of a field names ("sender", "mixed"), consumed; empty, and
/// nothing consumed, when the field has no named choices or the value is none of them.
std::string_view take_choice(Decoder& from, const CompositeInfo& composite, std::string_view field);
/// Whether the field holds what a user authenticates with: not for logs.
bool is_secret(const CompositeInfo& composite, std::string_view field) noexcept;

}  // namespace aprotic::codec
