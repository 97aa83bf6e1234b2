#pragma once

#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/core.h>

#include <aprotic/codec/result.hpp>
#include <aprotic/driver/notification_routing.hpp>
#include <aprotic/driver/transport_options.hpp>

namespace aprotic::driver::bus {

// The values of options as they stand in files, URLs and the environment. What read_value refuses it says what was
// expected instead, and leaves the value in no useful state; what text_of writes it reads.

using ValueRead = codec::Result<void, std::string>;

ValueRead read_value(std::string_view text, std::string& value);
/// Written with blanks, commas, or a line for each.
ValueRead read_value(std::string_view text, std::vector<std::string>& value);
ValueRead read_value(std::string_view text, bool& value);
/// In seconds, up to ten years.
ValueRead read_value(std::string_view text, Duration& value);
/// The same; nullopt for 0.
ValueRead read_value(std::string_view text, std::optional<Duration>& value);
ValueRead read_value(std::string_view text, PreSettled& value);
ValueRead read_value(std::string_view text, AddressingMode& value);
ValueRead read_value(std::string_view text, Intermediary& value);
ValueRead read_value(std::string_view text, std::vector<NotifierDriver>& value);
template <class T>
requires std::is_arithmetic_v<T> ValueRead read_value(std::string_view text, T& value) {
    T number{};
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || rest != end)
        return fmt::format("a number was expected, up to {}", std::numeric_limits<T>::max());
    value = number;
    return {};
}

std::string text_of(const std::string& value);
std::string text_of(const std::vector<std::string>& value);
std::string text_of(bool value);
std::string text_of(Duration value);
std::string text_of(const std::optional<Duration>& value);
std::string text_of(const PreSettled& value);
std::string text_of(const std::vector<NotifierDriver>& value);
std::string text_of(AddressingMode value);
std::string text_of(Intermediary value);
template <class T>
requires std::is_arithmetic_v<T> std::string text_of(T value) { return fmt::format("{}", value); }

}  // namespace aprotic::driver::bus
